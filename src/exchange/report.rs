//! Reports: what each server has.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::IndexedService;

/// What one server has.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Report {
    /// The pod that wrote it. A report of another pod than the current one is ignored.
    pub pod_uid: String,
    /// What the agent is doing.
    pub phase: Phase,
    /// The revision of the index that the agent works on.
    pub index_seen: String,
    /// The revision of the index that is settled: each service is loaded or has failed.
    pub index_revision: String,
    /// Why the server as a whole does not work, if it does not.
    pub error: Option<String>,
    /// Each service of the index.
    pub services: BTreeMap<String, ServiceReport>,
    /// The channels of each service of the index, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, BTreeMap<String, PartReport>>,
    /// The jobs of each service of the index, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub jobs: BTreeMap<String, BTreeMap<String, PartReport>>,
    /// What the startup callables did, in the order in which they began.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub callables: Vec<CallableOutcome>,
}

/// What a server has of a channel or a job.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct PartReport {
    /// The revision that this is about.
    pub revision: String,
    /// Why the server does not have it, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it was there and is not needed any more: a job that ran once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_over: bool,
}

/// What a startup callable did in one phase: a line of the wrapper's file, too.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct CallableOutcome {
    /// The callable.
    pub name: String,
    /// The phase, by Zato's name.
    pub phase: String,
    /// Where it is.
    pub outcome: CallableState,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<i64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where a startup callable is.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallableState {
    /// It was called and has not come back.
    #[default]
    Running,
    /// It came back.
    Passed,
    /// It raised something, is not there, or took too long.
    Failed,
}

/// What the agent is doing.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It writes the files that the server needs.
    #[default]
    Preparing,
    /// Zato's environment is being created.
    Creating,
    /// It waits for the server to answer.
    Starting,
    /// The server answers; code is being loaded for the first time.
    Loading,
    /// The server serves.
    Serving,
}

/// What one server has of one `ZatoService`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceReport {
    /// The revision that the state is about.
    pub revision: String,
    /// Where it is on its way.
    pub state: LoadState,
    /// Why it failed.
    pub error: Option<String>,
    /// The services that were looked for.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub expected: BTreeSet<String>,
}

impl ServiceReport {
    /// Whether the server has this version, and all that is expected of it.
    pub fn has(&self, version: &IndexedService) -> bool {
        self.state == LoadState::Loaded
            && (&self.revision, &self.expected) == (&version.revision, &version.expected)
    }
}

/// Where a revision is on its way into a server.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadState {
    /// Written; the server has not confirmed it.
    #[default]
    Loading,
    /// The server has it.
    Loaded,
    /// The server refused it; what it had before goes on answering.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_or_newer_writer_is_understood() {
        let report: Report = serde_json::from_str(r#"{"podUid":"u","somethingNew":1}"#).unwrap();
        assert_eq!((report.pod_uid.as_str(), report.phase), ("u", Phase::Preparing));
    }
}
