//! Callables that run while a server starts.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A function or a class that Zato calls while a server starts, with Zato's own context as its only argument.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.configMapKeyRef) || self.name.matches('^[^.]+[.][^.]+$')").message("with configMapKeyRef the name has a module and a name in it, such as my_startup.create_cache").field_path(".name"))]
pub struct StartupCallable {
    /// Its dotted name: the module, and the name of the function or class in it.
    #[schemars(
        length(min = 3, max = 200),
        regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$")
    )]
    pub name: String,
    /// The module's source. Default: the image has the module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyReference>,
    /// The phases in which it is called. Default: all of them, as Zato does it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub phases: Vec<StartupPhase>,
    /// What becomes of the server when it fails, is missing, or takes too long.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    /// How many seconds it has in each phase. One that takes longer ends the server, whatever the policy: Python cannot
    /// abandon it.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 600))]
    pub timeout_seconds: i32,
}

fn default_timeout() -> i32 {
    60
}

/// A key of a ConfigMap of the same namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ConfigMapKeyReference {
    /// The ConfigMap's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// When Zato calls, in this order.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StartupPhase {
    /// The configuration is read, nothing is made of it yet: what is changed in it takes effect.
    FSConfigOnly,
    /// The server is about to run.
    ImplBeforeRun,
    /// A worker process begins.
    BeforePostFork,
    /// In the worker process, before services are deployed.
    InProcessFirst,
    /// Services are deployed.
    AfterStarted,
}

/// What a failure does.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The server ends, and is started again with growing pauses; it is not Ready before the callable passed.
    #[default]
    Fail,
    /// It is told, and the server goes on.
    Ignore,
}

/// What one callable did in one phase of the present start of a server.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CallableStatus {
    /// The callable.
    pub name: String,
    /// The phase.
    pub phase: String,
    /// Running, Passed or Failed.
    pub outcome: String,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<i64>,
    /// Why it failed: exception, file and line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
