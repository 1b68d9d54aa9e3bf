//! `/healthz`: the process runs. `/readyz`: the API server has the custom resources, else which one is missing.
//! `/metrics`: see [`super::metrics`].

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::sync::watch;

use super::metrics::Metrics;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is missing; none: ready.
pub type Readiness = watch::Receiver<Option<String>>;

/// Serves until the process ends.
pub async fn serve(address: SocketAddr, readiness: Readiness, metrics: Metrics) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .with_state(Arc::new(readiness))
        .route(
            "/metrics",
            get(|| async move { ([(CONTENT_TYPE, OPEN_METRICS)], metrics.encode()) }),
        );
    axum::serve(tokio::net::TcpListener::bind(address).await?, router).await
}

async fn ready(State(readiness): State<Arc<Readiness>>) -> (StatusCode, String) {
    match readiness.borrow().clone() {
        None => (StatusCode::OK, "ok".into()),
        Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, missing),
    }
}
