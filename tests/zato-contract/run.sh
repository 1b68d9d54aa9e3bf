#!/usr/bin/env bash
# Runs the cases of done.txt on the stand-in in ../zato-sim, or on the installation that ZATO_BIN and ZATO_PYTHON name.
#   run.sh [-k TEXT]
# Says first which cases are held and which come later; a failed or skipped one makes the exit status 1.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${ZATO_BIN:-}" ]; then
  "$here/../../dev/packages.sh" haproxy python3-venv
  prefix=${ZATO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zato-operator}/zato-sim
  "$here/../zato-sim/install.sh" "$prefix"
  export ZATO_BIN=$prefix/current/bin/zato ZATO_PYTHON=$prefix/current/bin/python
  # The stand-in knows SQLite only, and is ready in seconds.
  unset PG_HOST MYSQL_HOST
  export CONTRACT_START_TIMEOUT=${CONTRACT_START_TIMEOUT:-60}
fi
exec python3 "$here/contract.py" --held "$here/done.txt" "$@"
