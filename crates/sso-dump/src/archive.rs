//! The archive: a tar, compressed with gzip, sealed with age. Its format is docs/reference/archive.md.
//!
//! Owns the names in it and what its manifest says. Must never hold a key or a password outside of the member
//! [`SECRETS`], nor write one into the manifest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::rows::{Row, hex, unescape};
use crate::schema::{TABLES, Table};
use crate::secrets::Secrets;
use crate::stream::{Facts, Part};

pub mod by_hand;
pub mod read;
pub mod seal;
pub mod write;

/// What an archive calls itself.
pub const FORMAT: &str = "zato-sso-archive";
/// The version of the format that is written, and the latest that is read.
pub const VERSION: u32 = 1;
/// The first member: what was known before the first row.
pub const HEADER: &str = "header.json";
/// The last member: without it an archive is cut.
pub const MANIFEST: &str = "manifest.json";
/// The keys, if they are in the archive.
pub const SECRETS: &str = "secrets.conf";

/// The first member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// Names this snapshot: the time in UTC, and eight random digits.
    pub snapshot: String,
    /// When it was begun, in UTC.
    pub created: String,
    /// The version of Zato, if it is known.
    pub zato_version: Option<String>,
    /// What the one who made it calls the cluster: the UID of a ZatoCluster.
    pub cluster: Option<String>,
    /// The fingerprint of `key1`; none: the archive has no key.
    pub key_fingerprint: Option<String>,
    /// The database that it is of.
    pub source: Facts,
}

/// What a table of the archive is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableEntry {
    /// Its name.
    pub name: String,
    /// How many rows.
    pub rows: u64,
    /// Of all its lines, in their order: `cat tables/<name>/* | sha256sum`.
    pub sha256: String,
}

/// How many of the first passwords `key1` opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCheck {
    /// Passwords that were looked at.
    pub looked_at: u64,
    /// Those that are signed with the key.
    pub opened: u64,
}

/// How many passwords are looked at, to find a wrong key soon.
const LOOKED_AT: u64 = 1_000;

impl KeyCheck {
    /// Whether the passwords are those of another key.
    pub fn is_wrong(&self) -> bool {
        self.looked_at > 0 && self.opened == 0
    }

    /// Passwords that the key does not open.
    pub fn closed(&self) -> u64 {
        self.looked_at - self.opened
    }

    pub(crate) fn look_at(&mut self, secrets: &Secrets, part: &Part) {
        let table = &TABLES[part.table];
        let (Some(place), Ok(text)) = (table.position("password"), std::str::from_utf8(&part.lines)) else {
            return;
        };
        for line in text.lines() {
            if self.looked_at == LOOKED_AT {
                return;
            }
            let Ok(row) = Row::parse(table, line) else {
                continue;
            };
            self.looked_at += 1;
            let password = unescape(row.fields[place]).unwrap_or_default();
            let password = crate::convert::repaired(&password).unwrap_or(password);
            self.opened += u64::from(secrets.opens(&password));
        }
    }
}

/// The last member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The same as in the first member.
    #[serde(flatten)]
    pub header: Header,
    /// In the order of the archive.
    pub tables: Vec<TableEntry>,
    /// SHA-256 of the other members.
    pub files: BTreeMap<String, String>,
    /// What was found of the key, if the archive has one.
    pub key_check: Option<KeyCheck>,
}

impl Manifest {
    /// All rows.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

/// The tables of an archive that is written or read, in their order; the last one is open.
#[derive(Default)]
struct Tables {
    entries: Vec<TableEntry>,
    digest: Sha256,
    /// The number of the next part.
    part: u64,
}

impl Tables {
    /// Ends the open table, and begins one.
    fn begin(&mut self, table: &Table) {
        self.end();
        self.entries.push(TableEntry {
            name: table.name.into(),
            rows: 0,
            sha256: String::new(),
        });
    }

    /// Adds a part to the open table.
    fn add(&mut self, rows: u64, lines: &[u8]) {
        if let Some(entry) = self.entries.last_mut() {
            entry.rows += rows;
        }
        self.digest.update(lines);
        self.part += 1;
    }

    /// Ends the open table: its sum is known.
    fn end(&mut self) {
        if let Some(entry) = self.entries.last_mut() {
            entry.sha256 = hex(&std::mem::take(&mut self.digest).finalize());
        }
        self.part = 0;
    }
}

/// The name of a part of a table.
fn part_name(table: &Table, part: u64) -> String {
    format!("tables/{}/{part:06}.tsv", table.name)
}
