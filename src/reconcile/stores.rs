//! What the operator watches, and the caches of it. The only watches of the operator start here: one for each kind.
//!
//! Children are read in full, because what they have of our last apply is compared, and reduced to a [`Child`] at once.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ApiResource;
use kube::core::{DeserializeGuard, ObjectMeta};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch::{Receiver, Sender};

use super::cache::Cache;
use super::child::{Child, Claim, Content, Full, JobState, PodState};
use super::references::{self, References};
use super::refusals::{self, Refusals};
use super::waker::{self, Wake, Waker, services_of};
use crate::api::{KeptRevision, PublishedDocument, ZatoCluster, ZatoService};
use crate::cluster::servers::Server;
use crate::cluster::trouble::Trouble;
use crate::exchange::{Index, Report};
use crate::git::memory::Git;
use crate::git::poll::{self, Permits};
use crate::k8s::{labels, names};

/// Objects of one answer to a list: they are read in full, and only one page of them is in memory.
const PAGE: u32 = 100;

/// An object that may not parse.
pub type Guarded<K> = DeserializeGuard<K>;

/// The kinds of children, which the operator applies, watches and prunes.
pub fn child_kinds() -> Vec<ApiResource> {
    vec![
        ApiResource::erase::<Secret>(&()),
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<ServiceAccount>(&()),
        ApiResource::erase::<Role>(&()),
        ApiResource::erase::<RoleBinding>(&()),
        ApiResource::erase::<PersistentVolumeClaim>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<StatefulSet>(&()),
        ApiResource::erase::<Deployment>(&()),
        ApiResource::erase::<Job>(&()),
    ]
}

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

/// The caches.
#[derive(Clone)]
pub struct Stores {
    /// All clusters.
    pub clusters: Store<Guarded<ZatoCluster>>,
    /// All services.
    pub services: Store<Guarded<ZatoService>>,
    children: HashMap<String, Arc<Cache>>,
    /// What git servers said.
    pub git: Git,
    /// Whether clusters and services were listed. `Store::wait_until_ready` wakes one of several that wait, no more.
    listed: [Receiver<bool>; 2],
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

impl Stores {
    /// The services that name a cluster, the oldest first.
    pub fn services_of(&self, namespace: &str, cluster: &str) -> Vec<ZatoService> {
        let mut found = services_of(&self.services, namespace, cluster);
        found.retain(|service| service.metadata.deletion_timestamp.is_none());
        found.sort_by_key(|s| (s.metadata.creation_timestamp.as_ref().map(|t| t.0), s.name_any()));
        found
    }

    /// A cluster.
    pub fn cluster(&self, namespace: &str, name: &str) -> Option<ZatoCluster> {
        let found = self.clusters.get(&ObjectRef::new(name).within(namespace))?;
        found
            .0
            .as_ref()
            .ok()
            .filter(|c| c.metadata.deletion_timestamp.is_none())
            .cloned()
    }

    /// A StatefulSet: generation and status.
    pub fn stateful_set(&self, namespace: &str, name: &str) -> Option<StatefulSet> {
        let found = self.child(&ApiResource::erase::<StatefulSet>(&()), namespace, name)?;
        let Content::StatefulSet(generation, status) = found.content else {
            return None;
        };
        Some(StatefulSet {
            metadata: ObjectMeta {
                generation,
                ..ObjectMeta::default()
            },
            spec: None,
            status: status.map(|status| *status),
        })
    }

    /// The servers of a cluster, in their order: as many as are wanted, and those that are there still.
    pub fn servers(&self, namespace: &str, cluster: &str, wanted: usize) -> Vec<Server> {
        let set = self.stateful_set(namespace, &names::server(cluster));
        let there = set.and_then(|set| set.status).map_or(0, |status| status.replicas);
        let count = wanted.max(usize::try_from(there).unwrap_or_default());
        // The first one is told of even where none is wanted.
        let all = 0..count.max(1);
        let known = |ordinal| {
            let server = Server::of(cluster, ordinal);
            Server {
                pod: self.pod(namespace, &server.name),
                report: self.report(namespace, &names::report(cluster, ordinal), &server.name),
                ..server
            }
        };
        all.map(known).collect()
    }

