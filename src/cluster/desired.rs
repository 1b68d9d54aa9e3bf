//! Pure and infallible: the children of a cluster, each with the stage in which it is applied.
//!
//! The order is in their stages: shards before the index that names them, and the StatefulSet last, so that its pod finds
//! everything that it mounts.

mod exchange;
mod identity;
mod load_balancer;
pub mod network;
mod pod;
mod storage;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::availability::Availability;
use super::plan::Plan;
use super::servers::Server;
use crate::api::zato_cluster::DeletionPolicy;
use crate::k8s::{labels, names};
use crate::reconcile::child::PodState;
use crate::reconcile::kind::{Manifest, Stage, Task};

/// Ports of a Quickstart pod.
pub mod ports {
    /// Load balancer.
    pub const API: i32 = 11223;
    /// Zato's server.
    pub const SERVER: i32 = 17010;
    /// Zato's scheduler.
    pub const SCHEDULER: i32 = 31530;
    /// Zato's dashboard.
    pub const DASHBOARD: i32 = 8183;
    /// The agent's probes.
    pub const AGENT: i32 = 17099;
}

/// Paths inside the containers of a Quickstart pod.
pub mod paths {
    /// The volume with `zato.db`.
    pub const DATA: &str = "/opt/zato/data";
    /// The directories of the components.
    pub const ENVIRONMENT: &str = "/opt/zato/env";
    /// Files for `zato from-config`, and what those commands print: in memory, because they hold secrets.
    pub const CREATE: &str = "/create";
    /// Files that the server deploys.
    pub const HOT: &str = "/hot";
    /// Modules in packages, which the server imports.
    pub const PACKAGES: &str = "/packages";
    /// The credentials Secret.
    pub const CREDENTIALS: &str = "/zato/credentials";
    /// The Secret with the user of the database.
    pub const DATABASE: &str = "/zato/database";
    /// The index Secret.
    pub const INDEX: &str = "/zato/index";
    /// The shards, one folder each.
    pub const CODE: &str = "/zato/code";
    /// The wrapper of startup callables and their modules.
    pub const STARTUP: &str = "/startup";
    /// What the wrapper notes.
    pub const STARTUP_STATE: &str = "/startup-state";
    /// The configuration of the load balancer.
    pub const LOAD_BALANCER: &str = "/lb";
}

/// All children.
pub fn desired(plan: &Plan) -> Vec<Manifest> {
    vec![
        Manifest::owned(&identity::service_account(plan)),
        Manifest::owned(&identity::role(plan)),
        // Only when Role and account are ours.
        Manifest::owned(&identity::role_binding(plan)).at(Stage::Second),
    ]
    .into_iter()
    .chain(
        plan.storage
            .as_ref()
            .map(|storage| Manifest::precious(&storage::claim(plan, storage), plan.deletion_policy)),
    )
    .chain([
        Manifest::owned(&load_balancer::configuration(plan)),
        Manifest::owned(&network::servers(plan)),
        Manifest::owned(&network::api(plan)),
    ])
    .chain(
        (plan.is_secret_labelled && plan.deletion_policy == DeletionPolicy::Delete)
            .then(|| Manifest::precious(&identity::credentials(plan), plan.deletion_policy)),
    )
    .chain(
        plan.has_dashboard
            .then(|| Manifest::owned(&network::dashboard(plan))),
    )
    .chain(
        plan.startup
            .as_ref()
            .map(|startup| Manifest::owned(&exchange::startup(plan, startup))),
    )
    .chain(components(plan))
    .chain(exchange::shards(plan))
    .chain([Manifest::owned(&exchange::index(plan))
        .at(Stage::Third)
        .that_differs(!plan.read.shards.is_empty() && plan.read.index != plan.index)])
    .chain(exchange::reports(plan))
    .chain([Manifest::owned(&pod::stateful_set(plan)).at(Stage::Last)])
    .chain(plan.documents.manifest(&plan.name))
    .collect()
}

