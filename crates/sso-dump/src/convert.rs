//! Rows of an archive, as a database takes them.
//!
//! Owns what is changed on the way, and tells all of it: a [`Report`] of what was repaired, cut or left out, and problems
//! of what cannot be held. Must never change or leave out anything without telling, nor tell a value.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::archive::Header;
use crate::database::Kind;
use crate::rows::{LineWriter, NULL, Row, Storage, unescape, unhex};
use crate::schema::check::{Limit, Limits};
use crate::schema::{Column, TABLES, Table, Type};
use crate::stream::SecurityDefinition;
use crate::timestamp;

mod linked;
mod write;

use write::write;

/// How many problems are told one by one.
const TOLD: usize = 20;

/// In which form a database takes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Fields with tabs between them, as COPY of PostgreSQL and LOAD DATA of MySQL read them.
    Fields,
    /// Tuples of an INSERT.
    Tuples,
    /// Lines of this crate.
    Lines,
}

/// What is known of the database that takes the rows.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which kind it is.
    pub kind: Kind,
    /// How it takes rows.
    pub form: Form,
    /// What its columns hold.
    pub limits: Limits,
    /// Its security definitions.
    pub definitions: Vec<SecurityDefinition>,
}

/// What a person chose.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// Sessions, and the attributes that hang on them, stay behind: everybody logs in anew.
    pub without_sessions: bool,
    /// Security definitions of linked accounts: from the id in the archive to the name in the database.
    pub security: BTreeMap<i64, String>,
    /// Linked accounts stay as they are: for a database that no server will see.
    pub keeps_linked: bool,
}

/// What happened to rows on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Values that PostgreSQL had written as `\x..`, made readable for Zato.
    pub repaired: u64,
    /// Dates whose fraction of a second was cut, because the columns hold whole seconds.
    pub cut_fractions: u64,
    /// Sessions that were left out.
    pub sessions_left_out: u64,
    /// Attributes of sessions that were left out.
    pub session_attributes_left_out: u64,
    /// Linked accounts that got the number that their security definition has here.
    pub linked_mapped: Vec<Linked>,
    /// Linked accounts that were left out.
    pub linked_left_out: Vec<Linked>,
}

/// A row of `zato_sso_linked_auth`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Linked {
    /// Of the row.
    pub id: i64,
    /// The number of its security definition in the archive.
    pub auth_id: Option<i64>,
    /// What became of it.
    pub what: String,
}

/// Converts rows for one database.
pub struct Converter {
    target: Target,
    choices: Choices,
    source: Kind,
    definitions: Vec<SecurityDefinition>,
    /// What happened so far.
    pub report: Report,
    problems: Vec<String>,
    more: u64,
}

/// What a value becomes, and what of the row must be told.
type Fields<'a> = Vec<Cow<'a, str>>;

impl Converter {
    /// For the rows of that archive.
    pub fn new(target: Target, choices: Choices, header: &Header) -> Self {
        let mut converter = Self {
            source: header.source.kind,
            definitions: header.source.security_definitions.clone(),
            target,
            choices,
            report: Report::default(),
            problems: Vec::new(),
            more: 0,
        };
        if converter.target.kind != Kind::Sqlite {
            for (table, rows) in &header.source.orphans {
                converter.problem(format!(
                    "{rows} references of {table} lead nowhere, which SQLite allowed: dump again with --without-orphans"
                ));
            }
        }
        converter
    }

