//! From an archive to a database.
//!
//! Owns the order: the target is looked at, the archive is read to its end and every row judged for the target, and only
//! then is the first row written, in one transaction that ends when a second reading has found the same archive.

use std::io::Read;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc;

use crate::archive::read::{self, Contents, Visitor};
use crate::archive::seal::Identities;
use crate::archive::{Header, KeyCheck, Manifest};
use crate::convert::{Choices, Converter, Report, Target};
use crate::database::{Database, Kind};
use crate::dump::joined;
use crate::error::Error;
use crate::rows::Row;
use crate::schema::TABLES;
use crate::secrets::Secrets;
use crate::stream::{Control, Message, Part, Sender, both, channel};
use crate::{mysql, postgresql, sqlite};

/// Opens an archive, again each time.
pub type Source = Arc<dyn Fn() -> Result<Box<dyn Read>, Error> + Send + Sync>;

/// What a person chose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The snapshot whose rows take the place of those that are there.
    pub replace_existing: Option<String>,
    /// What is left out, and which definitions are meant.
    pub choices: Choices,
    /// The keys of the target, if they are known: they must be those of the archive, or, if it has none, open its passwords.
    pub key: Option<Arc<Secrets>>,
    /// Nothing is written; the outcome says what would be.
    pub is_rehearsal: bool,
}

/// What was written.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// Of the archive.
    pub manifest: Manifest,
    /// Rows written, by table, in the order of [`TABLES`].
    pub rows: Vec<u64>,
    /// Rows that were deleted before, in the same order.
    pub deleted: Vec<u64>,
    /// What was changed or left out.
    pub report: Report,
    /// What the key opens, if there was one to look at.
    pub key_check: Option<KeyCheck>,
}

/// Puts the rows of an archive into the tables of a database, all or none.
pub async fn restore(
    source: Source,
    identities: Identities,
    database: &Database,
    options: Options,
    control: &Control,
) -> Result<Restored, Error> {
    let (target, existing) = control.unless_stopped(target(database)).await?;
    let pass = Arc::new(Pass {
        source,
        identities,
        target,
        choices: options.choices.clone(),
        key: options.key.clone(),
        control: control.clone(),
    });
    let checking = pass.clone();
    let checked = joined(tokio::task::spawn_blocking(move || checking.check()).await)?;
    judge(&checked, &existing, database, &options)?;
    let restored = checked.restored(existing);
    if !options.is_rehearsal {
        write(pass, &restored, database, control).await?;
    }
    Ok(restored)
}

async fn target(database: &Database) -> Result<(Target, Vec<u64>), Error> {
    match database {
        Database::Sqlite(path) => {
            let path = path.clone();
            joined(tokio::task::spawn_blocking(move || sqlite::target(&path)).await)
        }
        Database::Postgresql(server) => postgresql::target(database, server).await,
        Database::Mysql(server) => mysql::target(database, server).await,
    }
}

/// Whether this archive may go into this database.
fn judge(checked: &Checked, existing: &[u64], database: &Database, options: &Options) -> Result<(), Error> {
    let snapshot = &checked.manifest.header.snapshot;
    if let Some(key) = &options.key {
        judge_key(&key.fingerprint(), checked)?;
    }
    if let Some(named) = &options.replace_existing
        && named != snapshot
    {
        return Err(Error::Usage(format!(
            "--replace-existing names the snapshot {named}, but the archive is {snapshot}"
        )));
    }
    if existing.iter().all(|&rows| rows == 0) || options.replace_existing.is_some() {
        return Ok(());
    }
    let found = TABLES.iter().zip(existing).filter(|(_, rows)| **rows > 0);
    let found: Vec<_> = found
        .map(|(table, rows)| format!("{}: {rows}", table.name))
        .collect();
    Err(Error::NotEmpty {
        database: database.to_string(),
        found: found.join(", "),
        snapshot: snapshot.clone(),
    })
}

/// Whether users could log in.
fn judge_key(theirs: &str, checked: &Checked) -> Result<(), Error> {
    match (&checked.manifest.header.key_fingerprint, checked.key_check) {
        (Some(ours), _) if ours != theirs => Err(Error::Key(format!(
            "the target's key1 is {theirs}, the archive is of {ours}: its users could not log in. Create the cluster with `--secret-key` and the key1 of the archive (sso inspect --write-secrets-conf)"
        ))),
        (None, Some(check)) if check.is_wrong() => Err(Error::Key(format!(
            "the target's key1 {theirs} opens none of the {} passwords that were looked at in the archive, which has no key of its own: its users could not log in. Create the cluster with `--secret-key` and the key1 that they were written with",
            check.looked_at
        ))),
        _ => Ok(()),
    }
}

async fn write(
    pass: Arc<Pass>,
    restored: &Restored,
    database: &Database,
    control: &Control,
) -> Result<(), Error> {
    let (sender, receiver) = channel();
    let has_orphans = !restored.manifest.header.source.orphans.is_empty();
    let replaces = restored.deleted.iter().any(|&rows| rows > 0);
    let expected = restored.manifest.clone();
    let reading = tokio::task::spawn_blocking(move || pass.send(sender, &expected));
    let written = load(database, replaces, has_orphans, receiver, control).await;
    let read = joined(reading.await);
    both(read, written).map(|_| ())
}

