//! Stories with pods: Zato's stand-in runs on the node, and is called as a user calls it, through the Service.
//! `make e2e` brings everything up.

// Helpers of tests are tests, too; a story may be as long as it is. Not every story uses every word.
#![allow(clippy::unwrap_used, clippy::too_many_lines, dead_code)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;
use support::{Namespace, cluster, condition, service};
use zato_operator::api::{ZatoCluster, ZatoService};

fn code(answer: &str) -> String {
    format!(
        "from zato.server.service import Service\n\nclass Greeting(Service):\n    name = 'story.greeting'\n\n    def handle(self):\n        self.response.payload = {{'answer': '{answer}'}}\n"
    )
}

async fn set_code(space: &Namespace, text: &str) {
    let patch = json!({"spec": {"source": {"inline": {"greeting.py": text}}}});
    space.merge::<ZatoService>("greeting", &patch).await.unwrap();
}

async fn service_ready(
    space: &Namespace,
) -> Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    let found = space.get::<ZatoService>("greeting").await;
    let status = found
        .status
        .filter(|status| status.observed_generation == found.metadata.generation)?;
    condition(&status.conditions, "Ready")
}

async fn cluster_ready(space: &Namespace) -> bool {
    let status = space.get::<ZatoCluster>("c").await.status.unwrap_or_default();
    condition(&status.conditions, "Ready").is_some_and(|c| c.status == "True")
}

async fn running(space: &Namespace) {
    space.until("the cluster Ready", || cluster_ready(space)).await;
    space
        .until("the service Ready", || async {
            service_ready(space).await.is_some_and(|c| c.status == "True")
        })
        .await;
}

/// The way from this machine to the load balancer's Service.
struct Way {
    forward: Child,
    // kubectl ends when it cannot say that it forwards.
    _output: BufReader<ChildStdout>,
    port: u16,
    password: String,
}

impl Drop for Way {
    fn drop(&mut self) {
        let _ = self.forward.kill();
        let _ = self.forward.wait();
    }
}

