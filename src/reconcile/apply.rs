//! Brings children to what is wanted: server-side apply of owned fields, ownership check, prune.
//!
//! Nothing is sent when the wanted manifest and the fields that the API server says are ours are as after the last
//! apply. Fields of others (labels, annotations, finalizers of users) are never touched.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};

use super::Error;
use super::engine::Context;
use super::kind::{Kind, Manifest};
use crate::exchange::hash;
use crate::k8s::labels;

/// What was applied: by child, the hash of the manifest and of our managed fields after it.
#[derive(Default)]
pub struct Applied(Mutex<HashMap<Key, (String, String)>>);

/// Kind, namespace, name.
type Key = (String, String, String);

impl Applied {
    fn is_current(&self, key: &Key, wanted: &str, fields: &str) -> bool {
        let applied = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        applied.get(key).is_some_and(|(w, f)| w == wanted && f == fields)
    }

    fn remember(&self, key: Key, wanted: String, fields: String) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, (wanted, fields));
    }

    fn forget(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
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

async fn apply_one(
    mut manifest: Manifest,
    namespace: &str,
    owner: &OwnerReference,
    context: &Context,
) -> Result<(), Error> {
    if !manifest.keep {
        manifest.body["metadata"]["ownerReferences"] = serde_json::json!([owner]);
    }
    let key = (
        manifest.resource.kind.clone(),
        namespace.to_owned(),
        manifest.name.clone(),
    );
    let wanted = hash(manifest.body.to_string().as_bytes());
    let api = Api::<DynamicObject>::namespaced_with(context.client.clone(), namespace, &manifest.resource);
    let live = match context
        .stores
        .child(&manifest.resource, namespace, &manifest.name)
    {
        Some(live) => Some(live.metadata),
        // Not in the cache: it may be new, or somebody else's.
        None => api
            .get_metadata_opt(&manifest.name)
            .await?
            .map(|live| live.metadata),
    };
    if let Some(live) = live {
        if !is_ours(&live, &manifest, owner) {
            return Err(Error::Foreign {
                kind: manifest.resource.kind,
                name: manifest.name,
            });
        }
        if context.applied.is_current(&key, &wanted, &our_fields(&live)) {
            return Ok(());
        }
    }
    let params = PatchParams::apply(labels::MANAGER).force();
    let applied = api
        .patch(&manifest.name, &params, &Patch::Apply(&manifest.body))
        .await?;
    context
        .applied
        .remember(key, wanted, our_fields(&applied.metadata));
    tracing::debug!(
        kind = manifest.resource.kind,
        name = manifest.name,
        namespace,
        "applied"
    );
    Ok(())
}

/// Ours is what has our owner reference, or, for children that are kept, our label and the cluster's name.
fn is_ours(live: &ObjectMeta, manifest: &Manifest, owner: &OwnerReference) -> bool {
    let controller = live
        .owner_references
        .iter()
        .flatten()
        .find(|r| r.controller == Some(true));
    match controller {
        Some(reference) => reference.uid == owner.uid,
        None if manifest.keep => {
            let label = |name: &str| live.labels.as_ref().and_then(|l| l.get(name)).map(String::as_str);
            label(labels::MANAGED_BY) == Some(labels::MANAGER) && label(labels::INSTANCE) == Some(&owner.name)
        }
        None => false,
    }
}

/// A hash of the set of fields that we own, by the API server's own account.
fn our_fields(live: &ObjectMeta) -> String {
    let ours = live.managed_fields.iter().flatten().find(|entry| {
        entry.manager.as_deref() == Some(labels::MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    });
    let fields = ours
        .and_then(|entry| entry.fields_v1.as_ref())
        .map(|fields| fields.0.to_string());
    let uid = live.uid.as_deref().unwrap_or_default();
    hash(format!("{uid}{}", fields.unwrap_or_default()).as_bytes())
}

async fn prune(
    namespace: &str,
    owner: &str,
    wanted: &[(String, String)],
    context: &Context,
) -> Result<(), Error> {
    for (resource, live) in context.stores.children_of(namespace, owner) {
        let name = live.name_any();
        let is_wanted = wanted
            .iter()
            .any(|(kind, wanted)| *kind == resource.kind && *wanted == name);
        if !is_wanted && live.metadata.deletion_timestamp.is_none() {
            delete(&resource, namespace, &name, live.uid(), context).await?;
        }
    }
    Ok(())
}

async fn delete(
    resource: &ApiResource,
    namespace: &str,
    name: &str,
    uid: Option<String>,
    context: &Context,
) -> Result<(), Error> {
    let api = Api::<DynamicObject>::namespaced_with(context.client.clone(), namespace, resource);
    let preconditions = Some(Preconditions {
        uid,
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
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        other => other.map(drop).map_err(Error::from),
    }
}
