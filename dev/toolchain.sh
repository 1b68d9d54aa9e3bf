#!/usr/bin/env bash
# Installs what the compiler needs beside itself, where it is missing: musl for C code, and Rust's standard library for
# it. rustup does not add what rust-toolchain.toml names to a toolchain that was there before.
set -euo pipefail
cd "$(dirname "$0")/.."
dev/packages.sh musl-tools
target=$(uname -m)-unknown-linux-musl
[ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] || rustup target add "$target"
