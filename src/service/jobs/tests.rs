//! What is wrong with jobs, and what servers are told of them.

use k8s_openapi::jiff::ToSpan;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::exchange::{IndexedFile, PartReport};

const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn job(fields: &Value) -> Job {
    let mut all = json!({"name": "j", "service": "a.one"});
    all.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn version(services: &[&str]) -> IndexedService {
    let file = IndexedFile {
        services: services.iter().map(ToString::to_string).collect(),
        ..IndexedFile::default()
    };
    IndexedService {
        files: [("a.py".to_owned(), file)].into(),
        ..IndexedService::default()
    }
}

fn told_of(fields: &Value, before: Option<&IndexedService>) -> Result<IndexedJob, String> {
    let wishes = wishes(&[job(fields)], before, now());
    wishes[0].told.clone().map_err(|problem| problem.to_string())
}

#[rstest]
#[case(json!({"interval": "15m"}), Schedule::Interval(900))]
#[case(json!({"interval": "1d2h3m4s"}), Schedule::Interval(93_784))]
#[case(json!({"interval": "1s"}), Schedule::Interval(1))]
#[case(json!({"interval": "90m"}), Schedule::Interval(5400))]
#[case(json!({"interval": "366d"}), Schedule::Interval(31_622_400))]
#[case(json!({"cron": "0 2 * * *"}), Schedule::Cron("0 2 * * *".into()))]
#[case(json!({"at": "2027-01-15T09:00:00+01:00"}), Schedule::At(1_800_000_000))]
fn when_it_runs(#[case] fields: Value, #[case] schedule: Schedule) {
    assert_eq!(super::schedule(&job(&fields)), Ok(schedule));
}

#[rstest]
#[case(json!({"interval": "367d"}), "interval 367d is not between 1 second and 366 days")]
#[case(json!({"interval": "99999d99999h"}), "interval 99999d99999h is not between 1 second and 366 days")]
#[case(json!({"interval": "0s"}), "interval 0s is not between 1 second and 366 days")]
#[case(json!({"cron": "61 * * * *"}), "cron 61 * * * *: minute 61 has \"61\" where a number from 0 to 59 is needed")]
#[case(json!({"at": "2027-01-15T08:00:00Z"}), "its time has passed: give a later one, or take the job away")]
#[case(json!({}), "says no time that this operator knows")]
#[case(json!({"interval": "1m", "payload": {"x": "y".repeat(10_000)}}), "payload has 10008 bytes, and 10000 fit: make it smaller")]
fn what_is_wrong_is_told(#[case] fields: Value, #[case] why: &str) {
    assert_eq!(told_of(&fields, None), Err(why.into()));
}

/// A time that passes takes away no job that was taken in time, and a job that was made stays known as made.
#[test]
fn what_was_taken_in_time_stays() {
    let later = (now() + 1.second()).to_string();
    let fields = json!({"at": later, "payload": {"a": 1}});
    let mut taken = told_of(&fields, None).unwrap();
    assert_eq!((taken.is_made, taken.payload.as_str()), (false, r#"{"a":1}"#));
    taken.is_made = true;
    let before = IndexedService {
        jobs: [("j".to_owned(), taken.clone())].into(),
        ..IndexedService::default()
    };
    let read_later = |fields: &Value| {
        wishes(&[job(fields)], Some(&before), now() + 5.seconds())[0]
            .told
            .clone()
    };
    assert_eq!(read_later(&fields), Ok(taken));
    // What it is given is changed too late; the job stays as made, so that it does not run twice.
    assert!(read_later(&json!({"at": later})).unwrap().is_made);
    // Another time is another job.
    let passed = (now() + 2.seconds()).to_string();
    assert!(read_later(&json!({"at": passed})).is_err());
    let new = (now() + 9.seconds()).to_string();
    assert!(!read_later(&json!({"at": new})).unwrap().is_made);
}

#[test]
fn servers_are_told_of_jobs_whose_service_is_there_and_that_are_not_suspended() {
    let jobs = [
        job(&json!({"name": "a", "interval": "1m"})),
        job(&json!({"name": "b", "interval": "1m", "service": "a.two"})),
        job(&json!({"name": "c", "interval": "1m", "suspend": true})),
        job(&json!({"name": "d", "interval": "0s"})),
    ];
    let wishes = wishes(&jobs, None, now());
    let version = version(&["a.one"]);
    assert_eq!(told(&wishes, &version).keys().collect::<Vec<_>>(), ["a"]);
    let problems: Vec<_> = wishes
        .iter()
        .map(|wish| wish.problem_with(Some(&version)).map(|problem| problem.reason()))
        .collect();
    let invalid = Some(Reason::JobInvalid);
    assert_eq!(problems, [None, invalid, None, invalid]);
    let missing = "service a.two is in no file of this ZatoService: correct the name, or add the service, with `name = 'a.two'` in its class";
    assert_eq!(
        wishes[1].problem_with(Some(&version)).unwrap().to_string(),
        missing
    );
    assert!(wishes[0].problem_with(None).is_some());
    assert_eq!(Problem::Refused(Reason::LoadFailed).reason(), Reason::LoadFailed);
}

/// Only what a server says of this very job, without an error, and only of one that runs once.
#[rstest]
#[case(Schedule::At(NOW), true, None, true)]
#[case(Schedule::At(NOW), true, Some("why"), false)]
#[case(Schedule::At(NOW), false, None, false)]
#[case(Schedule::Interval(1), true, None, false)]
fn a_job_that_the_scheduler_has_got_is_noted(
    #[case] schedule: Schedule,
    #[case] is_of_it: bool,
    #[case] error: Option<&str>,
    #[case] is_made: bool,
) {
    let indexed = IndexedJob {
        schedule,
        ..IndexedJob::default()
    };
    let part = PartReport {
        revision: if is_of_it {
            indexed.revision()
        } else {
            "other".into()
        },
        error: error.map(Into::into),
        ..PartReport::default()
    };
    let of_service = BTreeMap::from([("j".to_owned(), part)]);
    let report = Report {
        jobs: [("s".to_owned(), of_service)].into(),
        ..Report::default()
    };
    let service = IndexedService {
        jobs: [("j".to_owned(), indexed)].into(),
        ..IndexedService::default()
    };
    let mut services = BTreeMap::from([("s".to_owned(), service)]);
    note_made(&mut services, None);
    assert!(!services["s"].jobs["j"].is_made);
    note_made(&mut services, Some(&report));
    assert_eq!(services["s"].jobs["j"].is_made, is_made);
    // It is not forgotten when a server says nothing of it any more.
    note_made(&mut services, Some(&Report::default()));
    assert_eq!(services["s"].jobs["j"].is_made, is_made);
}

#[test]
fn a_person_reads_when_it_runs() {
    let words = |fields: Value| in_words(&job(&fields));
    assert_eq!(words(json!({"interval": "15m"})), "every 15m");
    assert_eq!(words(json!({"cron": "0 2 * * *"})), "0 2 * * * (UTC)");
    assert_eq!(
        words(json!({"at": "2027-01-15T08:00:00Z"})),
        "once at 2027-01-15T08:00:00Z"
    );
    assert_eq!(words(json!({})), "");
}
