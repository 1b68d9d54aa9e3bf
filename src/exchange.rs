//! What operator and agents tell each other, through objects of the cluster's namespace.
//!
//! * the *index* (Secret `<cluster>-agent`, key [`INDEX_KEY`]): which files every server must have;
//! * the *shards* (ConfigMaps `<cluster>-code-N`): the files' contents, keyed by file name;
//! * the *reports* (ConfigMaps `<cluster>-server-N-report`, key [`REPORT_KEY`]): what each server has.
//!
//! Formats only grow: an unknown field is ignored, a missing one has a default.

mod channels;
pub mod database;
mod jobs;
mod report;

use std::collections::{BTreeMap, BTreeSet};

pub use channels::{ChannelKind, Hidden, IndexedChannel, IndexedSecurity, IndexedWebSocket, SecurityKind};
pub use jobs::{IndexedJob, Schedule};
pub use report::{CallableOutcome, CallableState, LoadState, PartReport, Phase, Report, ServiceReport};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The key of the index in its Secret.
pub const INDEX_KEY: &str = "index.json";
/// The key of the report in its ConfigMap.
pub const REPORT_KEY: &str = "report.json";
/// The label that marks a report.
pub const REPORT_LABEL: &str = "zato.io/report";

/// All that servers must have.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Index {
    /// SHA-256 (16 hexadecimal digits) over the services.
    pub revision: String,
    /// The server whose agent does what is done once for all of them: channels, jobs and rows in the database they share. None:
    /// there is one server only.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub keeper: String,
    /// The servers that the cluster is to have. Rows of others go from the database; none: it has one server only.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub servers: BTreeSet<String>,
    /// The services, by the name of their `ZatoService`.
    pub services: BTreeMap<String, IndexedService>,
}

/// One `ZatoService` in the index.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexedService {
    /// The revision of its files.
    pub revision: String,
    /// Its files, by name.
    pub files: BTreeMap<String, IndexedFile>,
    /// Services that servers must have once it is loaded.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub expected: BTreeSet<String>,
    /// Its channels, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, IndexedChannel>,
    /// Its jobs, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub jobs: BTreeMap<String, IndexedJob>,
    /// What its callers lost with this revision, as the operator tells it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<String>,
    /// Whether nobody knows what they lost: the version before was gone when this one was compared.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_unjudged: bool,
    /// The revision that was refused because of what it breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedRevision>,
    /// What every server had before this revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good: Option<GoodRevision>,
    /// The revision that a server could not load; this one was put back in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedRevision>,
}

impl IndexedService {
    /// Without what is told of changes, and without secrets.
    #[must_use]
    pub fn bare(&self) -> Self {
        let bare = |(name, channel): (&String, &IndexedChannel)| (name.clone(), channel.bare());
        Self {
            revision: self.revision.clone(),
            files: self.files.clone(),
            expected: self.expected.clone(),
            channels: self.channels.iter().map(bare).collect(),
            jobs: self.jobs.clone(),
            ..Self::default()
        }
    }
}

/// A revision that is not deployed because of what it breaks.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct RefusedRevision {
    /// The revision of its files.
    pub revision: String,
    /// What callers would lose.
    pub breaks: Vec<String>,
}

/// A revision that every server had, with what belonged to it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct GoodRevision {
    /// The revision of its files.
    pub revision: String,
    /// Its channels, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, IndexedChannel>,
    /// Its jobs, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub jobs: BTreeMap<String, IndexedJob>,
}

/// A revision that is not deployed any more because a server could not load it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct FailedRevision {
    /// The revision of its files.
    pub revision: String,
    /// Why it could not be loaded.
    pub error: String,
    /// What the other services of the cluster were: with others it is tried again.
    pub others: String,
}

/// One file in the index.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexedFile {
    /// SHA-256 of its content, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// The ConfigMap that has the content.
    pub shard: String,
    /// The names under which Zato will know the services of this file; empty when it defines none.
    pub services: BTreeSet<String>,
}

impl IndexedService {
    /// The ports of its WebSocket channels.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.channels
            .values()
            .filter_map(|channel| Some(channel.web_socket?.port))
    }

    /// The services that its files are known to define.
    pub fn services(&self) -> impl Iterator<Item = &String> {
        self.files.values().flat_map(|file| &file.services)
    }

    /// The services that are invoked directly: those of its files, without names that the load balancer lets not pass. Zato would
    /// read some of them as expressions.
    pub fn invoked(&self) -> impl Iterator<Item = &String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let is_word = move |part: &str| !part.is_empty() && part.chars().all(is_plain);
        self.services().filter(move |name| name.split('.').all(is_word))
    }

    /// The services that a channel for SOAP calls, as far as the files name them.
    pub fn called<'a>(&'a self, channel: &'a IndexedChannel) -> impl Iterator<Item = &'a String> {
        let is_called = |name: &&String| channel.services.is_empty() || channel.services.contains(*name);
        self.services().filter(is_called)
    }

    /// Channels, of which each one for SOAP has the names of what it calls.
    pub fn resolved(&self, channels: &BTreeMap<String, IndexedChannel>) -> BTreeMap<String, IndexedChannel> {
        let mut resolved = channels.clone();
        for channel in resolved.values_mut() {
            if channel.kind == ChannelKind::Soap {
                channel.services = self.called(channel).cloned().collect();
            }
        }
        resolved
    }

    /// The size of its files.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }
}

impl Index {
    /// The index with its revision filled in. What a change breaks is no part of it: it concerns no server.
    pub fn sealed(services: BTreeMap<String, IndexedService>) -> Self {
        let bare: BTreeMap<_, _> = services
            .iter()
            .map(|(name, service)| (name, service.bare()))
            .collect();
        let text = serde_json::to_string(&bare).unwrap_or_default();
        Self {
            revision: short_hash(text.as_bytes()),
            services,
            ..Self::default()
        }
    }

    /// The ConfigMaps that have its files.
    pub fn shards(&self) -> BTreeSet<&str> {
        self.files().map(|(_, _, entry)| entry.shard.as_str()).collect()
    }

    /// Every file of the index, with the name of its `ZatoService`.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str, &IndexedFile)> {
        self.services.iter().flat_map(|(service, indexed)| {
            indexed
                .files
                .iter()
                .map(move |(file, entry)| (service.as_str(), file.as_str(), entry))
        })
    }
}

/// SHA-256, hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            use std::fmt::Write;
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The first 16 hexadecimal digits of the SHA-256.
pub fn short_hash(bytes: &[u8]) -> String {
    hash(bytes)[..16].to_owned()
}

/// The revision of a set of files: names and contents, in order.
pub fn revision<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut digest = Sha256::new();
    for (name, content) in files {
        // Lengths first, so that no two different sets have the same bytes.
        digest.update(name.len().to_le_bytes());
        digest.update(name);
        digest.update(content.len().to_le_bytes());
        digest.update(content);
    }
    short_hash(&digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_tells_names_from_contents() {
        assert_ne!(revision([("a", "bc")]), revision([("ab", "c")]));
        assert_ne!(
            revision([("a", "1"), ("b", "2")]),
            revision([("a", "2"), ("b", "1")])
        );
        assert_eq!(revision([("a", "1")]), revision([("a", "1")]));
    }
}
