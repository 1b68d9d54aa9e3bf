//! Pure: what a user sees of a cluster.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::desired::network;
use super::plan::Plan;
use super::servers::{self, Server};
use super::trouble::Trouble;
use crate::api::conditions::{ConditionType, Reason};
use crate::api::zato_cluster::{Endpoints, ServerStatus, ServiceCounts};
use crate::api::{ZatoCluster, ZatoClusterStatus};
use crate::exchange::{LoadState, Phase, Report};
use crate::k8s::{labels, names};
use crate::reconcile::kind::{Outcome, Verdict};
use crate::service::assess::{condition, documented, summary};

mod callables;
mod database;

type Judged = (bool, Reason, String);

/// Concludes the status of one cluster.
pub fn assess(cluster: &ZatoCluster, outcome: Outcome<'_, Plan>) -> Verdict<ZatoClusterStatus> {
    let generation = cluster.metadata.generation;
    // What was true stays in view when nothing new is known; only Ready says why.
    let old = cluster.status.clone().unwrap_or_default();
    let mut status = match outcome {
        Outcome::Applied { plan } => applied(plan, &old.conditions, generation),
        Outcome::Failed(error) => with_ready(old, (false, error.reason(), error.to_string()), generation),
    };
    status.observed_generation = generation;
    Verdict {
        status,
        recheck: None,
    }
}

/// What was said last, and that nothing is done.
pub fn paused(cluster: &ZatoCluster) -> ZatoClusterStatus {
    let mut old = cluster.status.clone().unwrap_or_default();
    old.observed_generation = cluster.metadata.generation;
    let ready = ConditionType::Ready.to_string();
    let was_ready = old
        .conditions
        .iter()
        .any(|c| c.type_ == ready && c.status == "True");
    let message = "nothing is done while spec.paused is true; the rest of this status is from before";
    with_ready(
        old,
        (was_ready, Reason::Paused, message.into()),
        cluster.metadata.generation,
    )
}

fn with_ready(mut status: ZatoClusterStatus, ready: Judged, generation: Option<i64>) -> ZatoClusterStatus {
    let (is_ready, reason, message) = ready;
    status.summary = summary(reason, &message);
    status
        .conditions
        .retain(|c| c.type_ != ConditionType::Ready.to_string());
    let ready = condition(ConditionType::Ready, is_ready, reason, message, generation);
    status.conditions.insert(0, ready);
    status
}

fn applied(plan: &Plan, old: &[Condition], generation: Option<i64>) -> ZatoClusterStatus {
    let database = database::judged(plan, old);
    let blocked = database.clone().filter(|database| !database.0);
    let ready = blocked
        .filter(|_| !plan.is_stopped)
        .unwrap_or_else(|| is_ready(plan));
    let services = services(plan);
    let counts = counts(plan);
    let as_condition =
        |kind, (status, reason, message): Judged| condition(kind, status, reason, message, generation);
    ZatoClusterStatus {
        observed_generation: generation,
        summary: summary(ready.1, &ready.2),
        conditions: [
            as_condition(ConditionType::Ready, ready),
            as_condition(ConditionType::ServicesLoaded, services),
        ]
        .into_iter()
        .chain(
            plan.storage
                .iter()
                .map(|_| as_condition(ConditionType::DataAdopted, adopted(plan))),
        )
        .chain(database.map(|judged| as_condition(ConditionType::DatabaseReady, judged)))
        .chain(callables::judged(plan).map(|judged| as_condition(ConditionType::CallablesPassed, judged)))
        .chain(documented(&plan.documents, old, generation))
        .collect(),
        image: Some(plan.image.clone()),
        key_fingerprint: is_kept(plan).then(|| plan.fingerprint.0.clone()),
        replicas: Some(count(
            plan.servers.iter().filter(|server| server.is_there()).count(),
        )),
        selector: Some(selector(plan)),
        database: Some(plan.database.as_ref().map_or("SQLite", |_| "PostgreSQL").into()),
        ready_servers: Some(ready_servers(plan)),
        servers: plan.servers.iter().map(|found| server(plan, found)).collect(),
        services: Some(counts),
        endpoints: Some(endpoints(plan)),
        openapi: plan.documents.newest().cloned(),
    }
}

