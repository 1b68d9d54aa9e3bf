//! Pure: from spec and inputs to what will be done. After this step nothing can fail but the API server.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;

use super::credentials::Fingerprint;
use super::inputs::{Inputs, Previous};
use super::trouble::Trouble;
use crate::api::ZatoCluster;
use crate::api::zato_cluster::{DeletionPolicy, ImagePullPolicy, Storage};
use crate::exchange::{Index, IndexedService, Report};
use crate::k8s::names;
use crate::reconcile::Error;
use crate::service::plan::{Checked, checked, indexed};

/// What will be done.
#[derive(Debug)]
pub struct Plan {
    /// The cluster's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The Zato image.
    pub image: String,
    /// When it is pulled.
    pub pull_policy: ImagePullPolicy,
    /// Secrets to pull it with.
    pub pull_secrets: Vec<String>,
    /// The agent's image.
    pub agent_image: String,
    /// The volume of the database.
    pub storage: Storage,
    /// Whether a scheduler runs.
    pub has_scheduler: bool,
    /// Whether a dashboard runs.
    pub has_dashboard: bool,
    /// Whether no pod may run.
    pub is_stopped: bool,
    /// What becomes of data and keys.
    pub deletion_policy: DeletionPolicy,
    /// Whether the credentials Secret is the operator's, and not a user's own.
    pub is_secret_labelled: bool,
    /// What keeps the pod from running.
    pub trouble: Option<Trouble>,
    /// The fingerprint of the key.
    pub fingerprint: Fingerprint,
    /// What servers must have.
    pub index: Index,
    /// The contents of shard 0.
    pub files: BTreeMap<String, String>,
    /// Services, and the revision that each has now, if it is valid.
    pub revisions: BTreeMap<String, Option<String>>,
    /// The StatefulSet as it was when this began.
    pub stateful_set: Option<StatefulSet>,
    /// The server's report.
    pub report: Option<Report>,
}

/// Plans one cluster.
pub fn plan(cluster: &ZatoCluster, inputs: Inputs) -> Result<Plan, Error> {
    let name = cluster.name_any();
    let image = cluster
        .spec
        .image
        .clone()
        .unwrap_or(inputs.settings.zato_image.clone());
    if image.is_empty() {
        let why = "no image is given, and the operator has no default: set spec.image or the chart's defaultZatoImage";
        return Err(Error::Invalid {
            field: "image".into(),
            why: why.into(),
        });
    }
    let services = checked(&inputs.services, &inputs.previous.index);
    let revisions = services
        .iter()
        .map(|s| (s.name.clone(), s.result.as_ref().ok().map(|r| r.revision.clone())))
        .collect();
    let (index, files) = index(&name, services, &inputs);
    Ok(Plan {
        image,
        pull_policy: cluster.spec.image_pull_policy,
        pull_secrets: cluster
            .spec
            .image_pull_secrets
            .iter()
            .map(|s| s.name.clone())
            .collect(),
        agent_image: inputs.settings.agent_image,
        storage: cluster.spec.database.sqlite.storage.clone(),
        has_scheduler: cluster.spec.scheduler.enabled,
        has_dashboard: cluster.spec.dashboard.enabled,
        is_stopped: cluster.spec.stopped,
        deletion_policy: cluster.spec.deletion_policy,
        is_secret_labelled: inputs.is_secret_labelled,
        trouble: inputs.trouble,
        fingerprint: inputs.fingerprint,
        index,
        files,
        revisions,
        stateful_set: inputs.stateful_set,
        report: inputs.report,
        namespace: cluster.namespace().unwrap_or_default(),
        name,
    })
}

/// The index and the contents: the current version of each valid service, the previous one of each invalid one.
fn index(cluster: &str, services: Vec<Checked<'_>>, inputs: &Inputs) -> (Index, BTreeMap<String, String>) {
    let (mut indexed, mut files) = (BTreeMap::new(), BTreeMap::new());
    let shard = names::code(cluster, 0);
    for service in services {
        match service.result.clone() {
            Ok(mut current) => {
                for (name, file) in &mut current.files {
                    file.shard.clone_from(&shard);
                    files.insert(name.clone(), service.text_of(name).to_owned());
                }
                indexed.insert(service.name, current);
            }
            Err(_) => {
                if let Some(old) = previous(&service.name, inputs, &mut files) {
                    indexed.insert(service.name, old);
                }
            }
        }
    }
    (Index::sealed(indexed), files)
}

