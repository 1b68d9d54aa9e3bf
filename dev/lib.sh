# Shared by the scripts of this folder: where things are, and steps with the time that passed.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
export CARGO_BUILD_TARGET=${CARGO_BUILD_TARGET:-$(uname -m)-unknown-linux-musl}
export PATH=$ROOT/target/cluster/bin:$PATH

step() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 2; }

# The node of this checkout, with the images of this checkout.
start_node() {
  export KUBECONFIG=$ROOT/target/cluster/kubeconfig
  step "the Kubernetes node (about 12 s; 15 min more when its programs are built for the first time)"
  dev/cluster/up.sh
  step "the images (about 7 min when everything is made for the first time)"
  dev/toolchain.sh
  dev/images.sh
  dev/cluster/load.sh target/images/zato-operator.tar target/images/zato-sim.tar
}

# Installs the operator in the cluster of KUBECONFIG.
install_chart() { # helm arguments...
  step "the chart"
  helm upgrade --install zato-operator charts/zato-operator --namespace zato-system --create-namespace \
    "$@" --wait --timeout 2m >/dev/null
}

# Installs the operator of this checkout on the node of this checkout.
install_operator() { # Zato image
  install_chart --set image.tag=dev --set defaultZatoImage="$1"
  # The tag stays the same when the image changes.
  kubectl -n zato-system rollout restart deployment/zato-operator >/dev/null
  kubectl -n zato-system rollout status deployment/zato-operator --timeout=2m >/dev/null
}

# The name of the image in an OCI archive.
image_of() { # archive
  tar xOf "$1" index.json | python3 -c \
    'import json, sys; print(json.load(sys.stdin)["manifests"][0]["annotations"]["io.containerd.image.name"])'
}
