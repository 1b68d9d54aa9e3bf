//! Where the database is and who logs in.
//!
//! Must never tell a password.

use std::env;
use std::fs;
use std::path::Path;

use zeroize::Zeroizing;

use crate::agent::Error;
use crate::exchange::database::{Cause, PASSWORD, Trouble, USERNAME, unusable};

/// A database on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub name: String,
    /// The schema of the tables; none: the one where the user's tables go without a word.
    pub schema: Option<String>,
}

impl Address {
    /// From the environment that the pod template sets; none: the cluster is a Quickstart with SQLite.
    pub fn from_environment() -> Result<Option<Self>, Error> {
        let Ok(host) = env::var("DATABASE_HOST") else {
            return Ok(None);
        };
        let get = |name: &'static str| env::var(name).map_err(|_| Error::Environment(name));
        let port = get("DATABASE_PORT")?;
        let port = port.parse().map_err(|_| Error::Environment("DATABASE_PORT"))?;
        Ok(Some(Self {
            host,
            port,
            name: get("DATABASE_NAME")?,
            schema: env::var("DATABASE_SCHEMA")
                .ok()
                .filter(|schema| !schema.is_empty()),
        }))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} on {}:{}", self.name, self.host, self.port)
    }
}

/// A database and its user.
pub struct Login {
    /// The database.
    pub address: Address,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: Zeroizing<String>,
}

impl Login {
    /// With the user of the mounted Secret, if Zato can pass both on.
    pub fn read(address: &Address, folder: &Path) -> Result<Self, Error> {
        let read = |key: &str| match fs::read_to_string(folder.join(key)) {
            Ok(text) => Ok(text),
            Err(why) => Err(invalid(key, &format!("cannot be read ({})", why.kind()))),
        };
        let login = Self {
            address: address.clone(),
            user: read(USERNAME)?,
            password: Zeroizing::new(read(PASSWORD)?),
        };
        for (key, value) in [(USERNAME, &login.user), (PASSWORD, &*login.password)] {
            if let Some(why) = unusable(key, value) {
                return Err(invalid(key, why).into());
            }
        }
        Ok(login)
    }

    /// The schema by name, where there is one.
    pub fn schema(&self) -> Option<&str> {
        self.address.schema.as_deref()
    }
}

fn invalid(key: &str, why: &str) -> Trouble {
    let message =
        format!("key {key} of the Secret that spec.database.postgresql.credentialsSecretRef names {why}");
    Trouble::new(Cause::CredentialsInvalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        Address {
            host: "db".into(),
            port: 5432,
            name: "zato".into(),
            schema: None,
        }
    }

    fn told(user: &str, password: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(USERNAME), user).unwrap();
        fs::write(folder.path().join(PASSWORD), password).unwrap();
        let login = Login::read(&address(), folder.path());
        login.err().map(|error| error.to_string())
    }

    #[test]
    fn what_zato_breaks_is_refused_without_the_value() {
        assert_eq!(told("zato", "p@ss %w"), None);
        let password = told("zato", "geheim#1").unwrap();
        assert!(
            password.starts_with("CredentialsInvalid: key password of the Secret")
                && !password.contains("heim"),
            "{password}"
        );
        let user = told("a:b", "geheim").unwrap();
        assert!(
            user.starts_with("CredentialsInvalid: key username of the Secret"),
            "{user}"
        );
    }

    #[test]
    fn a_secret_without_a_key_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(USERNAME), "zato").unwrap();
        let error = Login::read(&address(), folder.path()).err().unwrap().to_string();
        assert!(
            error.starts_with("CredentialsInvalid: key password of"),
            "{error}"
        );
    }
}
