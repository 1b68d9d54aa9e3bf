//! What is told of channels.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::exchange::{IndexedChannel, PartReport, Phase, Report};
use crate::service::assess::tests::planned;
use crate::service::channels::{Claim, Problem};

fn channel(name: &str, problem: Option<Problem>) -> PlannedChannel {
    let wanted = json!({"service": "a.one", "urlPath": "/a/{b}", "methods": ["GET", "POST"]});
    let wanted: IndexedChannel = serde_json::from_value(wanted).unwrap();
    let claim = Claim {
        name: name.into(),
        wanted,
        told: Some(IndexedChannel::default()),
        problem: None,
        rivals: vec![],
    };
    PlannedChannel { claim, problem }
}

fn plan(channels: Vec<PlannedChannel>, reports: Vec<Option<Report>>) -> Plan {
    Plan {
        reports: reports
            .into_iter()
            .map(|report| ("pod".to_owned(), report))
            .collect(),
        channels,
        ..planned()
    }
}

fn report(phase: Phase, revision: &str, error: Option<&str>) -> Report {
    let now = IndexedChannel::default().revision();
    let channel = PartReport {
        revision: if revision == "now" { now } else { revision.into() },
        error: error.map(Into::into),
        ..PartReport::default()
    };
    let of_service = BTreeMap::from([("c".to_owned(), channel)]);
    Report {
        phase,
        channels: [("s".to_owned(), of_service)].into(),
        ..Report::default()
    }
}

#[rstest]
#[case(vec![], "Pending", Reason::ChannelsPending)]
#[case(vec![None], "Pending", Reason::ChannelsPending)]
#[case(vec![Some(report(Phase::Starting, "now", None))], "Pending", Reason::ChannelsPending)]
#[case(vec![Some(report(Phase::Serving, "old", None))], "Pending", Reason::ChannelsPending)]
#[case(vec![Some(report(Phase::Serving, "old", Some("why")))], "Pending", Reason::ChannelsPending)]
#[case(vec![Some(report(Phase::Serving, "now", None))], "Active", Reason::AllActive)]
#[case(vec![Some(report(Phase::Loading, "now", None))], "Active", Reason::AllActive)]
#[case(vec![Some(report(Phase::Serving, "now", Some("why")))], "Failed", Reason::ChannelFailed)]
#[case(
    vec![Some(report(Phase::Serving, "now", None)), Some(report(Phase::Serving, "old", None))],
    "Pending",
    Reason::ChannelsPending
)]
fn truth_table_of_channels(
    #[case] reports: Vec<Option<Report>>,
    #[case] state: &str,
    #[case] reason: Reason,
) {
    let plan = plan(vec![channel("c", None)], reports);
    let (is_true, told, _) = judged("s", &plan).unwrap();
    assert_eq!((is_true, told), (reason == Reason::AllActive, reason));
    assert_eq!(endpoints("s", &plan)[0].state, state);
}

#[test]
fn a_problem_comes_before_what_servers_say() {
    let problem = Problem::SecretNotFound("x".into());
    let channels = vec![channel("c", None), channel("d", Some(problem))];
    let plan = plan(channels, vec![Some(report(Phase::Serving, "now", None))]);
    let message = "channel d: Secret x does not exist: create it";
    assert_eq!(
        judged("s", &plan),
        Some((false, Reason::SecretNotFound, message.into()))
    );
    insta::assert_yaml_snapshot!(endpoints("s", &plan));
    let wrong = || channel("d", Some(Problem::SecretNotFound("x".into())));
    let several = self::plan(vec![wrong(), channel("c", None), wrong(), wrong()], vec![]);
    let message = "channel d: Secret x does not exist: create it; 2 more are wrong: see status.endpoints";
    assert_eq!(judged("s", &several).unwrap().2, message);
}

#[test]
fn what_stays_meanwhile_is_told() {
    let problem = || Some(Problem::SecretNotFound("x".into()));
    let mut kept = channel("c", problem());
    kept.claim.problem = problem();
    let message = |channel| judged("s", &plan(vec![channel], vec![])).unwrap().2;
    assert_eq!(
        message(kept),
        "channel c: Secret x does not exist: create it; until then the channel stays as it was"
    );
    assert_eq!(
        message(channel("c", problem())),
        "channel c: Secret x does not exist: create it"
    );
}

#[test]
fn services_that_are_left_out_are_told() {
    let mut found = plan(
        vec![channel("c", None)],
        vec![Some(report(Phase::Serving, "now", None))],
    );
    found.not_invoked = (1..=7).map(|number| format!("s{number}")).collect();
    let message = judged("s", &found).unwrap().2;
    assert!(
        message.starts_with("channel c answers; not invoked by a client of their own"),
        "{message}"
    );
    assert!(
        message.ends_with("path: s1, s2, s3, s4, s5 and 2 more"),
        "{message}"
    );
}

#[test]
fn those_who_want_the_same_path_are_told() {
    let mut rival = channel("c", None);
    rival.claim.rivals = vec!["channel x of ZatoService y".into()];
    let reports = || vec![Some(report(Phase::Serving, "now", None))];
    assert_eq!(
        judged("s", &plan(vec![rival], reports())).unwrap().2,
        "channel c answers; channel x of ZatoService y wants a path of them, too, and does not get it"
    );
    assert_eq!(judged("s", &plan(vec![], reports())), None);
    let both = plan(vec![channel("c", None), channel("c", None)], reports());
    assert_eq!(judged("s", &both).unwrap().2, "2 channels answer");
}

/// Past the load balancer, to a port of its own.
#[test]
fn where_web_socket_clients_connect() {
    let mut found = channel("c", None);
    let wanted =
        json!({"service": "a.one", "urlPath": "/w", "kind": "WebSocket", "webSocket": {"port": 7000}});
    found.claim.wanted = serde_json::from_value(wanted).unwrap();
    found.claim.rivals = vec!["channel x of ZatoService y".into()];
    let mut plan = plan(vec![found], vec![Some(report(Phase::Serving, "now", None))]);
    plan.address = network::address("demo", "ns");
    assert_eq!(endpoints("s", &plan)[0].url, "ws://demo.ns.svc:7000/w");
    assert_eq!(
        judged("s", &plan).unwrap().2,
        "channel c answers; channel x of ZatoService y wants a port of them, too, and does not get it"
    );
}
