//! Bad input and bad surroundings: each is told in `Ready` with the object at fault, the cause and what to do, and heals
//! by itself once it is mended. `make e2e` brings everything up.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, ResourceQuota, Secret};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use serde_json::{Value, json};
use support::way::Way;
use support::{Namespace, cluster, code, hook, set_code, start, until_ready, until_told};
use zato_operator::api::ZatoCluster;

/// A cluster "c" whose pod never starts: nothing of it needs one.
async fn waiting(space: &Namespace) {
    let spec = json!({"database": {"sqlite": {"storage": {"storageClassName": "none-such"}}}});
    space.create::<ZatoCluster>(&cluster("c", spec)).await.unwrap();
}

async fn quota(space: &Namespace, hard: Value) {
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard}});
    space.create::<ResourceQuota>(&quota).await.unwrap();
    space
        .until("the quota counts", || async {
            let status = space.get::<ResourceQuota>("q").await.status;
            status.is_some_and(|status| status.hard.is_some_and(|hard| !hard.is_empty()))
        })
        .await;
}

async fn without_quota(space: &Namespace) {
    space.remove::<ResourceQuota>("q").await;
}

/// An image that has a shell, and no Zato; one whose Zato belongs to a user that is not the pod's.
#[tokio::test]
async fn an_image_without_zato() {
    let space = start("no-zato", json!({"image": "registry.local/busybox:1"})).await;
    until_ready(&space, "False", "CreationFailed").await;
    until_told(
        &space,
        "the image has no Zato in /opt/zato/current: check spec.image",
    )
    .await;
    let set = async |image: Option<&str>| {
        let patch = json!({"spec": {"image": image}});
        space.merge::<ZatoCluster>("c", &patch).await.unwrap();
    };
    set(Some("registry.local/other-user:1")).await;
    let message = until_told(
        &space,
        "user 1000 cannot run /opt/zato/current/bin/zato of the image",
    )
    .await;
    assert!(message.starts_with("pod c-server-0: creating "), "{message}");
    set(None).await;
    until_ready(&space, "True", "Running").await;
    space.delete().await;
}

/// A quota on pods stops the StatefulSet's controller, one on Services the operator itself.
#[tokio::test]
async fn a_quota_that_is_used_up() {
    let space = Namespace::new("quota-pods").await;
    quota(&space, json!({"pods": "0"})).await;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    let message = until_ready(&space, "False", "QuotaExceeded").await;
    assert!(
        message.contains("c-server-0") && message.contains("Raise the quota"),
        "{message}"
    );
    without_quota(&space).await;
    until_ready(&space, "True", "Running").await;
    space.delete().await;

    let space = Namespace::new("quota-services").await;
    quota(&space, json!({"services": "0"})).await;
    waiting(&space).await;
    let message = until_ready(&space, "False", "QuotaExceeded").await;
    assert!(
        message.starts_with("Service c-server: ") && message.contains("Raise the quota"),
        "{message}"
    );
    without_quota(&space).await;
    space.there::<StatefulSet>("c-server").await;
    space.delete().await;
}

/// A webhook that nobody answers refuses what it is asked about.
#[tokio::test]
async fn a_webhook_that_refuses_a_child() {
    let space = Namespace::new("webhook").await;
    hook::register(&space, json!({"url": "https://127.0.0.1:1/"})).await;
    waiting(&space).await;
    let message = until_ready(&space, "False", "AdmissionDenied").await;
    assert!(
        message.starts_with("Service c-server: ") && message.contains("refuses.example.com"),
        "{message}"
    );
    hook::remove(&space).await;
    space.there::<StatefulSet>("c-server").await;
    space.delete().await;
}

/// The keys of a cluster: one that lacks, one that is another, and the old ones again.
#[tokio::test]
async fn keys_that_are_wrong() {
    let space = Namespace::new("keys-wrong").await;
    waiting(&space).await;
    until_ready(&space, "False", "Unschedulable").await;
    let secret = space.get::<Secret>("c-zato").await;
    let set = async |key: &str, value: Option<ByteString>| {
        let patch = json!({"data": {key: value}});
        space.merge::<Secret>("c-zato", &patch).await.unwrap();
    };
    let data = secret.data.unwrap();
    set("jwtSecret", None).await;
    let message = until_ready(&space, "False", "CredentialsInvalid").await;
    assert!(
        message.contains("Secret c-zato: key jwtSecret is missing"),
        "{message}"
    );
    set("jwtSecret", Some(data["jwtSecret"].clone())).await;
    until_ready(&space, "False", "Unschedulable").await;

    let other = ByteString(b"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".to_vec());
    set("key1", Some(other)).await;
    let message = until_ready(&space, "False", "KeyChanged").await;
    assert!(
        message.contains("Secret c-zato has another key1") && message.contains("c-data"),
        "{message}"
    );
    set("key1", Some(data["key1"].clone())).await;
    until_ready(&space, "False", "Unschedulable").await;
    space.delete().await;
}

