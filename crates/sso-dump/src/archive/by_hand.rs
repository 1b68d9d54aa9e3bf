//! What loads an unpacked archive with the databases' own clients, when this program is not at hand.
//!
//! Owns the SQL files and the README of an archive. They put rows into the tables that Zato made, with all their indexes,
//! in one transaction, and refuse tables that have rows and parts that are not all there. Must never drop or create a table of Zato.

use crate::database::Kind;
use crate::schema::sql::{columns, quoted};
use crate::schema::{Column, TABLES, Table, Type};

use super::TableEntry;

/// Names and texts, for an archive of these tables.
pub fn files(entries: &[TableEntry]) -> [(&'static str, String); 4] {
    [
        ("README.txt", README.into()),
        ("load/mysql.sql", mysql(entries)),
        ("load/postgresql.sql", postgresql(entries)),
        ("load/sqlite.sql", sqlite(entries)),
    ]
}

const README: &str = "\
Single sign-on data of Zato, dumped by zato-operator. Everything in here is secret.

  header.json, manifest.json   what it is: source, rows, SHA-256 of each table (cat tables/NAME/* | sha256sum)
  tables/NAME/*.tsv            rows: fields with tabs between them, \\N is NULL, escapes \\\\ \\t \\n \\r \\0; the last field,
                               after the columns, names what SQLite keeps as BLOB
  secrets.conf                 of the server: create the new cluster with `--secret-key` and its key1. Do not copy it over
                               the secrets.conf of a server: that server would not start
  load/*.sql                   load the rows by hand into the empty tables of a new Zato cluster, from this folder:

  sqlite3 /path/to/zato.db < load/sqlite.sql
  psql -f load/postgresql.sql DATABASE
  mariadb --local-infile=1 DATABASE < load/mysql.sql

They stop, and load nothing, when rows are missing: a part, or all of them because it is another folder.
They leave out zato_sso_linked_auth: its rows refer to security definitions of the old cluster by number.
`zato-operator sso restore` looks at more: sums, lengths, the key, \\x.. in passwords, linked accounts. Its guide is docs/guides/sso-backup.md.
";

/// Rows of this table refer to a cluster by number.
const LINKED: &str = "zato_sso_linked_auth";

/// The tables with their numbers of rows.
fn tables(entries: &[TableEntry]) -> impl Iterator<Item = (&'static Table, u64)> {
    let rows = |table: &Table| {
        let entry = entries.iter().find(|entry| entry.name == table.name);
        entry.map_or(0, |entry| entry.rows)
    };
    let loaded = TABLES.iter().filter(|table| table.name != LINKED);
    loaded.map(move |table| (table, rows(table)))
}

/// Stops when not all rows came, or when bytes are no text.
fn guard(name: &str, rows: u64) -> String {
    format!(
        "INSERT INTO load_guard SELECT count(*) - {rows} FROM load_{name};\n\
         INSERT INTO load_guard SELECT count(*) FROM load_{name} WHERE notes LIKE '%=%';\n"
    )
}

/// Rows that are there already stop it.
fn must_be_empty() -> impl Iterator<Item = String> {
    let names = TABLES.iter().map(|table| table.name);
    names.map(|name| format!("INSERT INTO load_guard SELECT count(*) FROM {name};\n"))
}

fn sqlite(entries: &[TableEntry]) -> String {
    let mut text = vec![String::from(
        "-- sqlite3 /path/to/zato.db < load/sqlite.sql\n.bail on\n.mode ascii\n.separator \"\\t\" \"\\n\"\n\
         PRAGMA foreign_keys=OFF;\nBEGIN IMMEDIATE;\n-- Stops when a table has rows, when rows are missing, or when bytes are no text.\n\
         CREATE TEMP TABLE load_guard (unexpected INTEGER CHECK (unexpected = 0));\n",
    )];
    text.extend(must_be_empty());
    for (table, rows) in tables(entries) {
        let (name, columns) = (table.name, columns(Kind::Sqlite, table));
        let values: Vec<_> = table.columns.iter().map(sqlite_value).collect();
        text.push(format!(
            "CREATE TEMP TABLE load_{name} ({columns}, notes);\n\
             .import '|cat tables/{name}/*.tsv' load_{name}\n\
             {}INSERT INTO {name} ({columns}) SELECT {} FROM load_{name};\nDROP TABLE load_{name};\n",
            guard(name, rows),
            values.join(", ")
        ));
    }
    text.concat() + "COMMIT;\n"
}

/// Without its escapes. A tab is never in an escaped field: it marks what must not be taken for an escape again.
fn sqlite_value(column: &Column) -> String {
    let name = quoted(Kind::Sqlite, column.name);
    if !matches!(column.kind, Type::Text | Type::Varchar(_)) {
        return format!("nullif({name}, '\\N')");
    }
    let steps = [
        ("'\\\\'", "char(9) || '0'"),
        ("'\\t'", "char(9) || '1'"),
        ("'\\n'", "char(10)"),
        ("'\\r'", "char(13)"),
        ("'\\0'", "char(0)"),
        ("char(9) || '0'", "'\\'"),
        ("char(9) || '1'", "char(9)"),
    ];
    let text = steps.iter().fold(name.clone(), |text, (from, to)| {
        format!("replace({text}, {from}, {to})")
    });
    let is_blob = if column.is_bytes {
        "true".to_owned()
    } else {
        format!("instr(',' || notes || ',', ',{},')", column.name)
    };
    format!("CASE WHEN {name} = '\\N' THEN NULL WHEN {is_blob} THEN CAST({text} AS BLOB) ELSE {text} END")
}

fn postgresql(entries: &[TableEntry]) -> String {
    let mut text = vec![String::from(
        "-- psql -f load/postgresql.sql DATABASE\n\\set ON_ERROR_STOP on\nSET client_encoding = 'UTF8';\nBEGIN;\n\
         -- Stops when a table has rows, when rows are missing, or when bytes are no text.\n\
         CREATE TEMP TABLE load_guard (unexpected bigint CHECK (unexpected = 0)) ON COMMIT DROP;\n",
    )];
    text.extend(must_be_empty());
    for (table, rows) in tables(entries) {
        let (name, columns) = (table.name, columns(Kind::Postgresql, table));
        text.push(format!(
            "CREATE TEMP TABLE load_{name} (LIKE {name}, notes text) ON COMMIT DROP;\n\
             \\copy load_{name} ({columns}, notes) from program 'cat tables/{name}/*.tsv'\n{}",
            guard(name, rows)
        ));
        // What a database with bytea_output = 'hex' made of bytes.
        for column in table.columns.iter().filter(|column| column.is_bytes) {
            let column = column.name;
            text.push(format!(
                "UPDATE load_{name} SET {column} = convert_from(decode(substr({column}, 3), 'hex'), 'utf8') WHERE {column} LIKE '\\\\x%';\n"
            ));
        }
        text.push(format!(
            "INSERT INTO {name} ({columns}) SELECT {columns} FROM load_{name} ORDER BY id;\n\
             SELECT setval('{}', coalesce(max(id), 1), max(id) IS NOT NULL) FROM {name};\n",
            table.sequence
        ));
    }
    text.concat() + "COMMIT;\n"
}

fn mysql(entries: &[TableEntry]) -> String {
    let mut text = vec![String::from(
        "-- mariadb --local-infile=1 DATABASE < load/mysql.sql\nSET NAMES utf8mb4;\n\
         SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0;\n\
         -- Stops when a table has rows, when rows are missing, or when bytes are no text.\n\
         CREATE TEMPORARY TABLE load_guard (unexpected BIGINT, CHECK (unexpected = 0));\nSTART TRANSACTION;\n",
    )];
    text.extend(must_be_empty());
    for (table, rows) in tables(entries) {
        let (name, columns) = (table.name, columns(Kind::Mysql, table));
        let texts: Vec<_> = table
            .columns
            .iter()
            .map(|column| format!("{} LONGTEXT", quoted(Kind::Mysql, column.name)))
            .collect();
        let values: Vec<_> = table.columns.iter().map(mysql_value).collect();
        // Into texts first: LOAD DATA LOCAL only warns about what an INSERT refuses.
        text.push(format!(
            "system cat tables/{name}/*.tsv > load_{name}.tsv\n\
             CREATE TEMPORARY TABLE load_{name} ({}, notes TEXT) CHARACTER SET utf8mb4;\n\
             LOAD DATA LOCAL INFILE 'load_{name}.tsv' INTO TABLE load_{name} CHARACTER SET utf8mb4 ({columns}, notes);\n\
             {}INSERT INTO {name} ({columns}) SELECT {} FROM load_{name} ORDER BY CAST(id AS SIGNED);\n\
             DROP TEMPORARY TABLE load_{name};\nsystem rm load_{name}.tsv\n",
            texts.join(", "),
            guard(name, rows),
            values.join(", ")
        ));
    }
    text.concat() + "COMMIT;\n"
}

fn mysql_value(column: &Column) -> String {
    let name = quoted(Kind::Mysql, column.name);
    match column.kind {
        // Cut, as Zato's own driver does; MySQL would round to the next second.
        Type::Timestamp => format!("SUBSTRING_INDEX({name}, '.', 1)"),
        _ => name,
    }
}
