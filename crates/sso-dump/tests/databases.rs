//! Real servers: every kind of database into every kind, and what only one of them can hold.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};

use mysql_async::prelude::Queryable;
use sso_dump::archive::seal::Identities;
use sso_dump::database::{Database, Kind};
use sso_dump::diff::{Side, diff};
use sso_dump::dump::Options;
use sso_dump::error::Error;
use sso_dump::restore;
use sso_dump::schema::TABLES;
use sso_dump::stream::{Control, Progress};
use support::servers::{contents, create, create_bare, execute, mysql, postgresql, query};
use support::*;

const KINDS: [Kind; 3] = [Kind::Sqlite, Kind::Postgresql, Kind::Mysql];

async fn empty(kind: Kind, folder: &Path, name: &str) -> Database {
    if kind == Kind::Sqlite {
        Database::Sqlite(sqlite(folder, name))
    } else {
        create(kind).await
    }
}

async fn is_empty(database: &Database) -> bool {
    contents(database, true).await.iter().all(Vec::is_empty)
}

/// Odd rows in a database of that kind; what MySQL cannot hold stays away from it.
fn filled(kind: Kind, folder: &Path, long: usize) -> Database {
    let path = sqlite(folder, &format!("{kind}-odd.db"));
    odd_rows(&path, long);
    if kind == Kind::Sqlite {
        return Database::Sqlite(path);
    }
    let (_, bytes) = archive_of(&path);
    let database = wait(create(kind));
    restore(&bytes, &database, restore::Options::default()).unwrap();
    database
}

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
            let sides = (
                Side::Archive(source(&bytes), Identities::default()),
                Side::Database(to),
            );
            let tables = wait(diff(sides.0, sides.1, &Control::default())).unwrap();
            assert!(
                tables.iter().all(sso_dump::diff::TableDiff::is_same),
                "{from_kind} to {to_kind}: {tables:?}"
            );
            if from_kind == Kind::Sqlite {
                std::fs::remove_file(folder.path().join("sqlite-odd.db")).unwrap();
            } else {
                std::fs::remove_file(folder.path().join(format!("{from_kind}-odd.db"))).unwrap();
            }
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

/// What a database cannot hold is told at once, row by row, before the first row is written, and without its value.
#[test]
fn what_does_not_fit_is_told_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = sqlite(folder.path(), "from.db");
    odd_rows(&path, 70_000);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "UPDATE zato_sso_user SET display_name = 'secret' || hex(zeroblob(100)) WHERE id = 1;
             UPDATE zato_sso_attr SET opaque1 = 'secret' || char(0) WHERE id = 1;
             UPDATE zato_sso_attr SET opaque1 = CAST('secret' || x'ff' AS BLOB) WHERE id = 4;
             UPDATE zato_sso_session SET creation_time = '0000-00-00 00:00:00' WHERE id = 1;",
        )
        .unwrap();
    let (_, bytes) = archive_of(&path);
    let problems = |kind| {
        let to = wait(create(kind));
        let error = restore(&bytes, &to, restore::Options::default()).unwrap_err();
        assert!(
            wait(is_empty(&to)) && !error.to_string().contains("secret"),
            "{error}"
        );
        match error {
            Error::Refused { problems, .. } => problems,
            other => panic!("{other}"),
        }
    };
    assert_eq!(
        problems(Kind::Postgresql),
        [
            "zato_sso_user id 1: display_name has 206 characters, its column takes 191",
            "zato_sso_session id 1: creation_time is no date of the years 1 to 9999",
            "zato_sso_attr id 1: opaque1 has a NUL character, which PostgreSQL does not take",
            "zato_sso_attr id 4: opaque1 is not UTF-8",
        ]
    );
    assert_eq!(
        problems(Kind::Mysql),
        [
            "zato_sso_user id 1: display_name has 206 characters, its column takes 191",
            "zato_sso_session id 1: creation_time is no date of the years 1 to 9999",
            "zato_sso_attr id 4: opaque1 is not UTF-8",
            "zato_sso_attr id 1000: value has 70000 bytes, its column takes 65535",
        ]
    );
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

