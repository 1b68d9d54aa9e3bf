//! From an edit to the new answer: `kubectl apply` of a ZatoService until its answer comes through the load balancer,
//! beside the limit, which is Zato's own: a file renamed into the folder of a server of its own in the same run. Meanwhile
//! the service is called 100 times a second. `make bench` runs it.

#![allow(clippy::unwrap_used, dead_code)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use support::way::Way;
use support::{Namespace, code, set_code, spare_pod, start, until_ready};

const EDITS: usize = 50;
const LOOK: Duration = Duration::from_millis(10);
/// Between two requests of the load.
const LOAD: Duration = Duration::from_millis(10);
/// Not under the agent's hand.
const FOLDER: &str = "/tmp/hot";

#[tokio::main]
async fn main() {
    let space = start("bench", json!({})).await;
    until_ready(&space, "True", "Running").await;
    spare_pod(&space, "limit", server_alone).await;
    let (operated, alone) = (
        Way::to(&space, "service/c", 11223).await,
        Way::to(&space, "pod/limit", 17010).await,
    );
    space
        .until("the first answer", || operated.answers("first"))
        .await;
    space
        .until("the first answer of Zato alone", || async {
            // Again and again: a file that comes before the first look of Zato's observer is never seen.
            rename(&space, "first");
            alone.answers("first").await
        })
        .await;
    let (mut edits, mut limits) = (vec![], vec![]);
    let load = tokio::spawn(load(Way::to(&space, "service/c", 11223).await));
    for round in 0..EDITS {
        let answer = format!("answer{round:03}");
        tokio::time::sleep(phase(round)).await;
        let begin = Instant::now();
        set_code(&space, &code(&answer)).await;
        edits.push(time_to(&operated, &answer, begin).await);
        tokio::time::sleep(phase(round)).await;
        rename(&space, &answer);
        limits.push(time_to(&alone, &answer, Instant::now()).await);
    }
    load.abort();
    edits.sort();
    limits.sort();
    println!("edit to answer, {EDITS} edits      p50       p95       longest");
    for (what, times) in [("operator", &edits), ("Zato alone", &limits)] {
        println!(
            "  {what:<24} {:>7.2} s {:>7.2} s {:>7.2} s",
            at(times, 50).as_secs_f64(),
            at(times, 95).as_secs_f64(),
            at(times, 100).as_secs_f64()
        );
    }
    let ratio = |percent| at(&edits, percent).as_secs_f64() / at(&limits, percent).as_secs_f64();
    println!("  {:<24} {:>7.2}   {:>7.2}", "ratio", ratio(50), ratio(95));
    let (sent, failed) = (SENT.load(Ordering::Relaxed), FAILED.load(Ordering::Relaxed));
    println!("  {sent} requests in the meantime, {failed} failed");
    drop((operated, alone));
    space.delete().await;
}

static SENT: AtomicUsize = AtomicUsize::new(0);
static FAILED: AtomicUsize = AtomicUsize::new(0);

/// A request each 10 ms, whether the one before was answered or not. Never ends.
async fn load(way: Way) {
    let way = Arc::new(way);
    let mut ticks = tokio::time::interval(LOAD);
    loop {
        ticks.tick().await;
        let way = way.clone();
        tokio::spawn(async move {
            let (status, _) = way.get("/zato/api/invoke/story.greeting").await;
            SENT.fetch_add(1, Ordering::Relaxed);
            FAILED.fetch_add(usize::from(status != 200), Ordering::Relaxed);
        });
    }
}

/// The server as in the cluster's pod, with a folder of its own for hot deployment and nothing that waits for it.
fn server_alone(spec: &mut serde_json::Value) {
    let mut server = spec["containers"][0].clone();
    for name in ["startupProbe", "livenessProbe", "lifecycle"] {
        server.as_object_mut().unwrap().remove(name);
    }
    for variable in server["env"].as_array_mut().unwrap() {
        if variable["name"] == "ZATO_HOT_DEPLOY_DIR" {
            variable["value"] = FOLDER.into();
        }
    }
    let command: Vec<String> = serde_json::from_value(server["command"].take()).unwrap();
    let script = format!("mkdir -p {FOLDER} && exec \"$@\"");
    server["command"] = json!(
        ["/bin/sh", "-c", &script, "server"]
            .iter()
            .map(ToString::to_string)
            .chain(command)
            .collect::<Vec<_>>()
    );
    spec["containers"] = json!([server]);
    spec["terminationGracePeriodSeconds"] = 0.into();
}

/// Puts the code into the folder, as the agent does.
fn rename(space: &Namespace, answer: &str) {
    let script = format!("printf %s \"$1\" > {FOLDER}/.new && mv {FOLDER}/.new {FOLDER}/greeting.py");
    space.exec(
        "limit",
        "server",
        &["/bin/sh", "-c", &script, "rename", &code(answer)],
    );
}

async fn time_to(way: &Way, answer: &str, begin: Instant) -> Duration {
    while !way.answers(answer).await {
        assert!(begin.elapsed() < Duration::from_mins(1), "no answer {answer:?}");
        tokio::time::sleep(LOOK).await;
    }
    begin.elapsed()
}

/// Zato looks once a second: the edits must not all fall into the same part of it.
fn phase(round: usize) -> Duration {
    Duration::from_millis((round * 370 % 1000) as u64)
}

/// Of sorted times.
fn at(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() * percent).div_ceil(100).max(1) - 1]
}
