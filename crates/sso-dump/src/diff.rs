//! What differs between two archives, two databases, or one of each.
//!
//! Owns the comparison: row by row, by id, without holding either side. What is different only in form (how SQLite keeps a
//! value, `\x` of PostgreSQL, fractions of seconds that MySQL has no place for) is the same.

use std::cmp::Ordering;

use serde::Serialize;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;

use crate::archive::Header;
use crate::archive::read::{self, Visitor};
use crate::archive::seal::Identities;
use crate::convert::comparable;
use crate::database::{Database, Kind};
use crate::dump::{joined, send};
use crate::error::Error;
use crate::restore::Source;
use crate::rows::Row;
use crate::schema::TABLES;
use crate::stream::{Control, Message, Part, Sender, channel};

/// How many ids are told of each kind of difference.
const TOLD: usize = 20;

/// One of two.
pub enum Side {
    /// An archive, and what opens it.
    Archive(Source, Identities),
    /// A database.
    Database(Database),
}

/// How a table differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableDiff {
    /// The table.
    pub name: String,
    /// Rows that are the same.
    pub same: u64,
    /// Rows that only the second side has.
    pub added: Changes,
    /// Rows of one id that differ.
    pub changed: Changes,
    /// Rows that only the first side has.
    pub removed: Changes,
}

/// Rows of one kind of difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// How many.
    pub rows: u64,
    /// Ids of the first ones.
    pub first_ids: Vec<i64>,
}

impl Changes {
    fn add(&mut self, id: i64) {
        self.rows += 1;
        if self.first_ids.len() < TOLD {
            self.first_ids.push(id);
        }
    }
}

impl TableDiff {
    /// Whether the table is the same on both sides.
    pub fn is_same(&self) -> bool {
        self.added.rows + self.changed.rows + self.removed.rows == 0
    }
}

/// From the first side to the second one.
pub async fn diff(from: Side, to: Side, control: &Control) -> Result<Vec<TableDiff>, Error> {
    let (from, from_rows) = begin(from, control);
    let (to, to_rows) = begin(to, control);
    let watch = control.clone();
    let compared = tokio::task::spawn_blocking(move || compare(from_rows, to_rows, &watch)).await;
    let compared = joined(compared);
    // Why a side ended too soon is told by itself.
    let ended = [joined(from.await), joined(to.await)];
    for outcome in ended {
        match outcome {
            Err(Error::Stopped) | Ok(()) => {}
            Err(error) => return Err(error),
        }
    }
    compared
}

fn begin(side: Side, control: &Control) -> (JoinHandle<Result<(), Error>>, Receiver<Message>) {
    let (sender, receiver) = channel();
    let control = control.clone();
    let sending = match side {
        Side::Archive(source, identities) => {
            tokio::task::spawn_blocking(move || read_archive(&source, &identities, sender))
        }
        Side::Database(database) => tokio::spawn(async move {
            // Progress is told once, by the comparison.
            let quiet = Control {
                progress: None,
                ..control
            };
            send(&database, false, sender, &quiet).await
        }),
    };
    (sending, receiver)
}

/// Sends the rows of an archive. Blocks.
pub(crate) fn read_archive(source: &Source, identities: &Identities, sender: Sender) -> Result<(), Error> {
    let mut forward = Forward { sender };
    read::read(source()?, identities, &mut forward)?;
    forward.sender.send_blocking(Message::End)
}

struct Forward {
    sender: Sender,
}

impl Visitor for Forward {
    fn header(&mut self, header: &Header) -> Result<(), Error> {
        self.sender
            .send_blocking(Message::Header(Box::new(header.clone())))
    }

    fn part(&mut self, part: Part) -> Result<(), Error> {
        self.sender.send_blocking(Message::Part(part))
    }
}

/// Compares two sides that send. Blocks: for a thread of its own.
pub(crate) fn compare(
    from: Receiver<Message>,
    to: Receiver<Message>,
    control: &Control,
) -> Result<Vec<TableDiff>, Error> {
    let (mut from, mut to) = (Cursor::new(from)?, Cursor::new(to)?);
    let has_fractions = from.kind != Kind::Mysql && to.kind != Kind::Mysql;
    let mut tables: Vec<_> = TABLES
        .iter()
        .map(|table| TableDiff {
            name: table.name.into(),
            ..TableDiff::default()
        })
        .collect();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut count = 0_u64;
    loop {
        let (here, there) = (from.place()?, to.place()?);
        let order = match (here, there) {
            (None, None) => return Ok(tables),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(here), Some(there)) => here.cmp(&there),
        };
        let Some((table, id)) = (if order == Ordering::Greater { there } else { here }) else {
            return Err(Error::Stopped);
        };
        let told = &mut tables[table];
        match order {
            Ordering::Less => told.removed.add(id),
            Ordering::Greater => told.added.add(id),
            Ordering::Equal => {
                from.comparable(has_fractions, &mut left)?;
                to.comparable(has_fractions, &mut right)?;
                if left == right {
                    told.same += 1;
                } else {
                    told.changed.add(id);
                }
            }
        }
        count += 1;
        if count.is_multiple_of(1_000) {
            control.tell("compare", table, told.same)?;
        }
        if order != Ordering::Greater {
            from.advance();
        }
        if order != Ordering::Less {
            to.advance();
        }
    }
}

/// A place in the rows of one side.
struct Cursor {
    rows: Receiver<Message>,
    kind: Kind,
    part: Part,
    at: usize,
    has_ended: bool,
}

impl Cursor {
    fn new(mut rows: Receiver<Message>) -> Result<Self, Error> {
        let kind = match rows.blocking_recv() {
            Some(Message::Facts(facts)) => facts.kind,
            Some(Message::Header(header)) => header.source.kind,
            _ => return Err(Error::Stopped),
        };
        Ok(Self {
            rows,
            kind,
            part: Part {
                table: 0,
                rows: 0,
                lines: Vec::new(),
            },
            at: 0,
            has_ended: false,
        })
    }

    /// Table and id of the row that is next; none: there are no more.
    fn place(&mut self) -> Result<Option<(usize, i64)>, Error> {
        while !self.has_ended && self.at >= self.part.lines.len() {
            match self.rows.blocking_recv() {
                Some(Message::Part(part)) => {
                    self.part = part;
                    self.at = 0;
                }
                Some(Message::End) => self.has_ended = true,
                Some(_) => {}
                None => return Err(Error::Stopped),
            }
        }
        if self.has_ended {
            return Ok(None);
        }
        let id = self.row()?.id().ok_or(Error::Stopped)?;
        Ok(Some((self.part.table, id)))
    }

    fn row(&self) -> Result<Row<'_>, Error> {
        let bad = |why: &str| Error::Damaged(format!("a row of {}: {why}", TABLES[self.part.table].name));
        let line = std::str::from_utf8(self.line()).map_err(|_| bad("not UTF-8"))?;
        Row::parse(&TABLES[self.part.table], line).map_err(|why| bad(why.why))
    }

    fn line(&self) -> &[u8] {
        let rest = &self.part.lines[self.at..];
        rest.split(|byte| *byte == b'\n').next().unwrap_or_default()
    }

    fn comparable(&self, has_fractions: bool, out: &mut Vec<u8>) -> Result<(), Error> {
        comparable(&TABLES[self.part.table], &self.row()?, has_fractions, out);
        Ok(())
    }

    fn advance(&mut self) {
        self.at += self.line().len() + 1;
    }
}
