//! Two operators of which one leads, told apart by the API server's audit log. `make e2e` runs it with `alone.sh`.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use std::sync::Mutex;
use std::time::Instant;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::{Value, json};
use support::process::Process;
use support::{Namespace, client, cluster, install_definitions, kubeconfig, until};
use zato_operator::api::ZatoCluster;

fn start(user: &str) -> Process {
    let kubeconfig = kubeconfig().parent().unwrap().join(format!("{user}.kubeconfig"));
    Process::start(&kubeconfig, user)
}

async fn holder() -> Option<String> {
    let leases = Api::<Lease>::namespaced(client().await, "default");
    leases
        .get_opt("zato-operator")
        .await
        .unwrap()?
        .spec?
        .holder_identity
}

async fn leads(user: &str) {
    until(user, || async { holder().await.as_deref() == Some(user) }).await;
}

async fn makes(space: &Namespace, name: &str) {
    space
        .create::<ZatoCluster>(&cluster(name, json!({})))
        .await
        .unwrap();
    space.there::<StatefulSet>(&format!("{name}-server")).await;
}

/// The writes of a user that had an effect so far. (One that comes back asks for its Lease, and is refused.)
fn writes(user: &str) -> usize {
    let log = kubeconfig().parent().unwrap().join("audit.log");
    let text = std::fs::read_to_string(log).unwrap();
    let is_write = |line: &&str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let verb = event["verb"].as_str().unwrap_or_default();
        let is_done = event["responseStatus"]["code"]
            .as_u64()
            .is_some_and(|code| code < 300);
        event["user"]["username"] == user && is_done && !matches!(verb, "get" | "list" | "watch")
    };
    text.lines().filter(is_write).count()
}

/// One that is told to end hands over at once, one that dies is followed when its Lease is over, and one that was frozen
/// in the meantime writes nothing any more when it comes back.
#[tokio::test]
async fn leadership_changes_hands() {
    install_definitions().await;
    let space = Namespace::new("leader").await;
    let a = Mutex::new(start("operator-a"));
    leads("operator-a").await;
    let mut b = start("operator-b");
    makes(&space, "one").await;

    let begin = Instant::now();
    a.lock().unwrap().signal("TERM");
    until("the end of the first one", || async { !a.lock().unwrap().runs() }).await;
    assert_ne!(
        holder().await.as_deref(),
        Some("operator-a"),
        "it was not handed over"
    );
    leads("operator-b").await;
    println!("SIGTERM: another one leads after {:?}", begin.elapsed());
    makes(&space, "two").await;

    let a = start("operator-a");
    // It must wait already, else its own start is measured.
    until("the second one waits", || async {
        let answer = reqwest::get(format!("http://127.0.0.1:{}/readyz", a.port)).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    let begin = Instant::now();
    b.kill();
    leads("operator-a").await;
    println!("SIGKILL: another one leads after {:?}", begin.elapsed());

    let _b = start("operator-b");
    makes(&space, "three").await;
    a.signal("STOP");
    leads("operator-b").await;
    // What was on its way when it was frozen has arrived.
    let before = writes("operator-a");
    makes(&space, "four").await;
    a.signal("CONT");
    let a = Mutex::new(a);
    until("the end of the frozen one", || async {
        !a.lock().unwrap().runs()
    })
    .await;
    assert!(before > 0);
    assert_eq!(writes("operator-a"), before, "what it wrote after it was frozen");
    space.delete().await;
}
