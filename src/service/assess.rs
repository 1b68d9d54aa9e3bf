//! Pure: what a user sees of a service.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::plan::{Change, ClusterState, Plan};
use super::refusal::Refusal;
use crate::api::conditions::{ConditionType, Reason};
use crate::api::zato_service::ServiceOnServer;
use crate::api::{ZatoService, ZatoServiceStatus};
use crate::documents::Publication;
use crate::exchange::{LoadState, Phase, Report, ServiceReport};
use crate::reconcile::kind::{Outcome, Verdict};
use kube::ResourceExt;

mod channels;
mod git;
mod jobs;
mod parts;

type Judged = (bool, Reason, String);

/// Concludes the status of one service.
pub fn assess(service: &ZatoService, outcome: Outcome<'_, Plan>) -> Verdict<ZatoServiceStatus> {
    let generation = service.metadata.generation;
    let old = service.status.clone().unwrap_or_default();
    let of = |kind, (is_true, reason, message): Judged| condition(kind, is_true, reason, message, generation);
    let status = match outcome {
        Outcome::Applied { plan } if git::is_waiting(plan, &old, generation) => old,
        Outcome::Applied { plan } => {
            let servers = servers(&service.name_any(), plan);
            let active = channels::judged(&service.name_any(), plan);
            let scheduled = jobs::judged(&service.name_any(), plan);
            let ready = ready(judge(plan, &servers), active.iter().chain(&scheduled));
            let others = [
                active.map(|told| (ConditionType::ChannelsActive, told)),
                scheduled.map(|told| (ConditionType::JobsScheduled, told)),
                Some((ConditionType::FileNamesSafe, file_names(plan))),
                compatible(plan).map(|told| (ConditionType::Compatible, told)),
            ];
            let others = others.into_iter().flatten().map(|(kind, told)| of(kind, told));
            ZatoServiceStatus {
                observed_generation: generation,
                summary: summary(ready.1, &ready.2),
                conditions: std::iter::once(of(ConditionType::Ready, ready))
                    .chain(others)
                    .chain(git::fetched(plan, &old.conditions, generation))
                    .chain(documented(&plan.documents, &old.conditions, generation))
                    .collect(),
                revision: plan.revision.clone(),
                source: git::source(plan, old.source),
                endpoints: channels::endpoints(&service.name_any(), plan),
                jobs: jobs::statuses(&service.name_any(), plan),
                servers,
                revisions: plan.revisions.all(),
                openapi: plan.documents.newest().cloned(),
            }
        }
        // What was true stays in view; only Ready says why nothing new is known.
        Outcome::Failed(error) => {
            let ready = (false, error.reason(), error.to_string());
            let others = old
                .conditions
                .into_iter()
                .filter(|c| c.type_ != ConditionType::Ready.to_string());
            ZatoServiceStatus {
                observed_generation: generation,
                summary: summary(ready.1, &ready.2),
                conditions: std::iter::once(of(ConditionType::Ready, ready))
                    .chain(others)
                    .collect(),
                ..old
            }
        }
    };
    Verdict {
        status,
        recheck: None,
    }
}

/// What is deployed is as its spec says when its channels and jobs are, too.
fn ready<'a>(deployed: Judged, mut others: impl Iterator<Item = &'a Judged>) -> Judged {
    match others.find(|other| !other.0).filter(|_| deployed.0) {
        Some(other) => other.clone(),
        None => deployed,
    }
}

/// Which document is published; while nothing new is known, what was told last.
pub fn documented(documents: &Publication, old: &[Condition], generation: Option<i64>) -> Option<Condition> {
    let kind = ConditionType::Documented;
    if documents.is_waiting {
        return old
            .iter()
            .find(|condition| condition.type_ == kind.to_string())
            .cloned();
    }
    let (is_published, reason, message) = documents.told()?;
    Some(condition(kind, is_published, reason, message, generation))
}

/// A condition; `report` fills in the time.
pub fn condition(
    kind: ConditionType,
    status: bool,
    reason: Reason,
    message: String,
    generation: Option<i64>,
) -> Condition {
    Condition {
        type_: kind.to_string(),
        status: if status { "True" } else { "False" }.into(),
        reason: reason.to_string(),
        message: message.chars().take(4096).collect(),
        observed_generation: generation,
        last_transition_time: Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH),
    }
}

/// At most 60 characters: the message if it fits, else its beginning.
pub fn summary(reason: Reason, message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let text = if line.is_empty() {
        reason.to_string()
    } else {
        line.to_owned()
    };
    if text.chars().count() <= 60 {
        text
    } else {
        text.chars().take(57).chain("...".chars()).collect()
    }
}

/// A warning, no more: what is deployed works.
fn file_names(plan: &Plan) -> Judged {
    if plan.unsafe_names.is_empty() {
        return (
            true,
            Reason::Safe,
            "no file has a name that Zato takes for one of its own".into(),
        );
    }
    let names = plan.unsafe_names.join(", ");
    let message = format!(
        "{names}: Zato finds that name in imports of its own code and touches those files at each deployment; rename it"
    );
    (false, Reason::TouchesZato, message)
}

