//! Pure: a revision that a server could not load gives its place back to the one that every server had before, so that a
//! server which starts has something that works.

use std::collections::{BTreeMap, BTreeSet};

use super::inputs::Inputs;
use super::plan::{Texts, previous};
use crate::exchange::{FailedRevision, Index, IndexedService, LoadState, Report, ServiceReport, short_hash};
use crate::service::check::{Checked, indexed};
use crate::service::{channels, jobs};

/// The services whose revision a server could not load: each with that revision, and with the one before. Only when the server
/// is done with this very index: a file may wait for another one.
pub fn failed<'a>(
    index: &'a Index,
    report: Option<&'a Report>,
) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    let report = report.filter(|report| report.index_revision == index.revision);
    index.services.iter().filter_map(move |(name, version)| {
        let found = of(name, version, report?)?;
        let good = version.good.as_deref()?;
        (found.state == LoadState::Failed).then_some((name.as_str(), version.revision.as_str(), good))
    })
}

fn of<'a>(name: &str, version: &IndexedService, report: &'a Report) -> Option<&'a ServiceReport> {
    let found = report.services.get(name)?;
    (found.revision == version.revision).then_some(found)
}

/// The revision to put back should `next` fail: the one that is deployed, if the server has it.
pub fn good(
    deployed: Option<&IndexedService>,
    next: &IndexedService,
    name: &str,
    report: Option<&Report>,
) -> Option<String> {
    let deployed = deployed?;
    let is_loaded =
        report.is_some_and(|report| report.services.get(name).is_some_and(|found| found.has(deployed)));
    // What was put back is good, whatever is known of it now.
    if deployed.revision != next.revision && (is_loaded || deployed.failed.is_some()) {
        return Some(deployed.revision.clone());
    }
    deployed.good.clone().filter(|good| *good != next.revision)
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
    let mut version = if let Some(failed) = deployed.failed.as_ref().filter(is_it) {
        let mut version = previous(&service.name, &inputs.previous, texts)?;
        version.failed = Some(failed.clone());
        version
    } else {
        let kept = inputs.kept.get(&service.name)?;
        let report = of(&service.name, deployed, inputs.report.as_ref()?)?;
        let mut version = indexed(kept.iter().map(|(file, text)| (file.as_str(), text.as_str()))).ok()?;
        let is_current =
            deployed.revision == wanted.revision && deployed.good.as_ref() == Some(&version.revision);
        if !is_current || meets_others(service, all, &version) {
            return None;
        }
        texts.extend(kept.clone());
        version.failed = Some(FailedRevision {
            revision: wanted.revision.clone(),
            error: report.error.clone().unwrap_or_default(),
            others,
        });
        version
    };
    version.channels = channels::told(&service.claims, &version);
    version.jobs = jobs::told(&service.jobs, &version);
    Some(version)
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
fn meets_others(service: &Checked<'_>, all: &[Checked<'_>], version: &IndexedService) -> bool {
    let others = all.iter().filter(|other| other.name != service.name);
    let mut others = others.filter_map(|other| other.result.as_ref().ok());
    let services: BTreeSet<_> = version.services().collect();
    others.any(|other| {
        other.files.keys().any(|file| version.files.contains_key(file))
            || other.services().any(|name| services.contains(name))
    })
}

#[cfg(test)]
mod tests;
