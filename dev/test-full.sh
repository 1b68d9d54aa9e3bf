#!/usr/bin/env bash
# What is slow, or a second variant of what `make test` has: how deep the unit tests reach, a fault at every request, and
# the stories on the other minor of Kubernetes with the other major of Helm, faults with real pods among them.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
step "lines of the pure core that unit tests reach (about 5 min; 5 more when its tools are built for the first time)"
dev/depth.sh lines
step "changes of the pure core that unit tests notice (about 40 min)"
dev/depth.sh mutants
step "changed source for the reader of Python, changed archives for theirs (10 min; 10 more when they are built for the first time)"
dev/fuzz.sh
step "a fault at every request (about 35 min)"
FAULTS=all dev/e2e.sh faults
step "the stories on the other Kubernetes, with Helm 3 (about 20 min; 10 more when they are built for the first time)"
# The node keeps the programs that it was started with, and the links to them lead the tests.
dev/cluster/down.sh
trap 'dev/cluster/down.sh' EXIT
export KUBERNETES=kube-next HELM=helm3 FAULTS=node
dev/e2e.sh node
