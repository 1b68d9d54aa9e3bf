#!/usr/bin/env bash
# Builds the images that the node itself needs, into a folder of the cache that
# is named after its inputs, and prints that folder:
#   pause.tar    registry.local/pause:1    holds a pod's namespaces (static C)
#   busybox.tar  registry.local/busybox:1  makes and removes volumes (Debian's static busybox)
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${ZATO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zato-operator}/images

inputs() {
  cat "$HERE/build.sh" "$HERE/pause.c" "$HERE/../ocitar.py"
  gcc --version | head -n 1
  sha256sum < "$(command -v busybox)"
}

pack() { python3 "$HERE/../ocitar.py" "$@" >&2; }

build_pause() { # folder
  mkdir "$1/pause"
  gcc -Os -static -s -o "$1/pause/pause" "$HERE/pause.c"
  pack "$1/pause.tar" registry.local/pause:1 "$1/pause" --entrypoint '["/pause"]'
}

build_busybox() { # folder
  local applet
  mkdir -p "$1/busybox/bin" "$1/busybox/tmp"
  cp "$(command -v busybox)" "$1/busybox/bin/busybox"
  for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$1/busybox/bin/$applet"
  done
  pack "$1/busybox.tar" registry.local/busybox:1 "$1/busybox" --cmd '["sh"]'
}

main() {
  local out
  out=$CACHE/base-$(inputs | sha256sum | cut -c1-16)
  if [ ! -d "$out" ]; then
    rm -rf "$out.tmp"
    mkdir -p "$out.tmp"
    build_pause "$out.tmp"
    build_busybox "$out.tmp"
    rm -rf "$out.tmp/pause" "$out.tmp/busybox"
    # The name comes last: an interrupted build leaves nothing that looks complete.
    mv "$out.tmp" "$out"
  fi
  echo "$out"
}

main "$@"
