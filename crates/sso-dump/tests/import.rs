//! What the article's own procedure makes, and what a person loads by hand.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::Cursor;
use std::path::Path;

use sso_dump::archive::Manifest;
use sso_dump::database::Database;
use sso_dump::dump::Options;
use sso_dump::error::Error;
use sso_dump::import::import;
use sso_dump::restore;
use sso_dump::stream::Control;
use support::*;

fn imported(text: &[u8], options: Options) -> Result<(Manifest, Vec<u8>), Error> {
    let output = Cursor::new(Vec::new());
    let outcome = wait(import(
        Cursor::new(text.to_vec()),
        "backup.sql",
        options,
        output,
        &Control::default(),
    ));
    outcome.map(|(manifest, output)| (manifest, output.into_inner()))
}

/// The text that `.dump` makes of the known tables, with rows of three of them.
fn text() -> String {
    let mut text =
        String::from("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nDROP TABLE IF EXISTS zato_sso_group;\n");
    for statement in sso_dump::schema::sql::create(sso_dump::database::Kind::Sqlite) {
        text += &(statement + ";\n");
    }
    text += "INSERT INTO zato_sso_group VALUES(1,1,0,'g;1','it''s -- no comment','x',replace('two\\nlines','\\n',char(10)),2);\n";
    text += "INSERT INTO zato_sso_group VALUES(2,1,0,'g2',unistr('\\u017c'),'a\nb;\nc',NULL,NULL);\n";
    text + "COMMIT;\n"
}

#[test]
fn a_dump_becomes_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let (manifest, bytes) = imported(text().as_bytes(), options()).unwrap();
    assert_eq!(manifest.rows(), 2);
    let to = sqlite(folder.path(), "to.db");
    restore(&bytes, &Database::Sqlite(to.clone()), restore::Options::default()).unwrap();
    let groups = "SELECT name || '|' || source || '|' || ifnull(opaque1, '') FROM zato_sso_group ORDER BY id";
    let connection = rusqlite::Connection::open(&to).unwrap();
    let mut statement = connection.prepare(groups).unwrap();
    let rows: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows, ["it's -- no comment|x|two\nlines", "ż|a\nb;\nc|"]);
}

/// Cut anywhere: told, and no archive.
#[test]
fn a_cut_dump_is_refused() {
    let text = text();
    let whole = text.trim_end();
    for at in (0..whole.len()).step_by(61) {
        assert!(
            imported(&whole.as_bytes()[..at], options()).is_err(),
            "cut at {at}"
        );
    }
    let error = imported(text.replace("COMMIT", "ROLLBACK").as_bytes(), options()).unwrap_err();
    assert!(matches!(error, Error::Schema { .. }), "{error}");
}

/// A dump only makes tables and rows: it reads no other file, and runs nothing.
#[test]
fn a_hostile_dump_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.db");
    for attack in [
        format!("ATTACH '{}' AS x;", other.display()),
        "SELECT load_extension('/x');".into(),
        "PRAGMA writable_schema=ON;".into(),
        "CREATE TRIGGER t AFTER INSERT ON zato_sso_user BEGIN DELETE FROM zato_sso_group; END;".into(),
        "VACUUM INTO '/tmp/x';".into(),
        "CREATE VIRTUAL TABLE v USING fts5(x);".into(),
    ] {
        let text = text().replace("COMMIT;", &format!("{attack}\nCOMMIT;"));
        let error = imported(text.as_bytes(), options()).unwrap_err();
        assert!(matches!(error, Error::Text(_)), "{attack}: {error}");
    }
    assert!(!other.exists());
    let error = imported(b"INSERT INTO t VALUES ('hunter2'", options()).unwrap_err();
    assert!(!error.to_string().contains("hunter2") && !error.to_string().contains("archive"));
}

