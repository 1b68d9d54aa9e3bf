#!/usr/bin/env bash
# Says what runs: components, versions, address, images, pods. Exit 1 when the node does not run or is not well.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

COMPONENTS=(containerd etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy coredns storage relay)

line() { printf '%-12s %s\n' "$1" "$2"; }

# The ids of components are those of the node's own pid namespace.
ended_components() {
  # shellcheck disable=SC2016  # expanded in the node
  in_node bash -c 'cd "$1/pids"; shift; for name in "$@"; do kill -0 "$(cat "$name" 2>/dev/null)" 2>/dev/null || echo "$name"; done' \
    - "$RUN" "${COMPONENTS[@]}" | xargs
}

show_versions() {
  line versions "Kubernetes $(kubectl version -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["serverVersion"]["gitVersion"])'), $(
    "$BIN/containerd" --version 2>/dev/null | awk '$1 == "containerd" {print $1, $3}'), $(runc --version | awk 'NR == 1 {print $1, $3}')"
}

show_images() {
  in_node ctr -n k8s.io images ls | awk 'NR > 1 && $1 !~ /^sha256:/ {print $1, substr($3, 1, 19), $4 $5}' |
    while read -r image; do line image "$image"; done
}

main() {
  need_root
  local ended node
  if ! node_pid >/dev/null; then
    line node "does not run; start it with $CLUSTER_DIR/up.sh"
    [ -z "$(node_processes)" ] || line leftovers "of an interrupted start: up.sh goes on, down.sh cleans up"
    [ ! -d "$DATA" ] || line state "kept in $DATA"
    exit 1
  fi
  refuse_other_checkout
  export KUBECONFIG=$KUBECONFIG_FILE PATH=$BIN:$PATH
  ended=$(ended_components)
  node=$(kubectl get node "$NODE_NAME" --no-headers 2>&1 | awk '{print $2}' || true)
  line node "$NODE_NAME ${node:-unknown}, pid $(node_pid), cgroup v$(cgroup_version), checkout $(node_owner)"
  [ -z "$ended" ] || { line ended "$ended (logs in $LOG; up.sh starts them again)"; exit 1; }
  line API "$(grep -o 'https://[0-9.:]*' "$KUBECONFIG_FILE")  KUBECONFIG=$KUBECONFIG_FILE"
  show_versions
  show_images
  line pods ""
  kubectl get pods -A
  [ "$node" = Ready ] || exit 1
}

main "$@"
