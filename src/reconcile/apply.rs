//! Brings children to what is wanted: server-side apply of owned fields, ownership check, prune.
//!
//! Nothing is sent when the fields that the API server says are ours have the values of the wanted manifest. Where it
//! keeps another form of a value (`1000m` as `1`), what it made of our last apply counts; only that is remembered, and a
//! restart costs such a child one apply without effect. Fields of others (labels, annotations, finalizers of users) are
//! never touched.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures::future;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ApiResource, DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::Value;

use super::Error;
use super::child::{Child, Content, Full};
use super::engine::Context;
use super::kind::{Kind, Manifest, Ownership, Task};
use super::owned::{self, Digest};
use crate::api::conditions::Reason;
use crate::k8s::labels;

/// Children whose digest after the last apply is not that of the manifest: both, by child.
#[derive(Default)]
pub struct Applied(Mutex<HashMap<Key, (Digest, Digest)>>);

/// The version of no object that exists: an apply with it conflicts with any object of that name, and makes a new one.
const NO_VERSION: &str = "1";

/// Kind, namespace, name.
type Key = (String, String, String);

impl Applied {
    fn is_current(&self, key: &Key, wanted: Digest, digest: Digest) -> bool {
        let applied = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        applied.get(key).is_some_and(|known| *known == (wanted, digest))
    }

    fn remember(&self, key: Key, wanted: Digest, digest: Digest) {
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
        let api = Api::<Full>::namespaced_with(context.client.clone(), &namespace, &resource);
        let patch = serde_json::json!({"metadata": {"ownerReferences": [{"$patch": "delete", "uid": uid}]}});
        let params = PatchParams {
            field_manager: Some(labels::MANAGER.into()),
            ..PatchParams::default()
        };
        api.patch(&name, &params, &Patch::Strategic(patch)).await?;
    }
    Ok(())
}

/// A child that was sent, and its generation as the API server answered: a cache may be behind it.
pub struct Sent {
    /// Its kind.
    pub kind: String,
    /// Its generation.
    pub generation: Option<i64>,
}

/// Applies all children, those of a stage at the same time, then deletes those of ours that are not wanted; of documents
/// and of what pods mount those that are `dropped`. Returns what was sent.
pub async fn apply<K: Kind>(
    owner: &K,
    mut desired: Vec<Manifest>,
    dropped: Vec<(ApiResource, String)>,
    context: &Context,
) -> Result<Vec<Sent>, Error> {
    let namespace = owner.namespace().unwrap_or_default();
    let Some(reference) = owner.controller_owner_ref(&()) else {
        return Ok(vec![]);
    };
    // What must be kept is never pruned, whatever a cache that is behind says of its owner.
    let kept = owner
        .retained()
        .into_iter()
        .map(|(resource, name)| (resource.kind, name));
    let wanted: Vec<(String, String)> = desired
        .iter()
        .map(|m| (m.resource.kind.clone(), m.name.clone()))
        .chain(kept)
        .collect();
    let (mut refused, mut sent) = (None, vec![]);
    desired.sort_by_key(|manifest| manifest.stage);
    for stage in desired.chunk_by(|one, next| one.stage == next.stage) {
        let all = stage
            .iter()
            .map(|manifest| apply_one(manifest.clone(), &namespace, &reference, context));
        // All of them end, so that nothing is on its way when a failure is told.
        for applied in future::join_all(all).await {
            match applied {
                // A volume that cannot grow is as good as it was: it is told after the rest is done.
                Err(error) if error.reason() == Reason::ResizeRefused => refused = Some(error),
                applied => sent.extend(applied?),
            }
        }
    }
    prune(&namespace, &reference, &wanted, &dropped, context).await?;
    refused.map_or(Ok(sent), Err)
}

