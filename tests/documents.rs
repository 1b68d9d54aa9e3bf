//! OpenAPI documents of services that run: published when servers have the code, kept in versions, and what they say is
//! what the services do, as schemathesis and Postman's own runner see it. `make e2e` brings everything up.

// Helpers of tests are tests, too; a story may be as long as it is. Not every story uses every word.
#![allow(clippy::unwrap_used, clippy::too_many_lines, dead_code)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use serde_json::{Value, json};
use support::way::Way;
use support::{Namespace, cluster, service, until_ready, until_service, until_service_told};
use zato_operator::api::{PublishedDocument, ZatoCluster, ZatoService};

const ACCOUNT: &str = include_str!("openapi/services/account.py");

/// The newest document that a status names, and its text.
async fn published(
    space: &Namespace,
    newest: Option<PublishedDocument>,
) -> Option<(PublishedDocument, Value)> {
    let newest = newest?;
    let map = space.find::<ConfigMap>(&newest.config_map).await?;
    assert_eq!(map.immutable, Some(true));
    Some((newest, serde_json::from_str(&map.data?["openapi.json"]).unwrap()))
}

async fn of_service(space: &Namespace, name: &str) -> Option<(PublishedDocument, Value)> {
    let status = space.get::<ZatoService>(name).await.status?;
    published(space, status.openapi).await
}

async fn of_cluster(space: &Namespace) -> Option<(PublishedDocument, Value)> {
    let status = space.get::<ZatoCluster>("c").await.status?;
    published(space, status.openapi).await
}

async fn until_loaded(space: &Namespace, names: &[&str]) {
    for name in names {
        until_service(space, name, "Ready", |ready| ready.status == "True").await;
    }
}

/// A document for each ZatoService and one for the cluster; a version more for each change of what it says, ten of them at
/// most; what is not loaded is not published; the newest one comes back when somebody deletes it, and all of it goes with its
/// object.
#[tokio::test]
async fn documents_are_published() {
    let space = Namespace::new("documents").await;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    let other = "from zato.server.service import Service\n\nclass Other(Service):\n    name = 'api.other'\n    input = 'x'\n\n    def handle(self):\n        self.response.payload = {'a': 1}\n";
    for (name, file, text) in [("accounts", "account.py", ACCOUNT), ("other", "other.py", other)] {
        space
            .create::<ZatoService>(&service(name, "c", &[(file, text)]))
            .await
            .unwrap();
    }
    until_ready(&space, "True", "Running").await;
    until_loaded(&space, &["accounts", "other"]).await;

    space
        .until("the document of the cluster", || async {
            of_cluster(&space).await.is_some()
        })
        .await;
    // When it was published stands in the status only after it was.
    let (first, document) = space
        .until_some("the first document", || async {
            let found = of_service(&space, "accounts").await;
            found.filter(|(document, _)| document.published.is_some())
        })
        .await;
    assert_eq!(
        (first.version, first.config_map.as_str()),
        (1, "accounts-openapi-1")
    );
    let path = "/zato/api/invoke/api.get.user.account";
    assert_eq!(
        document["paths"].as_object().unwrap().keys().collect::<Vec<_>>(),
        [path]
    );
    assert_eq!(document["info"]["version"], "1");
    let address = format!("http://c.{}.svc:11223", space.name());
    assert_eq!(document["servers"][0]["url"], address.as_str());
    assert_eq!(
        document["components"]["schemas"]["request_api_get_user_account"]["properties"]["account_id"]["description"],
        "ID of the user account to return"
    );
    space
        .until("the document of the cluster has both services", || async {
            of_cluster(&space)
                .await
                .is_some_and(|(_, document)| document["paths"].as_object().unwrap().len() == 2)
        })
        .await;

    // What callers cannot see makes no version; what they can see makes one when it is loaded.
    let edit = async |text: String| {
        let patch = json!({"spec": {"source": {"inline": {"other.py": text}}}});
        space.merge::<ZatoService>("other", &patch).await.unwrap();
        until_loaded(&space, &["other"]).await;
    };
    edit(format!("{other}# a comment\n")).await;
    assert_eq!(of_service(&space, "other").await.unwrap().0.version, 1);
    let patch = json!({"spec": {"source": {"inline": {"other.py": format!("import no_such_module\n{}", other.replace("'x'", "'x', '-lost'"))}}}});
    space.merge::<ZatoService>("other", &patch).await.unwrap();
    until_service_told(&space, "other", "Ready", "LoadFailed", "").await;
    assert_eq!(of_service(&space, "other").await.unwrap().0.version, 1);
    for version in 2..=12 {
        edit(other.replace("'x'", &format!("'x', '-y{version}'"))).await;
        space
            .until(&format!("version {version}"), || async {
                of_service(&space, "other").await.unwrap().0.version == version
            })
            .await;
    }
    let names = async || {
        let maps = space
            .api::<ConfigMap>()
            .list(&kube::api::ListParams::default())
            .await
            .unwrap();
        let mut versions: Vec<u32> = maps
            .items
            .iter()
            .filter_map(|map| map.name_any().strip_prefix("other-openapi-")?.parse().ok())
            .collect();
        versions.sort_unstable();
        versions
    };
    space
        .until("ten versions", || async {
            names().await == (3..=12).collect::<Vec<_>>()
        })
        .await;

    // The newest one is made anew under the same version; an older one is history that the user took away.
    let (newest, text) = of_service(&space, "other").await.unwrap();
    space.remove::<ConfigMap>("other-openapi-12").await;
    space
        .until("the newest document again", || async {
            let again = of_service(&space, "other").await;
            again.is_some_and(|(again, found)| again.version == newest.version && found == text)
        })
        .await;
    space.remove::<ZatoService>("other").await;
    space
        .until("no document of it", || async { names().await.is_empty() })
        .await;
    space
        .until("the cluster's document without it", || async {
            of_cluster(&space).await.unwrap().1["paths"]
                .as_object()
                .unwrap()
                .len()
                == 1
        })
        .await;
    space.delete().await;
}

