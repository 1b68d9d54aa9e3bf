#!/usr/bin/env bash
# Loads image archives (OCI layout tars) into the node; skips what is there under the same digest.
#   load.sh IMAGE.tar...
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export START_TIME

main() {
  [ $# -gt 0 ] || { sed -n '2,3s/^# \{0,1\}//p' "$0" >&2; exit 2; }
  require_node
  local tar tars=()
  for tar in "$@"; do [ -r "$tar" ] || die "no such image tar: $tar"; tars+=("$(realpath "$tar")"); done
  in_node "$CLUSTER_DIR/node/import.sh" "${tars[@]}"
}

main "$@"