/// Does what is to be done beside.
pub async fn perform<K: Kind>(owner: &K, tasks: Vec<Task>, context: &Context) -> Result<(), Error> {
    let namespace = owner.namespace().unwrap_or_default();
    for task in tasks {
        let (resource, name, uid) = match task {
            Task::DeletePod { name, uid } => {
                tracing::info!(
                    pod = name,
                    namespace,
                    "the pod is of an older template and is deleted"
                );
                (ApiResource::erase::<Pod>(&()), name, uid)
            }
            Task::DeleteJob { name, uid } => {
                tracing::info!(
                    job = name,
                    namespace,
                    "the Job gave up and is deleted, to be made anew"
                );
                (ApiResource::erase::<Job>(&()), name, uid)
            }
        };
        delete(&resource, &namespace, &name, uid, context).await?;
    }
    Ok(())
}

async fn apply_one(
    mut manifest: Manifest,
    namespace: &str,
    owner: &OwnerReference,
    context: &Context,
) -> Result<Option<Sent>, Error> {
    if manifest.ownership != Ownership::Kept {
        manifest.body["metadata"]["ownerReferences"] = serde_json::json!([owner]);
    }
    let kind = &manifest.resource.kind;
    let key = (kind.clone(), namespace.to_owned(), manifest.name.clone());
    let wanted = owned::wanted(&manifest.body);
    let api = Api::<Full>::namespaced_with(context.client.clone(), namespace, &manifest.resource);
    let cached = context
        .stores
        .child(&manifest.resource, namespace, &manifest.name);
    let is_current =
        |live: &Child| live.digest == wanted || context.applied.is_current(&key, wanted, live.digest);
    let is_done = |live: &Child| is_ours(live, &manifest, owner) && is_current(live);
    if !manifest.differs && cached.as_ref().is_some_and(is_done) {
        return Ok(None);
    }
    // Never closed.
    let _permit = context.writers.acquire().await;
    let Some(applied) = bring(&api, &manifest, owner, cached, is_current).await? else {
        return Ok(None);
    };
    let sent = Sent {
        kind: kind.clone(),
        generation: applied.meta().generation,
    };
    let digest = Child::reduce(applied, kind).digest;
    tracing::debug!(kind, name = manifest.name, namespace, "applied");
    if digest == wanted {
        context.applied.forget(&key);
    } else {
        context.applied.remember(key, wanted, digest);
    }
    Ok(Some(sent))
}

/// Makes a child, or changes ours; none: it is as wanted.
async fn bring(
    api: &Api<Full>,
    manifest: &Manifest,
    owner: &OwnerReference,
    cached: Option<Child>,
    is_current: impl Fn(&Child) -> bool,
) -> Result<Option<Full>, Error> {
    let kind = &manifest.resource.kind;
    let failed = |error| Error::child(kind, &manifest.name, error);
    let live = match cached {
        Some(live) => live,
        None => match create(api, manifest).await.map_err(failed)? {
            Some(made) => return Ok(Some(made)),
            // Somebody else's, or the cache is behind.
            None => Child::reduce(api.get(&manifest.name).await.map_err(failed)?, kind),
        },
    };
    if !is_ours(&live, manifest, owner) {
        return Err(Error::Foreign {
            kind: kind.clone(),
            name: manifest.name.clone(),
        });
    }
    if !manifest.differs && is_current(&live) {
        return Ok(None);
    }
    let sent = send(api, &manifest.name, &manifest.body).await;
    sent.map(Some).map_err(failed)
}

/// Applies what must not exist yet; none: it exists, and nothing was written.
async fn create(api: &Api<Full>, manifest: &Manifest) -> kube::Result<Option<Full>> {
    let mut body = manifest.body.clone();
    body["metadata"]["resourceVersion"] = NO_VERSION.into();
    match send(api, &manifest.name, &body).await {
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(None),
        made => made.map(Some),
    }
}

