//! The objects through which operator and agents talk: shard, index, report.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::metadata;
use crate::cluster::plan::{Plan, Texts};
use crate::cluster::startup::Startup;
use crate::exchange::{INDEX_KEY, REPORT_LABEL};
use crate::k8s::{labels, names};
use crate::reconcile::kind::{Manifest, Stage};

/// The contents of all files: before the new index also those that the old one names.
pub(super) fn shards(plan: &Plan) -> Vec<Manifest> {
    let of = |shards: &BTreeMap<String, Texts>, stage| {
        let manifest =
            |(name, texts): (&String, &Texts)| Manifest::owned(&shard(plan, name, texts)).at(stage);
        shards.iter().map(manifest).collect::<Vec<_>>()
    };
    let is_other_than_read = |manifest: Manifest| {
        let (read, wanted) = (&plan.read.shards, plan.transition.get(&manifest.name));
        let differs = read.get(&manifest.name).is_some_and(|read| Some(read) != wanted);
        manifest.that_differs(differs)
    };
    let transition = of(&plan.transition, Stage::Second).into_iter();
    let mut manifests: Vec<_> = transition.map(is_other_than_read).collect();
    let is_other = |manifest: &Manifest| !manifests.iter().any(|other| other.body == manifest.body);
    let after: Vec<_> = of(&plan.shards, Stage::Fourth)
        .into_iter()
        .filter(is_other)
        .collect();
    manifests.extend(after);
    manifests
}

fn shard(plan: &Plan, name: &str, texts: &Texts) -> ConfigMap {
    ConfigMap {
        metadata: metadata(plan, name.to_owned(), "code"),
        // The API server keeps no empty map.
        data: (!texts.is_empty()).then(|| texts.clone()),
        ..ConfigMap::default()
    }
}

/// What servers must have.
pub(super) fn index(plan: &Plan) -> Secret {
    let text = serde_json::to_vec(&plan.index).unwrap_or_default();
    Secret {
        metadata: metadata(plan, names::agent(&plan.name), labels::AGENT),
        data: Some(BTreeMap::from([(INDEX_KEY.into(), ByteString(text))])),
        ..Secret::default()
    }
}

/// What a server's pod mounts to call the startup callables. Never changed: its name is made from its contents.
pub(super) fn startup(plan: &Plan, startup: &Startup) -> ConfigMap {
    ConfigMap {
        metadata: metadata(plan, names::startup(&plan.name, &startup.hash()), labels::STARTUP),
        data: Some(startup.files()),
        immutable: Some(true),
        ..ConfigMap::default()
    }
}

/// One for each server, also while none is wanted: made empty; the server's agent owns its data.
pub(super) fn reports(plan: &Plan) -> impl Iterator<Item = Manifest> {
    (0..plan.servers.len()).map(|ordinal| Manifest::owned(&report(plan, ordinal)))
}

fn report(plan: &Plan, ordinal: usize) -> ConfigMap {
    let mut metadata = metadata(plan, names::report(&plan.name, ordinal), "report");
    metadata
        .labels
        .get_or_insert_default()
        .insert(REPORT_LABEL.into(), "true".into());
    ConfigMap {
        metadata,
        ..ConfigMap::default()
    }
}
