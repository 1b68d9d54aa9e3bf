//! Jobs on Zato's scheduler in pods: when they run, and what is wrong with them. `make e2e` brings everything up.

// Helpers of tests are tests, too; a story may be as long as it is. Not every story uses every word.
#![allow(clippy::unwrap_used, clippy::too_many_lines, dead_code)]

mod support;

use std::time::Instant;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use support::way::Way;
use support::{Namespace, cluster, sql, until_other_pod, until_ready, until_service_told};
use zato_operator::api::{ZatoCluster, ZatoService};

/// The example with other jobs, for the cluster "c".
fn reports(jobs: &Value) -> Value {
    let path = format!("{}/examples/jobs/service.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut object: Value = serde_saphyr::from_str(&text).unwrap();
    object["spec"]["clusterRef"]["name"] = "c".into();
    object["spec"]["jobs"] = jobs.clone();
    object
}

fn job(name: &str, time: Value) -> Value {
    let mut job = json!({"name": name, "service": "report.make", "payload": {"kind": name}});
    job.as_object_mut()
        .unwrap()
        .extend(time.as_object().unwrap().clone());
    job
}

async fn set_jobs(space: &Namespace, jobs: &Value) {
    let patch = json!({"spec": {"jobs": jobs}});
    space.merge::<ZatoService>("reports", &patch).await.unwrap();
}

async fn until_told(space: &Namespace, reason: &str, words: &str) {
    until_service_told(space, "reports", "JobsScheduled", reason, words).await;
}

/// How often the server has run each kind.
async fn count(way: &Way, kind: &str) -> usize {
    let (_, body) = way.get("/zato/api/invoke/report.done").await;
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    let all = answer["reports"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|found| found == kind).count()
}

async fn until_count(space: &Namespace, way: &Way, kind: &str, more_than: usize) {
    space
        .until(&format!("{kind} ran"), || async {
            count(way, kind).await > more_than
        })
        .await;
}

/// Every kind of job runs at its time with what it is given; an edit, what somebody changes in the database, another pod,
/// a job that is suspended, and one that goes.
#[tokio::test]
async fn jobs_run_as_their_spec_says() {
    let space = Namespace::new("jobs").await;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    space.create::<ZatoService>(&reports(&json!([]))).await.unwrap();
    until_ready(&space, "True", "Running").await;
    let way = Way::to(&space, "service/c", 11223).await;
    let begin = Instant::now();
    let soon = (Timestamp::now() + 8.seconds()).to_string();
    let jobs = |interval: &str| {
        json!([
            job("often", json!({"interval": interval})),
            job("beat", json!({"interval": "2s"})),
            job("by-the-clock", json!({"cron": "* * * * *"})),
            job("once", json!({"at": soon})),
        ])
    };
    set_jobs(&space, &jobs("2s")).await;
    until_told(&space, "AllScheduled", "jobs: 4 on the scheduler").await;
    println!("jobs are on the scheduler after {:?}", begin.elapsed());
    until_count(&space, &way, "often", 0).await;
    println!("a job of 2 s has run after {:?}", begin.elapsed());
    until_count(&space, &way, "often", 2).await;
    until_told(&space, "AllScheduled", "3 on the scheduler, 1 finished").await;
    assert_eq!(count(&way, "once").await, 1);
    until_count(&space, &way, "by-the-clock", 0).await;

    // Somebody stops it in the database.
    sql(&space, "UPDATE job SET is_active = 0 WHERE name LIKE '%often'");
    let is_active = || sql(&space, "SELECT is_active FROM job WHERE name LIKE '%often'");
    space
        .until("the row is as it was", || async { is_active().trim() == "1" })
        .await;

    // The rhythm of an hour: nothing runs until then.
    set_jobs(&space, &jobs("1h")).await;
    let hours = || sql(&space, "SELECT hours FROM job_interval_based");
    space
        .until("the row says an hour", || async {
            hours().lines().any(|line| line == "1")
        })
        .await;
    until_told(&space, "AllScheduled", "3 on the scheduler, 1 finished").await;
    let (ran, beats) = (count(&way, "often").await, count(&way, "beat").await);
    until_count(&space, &way, "beat", beats + 2).await;
    let more = count(&way, "often").await - ran;
    assert!(
        more <= 1,
        "it ran {more} times more while another one ran three times"
    );

    // Another pod: the scheduler reads its jobs, what ran once does not run again, and what should have run meanwhile runs.
    set_jobs(&space, &jobs("2s")).await;
    until_told(&space, "AllScheduled", "3 on the scheduler, 1 finished").await;
    let old = space.get::<Pod>("c-server-0").await;
    space.remove::<Pod>("c-server-0").await;
    let mut more = jobs("2s");
    let meanwhile = (Timestamp::now() + 4.seconds()).to_string();
    more.as_array_mut()
        .unwrap()
        .push(job("meanwhile", json!({"at": meanwhile})));
    set_jobs(&space, &more).await;
    until_other_pod(&space, old.metadata.uid.as_deref()).await;
    let way = Way::to(&space, "service/c", 11223).await;
    until_count(&space, &way, "often", 2).await;
    until_told(&space, "AllScheduled", "3 on the scheduler, 2 finished").await;
    assert_eq!(
        (count(&way, "once").await, count(&way, "meanwhile").await),
        (0, 1)
    );

    let rows = || sql(&space, "SELECT count(*) FROM job WHERE name LIKE 'kubernetes %'");
    set_jobs(
        &space,
        &json!([job("often", json!({"interval": "2s", "suspend": true}))]),
    )
    .await;
    until_told(&space, "AllScheduled", "jobs: 1 suspended").await;
    space
        .until("no job is left", || async { rows().trim() == "0" })
        .await;
    set_jobs(&space, &json!([job("often", json!({"interval": "2s"}))])).await;
    until_told(&space, "AllScheduled", "jobs: 1 on the scheduler").await;
    let ran = count(&way, "often").await;
    until_count(&space, &way, "often", ran + 1).await;
    space.remove::<ZatoService>("reports").await;
    space
        .until("no job of a service that is gone", || async {
            rows().trim() == "0"
        })
        .await;
    space.delete().await;
}

/// Each names the job, the cause and the next step, and heals.
#[tokio::test]
async fn jobs_that_are_wrong_are_told() {
    let space = Namespace::new("wrong-jobs").await;
    let spec = json!({"scheduler": {"enabled": false}});
    space.create::<ZatoCluster>(&cluster("c", spec)).await.unwrap();
    let unknown = json!({"name": "unknown", "service": "no.such", "interval": "1h"});
    space
        .create::<ZatoService>(&reports(&json!([unknown])))
        .await
        .unwrap();
    until_told(
        &space,
        "JobInvalid",
        "job unknown: service no.such is in no file of this ZatoService",
    )
    .await;
    until_service_told(&space, "reports", "Ready", "JobInvalid", "no.such").await;
    for (time, words) in [
        (json!({"cron": "0 0 31 2 *"}), "never matches"),
        (json!({"cron": "60 * * * *"}), "a number from 0 to 59 is needed"),
        (json!({"at": "2020-01-01T00:00:00Z"}), "its time has passed"),
        (
            json!({"interval": "9999d"}),
            "is not between 1 second and 366 days",
        ),
    ] {
        set_jobs(&space, &json!([job("bad", time)])).await;
        until_told(&space, "JobInvalid", words).await;
    }
    set_jobs(&space, &json!([job("good", json!({"interval": "1s"}))])).await;
    until_told(&space, "JobFailed", "the cluster has no scheduler").await;
    let patch = json!({"spec": {"scheduler": {"enabled": true}}});
    space.merge::<ZatoCluster>("c", &patch).await.unwrap();
    until_told(&space, "AllScheduled", "jobs: 1 on the scheduler").await;
    let way = Way::to(&space, "service/c", 11223).await;
    until_count(&space, &way, "good", 0).await;
    space.delete().await;
}
