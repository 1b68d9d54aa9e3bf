//! Pure: checks the code of services, and which of two that want the same file has it.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::Inputs;
use super::channels::{self, Claim, Problem};
use super::refusal::Refusal;
use super::source::Sourced;
use crate::agent::removal;
use crate::api::conditions::{ConditionType, Reason};
use crate::api::zato_service::BreakingChangePolicy;
use crate::api::{ZatoCluster, ZatoService};
use crate::cluster::desired::network;
use crate::cluster::shards;
use crate::documents::{self, Publication};
use crate::exchange::{
    Index, IndexedChannel, IndexedFile, IndexedService, LoadState, Report, hash, revision,
};
use crate::k8s::names;
use crate::python::{self, SyntaxError};
use crate::reconcile::error::BLOCKING;

/// A service with the outcome of its check.
pub struct Checked<'a> {
    /// The service's name.
    pub name: String,
    /// Its entry for the index (without shards), or why it has none.
    pub result: Result<IndexedService, Refusal>,
    /// Its channels.
    pub claims: Vec<Claim>,
    source: &'a Sourced,
}

impl Checked<'_> {
    /// Its files, if they could be read.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.source.files.iter().flat_map(texts)
    }

    /// Whether it is not deployed when it breaks callers.
    pub fn must_not_break(&self) -> bool {
        self.source.openapi.breaking_change_policy == BreakingChangePolicy::Refuse
    }

    /// Whether every server that runs has it as it is now.
    fn is_loaded(&self, reports: &[(String, Option<Report>)]) -> bool {
        let Ok(version) = &self.result else {
            return false;
        };
        let mut running = reports
            .iter()
            .filter_map(|(_, report)| report.as_ref())
            .peekable();
        let has_it = |report: &Report| {
            let found = report.services.get(&self.name);
            found.is_some_and(|found| found.state == LoadState::Loaded && found.revision == version.revision)
        };
        running.peek().is_some() && running.all(has_it)
    }

    /// The channels that answer on every server that runs; none: a server is not done with them.
    fn active_channels(&self, reports: &[(String, Option<Report>)]) -> Option<documents::Channels> {
        let wanted = &self.result.as_ref().ok()?.channels;
        let mut active = wanted.clone();
        for report in reports.iter().filter_map(|(_, report)| report.as_ref()) {
            let on_server = channels::active(&self.name, wanted, report)?;
            active.retain(|name, _| on_server.contains_key(name));
        }
        Some(active)
    }

    /// The names of its files, of the version now and of the one that is deployed.
    fn files<'a>(&'a self, deployed: &'a Index) -> impl Iterator<Item = &'a String> {
        let versions = [self.result.as_ref().ok(), deployed.services.get(&self.name)];
        versions
            .into_iter()
            .flatten()
            .flat_map(|version| version.files.keys())
    }

    /// The text of a file.
    pub fn text_of(&self, file: &str) -> &str {
        let files = self.source.files.as_ref().ok();
        files.and_then(|files| files.get(file)).map_or("", String::as_str)
    }
}

/// Checks all services of a cluster, the oldest first, against what its servers were told last.
///
/// A name that is deployed is its owner's until the servers are told otherwise, so that a version which is kept never
/// meets another one; a name that is not belongs to the older of two.
pub fn checked<'a>(services: &'a [Sourced], deployed: &Index) -> Vec<Checked<'a>> {
    let mut taken = Taken::of(services, deployed);
    let mut claims = channels::claims(services, deployed);
    services
        .iter()
        .map(|source| {
            let claims = claims.remove(&source.name).unwrap_or_default();
            Checked {
                name: source.name.clone(),
                result: taken.take(source, &claims),
                claims,
                source,
            }
        })
        .collect()
}

/// Who has which name.
#[derive(Default)]
struct Taken {
    /// The owner of each file.
    files: BTreeMap<String, String>,
    /// The owner and the file of each service.
    services: BTreeMap<String, (String, String)>,
    /// The bytes of code of each owner, and those of its entry in the index.
    bytes: BTreeMap<String, (u64, usize)>,
}

