//! What the operator watches, and the caches of it. The only watches of the operator start here: one for each kind.
//!
//! Children are read in full, because what they have of our last apply is compared, and reduced to a [`Child`] at once.

use std::collections::HashMap;
use std::sync::Arc;

use futures::channel::mpsc::UnboundedSender;
use futures::{Stream, StreamExt, TryStreamExt, future};
use k8s_openapi::api::apps::v1::StatefulSet;
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
use super::child::{Child, Content, Full};
use crate::api::{ZatoCluster, ZatoService};
use crate::cluster::trouble::Trouble;
use crate::exchange::{Index, Report};
use crate::k8s::labels;

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
    ]
}

/// The caches.
#[derive(Clone)]
pub struct Stores {
    /// All clusters.
    pub clusters: Store<Guarded<ZatoCluster>>,
    /// All services.
    pub services: Store<Guarded<ZatoService>>,
    children: HashMap<String, Arc<Cache>>,
    /// Whether clusters and services were listed. `Store::wait_until_ready` wakes one of several that wait, no more.
    listed: [Receiver<bool>; 2],
}

/// Objects that must be looked at because something that they depend on changed.
#[derive(Clone)]
pub struct Wake {
    /// Clusters.
    pub clusters: UnboundedSender<ObjectRef<Guarded<ZatoCluster>>>,
    /// Services.
    pub services: UnboundedSender<ObjectRef<Guarded<ZatoService>>>,
}

/// Knows whom a change concerns.
#[derive(Clone)]
struct Waker {
    wake: Wake,
    clusters: Store<Guarded<ZatoCluster>>,
    services: Store<Guarded<ZatoService>>,
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

