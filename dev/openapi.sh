#!/usr/bin/env bash
# Checks the documents that `apispec` writes with validators that others made, and calls services by SOAP with a client of
# others, on the stand-in for Zato. Ends with the sums, as cargo does.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
out=$ROOT/target/openapi

# Each set of services in each format and version; a set that must fail says so by its status.
write_documents() {
  local set format version
  rm -rf "$out"
  for set in services untold; do
    for format in json yaml; do
      for version in 3.1 3.0; do
        "$program" apispec "tests/openapi/$set" --dir "$out/$set-$version-$format" --format "$format" \
          --version "$version" --server https://api.example.com --wsdl '*' --postman
      done
    done
  done 2> "$out.log" || { cat "$out.log"; die "apispec failed"; }
}

step "the validators (about a minute the first time)"
tools=$(dev/openapi/tools.sh)
cargo build --locked --quiet
program=$ROOT/target/$CARGO_BUILD_TARGET/debug/zato-operator
write_documents
"$tools/python" dev/openapi/check.py "$out"
step "services by SOAP, with zeep"
prefix=${ZATO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zato-operator}/zato-sim
tests/zato-sim/install.sh "$prefix"
export ZATO_BIN=$prefix/current/bin/zato ZATO_PYTHON=$prefix/current/bin/python CHECKERS=$tools
cargo test --locked --features e2e --test soap
