#!/usr/bin/env bash
# The node's pid 1, in namespaces of its own (pid, mount, net, uts, ipc, cgroup):
# nothing that the node mounts or sets reaches the machine around it, and ending
# this one process ends the node, its containers included. Started by up.sh.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# The inherited cgroup mounts would show a root of "/.." here, which confuses
# every parser: drop them, mount a fresh /sys (it shows this network namespace's
# devices) and the same hierarchies again, rooted at the node's own cgroup.
# -n: until the node has a /run of its own, mount would leave its notes in the machine's.
mount_cgroups() { # version
  local version=$1 lists list controller
  # Read before /sys goes. A line is ID:CONTROLLERS:PATH; the unified hierarchy has no controllers.
  mapfile -t lists < <(awk -F: '$2 != "" {print $2}' /proc/self/cgroup)
  umount -n -R -l /sys
  mount -n -t sysfs -o nosuid,nodev,noexec sysfs /sys
  if [ "$version" = 2 ]; then
    mount -n -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
    return
  fi
  mount -n -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  for list in "${lists[@]}"; do
    local folder=/sys/fs/cgroup/${list#name=}
    mkdir "$folder"
    case $list in
      name=*) mount -n -t cgroup -o "none,$list" cgroup "$folder" ;;
      *) mount -n -t cgroup -o "$list" cgroup "$folder" ;;
    esac
    # Controllers that share a hierarchy are looked up by their single names.
    for controller in ${list//,/ }; do
      [ -e "/sys/fs/cgroup/${controller#name=}" ] || ln -s "$list" "/sys/fs/cgroup/$controller"
    done
  done
}

# All of /run is the node's own, but for the folder that it shares with the machine.
mount_run() {
  mkdir -p "$RUN/mount"
  mount -n -t tmpfs -o mode=755 tmpfs "$RUN/mount"
  mkdir "$RUN/mount/zato-dev" "$RUN/mount/lock"
  mount -n --bind "$RUN" "$RUN/mount/zato-dev"
  mount -n --move "$RUN/mount" /run
}

# note_made PATH: what had to be made on the machine's disk as a mount point, so that down.sh can remove it.
note_made() { echo "$1" >> "$DATA/made"; }

make_folder() { # path: like mkdir -p, with a note of each folder made
  [ ! -d "$1" ] || return 0
  make_folder "$(dirname "$1")"
  mkdir "$1"
  note_made "$1"
}

# Folders with fixed names that CNI, the kubelet and the controller manager write to.
mount_fixed_folders() {
  local folder
  for folder in /etc/cni /var/lib/cni /var/lib/kubelet /var/log/containers /var/log/pods /usr/libexec/kubernetes; do
    make_folder "$folder"
    mount -t tmpfs -o mode=755 tmpfs "$folder"
  done
}

bind_file() { # source target: over a file that may be a link into the old /run, or missing
  local target
  target=$(realpath -m "$2")
  if [ ! -e "$target" ]; then
    case $target in
      /run/*) mkdir -p "$(dirname "$target")"; : > "$target" ;;
      *) make_folder "$(dirname "$target")"; : > "$target"; note_made "$target" ;;
    esac
  fi
  mount --bind "$1" "$target"
}

# No look-up leaves the node. An image that was not loaded is refused at once
# (nothing listens on 127.0.0.1:443): ErrImagePull comes without a time-out.
set_names() {
  hostname "$NODE_NAME"
  printf '127.0.0.1 localhost registry.local\n%s %s\n' "$NODE_IP" "$NODE_NAME" > "$RUN/hosts"
  echo "nameserver $NODE_IP" > "$RUN/resolv.conf"
  bind_file "$RUN/hosts" /etc/hosts
  bind_file "$RUN/resolv.conf" /etc/resolv.conf
}

# net.* belongs to this network namespace. vm.* and kernel.* are the whole
# machine's: the kubelet is shown the values it wants from files of ours, and
# the machine keeps its own.
set_tunables() {
  echo 1 > /proc/sys/net/ipv4/ip_forward
  [ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
  local name value file
  mkdir -p "$RUN/sysctl"
  while read -r name value; do
    file=$RUN/sysctl/${name//\//.}
    echo "$value" > "$file"
    mount --bind "$file" "/proc/sys/$name"
  done <<'TUNABLES'
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
TUNABLES
}

# The node's address is on a veth pair that ends in this same network namespace.
# Service addresses need a route, because a local process (API server -> webhook)
# is routed before it is translated; all else is refused at once.
set_network() {
  ip link set lo up
  ip link add node0 type veth peer name node1
  ip link set node1 up
  ip link set node0 up
  ip addr add "$NODE_IP/24" dev node0
  ip route add 10.96.0.0/16 dev node0
  ip route add unreachable default
}

main() {
  mount_cgroups "$1"
  mount_run
  mount_fixed_folders
  set_names
  mount --make-rshared /
  set_tunables
  set_network
  touch "$RUN/ready"
  # Reaps orphans: containerd's shims become children of this process.
  trap 'exit 0' TERM
  while :; do sleep 3600 & wait $! || true; done
}

main "$@"
exit
