//! The service of ours that keeps answers of channels for some seconds, because Zato 3.2 never lets go what it keeps itself: its
//! file in the server's folder, which is there while a channel has a cache.
//!
//! Never decides who may call: the rows of channels do, before anything is looked for.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::Error;
use super::channels::row_name;
use super::code::Wanted;
use super::gate::{Gate, State, UNTOLD, filled};
use super::zato::{self, Server};
use crate::exchange::{ChannelKind, IndexedChannel, IndexedService, LoadState, ServiceReport};

/// The file of the service. No user's file may have this name.
pub const FILE: &str = "zato_operator_cache.py";
/// The service. No user's service may have this name.
pub const SERVICE: &str = "zato-operator.cache";
/// The method of channels that may have a cache.
pub const METHOD: &str = "GET";
/// What the file says before it is told of channels.
const SOURCE: &str = include_str!("cache.py");

/// What the service knows of a row.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
struct Entry {
    service: String,
    /// How long an answer is good; 0: none is kept. A row whose cache was taken away leads here a moment longer.
    seconds: u32,
    /// The code that makes the answers: with another one the file is another, and forgets what it kept.
    code: String,
}

/// Keeps the file.
pub struct Cache {
    gate: Gate,
    /// The rows of each `ZatoService`, as they were when the server had loaded its files.
    told: BTreeMap<String, BTreeMap<String, Entry>>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            gate: Gate::new(FILE, SERVICE, "keeps answers"),
            told: BTreeMap::new(),
        }
    }
}

impl Cache {
    /// The file for an index whose code a server has; none: no channel has a cache.
    pub fn wish(wanted: &Wanted) -> Option<String> {
        let mut cache = Self::default();
        cache.learn(wanted, &BTreeMap::new());
        cache.text()
    }

    /// The server starts anew, with the file; or it was only busy, and still loads what is new.
    pub fn forget(&mut self) {
        self.gate.forget();
    }

    /// Writes the file if a channel has a cache and it is not as it should be.
    pub fn write(
        &mut self,
        wanted: &Wanted,
        services: &BTreeMap<String, ServiceReport>,
    ) -> Result<(), Error> {
        self.learn(wanted, services);
        self.gate.write(self.text().as_deref())
    }

    /// What the server has of it.
    pub async fn state(&mut self, server: &Server) -> Result<State, zato::Error> {
        let text = self.text();
        self.gate.state(text.as_deref(), server).await
    }

    /// Takes the file away if no channel has a cache: after their rows.
    pub fn clear(&self) {
        if self.text().is_none() {
            self.gate.clear();
        }
    }

    /// While the server loads a service its rows stay as they were: what its old code answers must not be kept as that of the
    /// new one, nor a service be called that is not there yet.
    pub(super) fn learn(&mut self, wanted: &Wanted, services: &BTreeMap<String, ServiceReport>) {
        let index = &wanted.index.services;
        self.told.retain(|owner, _| index.contains_key(owner));
        for (owner, version) in index {
            let is_loaded = services.get(owner).is_some_and(|report| {
                report.state != LoadState::Loading && report.revision == version.revision
            });
            if is_loaded || !self.told.contains_key(owner) {
                self.told.insert(owner.clone(), entries(version));
            }
        }
    }

    /// What the file must be; none: no channel has a cache.
    fn text(&self) -> Option<String> {
        let mut table = BTreeMap::new();
        for (row, entry) in self.told.values().flatten() {
            // Of two with one address, which the operator may keep for a moment, the first counts.
            table.entry(row).or_insert(entry);
        }
        let is_needed = table.values().any(|entry| entry.seconds > 0);
        is_needed.then(|| filled(SOURCE, UNTOLD, &json!(table)))
    }
}

/// Whether rows of a channel lead here.
pub fn is_cached(channel: &IndexedChannel) -> bool {
    channel.kind == ChannelKind::Rest && channel.cache_seconds > 0
}

/// The rows that may lead here.
fn entries(version: &IndexedService) -> BTreeMap<String, Entry> {
    let channels = version.channels.values();
    let of_get =
        channels.filter(|channel| channel.kind == ChannelKind::Rest && channel.methods.contains(METHOD));
    let entry = |channel: &IndexedChannel| Entry {
        service: channel.service.clone(),
        seconds: channel.cache_seconds,
        code: if is_cached(channel) {
            version.revision.clone()
        } else {
            String::new()
        },
    };
    of_get
        .map(|channel| (row_name(METHOD, &channel.url_path), entry(channel)))
        .collect()
}

#[cfg(test)]
mod tests;
