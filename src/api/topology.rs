//! How the components of a cluster are spread, and where its data are.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::zato_cluster::SecretReference;

/// How components are spread over pods.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Topology {
    /// All components in one pod, with SQLite on a volume.
    #[default]
    Quickstart,
    /// Servers, scheduler, dashboard and load balancer in pods of their own, with a database outside.
    Distributed,
}

/// Where Zato keeps its own data: at most one of `sqlite` and `postgresql`. Neither: `sqlite`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[x_kube(validation = Rule::new("!has(self.sqlite) || !has(self.postgresql)").message("at most one of sqlite and postgresql"))]
pub struct Database {
    /// SQLite in a file on a volume of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlite: Option<Sqlite>,
    /// A database of a PostgreSQL server that is there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgresql: Option<Postgresql>,
}

/// SQLite in a file on a volume.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Sqlite {
    /// The volume that holds the file.
    #[serde(default)]
    pub storage: Storage,
}

/// A database of a PostgreSQL server. The operator makes Zato's tables in it and deletes nothing of it, whatever
/// `deletionPolicy` says.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Postgresql {
    /// The server's name or address, as pods of the cluster resolve it.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$")
    )]
    pub host: String,
    /// Its port.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// The database. It must exist, and belong to the user of `credentialsSecretRef` or let it create tables.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Za-z_][A-Za-z0-9_-]*$"))]
    pub database: String,
    /// The schema for Zato's tables. Default: the first one of the user's search path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63), regex(pattern = "^([A-Za-z_][A-Za-z0-9_]*)?$"))]
    pub schema: String,
    /// A Secret of the cluster's namespace with the keys `username` and `password`.
    pub credentials_secret_ref: SecretReference,
}

fn default_port() -> i32 {
    5432
}

/// A volume that is claimed for the cluster and kept when the cluster is deleted.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// How much to claim, as a Kubernetes quantity. It can grow where the StorageClass allows it; a volume
    /// never shrinks, and a growth that was refused can be taken back.
    #[serde(default = "default_size")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))").message("must be a quantity above zero, such as 5Gi"))]
    pub size: String,
    /// The StorageClass. Default: the cluster's default class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
}

fn default_size() -> String {
    "5Gi".into()
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            size: default_size(),
            storage_class_name: None,
        }
    }
}

/// The servers of a cluster.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Servers {
    /// How many run. A Quickstart cluster has one or none.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 20))]
    pub replicas: i32,
    /// Where they run, in a Distributed cluster. A change replaces one server after another.
    #[serde(default)]
    pub spread: Spread,
    /// What a drain of nodes does to them, in a Distributed cluster.
    #[serde(default)]
    pub disruption_budget: DisruptionBudget,
}

/// Where the pods of a component run.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// On different nodes, and in different zones, where that is possible.
    #[default]
    Preferred,
    /// Where the scheduler of Kubernetes puts them.
    Anywhere,
}

/// Whether a PodDisruptionBudget lets at most one pod of a component be evicted at a time. One pod alone has none.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct DisruptionBudget {
    /// Whether there is one.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

impl Default for DisruptionBudget {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// The load balancers of a Distributed cluster.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancer {
    /// How many run.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10))]
    pub replicas: i32,
    /// Where they run.
    #[serde(default)]
    pub spread: Spread,
    /// What a drain of nodes does to them.
    #[serde(default)]
    pub disruption_budget: DisruptionBudget,
}

fn one() -> i32 {
    1
}

impl Default for Servers {
    fn default() -> Self {
        Self {
            replicas: one(),
            spread: Spread::default(),
            disruption_budget: DisruptionBudget::default(),
        }
    }
}

impl Default for LoadBalancer {
    fn default() -> Self {
        Self {
            replicas: one(),
            spread: Spread::default(),
            disruption_budget: DisruptionBudget::default(),
        }
    }
}
