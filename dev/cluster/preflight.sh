#!/usr/bin/env bash
# Looks at the machine and names everything that the node lacks, with what to do.
#   preflight.sh [--quiet]     --quiet: says nothing when all is well
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PROBLEMS=()
problem() { PROBLEMS+=("$1 -> $2"); }

have() { command -v "$1" >/dev/null; }

first_build() { ! compgen -G "$CACHE/kube-*/kube" >/dev/null || ! compgen -G "$CACHE/helm-*/helm" >/dev/null; }

check_root() {
  [ "$(id -u)" = 0 ] || problem "not root" "run it with sudo: the node makes namespaces, mounts and cgroups"
}

check_packages() {
  local names
  names=$("$CLUSTER_DIR/../packages.sh" --missing "${PACKAGES[@]}" 2>/dev/null) ||
    { problem "not a Debian" "install by hand what these packages hold: ${PACKAGES[*]}"; return; }
  # As root up.sh installs them itself: no problem then.
  [ -z "$names" ] || [ "$(id -u)" = 0 ] || problem "Debian packages are missing" "run: sudo $CLUSTER_DIR/../packages.sh $(xargs <<<"$names")"
}

check_python() {
  have python3 || problem "no python3" "apt-get install python3"
}

check_go() {
  local wanted found
  wanted=$(awk '$1 == "go" {print $2}' "$CLUSTER_DIR"/build/*/go.mod | sort -V | tail -n 1)
  have go || { problem "no Go" "install Go $wanted or newer and put it on PATH (Debian 12's golang is too old)"; return; }
  found=$(cd "$CLUSTER_DIR/build/etcd" && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//')
  [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] ||
    problem "Go $found is too old" "install Go $wanted or newer and put it first on PATH"
}

check_cgroup1() {
  local controller mounts mount
  for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
    awk -v c="$controller" '$3 == "cgroup" && ("," $4 ",") ~ "," c "," {found = 1} END {exit !found}' /proc/mounts ||
      problem "cgroup v1 without the controller $controller" "mount it (mount -t cgroup -o $controller cgroup DIR), or boot with cgroup v2"
  done
  [ "$(id -u)" = 0 ] || return 0
  mounts=$(cgroup1_mounts)
  for mount in $mounts; do try_cgroup "$mount"; done
}

check_cgroup2() {
  local controller mount
  mount=$(cgroup2_mount)
  for controller in cpu cpuset io memory pids; do
    grep -qw "$controller" "$mount/cgroup.controllers" ||
      problem "cgroup v2 without the controller $controller" "boot a kernel that has it and does not bind it to a v1 hierarchy"
  done
  [ "$(id -u)" != 0 ] || try_cgroup "$mount"
}

try_cgroup() { # mount point: can cgroups be made here?
  local folder=$1/zato-dev-preflight.$$
  if mkdir "$folder" 2>/dev/null; then rmdir "$folder"
  else problem "cgroups cannot be made in $1" "mount it read-write; in a container: run it privileged"
  fi
}

check_cgroups() {
  case $(cgroup_version) in
    1) check_cgroup1 ;;
    2) check_cgroup2 ;;
    *) problem "no cgroup hierarchy with a memory controller is mounted" "mount -t cgroup2 cgroup2 /sys/fs/cgroup; in a container: run it privileged" ;;
  esac
}

NAMESPACES=(--pid --fork --mount --mount-proc --net --uts --ipc --cgroup --propagation private)

check_namespaces() {
  unshare "${NAMESPACES[@]}" true 2>/dev/null ||
    problem "namespaces cannot be made (unshare ${NAMESPACES[*]})" "as root on a machine, not in an unprivileged container"
}

existing_parent() { local path=$1; while [ ! -d "$path" ]; do path=$(dirname "$path"); done; echo "$path"; }

# Really mounted, where containerd will do it; in a mount namespace that takes it away again.
check_overlay() {
  local folder
  folder=$(mktemp -d -p "$(existing_parent "$DATA")")
  mkdir "$folder/lower" "$folder/upper" "$folder/work" "$folder/merged"
  unshare --mount --propagation private \
    mount -n -t overlay -o "lowerdir=$folder/lower,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/merged" 2>/dev/null ||
    problem "overlayfs does not mount on $(dirname "$folder")" "modprobe overlay; if that is an overlay itself (a container's root), mount a volume on $DATA"
  rm -rf "$folder"
}

# What kube-proxy and CNI ask of the kernel, tried in a network namespace of its own.
check_network() {
  local try='ip link add v0 type veth peer name v1'
  have ip || return 0
  unshare --net sh -c "$try" 2>/dev/null || problem "no veth devices" "modprobe veth"
  unshare --net ip link add b0 type bridge 2>/dev/null || problem "no bridge devices" "modprobe bridge"
  # Without it an answer between two pods of the node by-passes the translation of Service addresses.
  [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || modprobe br_netfilter 2>/dev/null ||
    problem "bridged packets by-pass the firewall" "modprobe br_netfilter"
  have nft || return 0
  try='add table ip t; add chain ip t c { type nat hook prerouting priority 0; }; add rule ip t c numgen random mod 2 vmap { 0 : accept, 1 : accept }; add rule ip t c fib daddr type local accept; add chain ip t p { type nat hook postrouting priority 100; }; add rule ip t p masquerade'
  unshare --net nft "$try" 2>/dev/null || problem "nftables lacks nat, numgen, fib or masquerade" "modprobe nf_tables nft_chain_nat nft_numgen nft_fib_ipv4 nft_masq (kernel 5.13 or newer)"
}

check_space() { # folder, gigabytes, what for
  local free
  free=$(df -Pk "$(existing_parent "$1")" | awk 'NR == 2 {print int($4 / 1048576)}')
  [ "$free" -ge "$2" ] || problem "only $free GB free for $1" "free $2 GB: $3"
}

check_disk() {
  if first_build; then
    check_space "$CACHE" 15 "the first build fills Go's caches (or set ZATO_OPERATOR_CACHE, GOCACHE and GOMODCACHE)"
  else
    check_space "$CACHE" 1 "built programs are kept there (or set ZATO_OPERATOR_CACHE)"
  fi
  check_space "$DATA" 3 "images, volumes and etcd of the node"
}

check_memory() {
  local free wanted=2
  ! first_build || wanted=4
  free=$(awk '$1 == "MemAvailable:" {print int($2 / 1048576)}' /proc/meminfo)
  [ "$free" -ge $wanted ] || problem "only $free GB of memory available" "have $wanted GB: the node needs about 1 GB and its pods' own, linking Kubernetes 3 GB"
}

check_port() {
  [ -n "${CLUSTER_PORT:-}" ] && ! node_pid >/dev/null || return 0
  port_free "$CLUSTER_PORT" || problem "port $CLUSTER_PORT on 127.0.0.1 is in use" "set CLUSTER_PORT to a free one, or leave it unset"
}

main() {
  check_root
  check_packages
  check_python
  check_go
  check_cgroups
  check_disk
  check_memory
  check_port
  # These mount and make devices: only root can try.
  if [ "$(id -u)" = 0 ]; then
    check_namespaces
    check_overlay
    check_network
  fi
  if [ ${#PROBLEMS[@]} -gt 0 ]; then
    echo "This machine lacks something that the node needs:" >&2
    printf '  %s\n' "${PROBLEMS[@]}" >&2
    exit 1
  fi
  [ "${1:-}" = --quiet ] || echo "nothing is missing (cgroup v$(cgroup_version)$(first_build && echo ", first build: about 12 minutes on two cores"))"
}

main "$@"
