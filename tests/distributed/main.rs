//! A Distributed cluster on a PostgreSQL in a pod: several servers that load the same code, scaled and replaced while they are
//! called; what is wrong with the database is told and heals. Zato's stand-in runs on the node.

// Helpers of tests are tests, too. Not every story uses every word.
#![allow(clippy::unwrap_used, dead_code)]

mod database;
#[path = "../support/postgresql.rs"]
mod postgresql;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::ListParams;
use postgresql::sql;
use serde_json::{Value, json};
use support::way::{Login, Way};
use support::{Namespace, cluster, code, service, set_code, until_ready, until_service};
use zato_operator::api::{ZatoCluster, ZatoService};

fn spec(servers: i32) -> Value {
    // With one way of pulling images for the good and the bad: another one would replace all pods.
    json!({
        "topology": "Distributed", "imagePullPolicy": "Never", "servers": {"replicas": servers},
        "database": {"postgresql": {"host": "pg", "database": "postgres", "credentialsSecretRef": {"name": "pg"}}},
    })
}

/// With a service that gives the answer "first", also by an open channel that keeps answers and on each tick of a job.
async fn start(story: &str, servers: i32) -> Namespace {
    let space = Namespace::new(story).await;
    postgresql::start(&space).await;
    space
        .create::<ZatoCluster>(&cluster("c", spec(servers)))
        .await
        .unwrap();
    let mut greeting = service("greeting", "c", &[("greeting.py", &code("first"))]);
    let channel = json!({"service": "story.greeting", "urlPath": "/greeting", "methods": ["GET"], "cache": {"seconds": 600}, "security": {"none": {}}});
    greeting["spec"]["channels"] = json!([{"name": "greeting", "rest": channel}]);
    greeting["spec"]["jobs"] = json!([{"name": "tick", "service": "story.greeting", "interval": "1h"}]);
    space.create::<ZatoService>(&greeting).await.unwrap();
    space
}

/// The names of the servers that run, and the numbers of times that their containers started anew.
async fn servers(space: &Namespace) -> (BTreeSet<String>, i32) {
    let selected = ListParams::default().labels("app.kubernetes.io/component=server");
    let pods = space.api::<Pod>().list(&selected).await.unwrap().items;
    let statuses = pods.iter().filter_map(|pod| pod.status.as_ref());
    let containers = statuses.flat_map(|status| status.container_statuses.iter().flatten());
    let restarts = containers.map(|container| container.restart_count).sum();
    (pods.iter().map(ResourceExt::name_any).collect(), restarts)
}

fn names(count: usize) -> BTreeSet<String> {
    (0..count).map(|ordinal| format!("c-server-{ordinal}")).collect()
}

/// As a person does it. Waits until pods and rows are those of that many servers; of none, no pod is left to take rows away.
async fn scale(space: &Namespace, count: usize) {
    let replicas = format!("--replicas={count}");
    space.kubectl(&["scale", "zatocluster/c", &replicas]).unwrap();
    let what = format!("{count} servers");
    space
        .until(&what, || async {
            let rows: BTreeSet<_> = sql(space, "select name from server").into_iter().collect();
            let are_rows = count == 0 || rows == names(count);
            are_rows && servers(space).await.0 == names(count)
        })
        .await;
}

/// Waits until each server by itself gives an answer, on the invoke path and by the channel.
async fn each_answers(space: &Namespace, count: usize, what: &str) {
    for name in names(count) {
        let way = Way::to(space, &format!("pod/{name}"), 17010).await;
        space
            .until(&format!("{name} answers {what}"), || async {
                let (status, body) = way.call("GET", "/greeting", Login::Nobody).await;
                way.answers(what).await && status == 200 && body.contains(what)
            })
            .await;
    }
}

async fn service_is_on(space: &Namespace, count: usize) {
    let told = format!("answers on {count} of {count} servers");
    until_service(space, "greeting", "Ready", |ready| {
        ready.status == "True" && ready.message.contains(&told)
    })
    .await;
}

/// By kubectl: kube's own client waits and tries again when an eviction is refused.
fn evict(space: &Namespace, pod: &str) -> Result<(), String> {
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": space.name()}});
    let path = format!("/api/v1/namespaces/{}/pods/{pod}/eviction", space.name());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), eviction.to_string()).unwrap();
    let file = file.path().to_str().unwrap();
    space
        .kubectl(&["create", "--raw", &path, "--filename", file])
        .map(drop)
}

