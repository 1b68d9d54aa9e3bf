#!/usr/bin/env bash
# A kube-apiserver of its own for tests that need no pods: etcd, the API server with an audit log, and the controllers
# that such tests look at. No root, no namespaces, no node; several can run on one machine.
#   alone.sh up [FOLDER]      starts it, or says that it runs; writes FOLDER/kubeconfig (default: target/alone),
#                             and one for each of the users operator-a and operator-b
#   alone.sh down [FOLDER]    ends it and removes the folder
# Environment: CONTROLLERS=a,b   controllers of kube-controller-manager (default: below)
# FOLDER/audit.log has one JSON line a request, without bodies.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
USERS=(admin operator-a operator-b)
# Children go with their owners, namespaces with what is in them, claims when no pod uses them; StatefulSets get pods,
# which no kubelet runs.
CONTROLLERS=${CONTROLLERS:-garbage-collector-controller,namespace-controller,serviceaccount-controller,statefulset-controller,persistentvolumeclaim-protection-controller}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

runs() { # component
  local pid
  pid=$(cat "$FOLDER/$1.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null
}

start() { # component, command...
  local name=$1; shift
  setsid nohup "$@" >>"$FOLDER/$name.log" 2>&1 </dev/null &
  echo $! > "$FOLDER/$name.pid"
}

wait_ready() { # component, command...
  local name=$1; shift
  wait_until 60 "$@" || { tail -n 20 "$FOLDER/$name.log" | cut -c1-300 >&2; die "$name was not ready within 60 s (see above)"; }
}

# One for each user; the audit log tells them apart.
write_kubeconfigs() { # port
  local token user rest
  while IFS=, read -r token user rest; do
    (umask 077; cat > "$FOLDER/$user.kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
current-context: alone
clusters: [{name: alone, cluster: {server: "https://127.0.0.1:$1", certificate-authority-data: $(base64 -w0 < "$FOLDER/pki/apiserver.crt")}}]
users: [{name: $user, user: {token: "$token"}}]
contexts: [{name: alone, context: {cluster: alone, user: $user}}]
CONFIG
    )
  done < "$FOLDER/tokens"
  ln -sfn admin.kubeconfig "$FOLDER/kubeconfig"
}

up() {
  if runs kube-controller-manager && runs kube-apiserver; then echo "it runs: $FOLDER/kubeconfig"; return; fi
  down
  "$CLUSTER_DIR/build/build.sh" "$BIN"
  export PATH=$BIN:$PATH
  (umask 077; mkdir -p "$FOLDER/pki")
  local client peer port
  client=$(free_port); peer=$(free_port); port=$(free_port)
  (umask 077; for user in "${USERS[@]}"; do echo "$(openssl rand -hex 16),$user,$user,system:masters"; done > "$FOLDER/tokens"
   openssl genrsa -out "$FOLDER/pki/account.key" 2048 2>/dev/null)
  start etcd etcd -data-dir "$FOLDER/etcd" -listen "http://127.0.0.1:$client" -peer "http://127.0.0.1:$peer"
  wait_ready etcd curl -sf "http://127.0.0.1:$client/health"
  start kube-apiserver kube-apiserver --etcd-servers="http://127.0.0.1:$client" --bind-address=127.0.0.1 \
    --secure-port="$port" --cert-dir="$FOLDER/pki" --token-auth-file="$FOLDER/tokens" --authorization-mode=RBAC \
    --service-cluster-ip-range=10.97.0.0/16 --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$FOLDER/pki/account.key" --service-account-signing-key-file="$FOLDER/pki/account.key" \
    --audit-policy-file="$CLUSTER_DIR/node/etc/audit-policy.yaml" --audit-log-path="$FOLDER/audit.log" \
    --endpoint-reconciler-type=none --profiling=false
  wait_until 30 test -s "$FOLDER/pki/apiserver.crt" || die "the API server made no certificate: see $FOLDER/kube-apiserver.log"
  write_kubeconfigs "$port"
  wait_ready kube-apiserver kubectl --kubeconfig "$FOLDER/kubeconfig" get --raw=/readyz
  start kube-controller-manager kube-controller-manager --kubeconfig="$FOLDER/kubeconfig" --controllers="$CONTROLLERS" \
    --service-account-private-key-file="$FOLDER/pki/account.key" --kube-api-qps=200 --kube-api-burst=400 \
    --leader-elect=false --secure-port=0 --profiling=false
  wait_ready kube-controller-manager kubectl --kubeconfig "$FOLDER/kubeconfig" get serviceaccount default
  echo "it runs: $FOLDER/kubeconfig"
}

down() {
  local component pid
  for component in kube-controller-manager kube-apiserver etcd; do
    pid=$(cat "$FOLDER/$component.pid" 2>/dev/null) || continue
    # Nothing in it is worth an orderly end.
    kill -KILL "$pid" 2>/dev/null || true
  done
  rm -rf "$FOLDER"
}

main() {
  FOLDER=$(realpath -m "${2:-$CHECKOUT/target/alone}")
  case ${1:-} in
    up) up ;;
    down) down ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
}

main "$@"
