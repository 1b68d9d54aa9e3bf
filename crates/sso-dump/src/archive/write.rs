//! Writes archives.
//!
//! Owns the order of members and their sums. Must never leave out the manifest of a whole archive, nor write one for a
//! part of the rows.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::seal::{Seal, Sealing};
use super::{HEADER, Header, KeyCheck, MANIFEST, Manifest, SECRETS, Tables, by_hand, part_name};
use crate::error::Error;
use crate::rows::hex;
use crate::schema::TABLES;
use crate::secrets::Secrets;
use crate::stream::Part;

/// An archive that is being written.
pub struct Writer<W: Write> {
    tar: tar::Builder<GzEncoder<Sealing<W>>>,
    header: Header,
    secrets: Option<Secrets>,
    tables: Tables,
    files: BTreeMap<String, String>,
    key_check: KeyCheck,
}

impl<W: Write> Writer<W> {
    /// Begins an archive with its header.
    pub fn new(output: W, seal: &Seal, header: Header, secrets: Option<Secrets>) -> Result<Self, Error> {
        let sealing = Sealing::new(seal, output)?;
        // Most of it is ciphertext, which gets no smaller by trying harder.
        let gzip = GzEncoder::new(sealing, Compression::fast());
        let mut writer = Self {
            tar: tar::Builder::new(gzip),
            header,
            secrets,
            tables: Tables::default(),
            files: BTreeMap::new(),
            key_check: KeyCheck::default(),
        };
        writer.file(HEADER, &json(&writer.header)?)?;
        Ok(writer)
    }

    /// Rows of the same table as before, or of the next one.
    pub fn part(&mut self, part: &Part) -> Result<(), Error> {
        let table = &TABLES[part.table];
        if part.table == self.tables.entries.len() {
            self.tables.begin(table);
        }
        if part.table + 1 != self.tables.entries.len() {
            return Err(Error::Usage("rows of a table out of its turn".into()));
        }
        if let Some(secrets) = &self.secrets {
            // A wrong secrets.conf is found now, and not when it is too late.
            self.key_check.look_at(secrets, part);
        }
        let name = part_name(table, self.tables.part);
        self.tables.add(part.rows, &part.lines);
        self.member(&name, &part.lines)
    }

    /// Ends the archive: keys, what loads it by hand, manifest.
    pub fn finish(mut self) -> Result<(Manifest, W), Error> {
        self.tables.end();
        let tables = std::mem::take(&mut self.tables.entries);
        if tables.len() != TABLES.len() {
            return Err(Error::Stopped);
        }
        if let (Some(secrets), true) = (&self.secrets, self.key_check.is_wrong()) {
            return Err(Error::Key(format!(
                "key1 {} opens none of the {} passwords that were looked at: is it the secrets.conf of another cluster?",
                secrets.fingerprint(),
                self.key_check.looked_at
            )));
        }
        if let Some(secrets) = self.secrets.take() {
            self.file(SECRETS, secrets.text().as_bytes())?;
        }
        for (name, text) in by_hand::files(&tables) {
            self.file(name, text.as_bytes())?;
        }
        let manifest = Manifest {
            key_check: self.header.key_fingerprint.as_ref().map(|_| self.key_check),
            header: self.header.clone(),
            tables,
            files: std::mem::take(&mut self.files),
        };
        self.member(MANIFEST, &json(&manifest)?)?;
        let failed = || Error::io("the archive cannot be written");
        let gzip = self.tar.into_inner().map_err(failed())?;
        let mut output = gzip.finish().and_then(Sealing::finish).map_err(failed())?;
        output.flush().map_err(failed())?;
        Ok((manifest, output))
    }

    fn file(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        self.files.insert(name.into(), hex(&Sha256::digest(content)));
        self.member(name, content)
    }

    fn member(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(0);
        self.tar
            .append_data(&mut header, name, content)
            .map_err(Error::io("the archive cannot be written"))
    }
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, Error> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|why| Error::Usage(why.to_string()))?;
    text.push(b'\n');
    Ok(text)
}
