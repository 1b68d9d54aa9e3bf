//! Everything that is read for one cluster. The credentials are made here, once, because what follows needs them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::ApiResource;
use kube::{Api, Resource, ResourceExt};

use super::credentials::{self, Fingerprint, Kept};
use super::database;
use super::put_back;
use super::servers::Server;
use super::startup::{self, Contents};
use super::trouble::Trouble;
use crate::api::{PublishedDocument, ZatoCluster};
use crate::exchange::{INDEX_KEY, Index, IndexedService};
use crate::k8s::names;
use crate::reconcile::Error;
use crate::reconcile::child::Claim;
use crate::reconcile::engine::{Context, Settings};
use crate::service::check::{Checked, checked};
use crate::service::source::{self, Sourced};

/// What was read.
#[derive(Debug)]
pub struct Inputs {
    /// The operator's settings.
    pub settings: Settings,
    /// The fingerprint of the key.
    pub fingerprint: Fingerprint,
    /// The services that name this cluster with their files, the oldest first.
    pub services: Vec<Sourced>,
    /// What the servers were told last.
    pub previous: Previous,
    /// Whether the credentials Secret has the operator's labels. One without them is a user's own.
    pub is_secret_labelled: bool,
    /// The servers that are wanted or there, in their order.
    pub servers: Vec<Server>,
    /// Why the API server refuses their pods, if it does.
    pub refusal: Option<String>,
    /// The volume claim, if it exists.
    pub claim: Option<Claim>,
    /// The StatefulSet, if it exists.
    pub stateful_set: Option<StatefulSet>,
    /// The OpenAPI documents of all services, the oldest version first.
    pub documents: Vec<PublishedDocument>,
    /// The files of revisions that may have to be put back, by service.
    pub kept: BTreeMap<String, BTreeMap<String, String>>,
    /// The services whose deployed revision is kept: every server had it.
    pub proven: BTreeSet<String>,
    /// The database, if it is not a file.
    pub database: database::Found,
    /// The components of a Distributed cluster beside its servers.
    pub components: BTreeMap<&'static str, Component>,
    /// The ConfigMaps that startup callables name.
    pub callables: Contents,
    /// The ConfigMaps of ours that pods mount, or mounted, with callables.
    pub startups: Vec<String>,
}

/// What the servers were told last.
#[derive(Clone, Debug, Default)]
pub struct Previous {
    /// The index.
    pub index: Index,
    /// Contents by shard and file name. Empty when the index says all that is wanted: then nothing of it is needed.
    pub shards: BTreeMap<String, BTreeMap<String, String>>,
}

/// Reads all that `plan` needs.
pub async fn gather(cluster: &ZatoCluster, context: &Context) -> Result<Inputs, Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let name = cluster.name_any();
    let stores = &context.stores;
    let uid = cluster.uid().unwrap_or_default();
    let database = match &cluster.spec.database.postgresql {
        Some(_) => Kept::Outside {
            is_made: database::made_with(cluster).is_some(),
        },
        None => Kept::OnClaim,
    };
    let fingerprint = credentials::ensure(&namespace, &name, &uid, database, context).await?;
    let claim = stores.claim(&namespace, &names::data(&name));
    let secrets = ApiResource::erase::<Secret>(&());
    let services = source::read(&stores.services_of(&namespace, &name), context).await?;
    let mut callables = Contents::new();
    for reference in startup::config_maps(cluster) {
        let content = context
            .references
            .config_map(&context.client, &namespace, reference)
            .await?;
        callables.insert(reference.to_owned(), content);
    }
    let cached = stores.index(&namespace, &names::agent(&name)).unwrap_or_default();
    let servers = stores.servers(&namespace, &name, cluster.spec.replicas());
    let kept = kept(&namespace, &cached, &servers, context).await?;
    Ok(Inputs {
        is_secret_labelled: stores
            .child(&secrets, &namespace, &names::credentials(&name))
            .is_some(),
        refusal: refusal(&namespace, &name, &servers, context),
        claim,
        settings: context.settings.clone(),
        fingerprint,
        proven: proven(&namespace, &cached, context),
        previous: if kept.is_empty() && is_deployed(&services, &cached) {
            Previous {
                index: cached,
                shards: BTreeMap::new(),
            }
        } else {
            previous(&namespace, &name, context).await?
        },
        database: found(cluster, context).await?,
        components: components(cluster, context),
        stateful_set: stores.stateful_set(&namespace, &names::server(&name)),
        documents: stores.documents_of(&namespace, &cluster.controller_owner_ref(&()).unwrap_or_default()),
        kept,
        servers,
        startups: stores.startups_of(&namespace, &cluster.controller_owner_ref(&()).unwrap_or_default()),
        services,
        callables,
    })
}

