//! The operator, installed by its chart, against a real API server. `make e2e` brings both up.
//!
//! These stories run no pod on purpose: what they look at is what the operator writes.

// Helpers of tests are tests, too; a story may be as long as it is. Not every story uses every word.
#![allow(clippy::unwrap_used, clippy::too_many_lines, dead_code)]

mod support;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use support::{Namespace, cluster, condition, service, until_service, until_service_told};
use zato_operator::api::{ZatoCluster, ZatoService};

const GOOD: &str = "from zato.server.service import Service\n\nclass A(Service):\n    name = 'api.a'\n";

/// A cluster whose pod never starts: its volume has a class that does not exist.
fn waiting(name: &str) -> Value {
    cluster(
        name,
        json!({"database": {"sqlite": {"storage": {"storageClassName": "none-such"}}}}),
    )
}

/// A child that is deleted or edited comes back; what users add to it stays; nothing is written without a reason.
#[tokio::test]
async fn children_are_kept_as_wanted() {
    let space = Namespace::new("children").await;
    space.create::<ZatoCluster>(&waiting("c")).await.unwrap();
    space.there::<StatefulSet>("c-server").await;

    let mine = json!({"metadata": {"labels": {"team": "a"}, "annotations": {"note": "mine"}}});
    space.merge::<Service>("c", &mine).await.unwrap();
    space
        .merge::<Service>("c", &json!({"spec": {"publishNotReadyAddresses": false}}))
        .await
        .unwrap();
    let is_back = |s: Service| s.spec.unwrap().publish_not_ready_addresses == Some(true);
    space
        .until("the edit undone", || async {
            is_back(space.get::<Service>("c").await)
        })
        .await;
    let service = space.get::<Service>("c").await;
    assert_eq!(
        (
            service.labels()["team"].as_str(),
            service.annotations()["note"].as_str()
        ),
        ("a", "mine")
    );

    let old = space.get::<StatefulSet>("c-server").await.uid();
    space.remove::<StatefulSet>("c-server").await;
    space
        .until("the StatefulSet again", || async {
            space
                .find::<StatefulSet>("c-server")
                .await
                .is_some_and(|s| s.uid() != old)
        })
        .await;

    space
        .merge::<ZatoCluster>("c", &json!({"spec": {"dashboard": {"enabled": false}}}))
        .await
        .unwrap();
    space
        .until("the dashboard's Service gone", || async {
            space.find::<Service>("c-dashboard").await.is_none()
        })
        .await;
    space.delete().await;
}

/// The code travels in the shard; a syntax error is told with its place and leaves what was there.
#[tokio::test]
async fn code_travels_and_bad_code_does_not() {
    let space = Namespace::new("code").await;
    space.create::<ZatoCluster>(&waiting("c")).await.unwrap();
    space
        .create::<ZatoService>(&service("s", "c", &[("a.py", GOOD)]))
        .await
        .unwrap();
    let text = || async {
        space
            .find::<ConfigMap>("c-code-0")
            .await?
            .data?
            .get("a.py")
            .cloned()
    };
    space
        .until("the code in the shard", || async {
            text().await.as_deref() == Some(GOOD)
        })
        .await;

    space
        .merge::<ZatoService>(
            "s",
            &json!({"spec": {"source": {"inline": {"a.py": "def f(:\n"}}}}),
        )
        .await
        .unwrap();
    let refused = until_service_told(&space, "s", "Ready", "SyntaxError", "").await;
    assert!(refused.message.starts_with("a.py:1:7: "), "{refused:?}");
    space
        .until("the cluster's condition", || async {
            let status = space.get::<ZatoCluster>("c").await.status.unwrap_or_default();
            condition(&status.conditions, "ServicesLoaded").is_some_and(|c| c.reason == "SomeFailed")
        })
        .await;
    assert_eq!(text().await.as_deref(), Some(GOOD));

    let better = GOOD.replace("api.a", "api.b");
    space
        .merge::<ZatoService>("s", &json!({"spec": {"source": {"inline": {"a.py": better}}}}))
        .await
        .unwrap();
    space
        .until("the mended code", || async {
            text().await.as_deref() == Some(better.as_str())
        })
        .await;
    let missing = service("lost", "nobody", &[("b.py", GOOD)]);
    space.create::<ZatoService>(&missing).await.unwrap();
    until_service_told(&space, "lost", "Ready", "ClusterNotFound", "").await;
    space.delete().await;
}

