//! The operator as a program among several: who leads, and what a restart costs. `make e2e` brings everything up.
//! These stories end operators: they run one after another, and after all others.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::{Namespace as CoreNamespace, Pod, Secret};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use serde_json::json;
use support::operator::{self, count};
use support::{Namespace, client, cluster, condition, service, until, until_service, until_some};
use zato_operator::api::{ZatoCluster, ZatoService};

const PATCHES: &str = "zato_operator_requests_total{method=\"PATCH\"}";
const POSTS: &str = "zato_operator_requests_total{method=\"POST\"}";

/// A cluster whose pod never starts: its volume has a class that does not exist.
async fn waiting_cluster(space: &Namespace, name: &str) {
    let spec = json!({"database": {"sqlite": {"storage": {"storageClassName": "none-such"}}}});
    space.create::<ZatoCluster>(&cluster(name, spec)).await.unwrap();
    space.there::<StatefulSet>(&format!("{name}-server")).await;
    space
        .until("the status", || async {
            let status = space.get::<ZatoCluster>(name).await.status.unwrap_or_default();
            condition(&status.conditions, "Ready").is_some_and(|c| c.reason == "Unschedulable")
        })
        .await;
}

async fn other_leader(old: &str) -> String {
    until_some("another leader", || async {
        operator::leader().await.filter(|leader| leader != old)
    })
    .await
}

/// Whether two operators are ready, no other one is left, and one of them leads.
async fn is_complete() -> bool {
    let (pods, leader) = (operator::pods().await, operator::leader().await);
    let is_ready = |pod: &Pod| {
        let mut conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
        pod.metadata.deletion_timestamp.is_none()
            && conditions.any(|c| c.type_ == "Ready" && c.status == "True")
    };
    let leads = |pod: &Pod| leader.as_ref() == Some(&pod.name_any());
    pods.len() == 2 && pods.iter().all(is_ready) && pods.iter().any(leads)
}

/// All replicas are ready, one leads; when it is deleted, killed or frozen another one does its work, and one that comes
/// back from the frozen state ends. (That it writes nothing until then is a matter of one place: see `cli::admit`.)
#[tokio::test]
async fn one_leads_and_another_takes_over() {
    let space = Namespace::new("leads").await;
    waiting_cluster(&space, "before").await;
    until("two ready operators", is_complete).await;

    let deleted = operator::leader().await.unwrap();
    operator::delete(&deleted).await;
    let killed = other_leader(&deleted).await;
    waiting_cluster(&space, "after-delete").await;
    until("two ready operators", is_complete).await;

    assert!(operator::signal(&killed, "KILL"));
    // The same pod may lead again: the kubelet starts it at once, and it is the one that the Lease names.
    waiting_cluster(&space, "after-kill").await;
    until("two ready operators", is_complete).await;

    let frozen = operator::leader().await.unwrap();
    let restarts = operator::restarts(&frozen).await;
    assert!(operator::signal(&frozen, "STOP"));
    let next = other_leader(&frozen).await;
    waiting_cluster(&space, "after-stop").await;
    assert!(operator::signal(&frozen, "CONT"));
    until("the end of the frozen leader", || async {
        operator::restarts(&frozen).await > restarts
    })
    .await;
    assert_eq!(operator::leader().await.as_deref(), Some(next.as_str()));
    space.delete().await;
}

