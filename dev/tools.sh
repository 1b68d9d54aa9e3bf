#!/usr/bin/env bash
# Installs programs of cargo that the checks of `make test-full` use, where they are missing, into the cache (about 3 min
# each), and prints the folder that they are in.
#   tools.sh NAME@VERSION...
set -euo pipefail
tools=${ZATO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zato-operator}/tools
[ $# -gt 0 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
# For the machine itself, whatever the project is built for.
unset CARGO_BUILD_TARGET
for tool in "$@"; do
  # Cargo knows what it installed there, and does nothing when it is this version.
  cargo install --locked --root "$tools" "$tool" >&2
done
echo "$tools/bin"