/// As a drain of nodes does it: while one is not back, another one is refused.
async fn one_is_evicted_at_a_time(space: &Namespace) {
    let before = space.get::<Pod>("c-server-2").await.uid();
    space
        .until("an eviction is let", || async {
            evict(space, "c-server-2").is_ok()
        })
        .await;
    let error = evict(space, "c-server-1").unwrap_err();
    assert!(error.contains("disruption budget"), "{error}");
    space
        .until("its successor is there", || async {
            let pod = space.find::<Pod>("c-server-2").await;
            pod.is_some_and(|pod| pod.uid() != before)
        })
        .await;
    until_ready(space, "True", "Running").await;
    let columns = space.kubectl(&["get", "zc", "c", "--no-headers"]).unwrap();
    let columns: Vec<_> = columns.split_whitespace().take(4).collect();
    assert_eq!(columns, ["c", "True", "3/3", "PostgreSQL"]);
}

/// Three servers have what one was told; fewer, more and none leave the rows of those that live, and nothing starts anew.
#[tokio::test(flavor = "multi_thread")]
async fn servers_come_and_go() {
    let space = start("distributed", 3).await;
    until_ready(&space, "True", "Running").await;
    service_is_on(&space, 3).await;
    each_answers(&space, 3, "first").await;
    assert_eq!(
        sql(&space, "select count(*) from job where name like 'kubernetes %'"),
        ["1"]
    );
    let way = Way::to(&space, "service/c", 11223).await;
    assert!(way.answers("first").await);
    assert_eq!(way.get("/zato/admin/invoke").await.0, 404);

    one_is_evicted_at_a_time(&space).await;
    set_code(&space, &code("secnd")).await;
    service_is_on(&space, 3).await;
    each_answers(&space, 3, "secnd").await;

    scale(&space, 1).await;
    until_ready(&space, "True", "Running").await;
    scale(&space, 3).await;
    until_ready(&space, "True", "Running").await;
    each_answers(&space, 3, "secnd").await;
    scale(&space, 0).await;
    until_ready(&space, "False", "Stopped").await;
    let more = service(
        "more",
        "c",
        &[("more.py", &code("third").replace("story.greeting", "story.more"))],
    );
    space.create::<ZatoService>(&more).await.unwrap();
    scale(&space, 2).await;
    until_ready(&space, "True", "Running").await;
    service_is_on(&space, 2).await;
    each_answers(&space, 2, "secnd").await;
    until_service(&space, "more", "Ready", |ready| ready.status == "True").await;
    assert_eq!(servers(&space).await, (names(2), 0));
    drop(way);
    space.delete().await;
}

/// Pods are replaced one after another: who calls through the load balancer notices nothing. A template that does not work
/// stays with one server, and the others serve.
#[tokio::test(flavor = "multi_thread")]
async fn servers_are_replaced_while_they_are_called() {
    let space = Arc::new(start("rolled", 2).await);
    until_ready(&space, "True", "Running").await;
    service_is_on(&space, 2).await;
    let ends = Arc::new(AtomicBool::new(false));
    let callers = (0..4).map(|_| {
        let (space, ends) = (space.clone(), ends.clone());
        tokio::spawn(async move {
            let way = Way::to(&space, "service/c", 11223).await;
            let mut failed = vec![];
            let mut count = 0;
            while !ends.load(Ordering::Relaxed) {
                let (status, body) = way.call("GET", "/greeting", Login::Nobody).await;
                count += 1;
                if status != 200 {
                    failed.push((status, body));
                }
            }
            (count, failed)
        })
    });
    let callers: Vec<_> = callers.collect();
    let uids = || async {
        let selected = ListParams::default().labels("app.kubernetes.io/component=server");
        let pods = space.api::<Pod>().list(&selected).await.unwrap().items;
        pods.iter().filter_map(ResourceExt::uid).collect::<BTreeSet<_>>()
    };
    let before = uids().await;
    let config = json!({"spec": {"config": {"server.conf": {"misc": {"http_server_header": "Acme"}}}}});
    space.merge::<ZatoCluster>("c", &config).await.unwrap();
    space
        .until("all pods are others", || async {
            let now = uids().await;
            now.len() == 2 && now.is_disjoint(&before)
        })
        .await;
    until_ready(&space, "True", "Running").await;
    let image = |image: Value| json!({"spec": {"image": image}});
    space
        .merge::<ZatoCluster>("c", &image(json!("registry.local/none-such:1")))
        .await
        .unwrap();
    let message = until_ready(&space, "False", "ImagePullFailed").await;
    assert!(message.contains("none-such:1"), "{message}");
    space
        .merge::<ZatoCluster>("c", &image(Value::Null))
        .await
        .unwrap();
    until_ready(&space, "True", "Running").await;
    ends.store(true, Ordering::Relaxed);
    for caller in join_all(callers).await {
        let (count, failed) = caller.unwrap();
        let first = failed.first();
        let told = format!("of {count} failed {}: {first:?}", failed.len());
        assert!(count > 100 && failed.is_empty(), "{told}");
    }
    Arc::into_inner(space).unwrap().delete().await;
}
