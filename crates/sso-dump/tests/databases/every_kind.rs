//! Rows of each kind of database in each kind, and what is made of them on the way.

use std::path::Path;

use sso_dump::database::{Database, Kind};
use sso_dump::diff::TableDiff;
use sso_dump::dump::Options;
use sso_dump::error::Error;
use sso_dump::restore;
use sso_dump::schema::TABLES;

use super::support::servers::{contents, create, create_bare, execute, query};
use super::support::*;
use super::{KINDS, differences, empty, filled};

/// The first and the last rows of a table differ when a driver, an escape or an encoding does: all nine ways keep all rows
/// as the databases' own drivers read them, and dumping them again gives the same.
#[test]
fn every_kind_into_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    for from_kind in KINDS {
        for to_kind in KINDS {
            let has_mysql = [from_kind, to_kind].contains(&Kind::Mysql);
            // The longest text that MySQL has a place for.
            let from = filled(
                from_kind,
                folder.path(),
                if has_mysql { 65_535 } else { 1_000_000 },
            );
            let (manifest, bytes) = archive(&from, options()).unwrap();
            let to = wait(empty(
                to_kind,
                folder.path(),
                &format!("{from_kind}-{to_kind}.db"),
            ));
            let restored = restore(&bytes, &to, restore::Options::default())
                .unwrap_or_else(|why| panic!("{from_kind} to {to_kind}: {why}"));
            assert_eq!(restored.rows.iter().sum::<u64>(), manifest.rows());
            assert_eq!(
                wait(contents(&from, !has_mysql)),
                wait(contents(&to, !has_mysql)),
                "{from_kind} to {to_kind}"
            );
            let tables = differences(&bytes, to);
            assert!(
                tables.iter().all(TableDiff::is_same),
                "{from_kind} to {to_kind}: {tables:?}"
            );
            std::fs::remove_file(folder.path().join(format!("{from_kind}-odd.db"))).unwrap();
        }
    }
}

/// What three real installations of Zato 3.2 wrote goes into the tables of each kind, and every password is one that their
/// key opens.
#[test]
fn rows_of_a_real_zato_into_every_kind() {
    let Some(fixtures) = fixtures() else { return };
    let folder = tempfile::tempdir().unwrap();
    for from_kind in KINDS {
        let (from, name) = fixture(from_kind, &fixtures, folder.path());
        let secrets = || Some(fixture_secrets(name));
        let (manifest, bytes) = archive(
            &from,
            Options {
                secrets: secrets(),
                ..options()
            },
        )
        .unwrap();
        let rows: Vec<_> = manifest.tables.iter().map(|table| table.rows).collect();
        assert_eq!(rows, [23, 4, 38, 32, 18, 0, 0]);
        for to_kind in KINDS {
            let to = wait(empty(
                to_kind,
                folder.path(),
                &format!("real-{from_kind}-{to_kind}.db"),
            ));
            restore(&bytes, &to, restore::Options::default()).unwrap();
            let has_fractions = ![from_kind, to_kind].contains(&Kind::Mysql);
            assert_eq!(
                wait(contents(&from, has_fractions)),
                wait(contents(&to, has_fractions))
            );
            let (again, _) = archive(
                &to,
                Options {
                    secrets: secrets(),
                    ..options()
                },
            )
            .unwrap();
            let check = again.key_check.unwrap();
            assert_eq!(
                (check.looked_at, check.opened),
                (23, 23),
                "{from_kind} to {to_kind}"
            );
        }
    }
}

/// The tables that Zato itself made, emptied, take back the rows of each kind.
#[test]
fn rows_go_back_into_tables_that_zato_made() {
    let Some(fixtures) = fixtures() else { return };
    let folder = tempfile::tempdir().unwrap();
    let sources = KINDS.map(|kind| {
        let (from, name) = fixture(kind, &fixtures, folder.path());
        let secrets = Some(fixture_secrets(name));
        let (_, bytes) = archive(&from, Options { secrets, ..options() }).unwrap();
        (kind, bytes, [true, false].map(|has| wait(contents(&from, has))))
    });
    for to_kind in KINDS {
        let (to, _) = fixture(to_kind, &fixtures, folder.path());
        for (from_kind, bytes, rows) in &sources {
            for table in TABLES.iter().rev() {
                let delete = sso_dump::schema::sql::delete(to_kind, table);
                match &to {
                    Database::Sqlite(path) => {
                        let connection = rusqlite::Connection::open(path).unwrap();
                        connection.execute_batch(&delete).unwrap();
                    }
                    _ => wait(execute(&to, &delete)),
                }
            }
            restore(bytes, &to, restore::Options::default())
                .unwrap_or_else(|why| panic!("{from_kind} to {to_kind}: {why}"));
            let has_fractions = ![*from_kind, to_kind].contains(&Kind::Mysql);
            let expected = &rows[usize::from(!has_fractions)];
            assert!(
                wait(contents(&to, has_fractions)) == *expected,
                "{from_kind} to {to_kind}"
            );
        }
    }
}

/// The fixture, loaded by the database's own client.
fn fixture(kind: Kind, fixtures: &Path, folder: &Path) -> (Database, &'static str) {
    if kind == Kind::Sqlite {
        return (Database::Sqlite(sqlite_fixture(folder).unwrap()), "sso-sqlite");
    }
    let database = wait(create_bare(kind));
    let (Database::Postgresql(server) | Database::Mysql(server)) = &database else {
        unreachable!()
    };
    let (name, client) = if kind == Kind::Postgresql {
        let user = [
            "-v",
            "ON_ERROR_STOP=1",
            "-q",
            "-h",
            &server.host,
            "-U",
            &server.user,
            "-d",
            &server.database,
        ];
        (
            "sso-postgresql",
            format!("psql -p {} {}", server.port, user.join(" ")),
        )
    } else {
        let client = format!(
            "mariadb --no-defaults -h {} -P {} -u {}",
            server.host, server.port, server.user
        );
        ("sso-mysql", format!("{client} {}", server.database))
    };
    let dump = fixtures.join(name).join("odb.sql.gz");
    let load = format!(
        "set -o pipefail; gzip -dc {} | {client} > /dev/null",
        dump.display()
    );
    let status = std::process::Command::new("bash")
        .args(["-c", &load])
        .status()
        .unwrap();
    assert!(status.success(), "{load}");
    (database, name)
}

