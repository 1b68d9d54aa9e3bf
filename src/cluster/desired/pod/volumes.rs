//! What the containers of a pod share, and what each of them sees of it.

use k8s_openapi::api::core::v1::{
    ConfigMapProjection, ConfigMapVolumeSource, DownwardAPIProjection, DownwardAPIVolumeFile,
    EmptyDirVolumeSource, KeyToPath, ObjectFieldSelector, PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource, SecretVolumeSource, ServiceAccountTokenProjection, Volume, VolumeMount,
    VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::cluster::desired::paths;
use crate::cluster::plan::Plan;
use crate::cluster::startup::Startup;
use crate::k8s::names;

/// Where Kubernetes clients look for their token.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Read by the pod's user through its group, by nobody else.
const SECRET_MODE: i32 = 0o440;

pub(super) fn volumes(plan: &Plan) -> Vec<Volume> {
    let data = plan.storage.iter().map(|_| claim(plan));
    let volumes = vec![
        empty("environment", None),
        empty("create", Some("Memory")),
        empty("hot", None),
        empty("packages", None),
        empty("tmp", None),
        secret("credentials", names::credentials(&plan.name)),
        secret("index", names::agent(&plan.name)),
    ];
    let beside = plan.database.is_none().then(|| configuration(plan));
    // All that there can ever be: another one must not change the pod.
    let shards = names::shards(&plan.name).enumerate();
    let shards = shards.map(|(shard, name)| config_map(&format!("code-{shard}"), name, Some(true)));
    let startup = plan
        .startup
        .iter()
        .flat_map(|found| [startup(plan, found), empty("startup-state", None)]);
    data.chain(volumes)
        .chain(beside)
        .chain([token()])
        .chain(user(plan))
        .chain(shards)
        .chain(startup)
        .collect()
}

/// Of a component in a pod of its own.
pub(super) fn of_component(plan: &Plan) -> Vec<Volume> {
    let volumes = [
        empty("environment", None),
        empty("create", Some("Memory")),
        empty("tmp", None),
        secret("credentials", names::credentials(&plan.name)),
    ];
    volumes.into_iter().chain(user(plan)).collect()
}

/// Of a load balancer in a pod of its own.
pub(super) fn of_load_balancer(plan: &Plan) -> Vec<Volume> {
    vec![empty("tmp", None), configuration(plan)]
}

fn claim(plan: &Plan) -> Volume {
    Volume {
        name: "data".into(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: names::data(&plan.name),
            ..PersistentVolumeClaimVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn configuration(plan: &Plan) -> Volume {
    config_map("load-balancer", names::load_balancer(&plan.name), None)
}

/// The user of the database, if that is not a file.
fn user(plan: &Plan) -> Option<Volume> {
    let reference = &plan.database.as_ref()?.address.credentials_secret_ref;
    Some(secret("database", reference.name.clone()))
}

/// The wrapper alone is where Python looks first: no module of a user may hide one of Python's or of Zato's.
fn startup(plan: &Plan, startup: &Startup) -> Volume {
    let to = |key: &String| {
        let folder = if startup.modules.contains_key(key) {
            "modules"
        } else {
            "wrapper"
        };
        KeyToPath {
            key: key.clone(),
            path: format!("{folder}/{key}"),
            mode: None,
        }
    };
    let source = ConfigMapVolumeSource {
        name: names::startup(&plan.name, &startup.hash()),
        items: Some(startup.files().keys().map(to).collect()),
        ..ConfigMapVolumeSource::default()
    };
    Volume {
        name: "startup".into(),
        config_map: Some(source),
        ..Volume::default()
    }
}

/// What a container has of startup callables, if there are any: the agent reads what the server notes.
pub(super) fn callables(plan: &Plan, may_write: bool) -> Vec<VolumeMount> {
    if plan.startup.is_none() {
        return vec![];
    }
    let state = mount("startup-state", paths::STARTUP_STATE);
    let state = if may_write { state } else { read_only(state) };
    vec![read_only(mount("startup", paths::STARTUP)), state]
}

/// A component's own temporary folder.
pub(super) fn tmp(container: &str) -> VolumeMount {
    VolumeMount {
        sub_path: Some(container.into()),
        ..mount("tmp", "/tmp")
    }
}

pub(super) fn environment() -> VolumeMount {
    mount("environment", paths::ENVIRONMENT)
}

pub(super) fn data() -> VolumeMount {
    mount("data", paths::DATA)
}

pub(super) fn create() -> VolumeMount {
    mount("create", paths::CREATE)
}

pub(super) fn hot() -> VolumeMount {
    mount("hot", paths::HOT)
}

pub(super) fn packages() -> VolumeMount {
    mount("packages", paths::PACKAGES)
}

pub(super) fn load_balancer() -> VolumeMount {
    read_only(mount("load-balancer", paths::LOAD_BALANCER))
}

pub(super) fn credentials() -> VolumeMount {
    read_only(mount("credentials", paths::CREDENTIALS))
}

pub(super) fn database() -> VolumeMount {
    read_only(mount("database", paths::DATABASE))
}

/// What only the agent sees.
pub(super) fn agent(plan: &Plan) -> Vec<VolumeMount> {
    let shard = |(shard, name)| mount(&format!("code-{shard}"), &format!("{}/{name}", paths::CODE));
    let shards = names::shards(&plan.name).enumerate().map(shard);
    let inputs = [mount("index", paths::INDEX), mount("token", TOKEN)];
    let inputs = inputs.into_iter().chain(shards).map(read_only);
    inputs
        .chain([credentials()])
        .chain(plan.database.iter().map(|_| database()))
        .chain(callables(plan, false))
        .collect()
}

pub(super) fn read_only(mount: VolumeMount) -> VolumeMount {
    VolumeMount {
        read_only: Some(true),
        ..mount
    }
}

fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.into(),
        mount_path: path.into(),
        ..VolumeMount::default()
    }
}

fn empty(name: &str, medium: Option<&str>) -> Volume {
    let size_limit = medium.map(|_| Quantity("16Mi".into()));
    let source = EmptyDirVolumeSource {
        medium: medium.map(Into::into),
        size_limit,
    };
    Volume {
        name: name.into(),
        empty_dir: Some(source),
        ..Volume::default()
    }
}

fn secret(name: &str, secret: String) -> Volume {
    let source = SecretVolumeSource {
        secret_name: Some(secret),
        default_mode: Some(SECRET_MODE),
        ..SecretVolumeSource::default()
    };
    Volume {
        name: name.into(),
        secret: Some(source),
        ..Volume::default()
    }
}

fn config_map(name: &str, config_map: String, optional: Option<bool>) -> Volume {
    let source = ConfigMapVolumeSource {
        name: config_map,
        optional,
        ..ConfigMapVolumeSource::default()
    };
    Volume {
        name: name.into(),
        config_map: Some(source),
        ..Volume::default()
    }
}

/// What the kubelet would mount by itself, but into one container only.
fn token() -> Volume {
    let to = |key: &str| KeyToPath {
        key: key.into(),
        path: key.into(),
        mode: None,
    };
    let sources = vec![
        VolumeProjection {
            service_account_token: Some(ServiceAccountTokenProjection {
                expiration_seconds: Some(3607),
                path: "token".into(),
                ..ServiceAccountTokenProjection::default()
            }),
            ..VolumeProjection::default()
        },
        VolumeProjection {
            config_map: Some(ConfigMapProjection {
                name: "kube-root-ca.crt".into(),
                items: Some(vec![to("ca.crt")]),
                ..ConfigMapProjection::default()
            }),
            ..VolumeProjection::default()
        },
        VolumeProjection {
            downward_api: Some(DownwardAPIProjection {
                items: Some(vec![DownwardAPIVolumeFile {
                    path: "namespace".into(),
                    field_ref: Some(ObjectFieldSelector {
                        field_path: "metadata.namespace".into(),
                        api_version: Some("v1".into()),
                    }),
                    ..DownwardAPIVolumeFile::default()
                }]),
            }),
            ..VolumeProjection::default()
        },
    ];
    let source = ProjectedVolumeSource {
        sources: Some(sources),
        default_mode: Some(SECRET_MODE),
    };
    Volume {
        name: "token".into(),
        projected: Some(source),
        ..Volume::default()
    }
}
