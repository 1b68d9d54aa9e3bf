//! JSON lines on standard output; `RUST_LOG` selects.

use tracing_subscriber::EnvFilter;

/// What the client says of each failed request is in the error that it returns, too.
const DEFAULT: &str = "info,kube_client=off";

/// Starts logging. Called once, first.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .init();
}
