//! Readings of an archive for one target: one that judges every row, one that sends them.
//!
//! Must never say that all rows were sent when the second reading found another archive than the first.

use std::sync::Arc;

use super::{Restored, Source};
use crate::archive::read::{self, Contents, Visitor};
use crate::archive::seal::Identities;
use crate::archive::{Header, KeyCheck, Manifest};
use crate::convert::{Choices, Converter, Report, Target};
use crate::database::Kind;
use crate::error::Error;
use crate::rows::Row;
use crate::schema::TABLES;
use crate::secrets::Secrets;
use crate::stream::{Control, Message, Part, Sender};

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
