//! Writes rows into PostgreSQL with COPY.
//!
//! Owns one transaction: all rows are there after it, or everything is as before. Must never end it before it was told that
//! all rows came.

use std::pin::Pin;

use futures::SinkExt;
use tokio::sync::mpsc::Receiver;
use tokio_postgres::{Client, CopyInSink};

use super::{commit_error, connect, counts, error};
use crate::database::{Database, Kind, Server};
use crate::error::Error;
use crate::schema::{TABLES, sql};
use crate::stream::{Control, Message, Part};

/// Writes what is received, in the form of COPY.
pub async fn restore(
    database: &Database,
    server: &Server,
    replaces: bool,
    mut parts: Receiver<Message>,
    control: &Control,
) -> Result<(), Error> {
    let client = control.unless_stopped(connect(database, server)).await?;
    let work = async {
        begin(&client, database, replaces).await?;
        receive(&client, database, &mut parts, control).await?;
        for table in &TABLES {
            let query = sql::set_sequence(table);
            client
                .batch_execute(&query)
                .await
                .map_err(error(database, "set sequences"))?;
        }
        Ok(())
    };
    control.unless_stopped(work).await?;
    // From here on there is an answer to wait for: stopping would leave unknown what happened.
    client
        .batch_execute("COMMIT")
        .await
        .map_err(commit_error(database))
}

async fn begin(client: &Client, database: &Database, replaces: bool) -> Result<(), Error> {
    let failed = error(database, "write");
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    let start = format!("BEGIN; {}", sql::lock(&names, "SHARE ROW EXCLUSIVE"));
    client.batch_execute(&start).await.map_err(&failed)?;
    let counts = counts(client).await.map_err(&failed)?;
    if !database.has_rows(&counts, replaces)? {
        return Ok(());
    }
    // Part of the transaction as all else. DELETE would look at each row's references, among dead rows and without an
    // index. Who reads at an older snapshot must have locked the tables before, as a dump does: it would see no rows.
    let empty = format!("TRUNCATE {}", names.join(", "));
    client.batch_execute(&empty).await.map_err(&failed)?;
    Ok(())
}

/// COPY of one table.
struct Copy {
    table: usize,
    sink: Pin<Box<CopyInSink<bytes::Bytes>>>,
    rows: u64,
}

impl Copy {
    async fn new(client: &Client, database: &Database, table: usize) -> Result<Self, Error> {
        let known = &TABLES[table];
        let columns = sql::columns(Kind::Postgresql, known);
        let copy = format!("COPY {} ({columns}) FROM STDIN", known.name);
        let sink = client.copy_in(&copy).await.map_err(error(database, "write"))?;
        Ok(Self {
            table,
            sink: Box::pin(sink),
            rows: 0,
        })
    }

    async fn write(&mut self, database: &Database, part: Part) -> Result<(), Error> {
        self.rows += part.rows;
        if part.lines.is_empty() {
            return Ok(());
        }
        self.sink
            .send(part.lines.into())
            .await
            .map_err(error(database, "write"))
    }

    async fn finish(mut self, database: &Database) -> Result<(), Error> {
        let rows = self
            .sink
            .as_mut()
            .finish()
            .await
            .map_err(error(database, "write"))?;
        if rows == self.rows {
            return Ok(());
        }
        let table = TABLES[self.table].name;
        Err(database.error("write", format!("{table} took {rows} of {} rows", self.rows)))
    }
}

async fn receive(
    client: &Client,
    database: &Database,
    parts: &mut Receiver<Message>,
    control: &Control,
) -> Result<(), Error> {
    let mut open: Option<Copy> = None;
    while let Some(message) = parts.recv().await {
        match message {
            Message::Part(part) => {
                let mut copy = match open.take() {
                    Some(copy) if copy.table == part.table => copy,
                    other => {
                        if let Some(copy) = other {
                            copy.finish(database).await?;
                        }
                        Copy::new(client, database, part.table).await?
                    }
                };
                copy.write(database, part).await?;
                control.tell("restore", copy.table, copy.rows)?;
                open = Some(copy);
            }
            Message::End => {
                return match open {
                    Some(copy) => copy.finish(database).await,
                    None => Ok(()),
                };
            }
            Message::Facts(_) | Message::Header(_) => {}
        }
    }
    Err(Error::Stopped)
}
