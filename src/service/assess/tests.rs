//! What a service's status says.

use super::*;
use crate::api::PublishedDocument;
use crate::python::SyntaxError;
use rstest::rstest;
use std::collections::BTreeMap;

/// A service of which nothing is known, in a cluster that is as usual.
pub fn planned() -> Plan {
    Plan {
        revision: Some("now".into()),
        refusal: None,
        unsafe_names: vec![],
        cluster_name: "demo".into(),
        cluster: ClusterState::Active,
        named: 1,
        reports: vec![],
        keeper: String::new(),
        change: None,
        documents: Publication::default(),
        expected: std::collections::BTreeSet::new(),
        channels: vec![],
        not_invoked: std::collections::BTreeSet::new(),
        jobs: vec![],
        address: "http://demo.n.svc:11223".into(),
        revisions: crate::revisions::History::default(),
        git: None,
        commit: None,
        is_rolled_back: false,
    }
}

fn report(revision: &str, state: LoadState) -> Report {
    let error = (state == LoadState::Failed).then(|| "ModuleNotFoundError: x".to_owned());
    let services = BTreeMap::from([(
        "s".into(),
        ServiceReport {
            revision: revision.into(),
            state,
            error,
            ..ServiceReport::default()
        },
    )]);
    Report {
        services,
        ..serving()
    }
}

fn serving() -> Report {
    Report {
        phase: Phase::Serving,
        ..Report::default()
    }
}

fn judged(refused: bool, cluster: ClusterState, report: Option<Report>) -> (bool, Reason, String) {
    let syntax = SyntaxError {
        file: "a.py".into(),
        line: 2,
        column: 3,
        cause: "Expected an expression".into(),
    };
    let plan = Plan {
        refusal: refused.then_some(Refusal::Syntax(syntax)),
        cluster,
        change: Some(change(&[])),
        reports: vec![("demo-server-0".into(), report)],
        ..planned()
    };
    judge(&plan, &servers("s", &plan))
}

#[rstest]
#[case(false, ClusterState::Missing, None, false, Reason::ClusterNotFound)]
#[case(false, ClusterState::Active, None, false, Reason::ClusterNotReady)]
#[case(
    false,
    ClusterState::Active,
    Some(Report::default()),
    false,
    Reason::ClusterNotReady
)]
#[case(false, ClusterState::Active, Some(serving()), false, Reason::Deploying)]
#[case(
    false,
    ClusterState::Active,
    Some(report("old", LoadState::Loaded)),
    false,
    Reason::Deploying
)]
#[case(
    false,
    ClusterState::Active,
    Some(report("old", LoadState::Failed)),
    false,
    Reason::Deploying
)]
#[case(
    false,
    ClusterState::Active,
    Some(report("now", LoadState::Loading)),
    false,
    Reason::Deploying
)]
#[case(
    false,
    ClusterState::Active,
    Some(report("now", LoadState::Failed)),
    false,
    Reason::LoadFailed
)]
#[case(
    false,
    ClusterState::Active,
    Some(report("now", LoadState::Loaded)),
    true,
    Reason::Deployed
)]
#[case(
    true,
    ClusterState::Active,
    Some(report("old", LoadState::Loaded)),
    false,
    Reason::SyntaxError
)]
#[case(true, ClusterState::Missing, None, false, Reason::SyntaxError)]
#[case(false, ClusterState::Stopped, None, false, Reason::Stopped)]
#[case(false, ClusterState::Paused, None, false, Reason::Paused)]
#[case(false, ClusterState::Blocked, None, false, Reason::ClusterNotReady)]
#[case(
    false,
    ClusterState::Blocked,
    Some(report("old", LoadState::Loaded)),
    false,
    Reason::ClusterNotReady
)]
#[case(
    false,
    ClusterState::Blocked,
    Some(report("now", LoadState::Loaded)),
    true,
    Reason::Deployed
)]
#[case(
    false,
    ClusterState::Paused,
    Some(report("old", LoadState::Loaded)),
    false,
    Reason::Paused
)]
#[case(
    false,
    ClusterState::Paused,
    Some(report("now", LoadState::Loaded)),
    true,
    Reason::Deployed
)]
fn truth_table(
    #[case] refused: bool,
    #[case] cluster: ClusterState,
    #[case] report: Option<Report>,
    #[case] ready: bool,
    #[case] reason: Reason,
) {
    let (is_ready, why, _) = judged(refused, cluster, report);
    assert_eq!((is_ready, why), (ready, reason));
}

#[test]
fn a_syntax_error_is_told_with_its_place_and_what_goes_on() {
    let (_, _, message) = judged(true, ClusterState::Active, Some(report("old", LoadState::Loaded)));
    assert_eq!(
        message,
        "a.py:2:3: Expected an expression; the previous version goes on answering"
    );
}

#[test]
fn a_summary_has_at_most_60_characters() {
    let fits = "é".repeat(60);
    assert_eq!(summary(Reason::Deployed, &format!("{fits}\nmore")), fits);
    assert_eq!(
        summary(Reason::Deployed, &"é".repeat(61)),
        format!("{}...", "é".repeat(57))
    );
    assert_eq!(summary(Reason::Deployed, ""), "Deployed");
}

