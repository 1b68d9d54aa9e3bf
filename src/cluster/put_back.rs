//! Pure: a revision that a server could not load gives its place back to the one that every server had before, so that a
//! server which starts has something that works.

use std::collections::{BTreeMap, BTreeSet};

use super::inputs::Inputs;
use super::plan::{Texts, previous, with_belongings};
use super::servers::{Server, reports};
use crate::exchange::{
    FailedRevision, GoodRevision, Index, IndexedService, LoadState, Report, ServiceReport, short_hash,
};
use crate::service::check::{Checked, indexed};

/// The services whose revision a server could not load: each with that revision, and with the one before. Only what is said of
/// this very index: a file may wait for another one that was not there before.
pub fn failed<'a>(
    index: &'a Index,
    servers: &'a [Server],
) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    index.services.iter().filter_map(move |(name, version)| {
        failure(name, version, index, servers)?;
        let good = version.good.as_ref()?;
        Some((name.as_str(), version.revision.as_str(), good.revision.as_str()))
    })
}

/// What a server says that could not load the version of a service.
fn failure<'a>(
    name: &str,
    version: &IndexedService,
    index: &Index,
    servers: &'a [Server],
) -> Option<&'a ServiceReport> {
    let of_this = reports(servers).filter(|report| report.index_seen == index.revision);
    let mut found = of_this.filter_map(|report| of(name, version, report));
    found.find(|found| found.state == LoadState::Failed)
}

fn of<'a>(name: &str, version: &IndexedService, report: &'a Report) -> Option<&'a ServiceReport> {
    let found = report.services.get(name)?;
    (found.revision == version.revision).then_some(found)
}

/// What is put back should the next revision of a service fail: what is deployed, if every server has had it.
pub fn good(name: &str, next: &IndexedService, inputs: &Inputs) -> Option<GoodRevision> {
    let deployed = inputs.previous.index.services.get(name)?;
    let has_it = |report: &Report| report.services.get(name).is_some_and(|found| found.has(deployed));
    let is_loaded = || {
        let mut all = reports(&inputs.servers).peekable();
        all.peek().is_some() && all.all(has_it)
    };
    // What was put back is good, whatever is known of it now.
    let is_good = || deployed.failed.is_some() || inputs.proven.contains(name) || is_loaded();
    if deployed.revision != next.revision && is_good() {
        return Some(GoodRevision {
            revision: deployed.revision.clone(),
            channels: deployed.channels.clone(),
            jobs: deployed.jobs.clone(),
        });
    }
    deployed
        .good
        .clone()
        .filter(|good| good.revision != next.revision)
}

/// The version that a service has in place of one that failed; none: there is none, or the service changed.
pub fn version(
    service: &Checked<'_>,
    all: &[Checked<'_>],
    inputs: &Inputs,
    texts: &mut Texts,
) -> Option<IndexedService> {
    let wanted = service.result.as_ref().ok()?;
    let deployed = inputs.previous.index.services.get(&service.name)?;
    let others = others(service, all);
    let is_it = |failed: &&FailedRevision| failed.revision == wanted.revision && failed.others == others;
    if let Some(failed) = deployed.failed.as_ref().filter(is_it) {
        let mut version = previous(&service.name, &inputs.previous, texts)?;
        version.failed = Some(failed.clone());
        return Some(with_belongings(version, service));
    }
    let (kept, good) = (inputs.kept.get(&service.name)?, deployed.good.as_ref()?);
    let report = failure(&service.name, deployed, &inputs.previous.index, &inputs.servers)?;
    let mut version = indexed(kept.iter().map(|(file, text)| (file.as_str(), text.as_str()))).ok()?;
    let is_current = deployed.revision == wanted.revision && good.revision == version.revision;
    if !is_current || meets_others(service, all, inputs, &version) {
        return None;
    }
    texts.extend(kept.clone());
    version.channels.clone_from(&good.channels);
    version.jobs.clone_from(&good.jobs);
    version.failed = Some(FailedRevision {
        revision: wanted.revision.clone(),
        error: report.error.clone().unwrap_or_default(),
        others,
    });
    Some(with_belongings(version, service))
}

/// What may have made a revision fail, beside itself: what the other services of the cluster are, and what it must bring.
fn others(service: &Checked<'_>, all: &[Checked<'_>]) -> String {
    let others = all.iter().filter(|other| other.name != service.name);
    let revisions: BTreeMap<_, _> = others
        .filter_map(|other| Some((&other.name, &other.result.as_ref().ok()?.revision)))
        .collect();
    let expected = service.result.as_ref().map(|version| &version.expected).ok();
    short_hash(
        serde_json::to_string(&(revisions, expected))
            .unwrap_or_default()
            .as_bytes(),
    )
}

/// Whether another service has a name of an old version by now.
fn meets_others(
    service: &Checked<'_>,
    all: &[Checked<'_>],
    inputs: &Inputs,
    version: &IndexedService,
) -> bool {
    let wanted = all
        .iter()
        .filter_map(|other| Some((&other.name, other.result.as_ref().ok()?)));
    let others = wanted.chain(&inputs.previous.index.services);
    let mut others = others.filter_map(|(name, other)| (*name != service.name).then_some(other));
    let services: BTreeSet<_> = version.services().collect();
    others.any(|other| {
        other.files.keys().any(|file| version.files.contains_key(file))
            || other.services().any(|name| services.contains(name))
    })
}

#[cfg(test)]
mod tests;
