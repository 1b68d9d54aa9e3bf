//! Objects of users that ours refer to: read once for each change of them, and kept in memory while nothing changes.
//!
//! They have no label of ours, so a watch of metadata alone tells of changes; what nobody asked for is not kept.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt, future};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::waker::Waker;
use super::watches::Scope;
use crate::cluster::database::DatabaseSecret;
use crate::git::login::GitSecret;
use crate::k8s::{labels, names};
use crate::service::channels::secret::CallerSecret;
use crate::service::source::Content;

/// What was read of ConfigMaps and Secrets.
#[derive(Clone, Debug, Default)]
pub struct References {
    config_maps: Arc<Known<Content>>,
    secrets: Arc<Known<CallerSecret>>,
    git_secrets: Arc<Known<GitSecret>>,
    database_secrets: Arc<Known<DatabaseSecret>>,
}

/// Objects of one kind that were read.
#[derive(Debug)]
struct Known<T> {
    entries: Mutex<HashMap<Key, Entry<T>>>,
    readers: AtomicU64,
}

/// Namespace and name.
type Key = (String, String);

#[derive(Clone, Debug, PartialEq)]
enum Entry<T> {
    /// It is being read, by whom of several: a change in the meantime takes this entry away, and what is read then is
    /// not kept.
    Reading(u64),
    /// Its resource version and content; none: it does not exist.
    Read(Option<(String, Arc<T>)>),
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            readers: AtomicU64::default(),
        }
    }
}

