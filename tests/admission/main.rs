//! What the schemas refuse and accept, on a real API server. No operator is needed.

// Helpers of tests are tests, too; a story may be as long as it is. Not every story uses every word.
#![allow(clippy::unwrap_used, clippy::too_many_lines, dead_code)]

mod channels;
mod distributed;
mod refused;
#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::{Namespace, cluster, install_definitions, service};
use zato_operator::api::{ZatoCluster, ZatoService};

const GOOD: &str = "from zato.server.service import Service\n\nclass A(Service):\n    name = 'api.a'\n";

/// The API server refuses to make an object, and says why.
async fn is_refused<K: support::Kind>(space: &Namespace, object: &Value, why: &str) {
    let error = space.create::<K>(object).await.unwrap_err().to_string();
    assert!(error.contains(why), "{object}: {error}");
}

/// The same of a change.
async fn change_is_refused<K: support::Kind>(space: &Namespace, name: &str, patch: &Value, why: &str) {
    let error = space.merge::<K>(name, patch).await.unwrap_err().to_string();
    assert!(error.contains(why), "{patch}: {error}");
}

/// What is at the limit of each rule is accepted, and gets its defaults.
#[tokio::test]
async fn the_schema_accepts() {
    install_definitions().await;
    let space = Namespace::new("accept").await;
    let name = "a-name-of-thirty-five-characters-ok";
    assert_eq!(name.len(), 35);
    space
        .create::<ZatoCluster>(&cluster(name, json!({})))
        .await
        .unwrap();
    let found = space.get::<ZatoCluster>(name).await;
    assert_eq!(found.spec.database.sqlite, None);
    assert_eq!(
        (found.spec.servers.replicas, found.spec.load_balancer.replicas),
        (1, 1)
    );
    assert!(found.spec.scheduler.enabled && found.spec.dashboard.enabled);
    let spec = json!({
        "topology": "Quickstart", "image": "Registry.example.com:5000/a_b/zato:3.2-X@sha256:00", "imagePullPolicy": "Never", "imagePullSecrets": [{"name": "a"}, {"name": "b"}],
        "database": {"sqlite": {"storage": {"size": "1.5Gi", "storageClassName": "none-such"}}},
        "scheduler": {"enabled": false}, "dashboard": {"enabled": false},
        "paused": false, "stopped": true, "deletionPolicy": "Delete",
        "startupCallables": [
            {"name": "my_startup.f", "configMapKeyRef": {"name": "m", "key": "my_startup.py"}, "phases": ["FSConfigOnly", "AfterStarted"],
             "failurePolicy": "Ignore", "timeoutSeconds": 600},
            {"name": "package.module.Class"},
        ],
        "config": {"server.conf": {"misc": {"http_server_header": "Acme"}}, "sso.conf": {"signup": {"is_approval_needed": "False"}}},
    });
    space.create::<ZatoCluster>(&cluster("full", spec)).await.unwrap();
    space
        .create::<ZatoService>(&service("s", "full", &[("_a1.py", GOOD), ("b.py", "")]))
        .await
        .unwrap();
    let openapi = space.get::<ZatoService>("s").await.spec.openapi;
    assert_eq!(openapi.tags, ["public"]);
    let mut long = service(&"s".repeat(200), "full", &[("a.py", GOOD)]);
    long["spec"]["openapi"] = json!({"tags": ["public", "in-house"], "breakingChangePolicy": "Refuse"});
    space.create::<ZatoService>(&long).await.unwrap();
    for (name, git) in [
        ("least", json!({"url": "https://git.example.com/a"})),
        (
            "most",
            json!({"url": "https://git.example.com:8443/~ada/a_b+c/..git/.github", "ref": "refs/tags/v1.0@2#x", "path": "a b/..c",
                "secretRef": {"name": "s"}, "caConfigMapRef": {"name": "m"}, "interval": "24h"}),
        ),
    ] {
        let object = json!({"apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": name},
            "spec": {"clusterRef": {"name": "c"}, "source": {"git": git}}});
        space.create::<ZatoService>(&object).await.unwrap();
    }
    let git = space.get::<ZatoService>("least").await.spec.source.git.unwrap();
    assert_eq!((git.reference.as_str(), git.interval.as_str()), ("HEAD", "1m"));
    space.delete().await;
}

/// What cannot be changed is refused when it is set, changed or taken away.
#[tokio::test]
async fn immutable_fields_stay() {
    install_definitions().await;
    let space = Namespace::new("immutable").await;
    let size = |size: &str| json!({"database": {"sqlite": {"storage": {"size": size}}}});
    space
        .create::<ZatoCluster>(&cluster("c", size("1Gi")))
        .await
        .unwrap();
    space
        .create::<ZatoService>(&service("s", "c", &[("a.py", GOOD)]))
        .await
        .unwrap();
    let class = json!({"spec": {"database": {"sqlite": {"storage": {"storageClassName": "other"}}}}});
    change_is_refused::<ZatoCluster>(&space, "c", &class, "storageClassName is immutable").await;
    let reference = json!({"spec": {"clusterRef": {"name": "other"}}});
    change_is_refused::<ZatoService>(&space, "s", &reference, "clusterRef is immutable").await;
    space.delete().await;
}