/// After a restore Zato makes new rows: their ids must be new.
#[test]
fn new_ids_come_after_restored_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = archive(&filled(Kind::Sqlite, folder.path(), 10), options()).unwrap();
    let to = wait(create(Kind::Postgresql));
    restore(&bytes, &to, restore::Options::default()).unwrap();
    for table in &TABLES {
        let last = wait(query(
            &to,
            &format!("SELECT coalesce(max(id), 0) FROM {}", table.name),
        ));
        let next = wait(query(&to, &format!("SELECT nextval('{}')", table.sequence)));
        let number =
            |cells: &Vec<Vec<Option<String>>>| cells[0][0].as_deref().unwrap().parse::<i64>().unwrap();
        assert_eq!(number(&next), number(&last) + 1, "{}", table.name);
    }
    let to = wait(create(Kind::Mysql));
    restore(&bytes, &to, restore::Options::default()).unwrap();
    wait(execute(
        &to,
        "INSERT INTO zato_sso_group (is_active, is_internal, group_id, name, source) VALUES (1, 0, 'new', 'n', 's')",
    ));
    assert_eq!(
        wait(query(&to, "SELECT id FROM zato_sso_group WHERE group_id = 'new'"))[0][0].as_deref(),
        Some("5")
    );
}

/// Tables that are not in the schema of the search path: `?schema=NAME` says where.
#[test]
fn tables_in_a_schema_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let database = filled(Kind::Postgresql, folder.path(), 10);
    let (before, _) = archive(&database, options()).unwrap();
    wait(execute(&database, "ALTER SCHEMA public RENAME TO \"a b\""));
    assert!(matches!(archive(&database, options()), Err(Error::Schema { .. })));
    let Database::Postgresql(mut server) = database else {
        unreachable!()
    };
    server.schema = Some("a b".into());
    let there = Database::Postgresql(server);
    let (manifest, bytes) = archive(&there, options()).unwrap();
    assert_eq!(manifest.tables, before.tables);
    let replacing = restore::Options {
        replace_existing: Some(manifest.header.snapshot),
        ..restore::Options::default()
    };
    let restored = restore(&bytes, &there, replacing).unwrap();
    assert_eq!(restored.rows, restored.deleted);
}

/// A database with `bytea_output = 'hex'` has `\x..` where Zato looks for a token: no such user can log in. Restored, they can.
#[test]
fn hexadecimal_tokens_are_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let from = filled(Kind::Postgresql, folder.path(), 10);
    let broken = "UPDATE zato_sso_user SET password = '\\x' || encode(convert_to(password, 'utf8'), 'hex'), email = '\\x' || encode(convert_to(email, 'utf8'), 'hex'), totp_key = '\\x41' WHERE id <> 1";
    wait(execute(&from, broken));
    // No token, so nothing that Zato wrote: it stays.
    let (manifest, bytes) = archive(&from, options()).unwrap();
    assert_eq!(manifest.key_check.unwrap().opened, 14);
    for kind in KINDS {
        let to = wait(empty(kind, folder.path(), &format!("repaired-{kind}.db")));
        let restored = restore(&bytes, &to, restore::Options::default()).unwrap();
        assert_eq!(restored.report.repaired, 13 + 9);
        let password = wait(query(&to, "SELECT DISTINCT password FROM zato_sso_user"));
        assert_eq!(password, [[Some(TOKEN.to_owned())]]);
        let key = wait(query(
            &to,
            "SELECT DISTINCT totp_key FROM zato_sso_user WHERE id <> 1",
        ));
        assert_eq!(key, [[Some("\\x41".to_owned())]]);
    }
}

/// What only one kind of database can say comes back into that kind.
#[test]
fn dates_of_one_kind_alone_come_back() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, dates) in [
        (
            Kind::Postgresql,
            &[
                "infinity",
                "-infinity",
                "0044-03-15 12:00:00 BC",
                "99999-01-01 00:00:00",
            ][..],
        ),
        (Kind::Mysql, &["0000-00-00 00:00:00"][..]),
    ] {
        let from = filled(kind, folder.path(), 10);
        for (place, date) in dates.iter().enumerate() {
            let id = place * 3 + 1;
            let set = format!(
                "SET SESSION sql_mode = ''; UPDATE zato_sso_session SET expiration_time = '{date}' WHERE id = {id}"
            );
            let set = if kind == Kind::Mysql {
                set
            } else {
                set.split_once(';').unwrap().1.to_owned()
            };
            wait(execute(&from, &set));
        }
        let (_, bytes) = archive(&from, options()).unwrap();
        let to = wait(create(kind));
        restore(&bytes, &to, restore::Options::default()).unwrap();
        assert_eq!(wait(contents(&from, false)), wait(contents(&to, false)));
        let elsewhere = wait(empty(Kind::Sqlite, folder.path(), &format!("dates-{kind}.db")));
        assert!(matches!(
            restore(&bytes, &elsewhere, restore::Options::default()),
            Err(Error::Refused { problems, .. }) if problems.len() == dates.len()
        ));
    }
}
