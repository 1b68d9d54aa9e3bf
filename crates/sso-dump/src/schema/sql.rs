//! The SQL of the known tables, one dialect a database kind.
//!
//! Owns every statement that can be written from [`TABLES`] alone. Must never hold a value of a row.

use super::{Column, Index, Purpose, TABLES, Table, Type};
use crate::database::Kind;

/// A name that a statement can hold, whatever it is.
pub fn quoted(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Mysql => format!("`{}`", name.replace('`', "``")),
        Kind::Sqlite | Kind::Postgresql => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// The columns of a table, with commas.
pub fn columns(kind: Kind, table: &Table) -> String {
    let names: Vec<_> = table
        .columns
        .iter()
        .map(|column| quoted(kind, column.name))
        .collect();
    names.join(", ")
}

/// Reads a table in the order of its ids, so that the same rows make the same archive.
pub fn select(kind: Kind, table: &Table) -> String {
    let (columns, name) = (columns(kind, table), quoted(kind, table.name));
    format!("SELECT {columns} FROM {name} ORDER BY {}", quoted(kind, "id"))
}

/// Conditions of rows `c` whose foreign key leads nowhere: one a key.
pub fn orphans(kind: Kind, table: &Table) -> Vec<String> {
    let one = |reference: &super::Reference| {
        format!(
            "c.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE p.{to} = c.{column})",
            column = quoted(kind, reference.column),
            parent = quoted(kind, reference.table),
            to = quoted(kind, reference.to),
        )
    };
    table.references.iter().map(one).collect()
}

/// Whether there are such rows: one query a key.
pub fn has_orphans(kind: Kind, table: &Table) -> Vec<String> {
    let one = |condition| {
        format!(
            "SELECT EXISTS (SELECT 1 FROM {} AS c WHERE {condition})",
            table.name
        )
    };
    orphans(kind, table).into_iter().map(one).collect()
}

/// What makes all tables, their indexes and sequences, as Zato's own `create odb` does.
pub fn create(kind: Kind) -> Vec<String> {
    let mut statements = Vec::new();
    for table in &TABLES {
        statements.push(create_table(kind, table));
        if kind != Kind::Mysql {
            statements.extend(create_indexes(kind, table));
        }
        if kind == Kind::Postgresql {
            statements.push(format!("CREATE SEQUENCE {}", table.sequence));
        }
    }
    statements
}

fn create_table(kind: Kind, table: &Table) -> String {
    let mut parts: Vec<_> = table
        .columns
        .iter()
        .map(|column| {
            let needed = if column.is_nullable { "" } else { " NOT NULL" };
            let automatic = if kind == Kind::Mysql && column.name == "id" {
                " AUTO_INCREMENT"
            } else {
                ""
            };
            format!(
                "{} {}{needed}{automatic}{}",
                quoted(kind, column.name),
                type_name(kind, table, column),
                default(kind, column)
            )
        })
        .collect();
    parts.push(format!("PRIMARY KEY ({})", quoted(kind, "id")));
    let in_table = |index: &&Index| kind == Kind::Mysql || index.purpose == Purpose::Constraint;
    parts.extend(
        table
            .indexes
            .iter()
            .filter(in_table)
            .map(|index| index_part(kind, table, index)),
    );
    if kind != Kind::Postgresql {
        let booleans = table.columns.iter().filter(|column| column.kind == Type::Boolean);
        parts.extend(booleans.map(|column| format!("CHECK ({} IN (0, 1))", quoted(kind, column.name))));
    }
    parts.extend(table.references.iter().map(|reference| {
        format!(
            "FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE CASCADE",
            quoted(kind, reference.column),
            quoted(kind, reference.table),
            quoted(kind, reference.to)
        )
    }));
    let tail = if kind == Kind::Mysql { " ENGINE=InnoDB" } else { "" };
    format!(
        "CREATE TABLE {} (\n  {}\n){tail}",
        quoted(kind, table.name),
        parts.join(",\n  ")
    )
}

fn type_name(kind: Kind, table: &Table, column: &Column) -> String {
    match (column.kind, kind) {
        (Type::Integer, Kind::Mysql) => "INT".into(),
        (Type::Integer, _) => "INTEGER".into(),
        (Type::Boolean, Kind::Mysql) => "TINYINT(1)".into(),
        (Type::Boolean, _) => "BOOLEAN".into(),
        (Type::Timestamp, Kind::Postgresql) => "TIMESTAMP WITHOUT TIME ZONE".into(),
        (Type::Timestamp, _) => "DATETIME".into(),
        (Type::Varchar(length), _) => format!("VARCHAR({length})"),
        // A length that MySQL's index needs, and that SQLite ignores.
        (Type::Text, Kind::Sqlite) if is_in_unique(table, column) => "TEXT(191)".into(),
        (Type::Text, _) => "TEXT".into(),
    }
}

fn is_in_unique(table: &Table, column: &Column) -> bool {
    table
        .indexes
        .iter()
        .any(|index| index.purpose == Purpose::Unique && index.columns.contains(&column.name))
}

fn default(kind: Kind, column: &Column) -> &'static str {
    match (column.name, kind) {
        ("is_totp_enabled", Kind::Postgresql) => " DEFAULT false",
        ("is_totp_enabled", _) => " DEFAULT 0",
        _ => "",
    }
}

