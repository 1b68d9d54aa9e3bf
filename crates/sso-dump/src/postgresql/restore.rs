//! Writes rows into PostgreSQL with COPY.
//!
//! Owns one transaction: all rows are there after it, or everything is as before, foreign keys and sequences among it. Must
//! never end it before it was told that all rows came.

use std::pin::Pin;

use futures::SinkExt;
use tokio::sync::mpsc::Receiver;
use tokio_postgres::{Client, CopyInSink};

use self::keys::{Keys, Sequences};
use super::{commit_error, connect, counts, error};
use crate::database::{Database, Kind, Server};
use crate::error::Error;
use crate::schema::{TABLES, sql};
use crate::stream::{Control, Message, Part};

mod keys;

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
        let (keys, sequences) = begin(&client, database, replaces).await?;
        receive(&client, database, &mut parts, control).await?;
        if let Some(keys) = keys {
            let failed = error(database, "look at foreign keys");
            keys.make_again(&client).await.map_err(failed)?;
        }
        let failed = error(database, "set sequences");
        sequences.set(&client).await.map_err(failed)
    };
    control.unless_stopped(work).await?;
    // From here on there is an answer to wait for: stopping would leave unknown what happened.
    client
        .batch_execute("COMMIT")
        .await
        .map_err(commit_error(database))
}

async fn begin(
    client: &Client,
    database: &Database,
    replaces: bool,
) -> Result<(Option<Keys>, Sequences), Error> {
    let failed = error(database, "write");
    // Whatever the server's default is: rows that came before the lock are seen by what comes after it.
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
    client.batch_execute(begin).await.map_err(&failed)?;
    let sequences = Sequences::lock(client).await.map_err(&failed)?;
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    // To take keys away needs it; a weaker lock that becomes a stronger one waits for readers who wait for it.
    let lock = sql::lock(&names, "ACCESS EXCLUSIVE");
    client.batch_execute(&lock).await.map_err(&failed)?;
    let counts = counts(client).await.map_err(&failed)?;
    let has_rows = database.has_rows(&counts, replaces)?;
    if has_rows {
        refuse_others(client, database).await?;
    }
    let keys = Keys::take_away(client).await.map_err(&failed)?;
    if has_rows {
        empty(client, keys.is_some()).await.map_err(failed)?;
    }
    Ok((keys, sequences))
}

/// Rows of tables that nobody knows would go with those that are deleted, or keep them from going.
async fn refuse_others(client: &Client, database: &Database) -> Result<(), Error> {
    let others = keys::others(client).await.map_err(error(database, "write"))?;
    if others.is_empty() {
        return Ok(());
    }
    let why = format!(
        "rows cannot be replaced, because others refer to them: {}; nothing was written",
        others.join(", ")
    );
    Err(database.error("write", why))
}

/// Deleted rows stay there for who reads at an older snapshot; after TRUNCATE such a reader sees none. But with the keys
/// in place a DELETE looks for references of each row, among dead rows and without an index.
async fn empty(client: &Client, are_keys_away: bool) -> Result<(), tokio_postgres::Error> {
    if !are_keys_away {
        let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        return client
            .batch_execute(&format!("TRUNCATE {}", names.join(", ")))
            .await;
    }
    for table in TABLES.iter().rev() {
        client
            .batch_execute(&sql::delete(Kind::Postgresql, table))
            .await?;
    }
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