/// Code from ConfigMaps: what lacks is told and comes as soon as it is there; a change travels; what is no file is told;
/// more than one shard is used when one is full.
#[tokio::test]
async fn code_comes_from_config_maps() {
    let space = Namespace::new("sources").await;
    space.create::<ZatoCluster>(&waiting("c")).await.unwrap();
    let object = json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "s"},
        "spec": {"clusterRef": {"name": "c"}, "source": {"configMaps": [{"name": "one"}, {"name": "two"}]}},
    });
    space.create::<ZatoService>(&object).await.unwrap();
    let config_map = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data});
    space
        .create::<ConfigMap>(&config_map("one", json!({"one.py": GOOD})))
        .await
        .unwrap();
    let told = async |reason: &str, message: &str| {
        until_service_told(&space, "s", "Ready", reason, message).await;
    };
    told("ConfigMapNotFound", "ConfigMap two of spec.source does not exist").await;
    space
        .create::<ConfigMap>(&config_map("two", json!({"notes.txt": ""})))
        .await
        .unwrap();
    told(
        "SourceInvalid",
        "ConfigMap two: notes.txt is no Python module name",
    )
    .await;
    space
        .merge::<ConfigMap>("two", &json!({"data": {"notes.txt": null, "one.py": "x = 1\n"}}))
        .await
        .unwrap();
    told(
        "SourceInvalid",
        "ConfigMap two: one.py is also a key of ConfigMap one",
    )
    .await;

    let filler: std::collections::BTreeMap<_, _> = (0..5)
        .map(|n| {
            (
                format!("filler_{n}.py"),
                Some(format!("x = '{}'\n", "#".repeat(200_000))),
            )
        })
        .chain([("one.py".to_owned(), None), ("notes.txt".to_owned(), None)])
        .collect();
    space
        .merge::<ConfigMap>("two", &json!({"data": filler}))
        .await
        .unwrap();
    let text = async |shard: &str, file: &str| space.find::<ConfigMap>(shard).await?.data?.get(file).cloned();
    space
        .until("the code in the first shard", || async {
            text("c-code-0", "filler_0.py").await.is_some()
        })
        .await;
    let edited = GOOD.replace("api.a", "api.b") + &format!("# {}\n", "#".repeat(150_000));
    space
        .merge::<ConfigMap>("one", &json!({"data": {"one.py": edited}}))
        .await
        .unwrap();
    space
        .until("the edited file in the second shard", || async {
            text("c-code-1", "one.py").await.as_deref() == Some(&edited)
        })
        .await;
    space
        .until("the file out of the first shard", || async {
            text("c-code-0", "one.py").await.is_none()
        })
        .await;
    space
        .merge::<ConfigMap>("one", &json!({"data": {"one.py": GOOD}}))
        .await
        .unwrap();
    space
        .until("the small file where it was", || async {
            text("c-code-1", "one.py").await.as_deref() == Some(GOOD)
        })
        .await;
    space.remove::<ConfigMap>("one").await;
    told("ConfigMapNotFound", "ConfigMap one of spec.source does not exist").await;
    assert_eq!(
        text("c-code-1", "one.py").await.as_deref(),
        Some(GOOD),
        "the last version is kept"
    );
    space.delete().await;
}

