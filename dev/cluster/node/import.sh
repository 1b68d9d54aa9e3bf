#!/usr/bin/env bash
# Imports image tars into containerd, inside the node (load.sh and start.sh run it there).
# `ctr images import` unpacks again each time: what is there under the same digest is skipped.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# NAME DIGEST of each image in an OCI tar; nothing for a tar of the older docker-archive kind.
images_in() { # tar
  { tar xOf "$1" index.json 2>/dev/null || true; } | python3 -c '
import json, sys
for m in json.loads(sys.stdin.read() or "{}").get("manifests", []):
    notes = m.get("annotations", {})
    print(notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name") or "-", m["digest"])'
}

present() { # name digest
  ctr -n k8s.io images ls -q "name==$1" | grep -q . && ctr -n k8s.io images ls "name==$1" | grep -q "$2"
}

import() { # tar
  local images name digest new=
  [ -r "$1" ] || die "no such image tar: $1"
  images=$(images_in "$1") || die "not an image tar: $1"
  while read -r name digest; do
    [ "$name" != - ] || die "$1 does not say the name of its image (annotation io.containerd.image.name)"
    if [ -n "$name" ] && present "$name" "$digest"; then step "$name is loaded already"; else new=yes; fi
  done <<<"$images"
  [ -n "$new" ] || return 0
  ctr -n k8s.io images import --local "$1" >"$RUN/import.out" 2>&1 ||
    { tail -n 5 "$RUN/import.out" >&2; die "cannot import $1"; }
  # A tar that names its image only by the annotation of the OCI layout gets that name.
  while read -r name digest; do
    case $name in
      */*) present "$name" "$digest" || ctr -n k8s.io images tag --local "$(ctr -n k8s.io images ls | awk -v d="$digest" '$3 == d {print $1; exit}')" "$name" >/dev/null ;;
    esac
    step "loaded ${name:-$1}"
  done <<<"$images"
}

main() { local tar; for tar in "$@"; do import "$tar"; done; }

main "$@"
