//! Settings of Zato's own files, and which of them users may not have.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Files of configuration, by name.
pub type Configuration = BTreeMap<String, ConfigurationFile>;

/// The sections of one file, by name.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(transparent)]
pub struct ConfigurationFile(
    #[schemars(extend("maxProperties" = 32))] pub BTreeMap<String, ConfigurationSection>,
);

/// The values of one section, by key.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(transparent)]
pub struct ConfigurationSection(
    #[schemars(extend("maxProperties" = 64))] pub BTreeMap<String, ConfigurationValue>,
);

/// One value, on one line.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct ConfigurationValue(
    #[schemars(length(max = 4096), regex(pattern = r"^[^\x00-\x1f\x7f]*$"))] pub String,
);

/// The variable that Zato reads for a setting is made of these two. It reads two underscores for what a variable's name
/// cannot have.
pub fn joined(section: &str, key: &str) -> String {
    format!("{section}_{}", key.replace(['.', '-'], "__"))
}

/// What the operator sets itself in server.conf, or what would break what it relies on, as [`joined`]; one that ends with
/// `_` is a whole section. Joined, because another way to divide the name means the same setting.
const OWNED: [&str; 20] = [
    "odb_",
    "crypto_",
    "secrets_",
    "hot_deploy_",
    "preferred_address_",
    "scheduler_",
    "main_token",
    "main_gunicorn_bind",
    "main_gunicorn_workers",
    "main_gunicorn_graceful_timeout",
    "main_ipc_host",
    "main_ipc_port_start",
    "main_work_dir",
    "misc_startup_callable",
    "misc_return_tracebacks",
    "misc_service_invoker_allow_internal",
    "misc_jwt_secret",
    "misc_initial_cluster_name",
    "misc_initial_server_name",
    "logging_rest_log_ignore",
];

/// The rule of the schema that refuses them, in CEL.
pub fn owned_rule() -> String {
    let quoted = |is_section| {
        let found = OWNED
            .iter()
            .filter(move |owned| owned.ends_with('_') == is_section);
        found
            .map(|owned| format!("'{owned}'"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let (sections, settings) = (quoted(true), quoted(false));
    let name = "section + '_' + key.replace('.', '__').replace('-', '__')";
    format!(
        "!('server.conf' in self) || self['server.conf'].all(section, self['server.conf'][section].all(key, \
         !({name} in [{settings}]) && ![{sections}].exists(owned, ({name}).startsWith(owned))))"
    )
}

/// What it says.
pub fn owned_message() -> String {
    let name = |owned: &&str| match owned.split_once('_') {
        Some((section, key)) if !owned.ends_with('_') => format!("{section}.{key}"),
        _ => owned.trim_end_matches('_').to_owned(),
    };
    let names: Vec<_> = OWNED.iter().map(name).collect();
    format!(
        "the operator owns these sections and settings of server.conf: {}; take them out",
        names.join(", ")
    )
}