impl<T> Known<T> {
    /// The content of an object, from memory or as `content` takes it from what is read; none: it does not exist.
    async fn get<K>(
        &self,
        api: &Api<K>,
        key: Key,
        content: impl FnOnce(K) -> T,
    ) -> kube::Result<Option<Arc<T>>>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        if let Some(Entry::Read(known)) = self.entries().get(&key) {
            return Ok(known.as_ref().map(|(_, content)| content.clone()));
        }
        let reader = self.readers.fetch_add(1, Ordering::Relaxed);
        self.entries().insert(key.clone(), Entry::Reading(reader));
        let read = api.get_opt(&key.1).await;
        if read.is_err() {
            self.entries().remove(&key);
        }
        let read = read?.map(|found| {
            (
                found.resource_version().unwrap_or_default(),
                Arc::new(content(found)),
            )
        });
        let is_ours = |entry: &&mut Entry<T>| matches!(entry, Entry::Reading(other) if *other == reader);
        if let Some(entry) = self.entries().get_mut(&key).filter(is_ours) {
            *entry = Entry::Read(read.clone());
        }
        Ok(read.map(|(_, content)| content))
    }

    /// Forgets an object that has another version now (none: it was deleted); whether it was known, so that somebody must
    /// look again.
    fn changed(&self, namespace: &str, name: &str, version: Option<&str>) -> bool {
        let key = (namespace.to_owned(), name.to_owned());
        let mut entries = self.entries();
        let is_new = match entries.get(&key) {
            None => false,
            Some(Entry::Reading(_)) => true,
            Some(Entry::Read(known)) => known.as_ref().map(|(known, _)| known.as_str()) != version,
        };
        if is_new {
            entries.remove(&key);
        }
        is_new
    }

    /// Takes what a watch tells: the object that somebody must look at again, if it was known.
    fn note<K: Resource<DynamicType = ()>>(&self, event: &Event<PartialObjectMeta<K>>) -> Option<Key> {
        let (found, is_there) = match event {
            Event::Apply(found) | Event::InitApply(found) => (found, true),
            Event::Delete(found) => (found, false),
            // What was deleted before a list was made has no event, nor has what was read in the meantime.
            Event::InitDone => {
                self.entries().clear();
                return None;
            }
            Event::Init => return None,
        };
        let (namespace, name) = (found.namespace().unwrap_or_default(), found.name_any());
        let version = found.resource_version().filter(|_| is_there);
        self.changed(&namespace, &name, version.as_deref())
            .then_some((namespace, name))
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry<T>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl References {
    /// The content of a ConfigMap; none: it does not exist.
    pub async fn config_map(
        &self,
        client: &Client,
        namespace: &str,
        name: &str,
    ) -> kube::Result<Option<Arc<Content>>> {
        let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
        let key = (namespace.to_owned(), name.to_owned());
        self.config_maps.get(&api, key, content).await
    }

    /// Reads a ConfigMap anew the next time.
    pub fn forget_config_map(&self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        self.config_maps.entries().remove(&key);
    }

    /// What callers of channels send, from a Secret; none: it does not exist.
    pub async fn secret(
        &self,
        client: &Client,
        namespace: &str,
        name: &str,
    ) -> kube::Result<Option<Arc<CallerSecret>>> {
        let api = Api::<Secret>::namespaced(client.clone(), namespace);
        let key = (namespace.to_owned(), name.to_owned());
        self.secrets.get(&api, key, CallerSecret::of).await
    }

    /// Credentials for git servers, from a Secret; none: it does not exist.
    pub async fn git_secret(
        &self,
        client: &Client,
        namespace: &str,
        name: &str,
    ) -> kube::Result<Option<Arc<GitSecret>>> {
        let api = Api::<Secret>::namespaced(client.clone(), namespace);
        let key = (namespace.to_owned(), name.to_owned());
        self.git_secrets.get(&api, key, GitSecret::of).await
    }

    /// What is known of the Secret with a database's user; none: it does not exist.
    pub async fn database_secret(
        &self,
        client: &Client,
        namespace: &str,
        name: &str,
    ) -> kube::Result<Option<Arc<DatabaseSecret>>> {
        let api = Api::<Secret>::namespaced(client.clone(), namespace);
        let key = (namespace.to_owned(), name.to_owned());
        self.database_secrets.get(&api, key, DatabaseSecret::of).await
    }

    fn note_config_map(&self, event: watcher::Result<Event<PartialObjectMeta<ConfigMap>>>, waker: &Waker) {
        let Ok(event) = event else { return };
        if let Some((namespace, name)) = self.config_maps.note(&event) {
            waker.for_config_map(&namespace, &name);
        }
        if matches!(event, Event::InitDone) {
            waker.everybody();
        }
    }

    /// Also credentials of clusters that somebody made, deleted or changed by hand.
    fn note_secret(&self, event: watcher::Result<Event<PartialObjectMeta<Secret>>>, waker: &Waker) {
        let Ok(event) = event else { return };
        let (of_channels, of_git) = (self.secrets.note(&event), self.git_secrets.note(&event));
        let of_database = self.database_secrets.note(&event);
        if let Some((namespace, name)) = of_channels.or(of_git).or(of_database) {
            waker.for_secret(&namespace, &name);
        }
        let secret = match event {
            Event::Apply(secret) | Event::InitApply(secret) | Event::Delete(secret) => secret,
            Event::InitDone => return waker.everybody(),
            Event::Init => return,
        };
        if let Some(cluster) = names::cluster_of_credentials(&secret.name_any()) {
            waker.cluster(&secret.namespace().unwrap_or_default(), cluster);
        }
    }
}

/// Wakes whom a change of an object without our label concerns. Never ends.
pub async fn follow(scope: Scope, references: References, waker: Waker) {
    let others = watcher::Config::default().labels(&labels::others_selector());
    let config_maps = watcher(scope.of::<PartialObjectMeta<ConfigMap>>(), others.clone()).default_backoff();
    let secrets = watcher(scope.of::<PartialObjectMeta<Secret>>(), others).default_backoff();
    let (first, again) = (waker.clone(), waker);
    let (of_config_maps, of_secrets) = (references.clone(), references);
    let note_config_map = move |event| {
        of_config_maps.note_config_map(event, &first);
        future::ready(())
    };
    let note_secret = move |event| {
        of_secrets.note_secret(event, &again);
        future::ready(())
    };
    tokio::join!(
        config_maps.for_each(note_config_map),
        secrets.for_each(note_secret)
    );
}

fn content(config_map: ConfigMap) -> Content {
    Content {
        texts: config_map.data.unwrap_or_default(),
        binary: config_map.binary_data.unwrap_or_default().into_keys().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(entry: Option<Entry<Content>>) -> Known<Content> {
        let known = Known::default();
        if let Some(entry) = entry {
            known.entries().insert(("n".into(), "c".into()), entry);
        }
        known
    }

    fn read(version: &str) -> Entry<Content> {
        Entry::Read(Some((version.into(), Arc::default())))
    }

    #[test]
    fn a_change_of_what_is_known_is_noticed_once() {
        for (entry, version, is_new) in [
            (None, Some("1"), false),
            (Some(read("1")), Some("1"), false),
            (Some(read("1")), Some("2"), true),
            (Some(read("1")), None, true),
            (Some(Entry::Read(None)), Some("1"), true),
            (Some(Entry::Read(None)), None, false),
            (Some(Entry::Reading(1)), Some("1"), true),
        ] {
            let known = known(entry.clone());
            assert_eq!(known.changed("n", "c", version), is_new, "{entry:?} {version:?}");
            assert!(!known.changed("n", "c", version), "{entry:?} {version:?}");
        }
    }
}
