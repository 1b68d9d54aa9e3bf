use proptest::prelude::*;

use super::*;
use crate::schema::{TABLES, table};

const ATTR: &str = "zato_sso_attr";

proptest! {
    /// Any text comes back as it went in, and nothing in the line ends the field or the row too soon.
    #[test]
    fn escaped_text_comes_back(text in any::<String>()) {
        let mut field = Vec::new();
        escape(text.as_bytes(), &mut field);
        let field = String::from_utf8(field).unwrap();
        prop_assert!(!field.contains(['\t', '\n', '\r', '\0']) && field != NULL);
        prop_assert_eq!(unescape(&field).unwrap(), text);
    }

    #[test]
    fn digits_come_back(bytes in any::<Vec<u8>>()) {
        prop_assert_eq!(unhex(&hex(&bytes)).unwrap(), bytes);
    }

    /// Whatever a value is, text or bytes, TEXT or BLOB: the line says which.
    #[test]
    fn storage_is_kept(bytes in any::<Vec<u8>>(), is_blob: bool) {
        let table = table(ATTR).unwrap();
        let mut line = Vec::new();
        let mut writer = LineWriter::new(&mut line);
        for column in table.columns {
            match column.kind {
                _ if column.name == "value" => writer.bytes("value", &bytes, is_blob),
                _ if column.is_nullable => writer.null(),
                Type::Timestamp => writer.raw(b"2026-01-01 00:00:00"),
                Type::Integer | Type::Boolean => writer.raw(b"1"),
                Type::Varchar(_) | Type::Text => writer.text("x"),
            }
        }
        writer.finish();
        let line = String::from_utf8(line).unwrap();
        let row = Row::parse(table, line.strip_suffix('\n').unwrap()).unwrap();
        prop_assert_eq!(row.check(table), Ok(1));
        let place = table.position("value").unwrap();
        let (read, was_blob) = match row.storage("value") {
            Storage::Text => (unescape(row.fields[place]).unwrap().into_owned().into_bytes(), false),
            Storage::Blob => (unescape(row.fields[place]).unwrap().into_owned().into_bytes(), true),
            Storage::HexBlob => (unhex(row.fields[place]).unwrap(), true),
            Storage::HexText => (unhex(row.fields[place]).unwrap(), false),
        };
        prop_assert_eq!((read, was_blob), (bytes, is_blob));
    }

    /// No line makes the reader panic, and what it takes has a field for each column.
    #[test]
    fn any_line_is_read_or_refused(line in any::<String>(), which in 0..TABLES.len()) {
        let table = &TABLES[which];
        if let Ok(row) = Row::parse(table, &line) {
            prop_assert_eq!(row.fields.len(), table.columns.len());
            let _ = row.check(table);
        }
    }
}

/// What no database holds in such a column is found, and the value itself is not told.
#[test]
fn wrong_fields_are_told_without_their_values() {
    let table = table("zato_sso_user_group").unwrap();
    let fault = |line: &str| {
        Row::parse(table, line)
            .and_then(|row| row.check(table))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(fault("1\t\\N\t2"), "not as many fields as the table has columns");
    assert_eq!(fault("1\t\\N\tsecret\t3\t"), "column user_id: not a number");
    assert_eq!(fault("1\t\\N\t007\t3\t"), "column user_id: not a number");
    assert_eq!(
        fault("1\t\\N\t\\N\t3\t"),
        "column user_id: NULL, which the column does not take"
    );
    assert_eq!(
        fault("1\ta\\q\t2\t3\t"),
        "column opaque1: an escape that is not known"
    );
    assert_eq!(
        fault("1\t\\N\t2\t3\tuser_id"),
        "the last field names a column that is not of text"
    );
    assert_eq!(
        fault("1\txy\t2\t3\topaque1=b"),
        "the last field does not fit the row"
    );
}
