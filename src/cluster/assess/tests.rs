//! Truth tables, and whole statuses.

use super::*;
use crate::cluster::plan::tests::{plan_after, plan_of};
use crate::exchange::{CallableOutcome, CallableState};
use crate::reconcile::child::PodState;
use rstest::rstest;

/// With the pod's revision and the one that is wanted.
fn set(plan: &mut Plan, ready: i32, revision: &str, update: &str) {
    plan.servers[0].pod = Some(PodState {
        revision: revision.into(),
        trouble: plan.servers[0].pod.take().and_then(|pod| pod.trouble),
        ..Default::default()
    });
    plan.stateful_set = Some(stateful_set(ready, update));
}

pub(super) fn stateful_set(ready: i32, update: &str) -> StatefulSet {
    serde_json::from_value(serde_json::json!({
        "metadata": {"name": "demo-server", "generation": 1}, "spec": {"selector": {}, "serviceName": "", "template": {}},
        "status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": ready, "updateRevision": update},
    }))
    .unwrap()
}

pub(super) fn report(phase: Phase, error: Option<&str>) -> Report {
    Report {
        phase,
        error: error.map(Into::into),
        ..Report::default()
    }
}

#[rstest]
#[case(None, None, false, Reason::Starting, "children are being created")]
#[case(
    Some((0, "a", "a")),
    None,
    false,
    Reason::Starting,
    "pod demo-server-0: is being scheduled"
)]
#[case(
    Some((0, "a", "a")),
    Some(report(Phase::Preparing, None)),
    false,
    Reason::Starting,
    "pod demo-server-0: writes configuration and code"
)]
#[case(
    Some((0, "a", "a")),
    Some(report(Phase::Creating, None)),
    false,
    Reason::Starting,
    "pod demo-server-0: creates Zato's environment"
)]
#[case(
    Some((0, "a", "a")),
    Some(report(Phase::Starting, None)),
    false,
    Reason::Starting,
    "pod demo-server-0: waits for the server to answer"
)]
#[case(
    Some((0, "a", "a")),
    Some(report(Phase::Loading, None)),
    false,
    Reason::Starting,
    "pod demo-server-0: loads services"
)]
#[case(
    Some((0, "a", "a")),
    Some(report(Phase::Serving, None)),
    false,
    Reason::Starting,
    "pod demo-server-0: waits for scheduler and dashboard"
)]
#[case(
    Some((1, "a", "b")),
    Some(report(Phase::Serving, None)),
    false,
    Reason::Starting,
    "pod demo-server-0 is being changed"
)]
#[case(
    Some((1, "a", "a")),
    Some(report(Phase::Serving, None)),
    true,
    Reason::Running,
    "all components run"
)]
#[case(
    Some((0, "a", "a")),
    Some(report(Phase::Creating, Some("x"))),
    false,
    Reason::CreationFailed,
    "pod demo-server-0: x"
)]
#[case(
    Some((1, "a", "a")),
    Some(report(Phase::Serving, Some("x"))),
    false,
    Reason::ServerFailed,
    "pod demo-server-0: x"
)]
fn truth_table(
    #[case] pod: Option<(i32, &str, &str)>,
    #[case] report: Option<Report>,
    #[case] ready: bool,
    #[case] reason: Reason,
    #[case] message: &str,
) {
    let mut plan = plan_of(&[]);
    plan.servers[0].report = report;
    if let Some((ready, revision, update)) = pod {
        set(&mut plan, ready, revision, update);
    }
    assert_eq!(is_ready(&plan), (ready, reason, message.to_owned()));
    assert_eq!(
        server(&plan, &plan.servers[0]).ready,
        pod.is_some_and(|pod| pod == (1, "a", "a"))
    );
}

fn outcome(name: &str, outcome: CallableState) -> CallableOutcome {
    CallableOutcome {
        name: name.into(),
        phase: "after-started".into(),
        outcome,
        error: (outcome == CallableState::Failed).then(|| "ValueError: x (m.py:2)".into()),
        milliseconds: None,
    }
}

