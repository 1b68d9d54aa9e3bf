#!/usr/bin/env bash
# Checks the documents that `apispec` writes with validators that others made. Ends with the sum, as cargo does.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cache=${ZATO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zato-operator}/openapi
out=$ROOT/target/openapi

# The validators, made anew when their versions change.
install_validators() {
  cmp -s dev/openapi/requirements.txt "$cache/requirements.txt" && return
  step "the validators (about 30 s the first time)"
  dev/packages.sh python3-venv
  rm -rf "$cache"
  python3 -m venv "$cache"
  "$cache/bin/pip" install --quiet --disable-pip-version-check -r dev/openapi/requirements.txt
  cp dev/openapi/requirements.txt "$cache/requirements.txt"
}

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

install_validators
cargo build --locked --quiet
program=$ROOT/target/$CARGO_BUILD_TARGET/debug/zato-operator
write_documents
"$cache/bin/python" dev/openapi/check.py "$out"
