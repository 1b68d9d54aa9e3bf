# shellcheck shell=bash
# Paths, names and helpers that the cluster's scripts share. Sourced, never run.
set -euo pipefail

CLUSTER_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CHECKOUT=$(cd "$CLUSTER_DIR/../.." && pwd)
CACHE=${ZATO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zato-operator}/cluster
BIN=$CHECKOUT/target/cluster/bin
KUBECONFIG_FILE=$CHECKOUT/target/cluster/kubeconfig

# One node a machine: these names are fixed (node/etc/ repeats them).
RUN=/run/zato-dev            # sockets, process ids, configuration: gone with the node
DATA=/var/lib/zato-dev       # etcd, images, volumes, keys, logs: kept by `down.sh --keep`
CGROUP=zato-dev
NODE_NAME=dev-node
NODE_IP=10.123.0.1
PKI=$DATA/pki
LOG=$DATA/log
CONTAINERD_SOCKET=$RUN/containerd.sock

# What the node runs on, beside what build.sh builds.
PACKAGES=(runc containernetworking-plugins nftables iptables iproute2 conntrack socat ethtool kmod util-linux
  openssl curl busybox-static gcc libc6-dev)

# --- messages ---------------------------------------------------------------

START_TIME=${START_TIME:-$EPOCHREALTIME}
elapsed() { # since START_TIME, in seconds with one decimal
  local micros=$((${EPOCHREALTIME/[.,]/} - ${START_TIME/[.,]/}))
  printf '%d.%d' $((micros / 1000000)) $((micros % 1000000 / 100000))
}
step() { printf '[%6ss] %s\n' "$(elapsed)" "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# On a very slow machine (emulated, overloaded) every deadline is multiplied by this.
PATIENCE=${CLUSTER_PATIENCE:-1}

# wait_until SECONDS COMMAND...: polls until the command succeeds; fails at the deadline.
wait_until() {
  local deadline=$((SECONDS + $1 * PATIENCE)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.1
  done
}

port_free() { # port on 127.0.0.1
  python3 - "$1" 2>/dev/null <<'PYTHON'
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
PYTHON
}

need_root() { [ "$(id -u)" = 0 ] || die "needs root: run it with sudo"; }

# --- cgroups ----------------------------------------------------------------

cgroup1_mounts() { awk '$3 == "cgroup" {print $2}' /proc/mounts; }
cgroup2_mount() { awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts; }

# 1: the controllers are in v1 hierarchies; 2: in the unified one; 0: nowhere.
cgroup_version() {
  local unified
  unified=$(cgroup2_mount)
  if awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ {found = 1} END {exit !found}' /proc/mounts; then
    echo 1
  elif [ -n "$unified" ] && grep -qw memory "$unified/cgroup.controllers"; then
    echo 2
  else
    echo 0
  fi
}

# The node's cgroup: one folder in every v1 hierarchy, or one in the unified one.
node_cgroups() {
  local mount
  if [ "$(cgroup_version)" = 1 ]; then
    while read -r mount; do echo "$mount/$CGROUP"; done < <(cgroup1_mounts)
  else
    echo "$(cgroup2_mount)/$CGROUP"
  fi
}

# Where the node's own processes live. v2 allows processes in leaves only: pods are their siblings.
node_cgroup_leaves() {
  if [ "$(cgroup_version)" = 1 ]; then node_cgroups; else echo "$(node_cgroups)/system"; fi
}

# join_cgroups FOLDER...: moves the calling (sub)shell there; 0 means the writer itself.
join_cgroups() { local folder; for folder in "$@"; do echo 0 > "$folder/cgroup.procs"; done; }

# Every process of the node, also one that a broken start left without a note of its id.
node_processes() {
  local folder
  while read -r folder; do
    [ ! -d "$folder" ] || find "$folder" -name cgroup.procs -exec cat {} + 2>/dev/null || true
  done < <(node_cgroups) | grep -vx 0 | sort -un || true
}

# --- the node's state -------------------------------------------------------

# The id of the node's pid 1, if it still is the process that up.sh started.
node_pid() {
  local pid
  pid=$(cat "$RUN/pid" 2>/dev/null) && [ -n "$pid" ] || return 1
  tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -q 'dev/cluster/node/init.sh' || return 1
  echo "$pid"
}
node_owner() { cat "$RUN/checkout" 2>/dev/null || echo "$CHECKOUT"; }

# Two checkouts share the machine's one node: never act on another's in silence.
refuse_other_checkout() {
  local owner
  owner=$(node_owner)
  [ "$owner" = "$CHECKOUT" ] || [ -z "$(node_processes)" ] || die "the node that runs belongs to another checkout: $owner
  keep it:  leave this one alone, or use $owner/target/cluster/kubeconfig
  end it:   $owner/dev/cluster/down.sh, or from here: $CLUSTER_DIR/down.sh --force"
}

require_node() {
  need_root
  node_pid >/dev/null || die "the node does not run; start it with $CLUSTER_DIR/up.sh"
  refuse_other_checkout
}

# Up and down never overlap, not even those of two checkouts.
lock() {
  mkdir -p "$CACHE"
  exec 9>"$CACHE/lock"
  if ! flock -n 9; then
    echo "waiting for another up.sh or down.sh to end"
    flock 9
  fi
}

in_node() { "$CLUSTER_DIR/exec.sh" "$@"; }
