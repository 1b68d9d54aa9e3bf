//! Pure: what is told of a git source: the commit that is deployed, and whether a newer one could be had.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::condition;
use crate::api::ZatoServiceStatus;
use crate::api::conditions::{ConditionType, Reason};
use crate::api::git::FetchedSource;
use crate::service::plan::Plan;
use crate::service::refusal::Refusal;

/// Whether nothing is known yet, and what was told of this spec stays: an operator that starts says nothing less.
pub fn is_waiting(plan: &Plan, old: &ZatoServiceStatus, generation: Option<i64>) -> bool {
    let is_pending = plan.refusal.as_ref() == Some(&Refusal::GitPending);
    is_pending && !old.conditions.is_empty() && old.observed_generation == generation
}

/// Whether the newest commit was fetched.
pub fn fetched(plan: &Plan, old: &[Condition], generation: Option<i64>) -> Option<Condition> {
    let (told, kind) = (plan.git.as_ref()?, ConditionType::SourceFetched);
    let before = old.iter().find(|condition| condition.type_ == kind.to_string());
    if let (Some(before), false) = (before, told.is_asked) {
        return Some(before.clone());
    }
    let (is_fetched, reason, message) = match (&told.trouble, &told.source) {
        (Some(trouble), _) => (false, trouble.reason, trouble.message.clone()),
        (None, Some(source)) => {
            let FetchedSource {
                commit,
                reference,
                url,
                ..
            } = source;
            (
                true,
                Reason::Fetched,
                format!("commit {commit} of {reference} of {url}"),
            )
        }
        (None, None) => (false, Reason::GitFetching, Refusal::GitPending.to_string()),
    };
    Some(condition(kind, is_fetched, reason, message, generation))
}

/// Where what is deployed comes from; what is refused leaves what was there.
pub fn source(plan: &Plan, old: Option<FetchedSource>) -> Option<FetchedSource> {
    let told = plan.git.as_ref()?;
    if plan.refusal.is_none() {
        let revision = plan.revision.clone();
        return told
            .source
            .clone()
            .map(|source| FetchedSource { revision, ..source });
    }
    let mut deployed = old?;
    // A commit that was deployed, and gave its place back.
    if let Some(commit) = plan.commit.as_ref().filter(|commit| **commit != deployed.commit) {
        deployed.commit.clone_from(commit);
        deployed.fetched = None;
        deployed.revision = None;
    }
    Some(deployed)
}

#[cfg(test)]
mod tests;