/// The previous version, from its contents: those are written before the index that tells their hashes.
fn previous(service: &str, inputs: &Inputs, files: &mut BTreeMap<String, String>) -> Option<IndexedService> {
    let Previous {
        index,
        files: contents,
    } = &inputs.previous;
    let old = index.services.get(service)?;
    // All of its files or none: half a service is not the old version.
    let texts: Option<Vec<_>> = old
        .files
        .keys()
        .map(|name| contents.get_key_value(name))
        .collect();
    let texts = texts?;
    let mut kept = indexed(texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))).ok()?;
    for (name, file) in &mut kept.files {
        file.shard.clone_from(&old.files[name].shard);
    }
    files.extend(texts.into_iter().map(|(name, text)| (name.clone(), text.clone())));
    Some(kept)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::api::ZatoService;
    use crate::reconcile::engine::Settings;

    pub(crate) fn cluster(spec: serde_json::Value) -> ZatoCluster {
        let object = serde_json::json!({
            "apiVersion": "zato.io/v1alpha1", "kind": "ZatoCluster",
            "metadata": {"name": "demo", "namespace": "default", "uid": "uid-of-demo", "generation": 1}, "spec": spec,
        });
        serde_json::from_value(object).unwrap()
    }

    fn service(name: &str, text: &str) -> ZatoService {
        let object = serde_json::json!({
            "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": name, "namespace": "default"},
            "spec": {"clusterRef": {"name": "demo"}, "source": {"inline": {format!("{name}.py"): text}}},
        });
        serde_json::from_value(object).unwrap()
    }

    fn inputs(services: &[(&str, &str)]) -> Inputs {
        Inputs {
            settings: Settings {
                zato_image: "registry.local/zato:3.2".into(),
                agent_image: "registry.local/agent:1".into(),
                identity: "operator-0".into(),
            },
            fingerprint: Fingerprint("0123456789abcdef".into()),
            services: services.iter().map(|(name, text)| service(name, text)).collect(),
            previous: Previous::default(),
            is_secret_labelled: true,
            trouble: None,
            stateful_set: None,
            report: None,
        }
    }

    pub(crate) fn plan_of(services: &[(&str, &str)]) -> Plan {
        plan(&cluster(serde_json::json!({})), inputs(services)).unwrap()
    }

    #[test]
    fn without_any_image_the_field_is_named() {
        let mut inputs = inputs(&[]);
        inputs.settings.zato_image = String::new();
        let error = plan(&cluster(serde_json::json!({})), inputs).unwrap_err();
        assert!(error.to_string().starts_with("image: "), "{error}");
    }

    #[test]
    fn an_invalid_service_keeps_its_previous_version() {
        let before = plan_of(&[("s", "x = 1\n")]);
        let mut inputs = inputs(&[("s", "(")]);
        inputs.previous = Previous {
            index: before.index.clone(),
            files: before.files.clone(),
        };
        let after = plan(&cluster(serde_json::json!({})), inputs).unwrap();
        assert_eq!((after.index, after.files), (before.index, before.files));
        assert_eq!(after.revisions["s"], None);
    }

    /// The operator may end between the two writes.
    #[test]
    fn a_shard_that_is_ahead_of_its_index_is_the_previous_version() {
        let (before, ahead) = (plan_of(&[("s", "x = 1\n")]), plan_of(&[("s", "x = 2\n")]));
        let mut inputs = inputs(&[("s", "(")]);
        inputs.previous = Previous {
            index: before.index,
            files: ahead.files.clone(),
        };
        let after = plan(&cluster(serde_json::json!({})), inputs).unwrap();
        assert_eq!((after.index, after.files), (ahead.index, ahead.files));
    }

    /// The case that two services could block each other with: an older one is renamed and broken, a newer one takes
    /// its file.
    #[test]
    fn a_kept_version_and_a_new_one_never_share_a_file() {
        let before = plan_of(&[("a", "x = 1\n")]);
        let file = |name: &str, file: &str, text: &str| {
            let mut service = service(name, text);
            let text = service.spec.source.inline.pop_first().unwrap().1;
            service.spec.source.inline.insert(file.into(), text);
            service
        };
        let mut inputs = inputs(&[]);
        inputs.services = vec![file("a", "a2.py", "("), file("b", "a.py", "x = 2\n")];
        inputs.previous = Previous {
            index: before.index.clone(),
            files: before.files.clone(),
        };
        let after = plan(&cluster(serde_json::json!({})), inputs).unwrap();
        assert_eq!((after.index, after.files), (before.index, before.files));
    }

    #[test]
    fn an_invalid_service_without_a_previous_version_is_left_out() {
        let plan = plan_of(&[("good", "x = 1\n"), ("bad", "(")]);
        assert_eq!(plan.index.services.keys().collect::<Vec<_>>(), ["good"]);
        assert_eq!(plan.files.keys().collect::<Vec<_>>(), ["good.py"]);
    }
}