async fn send(api: &Api<Full>, name: &str, body: &Value) -> kube::Result<Full> {
    let params = PatchParams::apply(labels::MANAGER).force();
    api.patch(name, &params, &Patch::Apply(body)).await
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
    owner: &OwnerReference,
    wanted: &[(String, String)],
    dropped: &[(ApiResource, String)],
    context: &Context,
) -> Result<(), Error> {
    for (resource, live) in context.stores.children_of(namespace, owner) {
        let is_wanted = if matches!(
            live.content,
            Content::Document(_) | Content::Revision(_) | Content::Startup
        ) {
            !dropped.iter().any(|(_, name)| *name == live.name)
        } else {
            let is = |(kind, wanted): &(String, String)| *kind == resource.kind && *wanted == live.name;
            wanted.iter().any(is)
        };
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
    let api = Api::<Full>::namespaced_with(context.client.clone(), namespace, resource);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{desired, plan};
    use kube::Client;
    use kube::client::Body;
    use std::sync::Arc;

    /// A client that gets one answer to all, and the bodies that it sent.
    fn client(code: u16, answer: Value) -> (Client, Arc<Mutex<Vec<Value>>>) {
        let sent = Arc::<Mutex<Vec<Value>>>::default();
        let seen = sent.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (seen, answer) = (seen.clone(), answer.clone());
            async move {
                let body = request.into_body().collect_bytes().await?;
                seen.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                let answer = Body::from(answer.to_string().into_bytes());
                Ok::<_, kube::Error>(http::Response::builder().status(code).body(answer).unwrap())
            }
        });
        (Client::new(service, "n"), sent)
    }

    async fn created(code: u16, answer: Value) -> (kube::Result<Option<Full>>, Vec<Value>) {
        let manifest = desired::desired(&plan::tests::plan_of(&[])).remove(0);
        let (client, sent) = client(code, answer);
        let api = Api::<Full>::namespaced_with(client, "n", &manifest.resource);
        let result = create(&api, &manifest).await;
        let sent = std::mem::take(&mut *sent.lock().unwrap());
        (result, sent)
    }

    /// With a version, the API server never changes an object that exists.
    #[tokio::test]
    async fn what_the_cache_lacks_is_made_or_left_alone() {
        let made = serde_json::json!({"metadata": {"name": "x", "uid": "u"}});
        let (result, sent) = created(201, made).await;
        assert_eq!(result.unwrap().unwrap().uid().as_deref(), Some("u"));
        assert_eq!(sent[0]["metadata"]["resourceVersion"], NO_VERSION);
        let status = |code: u16, reason: &str| serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": ""});
        let (result, sent) = created(409, status(409, "Conflict")).await;
        assert!(result.unwrap().is_none());
        assert_eq!(sent.len(), 1);
        assert!(created(403, status(403, "Forbidden")).await.0.is_err());
    }

    /// What was sent has the generation that the API server gave it: a cache may be behind it.
    #[tokio::test]
    async fn an_answer_has_a_generation() {
        let made = serde_json::json!({"metadata": {"name": "x", "generation": 3}});
        let (result, _) = created(201, made).await;
        assert_eq!(result.unwrap().unwrap().meta().generation, Some(3));
    }

    /// A cache that is behind says that a child is as wanted: what was read decides.
    #[tokio::test]
    async fn what_was_found_otherwise_is_sent_whatever_the_cache_says() {
        for (differs, count) in [(false, 0), (true, 1)] {
            let manifest = desired::desired(&plan::tests::plan_of(&[])).remove(0);
            let manifest = manifest.that_differs(differs);
            let owner = OwnerReference {
                uid: "u".into(),
                ..OwnerReference::default()
            };
            let cached = Child {
                name: manifest.name.clone(),
                namespace: "n".into(),
                uid: "of the child".into(),
                controller: Some("u".into()),
                cluster: None,
                is_deleted: false,
                digest: Digest::default(),
                content: Content::None,
            };
            let (client, sent) = client(200, serde_json::json!({"metadata": {"name": "x"}}));
            let api = Api::<Full>::namespaced_with(client, "n", &manifest.resource);
            bring(&api, &manifest, &owner, Some(cached), |_| true)
                .await
                .unwrap();
            assert_eq!(sent.lock().unwrap().len(), count, "{differs}");
        }
    }
}
