#!/usr/bin/env bash
# Everything that CI runs, in the order of what fails soonest. Ends with the sum of all tests.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
log=$ROOT/target/test.log
mkdir -p target; : > "$log"
failed=0

part() { # what, command...
  local what=$1; shift
  step "$what"
  if "$@" 2>&1 | tee -a "$log"; then return; fi
  echo "FAILED: $what"
  failed=$((failed + 1))
}

dev/toolchain.sh
part "format" cargo fmt --check
part "lints" cargo clippy --locked --all-targets --features e2e -- -D warnings
part "lints of the dumps" cargo clippy --locked -p sso-dump --all-targets --features databases -- -D warnings
part "unit tests" cargo test --locked
part "dumps and restores on real databases" dev/databases.sh cargo test --locked -p sso-dump --features databases
part "the database of a cluster on a real PostgreSQL" dev/databases.sh cargo test --locked --features e2e --test database
part "OpenAPI documents by other validators" dev/openapi.sh
part "contract of the stand-in for Zato" tests/zato-contract/run.sh
part "logins after restores" dev/databases.sh dev/logins.sh
part "stories on a real node" dev/e2e.sh
part "image of the Dockerfile" dev/images/dockerfile.sh
part "chart" helm lint --strict charts/zato-operator

# The closing lines of cargo and of the contract.
sum() { grep -E '^(test result:|[0-9]+ passed,)' "$log" | grep -oE "[0-9]+ $1" | awk '{n += $1} END {print n + 0}'; }
passed=$(sum passed)
broken=$(sum failed)
# A part that failed without a failed test (a build, a lint) counts as one.
[ "$failed" = 0 ] || [ "$broken" != 0 ] || broken=$failed
echo "$passed passed, $broken failed"
[ "$failed" = 0 ]
