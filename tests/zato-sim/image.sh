#!/usr/bin/env bash
# Builds the container image registry.local/zato-sim:dev as an OCI archive, from Debian packages and a few wheels.
#   image.sh OUT.tar
# Two layers: a Debian with Python and haproxy, kept in the cache for as long as its inputs stay the same, and the
# stand-in. Nothing is done when OUT.tar is up to date. Needs root (debootstrap, chroot).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dev=$(cd "$here/../../dev" && pwd)
[ $# = 1 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
out=$(realpath -m "$1")
cache=${ZATO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zato-operator}/images

release=bookworm
# debootstrap follows no virtual packages: python3-cffi-backend is one that python3-cryptography needs.
packages=python3,python3-cffi-backend,python3-cryptography,python3-wsproto,haproxy,sqlite3,ca-certificates
# What users never read, and what is not the same from one build to the next.
stripped="usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/bash-completion
  var/cache/apt var/cache/debconf var/lib/apt/lists var/log usr/lib/python3.11/test usr/lib/python3.11/ensurepip"

key_of() { sha256sum | cut -c1-16; }

compile() { # root, directories...
  # By hash and unchecked: the archive sets all times to zero, which would make Python compile everything at each start.
  local root=$1; shift
  chroot "$root" python3 -m compileall -q -f --invalidation-mode unchecked-hash "$@"
}

add_wheels() { # folder
  # Pure Python, so that no compiler is needed: Debian's driver for PostgreSQL is too old for passwords with SCRAM.
  local venv
  venv=$(mktemp -d)
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --no-compile \
    --target "$1" -r "$here/requirements-wheels.txt"
  rm -rf "$venv"
}

build_base() { # root
  local root=$1 mirror
  "$dev/packages.sh" debootstrap python3-venv
  mirror=$(apt-get indextargets --format '$(REPO_URI)' | head -1)
  debootstrap --variant=minbase --include="$packages" "$release" "$root" "$mirror" >"$root.log" 2>&1 || { tail "$root.log" >&2; exit 1; }
  (cd "$root" && rm -rf $stripped dev && mkdir -p dev var/log var/cache/apt var/lib/apt/lists/partial)
  add_wheels "$root/usr/lib/python3/dist-packages"
  find "$root/usr/lib/python3" "$root/usr/lib/python3.11" -name __pycache__ -prune -exec rm -rf {} +
  compile "$root" /usr/lib/python3 /usr/lib/python3.11
  echo 'zato:x:1000:1000:zato:/opt/zato:/bin/sh' >>"$root/etc/passwd"
  echo 'zato:x:1000:' >>"$root/etc/group"
}

build_layer() { # root, layer
  local root=$1 layer=$2 current=$2/opt/zato/current
  mkdir -p "$current/bin" "$layer/opt/zato/env"
  ln -s /usr/bin/python3 "$current/bin/python"
  printf 'home = /usr/bin\ninclude-system-site-packages = true\n' >"$current/pyvenv.cfg"
  "$here/copy.sh" "$current" "$current/lib/python3.11/site-packages"
  # On the path, as in a real image.
  mkdir -p "$layer/usr/local/bin"
  ln -s /opt/zato/current/bin/zato "$layer/usr/local/bin/zato"
  # Compiled by the interpreter that will read it, in its own root.
  mkdir "$root/opt/zato"
  cp -r "$current" "$root/opt/zato/current"
  compile "$root" /opt/zato/current/lib
  cp -rT "$root/opt/zato/current" "$current"
  rm -rf "$root/opt/zato"
}

base_key=$(printf '%s' "$release $packages $stripped $(declare -f add_wheels build_base compile) $(cat "$here/requirements-wheels.txt")" | key_of)
key=$( { echo "$base_key"; cat "$0" "$dev/images/ocitar.py" "$here/copy.sh"; cd "$here"
  find bin src -type f -not -path '*/__pycache__/*' -print0 | sort -z | xargs -0 sha256sum; } | key_of)
if [ -e "$out" ] && [ "$(cat "$out.key" 2>/dev/null)" = "$key" ]; then
  echo "$out is up to date"
  exit 0
fi

mkdir -p "$cache" "$(dirname "$out")"
exec 9>"$cache/zato-sim.lock"
flock 9
root=$cache/zato-sim-base-$base_key
if [ ! -e "$root" ]; then
  rm -rf "$cache"/zato-sim-base-*      # of other inputs, or half done
  build_base "$root.part"
  mv "$root.part" "$root"
fi
layer=$(mktemp -d)
trap 'rm -rf "$layer" "$root/opt/zato"' EXIT
rm -rf "$root/opt/zato"
chmod 755 "$layer"
build_layer "$root" "$layer"
rm -f "$out.key"
python3 "$dev/images/ocitar.py" "$out" registry.local/zato-sim:dev "$root" --layer "$layer" --owner opt/zato/env=1000:1000 \
  --user 1000 --workdir /opt/zato --env PATH=/opt/zato/current/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
echo "$key" >"$out.key"
