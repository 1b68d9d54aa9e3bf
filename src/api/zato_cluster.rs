//! `ZatoCluster`: one Zato cluster.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PublishedDocument;
use super::configuration::{self, Configuration};
use super::startup::{CallableStatus, StartupCallable};
use super::topology::{Database, LoadBalancer, Servers, Topology};

/// What a user wants of a cluster.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "zato.io",
    version = "v1alpha1",
    kind = "ZatoCluster",
    plural = "zatoclusters",
    shortname = "zc",
    category = "zato",
    namespaced,
    status = "ZatoClusterStatus",
    derive = "PartialEq",
    scale(spec_replicas_path = ".spec.servers.replicas", status_replicas_path = ".status.replicas", label_selector_path = ".status.selector"),
    doc = "A Zato cluster. `spec: {}` is enough: one pod with server, scheduler, dashboard and load balancer, and SQLite on a volume.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Servers", type_ = "string", json_path = ".status.readyServers"),
    printcolumn(name = "Database", type_ = "string", json_path = ".status.database"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Services", type_ = "string", json_path = ".status.services.summary"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].message", priority = 1),
    printcolumn(name = "Address", type_ = "string", json_path = ".status.endpoints.api", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 35 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name must start with a letter, hold only a-z, 0-9 and '-', and have at most 35 characters: the names of the cluster's children are made from it")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.topology == oldSelf.topology").message("topology is immutable: make a new cluster").field_path(".topology"))]
#[x_kube(validation = Rule::new(storage_class_rule()).message("storageClassName is immutable: make a new cluster").field_path(".database"))]
#[x_kube(validation = Rule::new(database_rule()).message("which database a cluster has is immutable (host, port, database and schema): make a new cluster").field_path(".database"))]
#[x_kube(validation = Rule::new("(self.topology == 'Distributed') == has(self.database.postgresql)").message("a Distributed cluster needs database.postgresql, and a Quickstart cluster keeps its data in SQLite: several servers cannot share a file").field_path(".database"))]
#[x_kube(validation = Rule::new("self.topology == 'Distributed' || self.servers.replicas <= 1").message("a Quickstart cluster has one server, or none: choose topology Distributed for more").field_path(".servers.replicas"))]
#[x_kube(validation = Rule::new("self.topology == 'Distributed' || self.loadBalancer.replicas == 1").message("the load balancer of a Quickstart cluster is in its one pod: choose topology Distributed for more").field_path(".loadBalancer.replicas"))]
pub struct ZatoClusterSpec {
    /// How components are spread over pods. Immutable.
    #[serde(default)]
    pub topology: Topology,

    /// The container image with a Zato 3.2 installation in `/opt/zato/current`. Default: the operator's setting
    /// (chart value `defaultZatoImage`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")
    )]
    pub image: Option<String>,

    /// When the kubelet pulls the images of the cluster's pods.
    #[serde(default)]
    pub image_pull_policy: ImagePullPolicy,

    /// Secrets with registry credentials, of the cluster's namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub image_pull_secrets: Vec<SecretReference>,

    /// Zato's operational database. Immutable, but its volume can grow.
    #[serde(default)]
    pub database: Database,

    /// Zato's servers, which run the services.
    #[serde(default)]
    pub servers: Servers,

    /// The load balancer, through which services are called.
    #[serde(default)]
    pub load_balancer: LoadBalancer,

    /// Zato's scheduler.
    #[serde(default)]
    pub scheduler: Component,

    /// Zato's web dashboard.
    #[serde(default)]
    pub dashboard: Component,

    /// Settings of Zato's own configuration files: file (`server.conf` or `sso.conf`), section, key, value. All values are
    /// texts: put numbers, True and False into quotes. A change restarts the server. Zato ignores a section or a key that
    /// it does not know, and reads settings from variables: the files in the pod do not show them.
    #[serde(default, skip_serializing_if = "Configuration::is_empty")]
    #[schemars(extend("maxProperties" = 4))]
    #[x_kube(validation = Rule::new("self.all(file, file in ['server.conf', 'sso.conf'])")
        .message("files of spec.config are server.conf and sso.conf"))]
    #[x_kube(validation = Rule::new(configuration::owned_rule()).message(configuration::owned_message().as_str()))]
    #[x_kube(validation = Rule::new("self.all(file, self[file].all(section, section.matches('^[A-Za-z0-9_]{1,64}$') && self[file][section].all(key, key.matches('^[A-Za-z0-9_.-]{1,128}$'))))")
        .message("sections are names of letters, digits and _, keys also of . and -"))]
    pub config: Configuration,

    /// Callables that run while a server starts, in this order. A change restarts the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub startup_callables: Vec<StartupCallable>,

    /// The operator does nothing for this cluster while this is true, and `Ready` keeps what it said last, with the
    /// reason `Paused`. Only `deletionPolicy: Retain` counts all the same.
    #[serde(default)]
    pub paused: bool,

    /// No pod runs while this is true. Data and keys are kept.
    #[serde(default)]
    pub stopped: bool,

    /// What becomes of the volume and the keys when this object is deleted. A change counts when
    /// `status.observedGeneration` has caught up.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

