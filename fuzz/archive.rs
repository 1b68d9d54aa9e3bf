//! The reader of archives, on whatever bytes: nothing may panic, and what is taken is whole, row for row.

#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use sso_dump::archive::read::{Visitor, read};
use sso_dump::archive::seal::{Identities, Seal};
use sso_dump::archive::write::Writer;
use sso_dump::archive::{FORMAT, Header, VERSION};
use sso_dump::convert::{Choices, Converter, Form, Target, comparable};
use sso_dump::database::Kind;
use sso_dump::error::Error;
use sso_dump::rows::Row;
use sso_dump::schema::check::Limit;
use sso_dump::schema::{TABLES, Table};
use sso_dump::stream::{Facts, Part};

fuzz_target!(|data: &[u8]| {
    // As it is: seals and gzip.
    let _ = read(data, &Identities::default(), &mut Rows::default());
    // Below gzip, whose sums no change would get through.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(data).expect("it is written to memory");
    let bytes = gzip.finish().expect("it is written to memory");
    if let Ok(contents) = read(&bytes[..], &Identities::default(), &mut Rows::default()) {
        assert_eq!(contents.manifest.tables.len(), TABLES.len());
    }
    // Below the sums, too: the lines of each table, as if this program had written them.
    let parts = parts(data);
    let bytes = written(&parts);
    let mut rows = Rows::default();
    if read(&bytes[..], &Identities::default(), &mut rows).is_ok() {
        assert_eq!(rows.lines, parts.concat());
    }
});

/// What stands between the bytes 0x1e, one a table; the last one has the rest.
fn parts(data: &[u8]) -> Vec<Vec<u8>> {
    let mut parts: Vec<_> = data
        .splitn(TABLES.len(), |byte| *byte == 0x1e)
        .map(<[u8]>::to_vec)
        .collect();
    parts.resize(TABLES.len(), Vec::new());
    parts
}

fn header() -> Header {
    Header {
        format: FORMAT.into(),
        version: VERSION,
        snapshot: "20260101T000000Z-00000000".into(),
        created: "2026-01-01T00:00:00Z".into(),
        zato_version: None,
        cluster: None,
        key_fingerprint: None,
        source: Facts {
            kind: Kind::Postgresql,
            version: "x".into(),
            database: "x".into(),
            clusters: vec![],
            security_definitions: vec![],
            orphans: Default::default(),
            left_out: Default::default(),
        },
    }
}

fn written(parts: &[Vec<u8>]) -> Vec<u8> {
    let writer = Writer::new(Vec::new(), &Seal::Unsealed, header(), None);
    let mut writer = writer.expect("it is written to memory");
    for (table, lines) in parts.iter().enumerate() {
        let rows = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        let lines = lines.clone();
        writer
            .part(&Part { table, rows, lines })
            .expect("parts are in their order");
    }
    writer.finish().expect("it is written to memory").1
}

/// What commands do with the rows of an archive that may still turn out to be damaged.
#[derive(Default)]
struct Rows {
    converters: Vec<Converter>,
    lines: Vec<u8>,
}

impl Visitor for Rows {
    fn header(&mut self, header: &Header) -> Result<(), Error> {
        let limit = Limit {
            characters: Some(40),
            bytes: Some(60),
            keeps_fraction: false,
        };
        let limits: Vec<_> = TABLES
            .iter()
            .map(|table: &Table| vec![limit; table.columns.len()])
            .collect();
        let forms = [
            (Kind::Sqlite, Form::Lines),
            (Kind::Postgresql, Form::Fields),
            (Kind::Mysql, Form::Fields),
            (Kind::Mysql, Form::Tuples),
        ];
        let converter = |(kind, form)| {
            let target = Target {
                kind,
                form,
                limits: limits.clone(),
                definitions: vec![],
            };
            Converter::new(target, Choices::default(), header)
        };
        self.converters = forms.map(converter).into();
        Ok(())
    }

    fn part(&mut self, part: Part) -> Result<(), Error> {
        let text = std::str::from_utf8(&part.lines).expect("what is given away was looked at");
        for line in text.lines() {
            let row = Row::parse(&TABLES[part.table], line).expect("what is given away was looked at");
            let mut out = Vec::new();
            for converter in &mut self.converters {
                converter.row(part.table, &row, &mut out);
            }
            comparable(&TABLES[part.table], &row, true, &mut out);
        }
        self.lines.extend_from_slice(&part.lines);
        Ok(())
    }
}
