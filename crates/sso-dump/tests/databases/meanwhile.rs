//! What others do while rows are dumped or restored.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use sso_dump::archive::seal::Identities;
use sso_dump::database::Kind;
use sso_dump::error::Error;
use sso_dump::restore;
use sso_dump::schema::TABLES;
use sso_dump::stream::{Control, Progress};

use super::support::servers::{contents, create, execute, mysql, postgresql, query};
use super::support::*;
use super::{differences, filled};

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
        let begun = Instant::now();
        while query(&from, waiting).await.is_empty() {
            assert!(!dumping.is_finished(), "it did not wait");
            assert!(begun.elapsed() < Duration::from_secs(20), "it did not begin");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        replacing.batch_execute("COMMIT").await.unwrap();
        let (manifest, _) = dumping.join().unwrap().unwrap();
        assert_eq!(manifest.rows(), 1);
    });
    assert_eq!(differences(&before, from)[0].removed.rows, 14);
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
