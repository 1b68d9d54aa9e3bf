//! Whom a change concerns: who must be looked at because something that it depends on changed.

use std::sync::Arc;

use futures::channel::mpsc::UnboundedSender;
use futures::{Stream, StreamExt, TryStreamExt, future};
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};

use super::cache::Cache;
use super::child::{Child, Content};
use super::stores::Guarded;
use crate::api::{ZatoCluster, ZatoService};
use crate::cluster::startup;
use crate::service::channels::secret;

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
pub struct Waker {
    wake: Wake,
    clusters: Store<Guarded<ZatoCluster>>,
    services: Store<Guarded<ZatoService>>,
}

/// Puts changes into the cache, then tells whom they concern.
pub async fn tell(
    changes: impl Stream<Item = watcher::Result<Event<Child>>>,
    cache: Arc<Cache>,
    waker: Waker,
) {
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
    /// By what it knows whom to wake.
    pub fn new(
        wake: Wake,
        clusters: Store<Guarded<ZatoCluster>>,
        services: Store<Guarded<ZatoService>>,
    ) -> Self {
        Self {
            wake,
            clusters,
            services,
        }
    }

    /// Wakes a cluster.
    pub fn cluster(&self, namespace: &str, name: &str) {
        let _ = self
            .wake
            .clusters
            .unbounded_send(ObjectRef::new(name).within(namespace));
    }

    /// Wakes the services of a cluster.
    pub fn services(&self, namespace: &str, cluster: &str) {
        for service in services_of(&self.services, namespace, cluster) {
            self.service(namespace, &service);
        }
    }

    fn service(&self, namespace: &str, service: &ZatoService) {
        let reference = ObjectRef::new(&service.name_any()).within(namespace);
        let _ = self.wake.services.unbounded_send(reference);
    }

    /// A child concerns its cluster; what servers were told and what they report concerns the services, too. A document
    /// concerns its owner alone: many services publish at the same time. A kept revision concerns both.
    fn for_child(&self, child: &Child) {
        let Some(cluster) = &child.cluster else { return };
        if matches!(child.content, Content::Document(_) | Content::Revision(_)) {
            let owner = |service: &ZatoService| service.metadata.uid == child.controller;
            let services = services_of(&self.services, &child.namespace, cluster);
            if let Some(service) = services.into_iter().find(owner) {
                self.service(&child.namespace, &service);
                if matches!(child.content, Content::Document(_)) {
                    return;
                }
            }
        }
        self.cluster(&child.namespace, cluster);
        if matches!(child.content, Content::Report(_) | Content::Index(_)) {
            self.services(&child.namespace, cluster);
        }
    }

    /// A ConfigMap of a user concerns the services that name it, their clusters, and clusters with callables in it.
    pub fn for_config_map(&self, namespace: &str, name: &str) {
        for guard in self.clusters.state() {
            let Ok(cluster) = guard.0.as_ref() else { continue };
            let is_there = cluster.metadata.namespace.as_deref() == Some(namespace);
            if is_there && startup::config_maps(cluster).contains(name) {
                self.cluster(namespace, &cluster.name_any());
            }
        }
        for guard in self.services.state() {
            let Ok(service) = guard.0.as_ref() else { continue };
            let source = &service.spec.source;
            let authority = source.git.iter().filter_map(|git| git.ca_config_map_ref.as_ref());
            let mut named = source.config_maps.iter().flatten().chain(authority);
            if service.metadata.namespace.as_deref() == Some(namespace)
                && named.any(|found| found.name == name)
            {
                self.cluster(namespace, &service.spec.cluster_ref.name);
                self.services(namespace, &service.spec.cluster_ref.name);
            }
        }
    }

    /// What was fetched for a service concerns it, its cluster, and the other services of that.
    pub fn for_source(&self, namespace: &str, service: &str) {
        let found = self.services.get(&ObjectRef::new(service).within(namespace));
        if let Some(Ok(service)) = found.as_ref().map(|guard| guard.0.as_ref()) {
            self.cluster(namespace, &service.spec.cluster_ref.name);
            self.services(namespace, &service.spec.cluster_ref.name);
        }
    }

    /// A Secret of a user concerns the services whose channels or git source name it, and their clusters.
    pub fn for_secret(&self, namespace: &str, name: &str) {
        for guard in self.clusters.state() {
            let Ok(cluster) = guard.0.as_ref() else { continue };
            let database = cluster.spec.database.postgresql.as_ref();
            let is_named = database.is_some_and(|database| database.credentials_secret_ref.name == name);
            if is_named && cluster.metadata.namespace.as_deref() == Some(namespace) {
                self.cluster(namespace, &cluster.name_any());
            }
        }
        for guard in self.services.state() {
            let Ok(service) = guard.0.as_ref() else { continue };
            let is_there = service.metadata.namespace.as_deref() == Some(namespace);
            let git = service
                .spec
                .source
                .git
                .iter()
                .filter_map(|git| git.secret_ref.as_ref());
            let of_git = git.map(|reference| reference.name.as_str());
            if is_there && secret::secrets(service).chain(of_git).any(|found| found == name) {
                self.cluster(namespace, &service.spec.cluster_ref.name);
                self.services(namespace, &service.spec.cluster_ref.name);
            }
        }
    }

    /// After a list that is not the first: what was deleted in the meantime told nobody, and what the list brought was
    /// judged by the cache as it was before its end. `was_listed` notes this one and says whether there was one before.
    pub fn after_list<K>(&self, event: &watcher::Result<Event<K>>, was_listed: impl FnOnce() -> bool) {
        if !matches!(event, Ok(Event::InitDone)) || !was_listed() {
            return;
        }
        self.everybody();
    }

    /// Wakes all clusters and services.
    pub fn everybody(&self) {
        for cluster in self.clusters.state() {
            let _ = self.wake.clusters.unbounded_send(ObjectRef::from_obj(&*cluster));
        }
        for service in self.services.state() {
            let _ = self.wake.services.unbounded_send(ObjectRef::from_obj(&*service));
        }
    }
}

/// The services that name a cluster.
pub fn services_of(
    services: &Store<Guarded<ZatoService>>,
    namespace: &str,
    cluster: &str,
) -> Vec<ZatoService> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PublishedDocument;
    use crate::reconcile::owned::Digest;
    use futures::channel::mpsc;
    use futures::stream;
    use kube::core::DeserializeGuard;
    use kube::runtime::reflector;
    use serde::de::DeserializeOwned;

    fn named<K: DeserializeOwned>(kind: &str, spec: serde_json::Value) -> Guarded<K> {
        DeserializeGuard(Ok(serde_json::from_value(serde_json::json!({
            "apiVersion": "zato.io/v1alpha1", "kind": kind, "metadata": {"name": "x", "namespace": "n", "uid": kind}, "spec": spec,
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
            Waker::new(wake, clusters, services),
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
            digest: Digest::default(),
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

    #[tokio::test]
    async fn a_document_wakes_its_owner() {
        for (owner, expected) in [("ZatoService", (0, 1)), ("ZatoCluster", (1, 0))] {
            let document = PublishedDocument {
                version: 1,
                hash: String::new(),
                config_map: "c".into(),
                published: None,
            };
            let child = Child {
                controller: Some(owner.into()),
                ..child(Content::Document(Box::new(document)))
            };
            assert_eq!(woken(vec![Event::Apply(child)]).await, expected, "{owner}");
        }
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
