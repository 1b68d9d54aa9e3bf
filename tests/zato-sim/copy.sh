#!/usr/bin/env bash
# Copies the stand-in into an installation: the package into SITE_PACKAGES, the command into CURRENT/bin.
#   copy.sh CURRENT SITE_PACKAGES
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
current=$1 site_packages=$2
mkdir -p "$site_packages"
for item in zato gevent bunch.py; do
  rm -rf "${site_packages:?}/$item"
  cp -r "$here/src/$item" "$site_packages/$item"
done
find "$site_packages/zato" "$site_packages/gevent" -name __pycache__ -prune -exec rm -rf {} +
install -D -m 755 "$here/bin/zato" "$current/bin/zato"
