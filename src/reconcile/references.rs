//! Objects of users that ours refer to: read once for each change of them, and kept in memory while nothing changes.
//!
//! They have no label of ours, so a watch of metadata alone tells of changes; what nobody asked for is not kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt, future};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};

use super::stores::Scope;
use super::waker::Waker;
use crate::k8s::{labels, names};
use crate::service::source::Content;

/// What was read of ConfigMaps.
#[derive(Clone, Debug, Default)]
pub struct References {
    entries: Arc<Mutex<HashMap<Key, Entry>>>,
    readers: Arc<AtomicU64>,
}

/// Namespace and name.
type Key = (String, String);

#[derive(Clone, Debug, PartialEq)]
enum Entry {
    /// It is being read, by whom of several: a change in the meantime takes this entry away, and what is read then is
    /// not kept.
    Reading(u64),
    /// Its resource version and content; none: it does not exist.
    Read(Option<(String, Arc<Content>)>),
}

impl References {
    /// The content of a ConfigMap; none: it does not exist.
    pub async fn config_map(
        &self,
        client: &Client,
        namespace: &str,
        name: &str,
    ) -> kube::Result<Option<Arc<Content>>> {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(Entry::Read(known)) = self.entries().get(&key) {
            return Ok(known.as_ref().map(|(_, content)| content.clone()));
        }
        let reader = Entry::Reading(self.readers.fetch_add(1, Ordering::Relaxed));
        self.entries().insert(key.clone(), reader.clone());
        let read = Api::<ConfigMap>::namespaced(client.clone(), namespace)
            .get_opt(name)
            .await;
        if read.is_err() {
            self.entries().remove(&key);
        }
        let read = read?.map(|found| {
            (
                found.resource_version().unwrap_or_default(),
                Arc::new(content(found)),
            )
        });
        if let Some(entry) = self.entries().get_mut(&key).filter(|entry| **entry == reader) {
            *entry = Entry::Read(read.clone());
        }
        Ok(read.map(|(_, content)| content))
    }

    /// Forgets a ConfigMap that has another version now (none: it was deleted); whether it was known, so that somebody
    /// must look again.
    pub fn changed(&self, namespace: &str, name: &str, version: Option<&str>) -> bool {
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

    /// Notes a change of a ConfigMap.
    fn note(&self, event: watcher::Result<Event<PartialObjectMeta<ConfigMap>>>, waker: &Waker) {
        let (found, is_there) = match event {
            Ok(Event::Apply(found) | Event::InitApply(found)) => (found, true),
            Ok(Event::Delete(found)) => (found, false),
            // What was deleted before a list was made has no event, nor has what was read in the meantime.
            Ok(Event::InitDone) => {
                self.entries().clear();
                return waker.everybody();
            }
            Ok(Event::Init) | Err(_) => return,
        };
        let (namespace, name) = (found.namespace().unwrap_or_default(), found.name_any());
        let version = found.resource_version().filter(|_| is_there);
        if self.changed(&namespace, &name, version.as_deref()) {
            waker.for_config_map(&namespace, &name);
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes whom a change of an object without our label concerns. Never ends.
pub async fn follow(scope: Scope, references: References, waker: Waker) {
    let others = watcher::Config::default().labels(&labels::others_selector());
    let config_maps = watcher(scope.of::<PartialObjectMeta<ConfigMap>>(), others.clone()).default_backoff();
    let secrets = watcher(scope.of::<PartialObjectMeta<Secret>>(), others).default_backoff();
    let (first, again) = (waker.clone(), waker);
    let note_config_map = move |event| {
        references.note(event, &first);
        future::ready(())
    };
    let note_secret = move |event| {
        credentials(event, &again);
        future::ready(())
    };
    tokio::join!(
        config_maps.for_each(note_config_map),
        secrets.for_each(note_secret)
    );
}

/// Credentials that somebody made, deleted or changed by hand.
fn credentials(event: watcher::Result<Event<PartialObjectMeta<Secret>>>, waker: &Waker) {
    let secret = match event {
        Ok(Event::Apply(secret) | Event::InitApply(secret) | Event::Delete(secret)) => secret,
        Ok(Event::InitDone) => return waker.everybody(),
        Ok(Event::Init) | Err(_) => return,
    };
    if let Some(cluster) = names::cluster_of_credentials(&secret.name_any()) {
        waker.cluster(&secret.namespace().unwrap_or_default(), cluster);
    }
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

    fn references(entry: Option<Entry>) -> References {
        let references = References::default();
        if let Some(entry) = entry {
            references.entries().insert(("n".into(), "c".into()), entry);
        }
        references
    }

    fn read(version: &str) -> Entry {
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
            let references = references(entry.clone());
            assert_eq!(
                references.changed("n", "c", version),
                is_new,
                "{entry:?} {version:?}"
            );
            assert!(!references.changed("n", "c", version), "{entry:?} {version:?}");
        }
    }
}