/// Where the class of a volume cannot grow it, that is told, and nothing else stops; where it can, it grows.
#[tokio::test]
async fn a_volume_grows() {
    let classes = Api::<StorageClass>::all(support::client().await);
    let all = classes.list(&ListParams::default()).await.unwrap().items;
    let is_default = |class: &&StorageClass| {
        let annotations = class.metadata.annotations.iter().flatten();
        annotations
            .into_iter()
            .any(|(key, value)| key.ends_with("is-default-class") && value == "true")
    };
    let mut class = all.iter().find(is_default).unwrap().clone();
    // One of its own: it is changed.
    let name = format!("grows-{}", std::process::id());
    class.metadata = ObjectMeta {
        name: Some(name.clone()),
        ..ObjectMeta::default()
    };
    class.allow_volume_expansion = None;
    classes.create(&PostParams::default(), &class).await.unwrap();

    let storage =
        |size: &str| json!({"database": {"sqlite": {"storage": {"size": size, "storageClassName": name}}}});
    let space = start("grows", storage("5Gi")).await;
    until_ready(&space, "True", "Running").await;
    space
        .merge::<ZatoCluster>("c", &json!({"spec": storage("6Gi")}))
        .await
        .unwrap();
    let message = until_ready(&space, "False", "ResizeRefused").await;
    assert!(message.starts_with("PersistentVolumeClaim c-data: "), "{message}");
    let way = Way::to(&space, "service/c", 11223).await;
    set_code(&space, &code("meantime")).await;
    space
        .until("an edit in the meantime", || way.answers("meantime"))
        .await;
    space
        .merge::<ZatoCluster>("c", &json!({"spec": storage("5Gi")}))
        .await
        .unwrap();
    until_ready(&space, "True", "Running").await;

    // The volumes of the tests' node have no limit: the class may say that it can.
    let can = Patch::Merge(json!({"allowVolumeExpansion": true}));
    classes.patch(&name, &PatchParams::default(), &can).await.unwrap();
    space
        .merge::<ZatoCluster>("c", &json!({"spec": storage("6Gi")}))
        .await
        .unwrap();
    space
        .until("the claim as it is wanted", || async {
            let claim = space.get::<PersistentVolumeClaim>("c-data").await;
            let requests = claim.spec.unwrap().resources.unwrap().requests.unwrap();
            requests["storage"].0 == "6Gi"
        })
        .await;
    until_ready(&space, "True", "Running").await;
    drop(way);
    space.delete().await;
    classes.delete(&name, &DeleteParams::default()).await.unwrap();
}

/// What is told of a volume that cannot be written, or is too small: the script says which step failed, before any command
/// of Zato.
#[tokio::test]
async fn a_volume_that_is_read_only_or_too_small() {
    let space = Namespace::new("volumes").await;
    waiting(&space).await;
    space.there::<StatefulSet>("c-server").await;
    let read_only = |spec: &mut Value| mount_of_data(spec)["readOnly"] = true.into();
    assert_eq!(creation(&space, "read-only", read_only).await, "volume 1");
    let too_small = |spec: &mut Value| {
        let mut volumes = spec["volumes"].as_array_mut().unwrap().iter_mut();
        let data = volumes.find(|volume| volume["name"] == "data").unwrap();
        *data = json!({"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}});
    };
    assert_eq!(creation(&space, "too-small", too_small).await, "volume 1");
    space.delete().await;
}

fn mount_of_data(spec: &mut Value) -> &mut Value {
    let mut mounts = spec["containers"][0]["volumeMounts"]
        .as_array_mut()
        .unwrap()
        .iter_mut();
    mounts.find(|mount| mount["name"] == "data").unwrap()
}

/// How the creation fails in a pod that `change` makes of the cluster's.
async fn creation(space: &Namespace, pod: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut script = String::new();
    support::spare_pod(space, pod, |spec| {
        let steps = spec["initContainers"].as_array().unwrap().clone();
        let mut create = steps[1].clone();
        create["command"][2].as_str().unwrap().clone_into(&mut script);
        create["command"] = json!(["sleep", "infinity"]);
        spec["initContainers"] = json!([steps[0]]);
        spec["containers"] = json!([create]);
        spec["terminationGracePeriodSeconds"] = 0.into();
        change(spec);
    })
    .await;
    let run = "sh -c \"$1\" >/dev/null 2>&1; cat /create/failed";
    space.exec(pod, "create", &["sh", "-c", run, "run", &script])
}

/// A Secret of somebody else under the name of the keys is told and left alone, and its end is noticed.
#[tokio::test]
async fn a_taken_name_of_the_credentials() {
    let space = Namespace::new("taken").await;
    let stranger = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c-zato"}, "stringData": {"key1": "x"}});
    space.create::<Secret>(&stranger).await.unwrap();
    waiting(&space).await;
    let message = until_ready(&space, "False", "CredentialsInvalid").await;
    assert!(message.starts_with("Secret c-zato: key "), "{message}");
    space.remove::<Secret>("c-zato").await;
    until_ready(&space, "False", "Unschedulable").await;
    assert!(space.find::<ConfigMap>("c-load-balancer").await.is_some());
    space.delete().await;
}
