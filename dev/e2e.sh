#!/usr/bin/env bash
# The stories against the operator on a real node.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# The stories look at what the operator writes: the image is never run.
install_operator --set defaultZatoImage=registry.local/zato:none
step "the stories"
cargo test --locked --features e2e --test api
