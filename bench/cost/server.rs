//! The API server that `dev/cluster/alone.sh` started for this, and the operator as a process beside it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;

use super::audit::Audit;
use super::process::Process;

/// The service account of the operator.
pub const OPERATOR: &str = "operator";
/// The service account of the raw client.
pub const RAW: &str = "raw";

/// The API server.
pub struct Server {
    /// All rights.
    pub client: Client,
    /// The raw client, an account like the operator's.
    pub raw: Client,
    /// What was asked.
    pub audit: Audit,
    folder: PathBuf,
}

impl Server {
    pub async fn open() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join(std::env::var("COST_SERVER").unwrap_or_else(|_| "target/cost".into()));
        let client = connect(&folder.join("kubeconfig")).await;
        for crd in ["zatoclusters", "zatoservices"] {
            let text = std::fs::read_to_string(root.join(format!("crds/{crd}.yaml"))).unwrap();
            create(
                &client,
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                &text,
            )
            .await;
        }
        for account in [OPERATOR, RAW] {
            may_all(&client, &folder, account).await;
        }
        Self {
            raw: connect(&folder.join(RAW)).await,
            client,
            audit: Audit::open(folder.join("audit.log")),
            folder,
        }
    }

    /// An operator that leads and has its caches.
    pub async fn operator(&self) -> Operator {
        let process = Process::start(&self.folder.join(OPERATOR), "cost");
        let operator = Operator { process };
        operator.until("zato_operator_is_leader 1").await;
        operator
    }

    pub async fn namespace(&self, name: &str) {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).to_string();
        create(&self.client, "/api/v1/namespaces", &body).await;
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), name);
        while accounts.get_opt("default").await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Deletes namespaces and waits until they are gone.
    pub async fn forget(&self, names: &[&str]) {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        for name in names {
            namespaces.delete(name, &DeleteParams::default()).await.unwrap();
        }
        for name in names {
            while namespaces.get_metadata_opt(name).await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    /// CPU time of API server and etcd so far.
    pub fn cpu(&self) -> Duration {
        let of = |component: &str| {
            let pid = std::fs::read_to_string(self.folder.join(format!("{component}.pid"))).unwrap();
            cpu(pid.trim().parse().unwrap())
        };
        of("kube-apiserver") + of("etcd")
    }
}

/// A running operator.
pub struct Operator {
    process: Process,
}

impl Operator {
    /// Ends it as Kubernetes does; the lease is handed over.
    pub async fn end(mut self) {
        self.process.signal("TERM");
        while self.process.runs() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Resident memory, MiB: all of it, what is not the program's file, and all at its highest.
    pub fn memory(&self) -> [f64; 3] {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
        };
        [of("VmRSS:"), of("RssAnon:"), of("VmHWM:")]
    }

    /// CPU time so far.
    pub fn cpu(&self) -> Duration {
        cpu(self.process.id())
    }

    /// Waits for a line of /metrics.
    pub async fn until(&self, line: &str) {
        let begin = Instant::now();
        while !self.metrics().await.lines().any(|found| found == line) {
            assert!(begin.elapsed() < Duration::from_mins(1), "no {line:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How many reconciles of clusters ended well.
    pub async fn reconciled(&self) -> usize {
        let name = "zato_operator_reconciles_total{kind=\"ZatoCluster\",outcome=\"ok\"} ";
        let text = self.metrics().await;
        let count = text.lines().find_map(|line| line.strip_prefix(name));
        count.map_or(0, |count| count.parse().unwrap())
    }

    async fn metrics(&self) -> String {
        let url = format!("http://127.0.0.1:{}/metrics", self.process.port);
        match reqwest::get(url).await {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }
}

/// CPU time of a process so far.
pub fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<u64>().unwrap();
    // User and system time, in hundredths of a second.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

async fn connect(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("dev/bench.sh starts the API server");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.unwrap()).unwrap()
}

/// Creates an object from YAML or JSON, unless it exists.
async fn create(client: &Client, path: &str, text: &str) {
    let body: serde_json::Value = serde_saphyr::from_str(text).unwrap();
    let request = http::Request::post(path).header("content-type", "application/json");
    let result = client
        .request_text(request.body(serde_json::to_vec(&body).unwrap()).unwrap())
        .await;
    assert!(
        result.is_ok() || matches!(&result, Err(kube::Error::Api(status)) if status.is_already_exists()),
        "{result:?}"
    );
}

/// A service account with all rights, and a kubeconfig for it: so the audit log tells the operator from the rest.
async fn may_all(client: &Client, folder: &Path, account: &str) {
    let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}});
    create(
        client,
        "/api/v1/namespaces/default/serviceaccounts",
        &object.to_string(),
    )
    .await;
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": account},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "default"}]});
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    create(client, path, &binding.to_string()).await;
    let request = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: Some(24 * 3600),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let token = Api::<ServiceAccount>::namespaced(client.clone(), "default")
        .create_token_request(account, &PostParams::default(), &request)
        .await
        .unwrap();
    let text = std::fs::read_to_string(folder.join("kubeconfig")).unwrap();
    let mut config: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    config["users"][0]["user"] = json!({"token": token.status.unwrap().token});
    std::fs::write(folder.join(account), config.to_string()).unwrap();
}
