#!/usr/bin/env bash
# Writes the images as OCI archives, without Docker and without a registry:
#   target/images/zato-operator.tar   registry.local/zato-operator:dev
#   target/images/zato-sim.tar        registry.local/zato-sim:dev
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(uname -m)-unknown-linux-musl
mkdir -p target/images

CARGO_BUILD_TARGET=$target cargo build --locked --bin zato-operator
binary=target/$target/debug/zato-operator
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
install -m 0755 "$binary" "$root/zato-operator"
strip "$root/zato-operator"
# The same as the final stage of the Dockerfile.
python3 dev/images/ocitar.py target/images/zato-operator.tar registry.local/zato-operator:dev "$root" \
  --entrypoint '["/zato-operator"]' --user 65532:65532
tests/zato-sim/image.sh target/images/zato-sim.tar
