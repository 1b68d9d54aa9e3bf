#!/usr/bin/env bash
# Builds the node's programs from Go modules, each into a folder of the cache
# that is named after its inputs, and links them all into one folder.
#   build.sh BINDIR
# Environment: KUBERNETES=kube-next   the other version of Kubernetes; HELM=helm3   the other version of Helm
# A program whose inputs did not change is not built again. The versions are in
# the go.mod files beside this script; `kubernetes-version.sh` writes kube/go.mod.
set -euo pipefail
BIN=$(realpath -m "$1")
HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${ZATO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zato-operator}/cluster
export CGO_ENABLED=0 GOFLAGS="-p=2 -trimpath -mod=readonly -buildvcs=false"

# From the go.mod itself: `go list -m` would want the module's files, which a warm cache does without.
version_of() { awk -v module="$2" '$1 == "require" {sub(/^require /, "")} $1 == module {print $2; exit}' "$HERE/$1/go.mod"; }

# component -> the packages to build, and linker flags where they matter.
KUBERNETES=${KUBERNETES:-kube} HELM=${HELM:-helm}
kubernetes_version=$(version_of "$KUBERNETES" k8s.io/kubernetes)
kubernetes_minor=$(cut -d. -f2 <<<"$kubernetes_version")
kube_ldflags="-s -w"
for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  kube_ldflags+=" -X $p.gitVersion=$kubernetes_version -X $p.gitMajor=1 -X $p.gitMinor=$kubernetes_minor"
  kube_ldflags+=" -X $p.gitTreeState=clean -X $p.buildDate=1970-01-01T00:00:00Z"
done
containerd=github.com/containerd/containerd/v2
containerd_version=$(version_of containerd $containerd)

build() { # component, what it is, expected minutes, ldflags, packages...
  local name=$1 what=$2 minutes=$3 ldflags=$4; shift 4
  local key out
  key=$({ go version; echo "$ldflags $*"; cat "$HERE/$name"/*; } | sha256sum | cut -c1-16)
  out=$CACHE/$name-$key
  if [ ! -d "$out" ]; then
    echo "    building $what (about $minutes min on two idle cores, once per version)"
    rm -rf "$out.tmp"; mkdir -p "$out.tmp"
    local start=$SECONDS
    # A failed build leaves no folder that looks complete: the name comes last.
    (cd "$HERE/$name" && go build -tags "no_btrfs no_zfs no_devmapper" -ldflags "$ldflags" -o "$out.tmp/" "$@")
    mv "$out.tmp" "$out"
    echo "    built $what in $((SECONDS - start)) s"
  fi
  for f in "$out"/*; do ln -sfn "$f" "$BIN/$(basename "$f")"; done
}

mkdir -p "$BIN"
build "$KUBERNETES" "Kubernetes $kubernetes_version" 6 "$kube_ldflags" .
build etcd "etcd" 1 "-s -w" .
build coredns "CoreDNS" 1.5 "-s -w" .
build containerd "containerd $containerd_version" 1.5 "-s -w -X $containerd/version.Version=${containerd_version#v}" \
  $containerd/cmd/containerd $containerd/cmd/containerd-shim-runc-v2 $containerd/cmd/ctr
build storage "local-path-provisioner" 1.5 "-s -w" github.com/rancher/local-path-provisioner
case $HELM in helm3) helm=helm.sh/helm/v3 ;; *) helm=helm.sh/helm/v4 ;; esac
build "$HELM" "Helm" 3 "-s -w" "$helm/cmd/helm"
# The Kubernetes binary picks its component by the name it is started under.
for n in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do
  ln -sfn "$(readlink "$BIN/kube")" "$BIN/$n"
done