/// What a Distributed cluster has beside its servers.
fn components(plan: &Plan) -> Vec<Manifest> {
    use pod::components::{dashboard, database, load_balancer, scheduler};
    if plan.database.is_none() {
        return vec![];
    }
    let scheduler = || {
        [
            Manifest::owned(&network::scheduler(plan)),
            Manifest::owned(&scheduler(plan)).at(Stage::Last),
        ]
    };
    [
        Manifest::owned(&network::ready_servers(plan)),
        Manifest::owned(&load_balancer(plan)).at(Stage::Last),
    ]
    .into_iter()
    // A quota or a policy against them must keep nothing else from being made.
    .chain(
        budgets(plan)
            .iter()
            .map(|budget| Manifest::owned(budget).at(Stage::Last)),
    )
    .chain((!plan.is_stopped).then(|| Manifest::owned(&database(plan)).at(Stage::Last)))
    .chain(plan.has_scheduler.then(scheduler).into_iter().flatten())
    .chain(
        plan.has_dashboard
            .then(|| Manifest::owned(&dashboard(plan)).at(Stage::Last)),
    )
    .collect()
}

fn budgets(plan: &Plan) -> Vec<PodDisruptionBudget> {
    let all = [
        (plan.availability.servers, "server", names::server(&plan.name)),
        (
            plan.availability.load_balancers,
            "load-balancer",
            names::load_balancer(&plan.name),
        ),
    ];
    let budget = |(availability, component, name): (Availability, &str, String)| {
        availability.budget(&plan.name, component, metadata(plan, name, component))
    };
    all.into_iter().filter_map(budget).collect()
}

/// Pods of an older template are deleted one at a time.
pub fn tasks(plan: &Plan) -> Vec<Task> {
    let delete = |(server, pod): (&Server, &PodState)| Task::DeletePod {
        name: server.name.clone(),
        uid: pod.uid.clone(),
    };
    let job = plan.database.as_ref().and_then(|database| database.job.as_ref());
    let failed = job.filter(|job| job.is_failed).map(|job| Task::DeleteJob {
        name: job.name.clone(),
        uid: job.uid.clone(),
    });
    plan.replaced().map(delete).into_iter().chain(failed).collect()
}

