//! The only writer of status. Events derive from conditions that flipped.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::Error;
use super::engine::Context;
use super::kind::{Conditions, Kind};
use crate::exchange::short_hash;
use crate::k8s::labels;

/// Statuses that were written and that the cache may lack: by UID, with the version that each of them made.
#[derive(Default)]
pub struct Written(Mutex<HashMap<String, (u64, Value)>>);

impl Written {
    /// An object with the status that it has, also when the cache is behind our own last write: what is told once is kept
    /// from there.
    pub fn applied_to<'a, K: Kind>(&self, object: &'a K) -> Cow<'a, K> {
        let uid = object.uid().unwrap_or_default();
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((made, status)) = written.get(&uid) else {
            return Cow::Borrowed(object);
        };
        if version(object).is_none_or(|version| version >= *made) {
            written.remove(&uid);
            return Cow::Borrowed(object);
        }
        let mut current = object.clone();
        *current.status_mut() = serde_json::from_value(status.clone()).ok();
        Cow::Owned(current)
    }

    fn remember<K: Kind>(&self, made: &K, status: &K::Status) {
        if let (Some(version), Ok(status)) = (version(made), serde_json::to_value(status)) {
            let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            written.insert(made.uid().unwrap_or_default(), (version, status));
        }
    }
}

/// Versions of one kind can be compared.
fn version<K: Kind>(object: &K) -> Option<u64> {
    object.resource_version()?.parse().ok()
}

/// Writes `status` if it differs from what the object has, and an event for each condition that flipped.
pub async fn report<K: Kind>(object: &K, mut status: K::Status, context: &Context) -> Result<(), Error> {
    let current = object.status();
    let old = current.map(Conditions::conditions).unwrap_or_default();
    carry_times(old, status.conditions_mut(), Timestamp::now());
    if current == Some(&status) {
        return Ok(());
    }
    let flipped = flips(old, status.conditions());
    write(object, &status, context).await?;
    for condition in flipped {
        publish(object, &condition, context).await;
    }
    Ok(())
}

/// A condition without a change of status keeps its time.
fn carry_times(old: &[Condition], new: &mut [Condition], now: Timestamp) {
    for condition in new {
        let before = old
            .iter()
            .find(|o| o.type_ == condition.type_ && o.status == condition.status);
        condition.last_transition_time = before.map_or(Time(now), |o| o.last_transition_time.clone());
    }
}

/// The conditions whose status or reason is new, and trouble that is told in other words. The first word about an object is
/// news only when it is trouble.
fn flips(old: &[Condition], new: &[Condition]) -> Vec<Condition> {
    let is_news = |c: &&Condition| match old.iter().find(|o| o.type_ == c.type_) {
        Some(o) => o.status != c.status || o.reason != c.reason || (is_trouble(c) && o.message != c.message),
        None => is_trouble(c),
    };
    new.iter().filter(is_news).cloned().collect()
}

fn is_trouble(condition: &Condition) -> bool {
    // What is on its way, what a user asked for, and what is as it should be.
    let quiet = [
        "Starting",
        "CallablesPending",
        "ChannelsPending",
        "Loading",
        "Deploying",
        "GitFetching",
        "Fresh",
        "ClusterNotReady",
        "Stopped",
    ];
    // Data of an earlier cluster may be what nobody wanted.
    condition.reason == "Adopted"
        || (condition.status != "True" && !quiet.contains(&condition.reason.as_str()))
}

async fn write<K: Kind>(object: &K, status: &K::Status, context: &Context) -> Result<(), Error> {
    let body = serde_json::json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        // A status must never be written onto a successor of the same name.
        "metadata": {"uid": object.uid()},
        "status": status,
    });
    let api = Api::<K>::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    let params = PatchParams::apply(labels::MANAGER).force();
    let written = api
        .patch_status(&object.name_any(), &params, &Patch::Apply(body))
        .await;
    if let Ok(made) = &written {
        context.written.remember(made, status);
    }
    unless_deleted(written.map(drop))
}

/// A conflict is no success: the object may have been deleted and made again, but also only changed at the same moment,
/// and then nothing else would bring this status.
fn unless_deleted(written: kube::Result<()>) -> Result<(), Error> {
    match written {
        Err(kube::Error::Api(error)) if error.is_not_found() => Ok(()),
        other => other.map_err(Error::from),
    }
}

