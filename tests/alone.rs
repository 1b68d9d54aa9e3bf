//! Stories that need an API server and no pods: `dev/cluster/alone.sh` starts one, and each story starts the operator as a
//! process of its own. One after another: every operator looks after all namespaces. `make e2e` runs them.

#![allow(clippy::unwrap_used, dead_code)]

mod support;
#[path = "support/webhook.rs"]
mod webhook;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace as CoreNamespace, PersistentVolumeClaim, Secret, Service,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::{CustomResourceExt, ResourceExt};
use serde_json::{Value, json};
use support::process::Process;
use support::schema::Edit;
use support::{
    Namespace, client, cluster, hook, install_definitions, kubeconfig, schema, service, settled, until,
    until_ready, until_told,
};
use webhook::Webhook;
use zato_operator::api::{ZatoCluster, ZatoService};

const GOOD: &str = "from zato.server.service import Service\n\nclass A(Service):\n    name = 'api.a'\n";

/// The same for all: the Lease of one that was killed is taken at once.
const IDENTITY: &str = "alone";

/// What an operator answers on a path of its health address: status and text.
async fn health(operator: &Process, path: &str) -> (u16, String) {
    match reqwest::get(format!("http://127.0.0.1:{}{path}", operator.port)).await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(_) => (0, String::new()),
    }
}

/// Whether a spec of the kinds that the API server publishes has a field; none: it publishes nothing yet.
async fn publishes(field: &str) -> Option<bool> {
    let request = http::Request::get("/openapi/v3/apis/zato.io/v1alpha1").body(vec![]);
    let document: Value = client().await.request(request.unwrap()).await.ok()?;
    let mut schemas = document["components"]["schemas"].as_object()?.values();
    Some(schemas.any(|schema| !schema["properties"]["spec"]["properties"][field].is_null()))
}

/// A definition of an older version is told before anything is done, and what it lacks.
#[tokio::test]
async fn an_older_definition_is_told() {
    install_definitions().await;
    let api = Api::<CustomResourceDefinition>::all(client().await);
    let mut older = serde_json::to_value(ZatoCluster::crd()).unwrap();
    let spec = &mut older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    spec["properties"]
        .as_object_mut()
        .unwrap()
        .remove("config")
        .unwrap();
    let params = PatchParams::apply("test").force();
    api.patch("zatoclusters.zato.io", &params, &Patch::Apply(&older))
        .await
        .unwrap();
    // What is published follows: an operator that found the newer one would not look again.
    until("the older definition", || async {
        publishes("config").await == Some(false)
    })
    .await;
    let operator = Process::start(&kubeconfig(), IDENTITY);
    until("the missing field told", || async {
        let (status, text) = health(&operator, "/readyz").await;
        status == 503
            && text.contains("zatoclusters.zato.io is older than this operator: it lacks spec.config")
    })
    .await;
    install_definitions().await;
    until("ready", || async { health(&operator, "/readyz").await.0 == 200 }).await;
}

