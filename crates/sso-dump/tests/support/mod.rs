//! What the stories share: databases with the tables of Zato, odd data, archives in memory.
//!
//! Owns no judgement: stories say what must be.

// Each story uses a part.
#![allow(clippy::unwrap_used, dead_code)]

pub mod servers;

use std::collections::BTreeSet;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, params};
use sso_dump::archive::Manifest;
use sso_dump::archive::seal::{Identities, Seal};
use sso_dump::database::{Database, Kind};
use sso_dump::dump::{Options, dump};
use sso_dump::error::Error;
use sso_dump::restore::{self, Restored, Source};
use sso_dump::schema::{TABLES, sql};
use sso_dump::secrets::Secrets;
use sso_dump::stream::Control;

/// A key that is nobody's.
pub const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
/// What it encrypts.
pub const TOKEN: &str =
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

/// Runs a future to its end.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// An empty database of SQLite, as `create odb` makes it.
pub fn sqlite(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let connection = Connection::open(&path).unwrap();
    for statement in sql::create(Kind::Sqlite) {
        connection.execute_batch(&statement).unwrap();
    }
    connection.execute_batch(&others()).unwrap();
    path
}

/// Of the hundred other tables of Zato: the two that are looked at.
pub fn others() -> String {
    "CREATE TABLE cluster (id INTEGER PRIMARY KEY, name VARCHAR(200) NOT NULL);
     INSERT INTO cluster VALUES (1, 'c1');
     CREATE TABLE sec_base (id INTEGER PRIMARY KEY, name VARCHAR(200) NOT NULL, sec_type VARCHAR(45) NOT NULL);
     INSERT INTO sec_base VALUES (1, 'pubapi', 'basic_auth'), (7, 'crm', 'basic_auth'), (8, 'crm', 'jwt');"
        .into()
}

/// Texts that break what is not careful.
pub const TEXTS: [&str; 14] = [
    "",
    " ",
    "null",
    "NULL",
    "\\N",
    "\\",
    "\\\\x41",
    "it's \"quoted\" `so`",
    "line\nbreak\r\n\ttab\u{8}\u{b}\u{c}",
    "Zażółć gęślą jaźń ß İı",
    "日本語 العربية עברית",
    "😀👩‍👩‍👧‍👦 \u{301}\u{feff}",
    "100% _under_ ; -- /* */ $1 ? :x",
    "'; DROP TABLE zato_sso_user; --",
];

/// Dates at the edges.
pub const DATES: [&str; 5] = [
    "0001-01-01 00:00:00.000000",
    "1969-12-31 23:59:59.999999",
    "2028-02-29 12:30:00.500000",
    "2026-11-24 03:20:49.000000",
    "9999-12-31 23:59:59.000000",
];

/// Rows of all tables but one (zero rows are odd, too): NULL and every text of [`TEXTS`], dates of [`DATES`], groups that come before
/// their parents, and one attribute of that many bytes.
pub fn odd_rows(path: &Path, long: usize) {
    let connection = Connection::open(path).unwrap();
    // As Zato's own connections are; the bundled SQLite looks at foreign keys otherwise.
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    for (place, text) in TEXTS.iter().enumerate() {
        let id = i64::try_from(place).unwrap() * 3 + 1;
        let date = DATES[place % DATES.len()];
        let blob = TOKEN.as_bytes();
        connection
            .execute(
                "INSERT INTO zato_sso_user VALUES (?1, 'zusr' || ?1, 1, 0, ?2, 0, ?3, ?4, NULL, ?4, ?5, ?4, 'user' || ?1 || ?4, ?6, 1, 0, ?5, ?5, 'final', ?5, ?3, ?7, ?8, ?4, ?4, NULL, ?4, upper(?4), NULL, ?4, '', ?2, 'EXACT', ?4, NULL, 0, ?6, NULL, ?4)",
                params![id, id % 2, (place % 2 == 0).then_some(date), text, date, blob, format!("token{id}"), (place % 3 > 0).then_some(blob)],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO zato_sso_session VALUES (?1, 'zust' || ?1, ?2, ?2, ?3, ?3, 'default', ?3, ?4, ?3, ?1)",
                params![id, date, text, (place % 2 == 0).then_some(text)],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO zato_sso_attr VALUES (?1, ?2, NULL, ?2, ?3, 0, 'json', ?4, ?4, ?5, 'null', 'zusr' || ?1, ?6)",
                params![id, date, place % 2 == 1, format!("a{text}"), if place % 2 == 1 { format!("zust{id}") } else { String::new() },
                    (place % 2 == 1).then(|| format!("zust{id}"))],
            )
            .unwrap();
    }
    let group = "INSERT INTO zato_sso_group VALUES (?1, 1, 0, 'g' || ?1, ?2, 'source', NULL, ?3)";
    for (id, parent) in [(1_i64, Some(3)), (2, Some(1)), (3, None), (4, None)] {
        connection
            .execute(
                group,
                params![id, TEXTS[9 + usize::try_from(id).unwrap()], parent],
            )
            .unwrap();
        connection
            .execute("INSERT INTO zato_sso_user_group VALUES (?1, NULL, 1, ?1)", [id])
            .unwrap();
    }
    let value: String = "žluťoučký\n'\\\t".chars().cycle().take(long / 2).collect();
    let value = value + &"x".repeat(long);
    let cut = (0..=long).rev().find(|&at| value.is_char_boundary(at)).unwrap();
    connection
        .execute(
            "INSERT INTO zato_sso_attr VALUES (1000, ?1, NULL, NULL, 0, 0, 'json', 'long', ?2, '', NULL, 'zusr1', NULL)",
            params![DATES[3], &value[..cut]],
        )
        .unwrap();
}