async fn publish<K: Kind>(object: &K, condition: &Condition, context: &Context) {
    let note: String = format!("{}={}: {}", condition.type_, condition.status, condition.message);
    let event = Event {
        type_: if is_trouble(condition) {
            EventType::Warning
        } else {
            EventType::Normal
        },
        reason: condition.reason.clone(),
        note: Some(note.chars().take(1000).collect()),
        // The recorder joins events that differ in their note alone, and keeps the first one.
        action: format!("{}-{}", condition.type_, short_hash(condition.message.as_bytes())),
        secondary: None,
    };
    if let Err(error) = context.recorder.publish(&event, &object.object_ref(&())).await {
        // An event is a courtesy: the condition has the same text.
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "an event could not be published"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ZatoCluster;

    fn condition(status: &str, reason: &str, seconds: i64) -> Condition {
        Condition {
            type_: "Ready".into(),
            status: status.into(),
            reason: reason.into(),
            message: String::new(),
            observed_generation: None,
            last_transition_time: Time(Timestamp::from_second(seconds).unwrap()),
        }
    }

    /// The watch may bring our own write after the next reconcile has begun.
    #[test]
    fn a_status_that_was_written_counts_until_the_cache_has_it() {
        let object = |version: &str, summary: &str| -> ZatoCluster {
            serde_json::from_value(serde_json::json!({
                "apiVersion": "zato.io/v1alpha1", "kind": "ZatoCluster", "spec": {}, "status": {"summary": summary},
                "metadata": {"name": "x", "uid": "u", "resourceVersion": version},
            }))
            .unwrap()
        };
        let written = Written::default();
        let made = object("10", "new");
        written.remember(&made, made.status.as_ref().unwrap());
        let summary = |object: &ZatoCluster| written.applied_to(object).status.clone().unwrap().summary;
        assert_eq!(summary(&object("9", "old")), "new");
        assert_eq!(summary(&object("11", "of somebody else")), "of somebody else");
        assert_eq!(summary(&object("9", "old")), "old", "it is forgotten");
    }

    #[test]
    fn the_time_moves_only_when_the_status_flips() {
        let old = [condition("False", "Starting", 1)];
        let mut same = [condition("False", "ServerFailed", 0)];
        carry_times(&old, &mut same, Timestamp::from_second(9).unwrap());
        assert_eq!(same[0].last_transition_time, old[0].last_transition_time);
        let mut flipped = [condition("True", "Running", 0)];
        carry_times(&old, &mut flipped, Timestamp::from_second(9).unwrap());
        assert_eq!(
            flipped[0].last_transition_time.0,
            Timestamp::from_second(9).unwrap()
        );
    }

    #[test]
    fn a_status_that_met_a_conflict_is_written_again() {
        let refused = |reason: &str, code| {
            let status = kube::core::Status::failure("", reason).with_code(code);
            unless_deleted(Err(kube::Error::Api(status.boxed())))
        };
        assert!(refused("NotFound", 404).is_ok());
        let error = refused("Conflict", 409).unwrap_err();
        assert!(error.retry_after(0).is_some());
    }

    #[test]
    fn a_flip_is_a_change_of_status_or_reason() {
        let old = [condition("False", "Starting", 1)];
        assert!(flips(&old, &[condition("False", "Starting", 5)]).is_empty());
        assert_eq!(flips(&old, &[condition("False", "ServerFailed", 5)]).len(), 1);
        assert_eq!(flips(&old, &[condition("True", "Running", 5)]).len(), 1);
        assert!(flips(&[], &[condition("True", "Running", 5)]).is_empty());
        assert_eq!(flips(&[], &[condition("False", "NameTaken", 5)]).len(), 1);
        let told = |reason: &str, message: &str| {
            let mut told = condition("False", reason, 5);
            told.message = message.into();
            told
        };
        let failed = told("CallableFailed", "ValueError");
        assert_eq!(
            flips(
                std::slice::from_ref(&failed),
                &[told("CallableFailed", "KeyError")]
            )
            .len(),
            1
        );
        assert!(flips(std::slice::from_ref(&failed), std::slice::from_ref(&failed)).is_empty());
        assert!(flips(&[told("Deploying", "1 of 2")], &[told("Deploying", "2 of 2")]).is_empty());
    }
}
