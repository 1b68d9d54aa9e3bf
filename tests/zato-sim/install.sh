#!/usr/bin/env bash
# Installs the stand-in on this machine: PREFIX/current/bin/zato and PREFIX/current/bin/python.
#   install.sh PREFIX
# Repeated, it installs again only what has changed.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
[ $# = 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
current=$(realpath -m "$1")/current

# The stamps are removed first and written last: an interrupted run is done again.
dependencies=$( (cat "$here"/requirements*.txt; python3 --version) | sha256sum | cut -d' ' -f1)
if [ "$(cat "$current/.dependencies" 2>/dev/null)" != "$dependencies" ]; then
  rm -rf "$current"
  python3 -m venv "$current" || { echo "install.sh: needs the Debian package python3-venv" >&2; exit 1; }
  "$current/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  echo "$dependencies" >"$current/.dependencies"
fi

source=$(cd "$here" && find bin src -type f \( -name '*.py' -o -path 'bin/*' \) -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
if [ "$(cat "$current/.source" 2>/dev/null)" != "$source" ]; then
  rm -f "$current/.source"
  "$here/copy.sh" "$current" "$("$current/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  "$current/bin/python" -m compileall -q "$current"/lib/python*/site-packages/zato
  echo "$source" >"$current/.source"
fi
