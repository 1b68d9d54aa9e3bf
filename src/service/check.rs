//! Pure: is the code of services valid, which of two that want the same name has it, and does all of it fit?

use std::collections::BTreeMap;

use super::channels::{self, Claim};
use super::jobs::{self, Wish};
use super::refusal::Refusal;
use super::source::Sourced;
use crate::agent::{cache, code, packages, soap};
use crate::api::zato_service::BreakingChangePolicy;
use crate::cluster::{servers, shards};
use crate::documents;
use crate::exchange::{Index, IndexedFile, IndexedService, Report, hash, revision};
use crate::python::modules::{is_in_package, is_package_of};
use crate::python::{self, SyntaxError};

/// A service with the outcome of its check.
pub struct Checked<'a> {
    /// The service's name.
    pub name: String,
    /// Its entry for the index (without shards), or why it has none.
    pub result: Result<IndexedService, Refusal>,
    /// Its channels.
    pub claims: Vec<Claim>,
    /// Its jobs.
    pub jobs: Vec<Wish>,
    source: &'a Sourced,
}

impl Checked<'_> {
    /// Its files, if they could be read.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.source.files.iter().flat_map(texts)
    }

    /// The commit that its files are of, if they are from git.
    pub(super) fn commit(&self) -> Option<&str> {
        Some(self.source.git.as_ref()?.source.as_ref()?.commit.as_str())
    }

    /// Whether its files are being asked for.
    pub fn is_pending(&self) -> bool {
        self.result.as_ref().err() == Some(&Refusal::GitPending)
    }

    /// Whether its files are not known yet, on their way or not to be had: then all stays as it is.
    pub fn is_unknown(&self) -> bool {
        self.is_pending() || matches!(self.result, Err(Refusal::GitUnfetched(_)))
    }

    /// Whether it is not deployed when it breaks callers.
    pub fn must_not_break(&self) -> bool {
        self.source.openapi.breaking_change_policy == BreakingChangePolicy::Refuse
    }

    /// Whether every server that runs has it as it is now.
    pub(super) fn is_loaded(&self, reports: &[(String, Option<Report>)]) -> bool {
        let Ok(version) = &self.result else {
            return false;
        };
        let running = servers::running(reports.iter().filter_map(|(_, report)| report.as_ref()));
        let has_it = |report: &&Report| {
            report
                .services
                .get(&self.name)
                .is_some_and(|found| found.has(version))
        };
        !running.is_empty() && running.iter().all(has_it)
    }

    /// The channels that answer, by what the servers say that keep them; none: one is not done with them.
    pub(super) fn active_channels(
        &self,
        reports: &[(String, Option<Report>)],
        keeper: &str,
    ) -> Option<documents::Channels> {
        let wanted = &self.result.as_ref().ok()?.channels;
        let mut active = wanted.clone();
        for report in keepers(reports, keeper) {
            let on_server = channels::active(&self.name, wanted, report)?;
            active.retain(|name, _| on_server.contains_key(name));
        }
        Some(active)
    }

    /// The names of its files, of the version now and of the one that is deployed.
    pub(super) fn files<'a>(&'a self, deployed: &'a Index) -> impl Iterator<Item = &'a String> {
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

/// What is said by the server that keeps channels and jobs for all; none is named: by each.
pub fn keepers<'a>(
    reports: &'a [(String, Option<Report>)],
    keeper: &'a str,
) -> impl Iterator<Item = &'a Report> {
    let keeps = move |(pod, _): &&(String, _)| keeper.is_empty() || pod == keeper;
    reports
        .iter()
        .filter(keeps)
        .filter_map(|(_, report)| report.as_ref())
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
            let jobs = jobs::wishes(&source.jobs, deployed.services.get(&source.name), source.read);
            Checked {
                name: source.name.clone(),
                result: taken.take(source, &claims, &jobs),
                claims,
                jobs,
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

    fn take(
        &mut self,
        service: &Sourced,
        claims: &[Claim],
        jobs: &[Wish],
    ) -> Result<IndexedService, Refusal> {
        let (owner, files) = (&service.name, service.files.clone()?);
        for file in files.keys() {
            // What begins with zato is a part of Zato.
            let is_of_zato = file.starts_with("zato.");
            if code::OURS.contains(&file.as_str()) || file == packages::FILE || is_of_zato {
                return Err(Refusal::ReservedFile(file.clone()));
            }
            if let Some(class) = is_in_package(file)
                .then(|| python::service_class(file, &files[file]))
                .flatten()
            {
                let file = file.clone();
                return Err(Refusal::ServiceInPackage { file, class });
            }
            self.check_package(owner, file, &files)?;
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
        version.jobs = jobs::told(jobs, &version);
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

    /// Python finds either a module or a package of a name.
    fn check_package(
        &self,
        owner: &String,
        file: &str,
        files: &BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        let own = files.keys().map(|other| (other, owner));
        let others = self.files.iter().filter(|(_, other)| *other != owner);
        for (other, of) in own.chain(others) {
            if is_package_of(file, other) || is_package_of(other, file) {
                return Err(Refusal::ModuleIsPackage {
                    file: file.to_owned(),
                    other: other.clone(),
                    owner: of.clone(),
                });
            }
        }
        Ok(())
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
        let is_ours = [soap::SERVICE, cache::SERVICE].contains(&name);
        let (file, name) = (file.to_owned(), name.to_owned());
        if name.starts_with("zato.") || name.starts_with("pub.zato.") || is_ours {
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
    let bare = version.bare();
    let length = |text: serde_json::Result<String>| text.map_or(0, |text| text.len());
    // It stands there once more beside the next version, which may have to give its place back.
    let belongings = length(serde_json::to_string(&(&bare.channels, &bare.jobs))) + passwords;
    length(serde_json::to_string(&bare)) + passwords + belongings
}

/// Names and texts of files.
pub(super) fn texts(files: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> + Clone {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
}

/// The entry of a set of files, without shards.
pub fn indexed<'a>(
    files: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Result<IndexedService, SyntaxError> {
    let mut entries = BTreeMap::new();
    for (name, text) in files.clone() {
        let mut services = python::check(name, text)?;
        if is_in_package(name) {
            // Whatever looks like one: Zato deploys none of them.
            services.clear();
        }
        let entry = IndexedFile {
            sha256: hash(text.as_bytes()),
            bytes: text.len() as u64,
            shard: String::new(),
            services,
        };
        entries.insert(name.to_owned(), entry);
    }
    Ok(IndexedService {
        revision: revision(files),
        files: entries,
        ..IndexedService::default()
    })
}

#[cfg(test)]
pub(in crate::service) mod tests;
