//! What the stories of git begin with, and wait for.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use zato_operator::api::{ZatoCluster, ZatoService, ZatoServiceStatus};

use super::double::Double;
pub use super::git::secret;
use super::git::{Repository, Server};
use super::support::process::Process;
use super::support::{
    self, Namespace, cluster, code, condition, install_definitions, kubeconfig, until_service_told,
};

/// The same for all: the Lease of one that was killed is taken at once.
pub const IDENTITY: &str = "alone";

/// A git server, an operator, and a namespace with cluster "c" and the server's CA.
pub struct Story {
    pub server: Server,
    pub operator: Process,
    pub space: Namespace,
    _double: Double,
    _kills: watch::Sender<usize>,
}

impl Story {
    pub async fn begin(name: &str) -> Self {
        Self::begin_with(name, &[]).await
    }

    pub async fn begin_with(name: &str, environment: &[(&str, &str)]) -> Self {
        install_definitions().await;
        let (server, space) = (Server::start().await, Namespace::new(name).await);
        let operator = Process::start_with(&kubeconfig(), IDENTITY, environment);
        let (kills, killed) = watch::channel(0);
        let double = Double::start(&space, support::client().await, killed);
        space
            .create::<ZatoCluster>(&cluster("c", json!({})))
            .await
            .unwrap();
        server.tell_authority(&space).await;
        Self {
            server,
            operator,
            space,
            _double: double,
            _kills: kills,
        }
    }

    /// Makes a service whose code is in a repository; `more` is of its git source.
    pub async fn service(&self, name: &str, path: &str, more: Value) {
        self.server.service(&self.space, name, path, more).await;
    }

    /// Changes the git source of a service.
    pub async fn change(&self, name: &str, git: Value) {
        let patch = json!({"spec": {"source": {"git": git}}});
        self.space.merge::<ZatoService>(name, &patch).await.unwrap();
    }

    pub async fn fetched(&self, name: &str, commit: &str) {
        until_service_told(&self.space, name, "SourceFetched", "Fetched", commit).await;
    }

    /// What is told about git, and that it is in `Ready`, too, because nothing is deployed.
    pub async fn refused(&self, name: &str, reason: &str, words: &str) -> String {
        let told = until_service_told(&self.space, name, "SourceFetched", reason, words).await;
        until_service_told(&self.space, name, "Ready", reason, words).await;
        told.message
    }

    pub async fn status(&self, name: &str) -> ZatoServiceStatus {
        self.space
            .get::<ZatoService>(name)
            .await
            .status
            .unwrap_or_default()
    }

    /// Waits until a commit answers on the server.
    pub async fn deployed(&self, name: &str, commit: &str) -> ZatoServiceStatus {
        self.space
            .until_some(&format!("commit {commit} of {name}"), || async {
                let status = self.status(name).await;
                let is_it = status
                    .source
                    .as_ref()
                    .is_some_and(|source| source.commit == commit);
                let has_it = |server: &zato_operator::api::zato_service::ServiceOnServer| {
                    server.state == "Loaded" && server.revision == status.revision
                };
                let is_ready =
                    condition(&status.conditions, "Ready").is_some_and(|ready| ready.status == "True");
                (is_it && is_ready && status.servers.iter().all(has_it)).then_some(status)
            })
            .await
    }

    /// Waits for so many more answers of the server to an operator that looks for a commit.
    pub async fn polled(&self, times: usize) {
        let polls = || {
            let requests = self.server.requests();
            requests
                .iter()
                .filter(|line| line.contains("POST") && line.ends_with(" 200"))
                .count()
        };
        let before = polls();
        support::until("the next polls", || async { polls() >= before + times }).await;
    }

    /// Waits until a poll changes nothing any more: the version of the service.
    pub async fn settled(&self, name: &str) -> Option<String> {
        let version = || async { self.space.get::<ZatoService>(name).await.resource_version() };
        let mut before = version().await;
        loop {
            self.polled(1).await;
            let now = version().await;
            if now == before {
                return now;
            }
            before = now;
        }
    }

    /// What servers are told.
    pub async fn index(&self) -> String {
        let secret = self.space.get::<Secret>("c-agent").await;
        String::from_utf8(secret.data.unwrap()["index.json"].0.clone()).unwrap()
    }

    /// Kills the operator, and starts another one.
    pub fn restart(&mut self) {
        self.operator.kill();
        self.operator = Process::start(&kubeconfig(), IDENTITY);
    }

    pub async fn end(self) {
        self.space.delete().await;
    }
}

/// The most memory that an operator had, its program included, in kB.
pub fn peak(operator: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", operator.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().trim().split(' ').next().unwrap();
    number.parse().unwrap()
}

pub fn push(repository: &Repository, answer: &str) -> String {
    repository.write("greeting.py", code(answer));
    repository.push()
}
