//! The containers of a Quickstart pod, and the commands that Zato's image runs.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, EnvVar, ExecAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe,
    ResourceRequirements, SecurityContext, SleepAction, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::environment::{self, env, field, salt};
use super::{scripts, volumes};
use crate::cluster::desired::{load_balancer, network, paths, ports};
use crate::cluster::plan::Plan;
use crate::cluster::startup::Startup;
use crate::k8s::names;

/// How long a server goes on serving while the load balancers forget it.
pub(super) const PRE_STOP_SECONDS: i64 = 5;
/// How long requests in flight have after SIGTERM.
pub(super) const GRACEFUL_TIMEOUT_SECONDS: i64 = 8;

const PYTHON: &str = "/opt/zato/current/bin/python";
/// The options that Zato's own command gives to the processes that it executes.
const OPTIONS: &str = "fg=TrueZato_Zato_Zatosync_internal=FalseZato_Zato_Zatosecret_key=Zato_Zato_Zatostderr_path=NoneZato_Zato_Zatoenv_file=Zato_Zato_Zatostop_after=None";

/// Runs a module that lacks a handler of SIGTERM: as the first process of a container it would ignore it.
fn with_sigterm(module: &str) -> String {
    format!(
        "import runpy,signal,sys; signal.signal(signal.SIGTERM, lambda *a: sys.exit(0)); \
         runpy.run_module('{module}', run_name='__main__', alter_sys=True)"
    )
}

/// SIGTERM would cut requests in flight. SIGUSR1 lets them end, and ends the first process when the last one has: until
/// then this hook holds SIGTERM back. It goes on serving as long as the server does.
fn drain() -> String {
    format!("sleep {PRE_STOP_SECONDS}; kill -USR1 1; sleep {GRACEFUL_TIMEOUT_SECONDS}")
}

/// The agent starts first, as a sidecar, and holds the others until everything is written.
pub(super) fn agent(plan: &Plan) -> Container {
    let mut container = ours(plan, "agent", &["agent", "run"]);
    container.restart_policy = Some("Always".into());
    let scheduler = plan.database.iter().filter(|_| plan.has_scheduler).map(|_| {
        let host = network::host(&names::scheduler(&plan.name), &plan.namespace);
        env("SCHEDULER", &format!("{host}:{}", ports::SCHEDULER))
    });
    container.env = Some(
        identity(plan, &components(plan))
            .into_iter()
            .chain(scheduler)
            .collect(),
    );
    container.startup_probe = Some(Probe {
        failure_threshold: Some(120),
        ..get("/prepared", ports::AGENT, 1)
    });
    // No readiness probe: a cut connection to the API server must not take a serving pod out.
    let shared = [
        volumes::create(),
        volumes::hot(),
        volumes::packages(),
        volumes::read_only(volumes::environment()),
    ];
    container.volume_mounts = Some(volumes::agent(plan).into_iter().chain(shared).collect());
    container
}

/// Who a container of ours is, and which database it has.
fn identity(plan: &Plan, components: &str) -> Vec<EnvVar> {
    let database = plan.database.iter().flat_map(|database| {
        let address = &database.address;
        [
            env("DATABASE_HOST", &address.host),
            env("DATABASE_PORT", &address.port.to_string()),
            env("DATABASE_NAME", &address.database),
            env("DATABASE_SCHEMA", &address.schema),
        ]
    });
    let identity = [
        env("CLUSTER", &plan.name),
        field("POD_NAME", "metadata.name"),
        field("POD_UID", "metadata.uid"),
        field("POD_NAMESPACE", "metadata.namespace"),
        env("COMPONENTS", components),
    ];
    identity.into_iter().chain(database).collect()
}

/// Writes what a component is created from, and ends.
pub(super) fn prepare(plan: &Plan, component: &str) -> Container {
    let mut container = ours(plan, "prepare", &["agent", "prepare"]);
    container.env = Some(identity(plan, component));
    container.volume_mounts = Some(vec![
        volumes::credentials(),
        volumes::database(),
        volumes::create(),
    ]);
    container
}