impl Taken {
    fn of(services: &[Sourced], deployed: &Index) -> Self {
        let mut taken = Self::default();
        for (owner, version) in &deployed.services {
            if services.iter().any(|service| service.name == *owner) {
                taken.reserve(owner, version);
            }
        }
        taken
    }

    fn reserve(&mut self, owner: &str, version: &IndexedService) {
        self.bytes
            .insert(owner.to_owned(), (version.bytes(), length(version)));
        for (file, entry) in &version.files {
            self.files.entry(file.clone()).or_insert_with(|| owner.to_owned());
            for name in &entry.services {
                let place = || (owner.to_owned(), file.clone());
                self.services.entry(name.clone()).or_insert_with(place);
            }
        }
    }

    fn take(&mut self, service: &Sourced, claims: &[Claim]) -> Result<IndexedService, Refusal> {
        let (owner, files) = (&service.name, service.files.clone()?);
        for file in files.keys() {
            if file == removal::FILE {
                return Err(Refusal::ReservedFile(file.clone()));
            }
            if files[file].len() as u64 > shards::FILE {
                return Err(Refusal::FileTooLarge(file.clone()));
            }
            if let Some(other) = self.files.get(file).filter(|other| *other != owner) {
                return Err(Refusal::FileNameTaken {
                    file: file.clone(),
                    other: other.clone(),
                });
            }
        }
        let mut version = indexed(texts(&files))?;
        version.channels = channels::told(claims, &version);
        version.expected = service.expected.iter().cloned().collect();
        let mut own: BTreeMap<&str, &str> = BTreeMap::new();
        for (file, entry) in &version.files {
            for name in &entry.services {
                self.check_name(owner, file, name, own.insert(name, file))?;
            }
        }
        self.check_size(owner, &version)?;
        self.reserve(owner, &version);
        Ok(version)
    }

    /// What is kept of the others and this version must fit together.
    fn check_size(&self, owner: &str, version: &IndexedService) -> Result<(), Refusal> {
        let others = self.bytes.iter().filter(|(other, _)| *other != owner);
        let (code, names) = others.fold((version.bytes(), length(version)), |sum, (_, one)| {
            (sum.0 + one.0, sum.1 + one.1)
        });
        if code > shards::TOTAL {
            return Err(Refusal::TooMuchCode(code, shards::TOTAL));
        }
        if names > INDEX_BYTES {
            return Err(Refusal::TooManyNames(names, INDEX_BYTES));
        }
        Ok(())
    }

    /// `before`: the file of the same service that defines the name already.
    fn check_name(&self, owner: &str, file: &str, name: &str, before: Option<&str>) -> Result<(), Refusal> {
        let (file, name) = (file.to_owned(), name.to_owned());
        if name.starts_with("zato.") || name.starts_with("pub.zato.") {
            return Err(Refusal::InternalName { file, name });
        }
        let other = match (before, self.services.get(&name)) {
            (Some(other), _) => (owner.to_owned(), other.to_owned()),
            (None, Some(other)) if other.0 != owner => other.clone(),
            _ => return Ok(()),
        };
        Err(Refusal::ServiceNameTaken {
            file,
            name,
            other: other.1,
            owner: other.0,
        })
    }
}

/// What fits into the Secret of the index, with room for its own fields and for what is told of changes.
const INDEX_BYTES: usize = 900_000;

/// The length of a version's entry in the index.
fn length(version: &IndexedService) -> usize {
    let securities = version
        .channels
        .values()
        .filter_map(|channel| channel.security.as_ref());
    let passwords: usize = securities.map(|security| security.password.0.len()).sum();
    serde_json::to_string(&version.bare()).map_or(0, |text| text.len()) + passwords
}

