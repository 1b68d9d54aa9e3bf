//! Clusters without pods: what the pods' part would write is written here.

use futures::{StreamExt, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, Resource, ResourceExt};
use serde_json::{Value, json};
use zato_operator::api::ZatoCluster;
use zato_operator::cluster::credentials::Fingerprint;
use zato_operator::cluster::inputs::{Inputs, Previous};
use zato_operator::cluster::servers::Server;
use zato_operator::exchange::{REPORT_KEY, Report};
use zato_operator::k8s::{labels, names};
use zato_operator::reconcile::engine::Settings;
use zato_operator::reconcile::kind::{Kind, Manifest};

use super::raw;

/// Clusters that are created at the same time.
pub const CONCURRENCY: usize = 16;

/// Creates clusters `FROM..TO` of a namespace.
pub async fn create(client: &Client, namespace: &str, range: std::ops::Range<usize>) {
    let url = ZatoCluster::url_path(&(), Some(namespace));
    stream::iter(range)
        .for_each_concurrent(CONCURRENCY, |number| {
            let body = serde_json::to_value(object(&name(number))).unwrap();
            let url = &url;
            async move { drop(raw::post(client, url, &body).await) }
        })
        .await;
}

pub fn name(number: usize) -> String {
    format!("c{number:04}")
}

pub fn object(name: &str) -> ZatoCluster {
    let object = json!({"apiVersion": "zato.io/v1alpha1", "kind": "ZatoCluster", "metadata": {"name": name}, "spec": {}});
    serde_json::from_value(object).unwrap()
}

/// The children that the operator makes of a cluster, but for the Secret with its keys.
pub fn manifests(cluster: &ZatoCluster) -> Vec<Manifest> {
    let inputs = Inputs {
        settings: Settings {
            zato_image: "registry.local/zato-sim:dev".into(),
            agent_image: "registry.local/zato-operator:dev".into(),
            identity: "raw".into(),
            git: zato_operator::service::git::Allowed::Everybody,
        },
        fingerprint: Fingerprint("0123456789abcdef".into()),
        services: vec![],
        previous: Previous::default(),
        is_secret_labelled: true,
        servers: vec![Server::of(&cluster.name_any(), 0)],
        refusal: None,
        claim: None,
        stateful_set: None,
        database: zato_operator::cluster::database::Found::default(),
        components: std::collections::BTreeMap::new(),
        documents: vec![],
        kept: std::collections::BTreeMap::new(),
        proven: std::collections::BTreeSet::new(),
        callables: std::collections::BTreeMap::new(),
        startups: vec![],
    };
    ZatoCluster::desired(&cluster.plan(inputs).unwrap())
        .into_iter()
        .map(|mut manifest| {
            let owner = cluster.controller_owner_ref(&()).unwrap();
            manifest.body["metadata"]["ownerReferences"] = json!([owner]);
            manifest
        })
        .collect()
}

/// The pod of a cluster, in trouble or not.
async fn pod(client: &Client, namespace: &str, cluster: &str, trouble: bool) -> Pod {
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let name = names::server_pod(cluster, 0);
    let mut labels = labels::child(cluster, "server");
    // As its StatefulSet's status says: else the operator would take it for one of an older template.
    labels.insert("controller-revision-hash".into(), "r".into());
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"automountServiceAccountToken": false, "containers": [{"name": "server", "image": "none"}]}});
    let made = pods
        .create(&PostParams::default(), &serde_json::from_value(pod).unwrap())
        .await
        .unwrap();
    if trouble {
        let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"});
        set_status::<Pod>(&pods, &name, json!({"conditions": [condition]})).await;
    }
    made
}

/// What the kubelet, the controller of StatefulSets and the agent write for a cluster that runs.
pub async fn heal(client: &Client, namespace: &str, cluster: &str) {
    let pod = pod(client, namespace, cluster, false).await;
    let report = Report {
        pod_uid: pod.uid().unwrap(),
        phase: zato_operator::exchange::Phase::Serving,
        ..Report::default()
    };
    set_report(client, namespace, cluster, &serde_json::to_value(report).unwrap()).await;
    let sets = Api::<StatefulSet>::namespaced(client.clone(), namespace);
    let status = json!({"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "currentRevision": "r", "updateRevision": "r"});
    set_status(&sets, &names::server(cluster), status).await;
}

/// A cluster whose pod finds no node.
pub async fn ail(client: &Client, namespace: &str, cluster: &str) {
    pod(client, namespace, cluster, true).await;
    let sets = Api::<StatefulSet>::namespaced(client.clone(), namespace);
    let status =
        json!({"observedGeneration": 1, "replicas": 1, "currentRevision": "r", "updateRevision": "r"});
    set_status(&sets, &names::server(cluster), status).await;
}

/// Changes a report and a status without a change in what they mean.
pub async fn touch(client: &Client, namespace: &str, cluster: &str, number: usize) {
    let sets = Api::<StatefulSet>::namespaced(client.clone(), namespace);
    set_status(&sets, &names::server(cluster), json!({"collisionCount": number})).await;
    let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let name = names::report(cluster, 0);
    let old = maps.get(&name).await.unwrap().data.unwrap_or_default();
    let mut report: Value = old
        .get(REPORT_KEY)
        .map_or(json!({}), |text| serde_json::from_str(text).unwrap());
    report["touched"] = number.into();
    set_report(client, namespace, cluster, &report).await;
}

async fn set_report(client: &Client, namespace: &str, cluster: &str, report: &Value) {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let patch = Patch::Merge(json!({"data": {REPORT_KEY: report.to_string()}}));
    maps.patch(&names::report(cluster, 0), &PatchParams::default(), &patch)
        .await
        .unwrap();
}

async fn set_status<K>(api: &Api<K>, name: &str, status: Value)
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let patch = Patch::Merge(json!({"status": status}));
    api.patch_status(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}
