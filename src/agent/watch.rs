//! Follows the index, and fetches the shards that it names until their contents are those that it means.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::watch::Sender;

use super::code::Wanted;
use super::{Error, Identity};
use crate::exchange::{INDEX_KEY, Index};
use crate::k8s::names;

/// Between two looks at shards that are not what the index means: at first, and at most.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Sends every complete state that the index had. Never ends by itself, and never gives the newest index up.
pub async fn follow(
    client: Client,
    identity: &Identity,
    wanted: Sender<Option<Wanted>>,
) -> Result<(), Error> {
    let secrets = Api::<Secret>::namespaced(client.clone(), &identity.namespace);
    let shards = Api::<ConfigMap>::namespaced(client, &identity.namespace);
    let name = format!("metadata.name={}", names::agent(&identity.cluster));
    let changes = watcher(secrets, watcher::Config::default().fields(&name))
        .default_backoff()
        .applied_objects();
    let mut changes = std::pin::pin!(changes);
    let (mut pending, mut pause) = (None, PAUSE);
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(Ok(secret)) => (pending, pause) = (index(&secret), PAUSE),
                Some(Err(error)) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the watch of the index failed and is tried again"
                ),
                None => return Ok(()),
            },
            () = tokio::time::sleep(pause), if pending.is_some() => pause = (pause * 2).min(LONGEST_PAUSE),
        }
        // Kept until it is taken: a later change replaces it.
        if let Some(index) = &pending
            && (!is_new(index, &wanted) || take(index, &shards, &wanted).await)
        {
            pending = None;
        }
    }
}

fn index(secret: &Secret) -> Option<Index> {
    let index = serde_json::from_slice(&secret.data.as_ref()?.get(INDEX_KEY)?.0).ok();
    if index.is_none() {
        tracing::warn!("the index cannot be read; what is deployed stays");
    }
    index
}

fn is_new(index: &Index, wanted: &Sender<Option<Wanted>>) -> bool {
    wanted
        .borrow()
        .as_ref()
        .is_none_or(|current| current.index != *index)
}

/// Whether the shards were what the index means, and were sent on.
async fn take(index: &Index, shards: &Api<ConfigMap>, wanted: &Sender<Option<Wanted>>) -> bool {
    match fetch(index, shards).await {
        Ok(Some(complete)) => {
            tracing::info!(revision = index.revision, "a new index");
            wanted.send_replace(Some(complete));
            true
        }
        // Older than the index, or already the next ones.
        Ok(None) => false,
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a shard could not be read and is tried again"
            );
            false
        }
    }
}

async fn fetch(index: &Index, shards: &Api<ConfigMap>) -> kube::Result<Option<Wanted>> {
    let mut contents: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for name in index.shards() {
        let data = shards.get_opt(name).await?.and_then(|shard| shard.data);
        contents.insert(name, data.unwrap_or_default());
    }
    Ok(Wanted::complete(index.clone(), |shard, file| {
        contents.get(shard)?.get(file).cloned()
    }))
}
