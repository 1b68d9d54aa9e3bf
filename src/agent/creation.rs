//! The files from which Zato's own command creates database, cluster and components.
//!
//! They hold secrets: they are written to memory only, for the pod's user only, and never logged.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Error, Identity};
use crate::cluster::credentials as keys;
use crate::cluster::desired::{paths, ports};

/// The keys and passwords of the cluster.
pub struct Credentials {
    key1: String,
    jwt_secret: String,
    scheduler: String,
    dashboard: String,
    /// The password of `admin.invoke`.
    pub admin_invoke: String,
    /// The password of `pubapi`.
    pub pubapi: String,
}

impl Credentials {
    /// Reads the mounted Secret.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let read = |key: &str| {
            let path = folder.join(key);
            fs::read_to_string(&path).map_err(|error| Error::file(&path, error))
        };
        Ok(Self {
            key1: read(keys::KEY1)?,
            jwt_secret: read(keys::JWT_SECRET)?,
            scheduler: read(keys::SCHEDULER_PASSWORD)?,
            dashboard: read(keys::DASHBOARD_PASSWORD)?,
            admin_invoke: read(keys::ADMIN_INVOKE_PASSWORD)?,
            pubapi: read(keys::PUBAPI_PASSWORD)?,
        })
    }
}

/// Writes one file for each step that this pod's components need.
pub fn write(folder: &Path, identity: &Identity, credentials: &Credentials) -> Result<(), Error> {
    for (name, lines) in steps(identity, credentials) {
        let path = folder.join(name);
        // No blank line: the command ends at one.
        let text = lines
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
            .join("\n");
        fs::write(&path, text).map_err(|error| Error::file(&path, error))?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))
            .map_err(|error| Error::file(&path, error))?;
    }
    Ok(())
}

type Lines<'a> = Vec<(&'a str, String)>;

fn steps<'a>(identity: &Identity, credentials: &'a Credentials) -> Vec<(&'a str, Lines<'a>)> {
    let new = format!("{}/new/zato.db", paths::DATA);
    let current = format!("{}/zato.db", paths::DATA);
    let mut steps = vec![
        ("database", command("create_odb", &new, vec![])),
        (
            "cluster",
            command("create_cluster", &new, cluster(identity, credentials)),
        ),
    ];
    for component in &identity.components {
        match component.as_str() {
            "server" => steps.push((
                "server",
                command("create_server", &current, server(identity, credentials)),
            )),
            "scheduler" => {
                steps.push((
                    "scheduler",
                    command("create_scheduler", &current, scheduler(identity, credentials)),
                ));
            }
            "dashboard" => {
                let path = ("path", directory("dashboard"));
                let admin = ("admin_invoke_password", credentials.admin_invoke.clone());
                steps.push((
                    "dashboard",
                    command("create_web_admin", &current, vec![path.clone(), admin]),
                ));
                let password = vec![
                    ("command", "update_password".to_owned()),
                    path,
                    ("username", "admin".into()),
                    ("password", credentials.dashboard.clone()),
                ];
                steps.push(("dashboard-password", password));
            }
            _ => {}
        }
    }
    steps
}

/// The command and the database. The empty keys are needed: without them Zato's command ends with an AttributeError.
fn command<'a>(name: &str, database: &str, rest: Lines<'a>) -> Lines<'a> {
    let mut lines: Lines<'a> = vec![
        ("command", name.to_owned()),
        ("odb_type", "sqlite".into()),
        ("sqlite_path", database.to_owned()),
        ("odb_db_name", database.to_owned()),
        ("odb_password", "unused".into()),
    ];
    lines.extend(["odb_host", "odb_port", "odb_user", "postgresql_schema"].map(|key| (key, String::new())));
    lines.extend(rest);
    lines
}

fn directory(component: &str) -> String {
    format!("{}/{component}", paths::ENVIRONMENT)
}

fn cluster<'a>(identity: &Identity, credentials: &Credentials) -> Lines<'a> {
    vec![
        ("cluster_name", identity.cluster.clone()),
        // Where the dashboard finds the servers: in the same pod.
        ("lb_host", "127.0.0.1".into()),
        ("lb_port", ports::SERVER.to_string()),
        ("lb_agent_port", "20151".into()),
        ("secret_key", credentials.key1.clone()),
        ("admin_invoke_password", credentials.admin_invoke.clone()),
    ]
}

fn server<'a>(identity: &Identity, credentials: &Credentials) -> Lines<'a> {
    let mut lines = vec![
        ("path", directory("server")),
        ("cluster_name", identity.cluster.clone()),
        ("server_name", identity.pod.clone()),
        ("secret_key", credentials.key1.clone()),
        ("jwt_secret", credentials.jwt_secret.clone()),
        ("http_port", ports::SERVER.to_string()),
        ("threads", "1".into()),
    ];
    lines.extend(clients(credentials));
    lines
}

fn scheduler<'a>(identity: &Identity, credentials: &Credentials) -> Lines<'a> {
    let mut lines = vec![
        ("path", directory("scheduler")),
        ("cluster_name", identity.cluster.clone()),
        ("secret_key", credentials.key1.clone()),
        ("bind_host", "0.0.0.0".into()),
        ("bind_port", ports::SCHEDULER.to_string()),
    ];
    lines.extend(clients(credentials));
    lines
}

/// How server and scheduler call each other. With a scheme: without one Zato takes the address for TLS.
fn clients<'a>(credentials: &Credentials) -> Lines<'a> {
    vec![
        (
            "scheduler_address_for_server",
            format!("http://127.0.0.1:{}", ports::SCHEDULER),
        ),
        (
            "server_address_for_scheduler",
            format!("http://127.0.0.1:{}", ports::SERVER),
        ),
        ("scheduler_api_client_for_server_username", "scheduler".into()),
        (
            "scheduler_api_client_for_server_password",
            credentials.scheduler.clone(),
        ),
        ("server_api_client_for_scheduler_username", "admin.invoke".into()),
        (
            "server_api_client_for_scheduler_password",
            credentials.admin_invoke.clone(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_quickstart_pod() {
        let identity = Identity {
            cluster: "demo".into(),
            namespace: "default".into(),
            pod: "demo-server-0".into(),
            pod_uid: "u".into(),
            components: ["server", "scheduler", "dashboard"].map(Into::into).into(),
        };
        let credentials = Credentials {
            key1: "KEY1".into(),
            jwt_secret: "JWT".into(),
            scheduler: "SCHEDULER".into(),
            dashboard: "DASHBOARD".into(),
            admin_invoke: "ADMIN".into(),
            pubapi: "PUBAPI".into(),
        };
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &identity, &credentials).unwrap();
        let mut texts = std::collections::BTreeMap::new();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            let text = fs::read_to_string(entry.path()).unwrap();
            assert!(text.lines().all(|line| !line.is_empty()));
            texts.insert(entry.file_name().into_string().unwrap(), text);
        }
        insta::assert_yaml_snapshot!(texts);
    }
}
