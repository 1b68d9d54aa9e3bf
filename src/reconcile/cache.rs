//! A cache of one kind of children, in the order of their names, so that those of one cluster stand together.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use kube::runtime::watcher::Event;
use tokio::sync::watch::Sender;

use super::child::Child;

/// By namespace and name: see [`key`].
type Children = BTreeMap<Box<str>, Arc<Child>>;

/// Children of one kind, as a watch tells them.
#[derive(Default)]
pub struct Cache {
    children: RwLock<Children>,
    /// What a list that is under way has brought.
    coming: RwLock<Children>,
    listed: Sender<bool>,
}

impl Cache {
    /// One child.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<Child>> {
        read(&self.children).get(key(namespace, name).as_ref()).cloned()
    }

    /// All children whose names begin so.
    pub fn beginning_with(&self, namespace: &str, prefix: &str) -> Vec<Arc<Child>> {
        let from = key(namespace, prefix);
        let children = read(&self.children);
        let found = children.range(from.clone()..);
        found
            .take_while(|(key, _)| key.starts_with(from.as_ref()))
            .map(|(_, child)| child.clone())
            .collect()
    }

    /// Takes what a watch tells.
    pub fn note(&self, event: &Event<Child>) {
        let insert = |children: &RwLock<Children>, child: &Child| {
            let mut children = children.write().unwrap_or_else(PoisonError::into_inner);
            children.insert(key(&child.namespace, &child.name), Arc::new(child.clone()));
        };
        match event {
            Event::Apply(child) => insert(&self.children, child),
            Event::Delete(child) => {
                let mut children = self.children.write().unwrap_or_else(PoisonError::into_inner);
                children.remove(&key(&child.namespace, &child.name));
            }
            Event::Init => drop(self.take_coming()),
            Event::InitApply(child) => insert(&self.coming, child),
            Event::InitDone => {
                let listed = self.take_coming();
                *self.children.write().unwrap_or_else(PoisonError::into_inner) = listed;
                self.listed.send_replace(true);
            }
        }
    }

    /// Waits until it was filled once.
    pub async fn ready(&self) {
        // The sender lives as long as the cache.
        let _ = self.listed.subscribe().wait_for(|listed| *listed).await;
    }

    fn take_coming(&self) -> Children {
        std::mem::take(&mut *self.coming.write().unwrap_or_else(PoisonError::into_inner))
    }
}

fn read(children: &RwLock<Children>) -> RwLockReadGuard<'_, Children> {
    children.read().unwrap_or_else(PoisonError::into_inner)
}

/// No name has a slash.
fn key(namespace: &str, name: &str) -> Box<str> {
    format!("{namespace}/{name}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::child::Content;
    use crate::reconcile::owned::Digest;

    fn child(namespace: &str, name: &str) -> Child {
        Child {
            name: name.into(),
            namespace: namespace.into(),
            uid: "u".into(),
            controller: None,
            cluster: None,
            is_deleted: false,
            digest: Digest::default(),
            content: Content::None,
        }
    }

    fn names(cache: &Cache, namespace: &str, prefix: &str) -> Vec<String> {
        let found = cache.beginning_with(namespace, prefix);
        found.iter().map(|child| child.name.clone()).collect()
    }

    #[test]
    fn a_prefix_finds_the_children_of_one_namespace() {
        let cache = Cache::default();
        for (namespace, name) in [
            ("n", "b-x"),
            ("n", "a-y"),
            ("n", "a"),
            ("n-2", "a-z"),
            ("m", "a-w"),
        ] {
            cache.note(&Event::Apply(child(namespace, name)));
        }
        assert_eq!(names(&cache, "n", "a"), ["a", "a-y"]);
        cache.note(&Event::Delete(child("n", "a")));
        assert_eq!(names(&cache, "n", "a"), ["a-y"]);
        assert!(cache.get("n-2", "a-z").is_some() && cache.get("n", "a-z").is_none());
    }

    /// Until a list is complete the one before it counts; what it lacks is gone then.
    #[tokio::test]
    async fn a_list_replaces_what_was_there() {
        let cache = Cache::default();
        for event in [
            Event::Init,
            Event::InitApply(child("n", "old")),
            Event::InitDone,
            Event::Init,
            Event::InitApply(child("n", "lost")),
            Event::Init,
            Event::InitApply(child("n", "new")),
        ] {
            cache.note(&event);
        }
        assert_eq!(names(&cache, "n", ""), ["old"]);
        cache.note(&Event::InitDone);
        assert_eq!(names(&cache, "n", ""), ["new"]);
        cache.ready().await;
    }
}
