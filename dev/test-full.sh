#!/usr/bin/env bash
# What is slow, or a second variant of what `make test` has: a fault at every request, and the stories on the other minor
# of Kubernetes with the other major of Helm.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
step "a fault at every request (about 25 min)"
FAULTS=all dev/e2e.sh faults
step "the stories on the other Kubernetes, with Helm 3 (about 10 min; 10 more when they are built for the first time)"
# The node keeps the programs that it was started with, and the links to them lead the tests.
dev/cluster/down.sh
trap 'dev/cluster/down.sh' EXIT
export KUBERNETES=kube-next HELM=helm3
dev/e2e.sh node
