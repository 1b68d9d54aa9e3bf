//! What the operator may do, as data: the chart's ClusterRole is generated from it.

use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::k8s::labels;

/// One rule, and why it is needed.
pub struct Rule {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The resources.
    pub resources: &'static [&'static str],
    /// The verbs.
    pub verbs: &'static [&'static str],
    /// Why.
    pub because: &'static str,
}

const CHILD: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// All rules of the operator.
pub const RULES: &[Rule] = &[
    Rule {
        group: "zato.io",
        resources: &["zatoclusters", "zatoservices"],
        verbs: &["list", "watch"],
        because: "what users want",
    },
    Rule {
        group: "zato.io",
        resources: &["zatoclusters/status", "zatoservices/status"],
        verbs: &["patch"],
        because: "what users see",
    },
    Rule {
        group: "",
        resources: &[
            "secrets",
            "configmaps",
            "services",
            "serviceaccounts",
            "persistentvolumeclaims",
        ],
        verbs: CHILD,
        because: "children; secrets, configmaps and patch of them are also what the agents' Roles give",
    },
    Rule {
        group: "apps",
        resources: &["statefulsets", "deployments"],
        verbs: CHILD,
        because: "children",
    },
    Rule {
        group: "batch",
        resources: &["jobs"],
        verbs: CHILD,
        because: "the Job that makes Zato's tables in a database",
    },
    Rule {
        group: "policy",
        resources: &["poddisruptionbudgets"],
        verbs: CHILD,
        because: "children: a drain of nodes takes one server at a time",
    },
    Rule {
        group: "rbac.authorization.k8s.io",
        resources: &["roles", "rolebindings"],
        verbs: CHILD,
        because: "each cluster's agents get a Role of their own; it holds nothing that this ClusterRole lacks",
    },
    Rule {
        group: "",
        resources: &["pods"],
        verbs: &["list", "watch", "delete"],
        because: "a report counts only for the pod that runs; one of an older template is deleted",
    },
    Rule {
        group: "",
        resources: &["events"],
        verbs: &["list", "watch"],
        because: "why the API server refuses a pod is told nowhere else",
    },
    Rule {
        group: "events.k8s.io",
        resources: &["events"],
        verbs: &["create", "patch"],
        because: "conditions that flip",
    },
];

/// The rules in the operator's own namespace, on its Lease. A name cannot be demanded of what is created.
pub const OWN_RULES: &[Rule] = &[
    Rule {
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &["create"],
        because: "the first operator makes the Lease",
    },
    Rule {
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &["get", "list", "watch", "update"],
        because: "one of several operators leads",
    },
];

/// The rules as Kubernetes has them.
pub fn policy_rules() -> Vec<PolicyRule> {
    RULES.iter().map(|rule| policy(rule, None)).collect()
}

/// [`OWN_RULES`] as Kubernetes has them.
pub fn own_policy_rules() -> Vec<PolicyRule> {
    let name = |rule: &Rule| (rule.verbs != ["create"]).then_some(labels::MANAGER);
    OWN_RULES.iter().map(|rule| policy(rule, name(rule))).collect()
}

fn policy(rule: &Rule, name: Option<&str>) -> PolicyRule {
    let owned = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect::<Vec<String>>();
    PolicyRule {
        api_groups: Some(vec![rule.group.to_owned()]),
        resources: Some(owned(rule.resources)),
        resource_names: name.map(|name| vec![name.to_owned()]),
        verbs: owned(rule.verbs),
        ..PolicyRule::default()
    }
}
