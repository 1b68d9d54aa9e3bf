//! The caches of what the operator watches, and what is read from them. They are filled by `watches`; nothing here asks the
//! API server.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use kube::api::ApiResource;
use kube::core::{DeserializeGuard, ObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::watch::Receiver;

use super::cache::Cache;
use super::child::{Child, Claim, Content, JobState, PodState};
use super::waker::services_of;
use crate::api::{KeptRevision, PublishedDocument, ZatoCluster, ZatoService};
use crate::cluster::servers::Server;
use crate::cluster::trouble::Trouble;
use crate::exchange::{Index, Report};
use crate::git::memory::Git;
use crate::k8s::names;

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
        ApiResource::erase::<PodDisruptionBudget>(&()),
    ]
}

/// The caches.
#[derive(Clone)]
pub struct Stores {
    /// All clusters.
    pub clusters: Store<Guarded<ZatoCluster>>,
    /// All services.
    pub services: Store<Guarded<ZatoService>>,
    /// By kind.
    pub(super) children: HashMap<String, Arc<Cache>>,
    /// What git servers said.
    pub git: Git,
    /// Whether clusters and services were listed. `Store::wait_until_ready` wakes one of several that wait, no more.
    pub(super) listed: [Receiver<bool>; 2],
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

    /// The Job of an owner. While one follows another there may be two: one that is not done counts.
    pub fn job_of(&self, namespace: &str, owner: &OwnerReference) -> Option<JobState> {
        let jobs = self.children.get("Job")?.beginning_with(namespace, &owner.name);
        let owned = |child: &&Arc<Child>| child.controller.as_ref() == Some(&owner.uid) && !child.is_deleted;
        let state = |child: &Arc<Child>| match &child.content {
            Content::Job(state) => Some(state.clone()),
            _ => None,
        };
        let found = jobs.iter().filter(owned).filter_map(state);
        let state = found.min_by_key(|state| state.is_complete)?;
        let pods = self.children.get("Pod")?.beginning_with(namespace, &state.name);
        let said = pods.iter().filter_map(|pod| match &pod.content {
            Content::Pod(pod) => pod.said.clone(),
            _ => None,
        });
        Some(JobState {
            said: said.max().map(|(_, words)| words),
            trouble: self.trouble(namespace, &state.name),
            ..state
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
