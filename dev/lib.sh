# Shared by the scripts of this folder: where things are, and steps with the time that passed.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
export CARGO_BUILD_TARGET=${CARGO_BUILD_TARGET:-$(uname -m)-unknown-linux-musl}
export PATH=$ROOT/target/cluster/bin:$PATH

step() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }

# Installs the operator of this checkout on the node of this checkout.
install_operator() { # helm arguments...
  export KUBECONFIG=$ROOT/target/cluster/kubeconfig
  step "the Kubernetes node (about 12 s; 15 min more when its programs are built for the first time)"
  dev/cluster/up.sh
  step "the images (about 7 min when everything is made for the first time)"
  dev/packages.sh musl-tools
  dev/images.sh
  dev/cluster/load.sh target/images/zato-operator.tar target/images/zato-sim.tar
  step "the chart"
  helm upgrade --install zato-operator charts/zato-operator --namespace zato-system --create-namespace \
    --set image.tag=dev "$@" --wait --timeout 2m >/dev/null
  # The tag stays the same when the image changes.
  kubectl -n zato-system rollout restart deployment/zato-operator >/dev/null
  kubectl -n zato-system rollout status deployment/zato-operator --timeout=2m >/dev/null
}
