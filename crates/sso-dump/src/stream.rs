//! Rows on their way: from a database or an archive to an archive, a database or a comparison.
//!
//! Owns the messages and their flow. At most [`CHANNEL`] parts of about [`PART`] bytes wait: memory is bounded, whatever the
//! number of rows. Must never hold a whole table.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::archive::Header;
use crate::database::Kind;
use crate::error::Error;
use crate::schema::TABLES;

/// After how many bytes a part is full. A row that is longer is a part of its own.
pub const PART: usize = 512 * 1024;

/// How many parts wait between two sides.
const CHANNEL: usize = 4;

/// What is known of a database before its rows are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Which kind it is.
    pub kind: Kind,
    /// What it calls its version.
    pub version: String,
    /// Where it is; never with a password.
    pub database: String,
    /// Names of the clusters of Zato in it.
    pub clusters: Vec<String>,
    /// The security definitions that linked accounts refer to.
    pub security_definitions: Vec<SecurityDefinition>,
    /// Rows whose foreign key leads nowhere, by table: SQLite does not look at them.
    pub orphans: BTreeMap<String, u64>,
    /// Rows that were left out because their reference leads nowhere, or to such a row, by table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, u64>,
}

/// A row of `sec_base`, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityDefinition {
    /// In its own database.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// `basic_auth`, `jwt` and others.
    pub sec_type: String,
}

/// Rows of one table.
#[derive(Debug)]
pub struct Part {
    /// The place of the table in [`TABLES`].
    pub table: usize,
    /// How many.
    pub rows: u64,
    /// The lines (see [`crate::rows`]).
    pub lines: Vec<u8>,
}

/// What a source sends, in this order: one beginning, parts in the order of the tables and of ids, one end.
#[derive(Debug)]
pub enum Message {
    /// Of a database.
    Facts(Box<Facts>),
    /// Of an archive.
    Header(Box<Header>),
    /// Rows.
    Part(Part),
    /// All rows were sent.
    End,
}

/// How far it is: rows of a table so far.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What is done: "dump", "check", "restore", "compare".
    pub step: &'static str,
    /// The table.
    pub table: &'static str,
    /// Its rows so far.
    pub rows: u64,
}

/// What a caller may know and do meanwhile.
#[derive(Clone, Default)]
pub struct Control {
    /// Stops it; everything is as before then.
    pub stop: CancellationToken,
    /// Is told how far it is.
    pub progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

impl Control {
    /// Tells how far it is, or that it shall stop.
    pub fn tell(&self, step: &'static str, table: usize, rows: u64) -> Result<(), Error> {
        self.check()?;
        if let Some(progress) = &self.progress {
            progress(Progress {
                step,
                table: TABLES[table].name,
                rows,
            });
        }
        Ok(())
    }

    /// Whether it may go on.
    pub fn check(&self) -> Result<(), Error> {
        if self.stop.is_cancelled() {
            return Err(Error::Stopped);
        }
        Ok(())
    }

    /// The outcome of waiting for a server, unless it shall stop before.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Error::Stopped),
            outcome = work => outcome,
        }
    }
}

/// A way for messages.
pub fn channel() -> (Sender, mpsc::Receiver<Message>) {
    let (sender, receiver) = mpsc::channel(CHANNEL);
    let sender = Sender {
        channel: sender,
        part: Part {
            table: 0,
            rows: 0,
            lines: Vec::new(),
        },
        rows: 0,
    };
    (sender, receiver)
}

/// Gathers rows to parts. One that is dropped before its end is an interruption to the other side.
pub struct Sender {
    channel: mpsc::Sender<Message>,
    part: Part,
    /// Of the table, in all its parts so far.
    rows: u64,
}

impl Sender {
    /// What the next line is written to.
    pub fn lines(&mut self) -> &mut Vec<u8> {
        &mut self.part.lines
    }

    /// After a line: the part, if it is full.
    #[must_use]
    pub fn count(&mut self) -> Option<Message> {
        self.part.rows += 1;
        self.rows += 1;
        (self.part.lines.len() >= PART).then(|| self.take())
    }

    /// The end of a table. One without rows has a part, too.
    #[must_use]
    pub fn end_table(&mut self) -> Option<Message> {
        let is_open = self.part.rows > 0 || self.rows == 0;
        let message = is_open.then(|| self.take());
        self.part.table += 1;
        self.rows = 0;
        message
    }

    /// The same as [`Self::count`] in a dump, which tells how far it is with each part.
    pub fn dumped(&mut self, control: &Control) -> Result<Option<Message>, Error> {
        let part = self.count();
        if part.is_some() {
            control.tell("dump", self.part.table, self.rows)?;
        }
        Ok(part)
    }

    /// The same as [`Self::end_table`] in a dump.
    pub fn dumped_table(&mut self, control: &Control) -> Result<Option<Message>, Error> {
        control.tell("dump", self.part.table, self.rows)?;
        Ok(self.end_table())
    }

    fn take(&mut self) -> Message {
        let next = Part {
            table: self.part.table,
            rows: 0,
            lines: Vec::with_capacity(PART + PART / 8),
        };
        Message::Part(std::mem::replace(&mut self.part, next))
    }

    /// From a future. The other side has ended when it fails.
    pub async fn send(&self, message: impl Into<Option<Message>>) -> Result<(), Error> {
        match message.into() {
            None => Ok(()),
            Some(message) => self.channel.send(message).await.map_err(|_| Error::Stopped),
        }
    }

    /// From a thread of its own.
    pub fn send_blocking(&self, message: impl Into<Option<Message>>) -> Result<(), Error> {
        match message.into() {
            None => Ok(()),
            Some(message) => self.channel.blocking_send(message).map_err(|_| Error::Stopped),
        }
    }
}

/// Of two sides that stop each other: what the first of them failed for.
pub fn both<A, B>(sent: Result<A, Error>, received: Result<B, Error>) -> Result<(A, B), Error> {
    match (sent, received) {
        (Ok(sent), Ok(received)) => Ok((sent, received)),
        (Err(Error::Stopped) | Ok(_), Err(error)) | (Err(error), _) => Err(error),
    }
}
