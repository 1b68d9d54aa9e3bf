//! Startup callables in pods: those of Zato's article, and those that fail. `make e2e` brings everything up.

// Helpers of tests are tests, too; a story may be as long as it is. Not every story uses every word.
#![allow(clippy::unwrap_used, clippy::too_many_lines, dead_code)]

mod support;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Service};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use support::way::Way;
use support::{Namespace, cluster, condition, until_other_pod, until_ready, until_service, until_told};
use zato_operator::api::startup::CallableStatus;
use zato_operator::api::{ZatoCluster, ZatoService};

/// A file of the example, for the cluster "c" and with the image of the node.
fn example(file: &str) -> Value {
    let path = format!("{}/examples/startup-callables/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let text = text
        .replace("name: started", "name: c")
        .replace("busybox:1.37", "registry.local/busybox:1");
    serde_saphyr::from_str(&text).unwrap()
}

fn module(text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code"}, "data": {"m.py": text}})
}

fn callable(function: &str, more: &Value) -> Value {
    let mut callable =
        json!({"name": format!("m.{function}"), "configMapKeyRef": {"name": "code", "key": "m.py"}});
    callable
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    callable
}

async fn set_module(space: &Namespace, text: &str) {
    space
        .merge::<ConfigMap>("code", &json!({"data": {"m.py": text}}))
        .await
        .unwrap();
}

async fn outcomes(space: &Namespace) -> Vec<CallableStatus> {
    let status = space.get::<ZatoCluster>("c").await.status.unwrap();
    status.servers[0].startup_callables.clone()
}

async fn until_callables(space: &Namespace, reason: &str, words: &str) {
    space
        .until(&format!("CallablesPassed: {reason}, {words}"), || async {
            let status = space.get::<ZatoCluster>("c").await.status;
            let found = status.and_then(|status| condition(&status.conditions, "CallablesPassed"));
            found.is_some_and(|found| found.reason == reason && found.message.contains(words))
        })
        .await;
}

async fn server_header(way: &Way) -> Option<String> {
    let answer = reqwest::get(format!("{}/zato/ping", way.url())).await.ok()?;
    Some(answer.headers().get("server")?.to_str().ok()?.to_owned())
}

/// One asks a remote resource for a setting of server.conf before the configuration is used; one makes a cache that services
/// use. A changed module restarts the server, in the order of the list.
#[tokio::test]
async fn callables_of_the_article() {
    let space = Namespace::new("callables").await;
    space
        .create::<ConfigMap>(&example("settings.yaml"))
        .await
        .unwrap();
    space
        .create::<Service>(&example("settings-service.yaml"))
        .await
        .unwrap();
    space.create::<Pod>(&example("settings-pod.yaml")).await.unwrap();
    space.create::<ConfigMap>(&example("code.yaml")).await.unwrap();
    space
        .create::<ZatoCluster>(&example("cluster.yaml"))
        .await
        .unwrap();
    space
        .create::<ZatoService>(&example("service.yaml"))
        .await
        .unwrap();
    until_ready(&space, "True", "Running").await;
    until_callables(&space, "AllPassed", "2 startup callables passed").await;
    let told: Vec<_> = outcomes(&space)
        .await
        .into_iter()
        .map(|found| (found.name, found.phase, found.outcome))
        .collect();
    let passed = |name: &str, phase: &str| (name.to_owned(), phase.to_owned(), "Passed".to_owned());
    assert_eq!(
        told,
        [
            passed("my_startup.update_fs_config", "FSConfigOnly"),
            passed("my_startup.create_cache", "AfterStarted")
        ]
    );
    until_service(&space, "counter", "Ready", |ready| ready.status == "True").await;
    let way = Way::to(&space, "service/c", 11223).await;
    assert_eq!(server_header(&way).await.as_deref(), Some("Acme"));
    for count in 1..=2 {
        let (status, body) = way.get("/zato/api/invoke/api.counter").await;
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        assert_eq!((status, &body["call_count"]), (200, &json!(count)), "{body}");
    }
    drop(way);

    // Another module is another pod; the database with the cache stays.
    let before = space.get::<Pod>("c-server-0").await.metadata.uid;
    let text = example("code.yaml")["data"]["my_startup.py"]
        .as_str()
        .unwrap()
        .replace("= header", "= header + ' 2'");
    space
        .merge::<ConfigMap>("my-startup", &json!({"data": {"my_startup.py": text}}))
        .await
        .unwrap();
    until_other_pod(&space, before.as_deref()).await;
    until_ready(&space, "True", "Running").await;
    until_callables(&space, "AllPassed", "").await;
    let way = Way::to(&space, "service/c", 11223).await;
    assert_eq!(server_header(&way).await.as_deref(), Some("Acme 2"));
    space
        .until("the cache", || async {
            way.get("/zato/api/invoke/api.counter").await.0 == 200
        })
        .await;
    drop(way);
    // What older pods mounted is not kept.
    space
        .until("one ConfigMap with callables", || async {
            let maps = space
                .api::<ConfigMap>()
                .list(&ListParams::default())
                .await
                .unwrap();
            let startup = maps
                .items
                .iter()
                .filter(|map| map.name_any().starts_with("c-startup-"));
            startup.count() == 1
        })
        .await;
    space.delete().await;
}

/// One that must pass keeps the server from Ready, with module, function, phase, exception and line, in a phase of the master
/// process and in one of its worker; a server that cannot start starts no workers for ever. Mended, it heals. One that may
/// fail is told by a condition and an event. One that hangs is ended, one that is not there is told.
#[tokio::test]
async fn a_callable_that_fails() {
    let space = Namespace::new("failing").await;
    let config = json!({"startupCallables": [callable("f", &json!({"phases": ["FSConfigOnly"]}))]});
    space.create::<ZatoCluster>(&cluster("c", config)).await.unwrap();
    until_told(
        &space,
        "ConfigMap code of spec.startupCallables does not exist: create it",
    )
    .await;
    space.create::<ConfigMap>(&module("def f(:\n")).await.unwrap();
    until_told(&space, "m.py:1:7: ").await;
    set_module(&space, "def f(ctx):\n    raise ValueError('no way')\n").await;
    let failed = "ValueError: no way (m.py:2) in startup callable m.f, phase FSConfigOnly";
    let told = until_ready(&space, "False", "CallableFailed").await;
    assert_eq!(told, format!("pod c-server-0: {failed}"));
    let answers = space.get::<ZatoCluster>("c").await.status.unwrap();
    assert!(!answers.servers[0].ready && answers.summary.chars().count() <= 60);
    set_module(&space, "def f(ctx): pass\n").await;
    until_ready(&space, "True", "Running").await;

    let set = async |callables: Value| {
        let patch = json!({"spec": {"startupCallables": callables}});
        space.merge::<ZatoCluster>("c", &patch).await.unwrap();
    };
    // In a worker: the container ends, and no process inside it goes on making workers.
    set_module(&space, "def f(ctx):\n    return {}['key']\n").await;
    set(json!([callable("f", &json!({"phases": ["BeforePostFork"]}))])).await;
    until_told(
        &space,
        "KeyError: 'key' (m.py:2) in startup callable m.f, phase BeforePostFork",
    )
    .await;
    space
        .until("the container's end", || async {
            let pod = space.find::<Pod>("c-server-0").await.unwrap_or_default();
            let server = pod
                .status
                .unwrap_or_default()
                .container_statuses
                .into_iter()
                .flatten()
                .find(|status| status.name == "server");
            let last = server.and_then(|server| server.last_state?.terminated);
            last.is_some_and(|last| last.exit_code == 3)
        })
        .await;
    // One that is not there is told before anything starts with it; one that hangs.
    set(json!([callable("lost", &json!({"phases": ["AfterStarted"]}))])).await;
    until_told(
        &space,
        "ConfigMap code of spec.startupCallables has no lost in key m.py, which m.lost names: add it",
    )
    .await;
    set_module(&space, "import time\ndef f(ctx):\n    time.sleep(600)\n").await;
    set(json!([callable(
        "f",
        &json!({"phases": ["InProcessFirst"], "timeoutSeconds": 2, "failurePolicy": "Ignore"})
    )]))
    .await;
    until_callables(&space, "CallableFailed", "it did not end within 2 s (m.py:3)").await;
    until_told(
        &space,
        "it did not end within 2 s (m.py:3) in startup callable m.f, phase InProcessFirst",
    )
    .await;

    // One that may fail.
    set_module(&space, "def f(ctx):\n    raise ValueError('never mind')\n").await;
    set(json!([callable(
        "f",
        &json!({"failurePolicy": "Ignore", "phases": ["FSConfigOnly", "AfterStarted"]})
    )]))
    .await;
    until_callables(&space, "CallableFailed", "ValueError: never mind (m.py:2)").await;
    until_ready(&space, "True", "Running").await;
    let both = ["AfterStarted", "FSConfigOnly"].map(|phase| (phase.to_owned(), "Failed".to_owned()));
    let both = BTreeMap::from(both);
    space
        .until("both outcomes", || async {
            let found = outcomes(&space).await.into_iter();
            found
                .map(|found| (found.phase, found.outcome))
                .collect::<BTreeMap<_, _>>()
                == both
        })
        .await;
    until_told(
        &space,
        "all components run; ignored: ValueError: never mind (m.py:2)",
    )
    .await;
    space
        .until("a Warning", || async {
            let events = space.api::<Event>().list(&ListParams::default()).await.unwrap();
            events.items.iter().any(|event| {
                event.reason.as_deref() == Some("CallableFailed")
                    && event.type_.as_deref() == Some("Warning")
                    && event
                        .message
                        .as_ref()
                        .is_some_and(|message| message.contains("never mind"))
            })
        })
        .await;
    space.delete().await;
}
