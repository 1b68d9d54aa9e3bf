#!/usr/bin/env bash
# The measurements of bench/ on a real node, each beside its limit in the same run.
#   bench.sh [ZATO-IMAGE.tar]   with this Zato (an OCI archive) instead of the stand-in
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
image=registry.local/zato-sim:dev
start_node
if [ -n "${1:-}" ]; then
  dev/cluster/load.sh "$1"
  image=$(image_of "$1")
fi
install_chart --set image.tag=dev --set defaultZatoImage="$image"
step "edit to answer (about 4 min)"
# In the profile of the tests: what is measured runs in pods.
cargo test --locked --features e2e --bench edits
