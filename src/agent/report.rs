//! The only writer of a report: the newest one, as soon as the API server takes it.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use tokio::sync::watch::Receiver;

use super::{Error, Identity};
use crate::exchange::{REPORT_KEY, Report};

/// After a refusal.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends every report that differs from the one before. Never ends by itself.
pub async fn send(
    client: Client,
    identity: &Identity,
    mut reports: Receiver<Option<Report>>,
) -> Result<(), Error> {
    let api = Api::<ConfigMap>::namespaced(client, &identity.namespace);
    let name = format!("{}-report", identity.pod);
    let params = PatchParams {
        field_manager: Some("zato-agent".into()),
        ..PatchParams::default()
    };
    while reports.changed().await.is_ok() {
        loop {
            let Some(report) = reports.borrow_and_update().clone() else {
                break;
            };
            let text = serde_json::to_string(&report).unwrap_or_default();
            let patch = serde_json::json!({"data": {REPORT_KEY: text}});
            let Err(error) = api.patch(&name, &params, &Patch::Merge(patch)).await else {
                break;
            };
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the report could not be written and is sent again"
            );
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}