impl ZatoClusterSpec {
    /// How many servers are to run.
    pub fn replicas(&self) -> usize {
        let wanted = if self.stopped { 0 } else { self.servers.replicas };
        usize::try_from(wanted).unwrap_or_default()
    }
}

/// An absent class and one of no name are the same.
fn storage_class_rule() -> String {
    let class = |object: &str| {
        let storage = format!("{object}.database.sqlite.storage");
        format!(
            "(has({object}.database.sqlite) && has({storage}.storageClassName) ? {storage}.storageClassName : '')"
        )
    };
    format!("{} == {}", class("self"), class("oldSelf"))
}

fn database_rule() -> String {
    let (new, old) = ("self.database.postgresql", "oldSelf.database.postgresql");
    let schema = |object: &str| format!("(has({object}.schema) ? {object}.schema : '')");
    let same = |field: &str| format!("{new}.{field} == {old}.{field}");
    let all = [
        same("host"),
        same("port"),
        same("database"),
        format!("{} == {}", schema(new), schema(old)),
    ];
    format!(
        "has({new}) == has({old}) && (!has({new}) || ({}))",
        all.join(" && ")
    )
}

/// What becomes of data and keys when their cluster is deleted.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// They are kept. A cluster of the same name takes them up again.
    #[default]
    Retain,
    /// They are deleted with the cluster.
    Delete,
}

/// When the kubelet pulls an image.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImagePullPolicy {
    /// When the node does not have it.
    #[default]
    IfNotPresent,
    /// At each start of a container.
    Always,
    /// Never: the node must have it.
    Never,
}

/// A Secret of the same namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct SecretReference {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A component that can be left out.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Whether the component runs.
    #[serde(default = "default_true")]
    pub enabled: bool,
}

fn default_true() -> bool {
    true
}

impl Default for Component {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// What the operator saw.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ZatoClusterStatus {
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
    /// The Zato image that the pods have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The first 16 hexadecimal digits of the SHA-256 of `key1`, which decrypts the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_fingerprint: Option<String>,
    /// How many servers have a pod: for `kubectl scale` and autoscalers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// What selects the servers' pods: for autoscalers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Where Zato's data are: SQLite or PostgreSQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// How many servers are ready, of how many that are wanted: `ready/wanted`, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_servers: Option<String>,
    /// The servers of the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub servers: Vec<ServerStatus>,
    /// The `ZatoService` objects that name this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<ServiceCounts>,
    /// Where the cluster is reached, from inside the Kubernetes cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,
    /// The newest OpenAPI document of all services together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openapi: Option<PublishedDocument>,
}

/// One server.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// The pod's name.
    pub name: String,
    /// Whether the pod is Ready.
    pub ready: bool,
    /// What the pod's agent says that it is doing: Preparing, Creating, Starting, Loading or Serving.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The revision of the index that the server has settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The last error of this server, if it has one now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// What the startup callables did when the server started last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub startup_callables: Vec<CallableStatus>,
}

/// How many services there are, and how many of them are loaded.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceCounts {
    /// Objects that name the cluster.
    pub total: i32,
    /// Those of them whose current revision is loaded on every server.
    pub loaded: i32,
    /// `loaded/total`, for people.
    pub summary: String,
}

/// Addresses inside the Kubernetes cluster.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The load balancer: `/zato/ping` and `/zato/api/invoke/<service>`.
    pub api: String,
    /// The dashboard, when it is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard: Option<String>,
}
