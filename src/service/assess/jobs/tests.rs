//! What is told of jobs.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::exchange::{PartReport, Phase, Report};
use crate::service::assess::tests::planned;
use crate::service::jobs::{Problem, Wish};

fn job(name: &str, more: &Value, problem: Option<Problem>) -> PlannedJob {
    let mut fields = json!({"name": name, "service": "a.one", "interval": "15m"});
    fields
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let wish = Wish {
        job: serde_json::from_value(fields).unwrap(),
        told: Ok(IndexedJob::default()),
    };
    PlannedJob { wish, problem }
}

fn plan(jobs: Vec<PlannedJob>, reports: Vec<Option<Report>>) -> Plan {
    Plan {
        reports: reports
            .into_iter()
            .map(|report| ("pod".to_owned(), report))
            .collect(),
        jobs,
        ..planned()
    }
}

fn report(phase: Phase, revision: &str, error: Option<&str>, is_over: bool) -> Report {
    let now = IndexedJob::default().revision();
    let part = PartReport {
        revision: if revision == "now" { now } else { revision.into() },
        error: error.map(Into::into),
        is_over,
    };
    let of_service = BTreeMap::from([("j".to_owned(), part)]);
    Report {
        phase,
        jobs: [("s".to_owned(), of_service)].into(),
        ..Report::default()
    }
}

#[rstest]
#[case(vec![], "Pending", Reason::JobsPending)]
#[case(vec![None], "Pending", Reason::JobsPending)]
#[case(vec![Some(report(Phase::Starting, "now", None, false))], "Pending", Reason::JobsPending)]
#[case(vec![Some(report(Phase::Serving, "old", Some("why"), false))], "Pending", Reason::JobsPending)]
#[case(vec![Some(report(Phase::Serving, "now", None, false))], "Active", Reason::AllScheduled)]
#[case(vec![Some(report(Phase::Loading, "now", None, false))], "Active", Reason::AllScheduled)]
#[case(vec![Some(report(Phase::Serving, "now", None, true))], "Finished", Reason::AllScheduled)]
#[case(vec![Some(report(Phase::Serving, "now", Some("why"), false))], "Failed", Reason::JobFailed)]
fn truth_table_of_jobs(#[case] reports: Vec<Option<Report>>, #[case] state: &str, #[case] reason: Reason) {
    let plan = plan(vec![job("j", &json!({}), None)], reports);
    let (is_true, told, _) = judged("s", &plan).unwrap();
    assert_eq!((is_true, told), (reason == Reason::AllScheduled, reason));
    assert_eq!(statuses("s", &plan)[0].state, state);
}

#[test]
fn all_kinds_are_counted_and_the_first_problem_is_told() {
    let suspended = || job("k", &json!({"suspend": true}), None);
    let wrong = || job("x", &json!({}), Some(Problem::Invalid("why".into())));
    let serving = || vec![Some(report(Phase::Serving, "now", None, false))];
    let good = plan(vec![job("j", &json!({}), None), suspended()], serving());
    let (is_true, _, message) = judged("s", &good).unwrap();
    assert_eq!(
        (is_true, message.as_str()),
        (true, "jobs: 1 on the scheduler, 1 suspended")
    );
    let bad = plan(
        vec![job("j", &json!({}), None), suspended(), wrong(), wrong()],
        serving(),
    );
    let (is_true, reason, message) = judged("s", &bad).unwrap();
    assert_eq!((is_true, reason), (false, Reason::JobInvalid));
    assert_eq!(message, "job x: why; 1 more are wrong: see status.jobs");
    insta::assert_yaml_snapshot!(statuses("s", &bad));
    assert_eq!(judged("s", &plan(vec![], serving())), None);
}
