//! What is told of a database, and of what stands beside the servers.

use rstest::rstest;

use super::*;
use crate::cluster::assess::tests::{report, stateful_set};
use crate::cluster::assess::{applied, is_ready};
use crate::cluster::inputs::Component;
use crate::cluster::plan::tests::{distributed, done};
use crate::exchange::Phase;
use crate::reconcile::child::PodState;

/// What the Job's pods say, what stays of it while a new Job looks, and what else must be there.
#[rstest]
#[case(None, None, None, Reason::DatabasePending, false)]
#[case(
    None,
    Some("DatabaseUnreachable: pg:5432: refused"),
    None,
    Reason::DatabaseUnreachable,
    false
)]
#[case(None, Some("DatabaseRefused: x"), None, Reason::DatabaseRefused, false)]
#[case(None, Some("DatabaseForeign: x"), None, Reason::DatabaseForeign, false)]
#[case(None, Some("KeyChanged: x"), None, Reason::KeyChanged, false)]
#[case(None, Some("CredentialsInvalid: x"), None, Reason::CredentialsInvalid, false)]
#[case(None, Some("CreationFailed: x"), None, Reason::CreationFailed, false)]
#[case(None, Some("something else"), None, Reason::CreationFailed, false)]
#[case(None, None, Some(("False", "DatabaseRefused")), Reason::DatabaseRefused, false)]
#[case(None, None, Some(("False", "DatabasePending")), Reason::DatabasePending, false)]
#[case(Some(done()), Some("DatabaseRefused: before"), Some(("False", "DatabaseRefused")), Reason::DatabaseMade, true)]
fn truth_table_of_databases(
    #[case] job: Option<JobState>,
    #[case] said: Option<&str>,
    #[case] old: Option<(&str, &str)>,
    #[case] reason: Reason,
    #[case] is_made: bool,
) {
    let mut plan = distributed(2, job);
    if let Some(words) = said {
        let job = plan.database.as_mut().unwrap().job.get_or_insert_default();
        job.said = Some(words.into());
    }
    let old: Vec<Condition> = old
        .iter()
        .map(|(status, reason)| {
            let condition = serde_json::json!({
                "type": "DatabaseReady", "status": status, "reason": reason, "message": "of before",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            });
            serde_json::from_value(condition).unwrap()
        })
        .collect();
    let trouble = Some(Trouble {
        reason: Reason::ImagePullFailed,
        message: "image x".into(),
    });
    let stuck = distributed(
        2,
        Some(JobState {
            trouble,
            ..JobState::default()
        }),
    );
    assert_eq!(judged(&stuck, &old).unwrap().1, Reason::ImagePullFailed);
    let told = judged(&plan, &old).unwrap();
    assert_eq!((told.0, told.1), (is_made, reason));
    // No word that people need not see, and Ready says the same.
    assert!(!told.2.starts_with("Database"), "{}", told.2);
    let status = applied(&plan, &old, Some(1));
    let ready = &status.conditions[0];
    assert!(is_made || (ready.reason == reason.to_string() && ready.message == told.2));
    assert_eq!(status.key_fingerprint.is_some(), is_made);
}

/// Servers, then what stands beside them.
#[test]
fn a_distributed_cluster_is_ready_with_all_its_parts() {
    let mut plan = distributed(2, Some(done()));
    let told = |plan: &Plan| {
        let (ready, reason, message) = is_ready(plan);
        assert_eq!(ready, reason == Reason::Running);
        message
    };
    assert_eq!(told(&plan), "children are being created");
    plan.stateful_set = Some(stateful_set(1, "a"));
    let pod = |is_ready| {
        Some(PodState {
            revision: "a".into(),
            is_ready,
            ..PodState::default()
        })
    };
    plan.servers[0].pod = pod(true);
    assert_eq!(told(&plan), "pod demo-server-1 is being made");
    // What the controller counts says nothing of this one.
    plan.servers[1].pod = pod(false);
    assert_eq!(told(&plan), "pod demo-server-1: is being scheduled");
    plan.servers[1].pod = pod(true);
    assert_eq!(told(&plan), "the scheduler is being started or changed");
    let working = || Component {
        has_pods: true,
        trouble: None,
    };
    let trouble = Some(Trouble {
        reason: Reason::ImagePullFailed,
        message: "image x".into(),
    });
    let broken = Component {
        has_pods: false,
        trouble,
    };
    plan.components.insert("scheduler", broken);
    assert_eq!(told(&plan), "the scheduler: image x");
    plan.components = [("scheduler", working()), ("dashboard", working())].into();
    assert_eq!(told(&plan), "the load balancer is being started or changed");
    plan.components.insert("load balancer", working());
    assert_eq!(told(&plan), "all components run");
    let status = applied(&plan, &[], Some(1));
    let ready: Vec<_> = status.servers.iter().map(|server| server.ready).collect();
    assert_eq!((ready, status.replicas), (vec![true, true], Some(2)));
    let selector = "app.kubernetes.io/component=server,app.kubernetes.io/instance=demo";
    assert_eq!(status.selector.as_deref(), Some(selector));
    plan.replicas = 0;
    assert_eq!(
        told(&plan),
        "no server is wanted: set spec.servers.replicas to have some"
    );
}

/// A server may stand still because of the database.
#[test]
fn the_cause_of_a_server_that_does_not_work_may_be_the_database() {
    let mut plan = distributed(1, Some(done()));
    let words = "DatabaseUnreachable: zato on pg:5432 does not answer";
    plan.servers[0].report = Some(report(Phase::Starting, Some(words)));
    let (_, reason, message) = is_ready(&plan);
    assert_eq!(
        (reason, message.as_str()),
        (
            Reason::DatabaseUnreachable,
            "pod demo-server-0: zato on pg:5432 does not answer"
        )
    );
}
