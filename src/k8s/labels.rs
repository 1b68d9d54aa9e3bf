//! Labels of children, and back from labels to the cluster.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// The field manager of every write, and the value of the `managed-by` label.
pub const MANAGER: &str = "zato-operator";
/// The label that names the manager.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The label that names the cluster.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// The label that names the part of the cluster.
pub const COMPONENT: &str = "app.kubernetes.io/component";

/// The part that the agents read, and what they are.
pub const AGENT: &str = "agent";
/// OpenAPI documents.
pub const OPENAPI: &str = "openapi";
/// Revisions of services' files.
pub const REVISION: &str = "revision";
/// The component of what a pod mounts to call startup callables.
pub const STARTUP: &str = "startup";
/// The part with keys and passwords.
pub const CREDENTIALS: &str = "credentials";

/// The label with which the owner of a Secret lets channels of services use it: whoever writes services can read what
/// their server knows.
pub const CHANNEL_CREDENTIALS: &str = "zato.io/channel-credentials";

/// The label with which the owner of a Secret lets services use it for git: its key `url` says for which servers.
pub const GIT_CREDENTIALS: &str = "zato.io/git-credentials";

/// The selector of everything that the operator manages.
pub fn managed_selector() -> String {
    format!("{MANAGED_BY}={MANAGER}")
}

/// The annotation of a claim that says with which key its database was made.
pub const KEY_FINGERPRINT: &str = "zato.io/key-fingerprint";

/// The annotation of pods that says which version of the Secret with the database's user they have.
pub const DATABASE_USER: &str = "zato.io/database-user";

/// The annotation of a document that says which version it is.
pub const DOCUMENT_VERSION: &str = "zato.io/document-version";
/// The annotation of a document that says its hash.
pub const DOCUMENT_HASH: &str = "zato.io/document-hash";

/// The annotation of kept files that says which revision they are.
pub const REVISION_HASH: &str = "zato.io/revision";

/// The annotation of kept files that says from which commit they are.
pub const COMMIT: &str = "zato.io/commit";

/// Selects what others made.
pub fn others_selector() -> String {
    format!("{MANAGED_BY}!={MANAGER}")
}

/// The labels of one child.
pub fn child(cluster: &str, component: &str) -> BTreeMap<String, String> {
    let mut labels = selector(cluster, component);
    labels.insert("app.kubernetes.io/name".into(), "zato".into());
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    labels
}

/// What selects a component's pods, as objects have it that select pods.
pub fn label_selector(cluster: &str, component: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(selector(cluster, component)),
        ..LabelSelector::default()
    }
}

/// The labels that select a component's pods. They never change: a StatefulSet's selector is immutable.
pub fn selector(cluster: &str, component: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (INSTANCE.into(), cluster.into()),
        (COMPONENT.into(), component.into()),
    ])
}
