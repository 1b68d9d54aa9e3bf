# The ways into the project. `make help` lists them.
SHELL := /bin/bash
export CARGO_BUILD_TARGET := $(shell uname -m)-unknown-linux-musl
CLUSTER := dev/cluster

help: ## List what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

test: ## Everything that CI runs: format, lints, unit tests, the stories on a real Kubernetes node
	@dev/test.sh

test-full: test ## The same, the depth of the unit tests, a fault at every request, another Kubernetes with Helm 3 (about 2 h more)
	@dev/test-full.sh

unit: packages ## Unit tests and generated files
	cargo test --locked

databases: packages ## Dumps and restores of single sign-on data, on SQLite, PostgreSQL and MariaDB; the database of a cluster
	@dev/databases.sh cargo test --locked -p sso-dump --features databases
	@dev/databases.sh cargo test --locked --features e2e --test database

e2e: ## The stories on a real Kubernetes node, which is brought up when needed
	@dev/e2e.sh

contract: ## The contract of Zato 3.2 on its stand-in; says which cases come later
	@tests/zato-contract/run.sh

logins: ## Dumps are restored into new environments of the stand-in, and users log in there
	@dev/databases.sh dev/logins.sh

bench: ## Measure on a real node, beside the limit; ZATO_IMAGE=file.tar: with the real Zato
	@dev/bench.sh $(ZATO_IMAGE)

lint: packages ## Clippy, without a warning
	cargo clippy --locked --all-targets --features e2e -- -D warnings
	cargo clippy --locked -p sso-dump --all-targets --features databases -- -D warnings

fmt: ## Format the code
	cargo fmt

images: packages ## Write target/images/{zato-operator,zato-sim}.tar (OCI archives, made without Docker)
	dev/images.sh

cluster-up: ## Bring up a real one-node Kubernetes; target/cluster/kubeconfig leads to it
	@$(CLUSTER)/up.sh
cluster-down: ## End it, with everything it made
	@$(CLUSTER)/down.sh
cluster-status: ## Say what runs
	@bash $(CLUSTER)/status.sh
cluster-load: ## Load an image: make cluster-load IMAGE=file.tar
	@$(CLUSTER)/load.sh $(IMAGE)

demo: ## A node, the chart, a cluster and a service that answers; ZATO_IMAGE=file.tar: with the real Zato;
demo: ## with KUBECONFIG and IMAGE_REGISTRY set: on that cluster, after asking
	@dev/demo.sh $(ZATO_IMAGE)
demo-down: cluster-down ## End the demo

packages:
	@dev/toolchain.sh >/dev/null

.PHONY: help test test-full unit databases e2e contract logins bench lint fmt images cluster-up cluster-down cluster-status cluster-load demo demo-down packages
