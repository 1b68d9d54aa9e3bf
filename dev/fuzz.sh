#!/usr/bin/env bash
# Feeds the reader of Python source with changes of the test services (fuzz/apispec.rs, by libFuzzer), and the reader of
# archives with changes of one (fuzz/archive.rs); fails when one breaks it, and names the file that does.
#   fuzz.sh [SECONDS]   how long each (default: 300)
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
dev/packages.sh g++
PATH=$(dev/tools.sh cargo-fuzz@0.13.2):$PATH
# What was found before is gone on with.
corpus=$ROOT/target/fuzz-corpus
mkdir -p "$corpus"
for file in tests/openapi/*/*.py; do cp "$file" "$corpus/$(basename "$file" .py).seed"; done
unset CARGO_BUILD_TARGET
# Without a sanitizer the stable compiler does: there is no unsafe code to look at.
cargo fuzz run --sanitizer none --target-dir target/fuzz --features apispec apispec "$corpus" -- \
  -max_total_time="${1:-300}" -timeout=10 -rss_limit_mb=1024 -max_len=20000 -print_final_stats=1
archives=$ROOT/target/fuzz-archives
mkdir -p "$archives"
[ -e "$archives/rows.seed" ] || FUZZ_SEEDS=$archives cargo test --quiet --locked -p sso-dump --test archive seed
cargo fuzz run --sanitizer none --target-dir target/fuzz --features archive archive "$archives" -- \
  -max_total_time="${1:-300}" -timeout=10 -rss_limit_mb=1024 -max_len=100000 -print_final_stats=1
