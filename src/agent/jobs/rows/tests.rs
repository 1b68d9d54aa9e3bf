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

/// Of a job that runs once, given how far its time is: when a new one starts, and what is thought of one that was made and
/// is not there.
#[rstest]
#[case::not_yet(10, NOW + 10, false)]
#[case::passed(-1000, NOW + 5, true)]
fn one_that_runs_once(#[case] seconds: i64, #[case] begin: i64, #[case] is_over: bool) {
    let wanted = wanted(&[("j", job(Schedule::At(NOW + seconds)))]);
    let jobs = wanted_jobs(&wanted, &loaded(LoadState::Loaded));
    let create = || Step::Create(&jobs[0], begin);
    assert_eq!(steps(&jobs, &[], NOW, never), [create()]);
    let gone = if is_over { Step::Over(&jobs[0]) } else { create() };
    assert_eq!(steps(&jobs, &[], NOW, |_| true), [gone]);
}

/// It is given the scheduler once more when no server answered at its time, and not each time that somebody looks.
#[rstest]
#[case::waits(10, 10, None)]
#[case::other_time(10, 11, Some(NOW + 10))]
#[case::about_to_run(-1, -1, None)]
#[case::late(-15, -15, None)]
#[case::lost(-21, -21, Some(NOW + 5))]
#[case::given_once_more(-21, 5, None)]
#[case::somebody_put_it_off(-1, 100, Some(NOW + 5))]
fn the_row_of_one_that_runs_once(#[case] time: i64, #[case] start: i64, #[case] edit: Option<i64>) {
    let wanted = wanted(&[("j", job(Schedule::At(NOW + time)))]);
    let jobs = wanted_jobs(&wanted, &loaded(LoadState::Loaded));
    let row = written(&jobs[0], NOW + start);
    let edits: Vec<_> = edit
        .into_iter()
        .map(|begin| Step::Edit(&row, &jobs[0], begin))
        .collect();
    assert_eq!(steps(&jobs, std::slice::from_ref(&row), NOW, |_| true), edits);
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
