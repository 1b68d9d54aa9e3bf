#!/usr/bin/env bash
# Brings up a node, installs the chart, applies the example and calls its service.
#   demo.sh [ZATO-IMAGE.tar]   an OCI archive with a Zato 3.2 installation in /opt/zato/current; without one, the
#                              stand-in of tests/zato-sim, which runs services but is not Zato
# Environment: KUBECONFIG      use this cluster instead of a node of its own, after asking
#                               (unless it is that node's)
#              IMAGE_REGISTRY  needed with it: where the images are pushed to, and pulled from by that cluster
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
archive=${1:-target/images/zato-sim.tar}
namespace=zato-demo
LABEL=made-by=demo

# --- a cluster of the user's -------------------------------------------------

ask() {
  [ -n "${IMAGE_REGISTRY:-}" ] || die "KUBECONFIG is set, so the demo would use that cluster, but its nodes cannot have
the images: they are made here, and in no registry.
  to use that cluster:  IMAGE_REGISTRY=registry.example.com/team make demo
                        (pushed with the credentials of \`skopeo login\`; that cluster must be able to pull from there)
  to use a local node:  env -u KUBECONFIG make demo"
  dev/cluster/build/build.sh target/cluster/bin
  local context server
  context=$(kubectl config current-context) || die "KUBECONFIG=$KUBECONFIG names no current context"
  server=$(kubectl config view --minify --output 'jsonpath={.clusters[0].cluster.server}')
  # Only a release that a demo made is changed.
  if helm --namespace zato-system status zato-operator >/dev/null 2>&1 &&
    [ -z "$(helm --namespace zato-system list --selector "$LABEL" --short)" ]; then
    die "the cluster $server has a release zato-operator in namespace zato-system already, which no demo made: it would be
changed. Use another cluster, or apply examples/quickstart with the operator that is there."
  fi
  cat <<END
KUBECONFIG is set. In cluster $server (context $context) the demo
  - installs custom resource definitions of zato.io and a ClusterRole (chart zato-operator, namespace zato-system),
  - makes namespace $namespace with a Zato cluster (one pod, a volume claim of 5Gi) and a service,
and pushes two images to $IMAGE_REGISTRY: zato-operator and zato.
END
  local answer=
  read -r -p 'Go on? [y/N] ' answer || true
  case $answer in y | Y | yes) ;; *) echo; die "nothing was changed" ;; esac
}

# By content, so that no node keeps an older image of the same tag.
tag_of() { sha256sum "$1" | cut -c 1-12; } # archive

push() { # archive name
  step "pushing $IMAGE_REGISTRY/$2:$(tag_of "$1")"
  skopeo copy --quiet "oci-archive:$1" "docker://$IMAGE_REGISTRY/$2:$(tag_of "$1")"
}

use_users_cluster() {
  ask
  dev/toolchain.sh
  dev/packages.sh skopeo
  step "the images (about 7 min when everything is made for the first time)"
  dev/images.sh
  push target/images/zato-operator.tar zato-operator
  push "$archive" zato
  install_chart --labels "$LABEL" --set image.repository="$IMAGE_REGISTRY/zato-operator" \
    --set-string image.tag="$(tag_of target/images/zato-operator.tar)" \
    --set defaultZatoImage="$IMAGE_REGISTRY/zato:$(tag_of "$archive")"
}

# --- a node of its own -------------------------------------------------------

use_own_node() {
  start_node
  dev/cluster/load.sh "$archive"
  install_operator "$(image_of "$archive")"
}

# -----------------------------------------------------------------------------

call() {
  local port password
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  kubectl -n "$namespace" port-forward service/demo "$port:11223" >/dev/null &
  forward=$!
  trap 'kill "$forward" 2>/dev/null' EXIT
  password=$(kubectl -n "$namespace" get secret demo-zato -o jsonpath='{.data.pubapiPassword}' | base64 -d)
  # kubectl needs a moment until it listens.
  curl --silent --output /dev/null --retry 50 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/zato-lb-alive"
  curl --silent --show-error --fail --user "pubapi:$password" "http://127.0.0.1:$port/zato/api/invoke/api.get.user.account"
}

main() {
  local how end
  # What the demo itself prints to be set.
  if [ -n "${KUBECONFIG:-}" ] && [ ! "$KUBECONFIG" -ef "$ROOT/target/cluster/kubeconfig" ]; then
    use_users_cluster
    how="export PATH=$ROOT/target/cluster/bin:\$PATH"
    end="kubectl delete namespace $namespace && helm --namespace zato-system uninstall zato-operator"
  else
    use_own_node
    how="export KUBECONFIG=$ROOT/target/cluster/kubeconfig PATH=$ROOT/target/cluster/bin:\$PATH"
    end="make demo-down"
  fi
  step "a cluster and a service with ${archive##*/} (about 20 s; 60 s with the real Zato)"
  kubectl create namespace "$namespace" --dry-run=client -o yaml | kubectl apply -f -
  kubectl -n "$namespace" apply -f examples/quickstart
  kubectl -n "$namespace" wait --for=condition=Ready zatocluster/demo zatoservice/accounts --timeout=5m
  kubectl -n "$namespace" get zatoclusters,zatoservices
  step "calling the service"
  call
  cat <<END


What you have: the operator, the cluster "demo" and a service that answers. Again:
  $how
  kubectl -n $namespace port-forward service/demo 11223 &
  curl -u "pubapi:\$(kubectl -n $namespace get secret demo-zato -o jsonpath='{.data.pubapiPassword}' | base64 -d)" \\
    http://127.0.0.1:11223/zato/api/invoke/api.get.user.account
Change examples/quickstart/service.yaml and apply it again: the new code answers within seconds.
End it with: $end
END
}

main