    /// Whether a Deployment has the pods that are wanted.
    pub fn is_deployed(&self, namespace: &str, name: &str, wanted: i32) -> bool {
        let found = self.child(&ApiResource::erase::<Deployment>(&()), namespace, name);
        let Some(Content::Deployment(generation, Some(status))) = found.map(|found| found.content) else {
            return false;
        };
        let has = |count: Option<i32>| count.unwrap_or_default() >= wanted;
        status.observed_generation >= generation
            && has(status.updated_replicas)
            && has(status.available_replicas)
    }

    /// What keeps a pod from running whose name begins so.
    pub fn trouble(&self, namespace: &str, name: &str) -> Option<Trouble> {
        let pods = self
            .children
            .get("Pod")?
            .beginning_with(namespace, &format!("{name}-"));
        pods.iter().find_map(|pod| match &pod.content {
            Content::Pod(pod) if !pod.is_deleted => pod.trouble.clone(),
            _ => None,
        })
    }

    /// Whether a StatefulSet has all the pods that it is to have.
    pub fn is_set(&self, namespace: &str, name: &str) -> bool {
        let found = self.stateful_set(namespace, name);
        let generation = found.as_ref().and_then(|set| set.metadata.generation);
        let Some(status) = found.and_then(|set| set.status) else {
            return false;
        };
        let has = |count: Option<i32>| count.unwrap_or_default() >= status.replicas;
        status.observed_generation >= generation
            && status.replicas > 0
            && has(status.updated_replicas)
            && has(status.ready_replicas)
    }

    /// The Job of an owner, and what its newest pod said that failed. While one follows another there may be two: one that
    /// is not done counts.
    pub fn job_of(&self, namespace: &str, owner: &OwnerReference) -> Option<(JobState, Option<String>)> {
        let jobs = self.children.get("Job")?.beginning_with(namespace, &owner.name);
        let owned = |child: &&Arc<Child>| child.controller.as_ref() == Some(&owner.uid) && !child.is_deleted;
        let state = |child: &Arc<Child>| match &child.content {
            Content::Job(state) => Some(state.clone()),
            _ => None,
        };
        let mut found: Vec<_> = jobs.iter().filter(owned).filter_map(state).collect();
        found.sort_by_key(|state| state.is_complete);
        let state = found.into_iter().next()?;
        let pods = self.children.get("Pod")?.beginning_with(namespace, &state.name);
        let said = pods.iter().filter_map(|pod| match &pod.content {
            Content::Pod(pod) => pod.said.clone(),
            _ => None,
        });
        Some((state, said.max().map(|(_, words)| words)))
    }

    /// A report, if the pod that wrote it is the one that runs.
    pub fn report(&self, namespace: &str, name: &str, pod: &str) -> Option<Report> {
        let Content::Report(report) = self
            .child(&ApiResource::erase::<ConfigMap>(&()), namespace, name)?
            .content
        else {
            return None;
        };
        let pod = self.child(&ApiResource::erase::<Pod>(&()), namespace, pod)?;
        (pod.uid == report.pod_uid).then_some(*report)
    }

    /// What the servers of a cluster were told last, as far as the cache knows.
    pub fn index(&self, namespace: &str, name: &str) -> Option<Index> {
        match self
            .child(&ApiResource::erase::<Secret>(&()), namespace, name)?
            .content
        {
            Content::Index(index) => Some(*index),
            _ => None,
        }
    }

    /// A pod of a StatefulSet.
    pub fn pod(&self, namespace: &str, pod: &str) -> Option<PodState> {
        match self
            .child(&ApiResource::erase::<Pod>(&()), namespace, pod)?
            .content
        {
            Content::Pod(state) => Some(*state),
            _ => None,
        }
    }

    /// A volume claim.
    pub fn claim(&self, namespace: &str, name: &str) -> Option<Claim> {
        match self
            .child(&ApiResource::erase::<PersistentVolumeClaim>(&()), namespace, name)?
            .content
        {
            Content::Claim(claim) => Some(claim),
            _ => None,
        }
    }

    /// A child.
    pub fn child(&self, resource: &ApiResource, namespace: &str, name: &str) -> Option<Child> {
        let found = self.children.get(&resource.kind)?.get(namespace, name)?;
        Some((*found).clone())
    }

