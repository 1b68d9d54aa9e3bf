//! Rows in their neutral form: one line a row, fields with tabs between them.
//!
//! Owns writing, reading and checking of lines. It is the form that `COPY` of PostgreSQL and `LOAD DATA` of MySQL read:
//! `\N` is NULL; backslash, tab, newline, carriage return and NUL are `\\`, `\t`, `\n`, `\r` and `\0`; everything is UTF-8.
//! Booleans are 0 and 1. The last field, after the columns, says what SQLite keeps as BLOB (see [`Storage`]); it is empty
//! elsewhere. Must never tell a value in an error: values are secrets.

use std::borrow::Cow;

use crate::schema::{Column, Table, Type};

mod write;

use write::has_unusual;
pub use write::{LineWriter, escape};

/// NULL.
pub const NULL: &str = "\\N";

/// What is said of NULL where Zato writes none, and an archive takes none: a database can have been altered to hold it.
pub const NO_NULL: &str = "is NULL, which Zato does not write there";

/// A row that no archive takes, and what to do about it.
pub fn unfit(table: &Table, id: &str, column: &Column, why: &str) -> String {
    format!(
        "{} id {id}: {} {why}; mend or delete this row",
        table.name, column.name
    )
}

/// How SQLite keeps a value of text, and how a line holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// TEXT, as UTF-8. The last field does not name the column.
    #[default]
    Text,
    /// BLOB whose bytes are UTF-8: `column` in the last field.
    Blob,
    /// BLOB of other bytes; the field is their hexadecimal form: `column=b`.
    HexBlob,
    /// TEXT that is not UTF-8; the field is hexadecimal: `column=t`.
    HexText,
}

/// Of a line that is none of its table.
const NUMBER: &str = "not as many fields as the table has columns";

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{why}", .column.map(|name| format!("column {name}: ")).unwrap_or_default())]
pub struct Fault {
    /// The column, if it is one.
    pub column: Option<&'static str>,
    /// What, without a value.
    pub why: &'static str,
}

impl Fault {
    fn of(column: &'static str, why: &'static str) -> Self {
        Self {
            column: Some(column),
            why,
        }
    }

    fn line(why: &'static str) -> Self {
        Self { column: None, why }
    }
}

/// The text of an escaped field that is not NULL.
pub fn unescape(field: &str) -> Result<Cow<'_, str>, &'static str> {
    if !field.contains('\\') {
        return Ok(Cow::Borrowed(field));
    }
    let mut text = String::with_capacity(field.len());
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        text.push(match characters.next() {
            Some('\\') => '\\',
            Some('t') => '\t',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('0') => '\0',
            _ => return Err("an escape that is not known"),
        });
    }
    Ok(Cow::Owned(text))
}

/// Bytes as lower-case digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // A String takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes of pairs of digits.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    text.as_bytes().chunks(2).map(pair).collect()
}

/// A line, taken apart. The fields are escaped still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// One a column.
    pub fields: Vec<&'a str>,
    /// The last field.
    pub notes: &'a str,
}

impl<'a> Row<'a> {
    /// Takes a line without its newline apart; looks at the number of fields alone.
    pub fn parse(table: &Table, line: &'a str) -> Result<Self, Fault> {
        let mut fields: Vec<&str> = Vec::with_capacity(table.columns.len());
        let mut start = 0;
        for tab in memchr::memchr_iter(b'\t', line.as_bytes()) {
            if fields.len() == table.columns.len() {
                return Err(Fault::line(NUMBER));
            }
            fields.push(&line[start..tab]);
            start = tab + 1;
        }
        if fields.len() == table.columns.len() {
            let notes = &line[start..];
            return Ok(Self { fields, notes });
        }
        Err(Fault::line(NUMBER))
    }

    /// The id, if there is one.
    pub fn id(&self) -> Option<i64> {
        self.fields.first()?.parse().ok()
    }

    /// How SQLite keeps a column.
    pub fn storage(&self, column: &str) -> Storage {
        if self.notes.is_empty() {
            return Storage::Text;
        }
        let of = |note: &str| match note.split_once('=') {
            None if note == column => Some(Storage::Blob),
            Some((name, "b")) if name == column => Some(Storage::HexBlob),
            Some((name, "t")) if name == column => Some(Storage::HexText),
            _ => None,
        };
        self.notes.split(',').find_map(of).unwrap_or_default()
    }

    /// Whether every field is one of its column, and the last one names columns.
    pub fn check(&self, table: &'static Table) -> Result<i64, Fault> {
        for (column, field) in table.columns.iter().zip(&self.fields) {
            if *field == NULL {
                if column.is_nullable {
                    continue;
                }
                return Err(Fault::of(column.name, "NULL, which the column does not take"));
            }
            check(column.kind, field).map_err(|why| Fault::of(column.name, why))?;
        }
        if !self.notes.is_empty() {
            self.check_notes(table)?;
        }
        self.id().ok_or(Fault::line("no id"))
    }

    fn check_notes(&self, table: &'static Table) -> Result<(), Fault> {
        for note in self.notes.split(',') {
            let name = note.split_once('=').map_or(note, |(name, _)| name);
            let place = table.position(name).filter(|&place| {
                let kind = table.columns[place].kind;
                matches!(kind, Type::Text | Type::Varchar(_)) && self.fields[place] != NULL
            });
            let (Some(place), storage) = (place, self.storage(name)) else {
                return Err(Fault::line("the last field names a column that is not of text"));
            };
            let is_hex = matches!(storage, Storage::HexBlob | Storage::HexText);
            if storage == Storage::Text || (is_hex && unhex(self.fields[place]).is_none()) {
                return Err(Fault::line("the last field does not fit the row"));
            }
        }
        Ok(())
    }
}

fn check(kind: Type, field: &str) -> Result<(), &'static str> {
    match kind {
        Type::Boolean if field == "0" || field == "1" => Ok(()),
        Type::Boolean => Err("neither 0 nor 1"),
        // As a number is written, and in no other way: the same row is the same line.
        Type::Integer if is_number(field) => Ok(()),
        Type::Integer => Err("not a number"),
        Type::Timestamp
            if !field.is_empty()
                && field
                    .bytes()
                    .all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\') =>
        {
            Ok(())
        }
        Type::Timestamp => Err("not a date"),
        Type::Varchar(_) | Type::Text if !has_unusual(field.as_bytes()) => Ok(()),
        Type::Varchar(_) | Type::Text if field.contains(['\r', '\0']) => {
            Err("a character without its escape")
        }
        Type::Varchar(_) | Type::Text => unescape(field).map(drop),
    }
}

fn is_number(field: &str) -> bool {
    let digits = field.strip_prefix('-').unwrap_or(field);
    field == "0" || (!digits.starts_with('0') && !field.starts_with('+') && field.parse::<i64>().is_ok())
}

#[cfg(test)]
mod tests;