/// Whether a database may exist that the key decrypts.
fn is_kept(plan: &Plan) -> bool {
    plan.database.as_ref().is_none_or(|database| database.is_made)
}

/// Of those that are wanted: one that goes away is ready for a moment longer.
fn ready_servers(plan: &Plan) -> String {
    let ready = plan.wanted().iter().filter(|server| server.is_ready()).count();
    format!("{ready}/{}", plan.replicas)
}

/// What selects the servers' pods.
fn selector(plan: &Plan) -> String {
    let labels = labels::selector(&plan.name, "server").into_iter();
    let all: Vec<_> = labels.map(|(name, value)| format!("{name}={value}")).collect();
    all.join(",")
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn adopted(plan: &Plan) -> Judged {
    let claim = names::data(&plan.name);
    match plan.adopted {
        Some(made) => (
            true,
            Reason::Adopted,
            format!(
                "volume claim {claim} is of {made}: data and keys of an earlier cluster of this name are used"
            ),
        ),
        None => (
            false,
            Reason::Fresh,
            format!("volume claim {claim} was made for this cluster"),
        ),
    }
}

fn is_ready(plan: &Plan) -> Judged {
    if plan.is_stopped {
        let message = "no pod runs, data and keys are kept: set spec.stopped to false to start it";
        return (false, Reason::Stopped, message.into());
    }
    if plan.replicas == 0 {
        let message = "no server is wanted: set spec.servers.replicas to have some";
        return (false, Reason::Stopped, message.into());
    }
    let wanted = plan.wanted();
    if let Some(broken) = wanted.iter().find_map(|server| broken(plan, server)) {
        return broken;
    }
    // Until its controller has seen it, a StatefulSet says no more than that it was made.
    if !plan.stateful_set.as_ref().is_some_and(is_seen) {
        return (false, Reason::Starting, "children are being created".into());
    }
    // First: a pod in trouble is never done with its change.
    let down = || wanted.iter().filter(|server| !plan.is_up(server));
    if let Some(told) = down().find_map(|server| trouble(plan, server)) {
        return told;
    }
    if let Some(server) = wanted.iter().find(|server| !plan.is_current_server(server)) {
        let message = match server.pod {
            None if wanted.len() > 1 => format!("pod {} is being made", server.name),
            _ => format!("pod {} is being changed", server.name),
        };
        return (false, Reason::Starting, message);
    }
    if let Some(server) = down().next() {
        let doing = callables::running(server).unwrap_or_else(|| doing(server.phase()).into());
        return (false, Reason::Starting, format!("pod {}: {doing}", server.name));
    }
    if let Some(waits) = database::waits(plan) {
        return waits;
    }
    let ignored = wanted
        .iter()
        .find_map(|server| callables::failed(plan, server, false));
    let ignored = ignored.map_or_else(String::new, |message| format!("; ignored: {message}"));
    (true, Reason::Running, format!("all components run{ignored}"))
}

/// What a server says of itself that keeps it from working.
fn broken(plan: &Plan, server: &Server) -> Option<Judged> {
    let pod = &server.name;
    // One that may fail can take the server with it all the same, when it hangs.
    let is_up = server.phase() == Some(Phase::Serving);
    let failed = callables::failed(plan, server, true)
        .or_else(|| callables::failed(plan, server, false).filter(|_| !is_up));
    if let Some(message) = failed {
        return Some((false, Reason::CallableFailed, format!("pod {pod}: {message}")));
    }
    let error = server.report.as_ref()?.error.as_ref()?;
    if let Some((_, reason, message)) = database::cause(error) {
        return Some((false, reason, format!("pod {pod}: {message}")));
    }
    let reason = if server.phase() == Some(Phase::Creating) {
        Reason::CreationFailed
    } else {
        Reason::ServerFailed
    };
    Some((false, reason, format!("pod {pod}: {error}")))
}

fn trouble(plan: &Plan, server: &Server) -> Option<Judged> {
    let Trouble { reason, message } = plan.trouble(server)?;
    Some((false, reason, format!("pod {}: {message}", server.name)))
}

fn is_seen(stateful_set: &StatefulSet) -> bool {
    let status = stateful_set.status.as_ref();
    status.is_some_and(|status| status.observed_generation.is_some())
}

fn doing(phase: Option<Phase>) -> &'static str {
    match phase {
        None => "is being scheduled",
        Some(Phase::Preparing) => "writes configuration and code",
        Some(Phase::Creating) => "creates Zato's environment",
        Some(Phase::Starting) => "waits for the server to answer",
        Some(Phase::Loading) => "loads services",
        Some(Phase::Serving) => "waits for scheduler and dashboard",
    }
}

