//! What the operator watches, and the caches of it. The only watches of the operator start here.
//!
//! Children are kept as metadata, but for the two kinds whose content is needed: StatefulSets (status) and reports.

use std::collections::HashMap;

use futures::channel::mpsc::UnboundedSender;
use futures::{Stream, StreamExt, future};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{ApiResource, DynamicObject};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::api::{ZatoCluster, ZatoService};
use crate::exchange::REPORT_LABEL;
use crate::k8s::labels;

/// An object that may not parse.
pub type Guarded<K> = DeserializeGuard<K>;
type Metadata = PartialObjectMeta<DynamicObject>;

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
    stateful_sets: Store<StatefulSet>,
    reports: Store<ConfigMap>,
    pods: Store<PartialObjectMeta<Pod>>,
    children: HashMap<String, Store<Metadata>>,
}

/// Objects that must be looked at because something that they depend on changed.
#[derive(Clone)]
pub struct Wake {
    /// Clusters.
    pub clusters: UnboundedSender<ObjectRef<Guarded<ZatoCluster>>>,
    /// Services.
    pub services: UnboundedSender<ObjectRef<Guarded<ZatoService>>>,
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
        let mut found: Vec<ZatoService> = self
            .services
            .state()
            .iter()
            .filter_map(|guard| guard.0.as_ref().ok())
            .filter(|s| s.namespace().as_deref() == Some(namespace) && s.spec.cluster_ref.name == cluster)
            .filter(|s| s.metadata.deletion_timestamp.is_none())
            .cloned()
            .collect();
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

    /// A StatefulSet.
    pub fn stateful_set(&self, namespace: &str, name: &str) -> Option<StatefulSet> {
        self.stateful_sets
            .get(&ObjectRef::new(name).within(namespace))
            .map(|s| (*s).clone())
    }

    /// The text of a report, if the pod that wrote it is the one that runs.
    pub fn report(&self, namespace: &str, name: &str, pod: &str) -> Option<crate::exchange::Report> {
        let text = self.reports.get(&ObjectRef::new(name).within(namespace))?;
        let text = text.data.as_ref()?.get(crate::exchange::REPORT_KEY)?;
        let report: crate::exchange::Report = serde_json::from_str(text).ok()?;
        let pod = self.pods.get(&ObjectRef::new(pod).within(namespace))?;
        (pod.uid().as_deref() == Some(&report.pod_uid)).then_some(report)
    }

    /// A child's metadata.
    pub fn child(&self, resource: &ApiResource, namespace: &str, name: &str) -> Option<Metadata> {
        let key = ObjectRef::new_with(name, resource.clone()).within(namespace);
        self.children.get(&resource.kind)?.get(&key).map(|o| (*o).clone())
    }

    /// All children of an owner.
    pub fn children_of(&self, namespace: &str, owner: &str) -> Vec<(ApiResource, Metadata)> {
        let is_owned = |o: &Metadata| {
            o.owner_references()
                .iter()
                .any(|r| r.controller == Some(true) && r.uid == owner)
        };
        let mut found = vec![];
        for resource in child_kinds() {
            let Some(store) = self.children.get(&resource.kind) else {
                continue;
            };
            let owned = store
                .state()
                .into_iter()
                .filter(|o| o.namespace().as_deref() == Some(namespace) && is_owned(o));
            found.extend(owned.map(|o| (resource.clone(), (*o).clone())));
        }
        found
    }