// `m.must` must pass, `m.may` may fail.
#[rstest]
#[case(&[], false, Reason::CallablesPending, Reason::Running, "the startup callables have not all passed yet")]
#[case(&[outcome("m.must", CallableState::Passed)], false, Reason::CallablesPending, Reason::Running, "the startup callables have not all passed yet")]
#[case(&[outcome("m.must", CallableState::Passed), outcome("m.may", CallableState::Running)], false, Reason::CallablesPending, Reason::Running, "the startup callables have not all passed yet")]
#[case(&[outcome("m.must", CallableState::Passed), outcome("m.may", CallableState::Passed)], true, Reason::AllPassed, Reason::Running, "2 startup callables passed")]
#[case(&[outcome("m.must", CallableState::Passed), outcome("m.may", CallableState::Failed)], false, Reason::CallableFailed, Reason::Running, "ValueError: x (m.py:2) in startup callable m.may, phase AfterStarted")]
#[case(&[outcome("m.may", CallableState::Failed), outcome("m.must", CallableState::Failed)], false, Reason::CallableFailed, Reason::CallableFailed, "ValueError: x (m.py:2) in startup callable m.must, phase AfterStarted")]
#[case(&[outcome("m.gone", CallableState::Failed)], false, Reason::CallablesPending, Reason::Running, "the startup callables have not all passed yet")]
fn callables_that_pass_and_fail(
    #[case] outcomes: &[CallableOutcome],
    #[case] passed: bool,
    #[case] reason: Reason,
    #[case] ready: Reason,
    #[case] message: &str,
) {
    let spec = serde_json::json!({"startupCallables": [
        {"name": "m.must", "phases": ["AfterStarted"]},
        {"name": "m.may", "phases": ["AfterStarted"], "failurePolicy": "Ignore"},
    ]});
    let mut plan = plan_after(spec, &[], &plan_of(&[]));
    set(&mut plan, 1, "a", "a");
    plan.servers[0].report = Some(report(Phase::Serving, None));
    plan.servers[0].report.as_mut().unwrap().callables = outcomes.to_vec();
    assert_eq!(
        callables::judged(&plan),
        Some((passed, reason, message.to_owned()))
    );
    let told = is_ready(&plan);
    assert_eq!((told.0, told.1), (ready == Reason::Running, ready));
    assert!(told.0 || told.2 == format!("pod demo-server-0: {message}"));
    assert_eq!(
        server(&plan, &plan.servers[0]).startup_callables.len(),
        outcomes.len()
    );
    (plan.is_stopped, plan.replicas) = (true, 0);
    assert_eq!(callables::judged(&plan), None);
}

/// While the server is not up, what may fail may be what keeps it down; and what runs is told.
#[test]
fn callables_of_a_server_that_starts() {
    let spec = serde_json::json!({"startupCallables": [{"name": "m.may", "failurePolicy": "Ignore"}]});
    let mut plan = plan_after(spec, &[], &plan_of(&[]));
    set(&mut plan, 0, "a", "a");
    let mut told = |state| {
        plan.servers[0].report = Some(report(Phase::Starting, None));
        plan.servers[0].report.as_mut().unwrap().callables = vec![outcome("m.may", state)];
        is_ready(&plan)
    };
    let (ready, reason, message) = told(CallableState::Failed);
    assert_eq!((ready, reason), (false, Reason::CallableFailed));
    assert!(message.contains("ValueError: x (m.py:2) in startup callable m.may"));
    let running = "pod demo-server-0: runs startup callable m.may in phase AfterStarted";
    assert_eq!(
        told(CallableState::Running),
        (false, Reason::Starting, running.into())
    );
}

#[test]
fn without_callables_nothing_is_told_of_them() {
    assert_eq!(callables::judged(&plan_of(&[])), None);
}

/// A StatefulSet that its controller has not looked at has nothing to say of pods.
#[test]
fn a_new_stateful_set_counts_when_its_controller_has_seen_it() {
    let mut plan = plan_of(&[]);
    set(&mut plan, 0, "a", "a");
    let unseen = plan.stateful_set.as_mut().unwrap();
    unseen.status.as_mut().unwrap().observed_generation = None;
    assert_eq!(is_ready(&plan).2, "children are being created");
}

/// One that was changed just now neither: the cache is from before.
#[test]
fn a_changed_stateful_set_counts_when_its_controller_has_seen_the_change() {
    let sent = |kind: &str, generation| crate::reconcile::apply::Sent {
        kind: kind.into(),
        generation: Some(generation),
    };
    let mut plan = plan_of(&[]);
    plan.note(&[sent("StatefulSet", 1)]);
    assert!(plan.stateful_set.is_none());
    set(&mut plan, 1, "a", "a");
    assert!(plan.is_current());
    plan.note(&[sent("StatefulSet", 1), sent("Service", 2)]);
    assert!(plan.is_current(), "nothing changed");
    plan.note(&[sent("StatefulSet", 2)]);
    assert!(!plan.is_current() && !is_ready(&plan).0);
}

#[test]
fn a_server_is_told_with_what_it_reports() {
    let mut plan = plan_of(&[]);
    assert_eq!(server(&plan, &plan.servers[0]).phase, None);
    plan.servers[0].report = Some(report(Phase::Serving, Some("x")));
    let told = server(&plan, &plan.servers[0]);
    assert_eq!(
        (told.phase.as_deref(), told.revision, told.last_error.as_deref()),
        (Some("Serving"), None, Some("x"))
    );
    plan.servers[0].report.as_mut().unwrap().index_revision = "r".into();
    assert_eq!(server(&plan, &plan.servers[0]).revision.as_deref(), Some("r"));
}

