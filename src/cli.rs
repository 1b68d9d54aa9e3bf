//! The subcommands: one binary, several roles.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, Request};
use clap::{Parser, Subcommand};
use kube::CustomResourceExt;
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ClientBuilder};
use prometheus_client::metrics::gauge::Gauge;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tower::buffer::BufferLayer;
use tower::filter::FilterLayer;
use tower::retry::RetryLayer;

use crate::api::{ZatoCluster, ZatoService};
use crate::git::poll::Permits;
use crate::k8s::labels;
use crate::k8s::lease::{self, Leadership, Lease};
use crate::openapi::command::Apispec;
use crate::reconcile::engine::Settings;
use crate::service::git::Allowed;
use crate::sso::Sso;
use crate::telemetry::metrics::{self, Metrics};
use crate::telemetry::{health, logging, served};
use crate::{agent, check, reconcile};

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
    /// Tell what an installed operator lacks: custom resources, rights, a leader. `helm test` runs it.
    Check(Check),
    /// Print the `CustomResourceDefinition`s as YAML.
    Crds,
    /// Write an OpenAPI document of the services in Python files. Needs no cluster.
    #[command(disable_version_flag = true)]
    Apispec(Box<Apispec>),
    /// Dump and restore single sign-on data. Needs no cluster.
    #[command(subcommand)]
    Sso(Box<Sso>),
}

#[derive(clap::Args, Debug)]
struct Operator {
    /// The Zato image of clusters that name none.
    #[arg(long, env = "DEFAULT_ZATO_IMAGE", default_value = "")]
    default_zato_image: String,
    /// The operator's own image, which agents run.
    #[arg(long, env = "OPERATOR_IMAGE")]
    image: String,
    /// Look after these namespaces only. Default: all.
    #[arg(long, env = "WATCH_NAMESPACES", value_delimiter = ',')]
    watch_namespaces: Vec<String>,
    /// Ask git servers for code.
    #[arg(long, env = "GIT_ENABLED", default_value_t = true, action = clap::ArgAction::Set)]
    git_enabled: bool,
    /// Ask these git servers only, by host; `*.example.com`: each one below example.com. Default: all.
    #[arg(long, env = "GIT_ALLOWED_HOSTS", value_delimiter = ',')]
    git_allowed_hosts: Vec<String>,
    /// Where the Lease is by which one of several operators leads.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    namespace: String,
    /// Who this operator is in the Lease.
    #[arg(long, env = "POD_NAME")]
    identity: String,
    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, env = "HEALTH_ADDRESS", default_value = "0.0.0.0:8080")]
    health_address: SocketAddr,
}

#[derive(clap::Args, Debug)]
struct Check {
    /// The namespaces that the operator looks after. Default: all.
    #[arg(long, env = "WATCH_NAMESPACES", value_delimiter = ',')]
    watch_namespaces: Vec<String>,
    /// Where its Lease is.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    namespace: String,
}

#[derive(Subcommand, Debug, Clone, Copy)]
enum Agent {
    /// The sidecar of a server.
    Run,
    /// The init container after Zato's commands, before its components.
    Harden,
    /// The init container before Zato's commands, where there is no sidecar.
    Prepare,
    /// The database's Job, after Zato's commands.
    Database,
}

impl Agent {
    /// Until it ends. Why it failed is told in the pod's status, too.
    async fn run(self, stop: CancellationToken) -> Result<(), Failure> {
        let work = async {
            match self {
                Self::Run => agent::run(stop.clone()).await,
                Self::Harden => agent::harden::run().await,
                Self::Prepare => agent::prepare::prepare().await,
                Self::Database => agent::prepare::settle().await,
            }
        };
        work.await.map_err(|error| {
            agent::termination::tell(&error);
            error.into()
        })
    }
}

type Failure = Box<dyn std::error::Error>;

/// How long running reconciles may go on after SIGTERM.
const ENDING: Duration = Duration::from_secs(5);

