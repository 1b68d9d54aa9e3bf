//! Pure: what a user sees of startup callables.

use super::Judged;
use crate::api::conditions::Reason;
use crate::api::startup::CallableStatus;
use crate::cluster::plan::Plan;
use crate::cluster::servers::Server;
use crate::cluster::startup;
use crate::exchange::{CallableOutcome, CallableState, Phase, Report};

/// The failure of a startup callable that must pass, or of one that may fail.
pub fn failed(plan: &Plan, server: &Server, must_pass: bool) -> Option<String> {
    let outcomes = &server.report.as_ref()?.callables;
    let failure = startup::failure(&plan.startup.as_ref()?.callables, outcomes, must_pass)?;
    Some(startup::told(failure))
}

/// The one that runs now, while the server starts.
pub fn running(server: &Server) -> Option<String> {
    let report = server
        .report
        .as_ref()
        .filter(|report| report.phase != Phase::Serving)?;
    let runs = |outcome: &&CallableOutcome| outcome.outcome == CallableState::Running;
    let running = report.callables.iter().find(runs)?;
    Some(format!(
        "runs startup callable {} in phase {}",
        running.name,
        startup::phase(&running.phase)
    ))
}

/// Whether all startup callables passed; none: there are none.
pub fn judged(plan: &Plan) -> Option<Judged> {
    let startup = plan.startup.as_ref().filter(|_| plan.replicas > 0)?;
    let wanted = plan.wanted();
    let failed = |must_pass| wanted.iter().find_map(|server| failed(plan, server, must_pass));
    if let Some(message) = failed(true).or_else(|| failed(false)) {
        return Some((false, Reason::CallableFailed, message));
    }
    let outcomes = |server: &Server| {
        let report = server.report.as_ref();
        report.map_or_else(Vec::new, |report| report.callables.clone())
    };
    let passed = |server: &Server| startup::passed(&startup.callables, &outcomes(server), false);
    if wanted.iter().all(passed) {
        let message = format!("{} startup callables passed", startup.callables.len());
        return Some((true, Reason::AllPassed, message));
    }
    Some((
        false,
        Reason::CallablesPending,
        "the startup callables have not all passed yet".into(),
    ))
}

/// For the status of a server.
pub fn statuses(report: &Report) -> Vec<CallableStatus> {
    let status = |found: &CallableOutcome| CallableStatus {
        name: found.name.clone(),
        phase: startup::phase(&found.phase),
        outcome: format!("{:?}", found.outcome),
        milliseconds: found.milliseconds,
        error: found.error.clone(),
    };
    report.callables.iter().map(status).collect()
}
