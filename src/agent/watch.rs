//! Follows the index, and fetches the shards that it names until their contents are those that it means.

use std::collections::{BTreeMap, BTreeSet};
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

/// Between two looks at a shard that is older than the index.
const PAUSE: Duration = Duration::from_millis(100);
/// Looks at one shard before the next change of the index is waited for.
const TRIES: u32 = 50;

/// Sends every complete state that the index had. Never ends by itself.
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
    while let Some(change) = changes.next().await {
        match change {
            Ok(secret) => {
                if let Some(index) = index(&secret) {
                    take(index, &shards, &wanted).await;
                } else {
                    tracing::warn!("the index cannot be read; what is deployed stays");
                }
            }
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the watch of the index failed and is tried again"
            ),
        }
    }
    Ok(())
}

fn index(secret: &Secret) -> Option<Index> {
    serde_json::from_slice(&secret.data.as_ref()?.get(INDEX_KEY)?.0).ok()
}

async fn take(index: Index, shards: &Api<ConfigMap>, wanted: &Sender<Option<Wanted>>) {
    if wanted
        .borrow()
        .as_ref()
        .is_some_and(|current| current.index == index)
    {
        return;
    }
    for _ in 0..TRIES {
        match fetch(&index, shards).await {
            Ok(Some(complete)) => {
                tracing::info!(revision = index.revision, "a new index");
                wanted.send_replace(Some(complete));
                return;
            }
            // The shard is not what this index means: an older cache, or already the next one.
            Ok(None) => {}
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a shard could not be read"
            ),
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::warn!(
        revision = index.revision,
        "the code is not what the index says; what is deployed stays"
    );
}

async fn fetch(index: &Index, shards: &Api<ConfigMap>) -> kube::Result<Option<Wanted>> {
    let names: BTreeSet<&str> = index.files().map(|(_, _, entry)| entry.shard.as_str()).collect();
    let mut contents: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for name in names {
        let data = shards.get_opt(name).await?.and_then(|shard| shard.data);
        contents.insert(name, data.unwrap_or_default());
    }
    Ok(Wanted::complete(index.clone(), |shard, file| {
        contents.get(shard)?.get(file).cloned()
    }))
}
