//! A process that is killed while it dumps or restores: the source is as it was, the target has all rows or none, and a part
//! of an archive is none.
//!
//! The process is this program itself, told by its environment to work (see [`child`]). SQLite is always looked at, the
//! servers when dev/databases.sh has started them.

#![allow(clippy::unwrap_used)]

#[cfg(feature = "databases")]
mod on_servers;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use sso_dump::archive::read::{Ignore, read};
use sso_dump::archive::seal::{Identities, Seal};
use sso_dump::database::Database;
use sso_dump::dump::{Options, dump};
use sso_dump::restore;
use sso_dump::stream::{Control, Progress};
use support::*;

/// At how many moments a process is killed, and at how many more in the last tenth, where it commits.
const MOMENTS: (u32, u32) = (30, 10);
const WORK: &str = "ZATO_SSO_TEST_CHILD";
/// Opens what is dumped here, and nothing else.
const IDENTITY: &str = include_str!("../archives/identity.txt");

/// Not a test of its own: what is killed.
#[test]
fn child() {
    let Ok(work) = std::env::var(WORK) else { return };
    let parts: Vec<_> = work.split(' ').collect();
    // Where its temporary files are looked for afterwards.
    tempfile::env::override_temp_dir(Path::new(parts[2]).parent().unwrap()).unwrap();
    let database = Database::find(parts[1], None).unwrap().database;
    if parts[0] == "dump" {
        let identity: age::x25519::Identity = IDENTITY.trim().parse().unwrap();
        let options = Options {
            seal: Seal::Recipients(vec![identity.to_public()]),
            ..options()
        };
        let output = std::fs::File::create(parts[2]).unwrap();
        wait(dump(&database, options, output, &Control::default())).unwrap();
    } else {
        let bytes = std::fs::read(parts[2]).unwrap();
        restore(&bytes, &database, restore::Options::default()).unwrap();
    }
}

fn start(work: &[&str]) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env(WORK, work.join(" "))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the work at moments that are spread over all the time it takes.
fn kill_often(work: &[&str], mut before: impl FnMut(), mut after: impl FnMut(bool)) {
    before();
    let begun = Instant::now();
    assert!(start(work).wait().unwrap().success());
    let mut whole = begun.elapsed();
    after(true);
    let (all, last) = MOMENTS;
    let moments = (0..all).map(|moment| (moment, all));
    let end = (0..last).map(|moment| (9 * last + moment, 10 * last));
    let mut finished = 0;
    for (part, of) in moments.chain(end) {
        before();
        let begun = Instant::now();
        let mut process = start(work);
        // The moment is what is sampled, not a wait for something.
        std::thread::sleep(whole * part / of);
        let _ = process.kill();
        let has_finished = process.wait().unwrap().success();
        if has_finished {
            // The machine has become faster: later moments come sooner.
            whole = whole.min(begun.elapsed() * 9 / 10);
            finished += 1;
        }
        after(has_finished);
    }
    assert!(finished < all, "{finished} were not killed in time");
}

/// Whether a dump that was killed left a whole archive; what it left is removed.
fn is_whole(path: &Path, rows: u64) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    let _ = std::fs::remove_file(path);
    let identities = Identities::parse(IDENTITY, "identity.txt").unwrap();
    match read(&bytes[..], &identities, &mut Ignore) {
        Ok(contents) => {
            assert_eq!(contents.manifest.rows(), rows);
            true
        }
        Err(_) => false,
    }
}

/// Rows enough that there is time to be killed in.
fn many(folder: &Path) -> std::path::PathBuf {
    let path = sqlite(folder, "many.db");
    odd_rows(&path, 300);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 2000 UNION ALL SELECT i + 1 FROM n WHERE i < 14000)
             INSERT INTO zato_sso_attr SELECT i, creation_time, NULL, NULL, 0, 0, 'json', 'n' || i, value, '', NULL, user_id, NULL
             FROM n, zato_sso_attr WHERE id = 1000",
        )
        .unwrap();
    path
}

