#!/usr/bin/env bash
# How deep the unit tests reach into the pure core (plan, desired, assess of both kinds):
#   depth.sh lines     every line is run (cargo-tarpaulin); fails when one is not
#   depth.sh mutants   every change that cargo-mutants makes is noticed by a test; fails when one is not; options of
#                      cargo-mutants may follow, such as --file src/cluster/plan.rs or --iterate
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
CORE=(src/cluster/plan.rs src/cluster/plan/contents.rs src/cluster/put_back.rs src/revisions.rs src/cluster/assess.rs src/cluster/desired.rs 'src/cluster/desired/**/*.rs' src/cluster/trouble.rs
  src/cluster/gate.rs src/cluster/settings.rs src/cluster/shards.rs src/cluster/startup.rs src/documents.rs
  src/service/plan.rs src/service/check.rs src/service/assess.rs src/service/refusal.rs src/service/channels.rs src/service/channels/secret.rs src/service/channels/taken.rs src/service/channels/wanted.rs src/service/channels/web_socket.rs src/service/assess/channels.rs
  src/cluster/assess/callables.rs
  src/service/jobs.rs src/service/jobs/cron.rs src/service/assess/jobs.rs src/service/assess/git.rs src/service/assess/parts.rs src/agent/jobs/rows.rs src/agent/look.rs src/agent/importers.rs src/python/modules.rs)

lines() {
  PATH=$(dev/tools.sh cargo-tarpaulin@0.37.5):$PATH
  # The engine needs no tools of LLVM beside it, and does not know the target of the image.
  unset CARGO_BUILD_TARGET
  cargo tarpaulin --locked --lib --engine llvm --target-dir target/coverage --out Stdout --skip-clean --fail-under 100 \
    --include-files "${CORE[@]}"
}

mutants() {
  PATH=$(dev/tools.sh cargo-mutants@27.1.0):$PATH
  local file files=()
  for file in "${CORE[@]}"; do files+=(--file "$file"); done
  mkdir -p target/mutants
  # What a snapshot test finds must not become the snapshot.
  INSTA_UPDATE=no TMPDIR=$ROOT/target/mutants cargo mutants "${files[@]}" --output target/mutants --no-shuffle \
    --timeout 120 --cargo-arg=--locked --cargo-arg=--lib "$@"
}

case ${1:-} in
  lines | mutants) "$@" ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
