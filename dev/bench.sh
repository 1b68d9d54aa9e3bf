#!/usr/bin/env bash
# The measurements of bench/, each beside its limit in the same run.
#   bench.sh [ZATO-IMAGE.tar]   edits with this Zato (an OCI archive) instead of the stand-in
# Environment: COST_ONLY, COST_IDLE: see bench/cost.rs
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
archive=${1:-target/images/zato-sim.tar}

step "documents of 10,000 services (10 min when it is built as it is released for the first time)"
dev/toolchain.sh
cargo bench --locked --bench openapi

step "dumps and restores beside the databases' own tools (about 10 min)"
dev/databases.sh cargo bench --locked -p sso-dump --bench sso

step "what the operator costs (about 20 min; 10 min more when it is built as it is released for the first time)"
dev/toolchain.sh
trap 'dev/cluster/alone.sh down target/cost' EXIT
# No pods: nothing is written but by the operator and the benchmark.
CONTROLLERS=garbage-collector-controller,namespace-controller,serviceaccount-controller,persistentvolumeclaim-protection-controller \
  dev/cluster/alone.sh up target/cost
# In the profile of the release.
cargo bench --locked --features e2e --bench cost
dev/cluster/alone.sh down target/cost

start_node
dev/cluster/load.sh "$archive"
install_operator "$(image_of "$archive")"
step "edit to answer (about 4 min)"
# In the profile of the tests: what is measured runs in pods.
cargo test --locked --features e2e --bench edits
