//! The subcommands: one binary, several roles.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use kube::CustomResourceExt;
use kube::client::ClientBuilder;
use kube::client::retry::RetryPolicy;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;

use crate::api::{ZatoCluster, ZatoService};
use crate::reconcile::engine::Settings;
use crate::telemetry::{health, logging};
use crate::{agent, reconcile};

/// Runs Zato integration clusters on Kubernetes.
#[derive(Parser, Debug)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand, Debug)]
enum Role {
    /// Reconcile `ZatoCluster` and `ZatoService` objects.
    Operator(Operator),
    /// What runs inside the pods of a cluster.
    #[command(subcommand)]
    Agent(Agent),
    /// Print the `CustomResourceDefinition`s as YAML.
    Crds,
}

#[derive(clap::Args, Debug)]
struct Operator {
    /// The Zato image of clusters that name none.
    #[arg(long, env = "DEFAULT_ZATO_IMAGE", default_value = "")]
    default_zato_image: String,
    /// The operator's own image, which agents run.
    #[arg(long, env = "OPERATOR_IMAGE")]
    image: String,
    /// Where /healthz and /readyz are served.
    #[arg(long, env = "HEALTH_ADDRESS", default_value = "0.0.0.0:8080")]
    health_address: SocketAddr,
}

#[derive(Subcommand, Debug, Clone, Copy)]
enum Agent {
    /// The sidecar of a server.
    Run,
    /// The init container before a server.
    Harden,
}

type Failure = Box<dyn std::error::Error>;

impl Cli {
    /// Runs the role until it ends.
    pub fn run(self) -> ExitCode {
        if matches!(self.role, Role::Crds) {
            return print(&crds());
        }
        logging::start();
        let runtime = match tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return fail(&error),
        };
        let stop = CancellationToken::new();
        let result = runtime.block_on(async {
            stop_on_signal(stop.clone())?;
            match self.role {
                Role::Operator(operator) => operate(operator, stop).await,
                Role::Agent(Agent::Run) => agent::run(stop).await.map_err(Failure::from),
                Role::Agent(Agent::Harden) => agent::harden::run().map_err(Failure::from),
                Role::Crds => Ok(()),
            }
        });
        result.map_or_else(|error| fail(&*error), |()| ExitCode::SUCCESS)
    }
}

fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    tracing::error!(error, "ended");
    ExitCode::FAILURE
}

fn print(text: &str) -> ExitCode {
    use std::io::Write;
    // A closed pipe (`| head`) is not worth a panic.
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// All `CustomResourceDefinition`s, one YAML document each.
pub fn crds() -> String {
    [ZatoCluster::crd(), ZatoService::crd()]
        .iter()
        .filter_map(|crd| serde_saphyr::to_string(crd).ok())
        .map(|text| format!("---\n{text}"))
        .collect()
}

/// SIGTERM and SIGINT, also as the first process of a container, which has no default for them.
fn stop_on_signal(stop: CancellationToken) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        stop.cancel();
    });
    Ok(())
}

async fn operate(operator: Operator, stop: CancellationToken) -> Result<(), Failure> {
    let client = client().await?;
    let (ready, readiness) = tokio::sync::watch::channel(Some("starting".to_owned()));
    let serving = tokio::spawn(health::serve(operator.health_address, readiness));
    let settings = Settings {
        zato_image: operator.default_zato_image,
        agent_image: operator.image,
    };
    while let Some(missing) = health::missing(&client).await {
        tracing::warn!(missing, "not ready");
        ready.send_replace(Some(missing));
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
    ready.send_replace(None);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "started");
    tokio::select! {
        () = reconcile::controller::run(client, settings, stop) => Ok(()),
        // Without its health the operator would be restarted sooner or later, without a reason in its log.
        served = serving => Err(served.map_or_else(Failure::from, |result| result.err().map_or_else(|| "health ended".into(), Failure::from))),
    }
}

/// A client that gives up in seconds: the default one repeats a refused request for many minutes.
async fn client() -> Result<kube::Client, Failure> {
    let mut config = kube::Config::infer().await?;
    config.connect_timeout = Some(Duration::from_secs(10));
    config.default_retry = false;
    let retry = RetryPolicy::new(Duration::from_millis(100), Duration::from_secs(5), 4, true)?;
    Ok(ClientBuilder::try_from(config)?
        .with_layer(&BufferLayer::new(1024))
        .with_layer(&RetryLayer::new(retry))
        .build())
}
