#!/usr/bin/env bash
# Tests the node itself. When none runs it starts one, stops and restarts it, and
# looks at what is left on the machine; a node that runs already is used as it is.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export START_TIME
PASSED=0 FAILED=0 SKIPPED=0
NAMESPACE=node-test
WORK=$(mktemp -d)

check() { # name, command...
  local name=$1; shift
  if "$@" >"$WORK/out" 2>&1; then
    PASSED=$((PASSED + 1)); echo "ok - $name"
  else
    FAILED=$((FAILED + 1)); echo "not ok - $name"
    tail -n 15 "$WORK/out" | sed 's/^/    /'
  fi
}
skip() { SKIPPED=$((SKIPPED + 1)); echo "skipped - $1"; }

k() { kubectl -n $NAMESPACE "$@"; }
field() { k get "$1" -o "jsonpath=$2"; }
in_client() { k exec client -- python3 -c "$1"; }

# --- what the machine looks like --------------------------------------------

snapshot() {
  # Where the node mounts something; others may mount elsewhere at the same time.
  awk '$5 ~ "^/(run|sys|proc|etc|var|usr)(/|$)" {print $4, $5, $9}' /proc/self/mountinfo | sort
  # Per-command groups of other programs come and go: only what is ours or Kubernetes'.
  find /sys/fs/cgroup \( -name "*$CGROUP*" -o -name 'kubepods*' \) | sort
  ls -a /run /var/lib /var/log /etc /usr/libexec /opt
  ls -d /etc/cni /var/lib/cni /var/lib/kubelet /var/log/pods /var/log/containers /usr/libexec/kubernetes "$RUN" "$DATA" "$KUBECONFIG_FILE" 2>/dev/null || true
  ip -brief link
  nft list ruleset
  sysctl -a --pattern '^(vm\.(overcommit_memory|panic_on_oom)|kernel\.(panic|keys)|net\.ipv4\.ip_forward|net\.netfilter\.nf_conntrack_max)' 2>/dev/null |
    grep -v -e nf_conntrack_count || true
  # Programs from the cache, and anything that names our folders.
  pgrep -af "$CACHE|$RUN|$DATA" | grep -v -e "$0" -e pgrep | cut -d' ' -f2- || true
}

same_machine() { snapshot > "$WORK/after"; diff "$WORK/before" "$WORK/after"; }

# --- starting and stopping --------------------------------------------------

interrupted_start() { # seconds: up.sh is interrupted then, as by Ctrl-C
  local code=0
  timeout --foreground -s INT "$1" "$CLUSTER_DIR/up.sh" || code=$?
  [ $code -ne 0 ]
}

preflight_names_all() { # a machine without Go and with a taken port: both are named
  local port out
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  socat "TCP-LISTEN:$port,bind=127.0.0.1" /dev/null & local holder=$!
  wait_until 5 bash -c "! $(declare -f port_free); port_free $port" || true
  out=$(CLUSTER_PORT=$port ZATO_OPERATOR_CACHE=$WORK/none PATH=/usr/sbin:/usr/bin:/sbin:/bin "$CLUSTER_DIR/preflight.sh" 2>&1) && return 1
  kill $holder
  echo "$out"
  grep -q "no Go -> " <<<"$out" && grep -q "port $port .* -> " <<<"$out"
}

refuses_two_owners() { # another checkout's node is not touched
  local real out
  real=$(cat "$RUN/checkout")
  echo /elsewhere > "$RUN/checkout"
  out=$("$CLUSTER_DIR/down.sh" 2>&1; "$CLUSTER_DIR/up.sh" 2>&1) || true
  echo "$real" > "$RUN/checkout"
  echo "$out"
  [ "$(grep -c 'belongs to another checkout: /elsewhere' <<<"$out")" = 2 ] && node_pid
}

failed_component_is_named() { # a dead component comes back; one that cannot start is told with its log
  local out
  in_node bash -c 'kill -KILL "$(cat "$0")"' "$RUN/pids/coredns"
  cp "$RUN/etc/Corefile" "$WORK/Corefile"
  echo "nonsense {" > "$RUN/etc/Corefile"
  out=$("$CLUSTER_DIR/up.sh" 2>&1) && return 1
  cp "$WORK/Corefile" "$RUN/etc/Corefile"
  echo "$out"
  grep -q "coredns ended. The end of $LOG/coredns.log" <<<"$out" && grep -q Corefile <<<"$out" && "$CLUSTER_DIR/up.sh"
}

# --- what the cluster does --------------------------------------------------

load_again_skips() { "$CLUSTER_DIR/load.sh" "$1" | grep "loaded already"; }

volume_is_the_groups() { # fsGroup reached the volume of the default class
  [ "$(k exec deploy/web -c web -- stat -c '%u:%g' /data/written)" = 1000:2000 ] &&
    [ "$(k exec deploy/web -c web -- id)" = "uid=1000 gid=1000 groups=1000,2000" ]
}

restricted_is_enforced() {
  ! k run privileged --image=registry.local/python:1 --dry-run=server --privileged 2>"$WORK/refused" && grep -q "violates PodSecurity" "$WORK/refused"
}

name_resolves_to_service() {
  [ "$(in_client 'import socket; print(socket.gethostbyname("web"))')" = "$(field svc/web '{.spec.clusterIP}')" ]
}

unknown_name_fails_at_once() {
  in_client 'import socket, time
start = time.monotonic()
try: socket.gethostbyname("unknown.example"); raise SystemExit("resolved")
except socket.gaierror: pass
took = time.monotonic() - start
if took > 2: raise SystemExit(f"took {took} s")'
}

service_answers() { in_client 'import urllib.request; print(urllib.request.urlopen("http://web.node-test.svc.cluster.local/written", timeout=5).read())'; }

