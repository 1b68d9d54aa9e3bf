//! The pods of the servers: in a Quickstart cluster one pod with every component in a container of its own.
//!
//! Containers with Zato's image run Zato's own programs and `/bin/sh`; containers with ours run the agent. They share
//! volumes. Every Zato process is the first process of its container and ends on SIGTERM.

pub(super) mod components;
mod containers;
mod environment;
mod scripts;
mod volumes;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy};
use k8s_openapi::api::core::v1::{
    LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::metadata;
use crate::cluster::plan::Plan;
use crate::k8s::{labels, names};

/// preStop, graceful timeout and 10 s: what a server needs at most to end.
const GRACE_SECONDS: i64 = containers::PRE_STOP_SECONDS + containers::GRACEFUL_TIMEOUT_SECONDS + 10;
/// The user of Zato's images.
const USER: i64 = 1000;

pub(super) fn stateful_set(plan: &Plan) -> StatefulSet {
    StatefulSet {
        metadata: metadata(plan, names::server(&plan.name), "server"),
        spec: Some(StatefulSetSpec {
            replicas: Some(i32::try_from(plan.started()).unwrap_or(i32::MAX)),
            service_name: Some(names::server(&plan.name)),
            pod_management_policy: Some("Parallel".into()),
            // The operator deletes pods of an older template itself.
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".into()),
                ..StatefulSetUpdateStrategy::default()
            }),
            selector: labels::label_selector(&plan.name, "server"),
            template: template(plan, "server", servers(plan)),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

/// A pod of this cluster. Another user of the database is another template.
fn template(plan: &Plan, component: &str, spec: PodSpec) -> PodTemplateSpec {
    let version = plan.database.as_ref().map(|database| database.version.clone());
    let annotation = |version| BTreeMap::from([(labels::DATABASE_USER.to_owned(), version)]);
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels::child(&plan.name, component)),
            annotations: version.map(annotation),
            ..ObjectMeta::default()
        }),
        spec: Some(spec),
    }
}

fn servers(plan: &Plan) -> PodSpec {
    let is_quickstart = plan.database.is_none();
    let beside = |is_there: bool| is_there && is_quickstart;
    PodSpec {
        service_account_name: Some(names::agent(&plan.name)),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        init_containers: Some(vec![
            containers::agent(plan),
            containers::create(plan),
            containers::harden(plan, "server"),
        ]),
        containers: std::iter::once(containers::server(plan))
            .chain(beside(plan.has_scheduler).then(|| containers::scheduler(plan)))
            .chain(beside(plan.has_dashboard).then(|| containers::dashboard(plan)))
            .chain(is_quickstart.then(|| containers::load_balancer(plan)))
            .collect(),
        volumes: Some(volumes::volumes(plan)),
        ..plan.availability.servers.placed(&plan.name, "server", pod(plan))
    }
}

/// What all pods have.
fn pod(plan: &Plan) -> PodSpec {
    let pull_secrets: Vec<_> = plan
        .pull_secrets
        .iter()
        .map(|n| LocalObjectReference { name: n.clone() })
        .collect();
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: (!pull_secrets.is_empty()).then_some(pull_secrets),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".into(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        ..PodSpec::default()
    }
}
