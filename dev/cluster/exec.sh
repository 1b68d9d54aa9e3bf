#!/usr/bin/env bash
# Runs a command inside the node, in the current folder.
#   exec.sh COMMAND...      e.g. exec.sh kubectl get pods -A; exec.sh ctr -n k8s.io images ls
#   exec.sh --network COMMAND...   only in its network: a process of the machine, which pods reach at 10.123.0.1
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
  [ $# -gt 0 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
  require_node
  local pid leaves
  pid=$(node_pid)
  # The command takes the place of this script: who ends it ends the command.
  [ "$1" != --network ] || { shift; exec nsenter -t "$pid" -n -- "$@"; }
  mapfile -t leaves < <(node_cgroup_leaves)
  # First the cgroup, then the namespaces: a process must be inside the root of the cgroup namespace that it enters.
  join_cgroups "${leaves[@]}"
  export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1   # ctr repeats on each call that cgroup v1 is old
  export PATH=$RUN/bin:$PATH KUBECONFIG=$PKI/admin.kubeconfig CONTAINERD_ADDRESS=$CONTAINERD_SOCKET
  exec nsenter -t "$pid" -m -n -p -u -i -C --wdns="$PWD" -- "$@"
}

main "$@"
