//! Brings children to what is wanted: server-side apply of owned fields, ownership check, prune.
//!
//! Nothing is sent when the fields that the API server says are ours have the values of the wanted manifest. Where it
//! keeps another form of a value (`1000m` as `1`), what it made of our last apply counts; only that is remembered, and a
//! restart costs such a child one apply without effect. Fields of others (labels, annotations, finalizers of users) are
//! never touched.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt as _};

use super::child::Child;
use super::engine::Context;
use super::kind::{Kind, Manifest, Ownership, Task};
use super::{Error, owned};
use crate::k8s::labels;

/// Children whose digest after the last apply is not that of the manifest: both, by child.
#[derive(Default)]
pub struct Applied(Mutex<HashMap<Key, (String, String)>>);

/// Kind, namespace, name.
type Key = (String, String, String);

impl Applied {
    fn is_current(&self, key: &Key, wanted: &str, digest: &str) -> bool {
        let applied = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        applied.get(key).is_some_and(|(w, d)| w == wanted && d == digest)
    }

    fn remember(&self, key: Key, wanted: String, digest: String) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, (wanted, digest));
    }

    fn forget(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Takes away the owner of what must not go with it: before all else, because an object that waits, or fails, can be
/// deleted, too.
pub async fn release<K: Kind>(owner: &K, context: &Context) -> Result<(), Error> {
    let (namespace, uid) = (owner.namespace().unwrap_or_default(), owner.uid());
    for (resource, name) in owner.retained() {
        let child = context.stores.child(&resource, &namespace, &name);
        let Some(uid) = child
            .and_then(|child| child.controller)
            .filter(|c| Some(c) == uid.as_ref())
        else {
            continue;
        };
        let api = Api::<DynamicObject>::namespaced_with(context.client.clone(), &namespace, &resource);
        let patch = serde_json::json!({"metadata": {"ownerReferences": [{"$patch": "delete", "uid": uid}]}});
        let params = PatchParams {
            field_manager: Some(labels::MANAGER.into()),
            ..PatchParams::default()
        };
        api.patch(&name, &params, &Patch::Strategic(patch)).await?;
    }
    Ok(())
}

/// Applies all children in order, then deletes those of ours that are no longer wanted.
pub async fn apply<K: Kind>(owner: &K, desired: Vec<Manifest>, context: &Context) -> Result<(), Error> {
    let namespace = owner.namespace().unwrap_or_default();
    let Some(reference) = owner.controller_owner_ref(&()) else {
        return Ok(());
    };
    let wanted: Vec<(String, String)> = desired
        .iter()
        .map(|m| (m.resource.kind.clone(), m.name.clone()))
        .collect();
    for manifest in desired {
        apply_one(manifest, &namespace, &reference, context).await?;
    }
    prune(&namespace, &reference.uid, &wanted, context).await
}

/// Does what is to be done beside.
pub async fn perform<K: Kind>(owner: &K, tasks: Vec<Task>, context: &Context) -> Result<(), Error> {
    let namespace = owner.namespace().unwrap_or_default();
    for Task::DeletePod { name, uid } in tasks {
        tracing::info!(
            pod = name,
            namespace,
            "the pod is of an older template and is deleted"
        );
        delete(&ApiResource::erase::<Pod>(&()), &namespace, &name, uid, context).await?;
    }
    Ok(())
}

async fn apply_one(
    mut manifest: Manifest,
    namespace: &str,
    owner: &OwnerReference,
    context: &Context,
) -> Result<(), Error> {
    if manifest.ownership != Ownership::Kept {
        manifest.body["metadata"]["ownerReferences"] = serde_json::json!([owner]);
    }
    let kind = &manifest.resource.kind;
    let key = (kind.clone(), namespace.to_owned(), manifest.name.clone());
    let wanted = owned::wanted(&manifest.body);
    let api = Api::<DynamicObject>::namespaced_with(context.client.clone(), namespace, &manifest.resource);
    let live = match context
        .stores
        .child(&manifest.resource, namespace, &manifest.name)
    {
        Some(live) => Some(live),
        // Not in the cache: it may be new, or somebody else's.
        None => api
            .get_opt(&manifest.name)
            .await?
            .map(|live| Child::reduce(live, kind)),
    };
    if let Some(live) = live {
        if !is_ours(&live, &manifest, owner) {
            return Err(Error::Foreign {
                kind: manifest.resource.kind,
                name: manifest.name,
            });
        }
        if live.digest == wanted || context.applied.is_current(&key, &wanted, &live.digest) {
            return Ok(());
        }
    }
    let params = PatchParams::apply(labels::MANAGER).force();
    let applied = api
        .patch(&manifest.name, &params, &Patch::Apply(&manifest.body))
        .await
        .map_err(|error| Error::child(kind, &manifest.name, error))?;
    let digest = Child::reduce(applied, kind).digest;
    tracing::debug!(kind, name = manifest.name, namespace, "applied");
    if digest == wanted {
        context.applied.forget(&key);
    } else {
        context.applied.remember(key, wanted, digest);
    }
    Ok(())
}

/// Ours is what has our owner reference, or, for children that are kept, our labels with the cluster's name.
fn is_ours(live: &Child, manifest: &Manifest, owner: &OwnerReference) -> bool {
    match (&live.controller, &live.cluster) {
        (Some(uid), _) => *uid == owner.uid,
        (None, cluster) if manifest.ownership != Ownership::Owned => cluster.as_ref() == Some(&owner.name),
        (None, _) => false,
    }
}

async fn prune(
    namespace: &str,
    owner: &str,
    wanted: &[(String, String)],
    context: &Context,
) -> Result<(), Error> {
    for (resource, live) in context.stores.children_of(namespace, owner) {
        let is_wanted = wanted
            .iter()
            .any(|(kind, wanted)| *kind == resource.kind && *wanted == live.name);
        if !is_wanted && !live.is_deleted {
            delete(&resource, namespace, &live.name, live.uid, context).await?;
        }
    }
    Ok(())
}

async fn delete(
    resource: &ApiResource,
    namespace: &str,
    name: &str,
    uid: String,
    context: &Context,
) -> Result<(), Error> {
    let api = Api::<DynamicObject>::namespaced_with(context.client.clone(), namespace, resource);
    let preconditions = Some(Preconditions {
        uid: Some(uid),
        resource_version: None,
    });
    let params = DeleteParams {
        preconditions,
        ..DeleteParams::background()
    };
    context
        .applied
        .forget(&(resource.kind.clone(), namespace.to_owned(), name.to_owned()));
    match api.delete(name, &params).await {
        // After a conflict the child may be there still: it is looked at again.
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map(drop).map_err(Error::from),
    }
}