fn counts(plan: &Plan) -> ServiceCounts {
    let has_it = |report: &Report, name: &String| {
        let (found, version) = (report.services.get(name)?, plan.index.services.get(name)?);
        Some(found.has(version))
    };
    // What servers are told is the spec's version where there is a revision.
    let running = servers::running(servers::reports(&plan.servers));
    let current = |(name, revision): &(&String, &Option<String>)| {
        let have_it = running.iter().all(|report| has_it(report, name) == Some(true));
        revision.is_some() && !running.is_empty() && have_it
    };
    let (total, loaded) = (
        count(plan.revisions.len()),
        count(plan.revisions.iter().filter(current).count()),
    );
    ServiceCounts {
        total,
        loaded,
        summary: format!("{loaded}/{total}"),
    }
}

fn services(plan: &Plan) -> Judged {
    let counts = counts(plan);
    if counts.loaded == counts.total {
        return (
            true,
            Reason::AllLoaded,
            format!("{} of {} services are loaded", counts.loaded, counts.total),
        );
    }
    let invalid = plan
        .revisions
        .iter()
        .filter(|(_, revision)| revision.is_none())
        .map(|(name, _)| name.as_str());
    let reported = servers::reports(&plan.servers).flat_map(|report| &report.services);
    let failed = reported
        .filter(|(_, report)| report.state == LoadState::Failed)
        .map(|(name, _)| name.as_str());
    let mut names: Vec<&str> = invalid.chain(failed).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return (
            false,
            Reason::Loading,
            format!("{} of {} services are loaded", counts.loaded, counts.total),
        );
    }
    let more = names.len().saturating_sub(5);
    let listed = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    (
        false,
        Reason::SomeFailed,
        format!("not loaded: {listed}{rest}; see each ZatoService"),
    )
}

fn server(plan: &Plan, server: &Server) -> ServerStatus {
    let report = server.report.as_ref();
    ServerStatus {
        name: server.name.clone(),
        ready: plan.is_current_server(server) && plan.is_up(server),
        phase: report.map(|report| format!("{:?}", report.phase)),
        revision: report
            .map(|r| r.index_revision.clone())
            .filter(|revision| !revision.is_empty()),
        last_error: report.and_then(|report| report.error.clone()),
        startup_callables: report.map(callables::statuses).unwrap_or_default(),
    }
}

fn endpoints(plan: &Plan) -> Endpoints {
    let url =
        |service: String, port: i32| format!("http://{}:{port}", network::host(&service, &plan.namespace));
    let dashboard = plan
        .has_dashboard
        .then(|| url(names::dashboard(&plan.name), super::desired::ports::DASHBOARD));
    Endpoints {
        api: network::address(&plan.name, &plan.namespace),
        dashboard,
    }
}

#[cfg(test)]
mod tests;
