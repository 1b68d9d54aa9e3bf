//! Everything that is read for one cluster. The credentials are made here, once, because what follows needs them.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::ApiResource;
use kube::{Api, ResourceExt};

use super::credentials::{self, Fingerprint};
use super::trouble::Trouble;
use crate::api::{ZatoCluster, ZatoService};
use crate::exchange::{INDEX_KEY, Index, Report};
use crate::k8s::names;
use crate::reconcile::Error;
use crate::reconcile::engine::{Context, Settings};
use crate::service::plan::checked;

/// What was read.
#[derive(Debug)]
pub struct Inputs {
    /// The operator's settings.
    pub settings: Settings,
    /// The fingerprint of the key.
    pub fingerprint: Fingerprint,
    /// The services that name this cluster, the oldest first.
    pub services: Vec<ZatoService>,
    /// What the servers were told last; read only when a service is invalid, so that its old version can be kept.
    pub previous: Previous,
    /// Whether the credentials Secret has the operator's labels, and whether it has an owner. One without labels is a
    /// user's own.
    pub secret: (bool, bool),
    /// What keeps the first server's pod from running.
    pub trouble: Option<Trouble>,
    /// The StatefulSet, if it exists.
    pub stateful_set: Option<StatefulSet>,
    /// The report of the first server, if the running pod wrote one.
    pub report: Option<Report>,
}

/// What the servers were told last.
#[derive(Clone, Debug, Default)]
pub struct Previous {
    /// The index.
    pub index: Index,
    /// Contents by file name.
    pub files: BTreeMap<String, String>,
}

/// Reads all that `plan` needs.
pub async fn gather(cluster: &ZatoCluster, context: &Context) -> Result<Inputs, Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let name = cluster.name_any();
    let stores = &context.stores;
    let services = stores.services_of(&namespace, &name);
    let needs_previous = checked(&services).iter().any(|service| service.result.is_err());
    let pod = names::server_pod(&name, 0);
    let fingerprint =
        credentials::ensure(&namespace, &name, &cluster.uid().unwrap_or_default(), context).await?;
    let secret = stores.child(
        &ApiResource::erase::<Secret>(&()),
        &namespace,
        &names::credentials(&name),
    );
    Ok(Inputs {
        secret: (
            secret.is_some(),
            secret.is_some_and(|secret| secret.controller.is_some()),
        ),
        trouble: stores.trouble(&namespace, &pod),
        settings: context.settings.clone(),
        fingerprint,
        previous: if needs_previous {
            previous(&namespace, &name, context).await?
        } else {
            Previous::default()
        },
        stateful_set: stores.stateful_set(&namespace, &names::server(&name)),
        report: stores.report(&namespace, &names::report(&name, 0), &pod),
        services,
    })
}

async fn previous(namespace: &str, cluster: &str, context: &Context) -> Result<Previous, Error> {
    let secrets = Api::<Secret>::namespaced(context.client.clone(), namespace);
    let shards = Api::<ConfigMap>::namespaced(context.client.clone(), namespace);
    let index = secrets
        .get_opt(&names::agent(cluster))
        .await?
        .and_then(|secret| secret.data);
    let index = index
        .as_ref()
        .and_then(|data| data.get(INDEX_KEY))
        .map(|text| serde_json::from_slice(&text.0));
    let files = shards
        .get_opt(&names::code(cluster, 0))
        .await?
        .and_then(|shard| shard.data);
    Ok(Previous {
        index: index.and_then(Result::ok).unwrap_or_default(),
        files: files.unwrap_or_default(),
    })
}
