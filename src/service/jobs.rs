//! Pure: the jobs of services: what is wrong with each, and what servers are told of them.

mod cron;

use std::collections::BTreeMap;

use k8s_openapi::jiff::{Span, SpanRelativeTo, Timestamp, Unit};

use super::channels::has;
use crate::api::conditions::Reason;
use crate::api::jobs::Job;
use crate::exchange::{IndexedJob, IndexedService, Report, Schedule};

/// The longest interval: 366 days.
const LONGEST: f64 = 366.0 * 24.0 * 3600.0;
/// The bytes of a payload.
const PAYLOAD: usize = 10_000;

/// Why a job is not as its spec says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The files define no such service.
    #[error(
        "service {0} is in no file of this ZatoService: correct the name, or add the service, with `name = '{0}'` in its class"
    )]
    ServiceNotFound(String),
    /// Its time, or what its service gets, cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The change that it came with is not deployed, for this reason.
    #[error("it is not on the scheduler as the spec says: Ready says why")]
    Refused(Reason),
}

impl Problem {
    /// The reason that conditions get.
    pub fn reason(&self) -> Reason {
        match self {
            Self::ServiceNotFound(_) | Self::Invalid(_) => Reason::JobInvalid,
            Self::Refused(reason) => *reason,
        }
    }
}

/// One job of a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What the spec says.
    pub job: Job,
    /// What servers are told, if its service is there; or why they are told nothing.
    pub told: Result<IndexedJob, Problem>,
}

impl Wish {
    /// What is wrong, given the version of the files that servers have or get.
    pub fn problem_with(&self, version: Option<&IndexedService>) -> Option<Problem> {
        let is_there = version.is_some_and(|version| has(version, &self.job.service));
        let missing = || Problem::ServiceNotFound(self.job.service.clone());
        self.told.clone().err().or_else(|| (!is_there).then(missing))
    }
}

/// The jobs of a spec, in its order. `before`: what servers were told last; `now`: when the spec was read.
pub fn wishes(jobs: &[Job], before: Option<&IndexedService>, now: Timestamp) -> Vec<Wish> {
    let wish = |job: &Job| Wish {
        told: indexed(job, before.and_then(|before| before.jobs.get(&job.name)), now),
        job: job.clone(),
    };
    jobs.iter().map(wish).collect()
}

/// The jobs of which a version has the services, without those that are suspended.
pub fn told(wishes: &[Wish], version: &IndexedService) -> BTreeMap<String, IndexedJob> {
    let told = wishes
        .iter()
        .filter(|wish| !wish.job.suspend)
        .filter_map(|wish| Some((wish.job.name.clone(), wish.told.clone().ok()?)));
    told.filter(|(_, job)| has(version, &job.service)).collect()
}

/// Notes which jobs the scheduler has got, as a server says.
pub fn note_made(services: &mut BTreeMap<String, IndexedService>, report: Option<&Report>) {
    for (name, service) in services {
        let Some(found) = report.and_then(|report| report.jobs.get(name)) else {
            continue;
        };
        for (job, indexed) in &mut service.jobs {
            let is_it = |revision: &str| revision == indexed.revision();
            let is_made = found
                .get(job)
                .is_some_and(|found| found.error.is_none() && is_it(&found.revision));
            indexed.is_made |= is_made && matches!(indexed.schedule, Schedule::At(_));
        }
    }
}

fn indexed(job: &Job, before: Option<&IndexedJob>, now: Timestamp) -> Result<IndexedJob, Problem> {
    let schedule = schedule(job)?;
    let before = before.filter(|before| before.schedule == schedule);
    if let (Schedule::At(time), None) = (&schedule, before)
        && *time <= now.as_second()
        && !job.suspend
    {
        return Err(Problem::Invalid(
            "its time has passed: give a later one, or take the job away".into(),
        ));
    }
    // Nothing at all would be replaced by something of Zato's own.
    let payload = serde_json::to_string(&job.payload.clone().unwrap_or_default()).unwrap_or_default();
    if payload.len() > PAYLOAD {
        let why = format!(
            "payload has {} bytes, and {PAYLOAD} fit: make it smaller",
            payload.len()
        );
        return Err(Problem::Invalid(why));
    }
    Ok(IndexedJob {
        service: job.service.clone(),
        schedule,
        payload,
        is_made: before.is_some_and(|before| before.is_made),
    })
}

fn schedule(job: &Job) -> Result<Schedule, Problem> {
    match (&job.interval, &job.cron, &job.at) {
        (Some(interval), ..) => seconds(interval).map(Schedule::Interval),
        (_, Some(pattern), _) => match cron::problem(pattern) {
            Some(why) => Err(Problem::Invalid(why)),
            None => Ok(Schedule::Cron(pattern.clone())),
        },
        (.., Some(at)) => Ok(Schedule::At(at.0.as_second())),
        _ => Err(Problem::Invalid("says no time that this operator knows".into())),
    }
}

fn seconds(interval: &str) -> Result<i64, Problem> {
    let span = interval.parse::<Span>().ok();
    let total = span.and_then(|span| {
        span.total((Unit::Second, SpanRelativeTo::days_are_24_hours()))
            .ok()
    });
    #[allow(clippy::cast_possible_truncation, reason = "whole and within bounds")]
    let found = total
        .filter(|seconds| (1.0..=LONGEST).contains(seconds))
        .map(|seconds| seconds as i64);
    found.ok_or_else(|| {
        Problem::Invalid(format!(
            "interval {interval} is not between 1 second and 366 days"
        ))
    })
}

/// When a job runs, in words.
pub fn in_words(job: &Job) -> String {
    match (&job.interval, &job.cron, &job.at) {
        (Some(interval), ..) => format!("every {interval}"),
        (_, Some(pattern), _) => format!("{pattern} (UTC)"),
        (.., Some(at)) => format!("once at {}", at.0),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
