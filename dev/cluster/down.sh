#!/usr/bin/env bash
# Stops the node and removes all of it: processes, mounts, cgroups, folders, kubeconfig.
#   down.sh             nothing is left behind
#   down.sh --keep      keeps the cluster's state (etcd, images, volumes) for the next up.sh; like a power cut
#   down.sh --force     also when the node belongs to another checkout
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

no_processes() {
  local pid pids
  pids=$(node_processes)
  for pid in $pids; do kill -KILL "$pid" 2>/dev/null || true; done
  [ -z "$pids" ]
}

# Ending pid 1 ends everything in its pid namespace, and with the last process
# the mount and network namespaces go. The node's cgroup also holds what is
# outside of it (unshare, the relay) and what a broken start left.
end_processes() {
  local pid
  if pid=$(node_pid); then kill -KILL "$pid" 2>/dev/null || true; fi
  wait_until 30 no_processes || die "processes of the node do not end: $(node_processes | xargs)"
}

cgroups_gone() {
  local folder left=""
  while read -r folder; do
    [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    [ ! -d "$folder" ] || left=yes
  done < <(node_cgroups)
  [ -z "$left" ]
}

# What init.sh had to make on the machine's disk as mount points, last first; only if still empty.
remove_mount_points() {
  local path
  while read -r path; do
    if [ -d "$path" ]; then rmdir "$path" 2>/dev/null || true
    elif [ -f "$path" ] && [ ! -s "$path" ]; then rm -f "$path"
    fi
  done < <(tac "$DATA/made" 2>/dev/null || true)
  rm -f "$DATA/made"
}

remove_kubeconfig() {
  local owner
  owner=$(node_owner)
  rm -f "$owner/target/cluster/kubeconfig" "$owner/target/cluster/kubeconfig.new"
}

main() {
  local keep="" force="" leftovers="" option
  for option in "$@"; do
    case $option in
      --keep) keep=yes ;;
      --force) force=yes ;;
      --leftovers) keep=yes leftovers=yes ;;   # from up.sh, which holds the lock
      *) sed -n '2,5s/^# \{0,1\}//p' "$0"; [ "$option" = --help ] && exit 0 || exit 2 ;;
    esac
  done
  need_root
  if [ -z "$leftovers" ]; then
    lock
    [ -n "$force" ] || refuse_other_checkout
  fi
  if [ -z "$leftovers" ] && [ ! -e "$RUN" ] && [ ! -e "$DATA" ] && [ -z "$(node_processes)" ]; then
    remove_kubeconfig
    step "no node is there"
    return
  fi
  end_processes
  wait_until 10 cgroups_gone || die "cgroups cannot be removed: $(node_cgroups | xargs)"
  remove_mount_points
  [ -n "$leftovers" ] || remove_kubeconfig
  rm -rf --one-file-system "$RUN"
  [ -n "$keep" ] || rm -rf --one-file-system "$DATA"
  [ -n "$leftovers" ] || step "the node is stopped$([ -n "$keep" ] && echo "; its state is kept in $DATA" || echo ", nothing is left of it")"
}

main "$@"
