//! Pure: what belongs to a service (channels, jobs) as servers have it, and what is told of all of one kind together.

use super::Judged;
use crate::api::conditions::Reason;
use crate::exchange::{PartReport, Phase, Report};
use crate::service::check::keepers;
use crate::service::plan::Plan;

/// Where one part is.
pub enum State {
    /// The servers that keep it have it.
    Active,
    /// A server does not have it yet.
    Pending,
    /// It is taken away for a time.
    Suspended,
    /// It was there, and is not needed any more.
    Finished,
    /// Something is wrong with it.
    Failed(Reason, String),
}

impl State {
    /// As a status says it, and why it is so if it is wrong.
    pub fn told(self) -> (String, Option<String>) {
        let (state, error) = match self {
            Self::Active => ("Active", None),
            Self::Pending => ("Pending", None),
            Self::Suspended => ("Suspended", None),
            Self::Finished => ("Finished", None),
            Self::Failed(_, error) => ("Failed", Some(error)),
        };
        (state.to_owned(), error)
    }

    /// By what the servers that keep it, and run, report `of` it; reports of another revision say nothing. `failed`: the reason of an error.
    pub fn on_servers<'a>(
        plan: &'a Plan,
        revision: Option<&String>,
        failed: Reason,
        of: impl Fn(&'a Report) -> Option<&'a PartReport>,
    ) -> Self {
        let reports = keepers(&plan.reports, &plan.keeper);
        let running = reports.filter(|report| matches!(report.phase, Phase::Loading | Phase::Serving));
        let is_it = |found: &&PartReport| Some(&found.revision) == revision;
        let found: Vec<_> = running.map(|report| of(report).filter(is_it)).collect();
        if let Some(error) = found.iter().flatten().find_map(|report| report.error.clone()) {
            return Self::Failed(failed, error);
        }
        if found.is_empty() || found.iter().any(Option::is_none) {
            return Self::Pending;
        }
        if found.iter().flatten().all(|report| report.is_over) {
            return Self::Finished;
        }
        Self::Active
    }
}

/// What keeps all of one kind from being as their spec says: the first that is wrong, else the first that is pending.
pub struct Trouble {
    /// For which list of the status a person looks, such as `status.jobs`.
    pub list: &'static str,
    /// The reason of what is pending.
    pub pending: Reason,
    /// What is told of it.
    pub waits: &'static str,
}

impl Trouble {
    /// Of all of them, each with what it is called; none: they are as they should be.
    pub fn of(&self, all: impl Iterator<Item = (String, State)>) -> Option<Judged> {
        let (mut pending, mut failed) = (None, vec![]);
        for (name, state) in all {
            match state {
                State::Failed(reason, error) => failed.push((reason, format!("{name}: {error}"))),
                State::Pending => pending = pending.or(Some(name)),
                State::Active | State::Suspended | State::Finished => {}
            }
        }
        let others = failed.len().saturating_sub(1);
        if let Some((reason, message)) = failed.into_iter().next() {
            let message = match others {
                0 => message,
                others => format!("{message}; {others} more are wrong: see {}", self.list),
            };
            return Some((false, reason, message));
        }
        pending.map(|name| (false, self.pending, format!("{name}: {}", self.waits)))
    }
}
