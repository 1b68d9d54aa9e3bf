//! JSON lines on standard output; `RUST_LOG` selects.

use tracing_subscriber::EnvFilter;

/// Starts logging. Called once, first.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .init();
}
