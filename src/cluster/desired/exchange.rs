//! The objects through which operator and agents talk: shard, index, report.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::metadata;
use crate::cluster::plan::Plan;
use crate::exchange::{INDEX_KEY, REPORT_LABEL};
use crate::k8s::{labels, names};

/// The contents of all files.
pub(super) fn shards(plan: &Plan) -> Vec<ConfigMap> {
    let shard = |(name, texts): (&String, &BTreeMap<String, String>)| ConfigMap {
        metadata: metadata(plan, name.clone(), "code"),
        // The API server keeps no empty map.
        data: (!texts.is_empty()).then(|| texts.clone()),
        ..ConfigMap::default()
    };
    plan.shards.iter().map(shard).collect()
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

/// Made empty; the agent owns its data.
pub(super) fn report(plan: &Plan) -> ConfigMap {
    let mut metadata = metadata(plan, names::report(&plan.name, 0), "report");
    metadata
        .labels
        .get_or_insert_default()
        .insert(REPORT_LABEL.into(), "true".into());
    ConfigMap {
        metadata,
        ..ConfigMap::default()
    }
}
