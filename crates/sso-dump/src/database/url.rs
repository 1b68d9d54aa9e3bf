//! URLs of databases.
//!
//! Must never take a password from one, nor leave a parameter out that it does not know.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;
use zeroize::Zeroizing;

use super::{Database, Kind, Server, Tls};
use crate::error::Error;

impl Database {
    /// From a URL: `postgresql://user@host:5432/database?sslmode=verify-full&sslrootcert=FILE&schema=NAME`,
    /// `mysql://..` the same without a schema, `sqlite:///path` without any of these.
    pub fn from_url(text: &str, password: Option<Zeroizing<String>>) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Usage(format!("not the URL of a database: {why}"));
        let url = Url::parse(text).map_err(|why| wrong(&why.to_string()))?;
        if url.password().is_some() {
            return Err(Error::Usage(
                "the URL has a password, which everybody on this machine could read: put it into the environment variable ZATO_SSO_PASSWORD or into a file (--password-file)".into(),
            ));
        }
        let path = decoded(url.path())?;
        let kind = match url.scheme() {
            "sqlite" if url.host_str().is_some_and(|host| !host.is_empty()) => {
                return Err(wrong(
                    "a file of SQLite has three slashes, as in sqlite:///opt/zato.db, or is named without sqlite:",
                ));
            }
            "sqlite" if url.query().is_some() => return Err(wrong("one of SQLite has no parameters")),
            "sqlite" => return Ok(Self::Sqlite(PathBuf::from(path))),
            "postgresql" | "postgres" => Kind::Postgresql,
            "mysql" | "mariadb" => Kind::Mysql,
            _ => return Err(wrong("it begins with none of postgresql:, mysql: and sqlite:")),
        };
        let database = path.trim_start_matches('/').to_owned();
        if database.is_empty() || url.username().is_empty() {
            return Err(wrong(
                "it names no user or no database, as in postgresql://user@host/database",
            ));
        }
        let host = decoded(url.host_str().unwrap_or_default())?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let user = (decoded(url.username())?, password);
        let mut server = Server::new(kind, (host, url.port()), user, database);
        server.set_all(kind, &url)?;
        Ok(server.of(kind))
    }
}

impl Server {
    fn set_all(&mut self, kind: Kind, url: &Url) -> Result<(), Error> {
        let mut pairs = url.query_pairs();
        if pairs.any(|pair| pair == ("sslmode".into(), "disable".into()))
            && url.query_pairs().any(|(key, _)| key == "sslrootcert")
        {
            return Err(Error::Usage(
                "the URL has sslrootcert and sslmode=disable, which looks at nobody: leave one of them out"
                    .into(),
            ));
        }
        for (key, value) in url.query_pairs() {
            self.set(kind, &key, &value)?;
        }
        Ok(())
    }

    fn set(&mut self, kind: Kind, key: &str, value: &str) -> Result<(), Error> {
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
            ("schema", name) if kind == Kind::Postgresql => self.schema = Some(name.to_owned()),
            _ => {
                return Err(Error::Usage(format!(
                    "the URL has a parameter that is not known for {kind}: {key}"
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
            "mysql://u@h/d?schema=s",
            "mysql://u@h/d?sslrootcert=/ca.pem&sslmode=disable",
            "mysql://u@h/d?sslmode=disable&sslrootcert=/ca.pem",
            "sqlite://zato.db",
            "sqlite:///zato.db?schema=s",
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
