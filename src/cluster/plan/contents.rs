//! Pure: what servers must have: the index, and the contents of the shards that it names.

use std::collections::BTreeMap;

use super::Texts;
use crate::cluster::gate::{Gate, Judged};
use crate::cluster::inputs::{Inputs, Previous};
use crate::cluster::servers::keepers_report;
use crate::cluster::{put_back, shards};
use crate::documents;
use crate::exchange::{Index, IndexedFile, IndexedService, hash};
use crate::k8s::names;
use crate::service::channels;
use crate::service::check::{Checked, indexed};
use crate::service::jobs::{self, Wish};

/// The index and the contents: the current version of each valid service, the previous one of each invalid one and of
/// each that must not break callers, but does.
pub(super) fn index(
    cluster: &str,
    services: &[Checked<'_>],
    inputs: &Inputs,
) -> (Index, BTreeMap<String, Texts>) {
    let (mut indexed, mut texts) = (BTreeMap::new(), Texts::new());
    let mut gate = Gate::new(inputs, services);
    for service in services {
        if let Some(version) = put_back::version(service, services, inputs, &mut texts) {
            indexed.insert(service.name.clone(), version);
            continue;
        }
        let judged = gate.judge(service);
        if let Some(Judged::Deployed(mut current)) = judged {
            current.good = put_back::good(&service.name, &current, inputs);
            let text = |file: &String| (file.clone(), service.text_of(file).to_owned());
            texts.extend(current.files.keys().map(text));
            indexed.insert(service.name.clone(), *current);
        } else if let Some(mut old) = previous(&service.name, &inputs.previous, &mut texts) {
            if let Some(Judged::Refused(refused)) = judged {
                // All of it stays.
                old.refused = Some(refused);
            } else {
                old = with_belongings(old, service);
            }
            if let (true, Some(known)) = (
                service.is_unknown(),
                inputs.previous.index.services.get(&service.name),
            ) {
                // What is told of the version that is not known yet goes on being so.
                old.refused.clone_from(&known.refused);
                old.failed.clone_from(&known.failed);
            }
            indexed.insert(service.name.clone(), old);
        }
    }
    channels::rotate(&mut indexed, services.iter().flat_map(|service| &service.claims));
    jobs::note_made(
        &mut indexed,
        keepers_report(&inputs.previous.index, &inputs.servers),
    );
    shards::assign(cluster, &mut indexed, &inputs.previous.index);
    let index = Index::sealed(indexed);
    // The first one always exists.
    let mut contents = BTreeMap::from([(names::code(cluster, 0), Texts::new())]);
    for (_, file, entry) in index.files() {
        let text = texts.remove(file).unwrap_or_default();
        contents
            .entry(entry.shard.clone())
            .or_default()
            .insert(file.to_owned(), text);
    }
    (index, contents)
}

/// An older version with channels and jobs as the spec says now, as far as it has their services; those that call for what it
/// lacks stay as they were, unless something else is wrong with them: what is to be closed must not stay open.
pub(in crate::cluster) fn with_belongings(
    mut version: IndexedService,
    service: &Checked<'_>,
) -> IndexedService {
    let mut new = channels::told(&service.claims, &version);
    for claim in service.claims.iter().filter(|claim| claim.told.is_some()) {
        if let Some(old) = version.channels.get(&claim.name) {
            new.entry(claim.name.clone()).or_insert_with(|| old.clone());
        }
    }
    let resolved = |channels| version.resolved(channels);
    let breaks = documents::channel_breaks(&resolved(&version.channels), &resolved(&new));
    if !service.must_not_break() || breaks.is_empty() {
        version.channels = new;
    }
    let mut new = jobs::told(&service.jobs, &version);
    let is_wanted = |wish: &&Wish| !wish.job.suspend && wish.told.is_ok();
    for wish in service.jobs.iter().filter(is_wanted) {
        if let Some(old) = version.jobs.get(&wish.job.name) {
            new.entry(wish.job.name.clone()).or_insert_with(|| old.clone());
        }
    }
    version.jobs = new;
    version
}

/// The shards with what else the index that is there names, as far as there is room: an operator that ends before it
/// wrote the new index leaves the old one whole.
pub(super) fn transition(shards: &BTreeMap<String, Texts>, before: &Previous) -> BTreeMap<String, Texts> {
    let mut all = shards.clone();
    for (_, file, entry) in before.index.files() {
        let Some(text) = before.shards.get(&entry.shard).and_then(|shard| shard.get(file)) else {
            continue;
        };
        let shard = all.entry(entry.shard.clone()).or_default();
        let bytes: usize = shard.values().chain([text]).map(String::len).sum();
        if bytes as u64 <= shards::CAPACITY {
            shard.entry(file.to_owned()).or_insert_with(|| text.clone());
        }
    }
    all
}

/// The previous version, from its contents: those are written before the index that tells their hashes.
pub(in crate::cluster) fn previous(
    service: &str,
    before: &Previous,
    texts: &mut Texts,
) -> Option<IndexedService> {
    let old = before.index.services.get(service)?;
    // All of its files or none: half a service is not the old version.
    let found: Option<Vec<_>> = old
        .files
        .iter()
        .map(|(file, entry)| Some((file, text(file, entry, before)?)))
        .collect();
    let found = found?;
    let mut kept = indexed(found.iter().map(|(name, text)| (name.as_str(), *text))).ok()?;
    kept.channels.clone_from(&old.channels);
    kept.jobs.clone_from(&old.jobs);
    kept.expected.clone_from(&old.expected);
    if kept.revision == old.revision {
        kept.good.clone_from(&old.good);
        kept.breaks.clone_from(&old.breaks);
        kept.is_unjudged = old.is_unjudged;
    }
    texts.extend(
        found
            .into_iter()
            .map(|(name, text)| (name.clone(), text.to_owned())),
    );
    Some(kept)
}

/// What the index says; else what a shard has that is ahead of it.
pub(in crate::cluster) fn text<'a>(file: &str, entry: &IndexedFile, before: &'a Previous) -> Option<&'a str> {
    let mut found = before.shards.values().filter_map(|shard| shard.get(file));
    let (first, is_it) = (found.clone().next(), |text: &&String| {
        hash(text.as_bytes()) == entry.sha256
    });
    found.find(is_it).or(first).map(String::as_str)
}
