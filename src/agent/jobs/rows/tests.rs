//! Which rows are wanted, and what is done about those that are there.

use rstest::rstest;

use super::*;
use crate::exchange::{Index, IndexedService};

pub const NOW: i64 = 1_800_000_000;

pub fn job(schedule: Schedule) -> IndexedJob {
    IndexedJob {
        service: "a.one".into(),
        schedule,
        payload: r#"{"a":1}"#.into(),
        is_made: false,
    }
}

pub fn wanted(jobs: &[(&str, IndexedJob)]) -> Wanted {
    let owned = |(name, job): &(&str, IndexedJob)| ((*name).to_owned(), job.clone());
    let service = IndexedService {
        jobs: jobs.iter().map(owned).collect(),
        ..IndexedService::default()
    };
    Wanted {
        index: Index::sealed([("s".to_owned(), service)].into()),
        ..Wanted::default()
    }
}

pub fn loaded(state: LoadState) -> BTreeMap<String, ServiceReport> {
    let report = ServiceReport {
        state,
        ..ServiceReport::default()
    };
    [("s".to_owned(), report)].into()
}

/// The row that Zato has after a job was written.
fn written(job: &WantedJob<'_>, start: i64) -> JobRow {
    let fields = fields(job, start);
    let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| match fields[name].as_i64() {
        None | Some(0) => Value::Null,
        Some(number) => number.to_string().into(),
    };
    JobRow {
        id: 7,
        name: text("name"),
        is_active: true,
        job_type: text("job_type"),
        start_date: text("start_date"),
        service_name: text("service"),
        extra: text("extra"),
        weeks: Value::Null,
        days: number("days"),
        hours: number("hours"),
        minutes: number("minutes"),
        seconds: number("seconds"),
        repeats: Value::Null,
        cron_definition: fields["cron_definition"].clone(),
    }
}

fn never(_: &WantedJob<'_>) -> bool {
    false
}

#[rstest]
#[case(Schedule::Interval(93_784), NOW)]
#[case(Schedule::Cron("0 2 * * *".into()), NOW)]
#[case(Schedule::At(NOW + 60), NOW + 60)]
fn a_job_is_made_and_then_left_alone(#[case] schedule: Schedule, #[case] start: i64) {
    let wanted = wanted(&[("j", job(schedule))]);
    let jobs = wanted_jobs(&wanted, &loaded(LoadState::Loaded));
    assert_eq!(steps(&jobs, &[], NOW, never), [Step::Create(&jobs[0], start)]);
    insta::assert_json_snapshot!(
        format!("fields_of_{}", kind(jobs[0].job)),
        fields(&jobs[0], start)
    );
    let rows = [written(&jobs[0], start)];
    assert_eq!(steps(&jobs, &rows, NOW + 5, never), []);
}

/// Whatever somebody changed in the database is changed back.
#[rstest]
#[case(|row: &mut JobRow| row.is_active = false)]
#[case(|row: &mut JobRow| row.service_name = "other".into())]
#[case(|row: &mut JobRow| row.extra = String::new())]
#[case(|row: &mut JobRow| row.minutes = Value::Null)]
#[case(|row: &mut JobRow| row.weeks = 1.into())]
#[case(|row: &mut JobRow| row.repeats = "3".into())]
#[case(|row: &mut JobRow| row.start_date = "2030-01-01T00:00:00".into())]
#[case(|row: &mut JobRow| row.start_date = "nonsense".into())]
fn what_differs_is_edited(#[case] change: fn(&mut JobRow)) {
    let wanted = wanted(&[("j", job(Schedule::Interval(60)))]);
    let jobs = wanted_jobs(&wanted, &loaded(LoadState::Loaded));
    let mut row = written(&jobs[0], NOW);
    change(&mut row);
    assert_eq!(
        steps(&jobs, &[row.clone()], NOW, never),
        [Step::Edit(&row, &jobs[0], NOW)]
    );
}

/// Else a scheduler that starts goes through all runs since then.
#[test]
fn a_start_date_far_in_the_past_is_moved_and_the_rhythm_is_kept() {
    let wanted = wanted(&[("j", job(Schedule::Interval(7)))]);
    let jobs = wanted_jobs(&wanted, &loaded(LoadState::Loaded));
    let row = written(&jobs[0], NOW - 7 * 100_000);
    assert_eq!(steps(&jobs, std::slice::from_ref(&row), NOW, never), []);
    let now = NOW + 3;
    let old = written(&jobs[0], NOW - 7 * 100_001);
    assert_eq!(
        steps(&jobs, std::slice::from_ref(&old), now, never),
        [Step::Edit(&old, &jobs[0], NOW)]
    );
}

/// Of a job that runs once, given how far its time is: what is done if there is a row, if there is none, and if there is
/// none any more.
#[rstest]
#[case::not_yet(10, vec!["create"], vec!["create"])]
#[case::passed(-10, vec!["create"], vec!["over"])]
fn one_that_runs_once(#[case] seconds: i64, #[case] new: Vec<&str>, #[case] made: Vec<&str>) {
    let time = NOW + seconds;
    let wanted = wanted(&[("j", job(Schedule::At(time)))]);
    let jobs = wanted_jobs(&wanted, &loaded(LoadState::Loaded));
    let names = |steps: &[Step<'_>]| -> Vec<&str> {
        let name = |step: &Step<'_>| match step {
            Step::Create(_, start) if *start == time => "create",
            Step::Over(_) => "over",
            _ => "other",
        };
        steps.iter().map(name).collect()
    };
    assert_eq!(names(&steps(&jobs, &[], NOW, never)), new);
    assert_eq!(names(&steps(&jobs, &[], NOW, |_| true)), made);
    assert_eq!(steps(&jobs, &[written(&jobs[0], time)], NOW, |_| true), []);
    let other = written(&jobs[0], time - 100);
    assert_eq!(
        steps(&jobs, std::slice::from_ref(&other), NOW, never),
        [Step::Edit(&other, &jobs[0], time)]
    );
}

#[test]
fn what_nobody_wants_goes_and_what_is_not_ours_stays() {
    let wanted = wanted(&[("j", job(Schedule::Interval(60)))]);
    let jobs = wanted_jobs(&wanted, &loaded(LoadState::Loading));
    assert!(jobs[0].is_early);
    let mut rows = [
        written(&jobs[0], NOW),
        written(&jobs[0], NOW),
        written(&jobs[0], NOW),
    ];
    rows[0].name = "kubernetes s gone".into();
    rows[1].job_type = "cron_style".into();
    rows[2].name = "somebody's".into();
    let found = steps(&jobs, &rows, NOW, never);
    assert_eq!(
        found,
        [
            Step::Delete(&rows[0]),
            Step::Delete(&rows[1]),
            Step::Create(&jobs[0], NOW)
        ]
    );
    let written: Vec<_> = found.iter().filter_map(Step::written).collect();
    assert_eq!(written, ["kubernetes s gone", "kubernetes s j", "kubernetes s j"]);
}

#[test]
fn a_name_fits_into_the_database() {
    assert_eq!(row_name("s", "j"), "kubernetes s j");
    let long = row_name(&"x".repeat(200), &"j".repeat(63));
    assert!(long.len() <= NAME_CHARACTERS);
    assert_ne!(long, row_name(&"y".repeat(200), &"j".repeat(63)));
}
