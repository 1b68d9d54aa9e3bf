//! The least that any client needs: the same objects, from bodies that are ready, and one status for each cluster.

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use zato_operator::api::ZatoCluster;
use zato_operator::k8s::{labels, names};

use super::clusters;

/// Creates clusters `0..count` of a namespace with all of their children, `concurrency` clusters at a time.
pub async fn create(client: &Client, namespace: &str, count: usize, concurrency: usize) {
    stream::iter(0..count)
        .for_each_concurrent(concurrency, |number| one(client.clone(), namespace, number))
        .await;
}

async fn one(client: Client, namespace: &str, number: usize) {
    let clusters = Api::<ZatoCluster>::namespaced(client.clone(), namespace);
    let name = clusters::name(number);
    let cluster = clusters
        .create(&PostParams::default(), &clusters::object(&name))
        .await
        .unwrap();
    for manifest in clusters::manifests(&cluster) {
        post(&client, namespace, &manifest.resource, &manifest.body).await;
    }
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": names::credentials(&name), "labels": labels::child(&name, labels::CREDENTIALS)},
        "stringData": (0..7).map(|key| (format!("key{key}"), "0123456789abcdef0123456789abcdef")).collect::<std::collections::BTreeMap<_, _>>()});
    post(&client, namespace, &ApiResource::erase::<Secret>(&()), &secret).await;
    let status = json!({"status": {"summary": "children are being created", "conditions": [
        {"type": "Ready", "status": "False", "reason": "Starting", "message": "children are being created",
         "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    clusters
        .patch_status(
            &cluster.name_any(),
            &Default::default(),
            &kube::api::Patch::Merge(status),
        )
        .await
        .unwrap();
}

async fn post(client: &Client, namespace: &str, resource: &ApiResource, body: &Value) {
    let url = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, resource)
        .resource_url()
        .to_owned();
    let request =
        http::Request::post(format!("{url}?fieldManager=raw")).header("content-type", "application/json");
    client
        .request_text(request.body(serde_json::to_vec(body).unwrap()).unwrap())
        .await
        .unwrap();
}
