//! What a table is, whatever database it is in.
//!
//! Owns the words for it. The tables themselves are [`TABLES`], their SQL is in [`sql`]; what a database has instead is told
//! by [`check`]. Must never hold rows, nor talk to a database.

pub mod check;
pub mod sql;
mod tables;

pub use tables::TABLES;

/// What a column holds, whatever a database calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A whole number.
    Integer,
    /// Yes or no.
    Boolean,
    /// A date with a time, without a zone, in UTC.
    Timestamp,
    /// Text of at most so many characters.
    Varchar(u16),
    /// Text of any length, but for MySQL: 65,535 bytes.
    Text,
}

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, the same in all databases.
    pub name: &'static str,
    /// What it holds.
    pub kind: Type,
    /// Whether NULL is a value of it.
    pub is_nullable: bool,
    /// Whether Zato writes it as bytes: SQLite keeps them as BLOB, PostgreSQL may have them as `\x67..`.
    pub is_bytes: bool,
}

/// A foreign key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The column that refers.
    pub column: &'static str,
    /// The table that it refers to.
    pub table: &'static str,
    /// The column there.
    pub to: &'static str,
}

/// What an index is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A UNIQUE constraint of the table.
    Constraint,
    /// A unique index.
    Unique,
    /// An index that only makes things faster.
    Speed,
}

/// An index besides the primary key, which is always `id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name, the same in all databases.
    pub name: &'static str,
    /// What it is for.
    pub purpose: Purpose,
    /// What it is of.
    pub columns: &'static [&'static str],
}

/// One table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// In the order of Zato; the first one is the primary key `id`.
    pub columns: &'static [Column],
    /// To tables before this one, or to itself.
    pub references: &'static [Reference],
    /// Besides the primary key.
    pub indexes: &'static [Index],
    /// The free-standing sequence of PostgreSQL that new ids come from.
    pub sequence: &'static str,
}

impl Table {
    /// The place of a column.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known.name == column)
    }
}

/// The table of that name.
pub fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}
