//! Reads rows of SQLite, while a server writes.
//!
//! Owns a copy of the database that no other process can open, and that is gone when this process is. Must never write to
//! the source, nor hold its lock for longer than a copy takes.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::{definitions, error, found, has_table, open, scratch};
use crate::database::{Database, Kind};
use crate::error::Error;
use crate::rows::{LineWriter, NO_NULL, unfit};
use crate::schema::check::limits;
use crate::schema::{Column, TABLES, Table, Type, sql};
use crate::stream::{Control, Facts, Message, Sender};

/// How many pages are copied between two looks at whether to stop.
const PAGES: i32 = 1_000;
/// After so many beginnings, because somebody wrote meanwhile, the copy is made in one go.
const BEGINNINGS: u32 = 3;

/// What may be left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Rows whose foreign key leads nowhere, and those that refer to them.
    pub without_orphans: bool,
}

/// Sends all rows. Blocks: for a thread of its own.
pub fn dump(path: &Path, options: Options, mut sender: Sender, control: &Control) -> Result<(), Error> {
    let copy = copy(path, control)?;
    rows(&copy, path, options, &mut sender, control)
}

/// Sends the rows of a database that nobody else has.
pub fn rows(
    copy: &Connection,
    path: &Path,
    options: Options,
    sender: &mut Sender,
    control: &Control,
) -> Result<(), Error> {
    let failed = error(path, "read");
    let found = found(copy).map_err(&failed)?;
    limits(&Database::Sqlite(path.to_owned()), &found, Vec::new())?;
    let left_out = if options.without_orphans {
        delete_orphans(copy).map_err(&failed)?
    } else {
        BTreeMap::new()
    };
    let facts = Facts {
        left_out,
        ..facts(copy, path).map_err(&failed)?
    };
    sender.send_blocking(Message::Facts(Box::new(facts)))?;
    for table in &TABLES {
        send(copy, path, table, sender, control)?;
    }
    sender.send_blocking(Message::End)
}

/// A copy as of one moment, in a file without a name.
fn copy(path: &Path, control: &Control) -> Result<Connection, Error> {
    let source = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let failed = error(path, "copy");
    let mut copy = scratch()?;
    let mode: String = source
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(&failed)?;
    if mode == "wal" {
        copy_tables(&copy, path).map_err(failed)?;
        return Ok(copy);
    }
    let backup = Backup::new(&source, &mut copy).map_err(&failed)?;
    let (mut beginnings, mut remaining) = (0, i32::MAX);
    loop {
        control.check()?;
        let pages = if beginnings < BEGINNINGS { PAGES } else { -1 };
        match backup.step(pages).map_err(&failed)? {
            StepResult::Done => break,
            // It waited for as long as it should.
            StepResult::Busy | StepResult::Locked => {
                let database = Database::Sqlite(path.to_owned());
                return Err(database.error("copy", "somebody else has had it locked for 30 s; try again"));
            }
            _ => {}
        }
        let left = backup.progress().remaining;
        if left >= remaining {
            beginnings += 1;
        }
        remaining = left;
    }
    drop(backup);
    Ok(copy)
}

/// With a write-ahead log a reader holds up nobody, but a page by page copy would need a log of its own: rows are copied.
fn copy_tables(copy: &Connection, path: &Path) -> rusqlite::Result<()> {
    // What a URI holds of a path.
    let uri = percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC);
    copy.execute("ATTACH ? AS source", [format!("file:{uri}?mode=ro")])?;
    copy.execute_batch("BEGIN")?;
    let mut statement = copy.prepare(
        "SELECT type, name, sql FROM source.sqlite_master WHERE sql IS NOT NULL AND type IN ('table', 'index') \
         AND (tbl_name LIKE 'zato\\_sso\\_%' ESCAPE '\\' OR tbl_name IN ('cluster', 'sec_base')) ORDER BY type DESC",
    )?;
    let made = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<Vec<(String, String, String)>>>()?;
    drop(statement);
    for (kind, name, make) in made {
        copy.execute_batch(&make)?;
        if kind == "table" {
            let name = sql::quoted(Kind::Sqlite, &name);
            copy.execute_batch(&format!("INSERT INTO main.{name} SELECT * FROM source.{name}"))?;
        }
    }
    copy.execute_batch("COMMIT; DETACH source")
}