fn texts(files: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> + Clone {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
}

/// The entry of a set of files, without shards.
pub fn indexed<'a>(
    files: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Result<IndexedService, SyntaxError> {
    let mut entries = BTreeMap::new();
    for (name, text) in files.clone() {
        let entry = IndexedFile {
            sha256: hash(text.as_bytes()),
            bytes: text.len() as u64,
            shard: String::new(),
            services: python::check(name, text)?,
        };
        entries.insert(name.to_owned(), entry);
    }
    Ok(IndexedService {
        revision: revision(files),
        files: entries,
        ..IndexedService::default()
    })
}

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
    /// What the version that is deployed did to callers, if one is deployed.
    pub change: Option<Change>,
    /// Its OpenAPI documents.
    pub documents: Publication,
    /// Its channels, in the order of the spec.
    pub channels: Vec<PlannedChannel>,
    /// Where its channels answer.
    pub address: String,
}

/// A channel and what keeps it from being as its spec says.
#[derive(Debug)]
pub struct PlannedChannel {
    /// What the spec says.
    pub claim: Claim,
    /// What is wrong.
    pub problem: Option<Problem>,
    /// The revision that servers should report.
    pub revision: Option<String>,
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
    let refusal = refusal.or_else(|| breaking_change(own?, deployed?));
    let namespace = service.namespace().unwrap_or_default();
    Plan {
        channels: own.map_or_else(Vec::new, |own| planned(own, refusal.as_ref(), deployed)),
        address: network::address(&service.spec.cluster_ref.name, &namespace),
        revision: files.map(|files| revision(texts(files))),
        documents: documents(service, &all, &inputs),
        change: deployed.map(|deployed| Change {
            breaks: deployed.breaks.clone(),
            is_unjudged: deployed.is_unjudged,
        }),
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
    }
}

/// The channels, of the version that servers have or get.
fn planned(
    own: &Checked<'_>,
    refusal: Option<&Refusal>,
    deployed: Option<&IndexedService>,
) -> Vec<PlannedChannel> {
    let version = own
        .result
        .as_ref()
        .ok()
        .filter(|_| refusal.is_none())
        .or(deployed);
    let planned = |claim: &Claim| {
        let problem = claim.problem_with(version);
        let told = match refusal {
            // What was there goes on.
            Some(Refusal::BreakingChange(_)) => deployed.and_then(|was| was.channels.get(&claim.name)),
            _ => claim.told.as_ref().filter(|_| problem.is_none()),
        };
        PlannedChannel {
            revision: told.map(IndexedChannel::revision),
            claim: claim.clone(),
            problem,
        }
    };
    own.claims.iter().map(planned).collect()
}

/// Whether a cluster did not deploy this revision because of what it breaks.
fn breaking_change(own: &Checked<'_>, deployed: &IndexedService) -> Option<Refusal> {
    let (refused, version) = (deployed.refused.as_ref()?, own.result.as_ref().ok()?);
    let is_it = refused.revision == version.revision && own.must_not_break();
    is_it.then(|| Refusal::BreakingChange(refused.breaks.clone()))
}

/// The document of the services of this object's files, when servers have them and what they import. Models may be in files
/// of others.
fn documents(service: &ZatoService, all: &[Checked<'_>], inputs: &Inputs) -> Publication {
    let (name, history) = (service.name_any(), inputs.documents.clone());
    let (loaded, behind): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.is_loaded(&inputs.reports));
    let Some(own) = loaded.iter().find(|one| one.name == name) else {
        return Publication::waiting(history);
    };
    let files: BTreeSet<String> = own.texts().map(|(file, _)| file.to_owned()).collect();
    let project = documents::project(loaded.iter().flat_map(|one| one.texts()));
    let imported = project.imported_by(&files);
    let is_imported = |file: &String| imported.contains(file.strip_suffix(".py").unwrap_or(file));
    if behind
        .iter()
        .any(|one| one.files(&inputs.deployed).any(is_imported))
    {
        return Publication::waiting(history);
    }
    let Some(channels) = own.active_channels(&inputs.reports) else {
        return Publication::waiting(history);
    };
    let mut api = documents::services(&project, Some(files), &service.spec.openapi.tags);
    api.channels = documents::channels(&channels);
    let namespace = service.namespace().unwrap_or_default();
    let address = network::address(&service.spec.cluster_ref.name, &namespace);
    Publication::of(history, &api, address, |version| {
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
