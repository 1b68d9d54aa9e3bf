#!/usr/bin/env bash
# Builds small images from what Debian installed here, each into a file of the
# cache that is named after its inputs, and prints these files, one a line.
#   build.sh NAME...
#     pause     registry.local/pause:1    holds a pod's namespaces (static C)
#     busybox   registry.local/busybox:1  makes and removes volumes (static busybox)
#     python    registry.local/python:1   Debian's python3 and busybox: the node's own tests
#     postgresql  registry.local/postgresql:1  Debian's PostgreSQL with busybox's shell, as user 1000: for the stories
#     other-user  registry.local/other-user:1  a Zato that belongs to another user than the pod's: for the stories
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${ZATO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zato-operator}/images

inputs_pause() { cat "$HERE/pause.c"; gcc --version | head -n 1; }
inputs_busybox() { sha256sum < "$(command -v busybox)"; }
inputs_other-user() { inputs_busybox; }
inputs_postgresql() { inputs_busybox; dpkg-query -W 'postgresql-[0-9]*' libc6 libssl3 tzdata; }
inputs_python() { inputs_busybox; dpkg-query -W python3-minimal 'libpython3.*-stdlib' libc6 libssl3; }

root_pause() { gcc -Os -static -s -o "$1/pause" "$HERE/pause.c"; }

root_busybox() {
  local applet
  mkdir -p "$1/bin" "$1/tmp"
  chmod 1777 "$1/tmp"
  cp "$(command -v busybox)" "$1/bin/busybox"
  for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
  done
}

root_other-user() {
  root_busybox "$1"
  mkdir -p "$1/opt/zato/current/bin"
  printf '#!/bin/sh\n' >"$1/opt/zato/current/bin/zato"
  chmod 0700 "$1/opt/zato/current/bin/zato"
}

# The interpreter, its standard library and the shared libraries that the two
# load: seconds instead of a whole Debian root.
root_python() {
  local program
  program=$(readlink -f /usr/bin/python3)
  root_busybox "$1"
  mkdir -p "$1/usr/bin"
  cp "$program" "$1/usr/bin/"
  ln -s "$(basename "$program")" "$1/usr/bin/python3"
  {
    find "/usr/lib/$(basename "$program")" -name __pycache__ -prune -o \( -type f -o -type l \) -print
    # ldd prints NAME => FILE (ADDRESS), and the loader without a name.
    find "/usr/lib/$(basename "$program")" -name '*.so' -exec ldd "$program" {} + | grep -o '/[^ :]*\.so[^ :]*' | sort -u
  } | tar -c -h -P -T - | tar -x -C "$1"
}

# Server and client, and the shared libraries that they load.
root_postgresql() {
  local home
  home=$(ls -d /usr/lib/postgresql/* | sort -V | tail -n 1)
  root_busybox "$1"
  mkdir -p "$1/etc" "$1/usr/lib/postgresql"
  ln -s "${home##*/}" "$1/usr/lib/postgresql/current"
  echo 'postgres:x:1000:1000:postgres:/tmp:/bin/sh' >"$1/etc/passwd"
  {
    find "$home" "/usr/share/postgresql/${home##*/}" /usr/lib/locale/C.utf8 /usr/share/zoneinfo/{Etc,UTC,GMT} \
      -path '*/man' -prune -o -path '*/bitcode' -prune -o \( -type f -o -type l \) -print
    # Some of them are scripts.
    { find "$home" -type f \( -name '*.so' -o -perm -100 \) -exec ldd {} + 2>/dev/null || true; } | grep -o '/[^ :]*\.so[^ :]*' | sort -u
  } | tar -c -h -P -T - | tar -x -C "$1"
}

options_pause() { printf '%s\n' --entrypoint '["/pause"]'; }
options_busybox() { printf '%s\n' --cmd '["sh"]'; }
options_postgresql() { printf '%s\n' --user 1000 --env 'PATH=/usr/lib/postgresql/current/bin:/bin' --cmd '["sh"]'; }
options_other-user() { options_busybox; }
options_python() { printf '%s\n' --cmd '["python3"]' --env PYTHONDONTWRITEBYTECODE=1; }

build() { # name
  local key root options
  key=$({ cat "$HERE/build.sh" "$HERE/../ocitar.py"; "inputs_$1"; } | sha256sum | cut -c1-16)
  if [ ! -e "$CACHE/$1-$key.tar" ]; then
    mkdir -p "$CACHE"
    root=$(mktemp -d -p "$CACHE")
    "root_$1" "$root"
    mapfile -t options < <("options_$1")
    # ocitar.py names its output only when it is complete.
    python3 "$HERE/../ocitar.py" "$CACHE/$1-$key.tar" "registry.local/$1:1" "$root" "${options[@]}" >&2
    rm -rf "$root"
  fi
  echo "$CACHE/$1-$key.tar"
}

for name in "$@"; do build "$name"; done
