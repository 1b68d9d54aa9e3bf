//! WebSocket channels in an OpenAPI document, which has no word for them: an extension beside the paths.
//!
//! Pure. How clients log in and what surrounds their messages is Zato's protocol, and the same for all: it stands in the guide.

use serde::Serialize;
use serde_json::{Map, Value};

use super::model::{Channel, Service};
use super::operation::requirement;

/// Where clients connect whose messages all go to one service.
#[derive(Clone, Debug, Serialize)]
pub struct WebSocket {
    /// On each of the document's servers.
    urls: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    summary: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    /// The schema of a message's `data`. None: the source declares nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Map<String, Value>>,
    /// The schema of an answer's `data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Map<String, Value>>,
    /// What the first message must have; empty: anybody is let in.
    security: Vec<Map<String, Value>>,
    #[serde(rename = "x-zato-service")]
    service: String,
}

impl WebSocket {
    /// `channel`: its path begins with its port. `servers`: addresses of the document, of which the hosts count.
    pub fn new(
        channel: &Channel,
        service: &Service,
        servers: &[String],
        request: Option<Map<String, Value>>,
        response: Option<Map<String, Value>>,
    ) -> Self {
        let hosts = servers.iter().filter_map(|server| host(server));
        Self {
            urls: hosts.map(|host| format!("ws://{host}{}", channel.path)).collect(),
            summary: service.summary.clone(),
            description: service.description.clone(),
            request,
            response,
            security: channel.access.map(requirement).into_iter().collect(),
            service: service.name.clone(),
        }
    }
}

fn host(server: &str) -> Option<String> {
    let parsed: http::Uri = server.parse().ok()?;
    parsed.host().map(ToOwned::to_owned)
}