/// Judges what the Job made, and closes what Zato leaves open.
pub(super) fn database(plan: &Plan) -> Container {
    let mut container = ours(plan, "database", &["agent", "database"]);
    container.env = Some(identity(plan, "database"));
    container.volume_mounts = Some(vec![volumes::credentials(), volumes::database()]);
    container
}

fn components(plan: &Plan) -> String {
    if plan.database.is_some() {
        return "server".into();
    }
    let scheduler = plan.has_scheduler.then_some("scheduler");
    let dashboard = plan.has_dashboard.then_some("dashboard");
    ["server"]
        .into_iter()
        .chain(scheduler)
        .chain(dashboard)
        .collect::<Vec<_>>()
        .join(",")
}

pub(super) fn create(plan: &Plan) -> Container {
    let script = scripts::create(plan.database.is_none());
    let command = vec!["/bin/sh".into(), "-c".into(), script];
    let mut container = zato(plan, "create", command, "128Mi");
    let shared = [volumes::environment(), volumes::create()];
    container.volume_mounts = Some(with_data(plan, mounts("create", shared)));
    container
}

/// With the file of the database, if that is what the cluster has: in its place of before, else pods would be replaced.
fn with_data(plan: &Plan, mut mounts: Vec<VolumeMount>) -> Vec<VolumeMount> {
    if plan.storage.is_some() {
        mounts.insert(1, volumes::data());
    }
    mounts
}

/// Checks what was created, puts the server's token in step with the database, closes what Zato leaves open.
pub(super) fn harden(plan: &Plan, component: &str) -> Container {
    let mut container = ours(plan, "harden", &["agent", "harden"]);
    let shared = [volumes::environment(), volumes::create()];
    if plan.database.is_some() {
        container.env = Some(
            identity(plan, component)
                .into_iter()
                .chain([salt(plan)])
                .collect(),
        );
        let secrets = [volumes::credentials(), volumes::database()];
        container.volume_mounts = Some(shared.into_iter().chain(secrets).collect());
    } else {
        container.env = Some(vec![field("POD_NAME", "metadata.name"), salt(plan)]);
        container.volume_mounts = Some(with_data(plan, shared.into()));
    }
    container
}

pub(super) fn server(plan: &Plan) -> Container {
    let directory = format!("{}/server", paths::ENVIRONMENT);
    let command = [PYTHON, "-m", "zato.server.main", &directory, OPTIONS]
        .map(Into::into)
        .to_vec();
    let mut container = zato(plan, "server", command, "350Mi");
    container.env = Some(environment::server(plan));
    // Writable: after a change of a module with models, Zato touches the files that import it.
    let mounts = mounts(
        "server",
        [
            volumes::environment(),
            volumes::hot(),
            volumes::read_only(volumes::packages()),
        ],
    );
    let mounts = with_data(plan, mounts);
    let callables = volumes::callables(plan, true);
    container.volume_mounts = Some(mounts.into_iter().chain(callables).collect());
    // The agent answers: it knows when the code is loaded. The kubelet asks anew at each start of the server.
    let seconds = plan.startup.as_ref().map_or(0, Startup::seconds);
    container.startup_probe = Some(Probe {
        failure_threshold: Some(300 + seconds),
        ..get("/gate", ports::AGENT, 1)
    });
    container.readiness_probe = Some(get("/zato/ping", ports::SERVER, 2));
    let alive = get("/zato/ping", ports::SERVER, 10);
    container.liveness_probe = Some(Probe {
        failure_threshold: Some(6),
        timeout_seconds: Some(10),
        ..alive
    });
    container.lifecycle = Some(Lifecycle {
        pre_stop: Some(LifecycleHandler {
            sleep: Some(SleepAction {
                seconds: PRE_STOP_SECONDS,
            }),
            ..LifecycleHandler::default()
        }),
        ..Lifecycle::default()
    });
    container
}

