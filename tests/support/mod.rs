//! The vocabulary of the stories: a namespace of their own, waiting, objects.

pub mod hook;
pub mod operator;
pub mod process;
pub mod schema;
pub mod way;

use std::fmt::Debug;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Namespace as CoreNamespace, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, CustomResourceExt, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use zato_operator::api::{ZatoCluster, ZatoService};

const LIMIT: Duration = Duration::from_mins(5);

/// A namespace that one test has for itself.
pub struct Namespace {
    client: Client,
    name: String,
}

/// What a test may do with a kind.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize
{
}
impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
{
}

impl Namespace {
    pub async fn new(story: &str) -> Self {
        let client = client().await;
        let name = format!("{story}-{}", std::process::id());
        let object = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        Api::<CoreNamespace>::all(client.clone())
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
        Self { client, name }
    }

    pub async fn delete(self) {
        Api::<CoreNamespace>::all(self.client)
            .delete(&self.name, &DeleteParams::background())
            .await
            .unwrap();
    }

    pub fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Waits until it is there.
    pub async fn there<K: Kind>(&self, name: &str) {
        let what = format!("{} {name}", K::kind(&()));
        self.until(&what, || async { self.find::<K>(name).await.is_some() })
            .await;
    }

    /// Deletes it, and what it owns.
    pub async fn remove<K: Kind>(&self, name: &str) {
        self.api::<K>()
            .delete(name, &DeleteParams::background())
            .await
            .unwrap();
    }

    pub async fn get<K: Kind>(&self, name: &str) -> K {
        self.api().get(name).await.unwrap()
    }

    pub async fn find<K: Kind>(&self, name: &str) -> Option<K> {
        self.api().get_opt(name).await.unwrap()
    }

    pub async fn create<K: Kind>(&self, object: &Value) -> kube::Result<Value> {
        // As raw JSON: a typed object could not hold what the schema must refuse.
        let url = format!("{}?fieldManager=test", K::url_path(&(), Some(&self.name)));
        let request = http::Request::post(url).header("content-type", "application/json");
        self.client
            .request(request.body(serde_json::to_vec(object).unwrap()).unwrap())
            .await
    }

    /// As `kubectl apply --server-side` does; of a kind of the core group.
    pub async fn apply(&self, object: &DynamicObject) {
        let kind = &object.types.as_ref().unwrap().kind;
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind));
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), &self.name, &resource);
        let params = PatchParams::apply("test").force();
        api.patch(&object.name_any(), &params, &Patch::Apply(object))
            .await
            .unwrap();
    }

    pub async fn merge<K: Kind>(&self, name: &str, patch: &Value) -> kube::Result<K> {
        self.api()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a command in a container; what it printed.
    pub fn exec(&self, pod: &str, container: &str, command: &[&str]) -> String {
        self.try_exec(pod, container, command).unwrap()
    }

    /// The same, where it may fail: what it printed then.
    pub fn try_exec(&self, pod: &str, container: &str, command: &[&str]) -> Result<String, String> {
        let exec = ["exec", pod, "--container", container, "--"];
        self.kubectl(&[&exec[..], command].concat())
    }

    /// Runs a command as a person does; what it printed, or why it failed.
    pub fn kubectl(&self, command: &[&str]) -> Result<String, String> {
        let output = std::process::Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(kubeconfig())
            .args(["--namespace", &self.name])
            .args(command)
            .output()
            .expect("kubectl is on PATH: run make e2e");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    /// Asks until it is so.
    pub async fn until<F: Future<Output = bool>>(&self, what: &str, ask: impl Fn() -> F) {
        until(&format!("namespace {}: {what}", self.name), ask).await;
    }

    /// Asks until there is an answer.
    pub async fn until_some<T, F: Future<Output = Option<T>>>(&self, what: &str, ask: impl Fn() -> F) -> T {
        until_some(&format!("namespace {}: {what}", self.name), ask).await
    }
}

/// Asks until it is so.
pub async fn until<F: Future<Output = bool>>(what: &str, ask: impl Fn() -> F) {
    until_some(what, || async { ask().await.then_some(()) }).await;
}

/// Asks until there is an answer: what is read once more may be another one.
pub async fn until_some<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    until_ok(what, || async { ask().await.ok_or_else(String::new) }).await
}