/// Tables that are not as Zato makes them, tables with rows, rows that are refused in the middle: nothing is written.
#[test]
fn refusals_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (manifest, bytes) = archive(&filled(Kind::Sqlite, folder.path(), 10), options()).unwrap();
    for kind in [Kind::Postgresql, Kind::Mysql] {
        let restored = |to: &Database| restore(&bytes, to, restore::Options::default());
        for (change, told) in [
            (
                "ALTER TABLE zato_sso_user ADD shoe_size INTEGER",
                "column shoe_size of zato_sso_user is not known",
            ),
            (
                "DROP TABLE zato_sso_password_reset",
                "table zato_sso_password_reset is missing",
            ),
        ] {
            let to = wait(create(kind));
            wait(execute(&to, change));
            assert!(matches!(restored(&to), Err(Error::Schema { differences, .. }) if differences == [told]));
            assert!(matches!(archive(&to, options()), Err(Error::Schema { .. })));
        }
        // One that the same rows were put into before, and others.
        let to = wait(create(kind));
        restored(&to).unwrap();
        let before = wait(contents(&to, true));
        assert!(matches!(restored(&to), Err(Error::NotEmpty { .. })));
        let named = restore::Options {
            replace_existing: Some(manifest.header.snapshot.clone()),
            ..restore::Options::default()
        };
        wait(execute(&to, "DELETE FROM zato_sso_attr WHERE id > 10"));
        restore(&bytes, &to, named.clone()).unwrap();
        assert_eq!(wait(contents(&to, true)), before);
        // A rule that a late table breaks, after others were written.
        let to = wait(create(kind));
        wait(execute(
            &to,
            "CREATE UNIQUE INDEX one_of_each ON zato_sso_attr (is_encrypted)",
        ));
        let error = restored(&to).unwrap_err();
        assert!(error.to_string().contains("one_of_each"), "{error}");
        assert!(wait(is_empty(&to)));
    }
}

/// The engine of a table decides whether all or nothing is possible at all.
#[test]
fn tables_without_transactions_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = archive(&filled(Kind::Sqlite, folder.path(), 10), options()).unwrap();
    let to = wait(create(Kind::Mysql));
    wait(execute(&to, "DROP TABLE zato_sso_password_reset"));
    let make = sso_dump::schema::sql::create(Kind::Mysql).pop().unwrap();
    let make = make.replace("InnoDB", "MyISAM");
    let make: Vec<_> = make
        .lines()
        .filter(|line| !line.contains("FOREIGN KEY"))
        .collect();
    wait(execute(
        &to,
        &make.join("\n").replace(
            "CHECK (`is_password_reset` IN (0, 1)),",
            "CHECK (`is_password_reset` IN (0, 1))",
        ),
    ));
    let error = restore(&bytes, &to, restore::Options::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("zato_sso_password_reset is of engine MyISAM"),
        "{error}"
    );
}

/// TRUNCATE empties a table for older snapshots, too: a dump that begins while rows are replaced waits for them, and does
/// not write a whole archive of no rows.
#[test]
fn a_dump_while_rows_are_replaced_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let from = filled(Kind::Postgresql, folder.path(), 10);
    let (_, before) = archive(&from, options()).unwrap();
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    wait(async {
        let replacing = postgresql(&from).await;
        let replace = format!(
            "BEGIN; LOCK TABLE {0} IN SHARE ROW EXCLUSIVE MODE; TRUNCATE {0};
             INSERT INTO zato_sso_group VALUES (7, true, false, 'g', 'n', 's', NULL, NULL)",
            names.join(", ")
        );
        replacing.batch_execute(&replace).await.unwrap();
        let dumped = from.clone();
        let dumping = std::thread::spawn(move || archive(&dumped, options()));
        let waiting = "SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
            WHERE NOT l.granted AND d.datname = current_database()";
        while query(&from, waiting).await.is_empty() {
            assert!(!dumping.is_finished(), "it did not wait");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        replacing.batch_execute("COMMIT").await.unwrap();
        let (manifest, _) = dumping.join().unwrap().unwrap();
        assert_eq!(manifest.rows(), 1);
    });
    let sides = (
        Side::Archive(source(&before), Identities::default()),
        Side::Database(from),
    );
    let tables = wait(diff(sides.0, sides.1, &Control::default())).unwrap();
    assert_eq!(tables[0].removed.rows, 14);
}

