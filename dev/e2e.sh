#!/usr/bin/env bash
# The stories against the operator on a real node.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
start_node
install_operator registry.local/zato-sim:dev
step "the stories"
# They wait more than they work.
RUST_TEST_THREADS=6 cargo test --locked --features e2e --test api --test pods --test lifecycle
# These end operators: one at a time, after all others.
RUST_TEST_THREADS=1 cargo test --locked --features e2e --test operator
