//! Which database: a URL, a file of SQLite, or the directory of a Zato server, which says it.
//!
//! Owns their forms and what a connection needs. A password never comes from a URL, and is never in one that is told.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::schema::Table;
use crate::secrets::{Secrets, value};

/// The kinds of database that Zato keeps its tables in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A file.
    Sqlite,
    /// PostgreSQL.
    Postgresql,
    /// MySQL or MariaDB.
    Mysql,
}

/// A database with its tables.
#[derive(Clone)]
pub enum Database {
    /// The file.
    Sqlite(PathBuf),
    /// PostgreSQL.
    Postgresql(Server),
    /// MySQL or MariaDB.
    Mysql(Server),
}

/// How a server of databases is reached.
#[derive(Clone)]
pub struct Server {
    /// Its name, or the folder of its socket.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// With what.
    pub password: Option<Zeroizing<String>>,
    /// The database there.
    pub database: String,
    /// The schema of PostgreSQL; none: what the search path says.
    pub schema: Option<String>,
    /// Whether the connection is encrypted, and who vouches for the server.
    pub tls: Tls,
}

/// Encryption on the way to a server. There is none that is tried and then left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// None.
    Disabled,
    /// The server must prove its name to the system's authorities, or to those of this file.
    Verified(Option<PathBuf>),
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
            Self::Mysql => "mysql",
        })
    }
}

impl fmt::Display for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite:{}", path.display()),
            Self::Postgresql(server) | Self::Mysql(server) => write!(
                formatter,
                "{}://{}@{}:{}/{}",
                self.kind(),
                server.user,
                server.host,
                server.port,
                server.database
            ),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// What a place on the command line leads to.
#[derive(Debug)]
pub struct Place {
    /// The database.
    pub database: Database,
    /// The keys, if the place is the directory of a server.
    pub secrets: Option<Secrets>,
    /// The version of Zato, if the place says it.
    pub zato_version: Option<String>,
}

impl Database {
    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Sqlite(_) => Kind::Sqlite,
            Self::Postgresql(_) => Kind::Postgresql,
            Self::Mysql(_) => Kind::Mysql,
        }
    }

    /// Something about it.
    pub fn error(&self, doing: &str, why: impl ToString) -> Error {
        Error::Database {
            database: self.to_string(),
            doing: doing.to_owned(),
            why: why.to_string(),
        }
    }

    /// Whether there are rows that must go before others are written: the last look, when nobody else can write any more.
    pub(crate) fn has_rows(&self, counts: &[u64], replaces: bool) -> Result<bool, Error> {
        let has_rows = counts.iter().any(|&rows| rows > 0);
        if has_rows && !replaces {
            return Err(self.error("write", "somebody else wrote rows meanwhile; nothing was written"));
        }
        Ok(has_rows)
    }

    /// It was given a row whose foreign key leads nowhere.
    pub(crate) fn orphan(&self, table: &Table) -> Error {
        self.error(
            "write",
            format!("a row of {} refers to one that is not there", table.name),
        )
    }

    /// It was lost at COMMIT.
    pub fn unknown(&self, why: String) -> Error {
        let database = self.to_string();
        Error::Unknown { database, why }
    }

    /// From a URL: `postgresql://user@host:5432/database?sslmode=verify-full&sslrootcert=FILE&schema=NAME`,
    /// `mysql://..` the same, `sqlite:///path`.
    pub fn from_url(text: &str, password: Option<Zeroizing<String>>) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Usage(format!("not the URL of a database: {why}"));
        let url = Url::parse(text).map_err(|why| wrong(&why.to_string()))?;
        if url.password().is_some() {
            return Err(Error::Usage(
                "the URL has a password, which everybody on this machine could read: put it into the environment variable ZATO_SSO_PASSWORD or into a file (--password-file)".into(),
            ));
        }
        let path = decoded(url.path())?;
        let (kind, port) = match url.scheme() {
            "sqlite" if url.host_str().is_some_and(|host| !host.is_empty()) => {
                return Err(wrong(
                    "a file of SQLite has three slashes, as in sqlite:///opt/zato.db, or is named without sqlite:",
                ));
            }
            "sqlite" => return Ok(Self::Sqlite(PathBuf::from(path))),
            "postgresql" | "postgres" => (Kind::Postgresql, 5432),
            "mysql" | "mariadb" => (Kind::Mysql, 3306),
            _ => return Err(wrong("it begins with none of postgresql:, mysql: and sqlite:")),
        };
        let database = path.trim_start_matches('/').to_owned();
        if database.is_empty() || url.username().is_empty() {
            return Err(wrong(
                "it names no user or no database, as in postgresql://user@host/database",
            ));
        }
        let mut server = Server {
            host: decoded(url.host_str().unwrap_or_default())?
                .trim_matches(['[', ']'])
                .to_owned(),
            port: url.port().unwrap_or(port),
            user: decoded(url.username())?,
            password,
            database,
            schema: None,
            tls: Tls::Disabled,
        };
        server.tls = if server.is_local() {
            Tls::Disabled
        } else {
            Tls::Verified(None)
        };
        for (key, value) in url.query_pairs() {
            server.set(&key, &value)?;
        }
        Ok(server.of(kind))
    }

    /// From what a person names.
    pub fn find(place: &str, password: Option<Zeroizing<String>>) -> Result<Place, Error> {
        if place.contains("://") {
            return Ok(Place {
                database: Self::from_url(place, password)?,
                secrets: None,
                zato_version: None,
            });
        }
        let path = Path::new(place);
        let kind = path.metadata().map_err(Error::io(place))?;
        if kind.is_file() {
            return Ok(Place {
                database: Self::Sqlite(path.to_owned()),
                secrets: None,
                zato_version: None,
            });
        }
        of_directory(path, password)
    }
}

