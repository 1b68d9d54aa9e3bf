//! Pure: what servers must have: the index, and the contents of the shards that it names.

use std::collections::BTreeMap;

use super::Texts;
use crate::cluster::gate::{Gate, Judged};
use crate::cluster::inputs::{Inputs, Previous};
use crate::cluster::{put_back, shards};
use crate::documents;
use crate::exchange::{Index, IndexedFile, IndexedService, hash};
use crate::k8s::names;
use crate::service::check::{Checked, indexed};
use crate::service::{channels, jobs};

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
            let new = channels::told(&service.claims, &old);
            let breaks = || !documents::channel_breaks(&old.channels, &new).is_empty();
            if let Some(Judged::Refused(refused)) = judged {
                // All of it stays.
                old.refused = Some(refused);
            } else {
                old.jobs = jobs::told(&service.jobs, &old);
                if !(service.must_not_break() && breaks()) {
                    old.channels = new;
                }
            }
            indexed.insert(service.name.clone(), old);
        }
    }
    channels::rotate(&mut indexed, services.iter().flat_map(|service| &service.claims));
    jobs::note_made(&mut indexed, inputs.report.as_ref());
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