impl Cli {
    /// Runs the role until it ends.
    pub fn run(self) -> ExitCode {
        if matches!(self.role, Role::Crds) {
            return print(&crds());
        }
        if let Role::Apispec(apispec) = &self.role {
            return if apispec.run() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
        }
        let role = match self.role {
            Role::Sso(sso) => return sso.run(),
            role => role,
        };
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
            match role {
                Role::Operator(operator) => Box::pin(operate(operator, stop)).await,
                Role::Agent(agent) => Box::pin(agent.run(stop)).await,
                Role::Check(check) => tell_missing(check).await,
                Role::Crds | Role::Apispec(_) | Role::Sso(_) => Ok(()),
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

async fn tell_missing(check: Check) -> Result<(), Failure> {
    let client = client(config().await?, || true, &Metrics::default())?;
    let missing = check::missing(&client, &check.namespace, &scopes(check.watch_namespaces)).await?;
    if missing.is_empty() {
        print("the operator has what it needs\n");
        return Ok(());
    }
    print(&(missing.join("\n") + "\n"));
    Err(format!("{} things are missing", missing.len()).into())
}

async fn operate(operator: Operator, stop: CancellationToken) -> Result<(), Failure> {
    let config = config().await?;
    let metrics = Metrics::default();
    let client = client(config.clone(), || true, &metrics)?;
    let (ready, readiness) = tokio::sync::watch::channel(Some("starting".to_owned()));
    let serving = tokio::spawn(health::serve(operator.health_address, readiness, metrics.clone()));
    tokio::select! {
        // Leads, or waits for its turn, until it is told to stop.
        ended = lead(operator, config, client, &ready, metrics, stop) => ended,
        // Without its health the operator would be restarted sooner or later, without a reason in its log.
        served = serving => Err(served.map_or_else(Failure::from, |result| result.err().map_or_else(|| "health ended".into(), Failure::from))),
    }
}

async fn lead(
    operator: Operator,
    config: kube::Config,
    client: kube::Client,
    ready: &tokio::sync::watch::Sender<Option<String>>,
    metrics: Metrics,
    stop: CancellationToken,
) -> Result<(), Failure> {
    while let Some(missing) = served::missing(&client).await {
        tracing::warn!(missing, "not ready");
        ready.send_replace(Some(missing));
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
    // Also while another one leads: it could lead at any moment.
    ready.send_replace(None);
    let identity = operator.identity;
    let lease = Lease::new(client, &operator.namespace, labels::MANAGER, identity.clone());
    let held = tokio::select! {
        held = lease.acquire() => held,
        () = stop.cancelled() => return Ok(()),
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "leads");
    let settings = Settings {
        zato_image: operator.default_zato_image,
        agent_image: operator.image,
        identity,
        git: Allowed::of(operator.git_enabled, operator.git_allowed_hosts),
    };
    let leadership = lease.leadership();
    let may_write = leadership.clone();
    let client = self::client(config, move || may_write.is_held(), &metrics)?;
    let is_leader = metrics.is_leader.clone();
    let permits = Arc::new(Permits::default());
    let work = scopes(operator.watch_namespaces).into_iter().map(|namespace| {
        reconcile::controller::run(
            client.clone(),
            namespace,
            settings.clone(),
            metrics.clone(),
            permits.clone(),
            stop.clone(),
        )
    });
    tokio::select! {
        _ = futures::future::join_all(work) => {}
        // Every step can be interrupted; what runs gets a moment.
        () = async { stop.cancelled().await; tokio::time::sleep(ENDING).await } => {}
        // Another one leads. A process that starts anew is simpler to be sure of than one that stops all it does.
        () = lease.hold(held) => return Err("the lease is lost".into()),
        () = show(leadership, is_leader) => {}
    }
    lease.release().await;
    Ok(())
}

/// What is looked after; none: every namespace.
fn scopes(mut namespaces: Vec<String>) -> Vec<Option<String>> {
    namespaces.retain(|namespace| !namespace.is_empty());
    namespaces.sort();
    namespaces.dedup();
    if namespaces.is_empty() {
        return vec![None];
    }
    namespaces.into_iter().map(Some).collect()
}

/// Keeps the metric up to date: leadership is over by itself when the API server does not answer. Never ends.
async fn show(leadership: Leadership, is_leader: Gauge) {
    loop {
        is_leader.set(leadership.is_held().into());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A configuration that neither waits nor repeats for minutes, as the default one does.
async fn config() -> Result<kube::Config, Failure> {
    let mut config = kube::Config::infer().await?;
    config.connect_timeout = Some(lease::CONNECTING);
    config.default_retry = false;
    Ok(config)
}

/// A client that counts, and refuses to write when the lease is over, whoever asks and however often it repeats.
fn client(
    config: kube::Config,
    may_write: impl Fn() -> bool + Clone + Send + 'static,
    metrics: &Metrics,
) -> Result<kube::Client, Failure> {
    let requests = metrics.requests.clone();
    let guard = FilterLayer::new(move |request: Request<Body>| {
        admit(request.method(), may_write())?;
        let method = request.method().to_string();
        requests.get_or_create(&metrics::Method { method }).inc();
        Ok::<_, Refused>(request)
    });
    let retry = RetryPolicy::new(Duration::from_millis(100), Duration::from_secs(5), 4, true)?;
    Ok(ClientBuilder::try_from(config)?
        // Below the repetition: each attempt is asked for.
        .with_layer(&guard)
        .with_layer(&BufferLayer::new(1024))
        .with_layer(&RetryLayer::new(retry))
        .build())
}

/// A write of an operator that does not lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease is over: nothing is written")]
struct Refused;

fn admit(method: &Method, may_write: bool) -> Result<(), Refused> {
    if may_write || method == Method::GET {
        Ok(())
    } else {
        Err(Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_namespaces_all_are_looked_after() {
        let of = |names: &[&str]| scopes(names.iter().map(|&name| name.into()).collect());
        assert_eq!(of(&[""]), [None]);
        assert_eq!(of(&["b", "a", "b"]), [Some("a".into()), Some("b".into())]);
    }

    #[test]
    fn without_the_lease_nothing_is_written() {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(
                (admit(&method, false), admit(&method, true)),
                (Err(Refused), Ok(()))
            );
        }
        assert_eq!(admit(&Method::GET, false), Ok(()));
    }
}
