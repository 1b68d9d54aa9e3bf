//! SQLite: from a database that a server writes to, into an archive, and into the tables of another one.

#![allow(clippy::unwrap_used)]

mod keys;
mod refused;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::Connection;
use sso_dump::archive::read::{Ignore, read};
use sso_dump::archive::seal::Identities;
use sso_dump::database::Database;
use sso_dump::dump::Options;
use sso_dump::error::Error;
use sso_dump::restore;
use sso_dump::stream::Control;
use sso_dump::verify::{verify, verify_by_restore};
use support::*;

fn at(path: &Path) -> Database {
    Database::Sqlite(path.into())
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Users would be locked out, or worse, be somebody else, if one character or one storage class were another.
#[test]
fn odd_rows_come_back_exactly_with_all_indexes() {
    let folder = folder();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 1_000_000);
    // What only SQLite holds: NUL, bytes that are no text, text in the column of another length.
    let connection = Connection::open(&from).unwrap();
    connection
        .execute_batch(
            "UPDATE zato_sso_attr SET value = x'00ff10', opaque1 = CAST(x'80' AS TEXT) WHERE id = 1;
             UPDATE zato_sso_attr SET value = 'a' || char(0) || '0' WHERE id = 4;
             UPDATE zato_sso_user SET display_name = hex(zeroblob(300)), locked_time = '2026-01-01' WHERE id = 1;
             UPDATE zato_sso_user SET sign_up_confirm_token = CAST(sign_up_confirm_token AS BLOB) WHERE id > 1;",
        )
        .unwrap();
    let (manifest, bytes) = archive_of(&from);
    let to = sqlite(folder.path(), "to.db");
    let before = makings(&to);
    let restored = restore(&bytes, &at(&to), restore::Options::default()).unwrap();
    assert_eq!(everything(&to), everything(&from));
    assert_eq!(makings(&to), before);
    assert_eq!(restored.rows.iter().sum::<u64>(), manifest.rows());
    assert_eq!(restored.report, sso_dump::convert::Report::default());
    let (again, _) = archive_of(&to);
    assert_eq!(again.tables, manifest.tables);
}

/// The same with what a real Zato 3.2 wrote, and its key opens every password.
#[test]
fn rows_of_a_real_zato_come_back_exactly() {
    let folder = folder();
    let Some(from) = sqlite_fixture(folder.path()) else {
        return;
    };
    let secrets = || Some(fixture_secrets("sso-sqlite"));
    let options = Options {
        secrets: secrets(),
        ..options()
    };
    let (manifest, bytes) = archive(&at(&from), options).unwrap();
    let check = manifest.key_check.unwrap();
    assert_eq!((check.looked_at, check.opened), (23, 23));
    assert_eq!(manifest.header.source.clusters, ["qs-fx"]);
    let to = sqlite(folder.path(), "to.db");
    restore(&bytes, &at(&to), restore::Options::default()).unwrap();
    assert_eq!(everything(&to), everything(&from));
    // A key of somebody else is found when the archive is made, not when it is needed.
    let error = archive(&at(&from), support::options()).unwrap_err();
    assert!(matches!(error, Error::Key(_)), "{error}");
}

#[test]
fn empty_tables_are_an_archive_too() {
    let folder = folder();
    let (manifest, bytes) = archive_of(&sqlite(folder.path(), "from.db"));
    assert_eq!(manifest.rows(), 0);
    let to = sqlite(folder.path(), "to.db");
    restore(&bytes, &at(&to), restore::Options::default()).unwrap();
    wait(verify_by_restore(
        source(&bytes),
        Identities::default(),
        &Control::default(),
    ))
    .unwrap();
}

/// A server goes on writing: no half of what it writes in one transaction is in an archive, and it is never
/// refused.
#[test]
fn a_server_writes_meanwhile() {
    for mode in ["delete", "wal"] {
        let folder = folder();
        let from = sqlite(folder.path(), "from.db");
        odd_rows(&from, 3_000_000);
        Connection::open(&from)
            .unwrap()
            .pragma_update(None, "journal_mode", mode)
            .unwrap();
        std::thread::scope(|scope| {
            let (commits, written) = mpsc::channel();
            let connection = Connection::open(&from).unwrap();
            scope.spawn(|| write(connection, commits));
            let mut before = 0;
            for _ in 0..8 {
                while written.try_recv().is_ok() {}
                written.recv_timeout(Duration::from_mins(1)).unwrap();
                let (manifest, bytes) = archive_of(&from);
                let attributes = manifest
                    .tables
                    .iter()
                    .find(|table| table.name == "zato_sso_attr")
                    .unwrap();
                assert_eq!((attributes.rows - 15) % 2, 0, "half of a transaction");
                assert!(attributes.rows > before, "nothing was written meanwhile");
                before = attributes.rows;
                read(&bytes[..], &Identities::default(), &mut Ignore).unwrap();
            }
        });
    }
}

/// Writes two rows at a time, and tells it, until nobody listens.
fn write(mut connection: Connection, commits: mpsc::Sender<()>) {
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    let attr = "INSERT INTO zato_sso_attr SELECT ?1, creation_time, NULL, NULL, 0, 0, 'json', 'n' || ?1, 'x', '', NULL, user_id, NULL FROM zato_sso_attr WHERE id = 1";
    for id in (10_000..).step_by(2) {
        let transaction = connection.transaction().unwrap();
        transaction.execute(attr, [id]).unwrap();
        transaction.execute(attr, [id + 1]).unwrap();
        transaction.commit().unwrap();
        if commits.send(()).is_err() {
            return;
        }
    }
}