fn service() -> ZatoService {
    let object = serde_json::json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "s", "generation": 2},
        "spec": {"clusterRef": {"name": "demo"}, "source": {"inline": {}}},
    });
    serde_json::from_value(object).unwrap()
}

fn change(breaks: &[&str]) -> Change {
    Change {
        breaks: breaks.iter().map(ToString::to_string).collect(),
        is_unjudged: false,
    }
}

fn two_servers(second: Report) -> Plan {
    Plan {
        unsafe_names: vec!["api.py".into(), "x.py".into()],
        change: Some(change(&["a: OperationRemoved: a -> none"])),
        documents: Publication {
            kept: vec![PublishedDocument {
                version: 3,
                hash: "0123456789abcdef".into(),
                config_map: "s-openapi-3".into(),
                published: None,
            }],
            ..Publication::default()
        },
        reports: vec![
            ("demo-server-0".into(), Some(report("now", LoadState::Loaded))),
            ("demo-server-1".into(), Some(second)),
            ("demo-server-2".into(), None),
        ],
        ..planned()
    }
}

/// What a change does to callers, before there was one, and when it is not deployed.
#[test]
fn what_a_change_breaks_is_told() {
    let told = |change: Option<Change>, refusal: Option<Refusal>| {
        let plan = Plan {
            refusal,
            change,
            ..two_servers(Report::default())
        };
        compatible(&plan).map(|(is_true, reason, _)| (is_true, reason))
    };
    assert_eq!(told(None, None), None);
    assert_eq!(told(Some(change(&[])), None), Some((true, Reason::NothingBroken)));
    let broken = Some((false, Reason::BreakingChange));
    assert_eq!(told(Some(change(&["a"])), None), broken);
    let unjudged = Change {
        is_unjudged: true,
        ..change(&[])
    };
    assert_eq!(told(Some(unjudged), None), Some((false, Reason::NotJudged)));
    let refusal = Refusal::BreakingChange(vec!["a".into()]);
    assert_eq!(told(Some(change(&[])), Some(refusal)), broken);
}

/// While servers do not have what would be described, what was told stays.
#[test]
fn what_is_published_is_told_until_something_new_is_known() {
    let plan = two_servers(Report::default());
    let told = documented(&plan.documents, &[], Some(2)).unwrap();
    assert_eq!(told.message, "version 3 is in ConfigMap s-openapi-3");
    let waiting = Publication::waiting(plan.documents.kept);
    let old = [told.clone()];
    assert_eq!(documented(&waiting, &old, Some(3)), Some(told));
    assert_eq!(documented(&waiting, &[], Some(3)), None);
}

/// What stands in the object, and what stays of it when a step fails.
#[test]
fn whole_statuses() {
    let mut service = service();
    let mut told = vec![];
    for second in [
        report("now", LoadState::Loaded),
        report("now", LoadState::Loading),
        report("now", LoadState::Failed),
        serving(),
    ] {
        let plan = two_servers(second);
        told.push(assess(&service, Outcome::Applied { plan: &plan }).status);
    }
    service.status = told.last().cloned();
    let why = "it contradicts itself".into();
    let error = crate::reconcile::Error::Invalid {
        field: "f".into(),
        why,
    };
    told.push(assess(&service, Outcome::Failed(&error)).status);
    insta::assert_yaml_snapshot!(told);
}

/// What is deployed is Ready when its channels are, too; what is not says why first.
#[test]
fn channels_count_for_ready() {
    let deployed = (true, Reason::Deployed, "answers".to_owned());
    let failed = (false, Reason::PathTaken, "taken".to_owned());
    let active = (true, Reason::AllActive, "active".to_owned());
    let broken = (false, Reason::SyntaxError, "broken".to_owned());
    assert_eq!(ready(deployed.clone(), [&failed].into_iter()), failed);
    assert_eq!(ready(deployed.clone(), [&active].into_iter()), deployed);
    assert_eq!(ready(deployed.clone(), [].into_iter()), deployed);
    assert_eq!(ready(broken.clone(), [&failed].into_iter()), broken);
}

#[test]
fn files_without_a_service_answer_nothing() {
    let plan = Plan {
        named: 0,
        ..two_servers(report("now", LoadState::Loaded))
    };
    assert_eq!(
        judge(&plan, &servers("s", &plan)).2,
        "loaded on 2 of 2 servers; its files name no service"
    );
}

#[test]
fn safe_names_are_told_as_such() {
    let plan = Plan {
        unsafe_names: vec![],
        ..two_servers(Report::default())
    };
    assert_eq!(
        file_names(&plan),
        (
            true,
            Reason::Safe,
            "no file has a name that Zato takes for one of its own".into()
        )
    );
}

#[test]
fn a_refused_service_without_an_earlier_version_answers_nothing() {
    let loading = Some(report("old", LoadState::Loading));
    let (_, _, message) = judged(true, ClusterState::Active, loading);
    assert_eq!(message, "a.py:2:3: Expected an expression");
}
