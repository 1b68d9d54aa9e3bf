#!/usr/bin/env bash
# Moves the node to another version of Kubernetes: writes go.mod and go.sum of kube, or of the folder that is named.
#   kubernetes-version.sh v1.36.3
#   kubernetes-version.sh v1.37.2 kube-next    the version that `make test-full` runs the stories on, too
# k8s.io/kubernetes requires its staging modules at v0.0.0, so each needs a
# `replace` with its real version; which ones there are is asked of its own go.mod.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

write_go_mod() { # version, its go.mod as JSON
  python3 - "$1" "$2" <<'PYTHON'
import json, sys
version, module = sys.argv[1], json.loads(sys.argv[2])
staging_version = "v0" + version.removeprefix("v1")
required = {r["Path"]: r["Version"] for r in module["Require"]}
staging = {path for path, v in required.items() if path.startswith("k8s.io/") and v == "v0.0.0"}
staging |= {r["Old"]["Path"] for r in module.get("Replace") or [] if r["New"]["Path"].startswith("./staging/")}
print(f"module zato-operator.local/dev/cluster/kube\n\ngo {module['Go']}\n\nrequire (")
print(f"\tgithub.com/spf13/cobra {required['github.com/spf13/cobra']}")
for name in ("client-go", "component-base", "kubectl"):
    print(f"\tk8s.io/{name} {staging_version}")
print(f"\tk8s.io/kubernetes {version}\n)\n\nreplace (")
for path in sorted(staging):
    print(f"\t{path} => {path} {staging_version}")
print(")")
PYTHON
}

main() {
  [[ ${1:-} =~ ^v1\.[0-9]+\.[0-9]+$ ]] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
  local work theirs folder=${2:-kube}
  work=$(mktemp -d)
  cp "$HERE/kube/main.go" "$work/"
  cd "$work"
  go mod init version >/dev/null 2>&1
  theirs=$(go mod edit -json "$(go list -m -f '{{.GoMod}}' "k8s.io/kubernetes@$1")")
  write_go_mod "$1" "$theirs" > "$work/go.mod"
  # Fills in what is required indirectly, and go.sum.
  GOFLAGS=-mod=mod go list -deps . >/dev/null
  go mod tidy
  mkdir -p "$HERE/$folder"
  cp "$work/go.mod" "$work/go.sum" "$HERE/$folder/"
  [ -e "$HERE/$folder/main.go" ] || ln -s ../kube/main.go "$HERE/$folder/main.go"
  rm -rf "$work"
  echo "$folder/go.mod and $folder/go.sum are of Kubernetes $1; build.sh builds it"
}

main "$@"
