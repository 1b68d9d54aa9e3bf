//! What the operator costs: requests, memory, time, each beside a raw client or its goal in the same run. No pods: an
//! API server alone, which `dev/bench.sh` starts with the other benchmarks.
//! Environment: COST_SERVER=folder of `alone.sh up` (default: target/cost), COST_IDLE=seconds (default: 300),
//! COST_TOUCH=seconds (default: 60), COST_ONLY=a,b of creation,scale,idle,latency,restart,memory (default: all).

// Figures for people: what a conversion loses is not seen in them.
#![allow(
    clippy::unwrap_used,
    dead_code,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::unchecked_time_subtraction,
    clippy::default_trait_access
)]

#[path = "cost/audit.rs"]
mod audit;
#[path = "cost/calm.rs"]
mod calm;
#[path = "cost/clusters.rs"]
mod clusters;
#[path = "cost/latency.rs"]
mod latency;
#[path = "../tests/support/process.rs"]
mod process;
#[path = "cost/raw.rs"]
mod raw;
#[path = "cost/scale.rs"]
mod scale;
#[path = "cost/server.rs"]
mod server;
#[path = "cost/table.rs"]
mod table;

use server::Server;
use table::Table;

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut server = Server::open().await;
    let mut table = Table::default();
    let only = std::env::var("COST_ONLY").unwrap_or_default();
    let wanted = |part: &str| only.is_empty() || only.split(',').any(|name| name == part);
    if wanted("creation") {
        calm::creation(&mut server, &mut table).await;
    }
    if wanted("scale") {
        scale::creation(&mut server, &mut table).await;
    }
    if wanted("idle") {
        calm::idle(&mut server, &mut table).await;
    }
    if wanted("latency") {
        latency::edits(&mut server, &mut table).await;
        latency::repairs(&mut server, &mut table).await;
    }
    if wanted("memory") {
        scale::many(&mut server, &mut table).await;
    }
    table.print();
}

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}
