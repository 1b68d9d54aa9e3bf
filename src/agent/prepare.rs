//! Before and after Zato's commands in the pods of a Distributed cluster that have no sidecar.
//!
//! * `agent prepare`: writes what the pod's components are created from. In the database's Job it looks into the database
//!   first, and writes only what is to be done there.
//! * `agent database`: judges what the Job created, and closes what Zato leaves open.
//!
//! Both can be repeated, and interrupted at any point.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::creation::{self, Credentials, Place};
use super::database::{self, Login};
use super::{Error, Identity};
use crate::cluster::desired::paths;

/// The component of the database's Job.
const JOB: &str = "database";

/// Who works for which cluster, with which user of the database.
struct Work {
    identity: Identity,
    credentials: Credentials,
    login: Login,
}

impl Work {
    fn mounted() -> Result<Self, Error> {
        let identity = Identity::from_environment()?;
        let address = identity
            .database
            .as_ref()
            .ok_or(Error::Environment("DATABASE_HOST"))?;
        let login = Login::read(address, Path::new(paths::DATABASE))?;
        Ok(Self {
            login,
            credentials: Credentials::read(Path::new(paths::CREDENTIALS))?,
            identity,
        })
    }
}

/// Writes the files of this pod's components.
pub async fn prepare() -> Result<(), Error> {
    let work = Work::mounted()?;
    let folder = Path::new(paths::CREATE);
    forget(folder)?;
    let place = Place::distributed(&work.identity, &work.login);
    let wanted = work.credentials.wanted(&work.identity.cluster);
    let place = if work.identity.has(JOB) {
        let found = database::begin(&work.login, &wanted).await?;
        tracing::info!(?found, database = %work.login.address, "looked");
        place.after(found)
    } else {
        // What would make Zato's command fail is told in better words here.
        database::check(&work.login, &wanted).await?;
        place
    };
    creation::write(folder, &work.identity, &work.credentials, &place)
}

/// What a run before wrote: it may not be wanted any more.
fn forget(folder: &Path) -> Result<(), Error> {
    for name in ["database", "cluster", "failed", "done"] {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::file(&path, error)),
            _ => {}
        }
    }
    Ok(())
}

/// Judges the database, and makes it as it has to be.
pub async fn settle() -> Result<(), Error> {
    let work = Work::mounted()?;
    let (host, port) = creation::servers(&work.identity);
    let wanted = work.credentials.wanted(&work.identity.cluster);
    database::settle(&work.login, &wanted, (&host, port)).await?;
    tracing::info!(database = %work.login.address, "the database is as it has to be");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_wrote_goes() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["database", "failed", "other"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        forget(folder.path()).unwrap();
        let left = fs::read_dir(folder.path()).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["other"]);
    }
}
