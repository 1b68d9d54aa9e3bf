#!/usr/bin/env bash
# The stories against the operator on a real node.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
install_operator
step "the stories"
cargo test --locked --features e2e --test api
