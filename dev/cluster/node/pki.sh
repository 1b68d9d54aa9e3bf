#!/usr/bin/env bash
# Makes the cluster's certificates, keys and kubeconfigs, once.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

quietly() { # openssl reports progress on stderr: shown only when it failed
  local out
  out=$("$@" 2>&1) || { echo "$out" >&2; return 1; }
}

new_key() { quietly openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

authority() { # name, common name
  new_key "$1"
  quietly openssl req -x509 -new -key "$1.key" -days 3650 -subj "/CN=$2" -out "$1.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature
}

certificate() { # name, authority, subject, use, [alternative names]
  new_key "$1"
  quietly openssl req -new -key "$1.key" -subj "$3" -out "$1.csr"
  {
    echo "basicConstraints=CA:FALSE"
    echo "keyUsage=critical,digitalSignature"
    echo "extendedKeyUsage=$4"
    [ -z "${5:-}" ] || echo "subjectAltName=$5"
  } > "$1.ext"
  quietly openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 3650 -extfile "$1.ext" -out "$1.crt"
  rm -f "$1.csr" "$1.ext"
}

kubeconfig() { # user
  cat > "$1.kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
current-context: zato-dev
clusters: [{name: zato-dev, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: $(base64 -w0 < ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 < "$1.crt"), client-key-data: $(base64 -w0 < "$1.key")}}]
contexts: [{name: zato-dev, context: {cluster: zato-dev, user: $1}}]
CONFIG
}

main() {
  # Renamed into place when complete: an interrupted run leaves nothing that looks finished.
  [ ! -d "$PKI" ] || return 0
  rm -rf "$PKI.new"
  (umask 077 && mkdir -p "$PKI.new")
  cd "$PKI.new"
  local service=kubernetes.default.svc names user
  names="DNS:kubernetes,DNS:kubernetes.default,DNS:$service,DNS:$service.cluster.local,DNS:localhost"
  authority ca zato-dev-ca
  authority front-ca zato-dev-front-proxy-ca
  quietly openssl genrsa -out service-account.key 2048
  quietly openssl rsa -in service-account.key -pubout -out service-account.pub
  certificate apiserver ca /CN=kube-apiserver serverAuth "$names,IP:127.0.0.1,IP:10.96.0.1,IP:$NODE_IP"
  certificate apiserver-kubelet ca /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
  certificate front-client front-ca /CN=front-proxy-client clientAuth
  certificate kubelet-server ca "/O=system:nodes/CN=system:node:$NODE_NAME" serverAuth "DNS:$NODE_NAME,IP:$NODE_IP,IP:127.0.0.1"
  certificate kubelet ca "/O=system:nodes/CN=system:node:$NODE_NAME" clientAuth
  certificate admin ca /O=system:masters/CN=zato-dev-admin clientAuth
  certificate controller-manager ca /CN=system:kube-controller-manager clientAuth
  certificate scheduler ca /CN=system:kube-scheduler clientAuth
  certificate proxy ca /CN=system:kube-proxy clientAuth
  for user in admin kubelet controller-manager scheduler proxy; do kubeconfig "$user"; done
  mv "$PKI.new" "$PKI"
}

main "$@"
