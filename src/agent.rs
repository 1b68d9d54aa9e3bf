//! What runs beside Zato in a server's pod. Only agents talk to Zato, over loopback; they know one cluster and one
//! server, and may write nothing in Kubernetes but their own report.
//!
//! * `agent run`: the sidecar. Writes what Zato is created from and the code, keeps both as the index says, reports.
//! * `agent harden`: an init container. Checks what was created and closes what Zato leaves open.
//! * `agent prepare`, `agent database`: before and after Zato's commands in pods that have no sidecar: the Job that makes the
//!   database of a Distributed cluster, its scheduler and its dashboard.

pub mod cache;
pub mod channels;
pub mod code;
pub mod creation;
pub mod database;
pub mod doubt;
pub mod gate;
pub mod harden;
pub mod importers;
pub mod imports;
pub mod jobs;
pub mod keeper;
pub mod loading;
pub mod log;
pub mod look;
pub mod members;
pub mod packages;
pub mod prepare;
pub mod probes;
pub mod removal;
pub mod report;
pub mod soap;
pub mod startup;
pub mod termination;
pub mod watch;
pub mod words;
pub mod zato;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch as channel;
use tokio_util::sync::CancellationToken;

use database::Address;

use crate::cluster::desired::{paths, ports};
use crate::exchange::Index;
use crate::exchange::database::Trouble;

/// Why an agent cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable that the pod template sets is missing.
    #[error("environment variable {0} is not set")]
    Environment(&'static str),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The API server, or the way to it.
    #[error("Kubernetes API: {0}")]
    Kubernetes(#[source] Box<kube::Error>),
    /// The database is not as Zato's commands should have left it.
    #[error("database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The database of a Distributed cluster, or what Zato's commands left there.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// A step had no effect.
    #[error("{0}")]
    Effect(String),
}

impl Error {
    /// An error of a file.
    pub fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.display().to_string(),
            source,
        }
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

/// Who this agent is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The pod, which is also the server's name.
    pub pod: String,
    /// The pod's UID.
    pub pod_uid: String,
    /// The components that this pod has.
    pub components: Vec<String>,
    /// Where the scheduler is, if the cluster has one and it is in another pod, without a scheme.
    pub scheduler: Option<String>,
    /// The database; none: SQLite on a volume of the pod.
    pub database: Option<Address>,
}

impl Identity {
    /// From the environment that the pod template sets.
    pub fn from_environment() -> Result<Self, Error> {
        let get = |name: &'static str| std::env::var(name).map_err(|_| Error::Environment(name));
        Ok(Self {
            cluster: get("CLUSTER")?,
            namespace: get("POD_NAMESPACE")?,
            pod: get("POD_NAME")?,
            pod_uid: get("POD_UID")?,
            components: get("COMPONENTS")?.split(',').map(Into::into).collect(),
            scheduler: std::env::var("SCHEDULER").ok(),
            database: Address::from_environment()?,
        })
    }

    /// Where the scheduler answers, without a scheme; none: the cluster has none.
    fn scheduler(&self) -> Option<String> {
        let beside = || format!("127.0.0.1:{}", ports::SCHEDULER);
        let elsewhere = self.scheduler.clone();
        elsewhere.or_else(|| self.has("scheduler").then(beside))
    }

    /// Whether this server does what is done once for all servers of the cluster.
    fn keeps(&self, index: &Index) -> bool {
        index.keeper.is_empty() || index.keeper == self.pod
    }

    /// Whether this pod has a component.
    pub fn has(&self, component: &str) -> bool {
        self.components.iter().any(|name| name == component)
    }
}

/// The sidecar: runs until `stop`.
pub async fn run(stop: CancellationToken) -> Result<(), Error> {
    let identity = Identity::from_environment()?;
    let credentials = creation::Credentials::read(Path::new(paths::CREDENTIALS))?;
    let place = match &identity.database {
        None => creation::Place::quickstart(),
        Some(address) => {
            let login = database::Login::read(address, Path::new(paths::DATABASE))?;
            creation::Place::distributed(&identity, &login)
        }
    };
    creation::write(Path::new(paths::CREATE), &identity, &credentials, &place)?;
    let client = kube::Client::try_default().await?;
    let (wanted, updates) = channel::channel(code::mounted());
    let probes = Arc::new(probes::State::default());
    let startup = startup::Startup::mounted()?;
    let keeper = keeper::Keeper::new(identity.clone(), &credentials, updates, probes.clone(), startup);
    let (reports, outgoing) = channel::channel(None);
    tokio::select! {
        result = probes::serve(probes) => result,
        result = watch::follow(client.clone(), &identity, wanted) => result,
        result = report::send(client, &identity, outgoing) => result,
        result = keeper.run(reports) => result,
        // Nothing must be finished: every file is renamed into place.
        () = stop.cancelled() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(components: &[&str], scheduler: Option<&str>) -> Identity {
        Identity {
            cluster: "c".into(),
            namespace: "n".into(),
            pod: "c-server-1".into(),
            pod_uid: "u".into(),
            components: components.iter().map(ToString::to_string).collect(),
            scheduler: scheduler.map(Into::into),
            database: None,
        }
    }

    /// Two servers that keep the same rows would write them against one another.
    #[test]
    fn one_server_keeps_the_rows() {
        let keeps = |keeper: &str| {
            let index = Index {
                keeper: keeper.into(),
                ..Index::default()
            };
            identity(&["server"], None).keeps(&index)
        };
        assert_eq!(
            [keeps(""), keeps("c-server-1"), keeps("c-server-0")],
            [true, true, false]
        );
    }

    /// Jobs are written where the scheduler is, and nowhere if there is none.
    #[test]
    fn the_scheduler_is_beside_or_elsewhere() {
        let found = |components: &[&str], elsewhere| identity(components, elsewhere).scheduler();
        assert_eq!(found(&["server"], None), None);
        assert_eq!(
            found(&["server", "scheduler"], None).as_deref(),
            Some("127.0.0.1:31530")
        );
        assert_eq!(
            found(&["server"], Some("c-scheduler.n:31530")).as_deref(),
            Some("c-scheduler.n:31530")
        );
    }
}
