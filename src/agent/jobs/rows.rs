//! Pure: the jobs of Zato's database that are wanted, and what is to be done about those that are there.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::civil::DateTime;
use k8s_openapi::jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::agent::channels::PREFIX;
use crate::agent::code::Wanted;
use crate::agent::zato::JobRow;
use crate::exchange::{IndexedJob, LoadState, Schedule, ServiceReport, short_hash};

/// What the database takes as a name.
const NAME_CHARACTERS: usize = 191;
/// A scheduler that starts goes through all runs since the start date, some hundred thousand in a second, and does nothing
/// else meanwhile. After so many the date is moved.
const MOST_RUNS: i64 = 100_000;

/// What runs once, and should have run, runs so much later.
const AT_ONCE: i64 = 5;
/// It has been lost when its row is still there after so much time: no server answered when it was due.
const LOST: i64 = 20;

/// A job that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedJob<'a> {
    /// The name of its row.
    pub name: String,
    /// What the index says.
    pub job: &'a IndexedJob,
    /// The `ZatoService` and the job's name there.
    pub place: (&'a str, &'a str),
    /// Whether the files of the `ZatoService` are still being loaded.
    pub is_early: bool,
}

/// What there is to do. Start dates are seconds since 1970.
#[derive(Debug, PartialEq)]
pub enum Step<'a> {
    /// Nobody wants it, or not of that type.
    Delete(&'a JobRow),
    /// It lacks.
    Create(&'a WantedJob<'a>, i64),
    /// It is otherwise.
    Edit(&'a JobRow, &'a WantedJob<'a>, i64),
    /// It ran.
    Over(&'a WantedJob<'a>),
}

impl Step<'_> {
    /// The name of the row that is written.
    pub fn written(&self) -> Option<&str> {
        match self {
            Self::Delete(row) | Self::Edit(row, ..) => Some(&row.name),
            Self::Create(job, _) => Some(&job.name),
            Self::Over(_) => None,
        }
    }

    /// The place of a job that ran.
    pub fn over(&self) -> Option<(&str, &str)> {
        match self {
            Self::Over(job) => Some(job.place),
            _ => None,
        }
    }
}

/// All jobs of the index.
pub fn wanted_jobs<'a>(wanted: &'a Wanted, services: &BTreeMap<String, ServiceReport>) -> Vec<WantedJob<'a>> {
    let mut jobs = vec![];
    for (service, indexed) in &wanted.index.services {
        let state = services.get(service).map(|service| service.state);
        jobs.extend(indexed.jobs.iter().map(|(name, job)| WantedJob {
            name: row_name(service, name),
            job,
            place: (service, name),
            is_early: state.is_none_or(|state| state == LoadState::Loading),
        }));
    }
    jobs
}

fn row_name(service: &str, job: &str) -> String {
    let name = format!("{PREFIX}{service} {job}");
    if name.len() <= NAME_CHARACTERS {
        return name;
    }
    format!("{PREFIX}{} {job}", short_hash(service.as_bytes()))
}

/// What there is to do. `is_made`: whether the scheduler has had a job that runs once.
pub fn steps<'a>(
    wanted: &'a [WantedJob<'a>],
    found: &'a [JobRow],
    now: i64,
    is_made: impl Fn(&WantedJob<'_>) -> bool,
) -> Vec<Step<'a>> {
    let ours = || found.iter().filter(|row| row.name.starts_with(PREFIX));
    let of = |row: &JobRow| wanted.iter().find(|wanted| wanted.name == row.name);
    let is_wanted = |row: &&JobRow| of(row).is_some_and(|wanted| kind(wanted.job) == row.job_type);
    let mut steps: Vec<_> = ours().filter(|row| !is_wanted(row)).map(Step::Delete).collect();
    for wanted in wanted {
        let current = ours().filter(is_wanted).find(|row| row.name == wanted.name);
        let is_due = matches!(wanted.job.schedule, Schedule::At(time) if time <= now);
        match current {
            // Zato deletes it when it runs.
            None if is_due && is_made(wanted) => steps.push(Step::Over(wanted)),
            None => steps.push(Step::Create(wanted, new_start(wanted.job, None, now))),
            Some(row) if is_same(wanted.job, row, now) => {}
            Some(row) => steps.push(Step::Edit(row, wanted, new_start(wanted.job, Some(row), now))),
        }
    }
    steps
}

/// The start date that is written. An interval has the time at which it would have run last, so that it keeps its rhythm.
fn new_start(job: &IndexedJob, row: Option<&JobRow>, now: i64) -> i64 {
    match job.schedule {
        Schedule::At(time) if time <= now => now + AT_ONCE,
        Schedule::At(time) => time,
        Schedule::Cron(_) => now,
        Schedule::Interval(seconds) => match row.and_then(start) {
            Some(start) if start <= now => start + (now - start) / seconds * seconds,
            _ => now,
        },
    }
}

/// The fields of a row. All of them are given always: Zato resets what an edit leaves out.
pub fn fields(job: &WantedJob<'_>, start: i64) -> Value {
    let mut fields = json!({
        "cluster_id": 1, "name": job.name, "is_active": true, "job_type": kind(job.job), "service": job.job.service,
        "start_date": date(start), "extra": job.job.payload,
    });
    match &job.job.schedule {
        Schedule::Interval(seconds) => {
            fields["days"] = (seconds / 86_400).into();
            fields["hours"] = (seconds / 3600 % 24).into();
            fields["minutes"] = (seconds / 60 % 60).into();
            fields["seconds"] = (seconds % 60).into();
        }
        Schedule::Cron(pattern) => fields["cron_definition"] = pattern.clone().into(),
        Schedule::At(_) => {}
    }
    fields
}

/// The type of a job, by Zato's name.
fn kind(job: &IndexedJob) -> &'static str {
    match job.schedule {
        Schedule::Interval(_) => "interval_based",
        Schedule::Cron(_) => "cron_style",
        Schedule::At(_) => "one_time",
    }
}

/// As Zato reads it: UTC, without saying so.
fn date(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn start(row: &JobRow) -> Option<i64> {
    let date: DateTime = row.start_date.parse().ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

fn is_same(job: &IndexedJob, row: &JobRow, now: i64) -> bool {
    let is_on_time = match &job.schedule {
        Schedule::At(time) if *time > now => start(row) == Some(*time),
        // It is about to run.
        Schedule::At(_) => start(row).is_some_and(|start| (now - LOST..=now + AT_ONCE).contains(&start)),
        Schedule::Cron(pattern) => row.cron_definition == *pattern,
        Schedule::Interval(seconds) => {
            let age = start(row).map(|start| now - start);
            let is_near = age.is_some_and(|age| (0..=MOST_RUNS * seconds).contains(&age));
            is_near && interval(row) == *seconds && number(&row.repeats) == 0
        }
    };
    is_on_time && row.is_active && row.service_name == job.service && row.extra == job.payload
}

fn interval(row: &JobRow) -> i64 {
    let days = number(&row.weeks) * 7 + number(&row.days);
    ((days * 24 + number(&row.hours)) * 60 + number(&row.minutes)) * 60 + number(&row.seconds)
}

/// Zato gives numbers as text, too, and nothing for none.
fn number(value: &Value) -> i64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    value.as_i64().or(text).unwrap_or_default()
}

#[cfg(test)]
pub mod tests;