/// A change that breaks callers is deployed and told, with both sides; with `Refuse` the version before stays, until the
/// change or the policy does.
#[tokio::test]
async fn a_breaking_change_is_told_or_refused() {
    let space = Namespace::new("breaks").await;
    space.create::<ZatoCluster>(&waiting("c")).await.unwrap();
    let version = |input: &str| format!("{GOOD}    input = {input}\n");
    space
        .create::<ZatoService>(&service("s", "c", &[("a.py", &version("'x'"))]))
        .await
        .unwrap();
    let set = async |policy: &str, text: &str| {
        let patch = json!({"spec": {"source": {"inline": {"a.py": text}}, "openapi": {"breakingChangePolicy": policy}}});
        space.merge::<ZatoService>("s", &patch).await.unwrap();
    };
    let deployed = async |text: &str| {
        space
            .until(text, || async {
                let data = space
                    .find::<ConfigMap>("c-code-0")
                    .await
                    .and_then(|shard| shard.data);
                data.is_some_and(|data| data.get("a.py").is_some_and(|found| found == text))
            })
            .await;
    };
    let told = async |kind: &str, reason: &str, message: &str| {
        until_service_told(&space, "s", kind, reason, message).await;
    };
    deployed(&version("'x'")).await;
    told("Compatible", "NothingBroken", "").await;

    let sides = "api.a: RequiredInputAdded: y: none -> required string";
    set("Warn", &version("'x', 'y'")).await;
    deployed(&version("'x', 'y'")).await;
    told("Compatible", "BreakingChange", sides).await;
    told("Ready", "ClusterNotReady", "").await;

    set("Refuse", &version("'x', 'y', 'z_id'")).await;
    let sides = "api.a: RequiredInputAdded: z_id: none -> required integer";
    told("Ready", "BreakingChange", sides).await;
    told("Compatible", "BreakingChange", "not deployed").await;
    deployed(&version("'x', 'y'")).await;

    let compatible = version("'x', 'y', '-z_id'");
    set("Refuse", &compatible).await;
    deployed(&compatible).await;
    told("Compatible", "NothingBroken", "").await;
    // The change that was refused, and then allowed.
    set("Refuse", &version("'x', 'y', 'z_id'")).await;
    told(
        "Ready",
        "BreakingChange",
        "z_id: optional integer -> required integer",
    )
    .await;
    set("Warn", &version("'x', 'y', 'z_id'")).await;
    deployed(&version("'x', 'y', 'z_id'")).await;
    told("Compatible", "BreakingChange", "InputBecameRequired").await;
    space.delete().await;
}

/// A file name by which Zato touches its own files is a warning.
#[tokio::test]
async fn an_unsafe_file_name_is_told() {
    let space = Namespace::new("names").await;
    space
        .create::<ZatoService>(&service("s", "nobody", &[("api.py", GOOD)]))
        .await
        .unwrap();
    until_service(&space, "s", "FileNamesSafe", |c| {
        c.status == "False" && c.message.starts_with("api.py: ")
    })
    .await;
    space.delete().await;
}

/// Keys and data outlive the cluster and are taken up again; a lost key is told and never made anew.
#[tokio::test]
async fn keys_and_data_are_never_lost() {
    let space = Namespace::new("keys").await;
    space.create::<ZatoCluster>(&waiting("c")).await.unwrap();
    // The last one that is made.
    space.there::<StatefulSet>("c-server").await;
    let secret = space.get::<Secret>("c-zato").await;
    space.remove::<ZatoCluster>("c").await;
    space
        .until("the children gone", || async {
            space.find::<StatefulSet>("c-server").await.is_none()
        })
        .await;
    assert_eq!(space.get::<Secret>("c-zato").await.data, secret.data);
    let claim = space.get::<PersistentVolumeClaim>("c-data").await;
    // Creation times are whole seconds: within the same one an older claim cannot be told.
    let made = claim.creation_timestamp().unwrap().0;
    space
        .until("another second", || async {
            Timestamp::now().as_second() > made.as_second()
        })
        .await;
    let claim = claim.uid();

    space.create::<ZatoCluster>(&waiting("c")).await.unwrap();
    space.there::<StatefulSet>("c-server").await;
    assert_eq!(space.get::<Secret>("c-zato").await.data, secret.data);
    assert_eq!(space.get::<PersistentVolumeClaim>("c-data").await.uid(), claim);
    space
        .until("the adoption told", || async {
            let status = space.get::<ZatoCluster>("c").await.status.unwrap_or_default();
            condition(&status.conditions, "DataAdopted")
                .is_some_and(|c| c.status == "True" && c.message.contains("c-data"))
        })
        .await;

    space.remove::<Secret>("c-zato").await;
    let reason = || async {
        let status = space.get::<ZatoCluster>("c").await.status.unwrap_or_default();
        condition(&status.conditions, "Ready").map(|c| c.reason)
    };
    space
        .until("the lost key told", || async {
            reason().await.as_deref() == Some("KeyMissing")
        })
        .await;
    assert!(space.find::<Secret>("c-zato").await.is_none());
    let back = Secret {
        metadata: kube::core::ObjectMeta {
            resource_version: None,
            uid: None,
            managed_fields: None,
            ..secret.metadata
        },
        ..secret
    };
    space
        .create::<Secret>(&serde_json::to_value(back).unwrap())
        .await
        .unwrap();
    space
        .until("the restored key taken", || async {
            reason().await.as_deref() == Some("Unschedulable")
        })
        .await;
    space.delete().await;
}