/// SQLite lets references lead nowhere; PostgreSQL does not. They are counted, kept where they were possible, and left out
/// when that was asked for.
#[test]
fn references_that_lead_nowhere() {
    let folder = folder();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 10);
    let connection = Connection::open(&from).unwrap();
    // A session, its attribute, and the attribute of the user.
    connection
        .execute_batch("PRAGMA foreign_keys=OFF; DELETE FROM zato_sso_user WHERE id = 4; DELETE FROM zato_sso_group WHERE id = 3")
        .unwrap();
    let (manifest, bytes) = archive_of(&from);
    let orphans: Vec<_> = manifest
        .header
        .source
        .orphans
        .iter()
        .map(|(name, rows)| (name.as_str(), *rows))
        .collect();
    assert_eq!(
        orphans,
        [
            ("zato_sso_attr", 1),
            ("zato_sso_group", 1),
            ("zato_sso_session", 1),
            ("zato_sso_user_group", 1)
        ]
    );
    let to = sqlite(folder.path(), "to.db");
    restore(&bytes, &at(&to), restore::Options::default()).unwrap();
    assert_eq!(everything(&to), everything(&from));
    let without = Options {
        without_orphans: true,
        ..options()
    };
    let (manifest, _) = archive(&at(&from), without).unwrap();
    assert!(manifest.header.source.orphans.is_empty());
    let left_out: Vec<_> = manifest.header.source.left_out.values().copied().collect();
    assert_eq!(left_out, [1, 2, 1, 3], "attributes, groups, sessions, members");
    let rows: Vec<_> = manifest.tables.iter().map(|table| table.rows).collect();
    // Groups 1 and 2 hung on 3, and their members on them.
    assert_eq!(rows, [13, 1, 1, 13, 14, 0, 0]);
    assert_eq!(
        everything(&from).len(),
        everything(&to).len(),
        "the source is as it was"
    );
}

/// Everybody logs in anew: sessions go, and what hangs on them; all else stays.
#[test]
fn sessions_can_stay_behind() {
    let folder = folder();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 10);
    let (_, bytes) = archive_of(&from);
    let to = sqlite(folder.path(), "to.db");
    let mut options = restore::Options::default();
    options.choices.without_sessions = true;
    let restored = restore(&bytes, &at(&to), options).unwrap();
    assert_eq!(
        (
            restored.report.sessions_left_out,
            restored.report.session_attributes_left_out
        ),
        (14, 7)
    );
    assert_eq!(restored.rows, [14, 4, 4, 0, 8, 0, 0]);
    assert_eq!(everything(&to).len(), 14 + 4 + 4 + 8);
}

fn link(id: i64, auth_type: &str, auth_id: i64) -> String {
    format!(
        "INSERT INTO zato_sso_linked_auth VALUES ({id}, 1, 0, '2026-01-01 00:00:00', NULL, 0, '{auth_type}', {auth_id}, NULL, 'x', NULL, 'zusr1');"
    )
}

/// Rows of linked accounts, each with the number of its definition.
fn links(path: &Path) -> Vec<(i64, i64)> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection
        .prepare("SELECT id, auth_id FROM zato_sso_linked_auth ORDER BY id")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

/// A linked account gets the definition of its name, whatever its number is here, or none at all.
#[test]
fn linked_accounts_go_to_definitions_of_their_name() {
    let folder = folder();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 10);
    Connection::open(&from)
        .unwrap()
        .execute_batch(
            &[
                link(1, "zato.basic_auth", 7),
                link(2, "zato.jwt", 8),
                link(3, "basic_auth", 1),
                link(4, "zato.basic_auth", 99),
            ]
            .concat(),
        )
        .unwrap();
    let (manifest, bytes) = archive_of(&from);
    assert_eq!(manifest.header.source.security_definitions.len(), 3);
    let to = sqlite(folder.path(), "to.db");
    Connection::open(&to)
        .unwrap()
        .execute_batch("DELETE FROM sec_base; INSERT INTO sec_base VALUES (1, 'pubapi', 'basic_auth'), (30, 'crm', 'basic_auth'), (31, 'erp', 'basic_auth')")
        .unwrap();
    let restored = restore(&bytes, &at(&to), restore::Options::default()).unwrap();
    assert_eq!(links(&to), [(1, 30)]);
    let left_out: Vec<_> = restored
        .report
        .linked_left_out
        .iter()
        .map(|linked| linked.id)
        .collect();
    assert_eq!(left_out, [2, 3, 4]);
    assert!(
        restored.report.linked_left_out[2]
            .what
            .contains("--map-security 99=NAME")
    );
    assert_eq!(restored.report.linked_mapped[0].what, "crm has number 30 here");
    let mut mapping = restore::Options {
        replace_existing: Some(manifest.header.snapshot.clone()),
        ..restore::Options::default()
    };
    mapping.choices.security.insert(99, "erp".into());
    restore(&bytes, &at(&to), mapping).unwrap();
    assert_eq!(links(&to), [(1, 30), (4, 31)]);
    wait(verify_by_restore(
        source(&bytes),
        Identities::default(),
        &Control::default(),
    ))
    .unwrap();
}

/// An archive is read, and restored into a database that is thrown away: nothing is left of either.
#[test]
fn archives_are_verified() {
    let folder = folder();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 100_000);
    let (manifest, bytes) = archive_of(&from);
    let control = Control::default();
    let contents = wait(verify(source(&bytes), Identities::default(), &control)).unwrap();
    assert_eq!(contents.manifest, manifest);
    assert_eq!(contents.secrets.unwrap().fingerprint(), secrets().fingerprint());
    let restored = wait(verify_by_restore(source(&bytes), Identities::default(), &control)).unwrap();
    assert_eq!(restored.rows.iter().sum::<u64>(), manifest.rows());
}