/// Runs a shell command in a folder.
#[cfg(feature = "databases")]
fn shell(folder: &Path, command: &str) {
    let output = std::process::Command::new("bash")
        .args(["-ec", &format!("set -o pipefail; {command}")])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// With the client of SQLite, as the article has it: the exact rows, and with them all indexes of the new tables.
#[cfg(feature = "databases")]
#[test]
fn the_articles_procedure() {
    let folder = tempfile::tempdir().unwrap();
    let from = sqlite(folder.path(), "zato.db");
    odd_rows(&from, 200_000);
    let mut sources = vec![(from, secrets as fn() -> _)];
    if let Some(fixture) = sqlite_fixture(folder.path()) {
        sources.push((fixture, || fixture_secrets("sso-sqlite")));
    }
    for (from, secrets) in sources {
        shell(
            folder.path(),
            &format!("sqlite3 {} '.dump zato_sso_%' > backup.sql", from.display()),
        );
        let text = std::fs::read(folder.path().join("backup.sql")).unwrap();
        let options = || Options {
            secrets: Some(secrets()),
            ..options()
        };
        let (manifest, bytes) = imported(&text, options()).unwrap();
        let (direct, _) = archive(&Database::Sqlite(from.clone()), options()).unwrap();
        assert_eq!(manifest.tables, direct.tables);
        let to = sqlite(folder.path(), "to.db");
        let made = makings(&to);
        restore(&bytes, &Database::Sqlite(to.clone()), restore::Options::default()).unwrap();
        assert_eq!(everything(&to), everything(&from));
        assert_eq!(makings(&to), made);
        std::fs::remove_file(to).unwrap();
    }
}

/// Without this program: age, tar and the databases' own clients load the archive into the tables that Zato made.
#[cfg(feature = "databases")]
#[test]
fn an_archive_is_loaded_by_hand() {
    use sso_dump::database::Kind;
    use support::servers::{contents, create};
    let folder = tempfile::tempdir().unwrap();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 65_535);
    let mut sources = vec![(from, secrets as fn() -> _)];
    if let Some(fixture) = sqlite_fixture(folder.path()) {
        sources.push((fixture, || fixture_secrets("sso-sqlite")));
    }
    for (place, (from, secrets)) in sources.into_iter().enumerate() {
        let options = Options {
            secrets: Some(secrets()),
            ..options()
        };
        let (_, bytes) = archive(&Database::Sqlite(from.clone()), options).unwrap();
        let place = folder.path().join(format!("unpacked{place}"));
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join("archive.tar.gz"), bytes).unwrap();
        shell(&place, "tar -xzf archive.tar.gz");
        let to = sqlite(&place, "to.db");
        let made = makings(&to);
        shell(&place, "sqlite3 to.db < load/sqlite.sql");
        assert_eq!(everything(&to), everything(&from));
        assert_eq!(makings(&to), made);
        for kind in [Kind::Postgresql, Kind::Mysql] {
            let to = wait(create(kind));
            let load = by_hand(&to);
            shell(&place, &load);
            let has_fractions = kind == Kind::Postgresql;
            let source = Database::Sqlite(from.clone());
            assert_eq!(
                wait(contents(&to, has_fractions)),
                wait(contents(&source, has_fractions))
            );
            // Not twice.
            let again = std::panic::catch_unwind(|| shell(&place, &load));
            assert!(again.is_err());
            assert_eq!(
                wait(contents(&to, has_fractions)),
                wait(contents(&source, has_fractions))
            );
        }
    }
}

/// A row or a part that is missing, or another folder: the clients stop, and nothing is loaded.
#[cfg(feature = "databases")]
#[test]
fn what_is_missing_is_not_loaded_by_hand() {
    use sso_dump::database::Kind;
    use support::servers::{contents, create};
    let folder = tempfile::tempdir().unwrap();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 100);
    std::fs::write(folder.path().join("a.tar.gz"), archive_of(&from).1).unwrap();
    for (place, damage) in [
        "sed -i '$d' tables/zato_sso_attr/000000.tsv",
        "rm tables/zato_sso_attr/000000.tsv",
        "mv tables other",
    ]
    .into_iter()
    .enumerate()
    {
        let place = folder.path().join(format!("unpacked{place}"));
        std::fs::create_dir(&place).unwrap();
        shell(&place, &format!("tar -xzf ../a.tar.gz; {damage}"));
        for kind in [Kind::Sqlite, Kind::Postgresql, Kind::Mysql] {
            let to = if kind == Kind::Sqlite {
                Database::Sqlite(sqlite(&place, "to.db"))
            } else {
                wait(create(kind))
            };
            let load = by_hand(&to);
            let loaded = std::panic::catch_unwind(|| shell(&place, &load));
            assert!(loaded.is_err(), "{damage}: {load}");
            assert!(
                wait(contents(&to, true)).iter().all(Vec::is_empty),
                "{damage}: {load}"
            );
        }
    }
}

/// What the guide says, for that database.
#[cfg(feature = "databases")]
fn by_hand(to: &Database) -> String {
    match to {
        Database::Sqlite(path) => format!("sqlite3 {} < load/sqlite.sql", path.display()),
        Database::Postgresql(server) => format!(
            "psql -q -h {} -p {} -U {} -d {} -f load/postgresql.sql",
            server.host, server.port, server.user, server.database
        ),
        Database::Mysql(server) => format!(
            "mariadb --no-defaults --local-infile=1 -h {} -P {} -u {} {} < load/mysql.sql",
            server.host, server.port, server.user, server.database
        ),
    }
}
