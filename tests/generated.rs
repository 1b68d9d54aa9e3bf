//! What is generated and committed is what the code says. `BLESS=1 cargo test --test generated` writes it anew.

// Helpers of tests are tests, too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use kube::CustomResourceExt;
use zato_operator::api::{ZatoCluster, ZatoService};
use zato_operator::reconcile::rbac;

fn check(path: &str, wanted: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{} is not what the code says: run BLESS=1 cargo test --test generated",
        path.display()
    );
}

/// The definitions that users install, beside the code and in the chart.
#[test]
fn custom_resource_definitions() {
    for crd in [ZatoCluster::crd(), ZatoService::crd()] {
        let text = serde_saphyr::to_string(&crd).unwrap();
        let file = format!("{}.yaml", crd.spec.names.plural);
        check(&format!("crds/{file}"), &text);
        check(&format!("charts/zato-operator/files/crds/{file}"), &text);
    }
}

/// The chart gives the operator the rights that the code lists, with the reasons.
#[test]
fn rules_of_the_chart() {
    let mut text = String::from("# Generated from src/reconcile/rbac.rs.\n");
    for (rule, policy) in rbac::RULES.iter().zip(rbac::policy_rules()) {
        let (groups, resources, verbs) = (
            policy.api_groups.unwrap(),
            policy.resources.unwrap(),
            policy.verbs,
        );
        let rule = format!(
            "# {}\n- apiGroups: {groups:?}\n  resources: {resources:?}\n  verbs: {verbs:?}\n",
            rule.because
        );
        text.push_str(&rule);
    }
    check("charts/zato-operator/files/rules.yaml", &text);
}
