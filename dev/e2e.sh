#!/usr/bin/env bash
# The stories against the operator on a real node; `e2e.sh faults`: only crashes and an API
# server that fails; `e2e.sh node`: only those on a node; FAULTS=node: there a few faults, too.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The API server alone is enough for these, and goes before the node comes.
alone() ( # tests...
  trap 'dev/cluster/alone.sh down' EXIT
  # There are no pods.
  [ "${FAULTS:-}" != node ] || unset FAULTS
  dev/cluster/alone.sh up
  dev/toolchain.sh
  # They end operators, and there is one Lease.
  TEST_KUBECONFIG=$ROOT/target/alone/kubeconfig RUST_TEST_THREADS=1 \
    cargo test --locked --features e2e "${@/#/--test=}"
)

if [ "${1:-}" != node ]; then
  step "crashes, and an API server that fails${FAULTS:+ (FAULTS=$FAULTS)}"
  alone faults
  [ "${1:-}" != faults ] || exit 0
  step "what needs no pods"
  # A git server with TLS and passwords.
  dev/packages.sh git lighttpd lighttpd-mod-openssl openssl
  alone admission alone drift git leader
fi
start_node
dev/packages.sh git lighttpd lighttpd-mod-openssl openssl postgresql
mapfile -t images < <(dev/images/base/build.sh other-user postgresql)
[ ${#images[@]} = 2 ] || die "the images of the stories were not made (see above)"
dev/cluster/load.sh "${images[@]}"
install_operator registry.local/zato-sim:dev
step "the stories"
CHECKERS=$(dev/openapi/tools.sh)
export CHECKERS
# These end operators, and one counts what an operator writes: one at a time, before there is anything else.
RUST_TEST_THREADS=1 cargo test --locked --features e2e --test operator
# They wait more than they work.
RUST_TEST_THREADS=6 cargo test --locked --features e2e --test api --test documents --test pods --test lifecycle --test trouble --test startup --test channels --test web_sockets --test jobs --test revisions --test repositories --test distributed
# What it measures needs the node for itself.
RUST_TEST_THREADS=1 cargo test --locked --features e2e --test many
[ "${FAULTS:-}" = node ] || exit 0
step "crashes, and an API server that fails, with real pods (about 15 min)"
# The operator behind the proxy must be the only one.
helm uninstall zato-operator --namespace zato-system --wait >/dev/null
dev/cluster/exec.sh ctr -n k8s.io images tag --force registry.local/zato-sim:dev registry.local/zato-sim:other >/dev/null
RUST_TEST_THREADS=1 cargo test --locked --features e2e --test faults a_
