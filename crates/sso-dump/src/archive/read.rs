//! Reads archives, and believes nothing that they say.
//!
//! Owns every check of an archive: order, sums, rows. What it gives away while it reads may still turn out to be a part of
//! a damaged archive: only its `Ok` at the end says that all was whole. Must never hold more than one member.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};

use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::seal::{self, Identities};
use super::{FORMAT, HEADER, Header, MANIFEST, Manifest, SECRETS, Tables, VERSION, part_name};
use crate::error::Error;
use crate::rows::{Row, hex};
use crate::schema::{TABLES, Table};
use crate::secrets::Secrets;
use crate::stream::{PART, Part};

/// The longest member. A part is longer than [`crate::stream::PART`] only when a single row is.
const LONGEST: u64 = 512 * 1024 * 1024;

/// What a whole archive says.
#[derive(Debug)]
pub struct Contents {
    /// The manifest.
    pub manifest: Manifest,
    /// The keys, if the archive has them.
    pub secrets: Option<Secrets>,
}

/// What is given away while an archive is read.
pub trait Visitor {
    /// Before the first row.
    fn header(&mut self, header: &Header) -> Result<(), Error>;
    /// Rows, checked.
    fn part(&mut self, part: Part) -> Result<(), Error>;
}

/// Nothing is done with what is read.
pub struct Ignore;

impl Visitor for Ignore {
    fn header(&mut self, _: &Header) -> Result<(), Error> {
        Ok(())
    }

    fn part(&mut self, _: Part) -> Result<(), Error> {
        Ok(())
    }
}

/// Reads an archive to its end.
pub fn read(
    input: impl Read,
    identities: &Identities,
    visitor: &mut impl Visitor,
) -> Result<Contents, Error> {
    // Its own buffer would swallow what follows after gzip's end.
    let opened = BufReader::with_capacity(32 * 1024, seal::open(input, identities)?);
    let mut tar = tar::Archive::new(GzDecoder::new(opened));
    let mut state = State::default();
    // Raw: names and sizes that are members of their own would be read whole, however long; they are refused below.
    for entry in tar.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        let path = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| Error::Damaged("a member has a name that is no text".into()))?;
        if entry.header().entry_type() != tar::EntryType::Regular || entry.size() > LONGEST {
            return Err(Error::Damaged("a member is no file, or too long".into()));
        }
        // Beyond what a part has it grows with what is there, not with what the archive says.
        let usual = usize::try_from(entry.size()).unwrap_or(usize::MAX).min(2 * PART);
        let mut content = Vec::with_capacity(usual + 1);
        entry.read_to_end(&mut content).map_err(damaged)?;
        if content.len() as u64 != entry.size() {
            return Err(Error::Damaged("it ends within a member".into()));
        }
        state.member(&path, content, visitor)?;
    }
    // To the very end: only there are the sums of gzip and the last seal of age.
    let mut rest = tar.into_inner();
    std::io::copy(&mut rest, &mut std::io::sink()).map_err(damaged)?;
    let mut after = [0];
    if rest.into_inner().read(&mut after).map_err(damaged)? > 0 {
        return Err(Error::Damaged("something follows after its end".into()));
    }
    state.finish()
}

fn damaged(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::Damaged("it is cut".into()),
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput | std::io::ErrorKind::Other => {
            Error::Damaged(format!("its bytes are not those that were written ({error})"))
        }
        _ => Error::Io {
            what: "the archive cannot be read".into(),
            source: error,
        },
    }
}

#[derive(Default)]
struct State {
    header: Option<Header>,
    tables: Tables,
    last_id: Option<i64>,
    files: BTreeMap<String, String>,
    secrets: Option<Secrets>,
    manifest: Option<Manifest>,
}

