#!/usr/bin/env bash
# Installs the programs of others that check documents (validators, schemathesis, Postman's runner), where they are missing
# or of another version, into the cache (about a minute), and prints the folder that they are in.
set -euo pipefail
cd "$(dirname "$0")"
tools=${ZATO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zato-operator}/openapi

install_tools() {
  ../packages.sh python3-venv
  # Debian's Node.js, unless there is another one.
  command -v npm >/dev/null || ../packages.sh nodejs npm
  rm -rf "$tools"
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
  cp package.json package-lock.json "$tools"
  npm ci --prefix "$tools" --no-audit --no-fund --ignore-scripts --silent
  ln -s ../node_modules/.bin/newman "$tools/bin/newman"
}

versions=$(cat requirements.txt package-lock.json | sha256sum)
if [ "$(cat "$tools/versions" 2>/dev/null)" != "$versions" ]; then
  install_tools >&2
  echo "$versions" > "$tools/versions"
fi
echo "$tools/bin"
