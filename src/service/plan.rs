//! Pure: what is known of one service, its channels and its documents.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::Inputs;
use super::channels::{Claim, Problem};
use super::check::{Checked, checked, texts};
use super::git::Told;
use super::jobs::{self, Wish};
use super::refusal::Refusal;
use crate::api::conditions::{ConditionType, Reason};
use crate::api::{ZatoCluster, ZatoService};
use crate::cluster::desired::network;
use crate::documents::{self, Publication, Wsdl};
use crate::exchange::{ChannelKind, IndexedChannel, IndexedJob, IndexedService, Report, revision};
use crate::k8s::names;
use crate::python::modules;
use crate::reconcile::error::BLOCKING;
use crate::revisions::History;

/// What is known of one service.
#[derive(Debug)]
pub struct Plan {
    /// The revision of the files, if they could be read.
    pub revision: Option<String>,
    /// Why it is not sent, if it is not.
    pub refusal: Option<Refusal>,
    /// Its files whose names make Zato touch files of its own.
    pub unsafe_names: Vec<String>,
    /// The name of its cluster.
    pub cluster_name: String,
    /// The state of its cluster.
    pub cluster: ClusterState,
    /// How many services its files name, if it was not refused.
    pub named: usize,
    /// What each server reports.
    pub reports: Vec<(String, Option<Report>)>,
    /// The server that keeps channels and jobs for all; empty: each does.
    pub keeper: String,
    /// What the version that is deployed did to callers, if one is deployed.
    pub change: Option<Change>,
    /// Its OpenAPI documents.
    pub documents: Publication,
    /// Services that must be there.
    pub expected: BTreeSet<String>,
    /// Its channels, in the order of the spec.
    pub channels: Vec<PlannedChannel>,
    /// Its services that a channel of direct invocation leaves out.
    pub not_invoked: BTreeSet<String>,
    /// Its jobs, in the order of the spec.
    pub jobs: Vec<PlannedJob>,
    /// Where its channels answer.
    pub address: String,
    /// The revisions of its files that are kept.
    pub revisions: History,
    /// What is told of git, if its files are from there.
    pub git: Option<Told>,
    /// The commit of what servers have or get, if it is known.
    pub commit: Option<String>,
    /// Whether its files are those of `spec.rollbackTo`.
    pub is_rolled_back: bool,
}

/// A channel and what keeps it from being as its spec says.
#[derive(Debug)]
pub struct PlannedChannel {
    /// What the spec says.
    pub claim: Claim,
    /// What is wrong.
    pub problem: Option<Problem>,
}

impl PlannedChannel {
    /// The revision that servers should report.
    pub fn revision(&self) -> Option<String> {
        let told = self.claim.told.as_ref().filter(|_| self.problem.is_none());
        told.map(IndexedChannel::revision)
    }
}

/// A job and what keeps it from being as its spec says.
#[derive(Debug)]
pub struct PlannedJob {
    /// What the spec says.
    pub wish: Wish,
    /// What is wrong.
    pub problem: Option<jobs::Problem>,
}

/// The step from a version to the one that is deployed.
#[derive(Debug)]
pub struct Change {
    /// What callers lost.
    pub breaks: Vec<String>,
    /// Whether nobody knows.
    pub is_unjudged: bool,
}

/// What a service must know of its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterState {
    /// It does not exist.
    Missing,
    /// Nothing is done for it.
    Paused,
    /// No server may run.
    Stopped,
    /// Something keeps it from being changed: its `Ready` says what.
    Blocked,
    /// It is as usual.
    Active,
}

impl ClusterState {
    fn of(cluster: Option<&ZatoCluster>) -> Self {
        let Some(cluster) = cluster else {
            return Self::Missing;
        };
        let mut conditions = cluster.status.iter().flat_map(|status| &status.conditions);
        let ready = conditions.find(|condition| condition.type_ == ConditionType::Ready.to_string());
        let is_blocking = |reason: &Reason| ready.is_some_and(|ready| ready.reason == reason.to_string());
        match &cluster.spec {
            spec if spec.paused => Self::Paused,
            spec if spec.stopped => Self::Stopped,
            _ if BLOCKING.iter().any(is_blocking) => Self::Blocked,
            _ => Self::Active,
        }
    }
}

