//! What a user does to a whole cluster: breaks and mends its image, stops and starts it, pauses it, deletes it with its
//! data. Zato's stand-in runs on the node. `make e2e` brings everything up.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret};
use serde_json::{Value, json};
use support::way::Way;
use support::{Namespace, cluster, sql, start, until_ready};
use zato_operator::api::ZatoCluster;

async fn set(space: &Namespace, spec: Value) {
    space
        .merge::<ZatoCluster>("c", &json!({"spec": spec}))
        .await
        .unwrap();
}

/// A broken image is told with its name, does not stay when it is mended, and nothing is lost.
#[tokio::test]
async fn a_broken_image_is_told_and_heals() {
    let space = start(
        "image",
        json!({"image": "registry.local/none-such:1", "imagePullPolicy": "Never"}),
    )
    .await;
    let message = until_ready(&space, "False", "ImagePullFailed").await;
    assert!(
        message.contains("registry.local/none-such:1") && message.contains("spec.image"),
        "{message}"
    );
    let key = space.get::<Secret>("c-zato").await.data;

    set(&space, json!({"image": null})).await;
    until_ready(&space, "True", "Running").await;
    set(&space, json!({"image": "registry.local/none-such:2"})).await;
    let message = until_ready(&space, "False", "ImagePullFailed").await;
    assert!(message.contains("registry.local/none-such:2"), "{message}");
    set(&space, json!({"image": null})).await;
    until_ready(&space, "True", "Running").await;
    assert_eq!(space.get::<Secret>("c-zato").await.data, key);
    let way = Way::to(&space, "service/c", 11223).await;
    space.until("the answer", || way.answers("first")).await;
    drop(way);
    space.delete().await;
}

/// A stopped cluster has no pod and keeps its data; a paused one is left alone.
#[tokio::test]
async fn stopped_and_paused() {
    let space = start("stop", json!({})).await;
    until_ready(&space, "True", "Running").await;
    sql(
        &space,
        "create table story (word text); insert into story values ('kept')",
    );

    set(&space, json!({"stopped": true})).await;
    until_ready(&space, "False", "Stopped").await;
    space
        .until("no pod", || async {
            space.find::<Pod>("c-server-0").await.is_none()
        })
        .await;
    set(&space, json!({"stopped": false})).await;
    until_ready(&space, "True", "Running").await;
    assert_eq!(sql(&space, "select word from story"), "kept");

    set(&space, json!({"paused": true})).await;
    until_ready(&space, "True", "Paused").await;
    space.remove::<ConfigMap>("c-load-balancer").await;
    set(&space, json!({"dashboard": {"enabled": false}})).await;
    until_ready(&space, "True", "Paused").await;
    assert!(space.find::<ConfigMap>("c-load-balancer").await.is_none());
    set(&space, json!({"paused": false})).await;
    space
        .until("what was deleted in the meantime", || async {
            space.find::<ConfigMap>("c-load-balancer").await.is_some()
        })
        .await;
    space.delete().await;
}

/// With `Delete` data and keys have an owner and go with the cluster, with `Retain` they have none; the keys stay as
/// they are when it changes.
#[tokio::test]
async fn the_deletion_policy_is_about_data_and_keys() {
    let space = start("policy", json!({"deletionPolicy": "Delete"})).await;
    let owned = || async {
        let claim = space.find::<PersistentVolumeClaim>("c-data").await;
        let secret = space.find::<Secret>("c-zato").await;
        let metadata = [
            claim.map(|claim| claim.metadata),
            secret.map(|secret| secret.metadata),
        ];
        metadata
            .map(|found| found.is_some_and(|m| m.owner_references.is_some_and(|owners| owners.len() == 1)))
    };
    space
        .until("owners", || async { owned().await == [true, true] })
        .await;
    let key = space.get::<Secret>("c-zato").await.data;
    set(&space, json!({"deletionPolicy": "Retain"})).await;
    space
        .until("no owners", || async { owned().await == [false, false] })
        .await;
    assert_eq!(space.get::<Secret>("c-zato").await.data, key);
    // Also while nothing else is done: who deletes a paused cluster must not lose what should be kept.
    set(&space, json!({"deletionPolicy": "Delete"})).await;
    space
        .until("owners again", || async { owned().await == [true, true] })
        .await;
    set(&space, json!({"deletionPolicy": "Retain", "paused": true})).await;
    space
        .until("no owners while paused", || async {
            owned().await == [false, false]
        })
        .await;
    set(&space, json!({"deletionPolicy": "Delete", "paused": false})).await;
    space
        .until("owners at last", || async { owned().await == [true, true] })
        .await;
    space.remove::<ZatoCluster>("c").await;
    space
        .until("nothing left", || async {
            space.find::<Secret>("c-zato").await.is_none()
                && space.find::<PersistentVolumeClaim>("c-data").await.is_none()
                && space.find::<StatefulSet>("c-server").await.is_none()
        })
        .await;
    // A cluster of the same name is a new one, with keys of its own.
    let old = key;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    until_ready(&space, "True", "Running").await;
    assert_ne!(space.get::<Secret>("c-zato").await.data, old);
    space.delete().await;
}