async fn found(cluster: &ZatoCluster, context: &Context) -> Result<database::Found, Error> {
    let Some(address) = &cluster.spec.database.postgresql else {
        return Ok(database::Found::default());
    };
    let namespace = cluster.namespace().unwrap_or_default();
    let secret = &address.credentials_secret_ref.name;
    let references = &context.references;
    let owner = cluster.controller_owner_ref(&()).unwrap_or_default();
    Ok(database::Found {
        secret: references
            .database_secret(&context.client, &namespace, secret)
            .await?,
        job: context.stores.job_of(&namespace, &owner),
    })
}

fn components(cluster: &ZatoCluster, context: &Context) -> BTreeMap<&'static str, Component> {
    let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let stores = &context.stores;
    let (scheduler, dashboard) = (names::scheduler(&name), names::dashboard(&name));
    let load_balancer = names::load_balancer(&name);
    let wanted = cluster.spec.load_balancer.replicas;
    let component = |name: &str, has_pods: bool| Component {
        has_pods,
        trouble: stores.trouble(&namespace, name),
    };
    BTreeMap::from([
        (
            "scheduler",
            component(&scheduler, stores.is_set(&namespace, &scheduler)),
        ),
        (
            "dashboard",
            component(&dashboard, stores.is_deployed(&namespace, &dashboard, 1)),
        ),
        (
            "load balancer",
            component(
                &load_balancer,
                stores.is_deployed(&namespace, &load_balancer, wanted),
            ),
        ),
    ])
}

/// A component in pods of its own.
#[derive(Clone, Debug, Default)]
pub struct Component {
    /// Whether all its pods are there and work.
    pub has_pods: bool,
    /// What keeps one of them from running.
    pub trouble: Option<Trouble>,
}

/// Of the StatefulSet that is there now.
fn refusal(namespace: &str, cluster: &str, servers: &[Server], context: &Context) -> Option<String> {
    let resource = ApiResource::erase::<StatefulSet>(&());
    let owner = context
        .stores
        .child(&resource, namespace, &names::server(cluster))?;
    let has_pods = servers.iter().all(|server| server.pod.is_some());
    context.refusals.of(&owner.uid, has_pods)
}

/// Whether an index says exactly what the services want.
fn is_deployed(services: &[Sourced], index: &Index) -> bool {
    let wanted = checked(services, index);
    let is_current = |service: &Checked<'_>| match (&service.result, index.services.get(&service.name)) {
        (Ok(version), Some(deployed)) => {
            version.revision == deployed.revision
                && version.channels == deployed.channels
                && version.jobs == deployed.jobs
                && version.expected == deployed.expected
        }
        _ => false,
    };
    wanted.len() == index.services.len() && wanted.iter().all(is_current)
}

/// The files that every server had before those that one could not load. A revision that is kept was good once: it fails for
/// another reason, and an older one would be no cure.
async fn kept(
    namespace: &str,
    index: &Index,
    servers: &[Server],
    context: &Context,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, Error> {
    let mut found = BTreeMap::new();
    for (service, failed, good) in put_back::failed(index, servers) {
        if source::kept(namespace, service, failed, context).await?.is_some() {
            continue;
        }
        if let Some(files) = source::kept(namespace, service, good, context).await? {
            found.insert(service.to_owned(), files);
        }
    }
    Ok(found)
}

fn proven(namespace: &str, index: &Index, context: &Context) -> BTreeSet<String> {
    let services = index.services.iter();
    let is_kept = |(name, version): &(&String, &IndexedService)| {
        source::is_kept(namespace, name, &version.revision, context)
    };
    services.filter(is_kept).map(|(name, _)| name.clone()).collect()
}

/// From the API server: the cache may be behind our own last apply.
async fn previous(namespace: &str, cluster: &str, context: &Context) -> Result<Previous, Error> {
    let secrets = Api::<Secret>::namespaced(context.client.clone(), namespace);
    let shards = Api::<ConfigMap>::namespaced(context.client.clone(), namespace);
    let index: Index = secrets
        .get_opt(&names::agent(cluster))
        .await?
        .and_then(|secret| secret.data?.remove(INDEX_KEY))
        .and_then(|text| serde_json::from_slice(&text.0).ok())
        .unwrap_or_default();
    let mut contents = BTreeMap::new();
    for name in index.shards() {
        let shard = shards.get_opt(name).await?.and_then(|shard| shard.data);
        contents.insert(name.to_owned(), shard.unwrap_or_default());
    }
    Ok(Previous {
        shards: contents,
        index,
    })
}