/// Asks until there is an answer; the last error is told where there is none.
pub async fn until_ok<T, F: Future<Output = Result<T, String>>>(what: &str, ask: impl Fn() -> F) -> T {
    let start = Instant::now();
    loop {
        let error = match ask().await {
            Ok(answer) => return answer,
            Err(error) => error,
        };
        assert!(start.elapsed() < LIMIT, "{what}: not within {LIMIT:?} {error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Only the node of this checkout, or the cluster that is named for tests: never a user's own by accident.
pub fn kubeconfig() -> PathBuf {
    let node = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/cluster/kubeconfig");
    std::env::var_os("TEST_KUBECONFIG").map_or(node, Into::into)
}

pub async fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig =
        Kubeconfig::read_from(kubeconfig()).expect("run make cluster-up, or set TEST_KUBECONFIG");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

/// Installs the definitions of this checkout, and waits until their kinds are served. Where the chart is installed, it
/// brings them.
pub async fn install_definitions() {
    let client = client().await;
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    for definition in [ZatoCluster::crd(), ZatoService::crd()] {
        let params = PatchParams::apply("test").force();
        api.patch(&definition.name_any(), &params, &Patch::Apply(&definition))
            .await
            .unwrap();
        let path = format!("/apis/zato.io/v1alpha1/{}", definition.spec.names.plural);
        until(&path, || async {
            let request = http::Request::get(&path).body(vec![]).unwrap();
            // One of this name that is on its way out is served, too.
            let is_this_one = is_established(&api.get(&definition.name_any()).await.unwrap());
            is_this_one && client.request_text(request).await.is_ok()
        })
        .await;
    }
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let mut conditions = definition
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == "Established" && condition.status == "True")
}

pub fn cluster(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "zato.io/v1alpha1", "kind": "ZatoCluster", "metadata": {"name": name}, "spec": spec})
}

pub fn service(name: &str, cluster: &str, files: &[(&str, &str)]) -> Value {
    let inline: std::collections::BTreeMap<_, _> = files.iter().copied().collect();
    json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": name},
        "spec": {"clusterRef": {"name": cluster}, "source": {"inline": inline}},
    })
}

/// A service that gives one answer. Two answers of the same length make two files of the same size.
pub fn code(answer: &str) -> String {
    format!(
        "from zato.server.service import Service\n\nclass Greeting(Service):\n    name = 'story.greeting'\n\n    def handle(self):\n        self.response.payload = {{'answer': '{answer}'}}\n"
    )
}

/// A namespace with cluster "c" and a service that gives the answer "first".
pub async fn start(story: &str, spec: Value) -> Namespace {
    let space = Namespace::new(story).await;
    space.create::<ZatoCluster>(&cluster("c", spec)).await.unwrap();
    let greeting = service("greeting", "c", &[("greeting.py", &code("first"))]);
    space.create::<ZatoService>(&greeting).await.unwrap();
    space
}

/// Changes the code of that service.
pub async fn set_code(space: &Namespace, text: &str) {
    let patch = json!({"spec": {"source": {"inline": {"greeting.py": text}}}});
    space.merge::<ZatoService>("greeting", &patch).await.unwrap();
}

/// `Ready` of cluster "c" about its present spec.
pub async fn cluster_ready(space: &Namespace) -> Option<Condition> {
    let found = space.get::<ZatoCluster>("c").await;
    let ready = condition(&found.status?.conditions, "Ready")?;
    (ready.observed_generation == found.metadata.generation).then_some(ready)
}

/// Waits for a condition of a service about its present spec; the condition.
pub async fn until_service(
    space: &Namespace,
    name: &str,
    kind: &str,
    is_so: impl Fn(&Condition) -> bool,
) -> Condition {
    space
        .until_some(&format!("{kind} of service {name}"), || async {
            let found = space.get::<ZatoService>(name).await;
            let told = condition(&found.status?.conditions, kind)?;
            (told.observed_generation == found.metadata.generation && is_so(&told)).then_some(told)
        })
        .await
}

/// The same by its reason and words of its message.
pub async fn until_service_told(
    space: &Namespace,
    name: &str,
    kind: &str,
    reason: &str,
    words: &str,
) -> Condition {
    until_service(space, name, kind, |c| {
        c.reason == reason && c.message.contains(words)
    })
    .await
}

/// Waits for a status about the present spec of a cluster.
pub async fn settled(space: &Namespace, name: &str) {
    space
        .until("a status of the present spec", || async {
            let found = space.get::<ZatoCluster>(name).await;
            found
                .status
                .is_some_and(|status| status.observed_generation == found.metadata.generation)
        })
        .await;
}

