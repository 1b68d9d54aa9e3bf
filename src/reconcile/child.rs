//! A child, or a pod of one, as the caches keep it: who it is, whose it is, and the little of its content that is needed.
//!
//! Thousands of them are kept, so it holds no manifest and no secret.

use std::borrow::Cow;

use k8s_openapi::api::apps::v1::{DeploymentStatus, StatefulSetStatus};
use k8s_openapi::api::batch::v1::JobStatus;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use kube::api::ApiResource;
use kube::core::{DynamicResourceScope, ObjectMeta};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use serde_json::Value;
use serde_json_borrow::{ObjectAsVec, Value as Borrowed};

use super::owned::{self, Digest};
use crate::api::{KeptRevision, PublishedDocument};
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
    /// What it has of our last apply.
    pub digest: Digest,
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
    /// The generation of a Deployment, and its status.
    Deployment(Option<i64>, Option<Box<DeploymentStatus>>),
    /// How far a Job is.
    Job(JobState),
    /// An agent's report.
    Report(Box<Report>),
    /// What the servers of a cluster were told last.
    Index(Box<Index>),
    /// A version of an OpenAPI document.
    Document(Box<PublishedDocument>),
    /// A revision of a service's files.
    Revision(Box<KeptRevision>),
    /// Startup callables, as a pod mounts them.
    Startup,
    /// What is known of a pod.
    Pod(Box<PodState>),
    /// What is known of a volume claim.
    Claim(Claim),
    /// Whether the keys are usable, and their fingerprint; else why not.
    Credentials(Result<Fingerprint, String>),
}

/// A volume claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The fingerprint of the key with which its database was made, if its annotation says it.
    pub made_with: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
}

/// A Job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobState {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Whether it did its work.
    pub is_complete: bool,
    /// Whether it gave up.
    pub is_failed: bool,
    /// What the last of its pods said that failed. Not of the Job itself: the caches of pods know it.
    pub said: Option<String>,
    /// What keeps one of its pods from running; from there, too.
    pub trouble: Option<Trouble>,
}

impl JobState {
    fn of(mut whole: Value) -> Self {
        let text = |field: &str| whole["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (name, uid) = (text("name"), text("uid"));
        let status: JobStatus = parse(whole["status"].take()).unwrap_or_default();
        let has = |kind: &str| {
            let mut conditions = status.conditions.iter().flatten();
            conditions.any(|found| found.type_ == kind && found.status == "True")
        };
        Self {
            name,
            uid,
            is_complete: has("Complete"),
            is_failed: has("Failed"),
            ..Self::default()
        }
    }
}

/// A pod of a StatefulSet, or of a Job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodState {
    /// Its UID.
    pub uid: String,
    /// The revision of the template from which it was made.
    pub revision: String,
    /// Whether it is on its way out.
    pub is_deleted: bool,
    /// Whether Kubernetes sends requests to it.
    pub is_ready: bool,
    /// What keeps it from running, if anything does.
    pub trouble: Option<Trouble>,
    /// What its last container said that failed, if the pod is of a Job, and when it was made.
    pub said: Option<(Timestamp, String)>,
}

impl PodState {
    fn of(mut whole: Value) -> Self {
        let metadata = &whole["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (uid, revision) = (
            text(&metadata["uid"]),
            text(&metadata["labels"]["controller-revision-hash"]),
        );
        let is_deleted = metadata["deletionTimestamp"].is_string();
        let created = parse(metadata["creationTimestamp"].clone());
        let pod = Pod {
            status: parse(whole["status"].take()),
            ..Pod::default()
        };
        Self {
            uid,
            revision,
            is_deleted,
            is_ready: is_ready(&pod),
            said: trouble::last_words(&pod).and_then(|words| Some((created?, words))),
            trouble: trouble::of(&pod),
        }
    }
}

fn is_ready(pod: &Pod) -> bool {
    let mut conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// An object as the API server sent it, without what is only compared: see [`owned::digest`].
#[derive(Clone, Debug)]
pub struct Full {
    /// Name, namespace, UID and version.
    metadata: ObjectMeta,
    digest: Digest,
    rest: Value,
}

/// What outlives the answer: all members but these.
fn copy(object: &ObjectAsVec<'_>, without: &[&str]) -> Value {
    let members = object.iter().filter(|(name, _)| !without.contains(name));
    members
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect()
}

impl<'de> Deserialize<'de> for Full {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = Borrowed::deserialize(deserializer)?;
        let meta = whole.get("metadata");
        let text = |field: &str| meta.get(field).as_str().map(ToOwned::to_owned);
        let metadata = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            generation: meta.get("generation").as_i64(),
            ..ObjectMeta::default()
        };
        let Some(members) = whole.as_object() else {
            return Err(D::Error::custom("an object is a JSON object"));
        };
        let mut rest = copy(members, &["metadata", "spec", "rules", "subjects", "roleRef"]);
        if let Some(meta) = meta.as_object() {
            rest["metadata"] = copy(meta, &["managedFields"]);
        }
        let digest = owned::digest(&whole);
        Ok(Self {
            metadata,
            digest,
            rest,
        })
    }
}

