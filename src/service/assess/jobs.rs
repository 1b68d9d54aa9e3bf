//! Pure: what a user sees of jobs.

use super::Judged;
use crate::api::conditions::Reason;
use crate::api::jobs::JobStatus;
use crate::exchange::{IndexedJob, PartReport, Phase, Report};
use crate::service::jobs::in_words;
use crate::service::plan::{Plan, PlannedJob};

/// Where a job is.
enum State {
    Active,
    Pending,
    Suspended,
    Finished,
    Failed(Reason, String),
}

/// The jobs, in the order of the spec.
pub fn statuses(service: &str, plan: &Plan) -> Vec<JobStatus> {
    let status = |planned: &PlannedJob| {
        let (state, error) = match state(service, planned, plan) {
            State::Active => ("Active", None),
            State::Pending => ("Pending", None),
            State::Suspended => ("Suspended", None),
            State::Finished => ("Finished", None),
            State::Failed(_, error) => ("Failed", Some(error)),
        };
        let job = &planned.wish.job;
        JobStatus {
            name: job.name.clone(),
            service: job.service.clone(),
            schedule: in_words(job),
            state: state.into(),
            error,
        }
    };
    plan.jobs.iter().map(status).collect()
}

/// Whether every job is on the scheduler as its spec says; none: there is none.
pub fn judged(service: &str, plan: &Plan) -> Option<Judged> {
    if plan.jobs.is_empty() {
        return None;
    }
    let told = |planned: &PlannedJob, what: &str| format!("job {}: {what}", planned.wish.job.name);
    let (mut pending, mut failed) = (None, vec![]);
    let (mut active, mut suspended, mut finished) = (0, 0, 0);
    for planned in &plan.jobs {
        match state(service, planned, plan) {
            State::Active => active += 1,
            State::Suspended => suspended += 1,
            State::Finished => finished += 1,
            State::Pending => pending = pending.or(Some(planned)),
            State::Failed(reason, error) => failed.push((reason, told(planned, &error))),
        }
    }
    let others = failed.len().saturating_sub(1);
    if let Some((reason, message)) = failed.into_iter().next() {
        let more = match others {
            0 => String::new(),
            others => format!("; {others} more are wrong: see status.jobs"),
        };
        return Some((false, reason, message + &more));
    }
    if let Some(planned) = pending {
        let message = told(
            planned,
            "is made or changed when its service is loaded and the scheduler answers",
        );
        return Some((false, Reason::JobsPending, message));
    }
    let counts = [
        (active, "on the scheduler"),
        (suspended, "suspended"),
        (finished, "finished"),
    ];
    let counted: Vec<_> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    Some((
        true,
        Reason::AllScheduled,
        format!("jobs: {}", counted.join(", ")),
    ))
}

fn state(service: &str, planned: &PlannedJob, plan: &Plan) -> State {
    if let Some(problem) = &planned.problem {
        return State::Failed(problem.reason(), problem.to_string());
    }
    if planned.wish.job.suspend {
        return State::Suspended;
    }
    let name = &planned.wish.job.name;
    let revision = planned.wish.told.as_ref().ok().map(IndexedJob::revision);
    let of = |report: &Report| {
        let found = report.jobs.get(service)?.get(name)?;
        (Some(&found.revision) == revision.as_ref()).then(|| found.clone())
    };
    let reports = plan.reports.iter().filter_map(|(_, report)| report.as_ref());
    let running = reports.filter(|report| matches!(report.phase, Phase::Loading | Phase::Serving));
    let found: Vec<Option<PartReport>> = running.map(of).collect();
    if let Some(error) = found.iter().flatten().find_map(|report| report.error.clone()) {
        return State::Failed(Reason::JobFailed, error);
    }
    if found.is_empty() || found.iter().any(Option::is_none) {
        return State::Pending;
    }
    if found.iter().flatten().all(|report| report.is_over) {
        return State::Finished;
    }
    State::Active
}

#[cfg(test)]
mod tests;
