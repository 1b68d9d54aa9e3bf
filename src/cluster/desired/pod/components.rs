//! The other pods of a Distributed cluster: scheduler, dashboard and load balancers, and the Job that makes Zato's tables.
//!
//! None of them knows the Kubernetes API. What they are created from is written by an init container of ours.

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, StatefulSet, StatefulSetSpec,
};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};

use super::{containers, pod, template, volumes};
use crate::cluster::desired::metadata;
use crate::cluster::plan::Plan;
use crate::exchange::short_hash;
use crate::k8s::{labels, names};

/// How often the Job's pod is made anew before the Job itself is. Each takes twice as long to come as the one before, from 10 s on: a
/// database that comes late is not waited for too long, and one that refuses is not asked all the time.
const TRIES: i32 = 4;
/// Scheduler and dashboard end within 2 s of SIGTERM.
const GRACE_SECONDS: i64 = 15;

/// Makes Zato's tables where there are none, and judges what is there. Its name says what it does: a Job never changes. A
/// container of it never starts twice: what the one before it found out may not be so any more.
pub(in crate::cluster::desired) fn database(plan: &Plan) -> Job {
    let spec = PodSpec {
        restart_policy: Some("Never".into()),
        init_containers: Some(vec![
            containers::prepare(plan, "database"),
            containers::create(plan),
        ]),
        containers: vec![containers::database(plan)],
        volumes: Some(volumes::of_component(plan)),
        ..pod(plan)
    };
    let template = template(plan, "database", spec);
    let text = serde_json::to_vec(&template).unwrap_or_default();
    Job {
        metadata: metadata(
            plan,
            names::database(&plan.name, &short_hash(&text)[..8]),
            "database",
        ),
        spec: Some(JobSpec {
            backoff_limit: Some(TRIES),
            template,
            ..JobSpec::default()
        }),
        ..Job::default()
    }
}

/// One, never two: each would run all jobs.
pub(in crate::cluster::desired) fn scheduler(plan: &Plan) -> StatefulSet {
    StatefulSet {
        metadata: metadata(plan, names::scheduler(&plan.name), "scheduler"),
        spec: Some(StatefulSetSpec {
            replicas: Some(one(plan)),
            service_name: Some(names::scheduler(&plan.name)),
            // Else one of a template that does not work would wait for a person when the template is mended.
            pod_management_policy: Some("Parallel".into()),
            selector: labels::label_selector(&plan.name, "scheduler"),
            template: component(plan, "scheduler", containers::scheduler(plan)),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

pub(in crate::cluster::desired) fn dashboard(plan: &Plan) -> Deployment {
    let template = component(plan, "dashboard", containers::dashboard(plan));
    let name = names::dashboard(&plan.name);
    let mut made = deployment(plan, name, "dashboard", one(plan), template);
    // Two dashboards at once would write the same rows.
    if let Some(spec) = &mut made.spec {
        spec.strategy = Some(DeploymentStrategy {
            type_: Some("Recreate".into()),
            rolling_update: None,
        });
    }
    made
}

pub(in crate::cluster::desired) fn load_balancer(plan: &Plan) -> Deployment {
    let spec = PodSpec {
        termination_grace_period_seconds: Some(super::GRACE_SECONDS),
        containers: vec![containers::load_balancer(plan)],
        volumes: Some(volumes::of_load_balancer(plan)),
        ..plan
            .availability
            .load_balancers
            .placed(&plan.name, "load-balancer", pod(plan))
    };
    let template = template(plan, "load-balancer", spec);
    let replicas = if plan.is_stopped { 0 } else { plan.load_balancers };
    deployment(
        plan,
        names::load_balancer(&plan.name),
        "load-balancer",
        replicas,
        template,
    )
}

/// Nothing that needs the database starts before it is there.
fn one(plan: &Plan) -> i32 {
    let is_made = plan.database.as_ref().is_some_and(|database| database.is_made);
    i32::from(is_made && !plan.is_stopped)
}

fn component(plan: &Plan, name: &str, container: k8s_openapi::api::core::v1::Container) -> PodTemplateSpec {
    let spec = PodSpec {
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        init_containers: Some(vec![
            containers::prepare(plan, name),
            containers::create(plan),
            containers::harden(plan, name),
        ]),
        containers: vec![container],
        volumes: Some(volumes::of_component(plan)),
        ..pod(plan)
    };
    template(plan, name, spec)
}

fn deployment(
    plan: &Plan,
    name: String,
    component: &str,
    replicas: i32,
    template: PodTemplateSpec,
) -> Deployment {
    Deployment {
        metadata: metadata(plan, name, component),
        spec: Some(DeploymentSpec {
            replicas: Some(replicas),
            selector: labels::label_selector(&plan.name, component),
            template,
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}
