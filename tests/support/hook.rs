//! A webhook that is asked about new Services of one namespace.

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use super::{Namespace, client};

/// Registers a webhook `refuses.example.com` behind a client configuration, and waits until it refuses.
pub async fn register(space: &Namespace, client_config: Value) {
    let hook = serde_json::from_value(json!({
        "metadata": {"name": space.name()},
        "webhooks": [{
            "name": "refuses.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
            "clientConfig": client_config, "timeoutSeconds": 1,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name()}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["services"], "operations": ["CREATE"]}],
        }],
    }));
    hooks()
        .await
        .create(&PostParams::default(), &hook.unwrap())
        .await
        .unwrap();
    let probe = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "probe"}, "spec": {"ports": [{"port": 1}]}});
    space
        .until("the webhook counts", || async {
            let is_refused = space.create::<Service>(&probe).await.is_err();
            if !is_refused {
                space.remove::<Service>("probe").await;
            }
            is_refused
        })
        .await;
}

/// Takes it away again.
pub async fn remove(space: &Namespace) {
    let params = DeleteParams::default();
    hooks().await.delete(space.name(), &params).await.unwrap();
}

async fn hooks() -> Api<ValidatingWebhookConfiguration> {
    Api::all(client().await)
}
