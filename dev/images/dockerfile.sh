#!/usr/bin/env bash
# Builds the final stage of the Dockerfile with buildah and compares it with target/images/zato-operator.tar, so that the
# image of the tests is the image of the users. The program is the one of this checkout: its build needs no image.
set -euo pipefail
cd "$(dirname "$0")/../.."
dev/packages.sh buildah
# Tests with other features leave another program behind.
dev/images.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What the builder gets is all that the build asks for.
mkdir "$work/source"
sed -n 's/^COPY \([^-].*\) \.\/.*$/\1/p' Dockerfile | tr ' ' '\n' | xargs -I{} cp -r {} "$work/source"
cargo metadata --locked --format-version 1 --manifest-path "$work/source/Cargo.toml" >/dev/null
mkdir -p "$work/builder/out"
install -m 0755 "target/$(uname -m)-unknown-linux-musl/debug/zato-operator" "$work/builder/out/zato-operator"
strip "$work/builder/out/zato-operator"
# A store of its own, and no privilege beyond chroot.
image() { buildah --root "$work/root" --runroot "$work/run" --storage-driver vfs "$@"; }
image build --quiet --isolation chroot --build-context "builder=$work/builder" --tag zato-operator:dockerfile . >/dev/null
image push --quiet zato-operator:dockerfile "oci-archive:$work/image.tar" >/dev/null
python3 dev/images/compare.py target/images/zato-operator.tar "$work/image.tar"