/// An index within CREATE TABLE.
fn index_part(kind: Kind, table: &Table, index: &Index) -> String {
    let columns = index_columns(kind, table, index);
    let name = quoted(kind, index.name);
    match (kind, index.purpose) {
        (Kind::Mysql, Purpose::Speed) => format!("KEY {name} ({columns})"),
        (Kind::Mysql, _) => format!("UNIQUE KEY {name} ({columns})"),
        _ => format!("CONSTRAINT {name} UNIQUE ({columns})"),
    }
}

/// MySQL needs a length for text in an index.
fn index_columns(kind: Kind, table: &Table, index: &Index) -> String {
    let one = |name: &&str| {
        let is_text = table
            .columns
            .iter()
            .any(|column| column.name == *name && column.kind == Type::Text);
        let length = match (kind == Kind::Mysql && is_text, index.purpose) {
            (false, _) => "",
            (true, Purpose::Speed) => "(767)",
            (true, _) => "(191)",
        };
        format!("{}{length}", quoted(kind, name))
    };
    index.columns.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn create_indexes(kind: Kind, table: &Table) -> Vec<String> {
    let own = table
        .indexes
        .iter()
        .filter(|index| index.purpose != Purpose::Constraint);
    own.map(|index| {
        format!(
            "CREATE {}INDEX {} ON {} ({})",
            if index.purpose == Purpose::Unique {
                "UNIQUE "
            } else {
                ""
            },
            quoted(kind, index.name),
            quoted(kind, table.name),
            index_columns(kind, table, index)
        )
    })
    .collect()
}

/// Names of the clusters of Zato.
pub const CLUSTERS: &str = "SELECT name FROM cluster ORDER BY id";

/// All security definitions, without their secrets.
pub const DEFINITIONS: &str = "SELECT id, name, sec_type FROM sec_base ORDER BY id";

/// Those that linked accounts refer to.
pub const LINKED_DEFINITIONS: &str = "SELECT id, name, sec_type FROM sec_base WHERE id IN (SELECT auth_id FROM zato_sso_linked_auth) ORDER BY id";

/// How many rows a table has.
pub fn count(kind: Kind, table: &Table) -> String {
    format!("SELECT count(*) FROM {}", quoted(kind, table.name))
}

/// Locks tables of PostgreSQL until the end of the transaction.
pub fn lock(tables: &[&str], mode: &str) -> String {
    format!("LOCK TABLE {} IN {mode} MODE", tables.join(", "))
}

/// Deletes the rows of a table.
pub fn delete(kind: Kind, table: &Table) -> String {
    format!("DELETE FROM {}", quoted(kind, table.name))
}

/// An INSERT up to VALUES.
pub fn insert(kind: Kind, table: &Table) -> String {
    let (name, columns) = (quoted(kind, table.name), columns(kind, table));
    format!("INSERT INTO {name} ({columns}) VALUES ")
}

/// Reads what a client of MySQL sends as a file.
pub fn load(table: &Table) -> String {
    let (name, columns) = (quoted(Kind::Mysql, table.name), columns(Kind::Mysql, table));
    format!("LOAD DATA LOCAL INFILE 'rows' INTO TABLE {name} CHARACTER SET utf8mb4 ({columns})")
}

/// How many numbers of a sequence of PostgreSQL a session takes at once.
pub const SEQUENCE_CACHE: &str = "SELECT seqcache FROM pg_sequence WHERE seqrelid = $1::text::regclass";

/// The next id of PostgreSQL comes after all that are there; it never goes back. No part of the transaction.
pub fn set_sequence(table: &Table) -> String {
    format!(
        "SELECT setval('{sequence}', greatest(m, (SELECT last_value FROM {sequence}))) FROM (SELECT max(id) AS m FROM {}) AS x WHERE m IS NOT NULL",
        table.name,
        sequence = table.sequence
    )
}

/// The number that comes after all ids and after all that were given away; nothing without rows.
pub fn next_of_sequence(table: &Table) -> String {
    format!(
        "SELECT greatest(m, last_value) + 1 FROM {}, (SELECT max(id)::bigint AS m FROM {}) AS x WHERE m IS NOT NULL",
        table.sequence, table.name
    )
}
