//! Pods that the API server refused to a StatefulSet, as by a quota or a policy. Only the events of its controller tell.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, future};
use k8s_openapi::api::core::v1::Event as Occurrence;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};

use super::waker::Waker;
use super::watches::Scope;
use crate::k8s::names;

/// What was said of each StatefulSet of a cluster last, by its UID.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<Mutex<HashMap<String, String>>>);

impl Refusals {
    /// What was said of a StatefulSet; when it has a pod, that is over.
    pub fn of(&self, uid: &str, has_pod: bool) -> Option<String> {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if has_pod {
            refusals.remove(uid);
        }
        refusals.get(uid).cloned()
    }

    /// Notes an event; the namespace and the cluster that it concerns, if it says something new of one.
    fn note(&self, event: watcher::Result<Event<Occurrence>>) -> Option<(String, String)> {
        let (occurrence, is_over) = match event {
            Ok(Event::Apply(occurrence) | Event::InitApply(occurrence)) => (occurrence, false),
            Ok(Event::Delete(occurrence)) => (occurrence, true),
            // What a list does not bring again is over.
            Ok(Event::Init) => {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
                return None;
            }
            Ok(Event::InitDone) | Err(_) => return None,
        };
        let object = occurrence.involved_object;
        let cluster = names::cluster_of_servers(object.name.as_deref()?)?.to_owned();
        let (uid, said) = (object.uid?, occurrence.message.unwrap_or_default());
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_over {
            refusals.remove(&uid);
            return None;
        }
        let before = refusals.insert(uid, said.clone());
        (before.as_ref() != Some(&said)).then(|| (object.namespace.unwrap_or_default(), cluster))
    }
}

/// Follows the events of StatefulSets whose pods cannot be made. Never ends.
pub async fn follow(scope: Scope, refusals: Refusals, waker: Waker) {
    let selected = watcher::Config::default().fields("involvedObject.kind=StatefulSet,reason=FailedCreate");
    let events = watcher(scope.of::<Occurrence>(), selected).default_backoff();
    let note = move |event| {
        if let Some((namespace, cluster)) = refusals.note(event) {
            waker.cluster(&namespace, &cluster);
        }
        future::ready(())
    };
    events.for_each(note).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, message: &str) -> Occurrence {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "e", "namespace": "n"}, "message": message,
            "involvedObject": {"kind": "StatefulSet", "name": name, "namespace": "n", "uid": "u"},
        }))
        .unwrap()
    }

    #[test]
    fn what_is_new_wakes_its_cluster_once() {
        let refusals = Refusals::default();
        let note = |name, message| refusals.note(Ok(Event::Apply(event(name, message))));
        assert_eq!(note("other", "why"), None);
        assert_eq!(note("c-server", "why"), Some(("n".into(), "c".into())));
        assert_eq!(note("c-server", "why"), None);
        assert_eq!(refusals.of("u", false).as_deref(), Some("why"));
        assert_eq!(refusals.note(Ok(Event::Delete(event("c-server", "why")))), None);
        assert_eq!(refusals.of("u", false), None);
        refusals.note(Ok(Event::Apply(event("c-server", "again"))));
        assert_eq!((refusals.of("u", true), refusals.of("u", false)), (None, None));
    }
}
