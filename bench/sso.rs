//! Dumps and restores of single sign-on data beside the databases' own tools, in one run: time and peak memory.
//!
//! Run it with dev/databases.sh. `SSO_ROWS` says how many rows (default: a million), `SSO_TIMES` how often each is measured
//! (default: 3), ours and theirs in turns; the shortest time and the most memory count. Each figure is a ratio: ours to theirs.

#![allow(clippy::unwrap_used)]

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use age::secrecy::ExposeSecret;
use rusqlite::Connection;
use sso_dump::archive::seal::{Identities, Seal, recipients};
use sso_dump::database::{Database, Kind};
use sso_dump::dump::{Options, dump};
use sso_dump::restore::{self, restore};
use sso_dump::schema::sql;
use sso_dump::stream::Control;

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// What is measured of ours: this program in a process of its own, sealed and with all checks.
fn ours(work: &[String]) {
    let database = Database::find(&work[1], None).unwrap().database;
    if work[0] == "dump" {
        let options = Options {
            seal: Seal::Recipients(recipients(&work[3], "bench").unwrap()),
            secrets: None,
            zato_version: None,
            cluster: None,
            without_orphans: false,
        };
        let output = BufWriter::new(std::fs::File::create(&work[2]).unwrap());
        wait(dump(&database, options, output, &Control::default())).unwrap();
        return;
    }
    let archive = work[2].clone();
    let source =
        Arc::new(move || Ok(Box::new(std::fs::File::open(&archive).unwrap()) as Box<dyn std::io::Read>));
    let identities = Identities::parse(&work[3], "bench").unwrap();
    wait(restore(
        source,
        identities,
        &database,
        restore::Options::default(),
        &Control::default(),
    ))
    .unwrap();
}

/// Time and peak memory (KiB) of a process, of the largest one if it is a shell with others.
fn measured(command: &mut Command) -> Measured {
    let begun = Instant::now();
    let mut process = command.stdin(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    let status = loop {
        peak = peak.max(memory(process.id()));
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "{command:?}");
    (begun.elapsed(), peak)
}

fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

type Measured = (Duration, u64);

/// Ours and theirs in turns: what else the machine does meets both.
fn in_turns(mut ours: impl FnMut() -> Measured, mut theirs: impl FnMut() -> Measured) -> [Measured; 2] {
    let mut best = [(Duration::MAX, 0); 2];
    for _ in 0..setting("SSO_TIMES", 3) {
        for (best, (time, memory)) in best.iter_mut().zip([ours(), theirs()]) {
            *best = (best.0.min(time), best.1.max(memory));
        }
    }
    best
}

fn tell(kind: Kind, what: &str, [ours, theirs]: [Measured; 2]) {
    println!(
        "{kind:<11} {what:<8} ours {:>6.2} s {:>4} MiB   theirs {:>6.2} s {:>4} MiB   ratio {:.2} of time, {} % of memory",
        ours.0.as_secs_f64(),
        ours.1 / 1024,
        theirs.0.as_secs_f64(),
        theirs.1 / 1024,
        ours.0.as_secs_f64() / theirs.0.as_secs_f64(),
        ours.1 * 100 / theirs.1.max(1),
    );
}

fn tables(path: &Path) {
    let connection = Connection::open(path).unwrap();
    for statement in sql::create(Kind::Sqlite) {
        connection.execute_batch(&statement).unwrap();
    }
}

/// A tenth users, two tenths memberships, three sessions, four attributes, as long as real ones.
fn fill(path: &Path, rows: u64) {
    tables(path);
    let users = (rows / 10).max(1);
    let token = "gAAAAABrBQJJWHYVrwwCti9nJn43SS".repeat(10);
    let numbers = |count: u64| {
        format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})")
    };
    let key = "substr(hex(randomblob(13)), 1, 25)";
    let time = "'2026-11-24 03:19:36.855642'";
    Connection::open(path)
        .unwrap()
        .execute_batch(&format!(
            "PRAGMA foreign_keys=OFF; PRAGMA synchronous=OFF; BEGIN;
             {users_n} INSERT INTO zato_sso_user SELECT i, 'zusr' || {key} || i, 1, 0, 0, 0, NULL, 'null', NULL, 'approved', {time}, 'auto', 'user.' || i, CAST('{token}' || hex(randomblob(20)) AS BLOB), 1, 0, {time}, {time}, 'final', {time}, NULL, {key} || i, CAST('{short}' || {key} AS BLOB), 'Anna Kowalska ' || i, 'Anna', 'Maria', 'Kowalska', 'ANNA KOWALSKA', 'ANNA', 'MARIA', 'KOWALSKA', 0, 'EXACT', NULL, 0, 0, CAST('{short}' || {key} AS BLOB), CAST('{short}' AS BLOB), 'null' FROM n;
             INSERT INTO zato_sso_group VALUES (1, 1, 0, 'g1', 'one', 'x', NULL, NULL), (2, 1, 0, 'g2', 'two', 'x', NULL, 1);
             {links_n} INSERT INTO zato_sso_user_group SELECT i, NULL, (i + 1) / 2, 1 + i % 2 FROM n;
             {sessions_n} INSERT INTO zato_sso_session SELECT i, 'zust' || {key} || i, {time}, {time}, '127.0.0.1', 'Mozilla/5.0', 'default', 'user.' || i, '', '{{\"session_state_change_list\":[{{\"remote_addr\":\"127.0.0.1\"}}]}}', 1 + i % {users} FROM n;
             {attributes_n} INSERT INTO zato_sso_attr SELECT i, {time}, {time}, '9999-12-31 00:00:00.000000', 0, 0, 'json', 'name' || i, '\"' || {key} || '\"', '', 'null', (SELECT user_id FROM zato_sso_user u WHERE u.id = 1 + i % {users}), NULL FROM n;
             COMMIT;",
            users_n = numbers(users),
            links_n = numbers(users * 2),
            sessions_n = numbers(users * 3),
            attributes_n = numbers(users * 4),
            short = &token[..120],
        ))
        .unwrap();
}

