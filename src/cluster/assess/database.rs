//! Pure: what a user sees of the database of a Distributed cluster, and of the pods beside its servers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::Judged;
use crate::api::conditions::{ConditionType, Reason};
use crate::cluster::plan::Plan;
use crate::cluster::trouble::Trouble;
use crate::exchange::database::{Cause, Trouble as Said};
use crate::reconcile::child::JobState;

/// Whether Zato's tables are in the database; none: it is a file. While a new Job has said nothing yet, what the last one said
/// stays.
pub fn judged(plan: &Plan, old: &[Condition]) -> Option<Judged> {
    let database = plan.database.as_ref()?;
    match &database.job {
        Some(job) if job.is_complete => {
            let (name, host) = (&database.address.database, &database.address.host);
            let message = format!("Zato's tables are in database {name} on {host}");
            return Some((true, Reason::DatabaseMade, message));
        }
        Some(JobState {
            said: Some(words), ..
        }) => return Some(told(words)),
        Some(JobState {
            trouble: Some(Trouble { reason, message }),
            ..
        }) => {
            let message = format!("the Job that looks into the database: {message}");
            return Some((false, *reason, message));
        }
        _ => {}
    }
    let kind = ConditionType::DatabaseReady.to_string();
    let mut old = old.iter().filter(|condition| condition.type_ == kind);
    let reason = |condition: &Condition| {
        let mut all = Reason::ALL
            .iter()
            .filter(|reason| **reason != Reason::DatabasePending);
        all.find(|reason| reason.to_string() == condition.reason).copied()
    };
    if let Some((condition, reason)) = old.find_map(|condition| Some((condition, reason(condition)?))) {
        return Some((condition.status == "True", reason, condition.message.clone()));
    }
    let message = "the database is being looked at, and Zato's tables are made where there are none";
    Some((false, Reason::DatabasePending, message.into()))
}

/// What an agent said at its end.
fn told(words: &str) -> Judged {
    cause(words).unwrap_or_else(|| (false, Reason::CreationFailed, words.to_owned()))
}

/// What an agent said, if it found the cause in the database.
pub fn cause(words: &str) -> Option<Judged> {
    let Said { cause, message } = words.parse().ok()?;
    let reason = match cause {
        Cause::DatabaseUnreachable => Reason::DatabaseUnreachable,
        Cause::DatabaseRefused => Reason::DatabaseRefused,
        Cause::DatabaseForeign => Reason::DatabaseForeign,
        Cause::KeyChanged => Reason::KeyChanged,
        Cause::CredentialsInvalid => Reason::CredentialsInvalid,
        Cause::CreationFailed => Reason::CreationFailed,
    };
    Some((false, reason, message))
}

/// What keeps a Distributed cluster from being ready beside its servers; none: nothing, or it is Quickstart.
pub fn waits(plan: &Plan) -> Option<Judged> {
    plan.database.as_ref()?;
    let wanted = [
        (plan.has_scheduler, "scheduler"),
        (plan.has_dashboard, "dashboard"),
        (true, "load balancer"),
    ];
    let missing = wanted.into_iter().filter(|(is_wanted, _)| *is_wanted);
    let found = |name| plan.components.get(name).cloned().unwrap_or_default();
    let mut missing = missing.filter(|(_, name)| !found(*name).has_pods);
    let (_, name) = missing.next()?;
    Some(match found(name).trouble {
        Some(Trouble { reason, message }) => (false, reason, format!("the {name}: {message}")),
        None => (
            false,
            Reason::Starting,
            format!("the {name} is being started or changed"),
        ),
    })
}

#[cfg(test)]
mod tests;
