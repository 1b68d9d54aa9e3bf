//! Which database: a URL, a file of SQLite, or the directory of a Zato server, which says it.
//!
//! Owns their forms and what a connection needs. A password never comes from a URL, and is never in one that is told.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::schema::Table;
use crate::secrets::Secrets;

mod directory;
mod url;

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
        directory::place(path, password)
    }
}

impl Server {
    /// One of that kind, with what nobody said as it is by default: its port, and TLS to a server elsewhere.
    fn new(
        kind: Kind,
        (host, port): (String, Option<u16>),
        (user, password): (String, Option<Zeroizing<String>>),
        database: String,
    ) -> Self {
        let address = host.parse::<std::net::IpAddr>();
        let is_local = host == "localhost"
            || host.starts_with('/')
            || address.is_ok_and(|address| address.is_loopback());
        Self {
            port: port.unwrap_or(if kind == Kind::Mysql { 3306 } else { 5432 }),
            tls: if is_local {
                Tls::Disabled
            } else {
                Tls::Verified(None)
            },
            schema: None,
            host,
            user,
            password,
            database,
        }
    }

    fn of(self, kind: Kind) -> Database {
        if kind == Kind::Mysql {
            Database::Mysql(self)
        } else {
            Database::Postgresql(self)
        }
    }
}
