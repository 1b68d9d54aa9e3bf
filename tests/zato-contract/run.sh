#!/usr/bin/env bash
# Runs the cases that the stand-in in ../zato-sim is held to: one server on SQLite (done.txt), then two servers on the
# PostgreSQL of dev/databases.sh (done-postgresql.txt).
#   run.sh [-k TEXT]
# With ZATO_BIN and ZATO_PYTHON another installation is run, in one form: that of PostgreSQL if PG_HOST names one.
# Says first which cases are held and which come later; a failed or skipped one makes the exit status 1.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dev=$(cd "$here/../../dev" && pwd)

hold() { # list, arguments...
  local list=$1; shift
  python3 "$here/contract.py" --held "$here/$list" --slow "$@"
}

if [ -n "${ZATO_BIN:-}" ]; then
  if [ -n "${PG_HOST:-}" ]; then hold done-postgresql.txt "$@"; else hold done.txt "$@"; fi
  exit
fi

[ -n "${ZATO_SSO_TEST_POSTGRESQL:-}" ] || exec "$dev/databases.sh" "$here/run.sh" "$@"
"$dev/packages.sh" haproxy python3-venv
prefix=${ZATO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zato-operator}/zato-sim
"$here/../zato-sim/install.sh" "$prefix"
export ZATO_BIN=$prefix/current/bin/zato ZATO_PYTHON=$prefix/current/bin/python
# The stand-in is ready in seconds, and knows no MySQL.
unset MYSQL_HOST
export CONTRACT_START_TIMEOUT=${CONTRACT_START_TIMEOUT:-60}

status=0
PG_HOST= hold done.txt "$@" || status=1
address=${ZATO_SSO_TEST_POSTGRESQL##*@}
PG_HOST=${address%:*} PG_PORT=${address##*:} PG_USER=zato PG_PASSWORD= hold done-postgresql.txt "$@" || status=1
exit "$status"