    /// What cannot be held, so far.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.problems.clone();
        if self.more > 0 {
            problems.push(format!("and {} more", self.more));
        }
        problems
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < TOLD {
            self.problems.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Appends the row as the database takes it (see [`write`]), unless it is left out.
    pub fn row(&mut self, place: usize, row: &Row<'_>, out: &mut Vec<u8>) -> bool {
        let table = &TABLES[place];
        if self.is_of_session(table, row) {
            return false;
        }
        let mut fields: Fields = row.fields.iter().map(|field| Cow::Borrowed(*field)).collect();
        let is_linked = table.name == "zato_sso_linked_auth" && !self.choices.keeps_linked;
        if is_linked && !self.link(table, row, &mut fields) {
            return false;
        }
        for (at, column) in table.columns.iter().enumerate() {
            let limit = self.target.limits[place][at];
            if let Err(why) = self.field(column, limit, row, &mut fields[at]) {
                let id = row.id().unwrap_or_default();
                self.problem(format!("{} id {id}: {} {why}", table.name, column.name));
            }
        }
        write(self.target.form, self.source, table, row, &fields, out);
        true
    }

    fn is_of_session(&mut self, table: &Table, row: &Row<'_>) -> bool {
        if !self.choices.without_sessions {
            return false;
        }
        let has_session = |column: &str| table.position(column).is_some_and(|at| row.fields[at] != NULL);
        match table.name {
            "zato_sso_session" => self.report.sessions_left_out += 1,
            "zato_sso_attr" if has_session("ust") => self.report.session_attributes_left_out += 1,
            _ => return false,
        }
        true
    }

    fn field(
        &mut self,
        column: &Column,
        limit: Limit,
        row: &Row<'_>,
        field: &mut Cow<'_, str>,
    ) -> Result<(), String> {
        if field == NULL {
            return Ok(());
        }
        match column.kind {
            Type::Boolean => Ok(()),
            Type::Integer if self.target.kind == Kind::Sqlite || field.parse::<i32>().is_ok() => Ok(()),
            Type::Integer => Err("does not fit into 32 bits".into()),
            Type::Timestamp => self.timestamp(limit, field),
            Type::Text | Type::Varchar(_) => self.text(column, limit, row, field),
        }
    }

    fn timestamp(&mut self, limit: Limit, field: &mut Cow<'_, str>) -> Result<(), String> {
        if !timestamp::is_plain(field) {
            return if self.source == self.target.kind {
                Ok(())
            } else {
                Err("is no date of the years 1 to 9999".into())
            };
        }
        if !limit.keeps_fraction {
            let (seconds, is_cut) = timestamp::whole_seconds(field);
            self.report.cut_fractions += u64::from(is_cut);
            if seconds.len() < field.len() {
                *field = Cow::Owned(seconds.to_owned());
            }
        } else if self.target.kind == Kind::Sqlite && self.source != Kind::Sqlite {
            *field = Cow::Owned(timestamp::padded(field).into_owned());
        }
        Ok(())
    }

    fn text(
        &mut self,
        column: &Column,
        limit: Limit,
        row: &Row<'_>,
        field: &mut Cow<'_, str>,
    ) -> Result<(), String> {
        if column.is_bytes && field.starts_with("\\\\x") {
            // Its backslash is escaped still.
            if let Some(text) = repaired(&field[1..]) {
                *field = Cow::Owned(text.into_owned());
                self.report.repaired += 1;
            }
        }
        let storage = row.storage(column.name);
        let is_hex = matches!(storage, Storage::HexBlob | Storage::HexText);
        if is_hex && self.target.kind != Kind::Sqlite {
            return Err("is not UTF-8".into());
        }
        if self.target.kind == Kind::Postgresql && field.contains("\\0") && unescape(field)?.contains('\0') {
            return Err("has a NUL character, which PostgreSQL does not take".into());
        }
        fits(limit, field)
    }
}

/// Escapes make a field longer, never shorter: most are known to fit from their length alone.
fn fits(limit: Limit, field: &str) -> Result<(), String> {
    let is_beyond = |limit: Option<u64>| limit.is_some_and(|most| field.len() as u64 > most);
    if !is_beyond(limit.characters) && !is_beyond(limit.bytes) {
        return Ok(());
    }
    let text = unescape(field)?;
    let too_long = |count: usize, most: Option<u64>, unit: &str| {
        let most = most.filter(|&most| count as u64 > most)?;
        Some(format!("has {count} {unit}, its column takes {most}"))
    };
    let why = too_long(text.chars().count(), limit.characters, "characters")
        .or_else(|| too_long(text.len(), limit.bytes, "bytes"));
    why.map_or(Ok(()), Err)
}

/// The text of a value that PostgreSQL wrote as `\x6741..` into a column of text; none: it is not one.
pub fn repaired(text: &str) -> Option<Cow<'static, str>> {
    let bytes = unhex(text.strip_prefix("\\x")?)?;
    // What Zato puts there is a token of Fernet; nothing else is touched.
    let text = String::from_utf8(bytes).ok()?;
    let is_token =
        text.starts_with("gAAAA") && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    is_token.then_some(Cow::Owned(text))
}

/// A row as both sides of a comparison have it: repaired, dates in one form, without what only SQLite has.
pub fn comparable(table: &Table, row: &Row<'_>, has_fractions: bool, out: &mut Vec<u8>) {
    out.clear();
    let mut writer = LineWriter::new(out);
    for (column, field) in table.columns.iter().zip(&row.fields) {
        let seconds = || timestamp::whole_seconds(field).0;
        match column.kind {
            Type::Timestamp if !has_fractions => writer.raw(seconds().as_bytes()),
            Type::Timestamp => writer.raw(timestamp::padded(field).as_bytes()),
            _ if column.is_bytes && field.starts_with("\\\\x") => {
                writer.raw(repaired(&field[1..]).as_deref().unwrap_or(field).as_bytes());
            }
            _ => writer.raw(field.as_bytes()),
        }
    }
    writer.finish();
}