/// Services of all kinds, called by schemathesis as their published document says, and by Postman's runner as the
/// collection says: no answer contradicts them.
#[tokio::test]
async fn documents_say_what_services_do() {
    let space = Namespace::new("contract").await;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    let live = include_str!("openapi/live/live.py");
    let kinds = include_str!("openapi/live/kinds.py");
    let mut live = service(
        "live",
        "c",
        &[("live.py", live), ("kinds.py", kinds), ("account.py", ACCOUNT)],
    );
    // Also on channels of their own, with and without a body.
    let channel = |service: &str, path: &str, methods: &[&str]| json!({"name": service.replace('.', "-"), "rest": {"service": service, "urlPath": path, "methods": methods, "security": {"none": {}}}});
    live["spec"]["channels"] = json!([
        channel("api.get.user.account", "/account/{account_id}", &["GET", "PUT"]),
        channel("live.rename", "/rename", &["GET", "POST"]),
    ]);
    space.create::<ZatoService>(&live).await.unwrap();
    until_ready(&space, "True", "Running").await;
    until_loaded(&space, &["live"]).await;
    let (_, document) = space
        .until_some("the document", || of_service(&space, "live"))
        .await;
    assert!(
        document["paths"]["/account/{account_id}"]["put"].is_object()
            && document["paths"]["/rename"]["get"].is_object()
    );
    let way = Way::to(&space, "service/c", 11223).await;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("documents");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    schemathesis(&way, &folder, &document);
    postman(&way, &folder);
    drop(way);
    space.delete().await;
}

/// What the document takes is answered as it says. What it does not take is refused, or answered with some status that it
/// names: Zato takes more than it promises (any value for text, numbers as text), and gives back what services make of it.
fn schemathesis(way: &Way, folder: &Path, document: &Value) {
    let calls = |document: &Value, mode: &str, examples: usize, left_out: &str| {
        std::fs::write(folder.join("openapi.json"), document.to_string()).unwrap();
        let mut command = checker("schemathesis");
        command
            .current_dir(folder)
            .arg("--config-file")
            .arg(sources().join("schemathesis.toml"));
        command.args([
            "run",
            "openapi.json",
            "--url",
            &way.url(),
            "--no-color",
            "--seed=1",
            "--workers=1",
        ]);
        command.arg(format!("--auth=pubapi:{}", way.password()));
        command.arg(format!("--exclude-checks={left_out}"));
        run(command
            .arg(format!("--mode={mode}"))
            .arg(format!("--max-examples={examples}")))
    };
    let (is_right, said) = calls(document, "positive", 40, "unsupported_method");
    assert!(is_right, "{said}");
    // A value that it cannot convert is a 500 of Zato, as the document says.
    let left_out =
        "unsupported_method,negative_data_rejection,response_schema_conformance,not_a_server_error";
    let (is_right, said) = calls(document, "negative", 10, left_out);
    assert!(is_right, "{said}");
    // A judge that finds nothing in a wrong document would prove nothing.
    let mut wrong = document.clone();
    wrong["components"]["schemas"]["response_live_rename"]["properties"]["name"]["type"] = "integer".into();
    let (is_right, said) = calls(&wrong, "positive", 1, "unsupported_method");
    assert!(!is_right && said.contains("is not of type \"integer\""), "{said}");
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi")
}

/// Sends each request of the collection, as Postman would.
fn postman(way: &Way, folder: &Path) {
    let (sources, folder) = (sources(), folder.join("collection"));
    let mut apispec = Command::new(env!("CARGO_BIN_EXE_zato-operator"));
    apispec
        .arg("apispec")
        .args([sources.join("live"), sources.join("services/account.py")]);
    apispec.args(["--postman", "--dir"]).arg(&folder);
    passes(apispec.args(["--server", &way.url()]));
    let mut newman = checker("newman");
    newman
        .current_dir(&folder)
        .args(["run", "postman.json", "--color=off", "--reporters=cli,json"]);
    newman.args(["--reporter-json-export", "newman.json", "--env-var"]);
    passes(newman.arg(format!("password={}", way.password())));
    let report: Value = serde_json::from_slice(&std::fs::read(folder.join("newman.json")).unwrap()).unwrap();
    let executions = report["run"]["executions"].as_array().unwrap();
    assert_eq!(executions.len(), 10);
    for execution in executions {
        assert_eq!(
            execution["response"]["code"], 200,
            "{}",
            execution["item"]["name"]
        );
    }
}

/// A program that others made.
fn checker(name: &str) -> Command {
    let folder = std::env::var_os("CHECKERS")
        .expect("CHECKERS names the folder of dev/openapi/tools.sh: run make e2e");
    Command::new(Path::new(&folder).join(name))
}

fn passes(command: &mut Command) {
    let (is_right, said) = run(command);
    assert!(is_right, "{said}");
}

/// Whether it ends without an error, and what it says.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    (output.status.success(), said.concat())
}
