//! Where the database is and who logs in.
//!
//! Owns what Zato cannot pass on: characters that its commands or its servers read as something else. Must never tell a
//! password.

use std::env;
use std::fs;
use std::path::Path;

use zeroize::Zeroizing;

use crate::agent::Error;
use crate::exchange::database::{Cause, Trouble};

/// The key of the database's Secret with the user's name.
const USERNAME: &str = "username";
/// The key with the password.
const PASSWORD: &str = "password";

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
        if let Some(why) = refused_name(&login.user) {
            return Err(invalid(USERNAME, why).into());
        }
        if let Some(why) = refused_password(&login.password) {
            return Err(invalid(PASSWORD, why).into());
        }
        Ok(login)
    }

    /// The schema by name, where there is one.
    pub fn schema(&self) -> Option<&str> {
        self.address.schema.as_deref()
    }
}

fn invalid(key: &str, why: &str) -> Trouble {
    let message = format!(
        "key {key} of the Secret that spec.database.postgresql.credentialsSecretRef names {why}: correct it in the Secret, and in the database"
    );
    Trouble::new(Cause::CredentialsInvalid, message)
}

/// Why Zato cannot pass a user's name on: it stands in a URL, in files with comments and lists, and in JSON.
fn refused_name(name: &str) -> Option<&'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.@+".contains(c);
    if name.is_empty() {
        Some("is empty")
    } else if !name.chars().all(is_plain) {
        Some("has a character that Zato reads as something else: only letters, digits and _-.@+ are safe")
    } else {
        None
    }
}

/// Why Zato cannot pass a password on.
fn refused_password(password: &str) -> Option<&'static str> {
    if password.is_empty() {
        Some("is empty")
    } else if password.contains('#') {
        Some("has a #, at which Zato's servers cut it off")
    } else if has_escape(password) {
        Some("has a % before two hexadecimal digits, which Zato takes for one character")
    } else if password.trim() != password {
        Some(
            "begins or ends with white space, which Zato cuts off (kubectl create secret --from-file takes the end of the last line along)",
        )
    } else if password.chars().any(char::is_control) {
        Some("has a control character, such as the end of a line, at which Zato cuts it off")
    } else {
        None
    }
}

fn has_escape(text: &str) -> bool {
    let is_escape = |three: &[u8]| three[0] == b'%' && three[1..].iter().all(u8::is_ascii_hexdigit);
    text.as_bytes().windows(3).any(is_escape)
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
    fn what_zato_can_pass_on_is_taken() {
        for password in ["a", "@:/?&=+!$ \"'\\", "50%", "%zz%1", "$HOME", "ä"] {
            assert_eq!(told("zato_1-a.b@c", password), None, "{password}");
        }
    }

    #[test]
    fn what_zato_breaks_is_refused_with_the_reason_and_without_the_value() {
        for (password, why) in [
            ("", "is empty"),
            ("geheim#1", "has a #"),
            ("geheim%2F1", "two hexadecimal digits"),
            ("geheim1\n", "white space"),
            ("ge\nheim1", "control character"),
        ] {
            let told = told("zato", password).unwrap();
            assert!(
                told.starts_with("CredentialsInvalid: key password of the Secret"),
                "{told}"
            );
            assert!(told.contains(why) && !told.contains("heim1"), "{told}");
        }
        for name in ["", "a:b", "a/b", "a b", "a#", "ä", "a,b", "$A"] {
            let told = told(name, "geheim").unwrap();
            assert!(
                told.starts_with("CredentialsInvalid: key username of the Secret"),
                "{told}"
            );
        }
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
