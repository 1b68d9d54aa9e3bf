//! Writes rows into MySQL and MariaDB.
//!
//! Owns one transaction: all rows are there after it, or everything is as before. The server refuses what does not fit,
//! whatever its settings are otherwise. Must never end the transaction before it was told that all rows came.

use bytes::Bytes;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, InfileData};
use tokio::sync::mpsc::Receiver;

use super::{commit_error, connect, counts, error, message};
use crate::convert::Form;
use crate::database::{Database, Kind, Server};
use crate::error::Error;
use crate::schema::{TABLES, Table, sql};
use crate::stream::{Control, Message, Part};

/// Foreign keys are looked at as a whole at the end: groups may come before their parents.
const SETTINGS: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', \
    foreign_key_checks = 0, innodb_lock_wait_timeout = 30";

/// How much of a file goes into one packet, which servers limit.
const PACKET: usize = 256 * 1024;

/// Writes what is received, in that form.
pub async fn restore(
    database: &Database,
    server: &Server,
    (replaces, form): (bool, Form),
    mut parts: Receiver<Message>,
    control: &Control,
) -> Result<(), Error> {
    let mut connection = control.unless_stopped(connect(database, server)).await?;
    let work = async {
        begin(&mut connection, database, replaces).await?;
        receive(&mut connection, database, form, &mut parts, control).await?;
        refuse_orphans(&mut connection, database).await
    };
    control.unless_stopped(work).await?;
    // From here on there is an answer to wait for: stopping would leave unknown what happened.
    connection
        .query_drop("COMMIT")
        .await
        .map_err(commit_error(database))?;
    let _ = connection.disconnect().await;
    Ok(())
}

async fn begin(connection: &mut Conn, database: &Database, replaces: bool) -> Result<(), Error> {
    let failed = error(database, "write");
    connection.query_drop(SETTINGS).await.map_err(&failed)?;
    // Whatever the server's default is: READ COMMITTED locks no gaps, and others could write between.
    for statement in [
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION",
    ] {
        connection.query_drop(statement).await.map_err(&failed)?;
    }
    for table in &TABLES {
        // The gap of an empty table is locked, too: nobody else writes until the end.
        let lock = format!(
            "SELECT id FROM {} ORDER BY id FOR UPDATE",
            sql::quoted(Kind::Mysql, table.name)
        );
        connection.query_drop(lock).await.map_err(&failed)?;
    }
    let counts = counts(connection).await.map_err(&failed)?;
    if !database.has_rows(&counts, replaces)? {
        return Ok(());
    }
    for table in TABLES.iter().rev() {
        let delete = sql::delete(Kind::Mysql, table);
        connection.query_drop(delete).await.map_err(&failed)?;
    }
    Ok(())
}

async fn receive(
    connection: &mut Conn,
    database: &Database,
    form: Form,
    parts: &mut Receiver<Message>,
    control: &Control,
) -> Result<(), Error> {
    let mut counts = [0; TABLES.len()];
    while let Some(message) = parts.recv().await {
        match message {
            Message::Part(part) => {
                let (table, rows) = (part.table, part.rows);
                write(connection, database, form, part).await?;
                counts[table] += rows;
                control.tell("restore", table, counts[table])?;
            }
            Message::End => return Ok(()),
            Message::Facts(_) | Message::Header(_) => {}
        }
    }
    Err(Error::Stopped)
}

async fn write(connection: &mut Conn, database: &Database, form: Form, part: Part) -> Result<(), Error> {
    if part.rows == 0 {
        return Ok(());
    }
    let (table, rows) = (&TABLES[part.table], part.rows);
    let doing = format!("write {}", table.name);
    let failed = error(database, &doing);
    if form == Form::Fields {
        load(connection, table, part).await.map_err(failed)?;
        refuse_warnings(connection, database, &doing).await?;
    } else {
        insert(connection, table, part).await.map_err(failed)?;
    }
    let written = connection.affected_rows();
    if written == rows {
        return Ok(());
    }
    let why = format!("{} took {written} of {rows} rows", table.name);
    Err(database.error("write", why))
}

/// As a file that is none: the driver asks nobody else for it.
async fn load(connection: &mut Conn, table: &Table, part: Part) -> mysql_async::Result<()> {
    let mut rest = Bytes::from(part.lines);
    let mut packets = Vec::new();
    while !rest.is_empty() {
        packets.push(rest.split_to(PACKET.min(rest.len())));
    }
    connection.set_infile_handler(async {
        let packets = packets.into_iter().map(Ok);
        Ok(Box::pin(futures::stream::iter(packets)) as InfileData)
    });
    connection.query_drop(sql::load(table)).await
}

/// A file that a client sends is not refused for what does not fit: the server leaves rows out, changes values, and warns.
async fn refuse_warnings(connection: &mut Conn, database: &Database, doing: &str) -> Result<(), Error> {
    if connection.get_warnings() == 0 {
        return Ok(());
    }
    let first: Option<(String, u16, String)> = connection
        .query_first("SHOW WARNINGS LIMIT 1")
        .await
        .map_err(error(database, doing))?;
    let (_, code, why) = first.unwrap_or_default();
    Err(database.error(doing, format!("{} (error {code})", message(code, &why))))
}

async fn insert(connection: &mut Conn, table: &Table, part: Part) -> mysql_async::Result<()> {
    let mut statement = sql::insert(Kind::Mysql, table).into_bytes();
    statement.extend_from_slice(&part.lines);
    // The comma after the last tuple.
    statement.pop();
    connection.query_drop(statement).await
}

async fn refuse_orphans(connection: &mut Conn, database: &Database) -> Result<(), Error> {
    for table in &TABLES {
        for query in sql::has_orphans(Kind::Mysql, table) {
            let found: Option<bool> = connection
                .query_first(query)
                .await
                .map_err(error(database, "look at foreign keys"))?;
            if found.unwrap_or_default() {
                return Err(database.orphan(table));
            }
        }
    }
    Ok(())
}
