//! What the kubelet asks: may creation begin, may the server count as started?

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::get;

use super::Error;
use crate::cluster::desired::ports;

/// The answers.
#[derive(Default)]
pub struct State {
    /// Everything that is needed before creation is written.
    pub prepared: AtomicBool,
    /// The server answers, and every service is settled.
    pub open: AtomicBool,
}

/// Answers until the process ends. On all addresses: the kubelet comes from outside the pod.
pub async fn serve(state: Arc<State>) -> Result<(), Error> {
    let address = (
        Ipv4Addr::UNSPECIFIED,
        u16::try_from(ports::AGENT).unwrap_or_default(),
    );
    let to_error = |source| Error::File {
        path: format!("port {}", ports::AGENT),
        source,
    };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(to_error)?;
    let answer = |value: &AtomicBool| {
        if value.load(Ordering::Relaxed) {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let router = Router::new()
        .route(
            "/prepared",
            get(move |Shared(state): Shared<Arc<State>>| async move { answer(&state.prepared) }),
        )
        .route(
            "/gate",
            get(move |Shared(state): Shared<Arc<State>>| async move { answer(&state.open) }),
        )
        .with_state(state);
    axum::serve(listener, router).await.map_err(to_error)
}