#[test]
fn a_killed_dump_leaves_the_source_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let from = many(folder.path());
    let output = folder.path().join("archive");
    let source = std::fs::read(&from).unwrap();
    let rows = everything(&from).len() as u64;
    let work = ["dump", from.to_str().unwrap(), output.to_str().unwrap()];
    kill_often(
        &work,
        || (),
        |has_finished| {
            assert!(std::fs::read(&from).unwrap() == source);
            let names: Vec<_> = folder
                .path()
                .read_dir()
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            assert!(
                names.iter().all(|name| name == "many.db" || name == "archive"),
                "{names:?}"
            );
            // Killed after the last byte, it is one, too.
            assert!(is_whole(&output, rows) || !has_finished);
        },
    );
}

#[test]
fn a_killed_restore_wrote_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let from = many(folder.path());
    let archive = folder.path().join("archive");
    std::fs::write(&archive, archive_of(&from).1).unwrap();
    let all = everything(&from);
    let fresh = sqlite(folder.path(), "fresh.db");
    let made = makings(&fresh);
    let to = folder.path().join("to.db");
    let work = ["restore", to.to_str().unwrap(), archive.to_str().unwrap()];
    let before = || {
        std::fs::copy(&fresh, &to).unwrap();
        let _ = std::fs::remove_file(folder.path().join("to.db-journal"));
    };
    kill_often(&work, before, |has_finished| {
        // Opening it is what a server does: it takes back what a dead process had begun.
        let found = everything(&to);
        assert!(
            found == all || (found.is_empty() && !has_finished),
            "{} of {} rows",
            found.len(),
            all.len()
        );
        assert_eq!(makings(&to), made);
    });
}

/// Ctrl-C: stopped at any part of the way, it says so, and everything is as before.
#[test]
fn a_stopped_restore_wrote_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let from = many(folder.path());
    let (_, bytes) = archive_of(&from);
    let to = sqlite(folder.path(), "to.db");
    let mut tolds = 0;
    // Once to the end, to know how often it tells how far it is.
    for stop_at in [u32::MAX, 1, 2, 3, 5, 8, 13, 21, 34] {
        let control = Control::default();
        let told = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let (stop, count) = (control.stop.clone(), told.clone());
        let progress = move |_: Progress| {
            if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 == stop_at {
                stop.cancel();
            }
        };
        let control = Control {
            progress: Some(Arc::new(progress)),
            ..control
        };
        let is_rehearsal = stop_at == u32::MAX;
        let options = restore::Options {
            is_rehearsal,
            ..restore::Options::default()
        };
        let identities = Identities::default();
        let outcome = wait(restore::restore(
            source(&bytes),
            identities,
            &Database::Sqlite(to.clone()),
            options,
            &control,
        ));
        if is_rehearsal {
            outcome.unwrap();
            tolds = told.load(std::sync::atomic::Ordering::SeqCst) * 2;
        } else if stop_at < tolds {
            assert!(
                matches!(outcome, Err(sso_dump::error::Error::Stopped)),
                "stopped at {stop_at}"
            );
            assert!(everything(&to).is_empty());
        }
    }
    assert!(tolds > 20);
}

/// Killed after its cache had spilled into the file, with the journal beside it: the next restore takes it back, and a dump,
/// which does not write to its source, says who can.
#[test]
fn what_a_killed_process_left_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let from = many(folder.path());
    let (_, bytes) = archive_of(&from);
    let dying = sqlite(folder.path(), "dying.db");
    let connection = Connection::open(&dying).unwrap();
    connection
        .execute_batch(
            "PRAGMA cache_size=2; BEGIN IMMEDIATE;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
             INSERT INTO zato_sso_group SELECT i, 1, 0, 'g' || i, 'n' || i, hex(randomblob(80)), NULL, NULL FROM n",
        )
        .unwrap();
    // What is on the disk now is what a process leaves that is killed now.
    let to = folder.path().join("to.db");
    std::fs::copy(&dying, &to).unwrap();
    std::fs::copy(
        folder.path().join("dying.db-journal"),
        folder.path().join("to.db-journal"),
    )
    .unwrap();
    let to = Database::Sqlite(to);
    let error = archive(&to, options()).unwrap_err().to_string();
    assert!(error.contains("PRAGMA schema_version"), "{error}");
    restore(&bytes, &to, restore::Options::default()).unwrap();
    assert_eq!(everything(&folder.path().join("to.db")), everything(&from));
}
