#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing.
#   packages.sh NAME...
#   packages.sh --missing NAME...    only prints the missing ones, one a line
set -euo pipefail

missing() { # names...
  local name
  for name in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done
}

fail() { # message, names...
  local message=$1; shift
  printf 'packages.sh: %s\n  needed: %s\n' "$message" "$*" >&2
  exit 1
}

install() { # names...
  # The package lists of a fresh image are empty: fetch them only then, or when they are too old to install from.
  apt-get install --simulate -qq --no-install-recommends "$@" >/dev/null 2>&1 || apt-get update -qq
  apt-get install -qq -y --no-install-recommends "$@" || { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@"; }
}

main() {
  local only_list=
  if [ "${1:-}" = --missing ]; then only_list=yes; shift; fi
  [ $# -gt 0 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    fail "this is not a Debian (no dpkg-query or no apt-get); install by hand what these packages hold" "$@"
  local names
  mapfile -t names < <(missing "$@")
  if [ -n "$only_list" ]; then [ ${#names[@]} -eq 0 ] || printf '%s\n' "${names[@]}"; return; fi
  [ ${#names[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || fail "only root can install packages; run: sudo $0 ${names[*]}" "${names[@]}"
  echo "installing Debian packages: ${names[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # Its log is long and rarely wanted: shown only when something failed.
  local log
  log=$(mktemp)
  if ! install "${names[@]}" >"$log" 2>&1; then
    tail -n 30 "$log" >&2; rm -f "$log"
    fail "apt-get could not install them (see above)" "${names[@]}"
  fi
  rm -f "$log"
}

main "$@"
