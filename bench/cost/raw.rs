//! The least that any client needs: the same objects, from bodies that are ready, and one status for each cluster.

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Client, Resource};
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
    let url = ZatoCluster::url_path(&(), Some(namespace));
    let made = post(
        &client,
        &url,
        &serde_json::to_value(clusters::object(&name)).unwrap(),
    )
    .await;
    let cluster: ZatoCluster = serde_json::from_str(&made).unwrap();
    for manifest in clusters::manifests(&cluster) {
        let url = manifest_url(&client, namespace, &manifest.resource);
        post(&client, &url, &manifest.body).await;
    }
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": names::credentials(&name), "labels": labels::child(&name, labels::CREDENTIALS)},
        "stringData": (0..7).map(|key| (format!("key{key}"), "0123456789abcdef0123456789abcdef")).collect::<std::collections::BTreeMap<_, _>>()});
    post(&client, &Secret::url_path(&(), Some(namespace)), &secret).await;
    let status = json!({"status": {"summary": "children are being created", "conditions": [
        {"type": "Ready", "status": "False", "reason": "Starting", "message": "children are being created",
         "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    clusters
        .patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
        .await
        .unwrap();
}

fn manifest_url(client: &Client, namespace: &str, resource: &ApiResource) -> String {
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, resource);
    api.resource_url().to_owned()
}

/// Sends an object; once more when the connection was closed before the answer, as the operator's client does, too.
pub async fn post(client: &Client, url: &str, body: &Value) -> String {
    loop {
        let request =
            http::Request::post(format!("{url}?fieldManager=raw")).header("content-type", "application/json");
        let request = request.body(serde_json::to_vec(body).unwrap()).unwrap();
        match client.request_text(request).await {
            Ok(made) => return made,
            Err(kube::Error::Service(error)) => println!("  raw client: {error}"),
            Err(error) => panic!("{url}: {error}"),
        }
    }
}
