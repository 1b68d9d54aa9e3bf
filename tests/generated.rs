//! What is generated and committed is what the code says. `BLESS=1 cargo test --test generated` writes it anew.

// Helpers of tests are tests, too.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::CustomResourceExt;
use zato_operator::api::conditions::{Explanation, Reason};
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
    let reasons = rbac::RULES.iter().map(|rule| rule.because);
    check(
        "charts/zato-operator/files/rules.yaml",
        &rules(rbac::policy_rules(), reasons),
    );
    let reasons = rbac::OWN_RULES.iter().map(|rule| rule.because);
    check(
        "charts/zato-operator/files/own-rules.yaml",
        &rules(rbac::own_policy_rules(), reasons),
    );
}

/// The table of reasons, each with a test that exists.
#[test]
fn reasons_of_conditions() {
    let sources = sources();
    let mut text = String::from(CONDITIONS);
    for reason in Reason::ALL {
        let Explanation {
            place,
            meaning,
            next_step,
            test,
        } = reason.explanation();
        assert!(
            sources.contains(&format!("fn {test}(")),
            "there is no test {test}"
        );
        let _ = writeln!(
            text,
            "| {place} | `{reason}` | {meaning} | {next_step} | `{test}` |"
        );
    }
    check("docs/reference/conditions.md", &text);
}

const CONDITIONS: &str = "\
# Conditions

Generated from `src/api/conditions.rs`. `kubectl get` shows the beginning of what `Ready` says, `kubectl get --output wide`
all of it, and `kubectl describe` the other conditions, too:

| Condition | True when |
|---|---|
| `Ready` | the object does what its spec says, now (a paused cluster keeps what it was) |
| `ServicesLoaded` of a ZatoCluster | every ZatoService of it is loaded in its current revision |
| `DatabaseReady` of a ZatoCluster | Zato's tables are in its PostgreSQL; it is there if the cluster is Distributed. A server that loses the database later is told in `Ready` |
| `CallablesPassed` of a ZatoCluster | all startup callables passed when the servers started last; it is there if there are callables |
| `DataAdopted` of a ZatoCluster | data and keys are those of an earlier cluster of this name; False is the usual |
| `FileNamesSafe` of a ZatoService | no file has a name that Zato takes for one of its own |
| `Compatible` of a ZatoService | the last change of what is deployed breaks no callers; it is there once a version is deployed |
| `SourceFetched` of a ZatoService | the newest commit of its git source was fetched; it is there if the code is from git |
| `ChannelsActive` of a ZatoService | every channel answers as the spec says; it is there if there are channels |
| `JobsScheduled` of a ZatoService | every job is on Zato's scheduler as the spec says, is suspended, or ran at its time; it is there if there are jobs |
| `Documented` | the OpenAPI document of what was loaded last is published |

A message of trouble names the object at fault, the cause and the next step. The last column names the test that shows it.

| Object: condition | Reason | Meaning | What to do | Test |
|---|---|---|---|---|
";

/// All Rust sources in one text.
fn sources() -> String {
    let mut folders = vec![
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"),
    ];
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text += &fs::read_to_string(path).unwrap();
            }
        }
    }
    text
}

fn rules<'a>(rules: Vec<PolicyRule>, reasons: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::from("# Generated from src/reconcile/rbac.rs.\n");
    for (rule, because) in rules.into_iter().zip(reasons) {
        let (groups, resources, verbs) = (rule.api_groups.unwrap(), rule.resources.unwrap(), rule.verbs);
        let names = rule
            .resource_names
            .map(|names| format!("  resourceNames: {names:?}\n"));
        let _ = write!(
            text,
            "# {because}\n- apiGroups: {groups:?}\n  resources: {resources:?}\n{}  verbs: {verbs:?}\n",
            names.unwrap_or_default()
        );
    }
    text
}