impl Resource for Full {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }
    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }
    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }
    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Child {
    /// Reduces an object that was read in full.
    pub fn reduce(object: Full, kind: &str) -> Self {
        let Full {
            metadata,
            digest,
            rest,
        } = object;
        let meta = &rest["metadata"];
        let label = |name: &str| meta["labels"][name].as_str();
        let owners = meta["ownerReferences"].as_array();
        let controller = owners.and_then(|all| all.iter().find(|owner| owner["controller"] == true));
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        Self {
            digest,
            controller: controller.and_then(|owner| text(&owner["uid"])),
            cluster: label(labels::INSTANCE)
                .filter(|_| label(labels::MANAGED_BY) == Some(labels::MANAGER))
                .map(ToOwned::to_owned),
            is_deleted: meta["deletionTimestamp"].is_string(),
            name: metadata.name.unwrap_or_default(),
            namespace: metadata.namespace.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
            content: Content::of(rest, kind),
        }
    }
}

impl Content {
    fn of(mut whole: Value, kind: &str) -> Self {
        let labels = &whole["metadata"]["labels"];
        let is = |label: &str, value: &str| labels[label] == value;
        match kind {
            "StatefulSet" => Self::StatefulSet(
                whole["metadata"]["generation"].as_i64(),
                parse(whole["status"].take()),
            ),
            "Deployment" => Self::Deployment(
                whole["metadata"]["generation"].as_i64(),
                parse(whole["status"].take()),
            ),
            "Job" => Self::Job(JobState::of(whole)),
            "Pod" => Self::Pod(Box::new(PodState::of(whole))),
            "PersistentVolumeClaim" => {
                let metadata = &mut whole["metadata"];
                Self::Claim(Claim {
                    made_with: parse(metadata["annotations"][labels::KEY_FINGERPRINT].take()),
                    created: parse(metadata["creationTimestamp"].take()),
                })
            }
            "ConfigMap" if is(REPORT_LABEL, "true") => whole["data"][REPORT_KEY]
                .as_str()
                .and_then(|report| serde_json::from_str(report).ok())
                .map_or(Self::None, Self::Report),
            "ConfigMap" if is(labels::COMPONENT, labels::OPENAPI) => {
                document(&whole["metadata"]).map_or(Self::None, |found| Self::Document(Box::new(found)))
            }
            "ConfigMap" if is(labels::COMPONENT, labels::REVISION) => {
                revision(&whole["metadata"]).map_or(Self::None, |found| Self::Revision(Box::new(found)))
            }
            "ConfigMap" if is(labels::COMPONENT, labels::STARTUP) => Self::Startup,
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

fn document(metadata: &Value) -> Option<PublishedDocument> {
    let annotation = |name: &str| metadata["annotations"][name].as_str();
    Some(PublishedDocument {
        version: annotation(labels::DOCUMENT_VERSION)?.parse().ok()?,
        hash: annotation(labels::DOCUMENT_HASH)?.to_owned(),
        config_map: metadata["name"].as_str()?.to_owned(),
        published: parse(metadata["creationTimestamp"].clone()),
    })
}

fn revision(metadata: &Value) -> Option<KeptRevision> {
    Some(KeptRevision {
        revision: metadata["annotations"][labels::REVISION_HASH]
            .as_str()?
            .to_owned(),
        config_map: metadata["name"].as_str()?.to_owned(),
        commit: parse(metadata["annotations"][labels::COMMIT].clone()),
        kept: parse(metadata["creationTimestamp"].clone()),
    })
}

fn parse<K: DeserializeOwned>(whole: Value) -> Option<K> {
    serde_json::from_value(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without apiVersion and kind: items of lists have none.
    fn object(labels: serde_json::Value, rest: serde_json::Value) -> Full {
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
    fn a_document_leaves_its_version() {
        let reduced = |version: &str| {
            let metadata = serde_json::json!({
                "name": "x", "namespace": "n", "uid": "u", "labels": {labels::COMPONENT: labels::OPENAPI},
                "annotations": {labels::DOCUMENT_VERSION: version, labels::DOCUMENT_HASH: "h"},
            });
            let whole = serde_json::json!({"metadata": metadata, "data": {"openapi.json": "{}"}});
            Child::reduce(serde_json::from_value(whole).unwrap(), "ConfigMap").content
        };
        let Content::Document(found) = reduced("7") else {
            panic!("no document")
        };
        assert_eq!(
            (found.version, found.hash.as_str(), found.config_map.as_str()),
            (7, "h", "x")
        );
        assert!(matches!(reduced("seven"), Content::None));
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
