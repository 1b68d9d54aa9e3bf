//! Pure: what a spec wants of a WebSocket channel.

use super::Problem;
use crate::api::channels::{Security, WebSocketChannel};
use crate::exchange::{ChannelKind, IndexedChannel, IndexedWebSocket};

/// What a spec wants, but for who may call, and what it says of that.
pub(super) fn wanted(channel: &WebSocketChannel) -> (IndexedChannel, Result<&Security, Problem>) {
    // The schema has the bounds.
    let web_socket = IndexedWebSocket {
        port: channel.port.try_into().unwrap_or_default(),
        ping_interval: channel.ping_interval_seconds.try_into().unwrap_or_default(),
        token_seconds: channel.token_seconds.try_into().unwrap_or_default(),
    };
    let wanted = IndexedChannel {
        kind: ChannelKind::WebSocket,
        service: channel.service.clone(),
        url_path: channel.path.clone(),
        web_socket: Some(web_socket),
        ..IndexedChannel::default()
    };
    let security = &channel.security;
    if security.api_key_secret_ref.is_some() {
        let why = "Zato gives nobody a session on a WebSocket that an API key closes: use basicAuthSecretRef";
        return (wanted, Err(Problem::Invalid(why.into())));
    }
    (wanted, Ok(security))
}