    /// What keeps a pod from running.
    pub fn trouble(&self, namespace: &str, pod: &str) -> Option<Trouble> {
        match self
            .child(&ApiResource::erase::<Pod>(&()), namespace, pod)?
            .content
        {
            Content::Pod(trouble) => trouble,
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
    client: &Client,
    wake: &Wake,
) -> Watches<
    impl Stream<Item = Result<Guarded<ZatoCluster>, watcher::Error>> + use<>,
    impl Stream<Item = Result<Guarded<ZatoService>, watcher::Error>> + use<>,
> {
    let (clusters, cluster_writer) = reflector::store();
    let (services, service_writer) = reflector::store();
    let (clusters_listed, services_listed) = (Sender::new(false), Sender::new(false));
    let listed = [clusters_listed.subscribe(), services_listed.subscribe()];
    let waker = Waker {
        wake: wake.clone(),
        clusters: clusters.clone(),
        services: services.clone(),
    };
    let stores = Stores {
        clusters,
        services,
        children: watch_children(client, &waker),
        listed,
    };
    let (of_clusters, of_services) = (waker.clone(), waker);
    let (again_clusters, again_services) = (of_clusters.clone(), of_services.clone());
    let cluster_changes = all::<ZatoCluster>(client)
        .reflect(cluster_writer)
        .inspect(move |event| again_clusters.after_list(event, || clusters_listed.send_replace(true)))
        .touched_objects()
        .inspect(move |change| {
            if let Ok(cluster) = change {
                of_clusters.services(&cluster.namespace().unwrap_or_default(), &cluster.name_any());
            }
        });
    let service_changes = all::<ZatoService>(client)
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
fn watch_children(client: &Client, waker: &Waker) -> HashMap<String, Arc<Cache>> {
    let mut children = HashMap::new();
    for resource in child_kinds().into_iter().chain([ApiResource::erase::<Pod>(&())]) {
        let api = Api::<Full>::all_with(client.clone(), &resource);
        let selected = watcher::Config::default()
            .labels(&labels::managed_selector())
            .page_size(PAGE);
        let cache = Arc::new(Cache::default());
        children.insert(resource.kind.clone(), cache.clone());
        let reduced = watcher(api, selected).map_ok(move |event| reduce(event, &resource.kind));
        tokio::spawn(tell(reduced.default_backoff(), cache, waker.clone()));
    }
    children
}

/// Puts changes into the cache, then tells whom they concern.
async fn tell(changes: impl Stream<Item = watcher::Result<Event<Child>>>, cache: Arc<Cache>, waker: Waker) {
    let (mut was_listed, again) = (false, waker.clone());
    changes
        .inspect_ok(move |event| cache.note(event))
        .inspect(move |event| again.after_list(event, || std::mem::replace(&mut was_listed, true)))
        .touched_objects()
        .for_each(|change| {
            match &change {
                Ok(child) => waker.for_child(child),
                Err(error) => tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "a watch failed and is tried again"
                ),
            }
            future::ready(())
        })
        .await;
}

impl Waker {
    fn cluster(&self, namespace: &str, name: &str) {
        let _ = self
            .wake
            .clusters
            .unbounded_send(ObjectRef::new(name).within(namespace));
    }

    fn services(&self, namespace: &str, cluster: &str) {
        for service in services_of(&self.services, namespace, cluster) {
            let reference = ObjectRef::new(&service.name_any()).within(namespace);
            let _ = self.wake.services.unbounded_send(reference);
        }
    }

    /// A child concerns its cluster; what servers were told and what they report concerns the services, too.
    fn for_child(&self, child: &Child) {
        let Some(cluster) = &child.cluster else { return };
        self.cluster(&child.namespace, cluster);
        if matches!(child.content, Content::Report(_) | Content::Index(_)) {
            self.services(&child.namespace, cluster);
        }
    }

    /// After a list that is not the first: what was deleted in the meantime told nobody, and what the list brought was
    /// judged by the cache as it was before its end. `was_listed` notes this one and says whether there was one before.
    fn after_list<K>(&self, event: &watcher::Result<Event<K>>, was_listed: impl FnOnce() -> bool) {
        if !matches!(event, Ok(Event::InitDone)) || !was_listed() {
            return;
        }
        for cluster in self.clusters.state() {
            let _ = self.wake.clusters.unbounded_send(ObjectRef::from_obj(&*cluster));
        }
        for service in self.services.state() {
            let _ = self.wake.services.unbounded_send(ObjectRef::from_obj(&*service));
        }
    }
}

fn services_of(services: &Store<Guarded<ZatoService>>, namespace: &str, cluster: &str) -> Vec<ZatoService> {
    let names_it = |service: &&ZatoService| {
        service.metadata.namespace.as_deref() == Some(namespace) && service.spec.cluster_ref.name == cluster
    };
    let all = services.state();
    all.iter()
        .filter_map(|guard| guard.0.as_ref().ok())
        .filter(names_it)
        .cloned()
        .collect()
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

fn all<K>(client: &Client) -> impl Stream<Item = watcher::Result<Event<Guarded<K>>>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
{
    // Who set which field is never asked, and is larger than the rest.
    let config = watcher::Config::default().page_size(PAGE);
    watcher(Api::<Guarded<K>>::all(client.clone()), config)
        .modify(|object| object.meta_mut().managed_fields = None)
        .default_backoff()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::channel::mpsc;
    use futures::stream;

    fn named<K: DeserializeOwned>(kind: &str, spec: serde_json::Value) -> Guarded<K> {
        DeserializeGuard(Ok(serde_json::from_value(serde_json::json!({
            "apiVersion": "zato.io/v1alpha1", "kind": kind, "metadata": {"name": "x", "namespace": "n"}, "spec": spec,
        }))
        .unwrap()))
    }

    /// Whom `events` of a child's watch wake: clusters and services.
    async fn woken(events: Vec<Event<Child>>) -> (usize, usize) {
        let ((clusters, mut cluster_writer), (services, mut service_writer)) =
            (reflector::store(), reflector::store());
        cluster_writer.apply_watcher_event(&Event::Apply(named("ZatoCluster", serde_json::json!({}))));
        let spec = serde_json::json!({"clusterRef": {"name": "x"}, "source": {"inline": {"a.py": ""}}});
        service_writer.apply_watcher_event(&Event::Apply(named("ZatoService", spec)));
        let ((to_clusters, woken_clusters), (to_services, woken_services)) =
            (mpsc::unbounded(), mpsc::unbounded());
        let wake = Wake {
            clusters: to_clusters,
            services: to_services,
        };
        tell(
            stream::iter(events.into_iter().map(Ok)),
            Arc::default(),
            Waker {
                wake,
                clusters,
                services,
            },
        )
        .await;
        (woken_clusters.count().await, woken_services.count().await)
    }

    fn child(content: Content) -> Child {
        Child {
            name: "c".into(),
            namespace: "n".into(),
            uid: "u".into(),
            controller: None,
            cluster: Some("x".into()),
            is_deleted: false,
            digest: String::new(),
            content,
        }
    }

    #[tokio::test]
    async fn a_change_wakes_whom_it_concerns() {
        assert_eq!(woken(vec![Event::Apply(child(Content::None))]).await, (1, 0));
        assert_eq!(woken(vec![Event::Delete(child(Content::None))]).await, (1, 0));
        assert_eq!(
            woken(vec![Event::Apply(child(Content::Report(Box::default())))]).await,
            (1, 1)
        );
        assert_eq!(
            woken(vec![Event::Apply(child(Content::Index(Box::default())))]).await,
            (1, 1)
        );
    }

    /// What was deleted while a watch was down has no event of its own.
    #[tokio::test]
    async fn another_list_wakes_everybody() {
        assert_eq!(woken(vec![Event::Init, Event::InitDone]).await, (0, 0));
        assert_eq!(
            woken(vec![Event::Init, Event::InitDone, Event::Init, Event::InitDone]).await,
            (1, 1)
        );
    }
}
