//! Who the agents are, and what they may do: read their cluster's index and code, write their own report.

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};

use super::metadata;
use crate::cluster::plan::Plan;
use crate::k8s::{labels, names};

pub(super) fn service_account(plan: &Plan) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(plan, names::agent(&plan.name), labels::AGENT),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

/// The Secret with keys and passwords without them: labels only, and the owner that `apply` adds.
pub(super) fn credentials(plan: &Plan) -> Secret {
    Secret {
        metadata: metadata(plan, names::credentials(&plan.name), labels::CREDENTIALS),
        ..Secret::default()
    }
}

pub(super) fn role(plan: &Plan) -> Role {
    let rule = |resource: &str, names: Vec<String>, verbs: &[&str]| PolicyRule {
        api_groups: Some(vec![String::new()]),
        resources: Some(vec![resource.into()]),
        resource_names: Some(names),
        verbs: verbs.iter().map(|&verb| verb.into()).collect(),
        ..PolicyRule::default()
    };
    let reports = (0..plan.servers.len())
        .map(|ordinal| names::report(&plan.name, ordinal))
        .collect();
    Role {
        metadata: metadata(plan, names::agent(&plan.name), labels::AGENT),
        rules: Some(vec![
            rule(
                "secrets",
                vec![names::agent(&plan.name)],
                &["get", "list", "watch"],
            ),
            rule("configmaps", names::shards(&plan.name).collect(), &["get"]),
            rule("configmaps", reports, &["patch"]),
        ]),
    }
}

pub(super) fn role_binding(plan: &Plan) -> RoleBinding {
    RoleBinding {
        metadata: metadata(plan, names::agent(&plan.name), labels::AGENT),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".into(),
            kind: "Role".into(),
            name: names::agent(&plan.name),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".into(),
            name: names::agent(&plan.name),
            namespace: Some(plan.namespace.clone()),
            ..Subject::default()
        }]),
    }
}