/// A server whose default is READ COMMITTED: while rows are restored nobody else writes, so that none of theirs are between.
#[test]
fn nobody_writes_while_mysql_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let from = filled(Kind::Sqlite, folder.path(), 10);
    let (_, bytes) = archive(&from, options()).unwrap();
    let to = wait(create(Kind::Mysql));
    wait(execute(
        &to,
        "SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED",
    ));
    let (other, outcome) = (to.clone(), Arc::new(Mutex::new(None)));
    let found = outcome.clone();
    let progress = move |progress: Progress| {
        let mut found = found.lock().unwrap();
        if progress.step == "restore" && found.is_none() {
            let insert = "INSERT INTO zato_sso_group VALUES (5000, 1, 0, 'g', 'n', 's', NULL, NULL)";
            let other = other.clone();
            let inserting = std::thread::spawn(move || {
                wait(async {
                    let mut client = mysql(&other).await;
                    let patience = "SET SESSION innodb_lock_wait_timeout = 1";
                    client.query_drop(patience).await.unwrap();
                    client.query_drop(insert).await
                })
            });
            *found = Some(inserting.join().unwrap());
        }
    };
    let control = Control {
        progress: Some(Arc::new(progress)),
        ..Control::default()
    };
    let (identities, options) = (Identities::default(), restore::Options::default());
    wait(restore::restore(
        source(&bytes),
        identities,
        &to,
        options,
        &control,
    ))
    .unwrap();
    wait(execute(
        &to,
        "SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    ));
    let outcome = outcome.lock().unwrap().take().unwrap();
    assert!(outcome.is_err_and(|why| why.to_string().contains("1205")));
    assert_eq!(wait(contents(&to, false)), wait(contents(&from, false)));
}

/// A column that somebody altered to take NULL, with such a row: told when it is dumped, not when nothing can restore it.
#[test]
fn null_where_zato_writes_none_is_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    for kind in KINDS {
        let from = filled(kind, folder.path(), 10);
        let path = folder.path().join("sqlite-odd.db");
        match kind {
            // SQLite alters no column; what makes the tables is a text.
            Kind::Sqlite => rusqlite::Connection::open(&path)
                .unwrap()
                .execute_batch(
                    "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql = replace(sql, '\"remote_addr\" TEXT NOT NULL', '\"remote_addr\" TEXT'); PRAGMA writable_schema=RESET;
                     UPDATE zato_sso_session SET remote_addr = NULL WHERE id = 4",
                )
                .unwrap(),
            Kind::Postgresql => wait(execute(
                &from,
                "ALTER TABLE zato_sso_session ALTER remote_addr DROP NOT NULL; UPDATE zato_sso_session SET remote_addr = NULL WHERE id = 4",
            )),
            Kind::Mysql => {
                wait(execute(&from, "ALTER TABLE zato_sso_session MODIFY remote_addr TEXT NULL"));
                wait(execute(&from, "UPDATE zato_sso_session SET remote_addr = NULL WHERE id = 4"));
            }
        }
        let error = archive(&from, options()).unwrap_err().to_string();
        let told = "zato_sso_session id 4: remote_addr is NULL, which Zato does not write there; mend or delete this row";
        assert!(error.contains(told), "{error}");
    }
}

/// A server that is gone when it was asked to commit: nobody knows what it did, and that is told.
#[test]
fn a_connection_lost_at_commit_is_an_unknown_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = archive(&filled(Kind::Sqlite, folder.path(), 10), options()).unwrap();
    let to = wait(create(Kind::Postgresql));
    wait(execute(
        &to,
        "CREATE FUNCTION end_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON zato_sso_group DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION end_it()",
    ));
    let error = restore(&bytes, &to, restore::Options::default()).unwrap_err();
    assert!(
        matches!(error, Error::Unknown { .. }) && error.exit_code() == 24,
        "{error}"
    );
    assert!(
        error.to_string().contains("sso diff ARCHIVE postgresql://"),
        "{error}"
    );
}

/// A collation that takes no case for a difference refuses what others hold: found while writing, told, and taken back.
#[test]
fn names_that_a_collation_takes_for_the_same_are_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let from = filled(Kind::Sqlite, folder.path(), 10);
    rusqlite::Connection::open(folder.path().join("sqlite-odd.db"))
        .unwrap()
        .execute_batch(
            "UPDATE zato_sso_user SET username = 'Anna' WHERE id = 1; UPDATE zato_sso_user SET username = 'anna' WHERE id = 4",
        )
        .unwrap();
    let (_, bytes) = archive(&from, options()).unwrap();
    let to = wait(create(Kind::Mysql));
    let error = restore(&bytes, &to, restore::Options::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("zato_u_usrn_uq") && !error.contains("nna"),
        "{error}"
    );
    assert!(wait(is_empty(&to)));
}