/// Two clusters of one namespace have nothing in common, and what is somebody else's is never taken.
#[tokio::test]
async fn clusters_and_strangers_are_left_alone() {
    let space = Namespace::new("two").await;
    let stranger = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b-load-balancer"}, "data": {"k": "v"}});
    space.create::<ConfigMap>(&stranger).await.unwrap();
    for name in ["a", "b"] {
        space.create::<ZatoCluster>(&waiting(name)).await.unwrap();
    }
    space
        .until("the taken name told", || async {
            let status = space.get::<ZatoCluster>("b").await.status.unwrap_or_default();
            condition(&status.conditions, "Ready")
                .is_some_and(|c| c.reason == "NameTaken" && c.message.contains("b-load-balancer"))
        })
        .await;
    let data = space.get::<ConfigMap>("b-load-balancer").await.data.unwrap();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["k"]);
    space.there::<StatefulSet>("a-server").await;

    space.remove::<ConfigMap>("b-load-balancer").await;
    space.there::<StatefulSet>("b-server").await;
    let key = |s: Secret| s.data.unwrap()["key1"].0.clone();
    assert_ne!(
        key(space.get::<Secret>("a-zato").await),
        key(space.get::<Secret>("b-zato").await)
    );
    space.remove::<ZatoCluster>("b").await;
    space
        .until("b gone", || async {
            space.find::<StatefulSet>("b-server").await.is_none()
        })
        .await;
    assert!(space.find::<StatefulSet>("a-server").await.is_some());
    space.delete().await;
}

/// Every example is accepted, and the same again changes nothing.
#[tokio::test]
async fn examples_can_be_applied_twice() {
    let space = Namespace::new("examples").await;
    let (clusters, services, needed) = support::examples();
    assert!(!clusters.is_empty() && !services.is_empty());
    let params = PatchParams::apply("test").force();
    for object in &needed {
        space.apply(object).await;
    }
    let mut before = vec![];
    for round in 0..2 {
        let mut seen = vec![];
        for object in &clusters {
            let object = space
                .api::<ZatoCluster>()
                .patch(&object.name_any(), &params, &Patch::Apply(object))
                .await
                .unwrap();
            seen.push((object.name_any(), object.metadata.generation));
        }
        for object in &services {
            let object = space
                .api::<ZatoService>()
                .patch(&object.name_any(), &params, &Patch::Apply(object))
                .await
                .unwrap();
            seen.push((object.name_any(), object.metadata.generation));
        }
        if round == 1 {
            assert_eq!(before, seen);
        }
        before = seen;
    }
    for object in &services {
        space
            .until("every example's code is valid", || async {
                let status = space
                    .get::<ZatoService>(&object.name_any())
                    .await
                    .status
                    .unwrap_or_default();
                // The git server of an example is nowhere: tests/git.rs has one.
                let waits = ["ClusterNotReady", "Deploying", "Deployed", "GitUnreachable"];
                condition(&status.conditions, "Ready").is_some_and(|c| waits.contains(&c.reason.as_str()))
            })
            .await;
    }
    space.delete().await;
}