    /// All children of an owner. The names of all of them begin with its name.
    pub fn children_of(&self, namespace: &str, owner: &OwnerReference) -> Vec<(ApiResource, Child)> {
        let mut found = vec![];
        for resource in child_kinds() {
            let Some(cache) = self.children.get(&resource.kind) else {
                continue;
            };
            let named = cache.beginning_with(namespace, &owner.name);
            let owned = named
                .iter()
                .filter(|child| child.controller.as_ref() == Some(&owner.uid));
            found.extend(owned.map(|child| (resource.clone(), (**child).clone())));
        }
        found
    }

    /// The OpenAPI documents of an owner, the oldest version first.
    pub fn documents_of(&self, namespace: &str, owner: &OwnerReference) -> Vec<PublishedDocument> {
        let mut found: Vec<_> = self
            .children_of(namespace, owner)
            .into_iter()
            .filter_map(|(_, child)| match child.content {
                Content::Document(document) if !child.is_deleted => Some(*document),
                _ => None,
            })
            .collect();
        found.sort_by_key(|document| document.version);
        found
    }

    /// The revisions of an owner's files that are kept, the oldest first.
    pub fn revisions_of(&self, namespace: &str, owner: &OwnerReference) -> Vec<KeptRevision> {
        let mut found: Vec<_> = self
            .children_of(namespace, owner)
            .into_iter()
            .filter_map(|(_, child)| match child.content {
                Content::Revision(revision) if !child.is_deleted => Some(*revision),
                _ => None,
            })
            .collect();
        found.sort_by_key(|one| (one.kept.as_ref().map(|time| time.0), one.revision.clone()));
        found
    }

    /// The names of the ConfigMaps of startup callables that an owner has.
    pub fn startups_of(&self, namespace: &str, owner: &OwnerReference) -> Vec<String> {
        let children = self.children_of(namespace, owner).into_iter();
        let is_such = |child: &Child| matches!(child.content, Content::Startup);
        children
            .filter(|(_, child)| is_such(child))
            .map(|(_, child)| child.name)
            .collect()
    }

    /// Waits until the caches of what users want have been filled once: a cluster whose services are not all known must
    /// not be reconciled, it would lose them. The two controllers fill them, so only a reconcile can wait.
    pub async fn wishes_ready(&self) {
        for listed in &self.listed {
            // An error is the end of the process.
            let _ = listed.clone().wait_for(|listed| *listed).await;
        }
    }

    /// Waits until every cache of children has been filled once.
    pub async fn ready(&self) {
        for cache in self.children.values() {
            cache.ready().await;
        }
    }
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
    let (of_clusters, of_services) = (waker.clone(), waker);
    let (again_clusters, again_services) = (of_clusters.clone(), of_services.clone());
    let cluster_changes = all::<ZatoCluster>(scope)
        .reflect(cluster_writer)
        .inspect(move |event| again_clusters.after_list(event, || clusters_listed.send_replace(true)))
        .touched_objects()
        .inspect(move |change| {
            if let Ok(cluster) = change {
                of_clusters.services(&cluster.namespace().unwrap_or_default(), &cluster.name_any());
            }
        });
    let service_changes = all::<ZatoService>(scope)
        .reflect(service_writer)
        .inspect(move |event| again_services.after_list(event, || services_listed.send_replace(true)))
        .touched_objects()
        .inspect(move |change| {
            if let Ok(DeserializeGuard(Ok(service))) = change {
                of_services.cluster(
                    &service.namespace().unwrap_or_default(),
                    &service.spec.cluster_ref.name,
                );
            }
        });
    Watches {
        stores,
        clusters: cluster_changes,
        services: service_changes,
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

fn all<K>(scope: &Scope) -> impl Stream<Item = watcher::Result<Event<Guarded<K>>>> + Send + use<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    // Who set which field is never asked, and is larger than the rest.
    let config = watcher::Config::default().page_size(PAGE);
    watcher(scope.of::<Guarded<K>>(), config)
        .modify(|object| object.meta_mut().managed_fields = None)
        .default_backoff()
}