impl Server {
    fn is_local(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host == "localhost"
            || self.host.starts_with('/')
            || address.is_ok_and(|address| address.is_loopback())
    }

    fn of(self, kind: Kind) -> Database {
        if kind == Kind::Mysql {
            Database::Mysql(self)
        } else {
            Database::Postgresql(self)
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        match (key, value) {
            ("sslmode", "disable") => self.tls = Tls::Disabled,
            ("sslmode", "verify-full") if matches!(self.tls, Tls::Verified(_)) => {}
            ("sslmode", "verify-full") => self.tls = Tls::Verified(None),
            ("sslmode", _) => {
                return Err(Error::Usage(
                    "sslmode is one of disable and verify-full: the others do not look at who answers".into(),
                ));
            }
            ("sslrootcert", file) => self.tls = Tls::Verified(Some(file.into())),
            ("schema", name) => self.schema = Some(name.to_owned()),
            _ => {
                return Err(Error::Usage(format!(
                    "the URL has a parameter that is not known: {key}"
                )));
            }
        }
        Ok(())
    }
}

fn decoded(text: &str) -> Result<String, Error> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Error::Usage("the URL of the database is not UTF-8".into()))
}

/// The database of a Zato server, from its server.conf, and its keys.
fn of_directory(path: &Path, password: Option<Zeroizing<String>>) -> Result<Place, Error> {
    let read = |name: &str| {
        let path = path.join(name);
        std::fs::read_to_string(&path)
            .map(Zeroizing::new)
            .map_err(Error::io(path.display().to_string()))
    };
    let config = read("config/repo/server.conf")?;
    let secrets = Secrets::parse(
        read("config/repo/secrets.conf")?,
        &path.join("config/repo/secrets.conf").display().to_string(),
    )?;
    let entry = |key: &str| value(&config, "odb", key).unwrap_or_default();
    let engine = entry("engine");
    let name = entry("db_name");
    let database = if engine.starts_with("sqlite") {
        // A relative one is relative to the server.
        Database::Sqlite(path.join(name.as_str()))
    } else {
        let kind = match engine.split('+').next().unwrap_or_default() {
            "postgresql" => Kind::Postgresql,
            "mysql" => Kind::Mysql,
            _ => {
                return Err(Error::Usage(format!(
                    "{}: [odb] has no engine that is known",
                    path.display()
                )));
            }
        };
        let port = entry("port").parse();
        let mut server = Server {
            host: entry("host").to_string(),
            port: port.unwrap_or(if kind == Kind::Mysql { 3306 } else { 5432 }),
            user: entry("username").to_string(),
            password: password.or_else(|| secrets.entry("server_conf.odb.password")),
            database: name.to_string(),
            schema: None,
            tls: Tls::Disabled,
        };
        if !server.is_local() {
            server.tls = Tls::Verified(None);
        }
        server.of(kind)
    };
    let info = read(".zato-info").ok();
    let info = info.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    Ok(Place {
        database,
        secrets: Some(secrets),
        zato_version: info.and_then(|info| info["version"].as_str().map(str::to_owned)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let told = |text: &str| Database::from_url(text, None).map(|database| database.to_string());
        assert_eq!(
            told("postgresql://zato@db.example.com/odb").unwrap(),
            "postgresql://zato@db.example.com:5432/odb"
        );
        assert_eq!(
            told("mysql://a%40b@[::1]:33/odb").unwrap(),
            "mysql://a@b@::1:33/odb"
        );
        assert_eq!(told("sqlite:///opt/zato.db").unwrap(), "sqlite:/opt/zato.db");
        for wrong in [
            "x",
            "http://a@b/c",
            "mysql://host/db",
            "mysql://user@host",
            "mysql://u@h/d?ssl=1",
            "sqlite://zato.db",
            "sqlite://opt/zato.db",
        ] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
        let error = told("mysql://user:hunter2@host/db").unwrap_err().to_string();
        assert!(error.contains("ZATO_SSO_PASSWORD") && !error.contains("hunter2"));
    }

    #[test]
    fn a_server_elsewhere_must_prove_itself() {
        let tls = |text: &str| match Database::from_url(text, None).unwrap() {
            Database::Postgresql(server) | Database::Mysql(server) => server.tls,
            Database::Sqlite(_) => unreachable!(),
        };
        assert_eq!(tls("mysql://u@127.0.0.1/d"), Tls::Disabled);
        assert_eq!(tls("mysql://u@10.0.0.1/d"), Tls::Verified(None));
        assert_eq!(tls("mysql://u@10.0.0.1/d?sslmode=disable"), Tls::Disabled);
        let file = Tls::Verified(Some("/ca.pem".into()));
        assert_eq!(tls("mysql://u@h/d?sslrootcert=/ca.pem&sslmode=verify-full"), file);
        assert!(Database::from_url("mysql://u@h/d?sslmode=require", None).is_err());
    }
}