fn metadata(plan: &Plan, name: String, component: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        labels: Some(labels::child(&plan.name, component)),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::plan::tests::{distributed, done, plan_after, plan_of};
    use crate::reconcile::child::JobState;
    use crate::reconcile::child::PodState;
    use crate::reconcile::kind::Ownership;

    #[test]
    fn quickstart_with_one_service() {
        let plan = plan_of(&[(
            "accounts",
            "from zato.server.service import Service\n\nclass A(Service):\n    name = 'api.a'\n",
        )]);
        let children: Vec<_> = desired(&plan).into_iter().map(|manifest| manifest.body).collect();
        insta::assert_yaml_snapshot!(children);
    }

    /// Three servers before their database is made, and after it, when the first one does not serve yet.
    #[test]
    fn a_distributed_cluster() {
        let children =
            |plan: &Plan| -> Vec<_> { desired(plan).into_iter().map(|child| child.body).collect() };
        let before = children(&distributed(3, None));
        let after = children(&distributed(3, Some(done())));
        insta::assert_yaml_snapshot!(before);
        let changed: Vec<_> = after.iter().filter(|body| !before.contains(body)).collect();
        let told: Vec<_> = changed
            .iter()
            .map(|body| (&body["metadata"]["name"], &body["spec"]["replicas"]))
            .collect();
        let wanted = [("demo-scheduler", 1), ("demo-dashboard", 1), ("demo-server", 1)];
        assert_eq!(serde_json::json!(told), serde_json::json!(wanted));
    }

    /// A Job that gave up is made anew.
    #[test]
    fn a_job_that_gave_up_is_deleted() {
        let failed = JobState {
            is_complete: false,
            is_failed: true,
            ..done()
        };
        let (name, uid) = (failed.name.clone(), failed.uid.clone());
        assert_eq!(
            tasks(&distributed(1, Some(failed))),
            [Task::DeleteJob { name, uid }]
        );
        assert_eq!(tasks(&distributed(1, Some(done()))), []);
    }

    /// While its code is being replaced.
    #[test]
    fn every_field_set() {
        let spec = serde_json::json!({
            "image": "registry.example.com/zato:3.2", "imagePullPolicy": "Always", "imagePullSecrets": [{"name": "pull"}],
            "database": {"sqlite": {"storage": {"size": "7Gi", "storageClassName": "fast"}}},
            "scheduler": {"enabled": false}, "dashboard": {"enabled": false}, "deletionPolicy": "Delete",
            "config": {"server.conf": {"misc": {"http_server_header": "Acme"}}, "sso.conf": {"main": {"x": "y"}}},
            "stopped": true,
        });
        let before = plan_of(&[("a", "x = 1\n"), ("gone", "x = 1\n")]);
        let plan = plan_after(spec, &[("a", "x = 2\n")], &before);
        let children: Vec<_> = desired(&plan)
            .into_iter()
            .map(|manifest| (format!("{:?}", manifest.stage), manifest.body))
            .collect();
        insta::assert_yaml_snapshot!(children);
    }

    /// Of the cluster's children the Service and the index alone: no pod starts anew.
    #[test]
    fn web_sockets() {
        let mut plan = plan_of(&[("accounts", "x = 1\n")]);
        let without: Vec<_> = desired(&plan).into_iter().map(|child| child.body).collect();
        let channels = serde_json::json!({
            "feed": {"service": "api.a", "urlPath": "/feed", "kind": "WebSocket", "webSocket": {"port": 7001}},
            "other": {"service": "api.a", "urlPath": "/other", "kind": "WebSocket", "webSocket": {"port": 7000}},
            "rest": {"service": "api.a", "urlPath": "/rest", "methods": ["GET"]},
        });
        let version = plan.index.services.get_mut("accounts").unwrap();
        version.channels = serde_json::from_value(channels).unwrap();
        let changed = desired(&plan).into_iter().map(|child| child.body);
        let changed: Vec<_> = changed.filter(|body| !without.contains(body)).collect();
        let kinds: Vec<_> = changed
            .iter()
            .map(|body| body["kind"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["Service", "Secret"]);
        insta::assert_yaml_snapshot!(changed[0]);
    }

    /// The children that callables change: their ConfigMap, and the pod.
    #[test]
    fn startup_callables() {
        let spec = serde_json::json!({"startupCallables": [{"name": "in_image.f", "timeoutSeconds": 10, "phases": ["AfterStarted"]}]});
        let mut plan = plan_after(spec, &[], &plan_of(&[]));
        let startup = plan.startup.as_mut().unwrap();
        startup.modules.insert("m.py".into(), "def f(ctx): pass\n".into());
        let without: Vec<_> = desired(&plan_of(&[]))
            .into_iter()
            .map(|child| child.body)
            .collect();
        let changed = desired(&plan).into_iter().map(|child| child.body);
        let changed: Vec<_> = changed.filter(|body| !without.contains(body)).collect();
        assert_eq!(changed.len(), 2);
        insta::assert_yaml_snapshot!(changed);
    }

    #[test]
    fn what_names_others_comes_after_them() {
        let children = desired(&plan_of(&[]));
        let stage = |kind: &str, name: &str| {
            let found = children
                .iter()
                .find(|child| child.resource.kind == kind && child.name == name);
            found.unwrap().stage
        };
        for (kind, name) in [
            ("Role", "demo-agent"),
            ("PersistentVolumeClaim", "demo-data"),
            ("Service", "demo"),
        ] {
            assert_eq!(stage(kind, name), Stage::First, "{name}");
        }
        let (binding, shard) = (
            stage("RoleBinding", "demo-agent"),
            stage("ConfigMap", "demo-code-0"),
        );
        let (index, pods) = (stage("Secret", "demo-agent"), stage("StatefulSet", "demo-server"));
        assert!(Stage::First < binding && Stage::First < shard && shard < index && index < pods);
    }

    /// A cache that is behind must not keep half of a change from being written.
    #[test]
    fn what_was_read_and_is_otherwise_is_sent() {
        let before = plan_of(&[("a", "x = 1\n")]);
        let differs = |text: &str| {
            let children = desired(&plan_after(serde_json::json!({}), &[("a", text)], &before));
            let names = children.into_iter().filter(|child| child.differs);
            names.map(|child| child.name).collect::<Vec<_>>()
        };
        assert_eq!(differs("x = 2\n"), ["demo-code-0", "demo-agent"]);
        assert_eq!(differs("x = 1\n"), Vec::<String>::new());
        assert!(
            desired(&before).iter().all(|child| !child.differs),
            "nothing was read"
        );
    }

    #[test]
    fn no_pod_runs_while_stopped() {
        let mut plan = plan_of(&[]);
        plan.replicas = 0;
        assert_eq!(desired(&plan).last().unwrap().body["spec"]["replicas"], 0);
    }

    #[test]
    fn a_pod_of_an_older_template_is_deleted_once_its_successor_is_known() {
        let mut plan = plan_of(&[]);
        assert_eq!(tasks(&plan), []);
        plan.servers[0].pod = Some(PodState {
            uid: "u".into(),
            revision: "old".into(),
            ..PodState::default()
        });
        assert_eq!(tasks(&plan), [], "there is no StatefulSet");
        let set = |generation: i64, update: &str| {
            serde_json::from_value(serde_json::json!({
                "metadata": {"generation": generation}, "status": {"observedGeneration": 2, "replicas": 1, "updateRevision": update},
            }))
            .ok()
        };
        for (generation, update, is_deleted, count) in [
            (2, "new", false, 1),
            (2, "old", false, 0),
            (3, "new", false, 0),
            (2, "new", true, 0),
        ] {
            plan.stateful_set = set(generation, update);
            plan.servers[0].pod.as_mut().unwrap().is_deleted = is_deleted;
            assert_eq!(tasks(&plan).len(), count, "{generation} {update} {is_deleted}");
        }
    }

    /// A pod that is still of the older template may have to mount it again.
    #[test]
    fn what_older_pods_mounted_goes_after_them() {
        let spec = serde_json::json!({"startupCallables": [{"name": "in_image.f"}]});
        let mut plan = plan_after(spec, &[], &plan_of(&[]));
        let wanted = names::startup("demo", &plan.startup.as_ref().unwrap().hash());
        plan.startups = vec!["demo-startup-old".into(), wanted];
        let dropped = |plan: &Plan| plan.dropped_startups().cloned().collect::<Vec<_>>();
        assert!(dropped(&plan).is_empty());
        plan.replicas = 0;
        assert_eq!(dropped(&plan), ["demo-startup-old"]);
        plan.replicas = 1;
        plan.servers[0].pod = Some(PodState {
            uid: "u".into(),
            revision: "r".into(),
            ..PodState::default()
        });
        let set = |update: &str| {
            let set = serde_json::json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "replicas": 1, "updateRevision": update}});
            serde_json::from_value(set).ok()
        };
        plan.stateful_set = set("other");
        assert!(dropped(&plan).is_empty());
        plan.stateful_set = set("r");
        assert_eq!(dropped(&plan), ["demo-startup-old"]);
    }

    /// With `Delete` volume and keys have an owner, else not; the Secret's keys are never applied over.
    #[test]
    fn data_and_keys_differ_in_their_owner_alone() {
        let precious = |plan: &Plan| {
            let of = |kind: &str| {
                desired(plan).into_iter().find(|child| {
                    child.resource.kind == kind && !child.body.to_string().contains("index.json")
                })
            };
            (of("PersistentVolumeClaim").unwrap(), of("Secret"))
        };
        let mut plan = plan_of(&[]);
        let (kept, secret) = precious(&plan);
        assert_eq!((kept.ownership, secret), (Ownership::Kept, None));
        plan.deletion_policy = DeletionPolicy::Delete;
        let (owned, secret) = precious(&plan);
        let secret = secret.unwrap();
        assert_eq!(
            (owned.ownership, secret.ownership),
            (Ownership::KeptUntilDeletion, Ownership::KeptUntilDeletion)
        );
        assert_eq!((owned.body, secret.body.get("data")), (kept.body, None));
    }

    #[test]
    fn components_can_be_left_out() {
        let mut plan = plan_of(&[]);
        (plan.has_dashboard, plan.has_scheduler) = (false, false);
        let children = desired(&plan);
        assert!(children.iter().all(|child| child.name != "demo-dashboard"));
        let pod = &children.last().unwrap().body["spec"]["template"]["spec"]["containers"];
        let names: Vec<_> = pod
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["server", "load-balancer"]);
    }

    #[test]
    fn a_secret_never_stands_in_a_pod_template_or_config_map() {
        let text = serde_json::to_string(&desired(&plan_of(&[])).last().unwrap().body).unwrap();
        for key in [
            crate::cluster::credentials::KEY1,
            crate::cluster::credentials::PUBAPI_PASSWORD,
        ] {
            assert!(!text.contains(key), "{key}");
        }
    }
}