/// Everything in the seven tables, with how SQLite keeps it; what is independent of the code under test.
pub fn everything(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut all = Vec::new();
    for table in &TABLES {
        let columns: Vec<_> = table
            .columns
            .iter()
            .map(|column| format!("typeof(\"{0}\") || ':' || ifnull(hex(\"{0}\"), '')", column.name))
            .collect();
        let query = format!(
            "SELECT {} FROM {} ORDER BY id",
            columns.join(" || ',' || "),
            table.name
        );
        let mut statement = connection.prepare(&query).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        all.extend(rows.map(|row| format!("{} {}", table.name, row.unwrap())));
    }
    all
}

/// What makes the tables and indexes of a database of SQLite.
pub fn makings(path: &Path) -> BTreeSet<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection
        .prepare("SELECT type || ' ' || name || ' ' || ifnull(sql, '') FROM sqlite_master")
        .unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// Keys that open what [`odd_rows`] writes.
pub fn secrets() -> Secrets {
    Secrets::from_key(KEY, "the test").unwrap()
}

/// Without a seal.
pub fn options() -> Options {
    Options {
        seal: Seal::Unsealed,
        secrets: Some(secrets()),
        zato_version: Some("3.2".into()),
        cluster: None,
        without_orphans: false,
    }
}

/// An archive of a database.
pub fn archive(database: &Database, options: Options) -> Result<(Manifest, Vec<u8>), Error> {
    let outcome = wait(dump(
        database,
        options,
        Cursor::new(Vec::new()),
        &Control::default(),
    ));
    outcome.map(|(manifest, output)| (manifest, output.into_inner()))
}

/// An archive of a file of SQLite, without a seal.
pub fn archive_of(path: &Path) -> (Manifest, Vec<u8>) {
    archive(&Database::Sqlite(path.into()), options()).unwrap()
}

/// Opens those bytes.
pub fn source(bytes: &[u8]) -> Source {
    let bytes: Arc<[u8]> = bytes.into();
    Arc::new(move || Ok(Box::new(Cursor::new(bytes.clone())) as Box<dyn Read>))
}

/// Restores those bytes.
pub fn restore(bytes: &[u8], database: &Database, options: restore::Options) -> Result<Restored, Error> {
    restore_with(bytes, Identities::default(), database, options)
}

/// Restores those bytes, with what opens them.
pub fn restore_with(
    bytes: &[u8],
    identities: Identities,
    database: &Database,
    options: restore::Options,
) -> Result<Restored, Error> {
    let control = Control::default();
    wait(restore::restore(
        source(bytes),
        identities,
        database,
        options,
        &control,
    ))
}

/// The folder of the fixtures, on a machine that has them.
pub fn fixtures() -> Option<PathBuf> {
    let near = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/fixtures"));
    let named = std::env::var_os("ZATO_SSO_FIXTURES").map(PathBuf::from);
    let found = named
        .into_iter()
        .chain(near)
        .find(|folder| folder.join("sso-sqlite/zato.db").is_file());
    if found.is_none() {
        // Past what cargo captures of a test that succeeds.
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        let told = "without the rows of a real Zato: no shared/fixtures, no ZATO_SSO_FIXTURES";
        let mut stderr = std::io::stderr();
        writeln!(stderr, "{name}: skipped, or {told}").unwrap();
    }
    found
}

/// A copy of the fixture of SQLite that may be written to.
pub fn sqlite_fixture(folder: &Path) -> Option<PathBuf> {
    let path = folder.join("fixture.db");
    std::fs::write(
        &path,
        std::fs::read(fixtures()?.join("sso-sqlite/zato.db")).unwrap(),
    )
    .unwrap();
    Some(path)
}

/// The keys of a fixture.
pub fn fixture_secrets(name: &str) -> Secrets {
    let path = fixtures().unwrap().join(name).join("secrets.conf");
    Secrets::parse(std::fs::read_to_string(&path).unwrap().into(), name).unwrap()
}
