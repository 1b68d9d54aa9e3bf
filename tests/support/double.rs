//! Plays the kubelet for the pod of cluster "c", which runs at once, and the server in it, which loads whatever it is told.
//! What is said to the API server in between, and heard from it, is the agent's own code.

use std::convert::Infallible;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use zato_operator::agent::code::Wanted;
use zato_operator::agent::{Identity, report::send, watch::follow};
use zato_operator::exchange::{LoadState, Phase, Report, ServiceReport};

use super::support::Namespace;

const POD: &str = "c-server-0";

/// A double that plays. It ends when it is dropped.
pub struct Double(JoinHandle<()>);

impl Drop for Double {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Double {
    /// Plays in a namespace. The agent goes `way` to the API server, and is killed and started again with each `kill`.
    pub fn start(space: &Namespace, way: Client, kills: watch::Receiver<usize>) -> Self {
        Self(tokio::spawn(play(space.api(), way, kills)))
    }
}

async fn play(pods: Api<Pod>, way: Client, kills: watch::Receiver<usize>) {
    let mut changes = watcher(pods.clone(), watcher::Config::default()).boxed();
    let mut agent: Option<(String, Task)> = None;
    while changes.next().await.is_some() {
        // What fails now was deleted, and the watch tells what follows.
        let Some(pod) = pods.get_opt(POD).await.ok().flatten() else {
            agent = None;
            continue;
        };
        let uid = pod.uid().unwrap();
        let is_known = agent.as_ref().is_some_and(|(known, _)| *known == uid);
        if pod.metadata.deletion_timestamp.is_none() && !is_known && run(&pods).await.is_ok() {
            let identity = Identity {
                cluster: "c".into(),
                namespace: pod.namespace().unwrap(),
                pod: POD.into(),
                pod_uid: uid.clone(),
                components: vec![],
                database: None,
            };
            agent = Some((uid, Task::start(identity, way.clone(), kills.clone())));
        }
    }
}

async fn run(pods: &Api<Pod>) -> kube::Result<()> {
    let conditions: Vec<_> = ["Ready", "ContainersReady", "Initialized", "PodScheduled"]
        .iter()
        .map(|kind| json!({"type": kind, "status": "True"}))
        .collect();
    let status = json!({"status": {"phase": "Running", "conditions": conditions}});
    pods.patch_status(POD, &PatchParams::default(), &Patch::Merge(status))
        .await
        .map(drop)
}

/// The agent of one pod.
struct Task(JoinHandle<Infallible>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Task {
    fn start(identity: Identity, way: Client, mut kills: watch::Receiver<usize>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                kills.mark_unchanged();
                tokio::select! {
                    () = live(&identity, way.clone()) => unreachable!("an agent never ends by itself"),
                    Ok(()) = kills.changed() => {}
                }
            }
        }))
    }
}

async fn live(identity: &Identity, way: Client) {
    let (wanted, updates) = watch::channel(None);
    let (reports, outgoing) = watch::channel(None);
    let (followed, sent, ()) = tokio::join!(
        follow(way.clone(), identity, wanted),
        send(way, identity, outgoing),
        load(identity, updates, reports),
    );
    followed.unwrap();
    sent.unwrap();
}

/// A server that has everything as soon as it is told.
async fn load(
    identity: &Identity,
    mut updates: watch::Receiver<Option<Wanted>>,
    reports: watch::Sender<Option<Report>>,
) {
    while updates.changed().await.is_ok() {
        let wanted = updates.borrow_and_update().clone();
        reports.send_replace(wanted.map(|wanted| report(identity, wanted)));
    }
}

fn report(identity: &Identity, wanted: Wanted) -> Report {
    let loaded = |revision| ServiceReport {
        revision,
        state: LoadState::Loaded,
        error: None,
        ..ServiceReport::default()
    };
    Report {
        pod_uid: identity.pod_uid.clone(),
        phase: Phase::Serving,
        index_revision: wanted.index.revision,
        services: wanted
            .index
            .services
            .into_iter()
            .map(|(name, service)| (name, loaded(service.revision)))
            .collect(),
        ..Report::default()
    }
}
