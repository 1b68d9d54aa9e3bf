//! What differs between the topologies when Zato's environment is created: the database, and where components find each other.

use super::Lines;
use crate::agent::Identity;
use crate::agent::database::{Found, Login};
use crate::cluster::desired::{network, paths, ports};
use crate::k8s::names;

/// Where the components of a cluster find each other and their database.
pub struct Place {
    /// The database's keys in the files of all commands but those that make it.
    pub(super) database: Lines<'static>,
    /// The same for the commands that make it.
    pub(super) new_database: Lines<'static>,
    /// The commands that make it, of those that are needed.
    pub(super) creates: &'static [&'static str],
    /// Where the scheduler finds the servers, without a scheme.
    pub(super) servers: String,
    /// Where the dashboard finds the servers: host and port.
    pub(super) dashboard: (String, i32),
    /// Where servers find the scheduler, without a scheme.
    pub(super) scheduler: String,
}

impl Place {
    /// All components in one pod, which makes its own SQLite: under another name, and renamed when it is complete.
    pub fn quickstart() -> Self {
        Self {
            database: sqlite(&format!("{}/zato.db", paths::DATA)),
            new_database: sqlite(&format!("{}/new/zato.db", paths::DATA)),
            creates: &["database", "cluster"],
            servers: format!("127.0.0.1:{}", ports::SERVER),
            dashboard: ("127.0.0.1".into(), ports::SERVER),
            scheduler: format!("127.0.0.1:{}", ports::SCHEDULER),
        }
    }

    /// A component a pod, and a database that a Job made.
    pub fn distributed(identity: &Identity, login: &Login) -> Self {
        let (host, port) = servers(identity);
        let database = postgresql(login);
        Self {
            new_database: database.clone(),
            database,
            creates: &[],
            servers: format!("{host}:{port}"),
            scheduler: format!(
                "{}:{}",
                network::host(&names::scheduler(&identity.cluster), &identity.namespace),
                ports::SCHEDULER
            ),
            dashboard: (host, port),
        }
    }

    /// With the commands that a database needs in which this was found.
    #[must_use]
    pub fn after(self, found: Found) -> Self {
        let creates: &[&str] = match found {
            Found::Nothing | Found::Begun => &["database", "cluster"],
            Found::Tables => &["cluster"],
            Found::Cluster(_) => &[],
        };
        Self { creates, ..self }
    }
}

/// The Service of all servers that are ready.
pub fn servers(identity: &Identity) -> (String, i32) {
    let service = names::ready_servers(&identity.cluster);
    (network::host(&service, &identity.namespace), ports::SERVER)
}

/// The empty keys are needed: without them Zato's command ends with an AttributeError.
fn sqlite(path: &str) -> Lines<'static> {
    let mut lines: Lines<'static> = vec![
        ("odb_type", "sqlite".into()),
        ("sqlite_path", path.to_owned()),
        ("odb_db_name", path.to_owned()),
        ("odb_password", "unused".into()),
    ];
    lines.extend(["odb_host", "odb_port", "odb_user", "postgresql_schema"].map(|key| (key, String::new())));
    lines
}

/// Zato's commands take no notice of a schema: the user's sessions begin in it.
fn postgresql(login: &Login) -> Lines<'static> {
    vec![
        ("odb_type", "postgresql".into()),
        ("odb_host", login.address.host.clone()),
        ("odb_port", login.address.port.to_string()),
        ("odb_db_name", login.address.name.clone()),
        ("odb_user", login.user.clone()),
        ("odb_password", login.password.to_string()),
        ("sqlite_path", String::new()),
        ("postgresql_schema", login.schema().unwrap_or_default().to_owned()),
    ]
}