impl State {
    fn member(&mut self, path: &str, content: Vec<u8>, visitor: &mut impl Visitor) -> Result<(), Error> {
        if self.manifest.is_some() {
            return Err(Error::Damaged("a member follows after the manifest".into()));
        }
        if self.header.is_none() != (path == HEADER) {
            return Err(Error::Damaged(format!("{HEADER} is not its first member")));
        }
        if path.starts_with("tables/") {
            return self.rows(path, content, visitor);
        }
        if path == MANIFEST {
            self.tables.end();
            self.manifest = Some(parse(MANIFEST, &content)?);
            return Ok(());
        }
        let sum = hex(&Sha256::digest(&content));
        if self.files.insert(path.into(), sum).is_some() {
            return Err(Error::Damaged("a member is there twice".into()));
        }
        match path {
            HEADER => {
                let header = header(&content)?;
                visitor.header(&header)?;
                self.header = Some(header);
            }
            SECRETS => {
                let text = String::from_utf8(content)
                    .map_err(|_| Error::Damaged(format!("{SECRETS} is no text")))?;
                self.secrets = Some(Secrets::parse(
                    Zeroizing::new(text),
                    "secrets.conf of the archive",
                )?);
            }
            // For people.
            _ => {}
        }
        Ok(())
    }

    fn rows(&mut self, path: &str, lines: Vec<u8>, visitor: &mut impl Visitor) -> Result<(), Error> {
        let next = TABLES.get(self.tables.entries.len());
        if let Some(table) = next.filter(|table| path == part_name(table, 0)) {
            self.tables.begin(table);
            self.last_id = None;
        }
        let place = self.tables.entries.len().checked_sub(1);
        let place = place.filter(|&place| path == part_name(&TABLES[place], self.tables.part));
        let Some(place) = place else {
            return Err(Error::Damaged("rows are not in their order".into()));
        };
        let rows = check(&TABLES[place], &lines, &mut self.last_id)?;
        self.tables.add(rows, &lines);
        visitor.part(Part {
            table: place,
            rows,
            lines,
        })
    }

    fn finish(self) -> Result<Contents, Error> {
        let (Some(manifest), Some(header)) = (self.manifest, self.header) else {
            return Err(Error::Damaged(format!(
                "it is cut: {MANIFEST}, its last member, is missing"
            )));
        };
        let differs = |what: &str| Err(Error::Damaged(format!("{what} are not as its manifest says")));
        if manifest.header != header {
            return differs("origin and time");
        }
        if manifest.tables != self.tables.entries || manifest.tables.len() != TABLES.len() {
            return differs("rows");
        }
        if manifest.files != self.files {
            return differs("files");
        }
        if header.key_fingerprint != self.secrets.as_ref().map(Secrets::fingerprint) {
            return differs("keys");
        }
        Ok(Contents {
            manifest,
            secrets: self.secrets,
        })
    }
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, content: &[u8]) -> Result<T, Error> {
    // What serde says could repeat content.
    serde_json::from_slice(content).map_err(|why| {
        Error::Damaged(format!(
            "{name} cannot be read (line {}, column {})",
            why.line(),
            why.column()
        ))
    })
}

fn header(content: &[u8]) -> Result<Header, Error> {
    #[derive(serde::Deserialize)]
    struct Start {
        format: String,
        version: u32,
    }
    let start: Start = parse(HEADER, content)?;
    if start.format != FORMAT {
        return Err(Error::Damaged("it is an archive of something else".into()));
    }
    if start.version > VERSION {
        return Err(Error::Version(format!(
            "the archive is of version {}; this program reads up to {VERSION}: take a later one",
            start.version
        )));
    }
    let header: Header = parse(HEADER, content)?;
    if is_snapshot(&header.snapshot) {
        return Ok(header);
    }
    Err(Error::Damaged("its snapshot is not named as one".into()))
}

/// It is told as a part of a command that a person may run.
fn is_snapshot(name: &str) -> bool {
    let is_simple = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=64).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(is_simple)
}

/// How many rows there are; all of them are of the table, and their ids grow.
fn check(table: &'static Table, lines: &[u8], last_id: &mut Option<i64>) -> Result<u64, Error> {
    let bad = |row: u64, why: &dyn std::fmt::Display| {
        Error::Damaged(format!("{}, row {} of a part: {why}", table.name, row + 1))
    };
    let text = std::str::from_utf8(lines).map_err(|_| bad(0, &"not UTF-8"))?;
    let mut rows = 0;
    for line in text.split_inclusive('\n') {
        let line = line.strip_suffix('\n').ok_or_else(|| bad(rows, &"no end"))?;
        let row = Row::parse(table, line).map_err(|why| bad(rows, &why))?;
        let id = row.check(table).map_err(|why| bad(rows, &why))?;
        if last_id.is_some_and(|last| last >= id) {
            return Err(bad(rows, &"ids do not grow"));
        }
        *last_id = Some(id);
        rows += 1;
    }
    Ok(rows)
}