/// How many rows of each table went.
fn delete_orphans(copy: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut left_out = BTreeMap::new();
    loop {
        let mut deleted = 0;
        for table in &TABLES {
            for condition in sql::orphans(Kind::Sqlite, table) {
                let rows = copy.execute(&format!("DELETE FROM {} AS c WHERE {condition}", table.name), [])?;
                if rows > 0 {
                    *left_out.entry(table.name.to_owned()).or_default() += rows as u64;
                }
                deleted += rows;
            }
        }
        if deleted == 0 {
            return Ok(left_out);
        }
    }
}

fn facts(copy: &Connection, path: &Path) -> rusqlite::Result<Facts> {
    let mut orphans = BTreeMap::new();
    for table in &TABLES {
        let mut sum = 0;
        for condition in sql::orphans(Kind::Sqlite, table) {
            let query = format!("SELECT count(*) FROM {} AS c WHERE {condition}", table.name);
            sum += copy
                .query_one(&query, [], |row| row.get::<_, i64>(0))?
                .unsigned_abs();
        }
        if sum > 0 {
            orphans.insert(table.name.to_owned(), sum);
        }
    }
    let clusters = if has_table(copy, "cluster")? {
        let mut statement = copy.prepare(sql::CLUSTERS)?;
        statement
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?
    } else {
        Vec::new()
    };
    Ok(Facts {
        kind: Kind::Sqlite,
        version: rusqlite::version().to_owned(),
        database: Database::Sqlite(path.to_owned()).to_string(),
        clusters,
        security_definitions: definitions(copy, sql::LINKED_DEFINITIONS)?,
        orphans,
        left_out: BTreeMap::new(),
    })
}

fn send(
    copy: &Connection,
    path: &Path,
    table: &'static Table,
    sender: &mut Sender,
    control: &Control,
) -> Result<(), Error> {
    let failed = error(path, "read");
    let mut statement = copy.prepare(&sql::select(Kind::Sqlite, table)).map_err(&failed)?;
    let mut rows = statement.query([]).map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let mut writer = LineWriter::new(sender.lines());
        for (at, column) in table.columns.iter().enumerate() {
            let value = row.get_ref(at).map_err(&failed)?;
            write(&mut writer, column, value).map_err(|why| {
                let id: i64 = row.get(0).unwrap_or_default();
                let why = unfit(table, &id.to_string(), column, &why);
                Database::Sqlite(path.to_owned()).error("read", why)
            })?;
        }
        writer.finish();
        let part = sender.dumped(control)?;
        sender.send_blocking(part)?;
    }
    let rest = sender.dumped_table(control)?;
    sender.send_blocking(rest)
}

/// SQLite takes any value in any column: only those that Zato writes are taken.
fn write(writer: &mut LineWriter<'_>, column: &Column, value: ValueRef<'_>) -> Result<(), String> {
    match (column.kind, value) {
        (_, ValueRef::Null) if column.is_nullable => writer.null(),
        (_, ValueRef::Null) => return Err(NO_NULL.into()),
        (Type::Integer, ValueRef::Integer(number)) | (Type::Boolean, ValueRef::Integer(number @ (0 | 1))) => {
            writer.number(number);
        }
        (Type::Timestamp, ValueRef::Text(text)) if is_simple(text) => writer.raw(text),
        (Type::Text | Type::Varchar(_), ValueRef::Text(bytes)) => writer.bytes(column.name, bytes, false),
        (Type::Text | Type::Varchar(_), ValueRef::Blob(bytes)) => writer.bytes(column.name, bytes, true),
        (_, value) => {
            return Err(format!(
                "is a value of type {}, which Zato does not write there",
                value.data_type()
            ));
        }
    }
    Ok(())
}

/// Whatever it means, it needs no escape.
fn is_simple(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'\\' || *byte == b' ')
}
