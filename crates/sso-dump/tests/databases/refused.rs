//! What is refused: told, and nothing is written.

use sso_dump::database::{Database, Kind};
use sso_dump::error::Error;
use sso_dump::restore;

use super::support::servers::{contents, create, execute};
use super::support::*;
use super::{KINDS, filled, is_empty};

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
