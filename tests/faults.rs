//! The operator between crashes and an API server that fails: every story ends as an undisturbed one does.
//!
//! `dev/cluster/alone.sh up` brings up the API server. There is no kubelet: [`double`] plays its part. `FAULTS=all` goes
//! through every request; else a sample of them, always the same. `FAULTS=node`: a small sample with the real pods of a
//! node, for the two stories whose names begin with `a_`.

// Helpers of tests are tests, too. Not every story uses every word.
#![allow(clippy::unwrap_used, dead_code)]

#[path = "support/double.rs"]
mod double;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/snapshot.rs"]
mod snapshot;
#[path = "support/story.rs"]
mod story;
#[path = "support/stream.rs"]
mod stream;
mod support;

use std::time::{Duration, Instant};

use proxy::{Class, Fault, Plan, Proxy};
use story::{Reference, reference};
use stream::WatchFault;

fn is_all() -> bool {
    std::env::var("FAULTS").is_ok_and(|faults| faults == "all")
}

/// `count` numbers between 1 and `last`, evenly.
fn spread(count: usize, last: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |n| 1 + n * last / count)
}

/// One story with one fault; whether the fault came.
async fn disturbed(proxy: &Proxy, reference: &Reference, plan: Plan) -> bool {
    let begin = Instant::now();
    story::tell(proxy, reference, Some(plan)).await;
    println!("{plan:?} {} {:?}", proxy.has_fired(), begin.elapsed());
    proxy.has_fired()
}

/// kill -9 before each request arrives, and before each answer is seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_changes_nothing() {
    let proxy = story::proxy().await;
    let reference = reference(&proxy).await;
    for fault in [Fault::KillBefore, Fault::KillAfter] {
        let plan = |n| Plan {
            class: Class::Step,
            n,
            fault,
        };
        if !is_all() {
            let sample: Vec<_> = if story::has_pods() {
                vec![reference.steps / 2]
            } else {
                spread(4, reference.steps).collect()
            };
            for n in sample {
                disturbed(&proxy, reference, plan(n)).await;
            }
            continue;
        }
        // How many there are differs by a few: until there are no more.
        let (mut n, mut missed) = (1, 0);
        while missed < 2 {
            missed = if disturbed(&proxy, reference, plan(n)).await {
                0
            } else {
                missed + 1
            };
            n += 1;
        }
        assert!(
            n > reference.steps / 2,
            "only {n} of {} requests",
            reference.steps
        );
    }
}

/// What can go wrong at a request.
const FAILURES: [Fault; 12] = [
    Fault::Status(409),
    Fault::Status(410),
    Fault::Status(429),
    Fault::Status(500),
    Fault::Status(503),
    Fault::Reset,
    Fault::Lost,
    Fault::Delay(Duration::from_secs(2)),
    Fault::Watches(WatchFault::Gone),
    Fault::Watches(WatchFault::Silent),
    Fault::Watches(WatchFault::SilentAndGone),
    Fault::Watches(WatchFault::Stale),
];

/// Requests that fill the caches when an operator starts.
const KINDS: usize = 14;

/// Failures everywhere: each kind of them at `each` requests between the first and `last`, in turn.
fn failures(each: usize, last: usize) -> Vec<Plan> {
    let plan = |(n, fault)| Plan {
        class: Class::Step,
        n,
        fault,
    };
    let faults = (0..each).flat_map(|round| {
        // Another order in each round: else a failure would always meet the same requests.
        let mut faults = FAILURES;
        faults.rotate_left(round % FAILURES.len());
        faults
    });
    spread(FAILURES.len() * each, last)
        .zip(faults)
        .map(plan)
        .collect()
}

/// Failures while the caches are filled, and a status that is refused at `reports` of its writes up to the `last`.
fn special(each: usize, reports: usize, last: usize) -> Vec<Plan> {
    let faults = FAILURES
        .into_iter()
        .filter(|fault| !matches!(fault, Fault::Watches(_)));
    let mut filling: Vec<_> = faults.chain([Fault::KillBefore, Fault::KillAfter]).collect();
    // One after another at the two classes.
    filling.truncate(if is_all() { filling.len() } else { 4 });
    let mut plans = vec![];
    for (at, fault) in filling.into_iter().enumerate() {
        for n in spread(each, KINDS) {
            // Another kind for each fault.
            let n = (n + at * 3 - 1) % KINDS + 1;
            let class = if (at + n).is_multiple_of(2) {
                Class::List
            } else {
                Class::Watch
            };
            plans.push(Plan { class, n, fault });
        }
    }
    let fault = Fault::Status(409);
    plans.extend(spread(reports, last).map(|n| Plan {
        class: Class::Report,
        n,
        fault,
    }));
    plans
}

/// Refusals, broken connections, late answers, watches that lie.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_api_server_changes_nothing() {
    let proxy = story::proxy().await;
    let reference = reference(&proxy).await;
    let mut plans = if is_all() {
        failures(12, reference.steps)
    } else {
        // Creation, edit and stop: what is early costs least.
        failures(1, reference.steps / 3)
    };
    plans.extend(if is_all() {
        special(4, reference.reports, reference.reports)
    } else {
        special(1, 2, reference.reports)
    });
    if story::has_pods() {
        plans = plans.into_iter().step_by(6).collect();
    }
    for plan in plans {
        let has_fired = disturbed(&proxy, reference, plan).await;
        assert!(has_fired || is_all(), "{plan:?} met no request");
    }
}

/// Agents that are killed, refused, cut off and lied to at each of their requests: their servers have what they should.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_catches_up() {
    let proxy = story::proxy().await;
    let reference = reference(&proxy).await;
    let kills = [Fault::KillBefore, Fault::KillAfter];
    let faults = FAILURES.into_iter().chain(kills);
    let class = Class::Agent;
    for (at, fault) in faults.enumerate() {
        // All of them, or one for each fault, in turn; how many there are differs by a few.
        let chosen = 1 + at * 5 % (reference.agents / 2);
        for n in (1..=reference.agents).filter(|n| is_all() || *n == chosen) {
            let plan = Plan { class, n, fault };
            let has_fired = disturbed(&proxy, reference, plan).await;
            assert!(has_fired || is_all(), "{plan:?} met no request");
        }
    }
}

/// No connection lives for a while.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_gone_is_waited_for() {
    let proxy = story::proxy().await;
    let reference = reference(&proxy).await;
    let time = Duration::from_secs(if is_all() { 60 } else { 12 });
    story::outlive(&proxy, reference, time).await;
}
