//! Writes rows into SQLite.
//!
//! Owns one transaction: all rows are there after it, or everything is as before. Indexes that can be made anew are made
//! after the rows, in the same transaction.

use std::borrow::Cow;
use std::path::Path;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement, ToSql, Transaction, TransactionBehavior};
use tokio::sync::mpsc::Receiver;

use super::{counts, error, open};
use crate::database::{Database, Kind};
use crate::error::Error;
use crate::rows::{NULL, Row, Storage, unescape, unhex};
use crate::schema::{TABLES, Table, Type, sql};
use crate::stream::{Control, Message, Part};

/// Pages of SQLite in memory, in KiB.
const CACHE: i64 = 32 * 1024;

/// What the rows may do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Those that are there go.
    pub replaces: bool,
    /// The source had rows whose foreign key leads nowhere.
    pub has_orphans: bool,
}

/// Writes what is received, in the form of lines. Blocks: for a thread of its own.
pub fn restore(
    path: &Path,
    options: Options,
    parts: &mut Receiver<Message>,
    control: &Control,
) -> Result<(), Error> {
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    fill(&mut connection, path, options, parts, control)
}

/// The same into a database that is open; `path` is what it is called in errors.
pub fn fill(
    connection: &mut Connection,
    path: &Path,
    options: Options,
    parts: &mut Receiver<Message>,
    control: &Control,
) -> Result<(), Error> {
    let failed = error(path, "write");
    connection
        .pragma_update(None, "cache_size", -CACHE)
        .map_err(&failed)?;
    // Looked at as a whole at the end: groups may come before their parents.
    connection
        .pragma_update(None, "foreign_keys", false)
        .map_err(&failed)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&failed)?;
    let counts = counts(&transaction).map_err(&failed)?;
    if Database::Sqlite(path.to_owned()).has_rows(&counts, options.replaces)? {
        for table in TABLES.iter().rev() {
            transaction
                .execute(&sql::delete(Kind::Sqlite, table), [])
                .map_err(&failed)?;
        }
    }
    let indexes = drop_indexes(&transaction).map_err(&failed)?;
    receive(&transaction, path, parts, control)?;
    for index in indexes {
        control.check()?;
        transaction.execute_batch(&index).map_err(&failed)?;
    }
    if !options.has_orphans {
        refuse_orphans(&transaction, path)?;
    }
    control.check()?;
    transaction.commit().map_err(failed)
}

/// What makes them again. Those of constraints stay.
fn drop_indexes(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<String>> {
    let mut made = Vec::new();
    for table in &TABLES {
        let mut statement = transaction.prepare(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?",
        )?;
        let indexes = statement
            .query_map([table.name], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        for (name, sql) in indexes {
            transaction.execute_batch(&format!("DROP INDEX {}", sql::quoted(Kind::Sqlite, &name)))?;
            made.push(sql);
        }
    }
    Ok(made)
}

fn receive(
    transaction: &Transaction<'_>,
    path: &Path,
    parts: &mut Receiver<Message>,
    control: &Control,
) -> Result<(), Error> {
    let failed = error(path, "write");
    let mut statements = Vec::new();
    for table in &TABLES {
        let places = vec!["?"; table.columns.len()].join(",");
        let insert = format!("{}({places})", sql::insert(Kind::Sqlite, table));
        statements.push(transaction.prepare(&insert).map_err(&failed)?);
    }
    let mut counts = [0; TABLES.len()];
    while let Some(message) = parts.blocking_recv() {
        match message {
            Message::Part(part) => {
                write(&mut statements[part.table], &TABLES[part.table], &part).map_err(&failed)?;
                counts[part.table] += part.rows;
                control.tell("restore", part.table, counts[part.table])?;
            }
            Message::End => return Ok(()),
            Message::Facts(_) | Message::Header(_) => {}
        }
    }
    // Nobody said that these were all.
    Err(Error::Stopped)
}

fn write(statement: &mut Statement<'_>, table: &'static Table, part: &Part) -> rusqlite::Result<()> {
    // They were written by this crate, from what was checked.
    let text = std::str::from_utf8(&part.lines).map_err(|why| rusqlite::Error::Utf8Error(0, why))?;
    for line in text.lines() {
        let Ok(row) = Row::parse(table, line) else {
            return Err(rusqlite::Error::InvalidQuery);
        };
        for (at, column) in table.columns.iter().enumerate() {
            statement.raw_bind_parameter(
                at + 1,
                Field::new(column.kind, row.fields[at], row.storage(column.name)),
            )?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

/// A value, on its way from a line.
struct Field<'a> {
    kind: Type,
    bytes: Cow<'a, [u8]>,
    storage: Storage,
    is_null: bool,
}

impl<'a> Field<'a> {
    fn new(kind: Type, field: &'a str, storage: Storage) -> Self {
        let bytes = match (storage, unescape(field)) {
            (Storage::HexBlob | Storage::HexText, _) => Cow::Owned(unhex(field).unwrap_or_default()),
            (_, Ok(Cow::Borrowed(text))) => Cow::Borrowed(text.as_bytes()),
            (_, Ok(Cow::Owned(text))) => Cow::Owned(text.into_bytes()),
            (_, Err(_)) => Cow::Borrowed(&[][..]),
        };
        Self {
            kind,
            bytes,
            storage,
            is_null: field == NULL,
        }
    }
}

impl ToSql for Field<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match (self.kind, self.storage) {
            _ if self.is_null => ToSqlOutput::Borrowed(ValueRef::Null),
            (Type::Integer | Type::Boolean, _) => {
                let number = std::str::from_utf8(&self.bytes)
                    .ok()
                    .and_then(|text| text.parse::<i64>().ok());
                ToSqlOutput::from(number.ok_or(rusqlite::Error::InvalidQuery)?)
            }
            (_, Storage::Text | Storage::HexText) => ToSqlOutput::Borrowed(ValueRef::Text(&self.bytes)),
            (_, Storage::Blob | Storage::HexBlob) => ToSqlOutput::Borrowed(ValueRef::Blob(&self.bytes)),
        })
    }
}

fn refuse_orphans(transaction: &Transaction<'_>, path: &Path) -> Result<(), Error> {
    let failed = error(path, "look at foreign keys");
    for table in &TABLES {
        for query in sql::has_orphans(Kind::Sqlite, table) {
            if transaction
                .query_one(&query, [], |row| row.get(0))
                .map_err(&failed)?
            {
                return Err(Database::Sqlite(path.to_owned()).orphan(table));
            }
        }
    }
    Ok(())
}
