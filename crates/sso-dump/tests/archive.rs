//! Archives of any rows come back; anything else is refused, and nothing makes the reader panic.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};

use proptest::prelude::*;
use sso_dump::archive::read::{Ignore, Visitor, read};
use sso_dump::archive::seal::{Identities, Seal};
use sso_dump::archive::write::Writer;
use sso_dump::archive::{FORMAT, Header, VERSION};
use sso_dump::database::Kind;
use sso_dump::error::Error;
use sso_dump::rows::LineWriter;
use sso_dump::schema::{TABLES, Type};
use sso_dump::stream::{Facts, Part};

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
            kind: Kind::Sqlite,
            version: "3".into(),
            database: "x".into(),
            clusters: vec![],
            security_definitions: vec![],
            left_out: std::collections::BTreeMap::new(),
            orphans: std::collections::BTreeMap::new(),
        },
    }
}

/// One row of a table, of the values that are given in turn.
fn line(table: usize, id: i64, texts: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = LineWriter::new(&mut out);
    for (place, column) in TABLES[table].columns.iter().enumerate() {
        let text = &texts[place % texts.len()];
        match column.kind {
            _ if column.name == "id" => writer.raw(id.to_string().as_bytes()),
            _ if column.is_nullable && text.len().is_multiple_of(3) => writer.null(),
            Type::Integer | Type::Boolean => writer.raw(b"1"),
            Type::Timestamp => writer.raw(b"2026-01-01 00:00:00"),
            Type::Varchar(_) => writer.text(text),
            Type::Text => writer.bytes(column.name, text.as_bytes(), text.len().is_multiple_of(2)),
        }
    }
    writer.finish();
    out
}

#[derive(Default)]
struct Gather(Vec<Part>);

impl Visitor for Gather {
    fn header(&mut self, _: &Header) -> Result<(), Error> {
        Ok(())
    }

    fn part(&mut self, part: Part) -> Result<(), Error> {
        self.0.push(part);
        Ok(())
    }
}

/// An archive without rows.
fn whole(mut writer: Writer<Vec<u8>>) -> Vec<u8> {
    for table in 0..TABLES.len() {
        let (rows, lines) = (0, Vec::new());
        writer.part(&Part { table, rows, lines }).unwrap();
    }
    writer.finish().unwrap().1
}

fn written(tables: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &Seal::Unsealed, header(), None).unwrap();
    for (table, parts) in tables.iter().enumerate() {
        for lines in parts {
            let rows = lines.split(|byte| *byte == b'\n').count() as u64 - 1;
            let part = Part {
                table,
                rows,
                lines: lines.clone(),
            };
            writer.part(&part).unwrap();
        }
    }
    writer.finish().unwrap().1
}

fn tables() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let sizes = prop::collection::vec(prop::collection::vec(0..4_usize, 1..3), TABLES.len());
    (sizes, prop::collection::vec(any::<String>(), 1..6)).prop_map(|(sizes, texts)| {
        let table = |(table, parts): (usize, &Vec<usize>)| {
            let mut id = 0;
            let part = |&rows: &usize| {
                (0..rows)
                    .flat_map(|_| {
                        id += 1;
                        line(table, id, &texts)
                    })
                    .collect()
            };
            parts.iter().map(part).collect()
        };
        sizes.iter().enumerate().map(table).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever rows there are, in however many parts, empty ones among them: they come back, in their order.
    #[test]
    fn rows_come_back(tables in tables()) {
        let bytes = written(&tables);
        let mut found = Gather::default();
        let contents = read(&bytes[..], &Identities::default(), &mut found).unwrap();
        let parts: Vec<_> = tables.iter().enumerate().flat_map(|(table, parts)| parts.iter().map(move |lines| (table, lines.clone()))).collect();
        let found: Vec<_> = found.0.into_iter().map(|part| (part.table, part.lines)).collect();
        prop_assert_eq!(found, parts);
        prop_assert_eq!(contents.manifest.tables.len(), TABLES.len());
    }

    /// Cut anywhere, or with one bit changed anywhere: refused, or still the same rows (gzip has a few bytes that mean nothing).
    #[test]
    fn damage_is_found(tables in tables(), at: prop::sample::Index, bit in 0..8_u8) {
        let bytes = written(&tables);
        let at = at.index(bytes.len());
        prop_assert!(read(&bytes[..at], &Identities::default(), &mut Ignore).is_err());
        let mut changed = bytes.clone();
        changed[at] ^= 1 << bit;
        let mut found = Gather::default();
        if read(&changed[..], &Identities::default(), &mut found).is_ok() {
            let all: Vec<u8> = found.0.into_iter().flat_map(|part| part.lines).collect();
            prop_assert_eq!(all, tables.concat().concat());
        }
    }

    /// Anything at all is refused.
    #[test]
    fn noise_is_refused(bytes in any::<Vec<u8>>()) {
        prop_assert!(read(&bytes[..], &Identities::default(), &mut Ignore).is_err());
    }
}

/// Name and content.
type Member = (String, Vec<u8>);

fn unpacked(bytes: &[u8]) -> Vec<Member> {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().display().to_string(), content)
    });
    entries.collect()
}