/// Runs helm on the cluster of the tests: whether it succeeded, and what it printed.
fn helm(arguments: &[&str]) -> (bool, String) {
    let mut command = std::process::Command::new("helm");
    command
        .arg("--kubeconfig")
        .arg(support::kubeconfig())
        .args(["--namespace", "zato-system"]);
    let output = command
        .args(arguments)
        .output()
        .expect("helm is on PATH: run make e2e");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn helm_or_fail(arguments: &[&str]) -> String {
    let (is_done, text) = helm(arguments);
    assert!(is_done, "helm {arguments:?}: {text}");
    text
}

/// An upgrade and an uninstall of the operator change nothing of a running cluster; what is installed again goes on.
#[tokio::test]
async fn helm_leaves_clusters_alone() {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/zato-operator");
    let space = support::start("helm", json!({})).await;
    support::until_ready(&space, "True", "Running").await;
    until_service(&space, "greeting", "Ready", |ready| ready.status == "True").await;
    let (pod, key) = (
        space.get::<Pod>("c-server-0").await.uid(),
        space.get::<Secret>("c-zato").await.data,
    );
    let values = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        values.path(),
        helm_or_fail(&["get", "values", "zato-operator", "--output", "yaml"]),
    )
    .unwrap();
    let values = values.path().to_str().unwrap();
    let install = [
        "upgrade",
        "--install",
        "zato-operator",
        chart,
        "--values",
        values,
        "--wait",
        "--timeout",
        "5m",
    ];

    helm_or_fail(&[&install[..], &["--set", "logLevel=debug"]].concat());
    // Helm waits for those that come, not for those that go: one of them may be about to hand over.
    until("two ready operators", is_complete).await;
    assert!(helm_or_fail(&["test", "zato-operator", "--logs"]).contains("the operator has what it needs"));
    helm_or_fail(&["uninstall", "zato-operator", "--wait"]);
    assert_eq!(space.get::<Pod>("c-server-0").await.uid(), pod);
    assert_eq!(space.get::<Secret>("c-zato").await.data, key);
    support::set_code(&space, &support::code("later")).await;
    let way = support::way::Way::to(&space, "service/c", 11223).await;
    assert!(
        way.answers("first").await,
        "the cluster runs without its operator"
    );

    helm_or_fail(&install);
    space
        .until("the code of the meantime", || way.answers("later"))
        .await;
    support::until_ready(&space, "True", "Running").await;
    assert_eq!(space.get::<Pod>("c-server-0").await.uid(), pod);
    drop(way);
    space.delete().await;
}

/// Whether the operator may create Services.
async fn may_create_services() -> bool {
    let review = json!({"metadata": {}, "spec": {
        "user": "system:serviceaccount:zato-system:zato-operator",
        "resourceAttributes": {"verb": "create", "resource": "services"},
    }});
    let reviews = Api::<SubjectAccessReview>::all(client().await);
    let answer = reviews
        .create(&PostParams::default(), &serde_json::from_value(review).unwrap())
        .await
        .unwrap();
    answer.status.unwrap().allowed
}

/// A right that somebody took away is named, in the condition and by `helm test`; with it all goes on.
#[tokio::test]
async fn a_right_that_is_taken_away_is_told() {
    let roles = Api::<ClusterRole>::all(client().await);
    let name = "zato-operator-zato-system";
    let mut whole = roles.get(name).await.unwrap();
    whole.metadata = ObjectMeta {
        name: whole.metadata.name,
        labels: whole.metadata.labels,
        annotations: whole.metadata.annotations,
        ..ObjectMeta::default()
    };
    let mut less = whole.clone();
    for rule in less.rules.iter_mut().flatten() {
        rule.resources.iter_mut().flatten().for_each(|resource| {
            if resource == "services" {
                "none".clone_into(resource);
            }
        });
    }
    // As Helm itself does it: else its next upgrade would meet a field of somebody else.
    let helms = PatchParams::apply("helm").force();
    assert!(may_create_services().await);
    roles.patch(name, &helms, &Patch::Apply(&less)).await.unwrap();
    // The API server takes a moment: until then the operator would do all that it must not do.
    until("the right is gone", || async { !may_create_services().await }).await;
    let space = Namespace::new("rights").await;
    let spec = json!({"database": {"sqlite": {"storage": {"storageClassName": "none-such"}}}});
    space.create::<ZatoCluster>(&cluster("c", spec)).await.unwrap();
    let message = support::until_ready(&space, "False", "Forbidden").await;
    assert!(
        message.starts_with("Service c-server: ") && message.contains("Install the chart's roles"),
        "{message}"
    );
    let (is_fine, text) = helm(&["test", "zato-operator", "--logs"]);
    assert!(
        !is_fine && text.contains("no right to create services in all namespaces"),
        "{text}"
    );
    roles.patch(name, &helms, &Patch::Apply(&whole)).await.unwrap();
    space.there::<StatefulSet>("c-server").await;
    space.delete().await;
}

