//! Code from a git repository.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::SecretReference;
use super::zato_service::ConfigMapReference;

/// A folder of a git repository: all files `*.py` in it and in its packages (folders with `__init__.py`), at most 200 KiB each. What
/// is pushed is deployed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.url.matches('^https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~+-]+)+/?$') && !self.url.matches('/[.][.]?(/|$)')").message("url is https://host/path without user, password, query or fragment, such as https://git.example.com/team/services.git: credentials are in secretRef").field_path(".url"))]
#[x_kube(validation = Rule::new("!self.ref.contains('..') && !self.ref.contains('//') && !self.ref.endsWith('/') && !self.ref.endsWith('.lock')").message("ref is a branch, a tag, a name such as refs/heads/main, or the 40 digits of a commit").field_path(".ref"))]
#[x_kube(validation = Rule::new("!has(self.path) || self.path.split('/').all(part, !(part in ['', '.', '..']))").message("path is a folder from the root of the repository, such as services/accounts, without . and ..").field_path(".path"))]
#[x_kube(validation = Rule::new("self.interval.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') && self.interval.matches('[1-9]') && duration(self.interval) >= duration('10s') && duration(self.interval) <= duration('24h')").message("interval is hours, minutes and seconds in this order, such as 1m or 1h30m, from 10s to 24h").field_path(".interval"))]
pub struct GitSource {
    /// The address of the repository: HTTPS, without credentials.
    #[schemars(length(min = 10, max = 500))]
    pub url: String,
    /// A branch, a tag, a full name such as `refs/heads/main`, or a commit (40 digits). `HEAD` is the default branch.
    #[serde(rename = "ref", default = "head")]
    #[schemars(
        length(min = 1, max = 250),
        regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_./+@#-]*$")
    )]
    pub reference: String,
    /// The folder. Default: the root of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub path: Option<String>,
    /// A Secret with the keys `username`, `password` (or token) and `url`, the beginning of the addresses for which it may be
    /// used, and the label `zato.io/git-credentials: "true"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretReference>,
    /// A ConfigMap whose key `ca.crt` has the certificates of who signs that of the server. Default: those that browsers
    /// trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapReference>,
    /// How often the server is asked for a new commit, such as `1m` or `1h30m`: from `10s` to `24h`.
    #[serde(default = "minute")]
    #[schemars(length(min = 2, max = 18))]
    pub interval: String,
}

fn head() -> String {
    "HEAD".into()
}

fn minute() -> String {
    "1m".into()
}

/// The commit that is deployed.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FetchedSource {
    /// The repository.
    pub url: String,
    /// The branch, tag or commit that the spec named.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The folder, if it is not the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The full name of the commit.
    pub commit: String,
    /// The revision of its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// When it was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Time>,
}
