//! Channels in the index and in reports.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::short_hash;

/// A text that is never shown: not in logs, not in messages, not in a hash that somebody could try passwords on.
#[derive(Serialize, Deserialize, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("hidden")
    }
}

/// A channel in the index.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexedChannel {
    /// What kind of address it is.
    #[serde(skip_serializing_if = "ChannelKind::is_rest")]
    pub kind: ChannelKind,
    /// The service; empty: all that are invoked directly, or those of `services`.
    pub service: String,
    /// The services that a channel for SOAP calls; empty: all that the files name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<String>,
    /// The path, with parameters in braces.
    pub url_path: String,
    /// The methods that it answers; empty: all of them, or it is a WebSocket, which has none.
    pub methods: BTreeSet<String>,
    /// Who may call; none: everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security: Option<IndexedSecurity>,
    /// How many requests it answers, as Zato reads it; empty: all of them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rate_limit: String,
    /// For how many seconds an answer is good; 0: each request is answered anew.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_seconds: u32,
    /// Where WebSocket clients connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_socket: Option<IndexedWebSocket>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Where WebSocket clients connect, and how long they are given.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexedWebSocket {
    /// The port.
    pub port: u16,
    /// Seconds between two pings.
    pub ping_interval: u32,
    /// Seconds for which a token is good.
    pub token_seconds: u32,
}

/// What kind of address a channel is.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(from = "String")]
pub enum ChannelKind {
    /// A path of its own, for one service.
    #[default]
    Rest,
    /// Where Zato invokes services by their names, for all services of a `ZatoService`.
    DirectInvocation,
    /// A path for SOAP.
    Soap,
    /// A port and path of its own for WebSocket clients, for one service.
    WebSocket,
    /// One of a newer operator: an agent that does not know it makes none, and goes on with the others.
    Unknown,
}

impl From<String> for ChannelKind {
    fn from(text: String) -> Self {
        let known = [Self::Rest, Self::DirectInvocation, Self::Soap, Self::WebSocket];
        let mut known = known.into_iter();
        known
            .find(|kind| format!("{kind:?}") == text)
            .unwrap_or(Self::Unknown)
    }
}

impl ChannelKind {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_rest(&self) -> bool {
        *self == Self::Rest
    }
}

/// Who may call.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexedSecurity {
    /// What callers send.
    pub kind: SecurityKind,
    /// The Secret from which it comes.
    pub secret: String,
    /// The resource version of that Secret.
    pub version: String,
    /// The user name, of basic authentication.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// The password or the key.
    pub password: Hidden,
}

/// What callers send.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecurityKind {
    /// A user name and a password.
    #[default]
    BasicAuth,
    /// A key in a header.
    ApiKey,
}

impl IndexedChannel {
    /// Without secrets: their Secret's version stands for them.
    #[must_use]
    pub fn bare(&self) -> Self {
        let mut bare = self.clone();
        if let Some(security) = &mut bare.security {
            security.password = Hidden::default();
        }
        bare
    }

    /// By which a report says what it is about: 16 hexadecimal digits of a SHA-256.
    pub fn revision(&self) -> String {
        short_hash(serde_json::to_string(&self.bare()).unwrap_or_default().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise each of them would have another revision after an update of the operator.
    #[test]
    fn a_rest_channel_is_told_as_before_there_were_web_sockets() {
        let text = serde_json::to_string(&IndexedChannel::default()).unwrap();
        assert_eq!(text, r#"{"service":"","urlPath":"","methods":[]}"#);
    }

    /// One channel that an agent does not know must not keep it from all others.
    #[test]
    fn a_channel_of_a_newer_operator_is_read() {
        for kind in [
            ChannelKind::Rest,
            ChannelKind::DirectInvocation,
            ChannelKind::Soap,
            ChannelKind::WebSocket,
        ] {
            let text = serde_json::to_string(&kind).unwrap();
            assert_eq!(serde_json::from_str::<ChannelKind>(&text).unwrap(), kind);
        }
        let newer: IndexedChannel = serde_json::from_str(r#"{"kind": "Telepathy"}"#).unwrap();
        assert_eq!(newer.kind, ChannelKind::Unknown);
    }

    /// A report and a status are read by many; nobody may try passwords on what stands there.
    #[test]
    fn a_password_is_in_no_revision_and_no_log() {
        let with = |password: &str, version: &str| IndexedChannel {
            security: Some(IndexedSecurity {
                password: Hidden(password.into()),
                version: version.into(),
                ..IndexedSecurity::default()
            }),
            ..IndexedChannel::default()
        };
        assert_eq!(with("a", "1").revision(), with("b", "1").revision());
        assert_ne!(with("a", "1").revision(), with("a", "2").revision());
        assert!(!format!("{:?}", with("geheim", "1")).contains("geheim"));
        let text = serde_json::to_string(&with("geheim", "1")).unwrap();
        let read: IndexedChannel = serde_json::from_str(&text).unwrap();
        assert_eq!(read, with("geheim", "1"));
    }
}
