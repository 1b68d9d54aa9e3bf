//! Pure: settings of users as Zato reads them, which is from variables whose names join file, section and key.

use std::collections::BTreeMap;

use crate::api::zato_cluster::Configuration;

/// What the operator sets itself, or what would break what it relies on; one that ends with `_` is a whole section. The
/// schema refuses them by section and key; joined names have other ways to be written.
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

/// The variables of all settings, or which setting cannot be had and why.
pub fn variables(configuration: &Configuration) -> Result<BTreeMap<String, String>, (String, &'static str)> {
    let mut variables = BTreeMap::new();
    for (file, sections) in configuration {
        // What Zato looks for: the component for which it takes the path of the file.
        let component = if file == "server.conf" {
            "Server_server__conf"
        } else {
            "Unknown_sso__conf"
        };
        for (section, values) in &sections.0 {
            for (key, value) in &values.0 {
                let place = format!("config.{file}.{section}.{key}");
                // Zato reads two underscores for what a variable's name cannot have.
                let name = format!("{section}_{}", key.replace(['.', '-'], "__"));
                if file == "server.conf" && is_owned(&name) {
                    return Err((place, "the operator owns it: take it out"));
                }
                // A reference to a variable is what Kubernetes would put in.
                let value = value.0.replace("$(", "$$(");
                if variables
                    .insert(format!("Zato_Config_{component}_{name}"), value)
                    .is_some()
                {
                    return Err((
                        place,
                        "Zato cannot tell it from another setting: rename one of them",
                    ));
                }
            }
        }
    }
    Ok(variables)
}

fn is_owned(name: &str) -> bool {
    OWNED
        .iter()
        .any(|owned| name == *owned || (owned.ends_with('_') && name.starts_with(owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(settings: serde_json::Value) -> Result<BTreeMap<String, String>, (String, &'static str)> {
        variables(&serde_json::from_value(settings).unwrap())
    }

    #[test]
    fn settings_of_users_become_variables_as_zato_reads_them() {
        let found = of(serde_json::json!({
            "server.conf": {"misc": {"http_server_header": "Acme"}, "startup_services_first_worker": {"my.svc-a": "$(X) $Y"}},
            "sso.conf": {"main": {"token": "free here"}},
        }));
        let wanted = [
            ("Zato_Config_Server_server__conf_misc_http_server_header", "Acme"),
            (
                "Zato_Config_Server_server__conf_startup_services_first_worker_my__svc__a",
                "$$(X) $Y",
            ),
            ("Zato_Config_Unknown_sso__conf_main_token", "free here"),
        ];
        assert_eq!(
            found.unwrap(),
            wanted
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        );
    }

    #[test]
    fn what_the_operator_owns_is_refused_however_it_is_written() {
        for (section, key) in [
            ("main_gunicorn", "bind"),
            ("preferred", "address_address"),
            ("odb", "x"),
            ("misc", "jwt_secret"),
        ] {
            let refused = of(serde_json::json!({"server.conf": {section: {key: "x"}}}));
            assert_eq!(
                refused.unwrap_err().0,
                format!("config.server.conf.{section}.{key}")
            );
        }
        let twice = of(serde_json::json!({"server.conf": {"a": {"b.c": "1", "b-c": "2"}}}));
        assert!(twice.unwrap_err().1.contains("cannot tell"));
    }
}
