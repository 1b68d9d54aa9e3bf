//! The operator as a program among several: who leads, and what a restart costs. `make e2e` brings everything up.
//! These stories end operators: they run one after another, and after all others.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::json;
use support::operator::{self, count};
use support::{Namespace, client, cluster, condition, service, until};
use zato_operator::api::{ZatoCluster, ZatoService};

const PATCHES: &str = "zato_operator_requests_total{method=\"PATCH\"}";
const POSTS: &str = "zato_operator_requests_total{method=\"POST\"}";

/// A cluster whose pod never starts: its volume has a class that does not exist.
async fn waiting_cluster(space: &Namespace, name: &str) {
    let spec = json!({"database": {"sqlite": {"storage": {"storageClassName": "none-such"}}}});
    space.create::<ZatoCluster>(&cluster(name, spec)).await.unwrap();
    space
        .until("the StatefulSet", || async {
            space
                .find::<StatefulSet>(&format!("{name}-server"))
                .await
                .is_some()
        })
        .await;
    space
        .until("the status", || async {
            let status = space.get::<ZatoCluster>(name).await.status.unwrap_or_default();
            condition(&status.conditions, "Ready").is_some_and(|c| c.reason == "Unschedulable")
        })
        .await;
}

async fn other_leader(old: &str) -> String {
    until("another leader", || async {
        operator::leader().await.is_some_and(|leader| leader != old)
    })
    .await;
    operator::leader().await.unwrap()
}

/// All replicas are ready, one leads; when it is deleted, killed or frozen another one does its work, and one that comes
/// back from the frozen state ends. (That it writes nothing until then is a matter of one place: see `cli::admit`.)
#[tokio::test]
async fn one_leads_and_another_takes_over() {
    let space = Namespace::new("leads").await;
    waiting_cluster(&space, "before").await;
    let all_ready = || async {
        let pods = operator::pods().await;
        let ready = |pod: &&k8s_openapi::api::core::v1::Pod| {
            let conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
            pod.metadata.deletion_timestamp.is_none()
                && conditions
                    .clone()
                    .any(|c| c.type_ == "Ready" && c.status == "True")
        };
        pods.len() == 2 && pods.iter().filter(ready).count() == 2
    };
    until("two ready operators", all_ready).await;

    let deleted = operator::leader().await.unwrap();
    operator::delete(&deleted).await;
    let killed = other_leader(&deleted).await;
    waiting_cluster(&space, "after-delete").await;
    until("two ready operators", all_ready).await;

    assert!(operator::signal(&killed, "KILL"));
    // The same pod may lead again: the kubelet starts it at once, and it is the one that the Lease names.
    waiting_cluster(&space, "after-kill").await;
    until("two ready operators", all_ready).await;

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
            let told = space.get::<ZatoService>("s").await.status.is_some();
            // The status of the cluster is written after its children.
            told && cluster.services.is_some_and(|services| services.total == 1)
        })
        .await;
    // Those of other stories are on their way out.
    until(
        "no other cluster (one that a failed story left must be deleted by hand)",
        || async {
            let all = Api::<ZatoCluster>::all(client().await)
                .list_metadata(&ListParams::default())
                .await
                .unwrap();
            all.iter()
                .all(|found| found.namespace().as_deref() == Some(space.name()))
        },
    )
    .await;

    let old = operator::leader().await.unwrap();
    operator::delete(&old).await;
    let new = other_leader(&old).await;
    for kind in ["ZatoCluster", "ZatoService"] {
        let reconciled = format!("zato_operator_reconciles_total{{kind=\"{kind}\",outcome=\"ok\"}}");
        until(kind, || async {
            count(&new, &reconciled).await.is_some_and(|count| count > 0)
        })
        .await;
    }
    let (patches, posts) = (count(&new, PATCHES).await, count(&new, POSTS).await);
    assert_eq!((patches, posts), (Some(0), Some(0)));

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
