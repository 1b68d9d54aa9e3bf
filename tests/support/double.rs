//! Plays kubelet and agent for the pod of cluster "c": it runs at once, and has every service as soon as it is told.

use futures::StreamExt;
use futures::stream::select_all;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::task::JoinHandle;
use zato_operator::exchange::{INDEX_KEY, Index, LoadState, Phase, REPORT_KEY, Report, ServiceReport};

use super::support::Namespace;

/// A double that plays. It ends when it is dropped.
pub struct Double(JoinHandle<()>);

impl Drop for Double {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What it looks at and writes.
struct Stage {
    pods: Api<Pod>,
    secrets: Api<Secret>,
    reports: Api<ConfigMap>,
}

impl Double {
    /// Plays in a namespace.
    pub fn start(space: &Namespace) -> Self {
        let stage = Stage {
            pods: space.api(),
            secrets: space.api(),
            reports: space.api(),
        };
        Self(tokio::spawn(stage.play()))
    }
}

impl Stage {
    async fn play(self) {
        let config = watcher::Config::default();
        let mut changes = select_all([
            watcher(self.pods.clone(), config.clone()).map(|_| ()).boxed(),
            watcher(self.secrets.clone(), config.clone()).map(|_| ()).boxed(),
            watcher(self.reports.clone(), config).map(|_| ()).boxed(),
        ]);
        while changes.next().await.is_some() {
            // What fails now was deleted, and the watch tells what follows.
            let _ = self.act().await;
        }
    }

    async fn act(&self) -> kube::Result<()> {
        let Some(pod) = self.pods.get_opt("c-server-0").await? else {
            return Ok(());
        };
        if pod.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        if pod.status.as_ref().and_then(|status| status.phase.as_deref()) != Some("Running") {
            self.run(&pod).await?;
        }
        self.report(&pod).await
    }

    async fn run(&self, pod: &Pod) -> kube::Result<()> {
        let conditions: Vec<_> = ["Ready", "ContainersReady", "Initialized", "PodScheduled"]
            .iter()
            .map(|kind| json!({"type": kind, "status": "True"}))
            .collect();
        let status = json!({"status": {"phase": "Running", "conditions": conditions}});
        self.pods
            .patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(status))
            .await
            .map(drop)
    }

    async fn report(&self, pod: &Pod) -> kube::Result<()> {
        let secret = self.secrets.get("c-agent").await?;
        let index = secret
            .data
            .and_then(|mut data| data.remove(INDEX_KEY))
            .unwrap_or_default();
        let index: Index = serde_json::from_slice(&index.0).unwrap_or_default();
        let loaded = |revision: String| ServiceReport {
            revision,
            state: LoadState::Loaded,
            error: None,
        };
        let report = Report {
            pod_uid: pod.uid().unwrap_or_default(),
            phase: Phase::Serving,
            index_revision: index.revision,
            error: None,
            services: index
                .services
                .into_iter()
                .map(|(name, service)| (name, loaded(service.revision)))
                .collect(),
        };
        let text = serde_json::to_string(&report).unwrap();
        let name = format!("{}-report", pod.name_any());
        let written = self.reports.get(&name).await?;
        if written
            .data
            .is_some_and(|data| data.get(REPORT_KEY) == Some(&text))
        {
            return Ok(());
        }
        let params = PatchParams {
            field_manager: Some("zato-agent".into()),
            ..PatchParams::default()
        };
        let patch = json!({"data": {REPORT_KEY: text}});
        self.reports
            .patch(&name, &params, &Patch::Merge(patch))
            .await
            .map(drop)
    }
}