#[test]
fn trouble_of_the_pod_is_told_until_it_is_ready() {
    let mut plan = plan_of(&[]);
    let message = "image x cannot be pulled".to_owned();
    plan.servers[0].pod = Some(PodState {
        trouble: Some(Trouble {
            reason: Reason::ImagePullFailed,
            message,
        }),
        ..PodState::default()
    });
    set(&mut plan, 0, "a", "b");
    assert!(!adopted(&plan).0);
    let (ready, reason, message) = is_ready(&plan);
    assert_eq!(
        (ready, reason, message.as_str()),
        (
            false,
            Reason::ImagePullFailed,
            "pod demo-server-0: image x cannot be pulled"
        )
    );
    set(&mut plan, 1, "a", "a");
    assert_eq!(is_ready(&plan).1, Reason::Running);
    plan.is_stopped = true;
    assert_eq!(is_ready(&plan).1, Reason::Stopped);
}

#[test]
fn a_paused_cluster_keeps_what_was_said_last() {
    let mut cluster = crate::cluster::plan::tests::cluster(serde_json::json!({"paused": true}));
    assert_eq!(paused(&cluster).conditions[0].status, "False");
    let waiting = assess(&cluster, Outcome::Applied { plan: &plan_of(&[]) }).status;
    assert_eq!(waiting.conditions[1].status, "True");
    cluster.status = Some(waiting);
    assert_eq!(paused(&cluster).conditions[0].status, "False");
    let mut plan = plan_of(&[]);
    set(&mut plan, 1, "a", "a");
    let before = assess(&cluster, Outcome::Applied { plan: &plan }).status;
    cluster.status = Some(before.clone());
    let after = paused(&cluster);
    let ready = &after.conditions[0];
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "Paused"));
    assert_eq!(
        (after.servers, &after.conditions[1..]),
        (before.servers, &before.conditions[1..])
    );
}

/// What stands in the object, and what stays of it when a step fails.
#[test]
fn whole_statuses() {
    let mut cluster = crate::cluster::plan::tests::cluster(serde_json::json!({}));
    let mut plan = plan_of(&[("s", "x = 1\n")]);
    plan.adopted = Some(k8s_openapi::jiff::Timestamp::UNIX_EPOCH);
    let revision = plan.revisions["s"].clone().unwrap();
    plan.servers[0].report = Some(Report {
        phase: Phase::Serving,
        index_revision: plan.index.revision.clone(),
        ..reported(&[("s", &revision, LoadState::Loaded)])
    });
    set(&mut plan, 1, "a", "a");
    let runs = assess(&cluster, Outcome::Applied { plan: &plan }).status;
    cluster.status = Some(runs.clone());
    let error = crate::reconcile::Error::Credentials {
        secret: "demo-zato".into(),
        why: "key key1 is missing".into(),
    };
    let failed = assess(&cluster, Outcome::Failed(&error)).status;
    insta::assert_yaml_snapshot!([runs, failed]);
}

#[test]
fn services_are_counted_by_their_current_revision() {
    let mut plan = plan_of(&[("good", "x = 1\n"), ("bad", "(")]);
    assert_eq!(counts(&plan).summary, "0/2");
    assert_eq!(
        services(&plan),
        (
            false,
            Reason::SomeFailed,
            "not loaded: bad; see each ZatoService".into()
        )
    );
    let now = plan.revisions["good"].clone().unwrap();
    for (revision, state, loaded) in [
        (now.as_str(), LoadState::Loaded, 1),
        (now.as_str(), LoadState::Loading, 0),
        (now.as_str(), LoadState::Failed, 0),
        ("older", LoadState::Loaded, 0),
    ] {
        plan.servers[0].report = Some(reported(&[("good", revision, state)]));
        assert_eq!(counts(&plan).loaded, loaded, "{revision} {state:?}");
    }
}

fn reported(services: &[(&str, &str, LoadState)]) -> Report {
    let of = |(name, revision, state): &(&str, &str, LoadState)| {
        let service = crate::exchange::ServiceReport {
            revision: (*revision).into(),
            state: *state,
            error: None,
            ..crate::exchange::ServiceReport::default()
        };
        ((*name).to_owned(), service)
    };
    Report {
        services: services.iter().map(of).collect(),
        ..Report::default()
    }
}

#[test]
fn what_failed_is_named_and_what_is_on_its_way_is_not() {
    use LoadState::{Failed, Loaded, Loading};
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut plan = plan_of(&names.map(|name| (name, "x = 1\n")));
    let mut told = |states: [LoadState; 6]| {
        let revisions = plan.revisions.clone();
        let now = |name: &str| revisions[name].as_deref().unwrap_or_default();
        let services: Vec<_> = names.iter().zip(states).map(|(n, s)| (*n, now(n), s)).collect();
        plan.servers[0].report = Some(reported(&services));
        let (is_loaded, reason, message) = super::services(&plan);
        assert_eq!(is_loaded, reason == Reason::AllLoaded);
        message
    };
    assert_eq!(told([Loaded; 6]), "6 of 6 services are loaded");
    assert_eq!(
        told([Loaded, Loaded, Loaded, Loaded, Loaded, Loading]),
        "5 of 6 services are loaded"
    );
    assert_eq!(
        told([Loaded, Failed, Failed, Failed, Failed, Failed]),
        "not loaded: b, c, d, e, f; see each ZatoService"
    );
    assert_eq!(
        told([Failed; 6]),
        "not loaded: a, b, c, d, e and 1 more; see each ZatoService"
    );
}
