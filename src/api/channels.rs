//! Channels: addresses of their own under which services are called.

mod web_socket;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use web_socket::WebSocketChannel;

/// An address under which services of this `ZatoService` are called: exactly one of `rest`, `directInvocation`,
/// `soap` and `webSocket`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.rest), has(self.directInvocation), has(self.soap), has(self.webSocket)].filter(given, given).size() == 1").message("exactly one of rest, directInvocation, soap and webSocket must be given"))]
pub struct Channel {
    /// Its name in conditions and documents.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// A path for HTTP requests with JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<RestChannel>,
    /// Who calls all services of this `ZatoService` at `/zato/api/invoke/<service>`, in place of Zato's user `pubapi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct_invocation: Option<DirectInvocation>,
    /// A path for SOAP, 1.1 and 1.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soap: Option<SoapChannel>,
    /// A port for WebSocket clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_socket: Option<WebSocketChannel>,
}

/// A path for SOAP: document/literal, as the WSDL says that is published with the services' document.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.urlPath.matches('^(/[A-Za-z0-9_~-]+)+$')").message("urlPath begins with a slash and does not end with one; each part has letters, digits, _ ~ - only: a path for SOAP has no parameters").field_path(".urlPath"))]
#[x_kube(validation = Rule::new("!self.urlPath.matches('(?i)^/(zato|zato-lb-alive|ide-deploy)(/|$)')").message("/zato, /zato-lb-alive, /ide-deploy and what is below them are Zato's own: choose another path").field_path(".urlPath"))]
pub struct SoapChannel {
    /// The path, without parameters.
    #[schemars(length(min = 1, max = 120))]
    pub url_path: String,
    /// The services that it calls. Default: all that the files of this `ZatoService` name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 200), inner(length(min = 1, max = 200)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub services: Vec<String>,
    /// Who may call: exactly one of `basicAuthSecretRef`, `apiKeySecretRef` and `none: {}`.
    pub security: Security,
    /// How many requests it answers. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

/// All services of a `ZatoService`, each at `/zato/api/invoke/<service>`.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DirectInvocation {
    /// Who may call: exactly one of `basicAuthSecretRef`, `apiKeySecretRef` and `none: {}`.
    pub security: Security,
    /// How many requests each service answers. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

/// A path for HTTP requests with JSON.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.urlPath.matches('^/[A-Za-z0-9_~-]+(/([A-Za-z0-9_~-]+|[{][A-Za-z_][A-Za-z0-9_]*[}]))*$')").message("urlPath begins with a slash and does not end with one; each part has letters, digits, _ ~ - only, or is one parameter such as {account_id}; the first part is no parameter").field_path(".urlPath"))]
#[x_kube(validation = Rule::new("!self.urlPath.matches('(?i)^/(zato|zato-lb-alive|ide-deploy)(/|$)')").message("/zato, /zato-lb-alive, /ide-deploy and what is below them are Zato's own: choose another path").field_path(".urlPath"))]
#[x_kube(validation = Rule::new("!has(self.cache) || self.methods == ['GET']").message("a cache is for channels whose only method is GET: give the other methods a channel of their own").field_path(".cache"))]
pub struct RestChannel {
    /// The service, one that the files of this `ZatoService` define.
    #[schemars(length(min = 1, max = 200))]
    pub service: String,
    /// The path. A part in braces is a parameter that the service gets as input, such as `/account/{account_id}`; the first
    /// part is none. Other parts have letters, digits, and `_ ~ -`.
    #[schemars(length(min = 1, max = 120))]
    pub url_path: String,
    /// The methods that it answers: GET, POST, PUT, PATCH, DELETE.
    #[schemars(length(min = 1, max = 5))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub methods: Vec<Method>,
    /// Who may call: exactly one of `basicAuthSecretRef`, `apiKeySecretRef` and `none: {}`.
    pub security: Security,
    /// How many requests it answers. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// How long answers are kept for others who ask the same. Default: each request is answered anew. For channels whose
    /// only method is GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
}

/// How long answers are kept, in the memory of each server. Who may call is checked before.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// No answer is older than that, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub seconds: i32,
}

/// How many requests a channel answers, all callers together; the others get status 429.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub requests: i32,
    /// In what time.
    pub per: TimeUnit,
}

/// A unit of time.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TimeUnit {
    Minute,
    Hour,
    Day,
}

/// A method of HTTP.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// Who may call: exactly one of the members.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.basicAuthSecretRef), has(self.apiKeySecretRef), has(self.none)].filter(given, given).size() == 1").message("exactly one of basicAuthSecretRef, apiKeySecretRef and none must be given; `none: {}` lets everybody call"))]
pub struct Security {
    /// Callers send a user name and a password: the keys `username` and `password` of a Secret with the label
    /// `zato.io/channel-credentials: "true"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_auth_secret_ref: Option<SecretReference>,
    /// Callers send a key in the header `X-API-Key`: the key `apiKey` of a Secret with the label
    /// `zato.io/channel-credentials: "true"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_secret_ref: Option<SecretReference>,
    /// Everybody may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none: Option<NoSecurity>,
}

/// Nothing: it is there or not.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoSecurity {}

/// A Secret of the same namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct SecretReference {
    /// The Secret's name.
    #[schemars(
        length(min = 1, max = 170),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,
}

/// An address of a service.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// The channel.
    pub channel: String,
    /// Where it answers, from inside the Kubernetes cluster.
    pub url: String,
    /// The methods that it answers; none: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// The service; none: several of this `ZatoService`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// Active, Pending or Failed.
    pub state: String,
    /// Why it is not active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