fn packer() -> tar::Builder<flate2::write::GzEncoder<Vec<u8>>> {
    let compression = flate2::Compression::fast();
    tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), compression))
}

fn packed(members: &[Member]) -> Vec<u8> {
    let mut tar = packer();
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, &content[..]).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// Members that somebody took away, moved, doubled or made up, with all sums of tar and gzip right.
#[test]
fn members_out_of_order_are_refused() {
    let rows = line(0, 1, &["x".into()]);
    let mut tables = vec![vec![Vec::new()]; TABLES.len()];
    tables[0] = vec![rows];
    let bytes = written(&tables);
    let members = unpacked(&bytes);
    let opens = |members: &[Member]| read(&packed(members)[..], &Identities::default(), &mut Ignore);
    opens(&members).unwrap();
    for place in 0..members.len() {
        let mut fewer = members.clone();
        let member = fewer.remove(place);
        assert!(opens(&fewer).is_err(), "without {}", member.0);
        let mut twice = members.clone();
        twice.insert(place, member.clone());
        assert!(opens(&twice).is_err(), "{} twice", member.0);
        let mut changed = members.clone();
        changed[place].1.push(b'\n');
        let is_manifest = member.0 == "manifest.json";
        assert!(is_manifest || opens(&changed).is_err(), "{} changed", member.0);
        if place > 0 {
            let mut moved = members.clone();
            moved.swap(place, place - 1);
            let are_files = [place, place - 1]
                .iter()
                .all(|&at| !moved[at].0.starts_with("tables/") && !moved[at].0.contains(".json"));
            let is_beside_rows = place == TABLES.len() + 1;
            assert!(
                are_files || is_beside_rows || opens(&moved).is_err(),
                "{} moved",
                member.0
            );
        }
    }
    let later = String::from_utf8(members[0].1.clone())
        .unwrap()
        .replace("\"version\": 1", "\"version\": 2");
    let mut newer = members.clone();
    newer[0].1 = later.into_bytes();
    assert!(matches!(opens(&newer), Err(Error::Version(_))));
}

/// What the fuzzer begins with, where dev/fuzz.sh asks for it: an archive with a row in each table, without its gzip, and the
/// rows alone.
#[test]
fn a_seed_for_the_fuzzer() {
    let tables: Vec<_> = (0..TABLES.len())
        .map(|table| vec![line(table, 1, &["x".into(), "é\\\n".into()])])
        .collect();
    let bytes = written(&tables);
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..])
        .read_to_end(&mut tar)
        .unwrap();
    assert!(tar.len() < 100_000, "longer than what the fuzzer makes");
    if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
        let folder = std::path::PathBuf::from(folder);
        std::fs::write(folder.join("members.seed"), tar).unwrap();
        // Lines alone, as the fuzzer divides them into tables.
        let rows: Vec<_> = tables.into_iter().map(|parts| parts.concat()).collect();
        std::fs::write(folder.join("rows.seed"), rows.join(&0x1e)).unwrap();
    }
}

/// Without a seal only gzip has an end: what follows after it is nobody's.
#[test]
fn bytes_after_the_end_are_refused() {
    let bytes = written(&vec![vec![Vec::new()]; TABLES.len()]);
    let opens = |bytes: &[u8]| read(bytes, &Identities::default(), &mut Ignore);
    opens(&bytes).unwrap();
    for more in [&b"x"[..], &[0; 9], &bytes] {
        let error = opens(&[&bytes[..], more].concat()).unwrap_err();
        assert!(error.to_string().contains("follows after its end"), "{error}");
    }
}

/// A snapshot is told as a part of a command.
#[test]
fn a_snapshot_is_no_command() {
    for name in ["", "--other", "x; rm -rf .", "$(x)", "a\nb"] {
        let odd = Header {
            snapshot: name.into(),
            ..header()
        };
        let writer = Writer::new(Vec::new(), &Seal::Unsealed, odd, None).unwrap();
        let error = read(&whole(writer)[..], &Identities::default(), &mut Ignore).unwrap_err();
        assert!(error.to_string().contains("snapshot"), "{error}");
    }
}

/// Names that are members of their own are read whole by what unpacks a tar: a gigabyte of them is refused, not read.
#[test]
fn a_name_of_a_gigabyte_is_not_read() {
    for kind in [
        tar::EntryType::GNULongName,
        tar::EntryType::GNULongLink,
        tar::EntryType::XHeader,
    ] {
        let mut tar = packer();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(1 << 30);
        header.set_cksum();
        // No more than a megabyte of it is there: who reads the name finds that it is cut.
        tar.get_mut().write_all(header.as_bytes()).unwrap();
        tar.get_mut().write_all(&vec![b'x'; 1 << 20]).unwrap();
        let bytes = tar.into_inner().unwrap().finish().unwrap();
        let error = read(&bytes[..], &Identities::default(), &mut Ignore).unwrap_err();
        assert!(error.to_string().contains("no file"), "{kind:?}: {error}");
    }
}