async fn load(
    database: &Database,
    replaces: bool,
    has_orphans: bool,
    mut receiver: mpsc::Receiver<Message>,
    control: &Control,
) -> Result<(), Error> {
    match database {
        Database::Sqlite(path) => {
            let (path, control) = (path.clone(), control.clone());
            let options = sqlite::restore::Options {
                replaces,
                has_orphans,
            };
            let writing = tokio::task::spawn_blocking(move || {
                sqlite::restore::restore(&path, options, &mut receiver, &control)
            });
            joined(writing.await)
        }
        Database::Postgresql(server) => {
            postgresql::restore::restore(database, server, replaces, receiver, control).await
        }
        Database::Mysql(server) => {
            mysql::restore::restore(database, server, replaces, receiver, control).await
        }
    }
}

/// Readings of the archive for one target.
pub(crate) struct Pass {
    pub(crate) source: Source,
    pub(crate) identities: Identities,
    pub(crate) target: Target,
    pub(crate) choices: Choices,
    /// Of the target: looks at the passwords of an archive that has no key.
    pub(crate) key: Option<Arc<Secrets>>,
    pub(crate) control: Control,
}

/// A whole archive whose rows all fit.
pub(crate) struct Checked {
    pub(crate) manifest: Manifest,
    pub(crate) report: Report,
    pub(crate) rows: Vec<u64>,
    pub(crate) key_check: Option<KeyCheck>,
}

impl Checked {
    /// What there is to tell once it is written.
    pub(crate) fn restored(self, deleted: Vec<u64>) -> Restored {
        Restored {
            rows: self.rows,
            deleted,
            report: self.report,
            key_check: self.key_check.or(self.manifest.key_check),
            manifest: self.manifest,
        }
    }
}

impl Pass {
    /// Judges every row; nothing is sent.
    pub(crate) fn check(&self) -> Result<Checked, Error> {
        let mut rows = Rows::new(self, None);
        let contents = read::read((self.source)()?, &self.identities, &mut rows)?;
        let key_check = rows.key_check;
        let (report, counts) = rows.outcome(self.target.kind)?;
        Ok(Checked {
            manifest: contents.manifest,
            report,
            rows: counts,
            key_check,
        })
    }

    /// Sends every row; says that these were all only if it is the archive that was judged.
    pub(crate) fn send(&self, sender: Sender, expected: &Manifest) -> Result<(), Error> {
        let mut rows = Rows::new(self, Some(sender));
        let Contents { manifest, .. } = read::read((self.source)()?, &self.identities, &mut rows)?;
        if manifest != *expected {
            return Err(Error::Damaged("it changed while it was read".into()));
        }
        rows.end()
    }
}

/// Converts what is read.
struct Rows<'a> {
    pass: &'a Pass,
    converter: Option<Converter>,
    /// Of an archive without a key, if the target has one.
    key_check: Option<KeyCheck>,
    counts: [u64; TABLES.len()],
    sender: Option<Sender>,
    place: usize,
    scratch: Vec<u8>,
}

impl<'a> Rows<'a> {
    fn new(pass: &'a Pass, sender: Option<Sender>) -> Self {
        Self {
            pass,
            converter: None,
            key_check: None,
            counts: [0; TABLES.len()],
            sender,
            place: 0,
            scratch: Vec::new(),
        }
    }

    fn outcome(self, kind: Kind) -> Result<(Report, Vec<u64>), Error> {
        let Some(converter) = self.converter else {
            return Err(Error::Stopped);
        };
        let problems = converter.problems();
        if !problems.is_empty() {
            return Err(Error::Refused {
                target: kind.to_string(),
                problems,
            });
        }
        Ok((converter.report, self.counts.to_vec()))
    }

    fn end(mut self) -> Result<(), Error> {
        if let Some(mut sender) = self.sender.take() {
            while self.place < TABLES.len() {
                let rest = sender.end_table();
                sender.send_blocking(rest)?;
                self.place += 1;
            }
            sender.send_blocking(Message::End)?;
        }
        Ok(())
    }
}

impl Visitor for Rows<'_> {
    fn header(&mut self, header: &Header) -> Result<(), Error> {
        let converter = Converter::new(self.pass.target.clone(), self.pass.choices.clone(), header);
        self.converter = Some(converter);
        if header.key_fingerprint.is_none() && self.pass.key.is_some() {
            self.key_check = Some(KeyCheck::default());
        }
        Ok(())
    }

    fn part(&mut self, part: Part) -> Result<(), Error> {
        if let (Some(check), Some(key)) = (&mut self.key_check, &self.pass.key) {
            check.look_at(key, &part);
        }
        let (Some(converter), table) = (&mut self.converter, &TABLES[part.table]) else {
            return Err(Error::Stopped);
        };
        let text =
            std::str::from_utf8(&part.lines).map_err(|_| Error::Damaged("rows are not UTF-8".into()))?;
        while self.place < part.table {
            self.place += 1;
            if let Some(sender) = &mut self.sender {
                let rest = sender.end_table();
                sender.send_blocking(rest)?;
            }
        }
        for line in text.lines() {
            let row = Row::parse(table, line).map_err(|why| Error::Damaged(why.to_string()))?;
            let Some(sender) = &mut self.sender else {
                self.scratch.clear();
                self.counts[part.table] += u64::from(converter.row(part.table, &row, &mut self.scratch));
                continue;
            };
            if converter.row(part.table, &row, sender.lines()) {
                let full = sender.count();
                sender.send_blocking(full)?;
            }
        }
        if self.sender.is_none() {
            self.pass
                .control
                .tell("check", part.table, self.counts[part.table])?;
        }
        self.pass.control.check()
    }
}
