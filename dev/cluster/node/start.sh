#!/usr/bin/env bash
# Starts the cluster's components, inside the node (up.sh runs it there). What
# already runs is left alone, so it also brings back a component that died.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

runs() { # component
  local pid
  pid=$(cat "$RUN/pids/$1" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}

start() { # component, command...
  local name=$1; shift
  ! runs "$name" || return 0
  setsid nohup "$@" >>"$LOG/$name.log" 2>&1 </dev/null &
  echo $! > "$RUN/pids/$name"
}

# wait_ready COMPONENT SECONDS COMMAND...: says what its log ends with if it died or was too slow.
wait_ready() {
  local name=$1 limit=$(($2 * PATIENCE)) why deadline; shift 2
  deadline=$((SECONDS + limit))
  until "$@" >/dev/null 2>&1; do
    if ! runs "$name"; then why="ended"
    elif [ $SECONDS -ge $deadline ]; then why="was not ready within $limit s"
    else sleep 0.1; continue
    fi
    { echo "$name $why. The end of $LOG/$name.log:"; tail -n 25 "$LOG/$name.log" | cut -c1-400 | sed 's/^/    /'; } >&2
    exit 1
  done
}

start_etcd() {
  start etcd etcd -data-dir "$DATA/etcd"
  wait_ready etcd 30 curl -sf http://127.0.0.1:2379/health
}

start_apiserver() {
  local audit=()
  if [ -n "${AUDIT:-}" ]; then
    audit=(--audit-policy-file="$RUN/etc/audit-policy.yaml" --audit-log-path="$LOG/audit.log" --audit-log-maxsize=100 --audit-log-maxbackup=1)
  fi
  start kube-apiserver kube-apiserver \
    --etcd-servers=http://127.0.0.1:2379 --advertise-address="$NODE_IP" --secure-port=6443 \
    --service-cluster-ip-range=10.96.0.0/16 --allow-privileged=true \
    --client-ca-file="$PKI/ca.crt" --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
    --kubelet-certificate-authority="$PKI/ca.crt" \
    --kubelet-client-certificate="$PKI/apiserver-kubelet.crt" --kubelet-client-key="$PKI/apiserver-kubelet.key" \
    --kubelet-preferred-address-types=InternalIP,Hostname \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$PKI/service-account.pub" --service-account-signing-key-file="$PKI/service-account.key" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --requestheader-client-ca-file="$PKI/front-ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group \
    --requestheader-username-headers=X-Remote-User \
    --proxy-client-cert-file="$PKI/front-client.crt" --proxy-client-key-file="$PKI/front-client.key" \
    --profiling=false --event-ttl=1h --v=1 "${audit[@]}"
  wait_ready kube-apiserver 90 kubectl get --raw=/readyz
}

start_controllers() {
  own() { echo "--kubeconfig=$PKI/$1.kubeconfig --authentication-kubeconfig=$PKI/$1.kubeconfig --authorization-kubeconfig=$PKI/$1.kubeconfig"; }
  # shellcheck disable=SC2046  # flags without blanks
  # Each controller makes its service account first: at the default 20 requests a second that takes 4 s.
  start kube-controller-manager kube-controller-manager $(own controller-manager) --kube-api-qps=200 --kube-api-burst=400 \
    --root-ca-file="$PKI/ca.crt" --service-account-private-key-file="$PKI/service-account.key" \
    --use-service-account-credentials=true \
    --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" \
    --client-ca-file="$PKI/ca.crt" --requestheader-client-ca-file="$PKI/front-ca.crt" \
    --leader-elect=false --bind-address=127.0.0.1 --profiling=false --node-monitor-period=2s --v=1
  # shellcheck disable=SC2046
  start kube-scheduler kube-scheduler $(own scheduler) --leader-elect=false --bind-address=127.0.0.1 --profiling=false --v=1
}

start_kubelet() {
  start kubelet kubelet --config="$RUN/etc/kubelet.yaml" --kubeconfig="$PKI/kubelet.kubeconfig" \
    --root-dir="$DATA/kubelet" --hostname-override="$NODE_NAME" --node-ip="$NODE_IP" --cert-dir="$PKI" --v=2
  start kube-proxy kube-proxy --config="$RUN/etc/kube-proxy.yaml" --v=2
}

node_ready() {
  kubectl get node "$NODE_NAME" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}' | grep -q True
}

start_storage() {
  wait_ready kube-controller-manager 30 kubectl get serviceaccount default
  kubectl apply -f "$RUN/etc/storage/storage.yaml" >/dev/null
  start storage local-path-provisioner start --config "$RUN/etc/storage/config.json" --kubeconfig "$PKI/admin.kubeconfig" \
    --helper-image registry.local/busybox:1 --helper-pod-file "$RUN/etc/storage/helper-pod.yaml"
}

# The API server on a unix socket: a file is reachable from the machine's own network namespace too.
start_relay() {
  start relay socat "UNIX-LISTEN:$RUN/apiserver.sock,fork,unlink-early,mode=600" TCP:127.0.0.1:6443
  wait_ready relay 10 test -S "$RUN/apiserver.sock"
}

main() { # image tars...
  mkdir -p "$RUN/pids" "$DATA/etcd" "$DATA/kubelet" "$DATA/podlogs" "$DATA/volumes"
  start containerd containerd -c "$RUN/etc/containerd.toml"
  start_etcd
  step "etcd runs"
  start_apiserver
  step "the API server is ready"
  start_controllers
  start coredns coredns -conf "$RUN/etc/Corefile"
  wait_ready containerd 30 ctr version
  "$CLUSTER_DIR/node/import.sh" "$@"
  start_kubelet
  wait_ready kubelet 90 node_ready
  step "the node is Ready"
  start_storage
  start_relay
  wait_ready coredns 30 curl -sf http://127.0.0.1:8054/ready
  step "storage and DNS are ready"
}

main "$@"
