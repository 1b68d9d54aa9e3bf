//! The least that any client needs: the same objects, from bodies that are ready, and one status for each cluster. By
//! plain creation, which is the limit of the API server, or by server-side apply, which keeps fields of others apart.

use futures::{StreamExt, stream};
use http::header::CONTENT_TYPE;
use http::request::Builder;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Client, Resource};
use serde_json::{Value, json};
use zato_operator::api::ZatoCluster;
use zato_operator::k8s::{labels, names};

use super::clusters;

/// How a client makes children.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    Create,
    Apply,
}

/// Creates clusters `0..count` of a namespace with all of their children, `concurrency` clusters at a time.
pub async fn create(client: &Client, namespace: &str, way: Way, count: usize, concurrency: usize) {
    stream::iter(0..count)
        .for_each_concurrent(concurrency, |number| one(client, namespace, way, number))
        .await;
}

async fn one(client: &Client, namespace: &str, way: Way, number: usize) {
    let clusters = Api::<ZatoCluster>::namespaced(client.clone(), namespace);
    let name = clusters::name(number);
    let url = ZatoCluster::url_path(&(), Some(namespace));
    let made = post(
        client,
        &url,
        &serde_json::to_value(clusters::object(&name)).unwrap(),
    )
    .await;
    let cluster: ZatoCluster = serde_json::from_str(&made).unwrap();
    for manifest in clusters::manifests(&cluster) {
        let url = manifest_url(client, namespace, &manifest.resource);
        match way {
            Way::Create => post(client, &url, &manifest.body).await,
            Way::Apply => apply(client, &format!("{url}/{}", manifest.name), &manifest.body).await,
        };
    }
    // The operator creates keys, too: it must never change them.
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": names::credentials(&name), "labels": labels::child(&name, labels::CREDENTIALS)},
        "stringData": (0..7).map(|key| (format!("key{key}"), "0123456789abcdef0123456789abcdef")).collect::<std::collections::BTreeMap<_, _>>()});
    post(client, &Secret::url_path(&(), Some(namespace)), &secret).await;
    let status = json!({"apiVersion": "zato.io/v1alpha1", "kind": "ZatoCluster",
        "status": {"summary": "children are being created", "conditions": [
        {"type": "Ready", "status": "False", "reason": "Starting", "message": "children are being created",
         "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    let (params, status) = match way {
        Way::Create => (PatchParams::default(), Patch::Merge(status)),
        Way::Apply => (PatchParams::apply(labels::MANAGER).force(), Patch::Apply(status)),
    };
    clusters.patch_status(&name, &params, &status).await.unwrap();
}

fn manifest_url(client: &Client, namespace: &str, resource: &ApiResource) -> String {
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, resource);
    api.resource_url().to_owned()
}

/// Creates an object.
pub async fn post(client: &Client, url: &str, body: &Value) -> String {
    let request =
        || http::Request::post(format!("{url}?fieldManager=raw")).header(CONTENT_TYPE, "application/json");
    send(client, request, body).await
}

/// Makes an object by server-side apply.
async fn apply(client: &Client, url: &str, body: &Value) -> String {
    let query = format!("fieldManager={}&force=true", labels::MANAGER);
    let request = || {
        http::Request::patch(format!("{url}?{query}")).header(CONTENT_TYPE, "application/apply-patch+yaml")
    };
    send(client, request, body).await
}

/// Sends an object; once more when the connection was closed before the answer, as the operator's client does, too.
async fn send(client: &Client, request: impl Fn() -> Builder, body: &Value) -> String {
    let body = serde_json::to_vec(body).unwrap();
    loop {
        match client.request_text(request().body(body.clone()).unwrap()).await {
            Ok(made) => return made,
            Err(kube::Error::Service(error)) => println!("  raw client: {error}"),
            Err(error) => panic!("{:?}: {error}", request().uri_ref()),
        }
    }
}
