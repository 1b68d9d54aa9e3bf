//! The environment of containers: what Zato's server is told, by the operator and by the user.

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, SecretKeySelector};

use super::containers::GRACEFUL_TIMEOUT_SECONDS;
use crate::cluster::credentials::TOKEN_SALT;
use crate::cluster::desired::{network, paths};
use crate::cluster::plan::Plan;
use crate::cluster::startup::WRAPPER;
use crate::k8s::names;

pub(super) fn server(plan: &Plan) -> Vec<EnvVar> {
    let setting = |key: &str, value: &str| env(&format!("Zato_Config_Server_server__conf_{key}"), value);
    // Elsewhere it stands in the server's own configuration: the column of PostgreSQL holds no text of this length.
    let token = plan
        .database
        .is_none()
        .then(|| setting("main_token", "$(POD_NAME).$(TOKEN_SALT)"));
    let begin = [
        field("POD_NAME", "metadata.name"),
        salt(plan),
        // Without it no observer of files starts.
        env("ZATO_HOT_DEPLOY_PREFER_SNAPSHOTS", "1"),
        env("ZATO_HOT_DEPLOY_DIR", paths::HOT),
        env("Zato_Hot_Deploy_Interval", "1"),
        // Else the second of two edits of equal size within one second is never loaded.
        env("PYTHONDONTWRITEBYTECODE", "1"),
    ];
    let ours = [
        setting(
            "main_gunicorn_graceful_timeout",
            &GRACEFUL_TIMEOUT_SECONDS.to_string(),
        ),
        setting("preferred_address_address", &address(plan)),
        setting("misc_return_tracebacks", "False"),
        // pubapi may call services of users only; any name that is no channel does it.
        setting("misc_service_invoker_allow_internal", "none"),
        setting("logging_rest_log_ignore", "/zato/ping,/zato/admin/invoke"),
    ];
    let startup = plan.startup.iter().flat_map(|_| {
        [
            env("PYTHONPATH", &format!("{}/wrapper", paths::STARTUP)),
            setting("misc_startup_callable", &format!("{WRAPPER}.call")),
        ]
    });
    let of_user = plan.variables.iter().map(|(name, value)| env(name, value));
    let ours = begin.into_iter().chain(token).chain(ours);
    ours.chain(startup).chain(of_user).collect()
}

/// Where the other servers find this one.
fn address(plan: &Plan) -> String {
    match plan.database {
        Some(_) => format!(
            "$(POD_NAME).{}",
            network::host(&names::server(&plan.name), &plan.namespace)
        ),
        None => "127.0.0.1".into(),
    }
}

pub(super) fn env(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.into(),
        value: Some(value.into()),
        value_from: None,
    }
}

pub(super) fn field(name: &str, path: &str) -> EnvVar {
    let field_ref = Some(ObjectFieldSelector {
        field_path: path.into(),
        api_version: Some("v1".into()),
    });
    EnvVar {
        name: name.into(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref,
            ..EnvVarSource::default()
        }),
    }
}

pub(super) fn salt(plan: &Plan) -> EnvVar {
    let secret_key_ref = Some(SecretKeySelector {
        name: names::credentials(&plan.name),
        key: TOKEN_SALT.into(),
        optional: None,
    });
    let value_from = Some(EnvVarSource {
        secret_key_ref,
        ..EnvVarSource::default()
    });
    EnvVar {
        name: "TOKEN_SALT".into(),
        value: None,
        value_from,
    }
}