impl Way {
    async fn to(space: &Namespace) -> Self {
        let mut forward = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(support::kubeconfig())
            .args(["--namespace", space.name(), "port-forward", "service/c", ":11223"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl is on PATH: run make e2e");
        let mut line = String::new();
        let mut output = BufReader::new(forward.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let port = line
            .split("127.0.0.1:")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .unwrap_or_default();
        let port = port
            .parse()
            .unwrap_or_else(|_| panic!("kubectl port-forward said {line:?}"));
        let secret = space.get::<Secret>("c-zato").await.data.unwrap();
        Self {
            forward,
            _output: output,
            port,
            password: String::from_utf8(secret["pubapiPassword"].0.clone()).unwrap(),
        }
    }

    /// Status and body.
    async fn get(&self, path: &str) -> (u16, String) {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let login = STANDARD.encode(format!("pubapi:{}", self.password));
        let answer = reqwest::Client::new()
            .get(url)
            .header("Authorization", format!("Basic {login}"))
            .send()
            .await;
        let Ok(answer) = answer else {
            return (0, String::new());
        };
        (answer.status().as_u16(), answer.text().await.unwrap_or_default())
    }

    async fn answers(&self, what: &str) -> bool {
        let (status, body) = self.get("/zato/api/invoke/story.greeting").await;
        status == 200
            && serde_json::from_str::<serde_json::Value>(&body).is_ok_and(|body| body["answer"] == what)
    }
}

async fn pod(space: &Namespace) -> (Option<String>, i32) {
    let pod = space.get::<Pod>("c-server-0").await;
    let status = pod.status.clone().unwrap_or_default();
    let all = [status.container_statuses, status.init_container_statuses];
    (
        pod.uid(),
        all.into_iter()
            .flatten()
            .flatten()
            .map(|container| container.restart_count)
            .sum(),
    )
}

async fn start(story: &str) -> Namespace {
    let space = Namespace::new(story).await;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    space
        .create::<ZatoService>(&service("greeting", "c", &[("greeting.py", &code("first"))]))
        .await
        .unwrap();
    space
}

/// The main path: a service answers; edits answer without a restart, the last of two at once too; code that is not
/// Python, or that does not load, is told, and what was there goes on answering; nothing else is reachable.
#[tokio::test]
async fn a_service_follows_its_edits() {
    let space = start("edits").await;
    running(&space).await;
    let way = Way::to(&space).await;
    let before = pod(&space).await;
    space.until("the first answer", || way.answers("first")).await;

    set_code(&space, &code("other")).await;
    space.until("the edited answer", || way.answers("other")).await;
    for round in 0..3 {
        set_code(&space, &code(&format!("a{round}"))).await;
        set_code(&space, &code(&format!("b{round}"))).await;
        let last = format!("b{round}");
        space.until("the last of two edits", || way.answers(&last)).await;
    }

    for (bad, reason, place) in [
        ("def f(:\n", "SyntaxError", "greeting.py:1:7: "),
        (
            "x = 1\nimport no_such_module\n",
            "LoadFailed",
            "greeting.py: ModuleNotFoundError: ",
        ),
    ] {
        set_code(&space, bad).await;
        space
            .until(reason, || async {
                service_ready(&space).await.is_some_and(|c| c.reason == reason)
            })
            .await;
        let message = service_ready(&space).await.unwrap().message;
        assert!(message.starts_with(place), "{message}");
        assert!(way.answers("b2").await);
    }
    set_code(&space, &code("mended")).await;
    space.until("the mended answer", || way.answers("mended")).await;
    running(&space).await;
    assert_eq!(pod(&space).await, before, "no other pod, no restarted container");

    for (path, status) in [
        ("/zato/ping", 200),
        ("/zato/admin/invoke", 404),
        ("/ide-deploy", 404),
        ("/zato/json/zato.service.invoke", 404),
        ("/zato//ping", 404),
        ("/zato/%70ing", 404),
        ("/zato/api/invoke/zato.server.get-list", 400),
        ("/zato/api/invoke/demo.my-service", 400),
    ] {
        assert_eq!(way.get(path).await.0, status, "{path}");
    }
    drop(way);
    space.delete().await;
}

/// A pod that is deleted ends within preStop + graceful_timeout + 10 s, and comes back with its data and services.
#[tokio::test]
async fn a_deleted_pod_comes_back() {
    let space = start("comes-back").await;
    running(&space).await;
    let (uid, _) = pod(&space).await;
    let sql = |text: &str| {
        space.exec(
            "c-server-0",
            "server",
            &["sqlite3", "/opt/zato/data/zato.db", text],
        )
    };
    sql("create table story (word text); insert into story values ('kept')");

    let begin = Instant::now();
    space
        .api::<Pod>()
        .delete("c-server-0", &DeleteParams::default())
        .await
        .unwrap();
    space
        .until("another pod", || async {
            space
                .find::<Pod>("c-server-0")
                .await
                .is_some_and(|pod| pod.uid() != uid)
        })
        .await;
    // preStop 5, graceful_timeout 8, and 10 more; the kubelet ends what takes longer, and 5 are for this look at it.
    assert!(
        begin.elapsed().as_secs() < 5 + 8 + 10 + 5,
        "{:?}",
        begin.elapsed()
    );
    running(&space).await;
    assert_eq!(sql("select word from story"), "kept");
    let way = Way::to(&space).await;
    space.until("the answer", || way.answers("first")).await;
    drop(way);
    space.delete().await;
}

/// The operator is killed at several moments of a creation; the end is the same, and there is one key.
#[tokio::test]
async fn a_creation_survives_a_killed_operator() {
    let space = start("killed").await;
    for child in ["c-zato", "c-agent"] {
        space
            .until(child, || async { space.find::<Secret>(child).await.is_some() })
            .await;
        support::kill_operator().await;
    }
    let key = space.get::<Secret>("c-zato").await.data;
    running(&space).await;
    assert_eq!(space.get::<Secret>("c-zato").await.data, key);
    let way = Way::to(&space).await;
    space.until("the answer", || way.answers("first")).await;
    drop(way);
    space.delete().await;
}
