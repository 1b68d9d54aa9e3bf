#!/usr/bin/env bash
# The measurements of bench/ on a real node, each beside its limit in the same run.
#   bench.sh [ZATO-IMAGE.tar]   with this Zato (an OCI archive) instead of the stand-in
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
archive=${1:-target/images/zato-sim.tar}
start_node
dev/cluster/load.sh "$archive"
install_operator "$(image_of "$archive")"
step "edit to answer (about 4 min)"
# In the profile of the tests: what is measured runs in pods.
cargo test --locked --features e2e --bench edits
