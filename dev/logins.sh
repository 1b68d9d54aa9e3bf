#!/usr/bin/env bash
# Dumps of single sign-on data are restored into new environments of the stand-in for Zato, and users log in there.
# `databases.sh logins.sh`: rows of a real Zato from PostgreSQL and MariaDB as well, where there are any.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dev/packages.sh haproxy python3-venv
prefix=${ZATO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zato-operator}/zato-sim
tests/zato-sim/install.sh "$prefix"
dev/toolchain.sh
cargo build --locked --quiet
program=${CARGO_TARGET_DIR:-$ROOT/target}/$CARGO_BUILD_TARGET/debug/zato-operator
ZATO_BIN=$prefix/current/bin/zato ZATO_PYTHON=$prefix/current/bin/python CONTRACT_START_TIMEOUT=60 PYTHONDONTWRITEBYTECODE=1 \
  python3 dev/logins/check.py "$program"
