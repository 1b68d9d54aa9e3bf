//! Revisions of a service in pods: what a server cannot load, and ways back. `make e2e` brings everything up.

// Helpers of tests are tests, too. Not every story uses every word.
#![allow(clippy::unwrap_used, dead_code)]

mod support;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::ListParams;
use serde_json::json;
use support::way::Way;
use support::{
    Namespace, code, condition, service, set_code, start, until_other_pod, until_ready, until_service,
    until_service_told,
};
use zato_operator::api::ZatoService;

/// Waits until the present spec is deployed and its revision kept; that revision.
async fn kept(space: &Namespace) -> String {
    space
        .until_some("the revision is kept", || async {
            let found = space.get::<ZatoService>("greeting").await;
            let status = found.status?;
            let ready = condition(&status.conditions, "Ready")?;
            let is_current = ready.observed_generation == found.metadata.generation && ready.status == "True";
            let newest = status.revisions.first()?;
            (is_current && Some(&newest.revision) == status.revision.as_ref())
                .then(|| newest.revision.clone())
        })
        .await
}

async fn roll_back(space: &Namespace, revision: Option<&str>) {
    let patch = json!({"spec": {"rollbackTo": revision}});
    space.merge::<ZatoService>("greeting", &patch).await.unwrap();
}

/// The last revision that every server had is put back, also for a pod that starts; what failed is tried again when another
/// service brings what it lacked. A user goes back and forth by hand.
#[tokio::test]
async fn what_a_server_cannot_load_is_put_back() {
    let space = start("revisions", json!({})).await;
    until_ready(&space, "True", "Running").await;
    let first = kept(&space).await;
    set_code(&space, &code("other")).await;
    let second = kept(&space).await;
    let way = Way::to(&space, "service/c", 11223).await;
    space.until("the second answer", || way.answers("other")).await;

    let third = format!("import helper_of_story\n{}", code("third"));
    set_code(&space, &third).await;
    let told = format!("revision {second} takes its place");
    until_service_told(&space, "greeting", "Ready", "LoadFailed", &told).await;
    until_service_told(&space, "greeting", "Ready", "LoadFailed", "helper_of_story").await;
    assert!(way.answers("other").await);
    let old = space.get::<Pod>("c-server-0").await;
    space.remove::<Pod>("c-server-0").await;
    until_other_pod(&space, old.metadata.uid.as_deref()).await;
    let way = Way::to(&space, "service/c", 11223).await;
    assert!(way.answers("other").await, "a server that starts has it");
    until_service_told(&space, "greeting", "Ready", "LoadFailed", &told).await;

    let helper = service("helper", "c", &[("helper_of_story.py", "x = 1\n")]);
    space.create::<ZatoService>(&helper).await.unwrap();
    space.until("the third answer", || way.answers("third")).await;
    let third = kept(&space).await;

    roll_back(&space, Some(&first)).await;
    space.until("the first answer", || way.answers("first")).await;
    until_service_told(&space, "greeting", "Ready", "Deployed", "spec.rollbackTo").await;
    roll_back(&space, Some("0123456789abcdef")).await;
    until_service_told(
        &space,
        "greeting",
        "Ready",
        "RevisionNotKept",
        "0123456789abcdef of spec.rollbackTo is not kept",
    )
    .await;
    assert!(way.answers("first").await);
    roll_back(&space, None).await;
    space
        .until("the third answer again", || way.answers("third"))
        .await;
    until_service(&space, "greeting", "Ready", |ready| ready.status == "True").await;
    let status = space.get::<ZatoService>("greeting").await.status.unwrap();
    let all: Vec<_> = status.revisions.into_iter().map(|one| one.revision).collect();
    assert_eq!(all, [third, second, first]);

    space.remove::<ZatoService>("greeting").await;
    let label = ListParams::default().labels("app.kubernetes.io/component=revision");
    space
        .until("kept revisions go with their service", || async {
            let left = space.api::<ConfigMap>().list(&label).await.unwrap();
            // The helper's.
            left.items.len() == 1
        })
        .await;
    space.delete().await;
}