service_answers_its_own_pod() {
  k exec deploy/web -c web -- python3 -c 'import urllib.request; urllib.request.urlopen("http://web/written", timeout=5)'
}

port_forward_answers() {
  local port forwarder code=0
  k port-forward svc/web :80 --address 127.0.0.1 >"$WORK/forward" 2>&1 &
  forwarder=$!
  if wait_until 10 grep -q '127.0.0.1:[0-9]* ->' "$WORK/forward"; then
    port=$(sed -n 's/.*127.0.0.1:\([0-9]*\) ->.*/\1/p' "$WORK/forward")
    curl -sf "http://127.0.0.1:$port/written" || code=1
  else code=1; fi
  kill $forwarder
  cat "$WORK/forward"
  return $code
}

token_is_accepted() {
  in_client 'import json, ssl, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
request = urllib.request.Request("https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews",
    data=json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode(),
    headers={"Authorization": "Bearer " + open(folder + "token").read(), "Content-Type": "application/json"})
answer = urllib.request.urlopen(request, context=ssl.create_default_context(cafile=folder + "ca.crt"), timeout=5)
print(json.load(answer)["status"]["userInfo"]["username"])' | grep -x "system:serviceaccount:$NAMESPACE:default"
}

is() { [ "$(field "$1" "$2")" = "$3" ]; }
memory_limit_kills() { wait_until 30 is pod/memory '{.status.containerStatuses[0].state.terminated.reason}' OOMKilled; }
missing_image_is_told() { wait_until 15 bash -c "kubectl -n $NAMESPACE get events | grep ErrImagePull"; }
web_answers_again() { k wait --for=condition=Available deploy/web --timeout=$((60 * PATIENCE))s && k wait --for=condition=Ready pod/client --timeout=$((60 * PATIENCE))s && wait_until 20 service_answers; }
written() { k exec deploy/web -c web -- cat /data/written; }
restart_keeps_state() {
  local before
  before=$(written) && "$CLUSTER_DIR/down.sh" --keep && "$CLUSTER_DIR/up.sh" && web_answers_again && [ "$(written)" = "$before" ]
}
claim_deletion_removes_folder() {
  local volume
  volume=$(field pvc/data '{.spec.volumeName}')
  compgen -G "$DATA/volumes/$volume*" && kubectl delete namespace $NAMESPACE --timeout=$((60 * PATIENCE))s && wait_until 30 bash -c "! compgen -G '$DATA/volumes/$volume*'"
}

test_cluster() {
  local image
  image=$("$CLUSTER_DIR/../images/base/build.sh" python 2>/dev/null)
  check "status.sh says that all is well" "$CLUSTER_DIR/status.sh"
  check "the kubeconfig works from the machine" kubectl get --raw=/readyz
  check "an image is loaded" "$CLUSTER_DIR/load.sh" "$image"
  check "an image with the same digest is not loaded again" load_again_skips "$image"
  check "manifests are applied" kubectl apply -f "$CLUSTER_DIR/test/pods.yaml"
  check "init container, native sidecar and probes" k rollout status deploy/web --timeout=$((60 * PATIENCE))s
  k wait --for=condition=Ready pod/client --timeout=$((60 * PATIENCE))s >/dev/null || true
  check "a claim of the default class is bound" is pvc/data '{.status.phase}' Bound
  check "runAsUser and fsGroup on that volume" volume_is_the_groups
  check "restricted pod security is enforced" restricted_is_enforced
  check "the Service's name resolves in a pod" name_resolves_to_service
  check "an unknown name fails at once" unknown_name_fails_at_once
  check "pod to Service" service_answers
  check "pod to Service and back to itself" service_answers_its_own_pod
  check "node to ClusterIP" in_node curl -sf -m 5 "http://$(field svc/web '{.spec.clusterIP}')/written"
  check "logs" bash -c "kubectl -n $NAMESPACE logs deploy/web -c web | grep 'GET /written'"
  check "port-forward from the machine" port_forward_answers
  check "a projected token is accepted by the API server" token_is_accepted
  check "the memory limit kills" memory_limit_kills
  check "a missing image is told within 15 s" missing_image_is_told
  check "node metrics" bash -c "kubectl get --raw /api/v1/nodes/$NODE_NAME/proxy/metrics/cadvisor | grep -q container_memory_working_set_bytes"
}

main() {
  need_root
  refuse_other_checkout
  trap 'rm -rf "$WORK"' EXIT
  export KUBECONFIG=$KUBECONFIG_FILE PATH=$BIN:$PATH
  local own=
  if ! node_pid >/dev/null; then
    own=yes
    # Packages and kernel modules stay on the machine, so they come first.
    "$CLUSTER_DIR/../packages.sh" "${PACKAGES[@]}"
    "$CLUSTER_DIR/preflight.sh"
    snapshot > "$WORK/before"
    check "preflight names all that is missing" preflight_names_all
    check "a start is interrupted early" interrupted_start 1
    check "a start is interrupted late" interrupted_start 4
  fi
  check "up.sh" "$CLUSTER_DIR/up.sh"
  check "up.sh again" "$CLUSTER_DIR/up.sh"
  test_cluster
  if [ -n "$own" ]; then
    check "another checkout's node is left alone" refuses_two_owners
    check "a component that cannot start is named with its log" failed_component_is_named
    check "down.sh --keep and up.sh keep the state" restart_keeps_state
  else
    skip "interrupted starts, restart, and what is left behind: this node ran already"
  fi
  check "deleting the claim deletes its folder" claim_deletion_removes_folder
  if [ -n "$own" ]; then
    check "down.sh" "$CLUSTER_DIR/down.sh"
    check "nothing is left behind" same_machine
  fi
  echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
  [ $FAILED = 0 ]
}

main "$@"