/// Plans one service.
pub fn plan(service: &ZatoService, inputs: Inputs) -> Plan {
    let name = service.name_any();
    let all = checked(&inputs.services, &inputs.deployed);
    let own = all.iter().find(|checked| checked.name == name);
    let source = inputs.services.iter().find(|source| source.name == name);
    let files = source.and_then(|source| source.files.as_ref().ok());
    let deployed = inputs.deployed.services.get(&name);
    let refusal = own.and_then(|checked| checked.result.as_ref().err().cloned());
    let refusal = refusal.or_else(|| breaking_change(own?, deployed?).or_else(|| put_back(own?, deployed?)));
    let namespace = service.namespace().unwrap_or_default();
    let address = network::address(&service.spec.cluster_ref.name, &namespace);
    let version = own.and_then(|own| own.result.as_ref().ok());
    let version = version.filter(|_| refusal.is_none()).or(deployed);
    // What servers keep while the change is not deployed.
    let is_kept = matches!(
        refusal,
        Some(Refusal::BreakingChange(_) | Refusal::PutBack { .. })
    );
    let kept = refusal.as_ref().filter(|_| is_kept).map(Refusal::reason);
    let is_put_back = matches!(refusal, Some(Refusal::PutBack { .. }));
    let expected = deployed
        .filter(|_| is_put_back)
        .map(|deployed| deployed.expected.clone());
    Plan {
        channels: own.map_or_else(Vec::new, |own| planned(own, kept, version, deployed)),
        jobs: own.map_or_else(Vec::new, |own| planned_jobs(own, kept, version, deployed)),
        not_invoked: own.map_or_else(BTreeSet::new, not_invoked),
        expected: expected.unwrap_or_else(|| service.spec.expected_services.iter().cloned().collect()),
        revision: files.map(|files| revision(texts(files))),
        documents: match &refusal {
            // What answers is described already.
            Some(Refusal::BreakingChange(_)) => Publication::waiting(inputs.documents.clone()),
            _ => documents(service, &all, &inputs, &address),
        },
        address,
        change: deployed.map(|deployed| Change {
            breaks: deployed.breaks.clone(),
            is_unjudged: deployed.is_unjudged,
        }),
        commit: deployed.and_then(|deployed| commit_of(&deployed.revision, &inputs)),
        git: source.and_then(|source| source.git.clone()),
        revisions: revisions(service, own, &inputs),
        is_rolled_back: service.spec.rollback_to.is_some(),
        unsafe_names: files
            .into_iter()
            .flat_map(BTreeMap::keys)
            .filter(|file| touches_zato(file))
            .cloned()
            .collect(),
        named: own.map_or(0, count_named),
        refusal,
        cluster_name: service.spec.cluster_ref.name.clone(),
        cluster: ClusterState::of(inputs.cluster.as_ref()),
        reports: inputs.reports,
        keeper: inputs.deployed.keeper,
    }
}

/// The channels, of the version that servers have or get. `kept`: why what was there goes on.
fn planned(
    own: &Checked<'_>,
    kept: Option<Reason>,
    version: Option<&IndexedService>,
    deployed: Option<&IndexedService>,
) -> Vec<PlannedChannel> {
    let planned = |claim: &Claim| {
        let was = deployed.and_then(|was| was.channels.get(&claim.name));
        let problem = match kept {
            Some(reason) if was != claim.told.as_ref() => {
                claim.problem.clone().or(Some(Problem::Refused(reason)))
            }
            _ => claim
                .problem_with(version)
                .map(|problem| match own.result.as_ref().err() {
                    // It may be in the files that are refused.
                    Some(refusal) if claim.problem.is_none() => Problem::Refused(refusal.reason()),
                    _ => problem,
                }),
        };
        PlannedChannel {
            claim: claim.clone(),
            problem,
        }
    };
    own.claims.iter().map(planned).collect()
}

/// The services whose names do not stand in the source as they are, or are none that the load balancer lets pass.
fn not_invoked(own: &Checked<'_>) -> BTreeSet<String> {
    let mut claims = own.claims.iter();
    let is_direct = claims.any(|claim| claim.wanted.kind == ChannelKind::DirectInvocation);
    let Some(version) = own.result.as_ref().ok().filter(|_| is_direct) else {
        return BTreeSet::new();
    };
    let files: BTreeSet<String> = version.files.keys().cloned().collect();
    let project = documents::project(own.texts());
    let mut names: BTreeSet<_> = documents::services(&project, Some(files), &[])
        .services
        .into_keys()
        .collect();
    names.extend(version.services().chain(&version.expected).cloned());
    let invoked: BTreeSet<_> = version.invoked().collect();
    names.retain(|name| !invoked.contains(name));
    names
}

/// The same of the jobs.
fn planned_jobs(
    own: &Checked<'_>,
    kept: Option<Reason>,
    version: Option<&IndexedService>,
    deployed: Option<&IndexedService>,
) -> Vec<PlannedJob> {
    let planned = |wish: &Wish| {
        let was = deployed.and_then(|was| was.jobs.get(&wish.job.name));
        let wanted = wish.told.as_ref().ok().filter(|_| !wish.job.suspend);
        let is_other = was.map(IndexedJob::revision) != wanted.map(IndexedJob::revision);
        let problem = match kept {
            Some(reason) if is_other => wish.told.clone().err().or(Some(jobs::Problem::Refused(reason))),
            _ => wish
                .problem_with(version)
                .map(|problem| match own.result.as_ref().err() {
                    Some(refusal) if wish.told.is_ok() => jobs::Problem::Refused(refusal.reason()),
                    _ => problem,
                }),
        };
        PlannedJob {
            wish: wish.clone(),
            problem,
        }
    };
    own.jobs.iter().map(planned).collect()
}

