//! The operator's own pods: which one leads, what each of them counts, and how they are ended.

use std::path::Path;
use std::process::Command;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};

const NAMESPACE: &str = "zato-system";

/// All of its pods.
pub async fn pods() -> Vec<Pod> {
    let pods = Api::<Pod>::namespaced(super::client().await, NAMESPACE);
    let selector = ListParams::default().labels("app.kubernetes.io/name=zato-operator");
    pods.list(&selector).await.unwrap().items
}

/// How often the kubelet started the process of a pod anew.
pub async fn restarts(pod: &str) -> i32 {
    let pod = Api::<Pod>::namespaced(super::client().await, NAMESPACE)
        .get(pod)
        .await
        .unwrap();
    let containers = pod
        .status
        .and_then(|status| status.container_statuses)
        .unwrap_or_default();
    containers.iter().map(|container| container.restart_count).sum()
}

/// The pod that leads.
pub async fn leader() -> Option<String> {
    let leases = Api::<Lease>::namespaced(super::client().await, NAMESPACE);
    let holder = leases.get("zato-operator").await.unwrap().spec?.holder_identity?;
    (!holder.is_empty()).then_some(holder)
}

/// What a pod counts under a name with labels, such as `zato_operator_requests_total{method="PATCH"}`; none: it does not
/// answer.
pub async fn count(pod: &str, name: &str) -> Option<u64> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/metrics");
    let request = http::Request::get(path).body(vec![]).unwrap();
    let text = super::client().await.request_text(request).await.ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    Some(line.map_or(0, |value| value.trim().parse().unwrap()))
}

/// Ends a pod as Kubernetes does.
pub async fn delete(pod: &str) {
    let pods = Api::<Pod>::namespaced(super::client().await, NAMESPACE);
    pods.delete(pod, &DeleteParams::default()).await.unwrap();
}

/// Sends a signal to the process of one pod; false: it does not run. Only on the node of this checkout.
pub fn signal(pod: &str, signal: &str) -> bool {
    let script = format!(
        "for p in $(pgrep -f '^/zato-operator operator'); do \
         grep -qzx POD_NAME={pod} /proc/$p/environ && exec kill -{signal} $p; done; exit 1"
    );
    let node = Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/cluster/exec.sh");
    Command::new(node)
        .args(["bash", "-c", &script])
        .status()
        .unwrap()
        .success()
}

/// kill -9 of every operator. On another cluster than the node of this checkout the nearest that the API has: deletion
/// without grace.
pub async fn kill() {
    for pod in pods().await {
        let name = pod.name_any();
        if std::env::var_os("TEST_KUBECONFIG").is_none() {
            // One that does not run at this moment is dead already.
            signal(&name, "KILL");
            continue;
        }
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            ..DeleteParams::default()
        };
        Api::<Pod>::namespaced(super::client().await, NAMESPACE)
            .delete(&name, &params)
            .await
            .unwrap();
    }
}