/// Waits for a status and a reason of cluster "c"; the message.
pub async fn until_ready(space: &Namespace, status: &str, reason: &str) -> String {
    until_ready_is(space, reason, |ready| {
        ready.status == status && ready.reason == reason
    })
    .await
}

/// Waits for words in the message of cluster "c"; the message.
pub async fn until_told(space: &Namespace, words: &str) -> String {
    until_ready_is(space, words, |ready| ready.message.contains(words)).await
}

/// Says how long it took: docs/performance.md has the times.
async fn until_ready_is(space: &Namespace, what: &str, is_so: impl Fn(&Condition) -> bool) -> String {
    let start = Instant::now();
    let ready = space
        .until_some(what, || async { cluster_ready(space).await.filter(&is_so) })
        .await;
    let time = start.elapsed().as_secs_f64();
    println!("namespace {}: told after {time:.1} s: {what}", space.name());
    ready.message
}

/// Waits until the server's pod of cluster "c" is another one than that, and ready: what was told of the one before may stand
/// in statuses still.
pub async fn until_other_pod(space: &Namespace, old: Option<&str>) {
    space
        .until("another pod is ready", || async {
            let pod = space.find::<Pod>("c-server-0").await.unwrap_or_default();
            let conditions = pod.status.into_iter().filter_map(|status| status.conditions);
            let is_ready = conditions
                .flatten()
                .any(|c| c.type_ == "Ready" && c.status == "True");
            is_ready && pod.metadata.uid.as_deref() != old
        })
        .await;
}

/// Asks the database of cluster "c", also while its server writes.
pub fn sql(space: &Namespace, text: &str) -> String {
    let command = [
        "sqlite3",
        "-cmd",
        ".timeout 30000",
        "/opt/zato/data/zato.db",
        text,
    ];
    space.exec("c-server-0", "server", &command)
}

/// The pod of cluster "c" once more, to do something to it that no pod of a cluster may suffer: its database is its
/// own and goes with it, nothing restarts it, and no Service leads to it.
pub async fn spare_pod(space: &Namespace, name: &str, change: impl FnOnce(&mut Value)) {
    let found = space.find::<StatefulSet>("c-server").await.unwrap();
    let mut spec = serde_json::to_value(found.spec.unwrap().template.spec).unwrap();
    for volume in spec["volumes"].as_array_mut().unwrap() {
        if volume["name"] == "data" {
            *volume = json!({"name": "data", "emptyDir": {}});
        }
    }
    spec["restartPolicy"] = "Never".into();
    change(&mut spec);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
    space.create::<Pod>(&pod).await.unwrap();
    space
        .until("the spare pod's containers", || async {
            let status = space.get::<Pod>(name).await.status.unwrap_or_default();
            let containers = status.container_statuses.unwrap_or_default();
            !containers.is_empty() && containers.iter().all(|container| container.ready)
        })
        .await;
}

pub fn condition(conditions: &[Condition], kind: &str) -> Option<Condition> {
    conditions
        .iter()
        .find(|condition| condition.type_ == kind)
        .cloned()
}

/// All manifests below examples/: clusters, services, and what they need, which comes first. A kind that nobody expects is
/// an error.
pub fn examples() -> (Vec<ZatoCluster>, Vec<ZatoService>, Vec<DynamicObject>) {
    let (mut clusters, mut services, mut needed) = (vec![], vec![], vec![]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for folder in std::fs::read_dir(root).unwrap() {
        for text in manifests(&folder.unwrap().path()) {
            match text.lines().find_map(|line| line.strip_prefix("kind: ")) {
                Some("ZatoCluster") => clusters.push(serde_saphyr::from_str(&text).unwrap()),
                Some("ZatoService") => services.push(serde_saphyr::from_str(&text).unwrap()),
                Some("ConfigMap" | "Pod" | "Secret" | "Service") => {
                    needed.push(serde_saphyr::from_str(&text).unwrap());
                }
                other => panic!("an example of kind {other:?}"),
            }
        }
    }
    (clusters, services, needed)
}

/// The manifests of a folder: its files, or what kustomize makes of it.
pub fn manifests(folder: &Path) -> Vec<String> {
    if !folder.join("kustomization.yaml").exists() {
        let files = std::fs::read_dir(folder).unwrap();
        return files
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .collect();
    }
    let made = std::process::Command::new("kubectl")
        .arg("kustomize")
        .arg(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = String::from_utf8(made.stdout).unwrap();
    text.split("\n---\n").map(|one| format!("{one}\n")).collect()
}
