//! SQLite.
//!
//! Owns opening of files and what they have. A source is opened for reading alone.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, ffi};

use crate::convert::{Form, Target};
use crate::database::{Database, Kind};
use crate::error::Error;
use crate::schema::TABLES;
use crate::schema::check::{Found, limits};
use crate::schema::sql;
use crate::stream::SecurityDefinition;

pub mod dump;
pub mod restore;

/// How long a server may hold a lock before this gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What of SQLite's error may be told: its text can hold names of tables and columns, but no values.
pub fn error(path: &Path, doing: &str) -> impl Fn(rusqlite::Error) -> Error {
    let (database, doing) = (Database::Sqlite(path.to_owned()), doing.to_owned());
    move |why| {
        match why.sqlite_error() {
        Some(told) if needs_writer(told.extended_code) => database.error(
            &doing,
            "who wrote it last was killed, and what that one had begun must be taken back, which needs a connection that may write: start the server, or run `sqlite3 FILE 'PRAGMA schema_version'` with it",
        ),
        _ => database.error(&doing, why),
    }
    }
}

/// A journal or log of a dead process, which nobody who only reads can make use of.
fn needs_writer(code: i32) -> bool {
    [
        ffi::SQLITE_READONLY_ROLLBACK,
        ffi::SQLITE_READONLY_RECOVERY,
        ffi::SQLITE_READONLY_CANTINIT,
    ]
    .contains(&code)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(error(path, "open"))?;
    connection.busy_timeout(PATIENCE).map_err(error(path, "open"))?;
    Ok(connection)
}

/// A database in a file without a name: no other process can open it, and it is gone when this one is, however it ends.
pub fn scratch() -> Result<Connection, Error> {
    let file = tempfile::NamedTempFile::new().map_err(Error::io("a temporary file"))?;
    let scratch = Connection::open(file.path()).map_err(error(file.path(), "open"))?;
    file.close().map_err(Error::io("a temporary file"))?;
    scratch
        .execute_batch("PRAGMA main.locking_mode=EXCLUSIVE; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY; \
             PRAGMA foreign_keys=OFF;",
        )
        .map_err(error(Path::new("a temporary file"), "open"))?;
    Ok(scratch)
}

/// The columns of all tables of single sign-on.
fn found(connection: &Connection) -> rusqlite::Result<Vec<Found>> {
    let mut statement = connection.prepare(
        "SELECT m.name, c.name, c.type, c.\"notnull\" FROM sqlite_master m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name LIKE 'zato\\_sso\\_%' ESCAPE '\\' ORDER BY m.name, c.cid",
    )?;
    let one = |row: &Row<'_>| {
        let type_name: String = row.get(2)?;
        Ok(Found {
            table: row.get(0)?,
            column: row.get(1)?,
            type_name: type_name.split('(').next().unwrap_or_default().to_owned(),
            // SQLite does not look at lengths.
            characters: None,
            bytes: None,
            fraction: None,
            is_nullable: !row.get::<_, bool>(3)?,
        })
    };
    statement.query_map([], one)?.collect()
}

fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection.table_exists(None, name)
}

fn definitions(connection: &Connection, query: &str) -> rusqlite::Result<Vec<SecurityDefinition>> {
    if !has_table(connection, "sec_base")? {
        return Ok(Vec::new());
    }
    let one = |row: &Row<'_>| {
        Ok(SecurityDefinition {
            id: row.get(0)?,
            name: row.get(1)?,
            sec_type: row.get(2)?,
        })
    };
    connection.prepare(query)?.query_map([], one)?.collect()
}

/// What a target is, and how many rows its tables have.
pub fn target(path: &Path) -> Result<(Target, Vec<u64>), Error> {
    // A restore that was killed may have left its journal: only who may write takes back what it had begun.
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let failed = error(path, "look at its tables");
    let found = found(&connection).map_err(&failed)?;
    let target = Target {
        kind: Kind::Sqlite,
        form: Form::Lines,
        limits: limits(&Database::Sqlite(path.to_owned()), &found, Vec::new())?,
        definitions: definitions(&connection, sql::DEFINITIONS).map_err(&failed)?,
    };
    Ok((target, counts(&connection).map_err(failed)?))
}

fn counts(connection: &Connection) -> rusqlite::Result<Vec<u64>> {
    let one = |table: &crate::schema::Table| {
        let count = connection.query_one(&sql::count(Kind::Sqlite, table), [], |row| row.get::<_, i64>(0))?;
        Ok(count.unsigned_abs())
    };
    TABLES.iter().map(one).collect()
}