/// The other namespaces that have objects of a kind.
async fn others<K: support::Kind>(space: &Namespace) -> Vec<String> {
    let all = Api::<K>::all(client().await);
    let all = all.list_metadata(&ListParams::default()).await.unwrap();
    let spaces = all.iter().filter_map(ResourceExt::namespace);
    spaces.filter(|found| found != space.name()).collect()
}

/// Why a namespace is not gone: what it says itself, and the pods that are left in it.
async fn what_holds(namespace: &str) -> String {
    let client = client().await;
    let found = Api::<CoreNamespace>::all(client.clone())
        .get_opt(namespace)
        .await
        .unwrap();
    let told = found
        .and_then(|found| found.status?.conditions)
        .unwrap_or_default();
    let told: Vec<_> = told
        .into_iter()
        .filter_map(|condition| condition.message)
        .collect();
    let pods = Api::<Pod>::namespaced(client, namespace)
        .list(&ListParams::default())
        .await
        .unwrap();
    let pods: Vec<_> = pods
        .iter()
        .map(|pod| (pod.name_any(), pod.finalizers().to_vec()))
        .collect();
    format!("{namespace}: {told:?}, pods {pods:?}; what a failed story left must be deleted by hand")
}

/// Waits until there is no cluster and no service elsewhere.
async fn until_alone(space: &Namespace) {
    // Those of other stories are on their way out.
    support::until_ok("no object of another story", || async {
        let mut found = others::<ZatoCluster>(space).await;
        found.extend(others::<ZatoService>(space).await);
        match found.first() {
            None => Ok(()),
            Some(first) => Err(what_holds(first).await),
        }
    })
    .await;
}

/// How many changes and creations a pod asked for.
async fn written(pod: &str) -> (u64, u64) {
    let patches = until_some("the PATCHes", || count(pod, PATCHES)).await;
    let posts = until_some("the POSTs", || count(pod, POSTS)).await;
    (patches, posts)
}

/// An operator that starts anew finds everything as it is wanted, and writes nothing.
#[tokio::test]
async fn a_restart_writes_nothing() {
    let space = Namespace::new("restart").await;
    waiting_cluster(&space, "c").await;
    let object = service("s", "c", &[("a.py", "x = 1\n")]);
    space.create::<ZatoService>(&object).await.unwrap();
    space
        .until("everything written", || async {
            let cluster = space.get::<ZatoCluster>("c").await.status.unwrap_or_default();
            let service = space.get::<ZatoService>("s").await.status.unwrap_or_default();
            // The status of the cluster is written after its children, that of the service once more when the index has it.
            condition(&service.conditions, "Compatible").is_some()
                && cluster.services.is_some_and(|services| services.total == 1)
        })
        .await;
    until_alone(&space).await;

    let old = operator::leader().await.unwrap();
    // What is still to be written would be written by the next one.
    until("the end of writes", || async {
        let before = written(&old).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        written(&old).await == before
    })
    .await;
    operator::delete(&old).await;
    let new = other_leader(&old).await;
    for kind in ["ZatoCluster", "ZatoService"] {
        let reconciled = format!("zato_operator_reconciles_total{{kind=\"{kind}\",outcome=\"ok\"}}");
        until(kind, || async {
            count(&new, &reconciled).await.is_some_and(|count| count > 0)
        })
        .await;
    }
    assert_eq!(written(&new).await, (0, 0));

    space
        .merge::<ZatoCluster>("c", &json!({"spec": {"dashboard": {"enabled": false}}}))
        .await
        .unwrap();
    // A change is counted: the zero above is one of the right counter.
    until("a write", || async {
        count(&new, PATCHES).await.is_some_and(|count| count > 0)
    })
    .await;
    space.delete().await;
}
