//! Reads rows of MySQL and MariaDB, in one snapshot.
//!
//! Owns the way from its values to lines. The text protocol is exact for what these tables hold: numbers, dates, texts.
//! Must never write: the transaction is read-only.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

use super::{connect, definitions, error, found, has_table};
use crate::database::{Database, Kind, Server};
use crate::error::Error;
use crate::rows::{LineWriter, NO_NULL, unfit};
use crate::schema::check::limits;
use crate::schema::{Column, TABLES, Table, Type, sql};
use crate::stream::{Control, Facts, Message, Sender};

/// Sends all rows.
pub async fn dump(
    database: &Database,
    server: &Server,
    mut sender: Sender,
    control: &Control,
) -> Result<(), Error> {
    let failed = error(database, "read");
    let mut connection = connect(database, server).await?;
    for statement in [
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ] {
        connection.query_drop(statement).await.map_err(&failed)?;
    }
    let found = found(&mut connection).await.map_err(&failed)?;
    limits(database, &found, Vec::new())?;
    let facts = facts(&mut connection, database).await.map_err(&failed)?;
    sender.send(Message::Facts(Box::new(facts))).await?;
    for table in &TABLES {
        send(&mut connection, database, table, &mut sender, control).await?;
    }
    connection.query_drop("COMMIT").await.map_err(failed)?;
    sender.send(Message::End).await?;
    let _ = connection.disconnect().await;
    Ok(())
}

async fn facts(connection: &mut Conn, database: &Database) -> mysql_async::Result<Facts> {
    let version: Option<String> = connection.query_first("SELECT version()").await?;
    let clusters = if has_table(connection, "cluster").await? {
        connection.query(sql::CLUSTERS).await?
    } else {
        Vec::new()
    };
    Ok(Facts {
        kind: Kind::Mysql,
        version: version.unwrap_or_default(),
        database: database.to_string(),
        clusters,
        security_definitions: definitions(connection, sql::LINKED_DEFINITIONS).await?,
        // It has looked at every one.
        orphans: BTreeMap::new(),
        left_out: BTreeMap::new(),
    })
}

async fn send(
    connection: &mut Conn,
    database: &Database,
    table: &'static Table,
    sender: &mut Sender,
    control: &Control,
) -> Result<(), Error> {
    let failed = error(database, "read");
    let query = sql::select(Kind::Mysql, table);
    let mut rows = connection.query_iter(query).await.map_err(&failed)?;
    while let Some(row) = rows.next().await.map_err(&failed)? {
        let mut writer = LineWriter::new(sender.lines());
        write_row(&mut writer, table, &row).map_err(|why| database.error("read", why))?;
        writer.finish();
        let part = sender.dumped(control)?;
        sender.send(part).await?;
    }
    let rest = sender.dumped_table(control)?;
    sender.send(rest).await
}

fn write_row(writer: &mut LineWriter<'_>, table: &Table, row: &Row) -> Result<(), String> {
    for (at, column) in table.columns.iter().enumerate() {
        let value = row.as_ref(at).unwrap_or(&Value::NULL);
        write(writer, column, value).map_err(|why| {
            let id: Option<i64> = row.get(0);
            unfit(table, &id.unwrap_or_default().to_string(), column, why)
        })?;
    }
    Ok(())
}

fn write(writer: &mut LineWriter<'_>, column: &Column, value: &Value) -> Result<(), &'static str> {
    match (column.kind, value) {
        (_, Value::NULL) if column.is_nullable => writer.null(),
        (_, Value::NULL) => return Err(NO_NULL),
        (Type::Boolean, Value::Bytes(digit)) if digit != b"0" && digit != b"1" => {
            return Err("is neither 0 nor 1");
        }
        (Type::Integer | Type::Boolean | Type::Timestamp, Value::Bytes(text)) => writer.raw(text),
        (Type::Text | Type::Varchar(_), Value::Bytes(bytes)) => {
            writer.text(std::str::from_utf8(bytes).map_err(|_| "is not UTF-8")?);
        }
        _ => return Err("is of a type that Zato does not make"),
    }
    Ok(())
}
