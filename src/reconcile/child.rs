//! A child, or a pod of one, as the caches keep it: who it is, whose it is, and the little of its content that is needed.
//!
//! Thousands of them are kept, so it holds no manifest and no secret.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde::de::DeserializeOwned;

use super::owned;
use crate::cluster::credentials::{self, Fingerprint};
use crate::cluster::trouble::{self, Trouble};
use crate::exchange::{INDEX_KEY, Index, REPORT_KEY, REPORT_LABEL, Report};
use crate::k8s::labels;

/// One child.
#[derive(Clone, Debug)]
pub struct Child {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
    /// The UID of its controller.
    pub controller: Option<String>,
    /// The cluster that its labels name, if they say that the operator manages it.
    pub cluster: Option<String>,
    /// Whether it is being deleted.
    pub is_deleted: bool,
    /// What it has of our last apply: see [`owned::digest`].
    pub digest: String,
    /// What is needed of its content.
    pub content: Content,
}

/// What is needed of a child's content.
#[derive(Clone, Debug)]
pub enum Content {
    /// Nothing.
    None,
    /// The generation of a StatefulSet, and its status.
    StatefulSet(Option<i64>, Option<Box<StatefulSetStatus>>),
    /// An agent's report.
    Report(Box<Report>),
    /// What the servers of a cluster were told last.
    Index(Box<Index>),
    /// What keeps a pod from running, if anything does.
    Pod(Option<Trouble>),
    /// Whether the keys are usable, and their fingerprint; else why not.
    Credentials(Result<Fingerprint, String>),
}

impl Child {
    /// Reduces an object that was read in full.
    pub fn reduce(mut object: DynamicObject, kind: &str) -> Self {
        let entries = std::mem::take(object.managed_fields_mut());
        let whole = serde_json::to_value(&object).unwrap_or_default();
        let is_managed = object.labels().get(labels::MANAGED_BY).map(String::as_str) == Some(labels::MANAGER);
        let controller = object
            .owner_references()
            .iter()
            .find(|r| r.controller == Some(true));
        Self {
            digest: owned::digest(&whole, &entries),
            controller: controller.map(|reference| reference.uid.clone()),
            cluster: object
                .labels()
                .get(labels::INSTANCE)
                .filter(|_| is_managed)
                .cloned(),
            is_deleted: object.metadata.deletion_timestamp.is_some(),
            name: object.name_any(),
            namespace: ResourceExt::namespace(&object).unwrap_or_default(),
            uid: ResourceExt::uid(&object).unwrap_or_default(),
            content: Content::of(&object, whole, kind),
        }
    }
}

impl Content {
    fn of(object: &DynamicObject, whole: serde_json::Value, kind: &str) -> Self {
        let is = |label: &str, value: &str| object.labels().get(label).map(String::as_str) == Some(value);
        match kind {
            "StatefulSet" => parse::<StatefulSet>(whole).map_or(Self::None, |full| {
                Self::StatefulSet(full.metadata.generation, full.status.map(Box::new))
            }),
            "Pod" => Self::Pod(parse::<Pod>(whole).as_ref().and_then(trouble::of)),
            "ConfigMap" if is(REPORT_LABEL, "true") => parse::<ConfigMap>(whole)
                .and_then(|report| serde_json::from_str(report.data?.get(REPORT_KEY)?).ok())
                .map_or(Self::None, Self::Report),
            "Secret" if is(labels::COMPONENT, labels::AGENT) => parse::<Secret>(whole)
                .and_then(|secret| serde_json::from_slice(&secret.data?.get(INDEX_KEY)?.0).ok())
                .map_or(Self::None, Self::Index),
            "Secret" if is(labels::COMPONENT, labels::CREDENTIALS) => {
                let secret = parse::<Secret>(whole).unwrap_or_default();
                Self::Credentials(credentials::check(&secret))
            }
            _ => Self::None,
        }
    }
}

fn parse<K: DeserializeOwned>(whole: serde_json::Value) -> Option<K> {
    serde_json::from_value(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without apiVersion and kind: items of lists have none.
    fn object(labels: serde_json::Value, rest: serde_json::Value) -> DynamicObject {
        let mut object = serde_json::json!({"metadata": {"name": "x", "namespace": "n", "uid": "u", "generation": 3, "labels": labels}});
        object
            .as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_secret_leaves_only_its_fingerprint() {
        let secret = credentials::tests::secret("demo");
        let key = serde_json::to_value(&secret.data).unwrap()["key1"]
            .as_str()
            .unwrap()
            .to_owned();
        let whole = serde_json::to_value(&secret).unwrap();
        let object = object(
            whole["metadata"]["labels"].clone(),
            serde_json::json!({"data": whole["data"]}),
        );
        let child = Child::reduce(object, "Secret");
        assert!(matches!(child.content, Content::Credentials(Ok(_))), "{child:?}");
        assert_eq!(child.cluster.as_deref(), Some("demo"));
        assert!(!format!("{child:?}").contains(&key));
    }

    #[test]
    fn a_stateful_set_leaves_status_and_generation() {
        let rest = serde_json::json!({"spec": {"serviceName": "s", "selector": {}, "template": {}}, "status": {"replicas": 1, "readyReplicas": 1}});
        let child = Child::reduce(object(serde_json::json!({}), rest), "StatefulSet");
        let Content::StatefulSet(generation, status) = child.content else {
            panic!("{child:?}")
        };
        assert_eq!((generation, status.unwrap().ready_replicas), (Some(3), Some(1)));
        assert_eq!(child.cluster, None);
    }

    #[test]
    fn only_a_marked_config_map_is_a_report() {
        let data = serde_json::json!({"data": {REPORT_KEY: "{\"podUid\":\"p\"}"}});
        let of = |labels| Child::reduce(object(labels, data.clone()), "ConfigMap").content;
        assert!(
            matches!(of(serde_json::json!({REPORT_LABEL: "true"})), Content::Report(report) if report.pod_uid == "p")
        );
        assert!(matches!(of(serde_json::json!({})), Content::None));
    }
}