    /// Waits until every cache has been filled once.
    pub async fn ready(&self) -> Result<(), reflector::store::WriterDropped> {
        self.stateful_sets.wait_until_ready().await?;
        self.reports.wait_until_ready().await?;
        self.pods.wait_until_ready().await?;
        for store in self.children.values() {
            store.wait_until_ready().await?;
        }
        Ok(())
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
    let stores = watch_children(client, wake, clusters, services);
    let (to_services, to_clusters) = (wake.clone(), wake.clone());
    let store = stores.clone();
    let cluster_changes = all::<ZatoCluster>(client)
        .reflect(cluster_writer)
        .touched_objects()
        .inspect(move |change| {
            if let Ok(cluster) = change {
                let namespace = cluster.namespace().unwrap_or_default();
                for service in store.services_of(&namespace, &cluster.name_any()) {
                    let _ = to_services
                        .services
                        .unbounded_send(ObjectRef::new(&service.name_any()).within(&namespace));
                }
            }
        });
    let service_changes = all::<ZatoService>(client)
        .reflect(service_writer)
        .touched_objects()
        .inspect(move |change| {
            if let Ok(DeserializeGuard(Ok(service))) = change {
                let namespace = service.namespace().unwrap_or_default();
                let cluster = ObjectRef::new(&service.spec.cluster_ref.name).within(&namespace);
                let _ = to_clusters.clusters.unbounded_send(cluster);
            }
        });
    Watches {
        stores,
        clusters: cluster_changes,
        services: service_changes,
    }
}

/// The caches of children, filled by tasks.
fn watch_children(
    client: &Client,
    wake: &Wake,
    clusters: Store<Guarded<ZatoCluster>>,
    services: Store<Guarded<ZatoService>>,
) -> Stores {
    let (stateful_sets, writer) = reflector::store();
    drive(
        watch::<StatefulSet>(client, labels::MANAGED_BY).reflect(writer),
        wake_cluster(wake),
    );
    let (reports, writer) = reflector::store();
    drive(
        watch::<ConfigMap>(client, REPORT_LABEL).reflect(writer),
        wake_all(wake),
    );
    let (pods, writer) = reflector::store();
    drive(
        watch::<PartialObjectMeta<Pod>>(client, labels::MANAGED_BY).reflect(writer),
        wake_cluster(wake),
    );
    let mut children = HashMap::new();
    for resource in child_kinds() {
        let api = Api::<Metadata>::all_with(client.clone(), &resource);
        let writer = reflector::store::Writer::new(resource.clone());
        children.insert(resource.kind, writer.as_reader());
        let config = watcher::Config::default().labels(&labels::managed_selector());
        drive(
            watcher(api, config).default_backoff().reflect(writer),
            wake_cluster(wake),
        );
    }
    Stores {
        clusters,
        services,
        stateful_sets,
        reports,
        pods,
        children,
    }
}

type Events<K> = watcher::Result<watcher::Event<K>>;

fn all<K>(client: &Client) -> impl Stream<Item = Events<Guarded<K>>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
{
    watcher(Api::<Guarded<K>>::all(client.clone()), watcher::Config::default()).default_backoff()
}

fn watch<K>(client: &Client, label: &str) -> impl Stream<Item = Events<K>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
{
    let selector = match label {
        labels::MANAGED_BY => labels::managed_selector(),
        label => format!("{},{label}", labels::managed_selector()),
    };
    watcher(
        Api::<K>::all(client.clone()),
        watcher::Config::default().labels(&selector),
    )
    .default_backoff()
    .modify(|object| {
        // Large, and of no use here: ownership of fields is read from the metadata caches.
        object.managed_fields_mut().clear();
    })
}

fn drive<K>(stream: impl Stream<Item = Events<K>> + Send + 'static, wake: impl Fn(&K) + Send + 'static)
where
    K: Send + 'static,
{
    tokio::spawn(stream.touched_objects().for_each(move |change| {
        match &change {
            Ok(object) => wake(object),
            Err(error) => tracing::warn!(
                error = error as &dyn std::error::Error,
                "a watch failed and is tried again"
            ),
        }
        future::ready(())
    }));
}

fn wake_cluster<K: ResourceExt>(wake: &Wake) -> impl Fn(&K) + Send + 'static + use<K> {
    let clusters = wake.clusters.clone();
    move |object| {
        if let Some(cluster) = object.labels().get(labels::INSTANCE) {
            let reference = ObjectRef::new(cluster).within(&object.namespace().unwrap_or_default());
            let _ = clusters.unbounded_send(reference);
        }
    }
}

/// A report concerns its cluster and every service that it names.
fn wake_all(wake: &Wake) -> impl Fn(&ConfigMap) + Send + 'static + use<> {
    let (cluster, services) = (wake_cluster(wake), wake.services.clone());
    move |report: &ConfigMap| {
        cluster(report);
        let text = report
            .data
            .as_ref()
            .and_then(|data| data.get(crate::exchange::REPORT_KEY));
        let parsed = text.and_then(|text| serde_json::from_str::<crate::exchange::Report>(text).ok());
        for name in parsed.unwrap_or_default().services.keys() {
            let _ =
                services.unbounded_send(ObjectRef::new(name).within(&report.namespace().unwrap_or_default()));
        }
    }
}
