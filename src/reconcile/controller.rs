//! Runs the two controllers until the process is told to stop.

use std::sync::Arc;

use futures::StreamExt;
use futures::channel::mpsc;
use futures::stream::Stream;
use kube::Client;
use kube::core::DeserializeGuard;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Config, Controller, controller, watcher};
use tokio_util::sync::CancellationToken;

use super::engine::{self, Context, Settings};
use super::kind::Kind;
use super::references::References;
use super::refusals::Refusals;
use super::waker::Wake;
use super::watches::{self, Scope};
use crate::git::poll::Permits;
use crate::k8s::labels;
use crate::telemetry::metrics::Metrics;

/// Objects that are reconciled at the same time.
const CONCURRENCY: u16 = 8;

/// Reconciles what is in a namespace (none: in all of them) until `stop`; running reconciles are finished. `permits` are those
/// of the process: namespaces share them.
pub async fn run(
    client: Client,
    namespace: Option<String>,
    settings: Settings,
    metrics: Metrics,
    permits: Arc<Permits>,
    stop: CancellationToken,
) {
    let (clusters, wake_clusters) = mpsc::unbounded();
    let (services, wake_services) = mpsc::unbounded();
    let (references, refusals) = (References::default(), Refusals::default());
    let scope = Scope::new(client.clone(), namespace);
    let wake = Wake { clusters, services };
    let watches = watches::start(&scope, &references, &refusals, &wake, permits);
    let reporter = Reporter {
        controller: labels::MANAGER.into(),
        instance: Some(settings.identity.clone()),
    };
    let recorder = Recorder::new(client.clone(), reporter);
    let stores = watches.stores.clone();
    let context = Arc::new(Context::new(
        client,
        recorder,
        stores.clone(),
        references,
        refusals,
        settings,
        metrics,
    ));
    // Children must be known before anything is decided: else what exists would be looked up one by one.
    tokio::select! {
        () = stores.ready() => {}
        () = stop.cancelled() => return,
    }
    tokio::join!(
        drive(
            watches.clusters,
            stores.clusters.clone(),
            wake_clusters,
            context.clone(),
            stop.clone()
        ),
        drive(
            watches.services,
            stores.services.clone(),
            wake_services,
            context,
            stop
        ),
    );
}

async fn drive<K: Kind>(
    changes: impl Stream<Item = Result<DeserializeGuard<K>, watcher::Error>> + Send + 'static,
    store: Store<DeserializeGuard<K>>,
    wake: impl Stream<Item = ObjectRef<DeserializeGuard<K>>> + Send + 'static,
    context: Arc<Context>,
    stop: CancellationToken,
) {
    Controller::for_stream(changes, store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(wake)
        .graceful_shutdown_on(async move { stop.cancelled().await })
        .run(engine::reconcile::<K>, engine::error_policy::<K>, context)
        .for_each(|result| async move {
            match result {
                Ok((object, _)) => tracing::debug!(%object, "reconciled"),
                // An object that was woken but does not exist (any more).
                Err(controller::Error::ObjectNotFound(_)) => {}
                Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "reconcile failed"),
            }
        })
        .await;
}
