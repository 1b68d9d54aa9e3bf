//! Pure: settings of users as Zato reads them, which is from variables whose names join file, section and key.

use std::collections::BTreeMap;

use crate::api::configuration::{Configuration, joined};

/// The variables of all settings, or which of them is another one's, too.
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
                let name = joined(section, key);
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
    fn two_settings_with_one_variable_are_refused() {
        let twice = of(serde_json::json!({"server.conf": {"a": {"b.c": "1", "b-c": "2"}}}));
        let (place, why) = twice.unwrap_err();
        assert!(place.starts_with("config.server.conf.a.b") && why.contains("cannot tell"));
    }
}
