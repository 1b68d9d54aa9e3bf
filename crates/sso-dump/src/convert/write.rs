//! The forms in which databases take rows.

use std::borrow::Cow;

use super::Form;
use crate::database::Kind;
use crate::rows::{NULL, Row};
use crate::schema::{Column, Table, Type};

/// The row in the form that its database takes.
pub(super) fn write(
    form: Form,
    source: Kind,
    table: &Table,
    row: &Row<'_>,
    fields: &[Cow<'_, str>],
    out: &mut Vec<u8>,
) {
    match form {
        Form::Fields => {
            write_fields(fields, out);
            // The tab after the last one.
            out.pop();
            out.push(b'\n');
        }
        Form::Tuples => write_tuple(table, fields, out),
        Form::Lines => write_line(source, table, row, fields, out),
    }
}

/// Escaped as they are, a tab after each.
fn write_fields(fields: &[Cow<'_, str>], out: &mut Vec<u8>) {
    for field in fields {
        out.extend_from_slice(field.as_bytes());
        out.push(b'\t');
    }
}

fn write_tuple(table: &Table, fields: &[Cow<'_, str>], out: &mut Vec<u8>) {
    out.push(b'(');
    for (column, field) in table.columns.iter().zip(fields) {
        match column.kind {
            _ if field == NULL => out.extend_from_slice(b"NULL"),
            Type::Integer | Type::Boolean => out.extend_from_slice(field.as_bytes()),
            // The escapes of a line are those of a literal, too.
            _ => {
                out.push(b'\'');
                for (place, piece) in field.split('\'').enumerate() {
                    if place > 0 {
                        out.extend_from_slice(b"\\'");
                    }
                    out.extend_from_slice(piece.as_bytes());
                }
                out.push(b'\'');
            }
        }
        out.push(b',');
    }
    out.pop();
    out.extend_from_slice(b"),");
}

fn write_line(source: Kind, table: &Table, row: &Row<'_>, fields: &[Cow<'_, str>], out: &mut Vec<u8>) {
    write_fields(fields, out);
    if source == Kind::Sqlite {
        out.extend_from_slice(row.notes.as_bytes());
        out.push(b'\n');
        return;
    }
    // Zato on SQLite keeps what it encrypts as BLOB.
    let is_blob = |(column, field): &(&Column, &Cow<'_, str>)| column.is_bytes && *field != NULL;
    let blobs: Vec<_> = table.columns.iter().zip(fields).filter(is_blob).collect();
    let names: Vec<_> = blobs.iter().map(|(column, _)| column.name).collect();
    out.extend_from_slice(names.join(",").as_bytes());
    out.push(b'\n');
}
