//! The directory of a server whose database is one of these: who logs in there, and with what, is in its files.

use std::path::{Path, PathBuf};

use sso_dump::database::{Database, Kind};
use sso_dump::diff::TableDiff;
use sso_dump::dump::Options;
use sso_dump::error::Error;
use sso_dump::restore;

use super::support::*;
use super::{differences, empty, filled};

/// As `zato create server` makes it; the password of the database is a token of the key, and says `hello`.
fn directory(folder: &Path, engine: &str, database: &Database, secrets: &str) -> PathBuf {
    let (Database::Postgresql(server) | Database::Mysql(server)) = database else {
        unreachable!()
    };
    let config = folder.join("server/config/repo");
    std::fs::create_dir_all(&config).unwrap();
    let odb = format!(
        "[main]\ngunicorn_bind=localhost:17010\n\n[odb]\ndb_name={}\nengine={engine}\nextra=\nhost={}\nport={}\n\
         password=zato+secret://zato.server_conf.odb.password\npool_size=15\nusername=directory\n",
        server.database, server.host, server.port
    );
    std::fs::write(config.join("server.conf"), odb).unwrap();
    std::fs::write(config.join("secrets.conf"), secrets).unwrap();
    std::fs::write(folder.join("server/.zato-info"), r#"{"version": "3.2"}"#).unwrap();
    folder.join("server")
}

/// From the directory of one server into that of another, for each engine as Zato names it.
#[test]
fn from_one_directory_into_another() {
    let secrets = format!("[secret_keys]\nkey1={KEY}\n\n[zato]\nserver_conf.odb.password={TOKEN}\n");
    for (engine, kind) in [
        ("postgresql+pg8000", Kind::Postgresql),
        ("mysql+pymysql", Kind::Mysql),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let find = |name: &str, database: &Database| {
            let place = directory(&folder.path().join(name), engine, database, &secrets);
            Database::find(place.to_str().unwrap(), None).unwrap()
        };
        let from = find("from", &filled(kind, folder.path(), 10));
        assert_eq!(from.zato_version.as_deref(), Some("3.2"));
        let options = Options {
            secrets: from.secrets,
            ..options()
        };
        let (manifest, bytes) = archive(&from.database, options).unwrap();
        let check = manifest.key_check.unwrap();
        assert_eq!((check.looked_at, check.opened), (14, 14));
        let to = find("to", &wait(empty(kind, folder.path(), "to.db")));
        let options = restore::Options {
            key: to.secrets.map(Into::into),
            ..restore::Options::default()
        };
        restore(&bytes, &to.database, options).unwrap();
        assert!(differences(&bytes, to.database).iter().all(TableDiff::is_same));
    }
}

/// Without its password, or with another one, nobody is let in, and neither is told.
#[test]
fn a_directory_without_the_password() {
    for (engine, kind) in [("postgresql", Kind::Postgresql), ("mysql+pymysql", Kind::Mysql)] {
        let folder = tempfile::tempdir().unwrap();
        let secrets = format!("[secret_keys]\nkey1={KEY}\n");
        let database = wait(empty(kind, folder.path(), "to.db"));
        let place = directory(folder.path(), engine, &database, &secrets);
        for password in [None, Some("geheim".to_owned().into())] {
            let found = Database::find(place.to_str().unwrap(), password).unwrap();
            let error = archive(&found.database, options()).unwrap_err();
            assert!(matches!(error, Error::Database { .. }), "{error}");
            assert!(!error.to_string().contains("geheim"), "{error}");
        }
    }
}