pub(super) fn scheduler(plan: &Plan) -> Container {
    component(
        plan,
        "scheduler",
        "zato.scheduler.main",
        "96Mi",
        get("/", ports::SCHEDULER, 2),
    )
}

pub(super) fn dashboard(plan: &Plan) -> Container {
    component(
        plan,
        "dashboard",
        "zato.admin.main",
        "128Mi",
        get("/accounts/login/", ports::DASHBOARD, 2),
    )
}

fn component(plan: &Plan, name: &str, module: &str, memory: &str, probe: Probe) -> Container {
    let command = vec![PYTHON.into(), "-c".into(), with_sigterm(module), OPTIONS.into()];
    let mut container = zato(plan, name, command, memory);
    container.working_dir = Some(format!("{}/{name}", paths::ENVIRONMENT));
    container.volume_mounts = Some(with_data(plan, mounts(name, [volumes::environment()])));
    container.startup_probe = Some(Probe {
        failure_threshold: Some(120),
        ..probe.clone()
    });
    container.liveness_probe = Some(Probe {
        period_seconds: Some(10),
        failure_threshold: Some(6),
        ..probe.clone()
    });
    container.readiness_probe = Some(probe);
    container
}

pub(super) fn load_balancer(plan: &Plan) -> Container {
    let file = format!("{}/{}", paths::LOAD_BALANCER, load_balancer::CONFIGURATION_FILE);
    let command = match plan.database {
        Some(_) => vec!["/bin/sh".into(), "-c".into(), load_balancer::start(plan, &file)],
        None => ["haproxy", "-W", "-db", "-f", &file].map(Into::into).to_vec(),
    };
    let mut container = zato(plan, "load-balancer", command, "16Mi");
    container.volume_mounts = Some(mounts("load-balancer", [volumes::load_balancer()]));
    container.lifecycle = Some(Lifecycle {
        pre_stop: Some(LifecycleHandler {
            exec: Some(ExecAction {
                command: Some(vec!["/bin/sh".into(), "-c".into(), drain()]),
            }),
            ..LifecycleHandler::default()
        }),
        ..Lifecycle::default()
    });
    container.readiness_probe = Some(get("/zato-lb-alive", ports::API, 2));
    container.liveness_probe = Some(Probe {
        failure_threshold: Some(6),
        ..get("/zato-lb-alive", ports::API, 10)
    });
    container
}

fn zato(plan: &Plan, name: &str, command: Vec<String>, memory: &str) -> Container {
    Container {
        name: name.into(),
        image: Some(plan.image.clone()),
        image_pull_policy: Some(format!("{:?}", plan.pull_policy)),
        command: Some(command),
        security_context: Some(restricted()),
        resources: Some(requests("50m", memory)),
        ..Container::default()
    }
}

fn ours(plan: &Plan, name: &str, arguments: &[&str]) -> Container {
    Container {
        name: name.into(),
        image: Some(plan.agent_image.clone()),
        image_pull_policy: Some(format!("{:?}", plan.pull_policy)),
        args: Some(arguments.iter().map(|&argument| argument.into()).collect()),
        security_context: Some(restricted()),
        resources: Some(requests("10m", "32Mi")),
        ..Container::default()
    }
}

fn restricted() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".into()]),
            ..Capabilities::default()
        }),
        ..SecurityContext::default()
    }
}

/// Every container has requests: without them no autoscaler can work.
fn requests(cpu: &str, memory: &str) -> ResourceRequirements {
    let requests = BTreeMap::from([
        ("cpu".into(), Quantity(cpu.into())),
        ("memory".into(), Quantity(memory.into())),
    ]);
    ResourceRequirements {
        requests: Some(requests),
        ..ResourceRequirements::default()
    }
}

fn mounts<const N: usize>(container: &str, others: [VolumeMount; N]) -> Vec<VolumeMount> {
    others.into_iter().chain([volumes::tmp(container)]).collect()
}

fn get(path: &str, port: i32, period: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.into()),
            port: IntOrString::Int(port),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}
