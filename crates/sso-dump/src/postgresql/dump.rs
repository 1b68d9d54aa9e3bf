//! Reads rows of PostgreSQL with COPY, in one snapshot.
//!
//! Owns the way from its text to lines. Must never write: the transaction is read-only.

use std::collections::BTreeMap;

use futures::{StreamExt, pin_mut};
use tokio_postgres::Client;

use super::{connect, definitions, error, found, has};
use crate::database::{Database, Kind, Server};
use crate::error::Error;
use crate::rows::{NO_NULL, NULL, unfit};
use crate::schema::check::limits;
use crate::schema::{TABLES, Table, Type, sql};
use crate::stream::{Control, Facts, Message, Sender};

/// Sends all rows.
pub async fn dump(
    database: &Database,
    server: &Server,
    mut sender: Sender,
    control: &Control,
) -> Result<(), Error> {
    let failed = error(database, "read");
    let client = connect(database, server).await?;
    begin(&client).await.map_err(&failed)?;
    let found = found(&client).await.map_err(&failed)?;
    limits(database, &found, Vec::new())?;
    let facts = facts(&client, database).await.map_err(&failed)?;
    sender.send(Message::Facts(Box::new(facts))).await?;
    for table in &TABLES {
        send(&client, database, table, &mut sender, control).await?;
    }
    client.batch_execute("COMMIT").await.map_err(failed)?;
    sender.send(Message::End).await
}

/// Locks the tables before the snapshot is taken by the first query: a snapshot that is older than a TRUNCATE (that of a
/// restore, for one) sees no rows at all once that is committed.
async fn begin(client: &Client) -> Result<(), tokio_postgres::Error> {
    let mut existing = Vec::new();
    for table in &TABLES {
        if has(client, table.name).await? {
            existing.push(table.name);
        }
    }
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    // What is missing is told by the look at the tables.
    let begin = if existing.is_empty() {
        begin.to_owned()
    } else {
        format!("{begin}; {}", sql::lock(&existing, "ACCESS SHARE"))
    };
    client.batch_execute(&begin).await
}

async fn facts(client: &Client, database: &Database) -> Result<Facts, tokio_postgres::Error> {
    let version = client.query_one("SELECT version()", &[]).await?;
    let clusters = if has(client, "cluster").await? {
        let rows = client.query(sql::CLUSTERS, &[]).await?;
        rows.iter().map(|row| row.get(0)).collect()
    } else {
        Vec::new()
    };
    Ok(Facts {
        kind: Kind::Postgresql,
        version: version.get(0),
        database: database.to_string(),
        clusters,
        security_definitions: definitions(client, sql::LINKED_DEFINITIONS).await?,
        // It has looked at every one.
        orphans: BTreeMap::new(),
        left_out: BTreeMap::new(),
    })
}

async fn send(
    client: &Client,
    database: &Database,
    table: &'static Table,
    sender: &mut Sender,
    control: &Control,
) -> Result<(), Error> {
    let failed = error(database, "read");
    let copy = format!("COPY ({}) TO STDOUT", sql::select(Kind::Postgresql, table));
    let chunks = client.copy_out(&copy).await.map_err(&failed)?;
    pin_mut!(chunks);
    let mut open = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(&failed)?;
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            // A chunk is a line, but nobody promises it.
            let line = match piece.strip_suffix(b"\n") {
                Some(line) if open.is_empty() => line,
                _ => {
                    open.extend_from_slice(piece);
                    if !piece.ends_with(b"\n") {
                        continue;
                    }
                    open.pop();
                    &open
                }
            };
            translate(table, line, sender.lines()).map_err(|why| database.error("read", why))?;
            open.clear();
            let part = sender.dumped(control)?;
            sender.send(part).await?;
        }
    }
    let rest = sender.dumped_table(control)?;
    sender.send(rest).await
}

/// COPY's text is a line of ours but for booleans and three escapes.
fn translate(table: &Table, line: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let bad = |why: &str| format!("a row of {} {why}", table.name);
    let line = std::str::from_utf8(line)
        .map_err(|_| bad("is not UTF-8: the database has no encoding of its own"))?;
    let mut fields = line.split('\t');
    for column in table.columns {
        let field = fields.next().ok_or_else(|| bad("has too few fields"))?;
        match (column.kind, field) {
            (_, NULL) if !column.is_nullable => {
                let id = line.split('\t').next().unwrap_or_default();
                return Err(unfit(table, id, column, NO_NULL));
            }
            (Type::Boolean, "t") => out.push(b'1'),
            (Type::Boolean, "f") => out.push(b'0'),
            _ if field.contains('\\') && field != NULL => unusual(field, out),
            _ => out.extend_from_slice(field.as_bytes()),
        }
        out.push(b'\t');
    }
    out.push(b'\n');
    Ok(())
}

/// Backspace, form feed and vertical tab stand for themselves in a line.
fn unusual(field: &str, out: &mut Vec<u8>) {
    let mut bytes = field.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'v') => out.push(11),
            Some(other) => out.extend_from_slice(&[b'\\', other]),
            None => out.push(b'\\'),
        }
    }
}
