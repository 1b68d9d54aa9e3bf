//! What a user applied is what is there, whichever program it was applied with: none of them sees a difference. One after
//! another, against an API server without pods, as tests/alone.rs.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use std::process::{Command, Output};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Secret, Service};
use serde_json::{Value, json};
use support::process::Process;
use support::{Namespace, cluster, install_definitions, kubeconfig, settled};
use zato_operator::api::ZatoCluster;

/// The same for all: the Lease of one that was killed is taken at once.
const IDENTITY: &str = "alone";

/// A program of users, in a namespace.
fn program(space: &Namespace, name: &str) -> Command {
    let mut command = Command::new(name);
    command
        .arg("--kubeconfig")
        .arg(kubeconfig())
        .args(["--namespace", space.name()]);
    command
}

/// Whether it succeeded, and what it printed.
fn told(output: &Output) -> (bool, String) {
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn kubectl(space: &Namespace, arguments: &[&str], input: &Value) -> (bool, String) {
    use std::io::Write;
    let piped = std::process::Stdio::piped;
    let mut child = program(space, "kubectl")
        .args(arguments)
        .stdin(piped())
        .stdout(piped())
        .stderr(piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.to_string().as_bytes())
        .unwrap();
    told(&child.wait_with_output().unwrap())
}

/// kubectl applies on its side and on the server's, compares and edits.
#[tokio::test]
async fn nothing_drifts() {
    install_definitions().await;
    let _operator = Process::start(&kubeconfig(), IDENTITY);
    let space = Namespace::new("drift").await;
    let object = cluster("c", json!({"scheduler": {"enabled": false}}));
    let apply = |arguments: &[&str]| kubectl(&space, &[&["apply", "-f", "-"], arguments].concat(), &object);
    assert!(apply(&[]).0);
    space.there::<StatefulSet>("c-server").await;
    settled(&space, "c").await;
    let (same, text) = kubectl(&space, &["diff", "-f", "-"], &object);
    assert!(same, "{text}");
    assert!(apply(&[]).1.contains("unchanged"));
    let generation = space.get::<ZatoCluster>("c").await.metadata.generation;
    let (applied, text) = apply(&["--server-side", "--field-manager=other"]);
    assert!(applied, "{text}");
    assert_eq!(
        space.get::<ZatoCluster>("c").await.metadata.generation,
        generation
    );
    // An editor of the user's that changes one word, or nothing.
    let edit = |script: &str| {
        let mut command = program(&space, "kubectl");
        command
            .args(["edit", "zatocluster", "c"])
            .env("KUBE_EDITOR", format!("sed -i {script}"));
        told(&command.output().unwrap())
    };
    let (edited, text) = edit("s/nothing/else/");
    assert!(edited && text.contains("no changes"), "{text}");
    let (edited, text) = edit("/scheduler:/,/enabled:/s/false/true/");
    assert!(edited && text.contains("edited"), "{text}");
    settled(&space, "c").await;
    let found = space.get::<ZatoCluster>("c").await;
    assert!(found.spec.scheduler.enabled);
    assert_eq!(found.metadata.generation, generation.map(|g| g + 1));
    space.delete().await;
}

/// A cluster in a chart of the user's own: installed, upgraded without and with a change, and uninstalled.
#[tokio::test]
async fn a_chart_of_the_users_own() {
    install_definitions().await;
    let _operator = Process::start(&kubeconfig(), IDENTITY);
    let space = Namespace::new("chart").await;
    let chart = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(chart.path().join(name), text).unwrap();
    write("Chart.yaml", "apiVersion: v2\nname: mine\nversion: 1.0.0\n");
    std::fs::create_dir(chart.path().join("templates")).unwrap();
    write(
        "templates/cluster.yaml",
        "apiVersion: zato.io/v1alpha1\nkind: ZatoCluster\nmetadata:\n  name: c\nspec:\n  dashboard:\n    enabled: {{ .Values.dashboard }}\n",
    );
    let helm = |arguments: &[&str]| {
        let (is_done, text) = told(&program(&space, "helm").args(arguments).output().unwrap());
        assert!(is_done, "helm {arguments:?}: {text}");
        text
    };
    let upgrade = |value: &str| {
        let chart = chart.path().to_str().unwrap();
        helm(&["upgrade", "--install", "mine", chart, "--set", value]);
    };
    upgrade("dashboard=true");
    space.there::<Service>("c-dashboard").await;
    settled(&space, "c").await;
    let generation = async || space.get::<ZatoCluster>("c").await.metadata.generation;
    let before = generation().await;
    upgrade("dashboard=true");
    assert_eq!(generation().await, before);
    let manifest = chart.path().join("manifest.yaml");
    std::fs::write(&manifest, helm(&["get", "manifest", "mine"])).unwrap();
    let (is_same, text) = kubectl(&space, &["diff", "-f", manifest.to_str().unwrap()], &Value::Null);
    assert!(is_same, "{text}");
    upgrade("dashboard=false");
    space
        .until("the dashboard's Service gone", || async {
            space.find::<Service>("c-dashboard").await.is_none()
        })
        .await;
    helm(&["uninstall", "mine"]);
    space
        .until("the end of the children", || async {
            space.find::<StatefulSet>("c-server").await.is_none()
        })
        .await;
    assert!(space.find::<Secret>("c-zato").await.is_some());
    space.delete().await;
}
