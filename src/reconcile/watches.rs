//! What the operator watches. The only watches of it start here: one for each kind.
//!
//! Children are read in full, because what they have of our last apply is compared, and reduced to a [`Child`] at once.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ApiResource;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch::Sender;

use super::cache::Cache;
use super::child::{Child, Full};
use super::references::{self, References};
use super::refusals::{self, Refusals};
use super::stores::{Guarded, Stores, child_kinds};
use super::waker::{self, Wake, Waker};
use crate::api::{ZatoCluster, ZatoService};
use crate::git::memory::Git;
use crate::git::poll::{self, Permits};
use crate::k8s::labels;

/// Objects of one answer to a list: they are read in full, and only one page of them is in memory.
const PAGE: u32 = 100;

/// Where the operator looks.
#[derive(Clone)]
pub struct Scope {
    client: Client,
    /// None: everywhere.
    namespace: Option<String>,
}

impl Scope {
    /// One namespace, or all of them.
    pub fn new(client: Client, namespace: Option<String>) -> Self {
        Self { client, namespace }
    }

    /// The objects of a kind.
    pub fn of<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    fn dynamic(&self, resource: &ApiResource) -> Api<Full> {
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        }
    }
}

/// What [`start`] returns: the caches, and the streams that drive the two controllers.
pub struct Watches<C, S> {
    /// The caches.
    pub stores: Stores,
    /// Changes of clusters.
    pub clusters: C,
    /// Changes of services.
    pub services: S,
}

/// Starts all watches. Those of children run as tasks until the process ends.
pub fn start(
    scope: &Scope,
    references: &References,
    refusals: &Refusals,
    wake: &Wake,
    permits: Arc<Permits>,
) -> Watches<
    impl Stream<Item = Result<Guarded<ZatoCluster>, watcher::Error>> + use<>,
    impl Stream<Item = Result<Guarded<ZatoService>, watcher::Error>> + use<>,
> {
    let (clusters, cluster_writer) = reflector::store();
    let (services, service_writer) = reflector::store();
    let (clusters_listed, services_listed) = (Sender::new(false), Sender::new(false));
    let listed = [clusters_listed.subscribe(), services_listed.subscribe()];
    let waker = Waker::new(wake.clone(), clusters.clone(), services.clone());
    let git = Git::default();
    let of_references = references::follow(scope.clone(), references.clone(), waker.clone());
    tokio::spawn(of_references);
    tokio::spawn(refusals::follow(scope.clone(), refusals.clone(), waker.clone()));
    tokio::spawn(poll::follow(
        git.clone(),
        services.clone(),
        waker.clone(),
        permits,
    ));
    let stores = Stores {
        clusters,
        services,
        children: watch_children(scope, &waker),
        git,
        listed,
    };
    let (of_clusters, of_services) = (waker.clone(), waker.clone());
    let clusters = changes(scope, cluster_writer, &waker, clusters_listed).inspect(move |change| {
        if let Ok(cluster) = change {
            of_clusters.services(&cluster.namespace().unwrap_or_default(), &cluster.name_any());
        }
    });
    let services = changes(scope, service_writer, &waker, services_listed).inspect(move |change| {
        if let Ok(DeserializeGuard(Ok(service))) = change {
            let namespace = service.namespace().unwrap_or_default();
            of_services.cluster(&namespace, &service.spec.cluster_ref.name);
        }
    });
    Watches {
        stores,
        clusters,
        services,
    }
}

/// The caches of children, filled by tasks.
fn watch_children(scope: &Scope, waker: &Waker) -> HashMap<String, Arc<Cache>> {
    let mut children = HashMap::new();
    for resource in child_kinds().into_iter().chain([ApiResource::erase::<Pod>(&())]) {
        let api = scope.dynamic(&resource);
        let selected = watcher::Config::default()
            .labels(&labels::managed_selector())
            .page_size(PAGE);
        let cache = Arc::new(Cache::default());
        children.insert(resource.kind.clone(), cache.clone());
        let reduced = watcher(api, selected).map_ok(move |event| reduce(event, &resource.kind));
        tokio::spawn(waker::tell(reduced.default_backoff(), cache, waker.clone()));
    }
    children
}

fn reduce(event: Event<Full>, kind: &str) -> Event<Child> {
    match event {
        Event::Apply(object) => Event::Apply(Child::reduce(object, kind)),
        Event::Delete(object) => Event::Delete(Child::reduce(object, kind)),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(Child::reduce(object, kind)),
        Event::InitDone => Event::InitDone,
    }
}

/// Changes of a kind that users write, after its cache has them.
fn changes<K>(
    scope: &Scope,
    cache: Writer<Guarded<K>>,
    waker: &Waker,
    listed: Sender<bool>,
) -> impl Stream<Item = Result<Guarded<K>, watcher::Error>> + use<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    let again = waker.clone();
    // Who set which field is never asked, and is larger than the rest.
    let config = watcher::Config::default().page_size(PAGE);
    watcher(scope.of::<Guarded<K>>(), config)
        .modify(|object| object.meta_mut().managed_fields = None)
        .default_backoff()
        .reflect(cache)
        .inspect(move |event| again.after_list(event, || listed.send_replace(true)))
        .touched_objects()
}
