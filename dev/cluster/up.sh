#!/usr/bin/env bash
# Brings the one-node Kubernetes up, or says that it runs; writes target/cluster/kubeconfig.
#   up.sh [IMAGE.tar...]     also loads these images
# Environment: CLUSTER_PORT (port of the API server on 127.0.0.1; default: the first
# free one from 16443), AUDIT=1 (audit log in /var/lib/zato-dev/log/audit.log),
# ZATO_OPERATOR_CACHE (where built programs are kept), CLUSTER_PATIENCE=N (deadlines N times as long).
# Can be interrupted and repeated at any point.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export START_TIME
FIRST_PORT=16443

# --- what it runs on --------------------------------------------------------

prepare() {
  "$CLUSTER_DIR/preflight.sh" --quiet
  if [ -n "$("$CLUSTER_DIR/../packages.sh" --missing "${PACKAGES[@]}" 2>/dev/null)" ]; then
    step "installing what the node needs from Debian"
    "$CLUSTER_DIR/../packages.sh" "${PACKAGES[@]}"
    # With the tools there, the kernel can be asked about what they need of it.
    "$CLUSTER_DIR/preflight.sh" --quiet
  fi
  step "programs (built on the first run, then from the cache)"
  "$CLUSTER_DIR/build/build.sh" "$BIN"
  mapfile -t BASE_IMAGES < <("$CLUSTER_DIR/../images/base/build.sh" pause busybox)
  [ ${#BASE_IMAGES[@]} = 2 ] || die "the node's own images were not built (see above)"
}

# --- the node's process tree ------------------------------------------------

make_cgroups() {
  local folder parent
  while read -r folder; do
    parent=$(dirname "$folder")
    if [ "$(cgroup_version)" = 2 ]; then
      enable_controllers "$parent" || die "cannot give controllers to cgroups below $parent: it holds processes itself
  (a container's root cgroup?). Move them into a cgroup of their own, or run this in: systemd-run --scope -p Delegate=yes"
    fi
    mkdir -p "$folder"
    # A v1 cpuset starts empty and takes no process until it names processors and memory nodes.
    if [ -e "$folder/cpuset.cpus" ] && [ "$(cgroup_version)" = 1 ]; then
      cat "$parent/cpuset.cpus" > "$folder/cpuset.cpus"
      cat "$parent/cpuset.mems" > "$folder/cpuset.mems"
      echo 1 > "$folder/cgroup.clone_children"
    fi
  done < <(node_cgroups)
}

enable_controllers() { # v2 folder: all that it has, for its children
  local controller
  for controller in $(cat "$1/cgroup.controllers"); do
    grep -qw "$controller" "$1/cgroup.subtree_control" || echo "+$controller" 2>/dev/null > "$1/cgroup.subtree_control" || return 1
  done
}

# v2: the cgroup namespace's root must hand controllers to its children (pods),
# so it may hold no process: pid 1 and the unshare beside it move to a leaf.
settle_in_leaf() {
  [ "$(cgroup_version)" = 2 ] || return 0
  local top leaf
  top=$(node_cgroups)
  leaf=$(node_cgroup_leaves)
  mkdir -p "$leaf"
  wait_until 10 move_all "$top" "$leaf" || die "processes stay in $top"
  enable_controllers "$top" || die "cannot enable controllers in $top"
}

move_all() { # from to: succeeds when nothing is left
  local pid
  for pid in $(cat "$1/cgroup.procs"); do echo "$pid" > "$2/cgroup.procs" || true; done
  [ -z "$(cat "$1/cgroup.procs")" ]
}

copy_configuration() {
  rm -rf "${RUN:?}/etc" "${RUN:?}/bin"
  mkdir -p "$RUN/bin" "$LOG"
  chmod 700 "$DATA"
  cp -r "$CLUSTER_DIR/node/etc" "$RUN/etc"
  # Links into the cache: the node keeps running when target/ is removed.
  cp -P "$BIN"/* "$RUN/bin/"
  local files
  files=$(ulimit -Hn)
  { [ "$files" != unlimited ] && [ "$files" -lt 1000000 ]; } || files=1000000
  {
    # Above the hard limit (without CAP_SYS_RESOURCE) the kubelet would exit.
    echo "maxOpenFiles: $files"
    # Since 1.35 the kubelet refuses cgroup v1 unless told otherwise.
    [ "$(cgroup_version)" != 1 ] || echo "failCgroupV1: false"
  } >> "$RUN/etc/kubelet.yaml"
}

start_node() {
  local cgroups unshare
  # The rest of a start that was interrupted, or of a node that died.
  "$CLUSTER_DIR/down.sh" --leftovers
  mkdir -p "$RUN"
  echo "$CHECKOUT" > "$RUN/checkout"
  copy_configuration
  make_cgroups
  mapfile -t cgroups < <(node_cgroups)
  # In the cgroup before anything else: whatever happens from here on, down.sh finds it there.
  (
    join_cgroups "${cgroups[@]}"
    exec setsid unshare --pid --fork --kill-child --mount --mount-proc --propagation private --net --uts --ipc --cgroup \
      "$CLUSTER_DIR/node/init.sh" "$(cgroup_version)" </dev/null >"$LOG/init.log" 2>&1 9>&-
  ) &
  unshare=$!
  wait_until 20 node_made_or_ended "$unshare" || true
  node_pid >/dev/null || { tail -n 20 "$LOG/init.log" >&2; die "the node's namespaces could not be made (see above)"; }
  settle_in_leaf
  disown "$unshare"
}

node_made_or_ended() { # the process that made the namespaces: its child is the node's pid 1
  kill -0 "$1" || return 0
  [ -e "$RUN/ready" ] && tr -d ' ' < "/proc/$1/task/$1/children" > "$RUN/pid"
}

# --- the way in from the machine --------------------------------------------

relay_answers() { curl -s -o /dev/null --cacert "$PKI/ca.crt" "https://127.0.0.1:$1/livez"; }

relay_port() { # of the relay that runs
  local pid
  pid=$(cat "$RUN/relay.pid" 2>/dev/null) && tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | sed -n 's/.*TCP-LISTEN:\([0-9]*\).*apiserver.sock.*/\1/p'
}

start_relay() {
  local port leaves
  port=$(relay_port || true)
  [ -z "$port" ] || { [ -z "${CLUSTER_PORT:-}" ] || [ "$CLUSTER_PORT" = "$port" ] || step "the API server stays on port $port"; PORT=$port; return; }
  port=${CLUSTER_PORT:-$FIRST_PORT}
  until port_free "$port"; do
    if [ -n "${CLUSTER_PORT:-}" ] || [ "$port" -ge $((FIRST_PORT + 100)) ]; then
      die "port $port is in use: set CLUSTER_PORT to a free one"
    fi
    port=$((port + 1))
  done
  mapfile -t leaves < <(node_cgroup_leaves)
  (
    join_cgroups "${leaves[@]}"
    exec setsid socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" "UNIX-CONNECT:$RUN/apiserver.sock" </dev/null >>"$LOG/relay.log" 2>&1 9>&-
  ) &
  echo $! > "$RUN/relay.pid"
  disown
  wait_until 10 relay_answers "$port" || { tail -n 5 "$LOG/relay.log" >&2; die "the API server does not answer on 127.0.0.1:$port"; }
  PORT=$port
}

write_kubeconfig() {
  local new=$KUBECONFIG_FILE.new
  (umask 077; sed "s#https://127.0.0.1:6443#https://127.0.0.1:$PORT#" "$PKI/admin.kubeconfig" > "$new")
  # Under sudo, the user who called it works with it.
  [ -z "${SUDO_UID:-}" ] || chown "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$new"
  mv "$new" "$KUBECONFIG_FILE"
}

# ----------------------------------------------------------------------------

explain_failure() {
  local code=$?
  trap - EXIT
  [ $code -ne 0 ] || return 0
  printf '\nThe cluster is not up. Logs: %s. Run up.sh again to go on, or %s to clean up.\n' "$LOG" "$CLUSTER_DIR/down.sh" >&2
  exit $code
}

main() {
  case ${1:-} in -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit ;; esac
  local tars=() tar had=
  for tar in "$@"; do [ -r "$tar" ] || die "no such image tar: $tar"; tars+=("$(realpath "$tar")"); done
  [ "$(id -u)" = 0 ] || { "$CLUSTER_DIR/preflight.sh" --quiet; need_root; }
  lock
  refuse_other_checkout
  trap explain_failure EXIT
  trap 'exit 130' INT TERM
  ! node_pid >/dev/null || { had=yes; step "the node runs already: looking at its parts"; }
  prepare
  [ -n "$had" ] || { step "making the node (cgroup v$(cgroup_version))"; start_node; "$CLUSTER_DIR/node/pki.sh"; }
  in_node "$CLUSTER_DIR/node/start.sh" "${BASE_IMAGES[@]}" "${tars[@]}" 9>&-
  start_relay
  write_kubeconfig
  step "the cluster is up: export KUBECONFIG=$KUBECONFIG_FILE   (kubectl and helm: $BIN)"
}

main "$@"
