//! The database as the cause: it is asked while a server of a Distributed cluster cannot be created, does not answer, or has not
//! done yet what is wanted, because the server itself says little about why.
//!
//! Only looks, and not more often than it pauses.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::creation::Credentials;
use super::database::{self, Address, Login};
use super::{Error, Identity};
use crate::cluster::desired::paths;
use crate::exchange::database::{Cause, Trouble};

/// For one look: a network that goes away in the middle of it would be waited for a quarter of an hour.
const LIMIT: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// What the database is asked for.
pub struct Doubt {
    address: Option<Address>,
    cluster: String,
    /// Read at each look: a password that was changed reaches the pod while it runs.
    folder: PathBuf,
    credentials: Credentials,
    last: Option<(Instant, Option<String>)>,
}

impl Doubt {
    /// Of one cluster.
    pub fn new(identity: &Identity, credentials: Credentials) -> Self {
        Self {
            address: identity.database.clone(),
            cluster: identity.cluster.clone(),
            folder: paths::DATABASE.into(),
            credentials,
            last: None,
        }
    }

    /// What keeps the database from being used; none: nothing, or it is not asked for.
    pub async fn trouble(&mut self) -> Option<String> {
        let address = self.address.as_ref()?;
        if let Some((looked, found)) = &self.last
            && looked.elapsed() < PAUSE
        {
            return found.clone();
        }
        let late = || {
            let message = format!("{address} does not answer within {} s", LIMIT.as_secs());
            Some(Trouble::new(Cause::DatabaseUnreachable, message).to_string())
        };
        let looked = tokio::time::timeout(LIMIT, self.look(address)).await;
        let found = looked.map_or_else(|_| late(), |found| found.err().map(|error| error.to_string()));
        self.last = Some((Instant::now(), found.clone()));
        found
    }

    async fn look(&self, address: &Address) -> Result<(), Error> {
        let login = Login::read(address, &self.folder)?;
        let wanted = self.credentials.wanted(&self.cluster);
        Ok(database::check(&login, &wanted).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubt(address: Option<Address>, folder: PathBuf) -> Doubt {
        Doubt {
            address,
            cluster: "demo".into(),
            folder,
            credentials: Credentials::default(),
            last: None,
        }
    }

    #[tokio::test]
    async fn a_database_that_does_not_answer_is_told_and_not_asked_again_at_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("username"), "zato").unwrap();
        std::fs::write(folder.path().join("password"), "geheim").unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address {
            host: "127.0.0.1".into(),
            port: free.local_addr().unwrap().port(),
            name: "odb".into(),
            schema: None,
        };
        drop(free);
        let mut doubt = doubt(Some(address), folder.path().into());
        let told = doubt.trouble().await.unwrap();
        assert!(
            told.starts_with("DatabaseUnreachable: odb on 127.0.0.1:"),
            "{told}"
        );
        std::fs::write(folder.path().join("password"), "").unwrap();
        assert_eq!(doubt.trouble().await, Some(told));
        doubt.last = None;
        assert!(doubt.trouble().await.unwrap().starts_with("CredentialsInvalid: "));
    }

    #[tokio::test]
    async fn a_quickstart_has_no_such_database() {
        assert_eq!(doubt(None, "/nowhere".into()).trouble().await, None);
    }
}
