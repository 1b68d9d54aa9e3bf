//! The files from which Zato's own command creates database, cluster and components.
//!
//! They hold secrets: they are written to memory only, for the pod's user only, and never logged.

mod place;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::database::Wanted;
use super::{Error, Identity};
use crate::cluster::credentials as keys;
use crate::cluster::desired::{paths, ports};
pub use place::{Place, servers};

/// The keys and passwords of the cluster.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The key of all secrets in the database.
    pub key1: String,
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

    /// What the database of a cluster must have of them.
    pub fn wanted<'a>(&'a self, cluster: &'a str) -> Wanted<'a> {
        Wanted {
            cluster,
            key1: &self.key1,
            admin_invoke: &self.admin_invoke,
        }
    }
}

/// Writes one file for each step that this pod's components need.
pub fn write(
    folder: &Path,
    identity: &Identity,
    credentials: &Credentials,
    place: &Place,
) -> Result<(), Error> {
    for (name, lines) in steps(identity, credentials, place) {
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

fn steps<'a>(identity: &Identity, credentials: &Credentials, place: &Place) -> Vec<(&'a str, Lines<'a>)> {
    let mut steps = vec![];
    for &step in place.creates {
        let new = &place.new_database;
        steps.push(match step {
            "database" => (step, command("create_odb", new, vec![])),
            _ => (
                step,
                command("create_cluster", new, cluster(identity, credentials, place)),
            ),
        });
    }
    for component in &identity.components {
        match component.as_str() {
            "server" => steps.push((
                "server",
                command(
                    "create_server",
                    &place.database,
                    server(identity, credentials, place),
                ),
            )),
            "scheduler" => {
                let lines = scheduler(identity, credentials, place);
                steps.push(("scheduler", command("create_scheduler", &place.database, lines)));
            }
            "dashboard" => steps.extend(dashboard(credentials, place)),
            _ => {}
        }
    }
    steps
}

/// The command and the database.
fn command<'a>(name: &str, database: &Lines<'a>, rest: Lines<'a>) -> Lines<'a> {
    let command = ("command", name.to_owned());
    [command]
        .into_iter()
        .chain(database.clone())
        .chain(rest)
        .collect()
}

fn dashboard<'a>(credentials: &Credentials, place: &Place) -> [(&'a str, Lines<'a>); 2] {
    let path = ("path", directory("dashboard"));
    let admin = ("admin_invoke_password", credentials.admin_invoke.clone());
    let password = vec![
        ("command", "update_password".to_owned()),
        path.clone(),
        ("username", "admin".into()),
        ("password", credentials.dashboard.clone()),
    ];
    let create = command("create_web_admin", &place.database, vec![path, admin]);
    [("dashboard", create), ("dashboard-password", password)]
}

fn directory(component: &str) -> String {
    format!("{}/{component}", paths::ENVIRONMENT)
}

fn cluster<'a>(identity: &Identity, credentials: &Credentials, place: &Place) -> Lines<'a> {
    let (host, port) = &place.dashboard;
    vec![
        ("cluster_name", identity.cluster.clone()),
        // Where the dashboard finds the servers.
        ("lb_host", host.clone()),
        ("lb_port", port.to_string()),
        ("lb_agent_port", "20151".into()),
        ("secret_key", credentials.key1.clone()),
        ("admin_invoke_password", credentials.admin_invoke.clone()),
    ]
}

fn server<'a>(identity: &Identity, credentials: &Credentials, place: &Place) -> Lines<'a> {
    let mut lines = vec![
        ("path", directory("server")),
        ("cluster_name", identity.cluster.clone()),
        ("server_name", identity.pod.clone()),
        ("secret_key", credentials.key1.clone()),
        ("jwt_secret", credentials.jwt_secret.clone()),
        ("http_port", ports::SERVER.to_string()),
        ("threads", "1".into()),
    ];
    lines.extend(clients(credentials, place));
    lines
}

fn scheduler<'a>(identity: &Identity, credentials: &Credentials, place: &Place) -> Lines<'a> {
    let mut lines = vec![
        ("path", directory("scheduler")),
        ("cluster_name", identity.cluster.clone()),
        ("secret_key", credentials.key1.clone()),
        ("bind_host", "0.0.0.0".into()),
        ("bind_port", ports::SCHEDULER.to_string()),
    ];
    lines.extend(clients(credentials, place));
    lines
}

/// How server and scheduler call each other. With a scheme: without one Zato takes the address for TLS.
fn clients<'a>(credentials: &Credentials, place: &Place) -> Lines<'a> {
    vec![
        (
            "scheduler_address_for_server",
            format!("http://{}", place.scheduler),
        ),
        (
            "server_address_for_scheduler",
            format!("http://{}", place.servers),
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
mod tests;
