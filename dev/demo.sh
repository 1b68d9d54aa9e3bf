#!/usr/bin/env bash
# Brings up a node, installs the chart, applies the example and calls its service.
#   demo.sh [ZATO-IMAGE.tar]   an OCI archive with a Zato 3.2 installation in /opt/zato/current; without one, the
#                              stand-in of tests/zato-sim, which runs services but is not Zato
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
archive=${1:-}
if [ -n "${KUBECONFIG:-}" ]; then
  echo "KUBECONFIG is set: the demo uses a node of its own and touches no other cluster. Unset it and run again." >&2
  exit 2
fi
image=registry.local/zato-sim:dev
if [ -n "$archive" ]; then
  image=$(tar xOf "$archive" index.json | python3 -c \
    'import json, sys; print(json.load(sys.stdin)["manifests"][0]["annotations"]["io.containerd.image.name"])')
fi
install_operator --set defaultZatoImage="$image"
[ -z "$archive" ] || { step "the Zato image"; dev/cluster/load.sh "$archive"; }
step "a cluster and a service with $image (about 20 s; 60 s with the real Zato)"
kubectl apply -f examples/quickstart
kubectl wait --for=condition=Ready zatocluster/demo zatoservice/accounts --timeout=5m
kubectl get zatoclusters,zatoservices

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
kubectl port-forward service/demo "$port:11223" >/dev/null &
forward=$!
trap 'kill "$forward" 2>/dev/null' EXIT
password=$(kubectl get secret demo-zato -o jsonpath='{.data.pubapiPassword}' | base64 -d)
step "calling the service"
# kubectl needs a moment until it listens.
curl --silent --output /dev/null --retry 50 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/zato-lb-alive"
curl --silent --show-error --fail --user "pubapi:$password" "http://127.0.0.1:$port/zato/api/invoke/api.get.user.account"
cat <<END


What you have: a Kubernetes node, the operator, the cluster "demo" and a service that answers. Again:
  export KUBECONFIG=$ROOT/target/cluster/kubeconfig PATH=$ROOT/target/cluster/bin:\$PATH
  kubectl port-forward service/demo 11223 &
  curl -u "pubapi:\$(kubectl get secret demo-zato -o jsonpath='{.data.pubapiPassword}' | base64 -d)" \\
    http://127.0.0.1:11223/zato/api/invoke/api.get.user.account
Change examples/quickstart/service.yaml and apply it again: the new code answers within seconds.
End it with: make demo-down
END