/// Whether a cluster did not deploy this revision because of what it breaks.
fn breaking_change(own: &Checked<'_>, deployed: &IndexedService) -> Option<Refusal> {
    let (refused, version) = (deployed.refused.as_ref()?, own.result.as_ref().ok()?);
    let is_it = refused.revision == version.revision && own.must_not_break();
    is_it.then(|| Refusal::BreakingChange(refused.breaks.clone()))
}

/// Whether a cluster took this revision back because a server could not load it.
fn put_back(own: &Checked<'_>, deployed: &IndexedService) -> Option<Refusal> {
    let (failed, version) = (deployed.failed.as_ref()?, own.result.as_ref().ok()?);
    (failed.revision == version.revision).then(|| Refusal::PutBack {
        error: failed.error.clone(),
        good: deployed.revision.clone(),
    })
}

/// What is kept of the files of this object: what every server has now, too.
fn revisions(service: &ZatoService, own: Option<&Checked<'_>>, inputs: &Inputs) -> History {
    let name = service.name_any();
    let deployed = inputs.deployed.services.get(&name);
    let loaded = own.filter(|own| own.is_loaded(&inputs.reports));
    let loaded = loaded.and_then(|own| Some((own.result.as_ref().ok()?.revision.as_str(), own.texts())));
    let good = deployed.and_then(|deployed| Some(deployed.good.as_ref()?.revision.as_str()));
    let in_use = [
        service.spec.rollback_to.as_deref(),
        good,
        deployed.map(|deployed| deployed.revision.as_str()),
    ];
    let in_use: Vec<&str> = in_use.into_iter().flatten().collect();
    let commit = own.and_then(Checked::commit);
    History::of(&name, inputs.revisions.clone(), loaded, commit, &in_use)
}

fn commit_of(revision: &str, inputs: &Inputs) -> Option<String> {
    let kept = inputs.revisions.iter().find(|kept| kept.revision == revision);
    kept?.commit.clone()
}

/// The document of the services of this object's files, when servers have them and what they import. Models may be in files
/// of others.
fn documents(service: &ZatoService, all: &[Checked<'_>], inputs: &Inputs, address: &str) -> Publication {
    let (name, history) = (service.name_any(), inputs.documents.clone());
    let (loaded, behind): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.is_loaded(&inputs.reports));
    let Some(own) = loaded.iter().find(|one| one.name == name) else {
        return Publication::waiting(history);
    };
    let files: BTreeSet<String> = own.texts().map(|(file, _)| file.to_owned()).collect();
    let project = documents::project(loaded.iter().flat_map(|one| one.texts()));
    let imported = project.imported_by(&files);
    let is_imported = |file: &String| imported.contains(modules::first(file));
    if behind
        .iter()
        .any(|one| one.files(&inputs.deployed).any(is_imported))
    {
        return Publication::waiting(history);
    }
    let Some(channels) = own.active_channels(&inputs.reports, &inputs.deployed.keeper) else {
        return Publication::waiting(history);
    };
    let mut api = documents::services(&project, Some(files), &service.spec.openapi.tags);
    let version = own.result.as_ref().ok();
    let channels = version.map_or_else(BTreeMap::new, |version| version.resolved(&channels));
    let invoked: Vec<_> = version.into_iter().flat_map(IndexedService::invoked).collect();
    api.channels = documents::channels(&channels, invoked.into_iter().map(String::as_str));
    api.web_sockets = documents::web_sockets(&channels);
    let wsdl = Wsdl::of(&api, &channels, address);
    Publication::of(history, &api, address.to_owned(), wsdl, |version| {
        names::service_document(&name, version)
    })
}

fn count_named(checked: &Checked<'_>) -> usize {
    let files = checked.result.iter().flat_map(|version| version.files.values());
    files.map(|file| file.services.len()).sum()
}

/// Module names that occur as text in lines with `import` of Zato's own code, as measured on Zato 3.2. After each
/// deployment Zato touches the files with such lines, because it takes them for importers of the module.
const TOUCHING: [&str; 14] = [
    "service", "common", "model", "api", "util", "one", "channel", "user", "services", "models", "core",
    "main", "sap", "demo",
];

/// Also every name of one or two letters: some line has it.
fn touches_zato(file: &str) -> bool {
    let module = file.strip_suffix(".py").unwrap_or(file);
    module.len() <= 2 || TOUCHING.contains(&module)
}

#[cfg(test)]
mod tests;
