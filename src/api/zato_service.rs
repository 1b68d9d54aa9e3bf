//! `ZatoService`: Python services that are hot-deployed to a cluster.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::{Channel, Endpoint};
use super::git::{FetchedSource, GitSource};
use super::jobs::{Job, JobStatus};

/// What a user wants to be deployed.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "zato.io",
    version = "v1alpha1",
    kind = "ZatoService",
    plural = "zatoservices",
    shortname = "zs",
    category = "zato",
    namespaced,
    status = "ZatoServiceStatus",
    derive = "PartialEq",
    doc = "Python files with Zato services, deployed to every server of a cluster without a restart.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterRef.name"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    printcolumn(
        name = "OpenAPI",
        type_ = "string",
        json_path = ".status.openapi.configMap",
        priority = 1
    ),
    printcolumn(
        name = "Revision",
        type_ = "string",
        json_path = ".status.revision",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 200")
        .message("metadata.name must have at most 200 characters: names of documents begin with it")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.clusterRef == oldSelf.clusterRef").message("clusterRef is immutable: make a new ZatoService").field_path(".clusterRef"))]
pub struct ZatoServiceSpec {
    /// The cluster, of the same namespace. Immutable.
    pub cluster_ref: ClusterReference,
    /// Where the code comes from.
    pub source: Source,
    /// A revision of `status.revisions` that servers have in place of `source`, until this is taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-f]{16}$"))]
    pub rollback_to: Option<String>,
    /// Services that must be there once the files are loaded, by their names in Zato: also those that code names. If one is
    /// missing, `Ready` says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 200)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub expected_services: Vec<String>,
    /// Addresses of their own under which the services are called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub channels: Vec<Channel>,
    /// When Zato's scheduler runs the services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub jobs: Vec<Job>,
    /// The OpenAPI document of the services.
    #[serde(default)]
    pub openapi: OpenApi,
}

/// What the OpenAPI document has, and what a change may do to those who call the services.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OpenApi {
    /// The tags of docstrings whose text is published, such as `public` for what follows `@public`. Text without a tag
    /// is public.
    #[serde(default = "default_tags")]
    #[schemars(
        length(min = 1, max = 16),
        inner(length(min = 1, max = 40), regex(pattern = r"^[A-Za-z0-9_-]+$"))
    )]
    pub tags: Vec<String>,
    /// What happens to a change that breaks callers, such as an input that becomes required or an output that is gone.
    #[serde(default)]
    pub breaking_change_policy: BreakingChangePolicy,
}

/// What happens to a change that breaks callers.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BreakingChangePolicy {
    /// It is deployed, and the condition Compatible tells what it breaks.
    #[default]
    Warn,
    /// It is not deployed: what was there goes on answering.
    Refuse,
}

fn default_tags() -> Vec<String> {
    vec!["public".into()]
}

impl Default for OpenApi {
    fn default() -> Self {
        Self {
            tags: default_tags(),
            breaking_change_policy: BreakingChangePolicy::default(),
        }
    }
}

/// A `ZatoCluster` of the same namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ClusterReference {
    /// The cluster's name.
    #[schemars(length(min = 1, max = 35))]
    pub name: String,
}

/// Where the code comes from: exactly one of the members.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.inline), has(self.configMaps), has(self.git)].filter(given, given).size() == 1").message("exactly one of inline, configMaps and git must be given"))]
pub struct Source {
    /// The files, by name; `shop.prices.py` is the module `shop.prices`. At most 32 files and 200 KiB in all: `kubectl apply` keeps a copy in an annotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1, "maxProperties" = 32))]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*[.]py$') && size(name) <= 100)")
        .message("each file name must be a Python module name with .py, such as accounts.py, or shop.prices.py for module shop.prices, of at most 100 characters"))]
    #[x_kube(validation = Rule::new("self.map(name, size(self[name])).sum() <= 204800")
        .message("the files must not have more than 204800 characters in all"))]
    pub inline: Option<BTreeMap<String, FileText>>,
    /// ConfigMaps of the same namespace. Each key of their `data` is a file: a Python module name with `.py`, at most
    /// 200 KiB; `shop.prices.py` is the module `shop.prices`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub config_maps: Option<Vec<ConfigMapReference>>,
    /// A folder of a git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitSource>,
}

/// A ConfigMap of the same namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ConfigMapReference {
    /// The ConfigMap's name.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,
}

/// The text of one file.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct FileText(#[schemars(length(max = 204_800))] pub String);

/// What the operator saw.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ZatoServiceStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The state in one sentence for people, at most 60 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Conditions, `Ready` first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The revision that the spec wants: 16 hexadecimal digits of a SHA-256 over names and contents of the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Where the code that is deployed comes from, if it is from git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<FetchedSource>,
    /// The revisions that are kept, the newest first: every server has had them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["revision".into()]))]
    pub revisions: Vec<KeptRevision>,
    /// What each server of the cluster has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub servers: Vec<ServiceOnServer>,
    /// The addresses of the services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["channel".into()]))]
    pub endpoints: Vec<Endpoint>,
    /// The jobs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub jobs: Vec<JobStatus>,
    /// The newest OpenAPI document of the services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openapi: Option<PublishedDocument>,
}

/// A revision of the files that every server has had, in a ConfigMap that never changes. The five newest are kept, and those that
/// are in use.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KeptRevision {
    /// 16 hexadecimal digits of a SHA-256 over names and contents of the files.
    pub revision: String,
    /// The ConfigMap of the same namespace that has the files.
    pub config_map: String,
    /// The commit that it was of, if it came from git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Since when it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Time>,
}

/// A version of an OpenAPI document, in a ConfigMap that never changes. The ten newest versions are kept.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PublishedDocument {
    /// From 1, and one more with each document that differs from the one before.
    pub version: i64,
    /// The first 16 hexadecimal digits of the SHA-256 of the document without its version.
    pub hash: String,
    /// The ConfigMap of the same namespace that has it, under the key `openapi.json`.
    pub config_map: String,
    /// When it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Time>,
}

/// What one server has of a `ZatoService`.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOnServer {
    /// The server's pod.
    pub name: String,
    /// Loaded, Loading or Failed.
    pub state: String,
    /// The revision that the state is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Why it could not be loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
