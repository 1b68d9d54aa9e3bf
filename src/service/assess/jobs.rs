//! Pure: what a user sees of jobs.

use super::Judged;
use super::parts::{State, Trouble};
use crate::api::conditions::Reason;
use crate::api::jobs::JobStatus;
use crate::exchange::IndexedJob;
use crate::service::jobs::in_words;
use crate::service::plan::{Plan, PlannedJob};

/// What is told of those that are not as they should be.
const TROUBLE: Trouble = Trouble {
    list: "status.jobs",
    pending: Reason::JobsPending,
    waits: "is made or changed when its service is loaded and the scheduler answers",
};

/// The jobs, in the order of the spec.
pub fn statuses(service: &str, plan: &Plan) -> Vec<JobStatus> {
    let status = |planned: &PlannedJob| {
        let (state, error) = state(service, planned, plan).told();
        let job = &planned.wish.job;
        JobStatus {
            name: job.name.clone(),
            service: job.service.clone(),
            schedule: in_words(job),
            state,
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
    let (mut active, mut suspended, mut finished) = (0, 0, 0);
    let states = plan.jobs.iter().map(|planned| {
        let state = state(service, planned, plan);
        match state {
            State::Active => active += 1,
            State::Suspended => suspended += 1,
            State::Finished => finished += 1,
            State::Pending | State::Failed(..) => {}
        }
        (format!("job {}", planned.wish.job.name), state)
    });
    if let Some(trouble) = TROUBLE.of(states) {
        return Some(trouble);
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
    let revision = planned.wish.told.as_ref().ok().map(IndexedJob::revision);
    State::on_servers(plan, revision.as_ref(), Reason::JobFailed, |report| {
        report.jobs.get(service)?.get(&planned.wish.job.name)
    })
}

#[cfg(test)]
mod tests;