struct Bench {
    folder: tempfile::TempDir,
    recipient: String,
    identity: String,
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ours(&self, work: &str, place: &str, archive: &str) -> Measured {
        let key = if work == "dump" {
            &self.recipient
        } else {
            &self.identity
        };
        let archive = self.path(archive).display().to_string();
        let work = [work, place, &archive, key].join("\n");
        measured(Command::new(std::env::current_exe().unwrap()).env("SSO_WORK", work))
    }

    fn shell(&self, command: &str) -> Measured {
        measured(
            Command::new("bash")
                .args(["-c", &format!("exec {command}")])
                .current_dir(self.folder.path()),
        )
    }

    fn sqlite(&self, rows: u64) {
        fill(&self.path("from.db"), rows);
        let from = self.path("from.db").display().to_string();
        let dumps = in_turns(
            || self.ours("dump", &from, "sqlite"),
            || self.shell("sqlite3 from.db .dump > sqlite.sql"),
        );
        tell(Kind::Sqlite, "dump", dumps);
        let fresh = |name: &str| {
            let path = self.path(name);
            let _ = std::fs::remove_file(&path);
            path
        };
        let ours = || {
            let path = fresh("to.db");
            tables(&path);
            self.ours("restore", &path.display().to_string(), "sqlite")
        };
        let theirs = || {
            fresh("theirs.db");
            self.shell("sqlite3 theirs.db '.read sqlite.sql'")
        };
        tell(Kind::Sqlite, "restore", in_turns(ours, theirs));
        let _ = std::fs::remove_file(self.path("to.db"));
        let _ = std::fs::remove_file(self.path("theirs.db"));
    }

    /// A new database with the tables of Zato on a server, and its URL.
    fn create(&self, kind: Kind, name: &str) -> String {
        let statements = sql::create(kind).join(";\n");
        std::fs::write(self.path("create.sql"), statements + ";\n").unwrap();
        let (admin, client, options) = client(kind);
        self.shell(&format!(
            "{client} {admin} {} 'DROP DATABASE IF EXISTS {name}'",
            options[0]
        ));
        self.shell(&format!(
            "{client} {admin} {} 'CREATE DATABASE {name}'",
            options[0]
        ));
        self.shell(&format!("{client} {name} {} create.sql > /dev/null", options[1]));
        let variable = if kind == Kind::Postgresql {
            "ZATO_SSO_TEST_POSTGRESQL"
        } else {
            "ZATO_SSO_TEST_MYSQL"
        };
        format!("{}/{name}", std::env::var(variable).unwrap())
    }

    fn server(&self, kind: Kind) {
        let from = self.create(kind, "bench_from");
        self.ours("restore", &from, "sqlite");
        let (_, client, options) = client(kind);
        let dumps = in_turns(
            || self.ours("dump", &from, "server"),
            || self.shell(&format!("{} > server.sql", dumper(kind))),
        );
        tell(kind, "dump", dumps);
        let ours = || {
            let to = self.create(kind, "bench_to");
            self.ours("restore", &to, "server")
        };
        let theirs = || {
            self.create(kind, "bench_theirs");
            let load = format!("{client} bench_theirs {} server.sql > /dev/null", options[1]);
            self.shell(&load)
        };
        tell(kind, "restore", in_turns(ours, theirs));
    }
}

fn port(variable: &str) -> String {
    let url = std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run this with dev/databases.sh"));
    url.rsplit(':').next().unwrap().to_owned()
}

/// The database to begin with, the client, and its options for a statement and for a file, all in one transaction.
fn client(kind: Kind) -> (&'static str, String, [&'static str; 2]) {
    if kind == Kind::Postgresql {
        let client = format!(
            "psql -q -h 127.0.0.1 -U zato -p {} -v ON_ERROR_STOP=1",
            port("ZATO_SSO_TEST_POSTGRESQL")
        );
        return ("postgres", client, ["-c", "-1 -f"]);
    }
    let client = format!(
        "mariadb --no-defaults -h 127.0.0.1 -u root -P {}",
        port("ZATO_SSO_TEST_MYSQL")
    );
    ("mysql", client, ["-e", "<"])
}

fn dumper(kind: Kind) -> String {
    if kind == Kind::Postgresql {
        let port = port("ZATO_SSO_TEST_POSTGRESQL");
        // Into tables that are there, as ours: what Zato's own `create odb` made.
        return format!(
            "pg_dump --data-only --no-owner -t 'zato_sso_*' -h 127.0.0.1 -U zato -p {port} bench_from"
        );
    }
    let port = port("ZATO_SSO_TEST_MYSQL");
    format!(
        "mariadb-dump --no-defaults --single-transaction --no-create-info -h 127.0.0.1 -u root -P {port} bench_from"
    )
}

fn main() {
    if let Ok(work) = std::env::var("SSO_WORK") {
        let work: Vec<_> = work.split('\n').map(str::to_owned).collect();
        return ours(&work);
    }
    let rows = setting("SSO_ROWS", 1_000_000);
    let identity = age::x25519::Identity::generate();
    let bench = Bench {
        folder: tempfile::tempdir().unwrap(),
        recipient: identity.to_public().to_string(),
        identity: identity.to_string().expose_secret().to_owned(),
    };
    println!("{rows} rows; ours is sealed, compressed and checked, theirs is plain text");
    bench.sqlite(rows);
    bench.server(Kind::Postgresql);
    bench.server(Kind::Mysql);
}