/// What the change to the version that is deployed, or to the one that was refused, does to callers.
fn compatible(plan: &Plan) -> Option<Judged> {
    if let Some(Refusal::BreakingChange(_)) = &plan.refusal {
        let message = "the change was not deployed: Ready says what it breaks";
        return Some((false, Reason::BreakingChange, message.into()));
    }
    let Change { breaks, is_unjudged } = plan.change.as_ref()?;
    Some(if *is_unjudged {
        let message = "the version before was gone, and nothing could be compared: an operator was interrupted, or a \
                       ConfigMap with code was deleted";
        (false, Reason::NotJudged, message.into())
    } else if breaks.is_empty() {
        let message = "the last change of what is deployed breaks no callers";
        (true, Reason::NothingBroken, message.into())
    } else {
        let message = format!("the last change breaks callers: {}", breaks.join("; "));
        (false, Reason::BreakingChange, message)
    })
}

fn judge(plan: &Plan, servers: &[ServiceOnServer]) -> (bool, Reason, String) {
    if let Some(refusal) = &plan.refusal {
        return refused(refusal, servers);
    }
    let of_cluster =
        |reason, what: &str| (false, reason, format!("ZatoCluster {} {what}", plan.cluster_name));
    match plan.cluster {
        ClusterState::Missing => {
            return of_cluster(
                Reason::ClusterNotFound,
                "of spec.clusterRef does not exist: create it",
            );
        }
        ClusterState::Stopped => {
            return of_cluster(Reason::Stopped, "is stopped: no server runs");
        }
        ClusterState::Active | ClusterState::Blocked if servers.is_empty() => {
            return of_cluster(
                Reason::ClusterNotReady,
                "has no server that runs: its Ready says why",
            );
        }
        ClusterState::Active | ClusterState::Blocked | ClusterState::Paused => {}
    }
    let current = |server: &&ServiceOnServer| server.revision == plan.revision;
    if let Some(failed) = servers
        .iter()
        .filter(current)
        .find(|server| server.state == "Failed")
    {
        let error = failed.error.as_deref().unwrap_or("no reason given");
        return (false, Reason::LoadFailed, format!("{error} (on {})", failed.name));
    }
    let loaded = servers
        .iter()
        .filter(current)
        .filter(|server| server.state == "Loaded")
        .count();
    if loaded > 0 && loaded == servers.len() {
        return (true, Reason::Deployed, deployed(plan, loaded));
    }
    if plan.cluster == ClusterState::Paused {
        return of_cluster(
            Reason::Paused,
            "is paused: deployed when its spec.paused is false",
        );
    }
    if plan.cluster == ClusterState::Blocked {
        return of_cluster(Reason::ClusterNotReady, "takes no change now: its Ready says why");
    }
    (
        false,
        Reason::Deploying,
        format!("loaded on {loaded} of {} servers", servers.len()),
    )
}

fn deployed(plan: &Plan, servers: usize) -> String {
    let mut told = if plan.named > 0 {
        format!("answers on {servers} of {servers} servers")
    } else {
        format!("loaded on {servers} of {servers} servers; its files name no service")
    };
    if plan.is_rolled_back {
        told = format!("rolled back by spec.rollbackTo, edits wait; {told}");
    }
    if plan.revisions.is_too_large {
        told += "; its files are too large to be kept for a rollback";
    }
    told
}

fn refused(refusal: &Refusal, servers: &[ServiceOnServer]) -> (bool, Reason, String) {
    if let Refusal::PutBack { good, .. } = refusal {
        let of_good = |server: &&ServiceOnServer| server.revision.as_ref() == Some(good);
        let failed = servers
            .iter()
            .filter(of_good)
            .find_map(|server| server.error.as_ref());
        let more = failed.map_or_else(String::new, |error| format!("; it fails, too, now: {error}"));
        return (false, refusal.reason(), format!("{refusal}{more}"));
    }
    let is_running = servers.iter().any(|server| server.state == "Loaded");
    let kept = if is_running {
        "; the previous version goes on answering"
    } else {
        ""
    };
    (false, refusal.reason(), format!("{refusal}{kept}"))
}

/// Those that run.
fn servers(service: &str, plan: &Plan) -> Vec<ServiceOnServer> {
    let reported = |(pod, report): &(String, Option<Report>)| {
        let report = report.clone()?;
        matches!(report.phase, Phase::Loading | Phase::Serving).then_some((pod.clone(), report))
    };
    plan.reports
        .iter()
        .filter_map(reported)
        .map(|(pod, report)| {
            let found = report.services.get(service);
            // What was not looked for is not known.
            let is_early = found.is_some_and(|found| found.expected != plan.expected);
            on_server(pod, found, is_early)
        })
        .collect()
}

fn on_server(name: String, report: Option<&ServiceReport>, is_early: bool) -> ServiceOnServer {
    let state = match report.map(|report| report.state) {
        Some(LoadState::Loaded) if is_early => "Loading",
        Some(LoadState::Loaded) => "Loaded",
        Some(LoadState::Failed) => "Failed",
        Some(LoadState::Loading) | None => "Loading",
    };
    ServiceOnServer {
        name,
        state: state.into(),
        revision: report.map(|report| report.revision.clone()),
        error: report.and_then(|report| report.error.clone()),
    }
}

#[cfg(test)]
pub(in crate::service) mod tests;
