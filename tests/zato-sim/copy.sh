#!/usr/bin/env bash
# Copies the stand-in into an installation: the package into SITE_PACKAGES, the command into CURRENT/bin.
#   copy.sh CURRENT SITE_PACKAGES
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
current=$1 site_packages=$2
rm -rf "$site_packages/zato"
mkdir -p "$site_packages"
cp -r "$here/src/zato" "$site_packages/zato"
find "$site_packages/zato" -name __pycache__ -prune -exec rm -rf {} +
install -D -m 755 "$here/bin/zato" "$current/bin/zato"
