//! How soon an edit reaches a child, and how soon a child is back.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use futures::{Future, StreamExt};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use zato_operator::api::ZatoCluster;
use zato_operator::k8s::{labels, names};

use super::clusters;
use super::server::{OPERATOR, Server};
use super::table::{Table, at, time};

const EDITS: usize = 50;
/// Of every child.
const REPAIRS: usize = 5;
const NAMESPACE: &str = "latency";
const CLUSTERS: usize = 20;

/// An edit of a cluster until its StatefulSet has it; beside a client that watches the cluster and applies the
/// StatefulSet, while the operator is away.
pub async fn edits(server: &mut Server, table: &mut Table) {
    server.namespace(NAMESPACE).await;
    let operator = server.operator().await;
    clusters::create(&server.client, NAMESPACE, 0..CLUSTERS).await;
    server.audit.settled(OPERATOR).await;
    let mut edited = vec![];
    for round in 0..EDITS {
        edited.push(edit(&server.client, &format!("operator-{round}")).await);
    }
    operator.end().await;
    let least = tokio::spawn(watch_and_apply(server.raw.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut limits = vec![];
    for round in 0..EDITS {
        limits.push(edit(&server.client, &format!("limit-{round}")).await);
    }
    least.abort();
    for percent in [50, 95] {
        let figure = format!("edit of a cluster until its StatefulSet has it, p{percent}");
        table.times(
            &figure,
            at(&edited, percent),
            ("watch and apply", at(&limits, percent)),
            1.2,
        );
    }
}

async fn edit(client: &Client, image: &str) -> Duration {
    let name = clusters::name(0);
    let sets = Api::<StatefulSet>::namespaced(client.clone(), NAMESPACE);
    let has_image = |image: String| {
        move |set: Option<&StatefulSet>| {
            serde_json::to_string(&set)
                .unwrap()
                .contains(&format!("\"{image}\""))
        }
    };
    let clusters = Api::<ZatoCluster>::namespaced(client.clone(), NAMESPACE);
    let patch = Patch::Merge(json!({"spec": {"image": image}}));
    let params = PatchParams::default();
    let act = async { drop(clusters.patch(&name, &params, &patch).await.unwrap()) };
    time_to(sets, &names::server(&name), has_image(image.to_owned()), act).await
}

/// The least that brings an edit to a StatefulSet.
async fn watch_and_apply(client: Client) {
    let name = clusters::name(0);
    let clusters = Api::<ZatoCluster>::namespaced(client.clone(), NAMESPACE);
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut changes = std::pin::pin!(watcher(clusters, config).applied_objects());
    while let Some(cluster) = changes.next().await {
        let set = clusters::manifests(&cluster.unwrap()).pop().unwrap();
        let params = PatchParams::apply(labels::MANAGER).force();
        Api::<DynamicObject>::namespaced_with(client.clone(), NAMESPACE, &set.resource)
            .patch(&set.name, &params, &Patch::Apply(&set.body))
            .await
            .unwrap();
    }
}

/// Every child of a cluster is deleted, and edited, one after another, until it is back.
pub async fn repairs(server: &mut Server, table: &mut Table) {
    let operator = server.operator().await;
    server.audit.settled(OPERATOR).await;
    let (mut deleted, mut edited, mut kinds) = (vec![], vec![], 0);
    let clusters = Api::<ZatoCluster>::namespaced(server.client.clone(), NAMESPACE);
    for round in 0..REPAIRS {
        let cluster = clusters.get(&clusters::name(round)).await.unwrap();
        let children = clusters::manifests(&cluster);
        // Volumes and keys are never made anew.
        let kept = |kind: &str| kind == "PersistentVolumeClaim";
        kinds = 0;
        for child in children.iter().filter(|child| !kept(&child.resource.kind)) {
            kinds += 1;
            deleted.push(delete(&server.client, &child.resource, &child.name).await);
            edited.push(damage(&server.client, &child.resource, &child.name).await);
        }
    }
    for (what, times) in [("deleted", deleted), ("edited", edited)] {
        table.row(
            &format!(
                "each of {kinds} children {what} until it is back, p50, p99 of {}",
                times.len()
            ),
            format!("{}, {}", time(at(&times, 50)), time(at(&times, 99))),
            "goal p99 1 s",
            "",
        );
    }
    operator.end().await;
    server.forget(&[NAMESPACE]).await;
}

async fn delete(client: &Client, resource: &ApiResource, name: &str) -> Duration {
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), NAMESPACE, resource);
    let old = api.get(name).await.unwrap().uid();
    let act = async { drop(api.delete(name, &DeleteParams::background()).await.unwrap()) };
    let begin = Instant::now();
    act.await;
    until(&api, name, |found| found.is_some_and(|found| found.uid() != old)).await;
    begin.elapsed()
}

/// A label that the operator sets gets another value.
async fn damage(client: &Client, resource: &ApiResource, name: &str) -> Duration {
    const LABEL: &str = "app.kubernetes.io/name";
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), NAMESPACE, resource);
    let patch = Patch::Merge(json!({"metadata": {"labels": {LABEL: "damaged"}}}));
    let begin = Instant::now();
    api.patch(name, &PatchParams::default(), &patch).await.unwrap();
    until(&api, name, |found| {
        found.is_some_and(|found| found.labels()[LABEL] == "zato")
    })
    .await;
    begin.elapsed()
}

async fn until(api: &Api<DynamicObject>, name: &str, is_so: impl Fn(Option<&DynamicObject>) -> bool) {
    let begin = Instant::now();
    while !is_so(api.get_opt(name).await.unwrap().as_ref()) {
        assert!(begin.elapsed() < Duration::from_mins(1), "{name} is not back");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// From the beginning of an act until a watch that was open before says that it has its effect.
async fn time_to<K>(
    api: Api<K>,
    name: &str,
    condition: impl Fn(Option<&K>) -> bool + Send + Sync + 'static,
    act: impl Future<Output = ()>,
) -> Duration
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let owned = name.to_owned();
    let seen = tokio::spawn(async move {
        await_condition(api, &owned, condition).await.unwrap();
        Instant::now()
    });
    // What the edit before has brought about comes to rest, and the watch is open.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begin = Instant::now();
    act.await;
    let seen = tokio::time::timeout(Duration::from_mins(1), seen).await;
    seen.unwrap_or_else(|_| panic!("{name}: no effect within a minute"))
        .unwrap()
        - begin
}