/// Every field of the schemas set to another value, to a refused one, and back: the children end as those of an object
/// that was never touched. What others added to children stays.
#[tokio::test]
async fn edits_there_and_back() {
    install_definitions().await;
    let _operator = Process::start(&kubeconfig(), IDENTITY);
    let space = Namespace::new("edits").await;
    for name in ["edited", "fresh"] {
        space
            .create::<ZatoCluster>(&cluster(name, json!({})))
            .await
            .unwrap();
        let code = service(name, name, &[("a.py", GOOD)]);
        space.create::<ZatoService>(&code).await.unwrap();
        space.there::<StatefulSet>(&format!("{name}-server")).await;
    }
    let foreign = json!({"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}, "finalizers": ["example.com/mine"]}});
    space.merge::<Service>("edited", &foreign).await.unwrap();

    let edits = edit_cluster(&space).await + edit_service(&space).await;
    assert!(edits >= 16, "{edits} fields");

    space
        .until("the same children", || async {
            children(&space, "edited").await == children(&space, "fresh").await
        })
        .await;
    let service = space.get::<Service>("edited").await;
    assert_eq!(
        (
            service.labels()["team"].as_str(),
            service.annotations()["note"].as_str()
        ),
        ("a", "b")
    );
    assert_eq!(service.finalizers(), ["example.com/mine"]);
    space
        .merge::<Service>("edited", &json!({"metadata": {"finalizers": null}}))
        .await
        .unwrap();
    space.delete().await;
}

async fn edit_cluster(space: &Namespace) -> usize {
    let edits = schema::edits::<ZatoCluster>();
    let set =
        async |edit: &Edit, value: &Value| space.merge::<ZatoCluster>("edited", &edit.patch(value)).await;
    for edit in &edits {
        let changed = set(edit, &edit.other).await;
        assert_eq!(changed.is_err(), edit.is_immutable, "{}: {changed:?}", edit.path);
        settled(space, "edited").await;
        assert!(
            set(edit, &edit.refused).await.is_err(),
            "{} was accepted as {}",
            edit.path,
            edit.refused
        );
        set(edit, &Value::Null).await.unwrap();
        settled(space, "edited").await;
    }
    edits.len()
}

async fn edit_service(space: &Namespace) -> usize {
    let edits = schema::edits::<ZatoService>();
    for edit in &edits {
        let before = space.get::<ZatoService>("edited").await.spec;
        let changed = space
            .merge::<ZatoService>("edited", &edit.patch(&edit.other))
            .await;
        assert_eq!(changed.is_err(), edit.is_immutable, "{}: {changed:?}", edit.path);
        let refused = space
            .merge::<ZatoService>("edited", &edit.patch(&edit.refused))
            .await;
        assert!(refused.is_err(), "{} was accepted as {}", edit.path, edit.refused);
        let back = json!({"spec": {"clusterRef": before.cluster_ref, "openapi": null, "source": {"inline": {"b.py": null, "a.py": GOOD}}}});
        space.merge::<ZatoService>("edited", &back).await.unwrap();
    }
    edits.len()
}

/// The children of a cluster without what differs from object to object.
async fn children(space: &Namespace, cluster: &str) -> Vec<String> {
    let mut all = vec![];
    all.extend(normal::<StatefulSet>(space, cluster).await);
    all.extend(normal::<Service>(space, cluster).await);
    all.extend(normal::<ConfigMap>(space, cluster).await);
    all.extend(normal::<PersistentVolumeClaim>(space, cluster).await);
    all
}

async fn normal<K: support::Kind>(space: &Namespace, cluster: &str) -> Vec<String> {
    let selector = ListParams::default().labels(&format!("app.kubernetes.io/instance={cluster}"));
    let mut found = vec![];
    for object in space.api::<K>().list(&selector).await.unwrap().items {
        let mut value = serde_json::to_value(object).unwrap();
        value.as_object_mut().unwrap().remove("status");
        let metadata = value["metadata"].as_object_mut().unwrap();
        for of_its_own in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "managedFields",
            "generation",
            "finalizers",
            "ownerReferences",
        ] {
            metadata.remove(of_its_own);
        }
        let annotations = metadata.remove("annotations").unwrap_or_default();
        assert!(
            annotations
                .get("kubectl.kubernetes.io/last-applied-configuration")
                .is_none()
        );
        metadata["labels"].as_object_mut().unwrap().remove("team");
        for address in ["clusterIP", "clusterIPs"] {
            if let Some(spec) = value["spec"].as_object_mut() {
                spec.remove(address);
            }
        }
        found.push(value.to_string().replace(cluster, "NAME"));
    }
    found
}

/// A webhook that says no to a child is told with its words. (tests/trouble.rs has one that nobody answers.)
#[tokio::test]
async fn a_webhook_that_says_no() {
    install_definitions().await;
    let _operator = Process::start(&kubeconfig(), IDENTITY);
    let space = Namespace::new("no").await;
    let webhook = Webhook::start("services cost money here").await;
    let url = format!("https://{}/", webhook.address);
    hook::register(&space, json!({"url": url, "caBundle": webhook.authority})).await;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    until_ready(&space, "False", "AdmissionDenied").await;
    let said = "admission webhook \"refuses.example.com\" denied the request: services cost money here";
    // That it did not answer in time is told, too.
    let message = until_told(&space, said).await;
    assert!(message.starts_with("Service c-server: "), "{message}");
    hook::remove(&space).await;
    space.there::<StatefulSet>("c-server").await;
    space.delete().await;
}

/// However a user takes things away: nothing hangs, children go, data and keys stay unless their namespace goes.
#[tokio::test]
async fn uninstalled_in_any_order() {
    install_definitions().await;
    let operator = Process::start(&kubeconfig(), IDENTITY);

    let space = Namespace::new("cluster-first").await;
    make(&space).await;
    space.remove::<ZatoCluster>("c").await;
    only_data_is_left(&space).await;
    space.delete().await;

    let space = Namespace::new("operator-first").await;
    make(&space).await;
    operator.signal("TERM");
    until("the end of the operator", || async {
        health(&operator, "/healthz").await.0 == 0
    })
    .await;
    space.remove::<ZatoCluster>("c").await;
    only_data_is_left(&space).await;
    space.delete().await;

    let mut operator = Process::start(&kubeconfig(), IDENTITY);
    let space = Namespace::new("definition-first").await;
    make(&space).await;
    let api = Api::<CustomResourceDefinition>::all(client().await);
    api.delete("zatoclusters.zato.io", &DeleteParams::background())
        .await
        .unwrap();
    // One that is on its way out would take what is applied to it along.
    until("the end of the definition", || async {
        api.get_opt("zatoclusters.zato.io").await.unwrap().is_none()
    })
    .await;
    only_data_is_left(&space).await;
    assert!(operator.runs(), "an operator without a definition waits for it");
    install_definitions().await;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    space.there::<StatefulSet>("c-server").await;
    space.delete().await;

    let space = Namespace::new("namespace-first").await;
    make(&space).await;
    let name = space.name().to_owned();
    space.delete().await;
    until("the end of the namespace", || async {
        Api::<CoreNamespace>::all(client().await)
            .get_opt(&name)
            .await
            .unwrap()
            .is_none()
    })
    .await;
}

async fn make(space: &Namespace) {
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    space
        .create::<ZatoService>(&service("s", "c", &[("a.py", GOOD)]))
        .await
        .unwrap();
    space.there::<StatefulSet>("c-server").await;
}

async fn only_data_is_left(space: &Namespace) {
    space
        .until("the end of the children", || async {
            let services = space.api::<Service>().list(&ListParams::default()).await.unwrap();
            space.find::<StatefulSet>("c-server").await.is_none()
                && space.find::<Secret>("c-agent").await.is_none()
                && space.find::<ConfigMap>("c-code-0").await.is_none()
                && services.items.is_empty()
        })
        .await;
    assert!(space.find::<Secret>("c-zato").await.is_some());
    assert!(space.find::<PersistentVolumeClaim>("c-data").await.is_some());
}

/// An operator that looks after one namespace does nothing in another one.
#[tokio::test]
async fn only_watched_namespaces_are_looked_after() {
    install_definitions().await;
    let (mine, other) = (
        Namespace::new("watched").await,
        Namespace::new("not-watched").await,
    );
    let _operator = Process::start_with(&kubeconfig(), IDENTITY, &[("WATCH_NAMESPACES", mine.name())]);
    for space in [&other, &mine] {
        space
            .create::<ZatoCluster>(&cluster("c", json!({})))
            .await
            .unwrap();
    }
    settled(&mine, "c").await;
    mine.there::<StatefulSet>("c-server").await;
    let config_map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a.py": GOOD}});
    mine.create::<ConfigMap>(&config_map).await.unwrap();
    let object = json!({"apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "s"},
        "spec": {"clusterRef": {"name": "c"}, "source": {"configMaps": [{"name": "m"}]}}});
    mine.create::<ZatoService>(&object).await.unwrap();
    mine.until("the code", || async {
        let shard = mine.find::<ConfigMap>("c-code-0").await;
        shard
            .and_then(|shard| shard.data)
            .is_some_and(|data| data.contains_key("a.py"))
    })
    .await;
    assert!(other.get::<ZatoCluster>("c").await.status.is_none());
    assert!(other.find::<Secret>("c-zato").await.is_none());
    mine.delete().await;
    other.delete().await;
}
