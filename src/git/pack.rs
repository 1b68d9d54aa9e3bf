//! The objects of a pack, which is how git sends them: compressed, some only as the difference to another one.
//!
//! What is in a pack is hostile until its names say otherwise: each step is counted, and memory holds a few objects of
//! limited size, whatever the pack says of itself.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::rc::Rc;
use std::time::{Duration, Instant};

use flate2::bufread::ZlibDecoder;
use sha1_checked::{Digest, Sha1};

use super::ObjectId;

mod delta;
mod entry;

use entry::{Counted, Entry, Form};

/// Objects of one commit.
const ENTRIES: u32 = 50_000;
/// The largest object that is looked into. Files of services are smaller; a folder of this size has 40,000 entries.
const OBJECT: u64 = 2 << 20;
/// Bytes that are unpacked, or looked at again, in all.
const WORK: u64 = 1 << 30;
/// How long one pack may be worked on: others wait for it.
const TIME: Duration = Duration::from_secs(30);
/// What following one difference counts as, beside its bytes.
const STEP: u64 = 64;
/// Bytes of objects that are kept because others may be told as differences to them.
const CACHE: usize = 8 << 20;

/// Why a pack is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It does not have the form.
    #[error(
        "what the server sent is damaged: it must be pushed anew, or the repository repaired on the server"
    )]
    Damaged,
    /// It has too much.
    #[error(
        "it has more than 50,000 files and folders, more than 1 GiB, or takes more than 30 seconds to read: use a smaller repository"
    )]
    TooMuch,
    /// The operator cannot read its own file.
    #[error("the operator cannot read what it fetched: {0}")]
    Unreadable(#[source] io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // What flate2 says of data that are no such, or end too soon.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Self::Damaged
            }
            _ => Self::Unreadable(error),
        }
    }
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A commit.
    Commit,
    /// A folder.
    Tree,
    /// A file.
    Blob,
    /// A tag with a message.
    Tag,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }
}

/// An object in memory.
#[derive(Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// A pack that was read.
#[derive(Debug)]
pub struct Pack {
    file: File,
    entries: Vec<Entry>,
    places: HashMap<u64, usize>,
    names: HashMap<ObjectId, usize>,
    work: u64,
    end: Instant,
    cache: HashMap<usize, Rc<Object>>,
    cached: usize,
}

impl Pack {
    /// Reads a pack, and gives its objects their names.
    pub fn read(file: File) -> Result<Self, Broken> {
        let mut pack = Self {
            file: file.try_clone()?,
            entries: vec![],
            places: HashMap::new(),
            names: HashMap::new(),
            work: 0,
            end: Instant::now() + TIME,
            cache: HashMap::new(),
            cached: 0,
        };
        pack.scan(&mut Counted::at(&file, 0))?;
        pack.resolve()?;
        Ok(pack)
    }

    /// An object; none: it is not there, or too large.
    pub fn find(&mut self, id: ObjectId) -> Result<Option<Rc<Object>>, Broken> {
        let Some(&index) = self.names.get(&id) else {
            return Ok(None);
        };
        let found = self.object(index)?;
        // Who asks reads all of it, also of one that is known.
        self.count(found.as_ref().map_or(0, |object| object.bytes.len() as u64))?;
        Ok(found)
    }

    fn scan(&mut self, reader: &mut Counted<'_>) -> Result<(), Broken> {
        let mut head = [0; 12];
        reader.read_exact(&mut head)?;
        let number = |range: std::ops::Range<usize>| {
            head[range]
                .iter()
                .fold(0, |sum: u32, byte| sum << 8 | u32::from(*byte))
        };
        if &head[..4] != b"PACK" || !(2..=3).contains(&number(4..8)) {
            return Err(Broken::Damaged);
        }
        let count = number(8..12);
        if count > ENTRIES {
            return Err(Broken::TooMuch);
        }
        for index in 0..count as usize {
            let begin = reader.position;
            let entry = Entry::read(reader)?;
            let id = self.unpack(reader, &entry)?;
            self.places.insert(begin, index);
            self.entries.push(entry);
            if let Some(id) = id {
                self.names.insert(id, index);
            }
        }
        Ok(())
    }

    /// Reads over the bytes of an entry, in little memory; the name of one that stands for itself.
    fn unpack(&mut self, reader: &mut Counted<'_>, entry: &Entry) -> Result<Option<ObjectId>, Broken> {
        let mut hash = Sha1::new();
        if let Form::Whole(kind) = entry.form {
            hash.update(format!("{} {}\0", kind.word(), entry.size));
        }
        let mut decoder = ZlibDecoder::new(reader);
        let (mut buffer, mut found) = ([0; 16 << 10], 0);
        loop {
            let read = decoder.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            found += read as u64;
            self.count(read as u64)?;
            if found > entry.size {
                return Err(Broken::Damaged);
            }
            if matches!(entry.form, Form::Whole(_)) {
                hash.update(&buffer[..read]);
            }
        }
        if found != entry.size {
            return Err(Broken::Damaged);
        }
        match entry.form {
            Form::Whole(_) => finish(hash).map(Some),
            _ => Ok(None),
        }
    }

    /// Gives names to what is told as a difference. One may be to an object whose name is only found later.
    fn resolve(&mut self) -> Result<(), Broken> {
        let is_difference = |index: &usize| !matches!(self.entries[*index].form, Form::Whole(_));
        let mut open: Vec<usize> = (0..self.entries.len()).filter(is_difference).collect();
        loop {
            let before = open.len();
            let mut left = vec![];
            for index in open {
                match self.object(index)? {
                    Some(object) => {
                        self.names.insert(name(&object)?, index);
                    }
                    None => left.push(index),
                }
            }
            if left.is_empty() || left.len() == before {
                return Ok(());
            }
            open = left;
        }
    }

    /// An object by its place in the list; none: it is too large, or is told as a difference to what is.
    fn object(&mut self, index: usize) -> Result<Option<Rc<Object>>, Broken> {
        let (mut chain, mut at) = (vec![], index);
        let mut object = loop {
            self.count(STEP)?;
            if let Some(known) = self.cache.get(&at) {
                break known.clone();
            }
            let entry = self.entries[at];
            if entry.size > OBJECT {
                return Ok(None);
            }
            let base = match entry.form {
                Form::Whole(kind) => {
                    let bytes = self.inflate(&entry)?;
                    break self.keep(at, Object { kind, bytes });
                }
                Form::ToPlace(place) => self.places.get(&place),
                Form::ToNamed(id) => self.names.get(&id),
            };
            let Some(&base) = base else { return Ok(None) };
            chain.push(at);
            at = base;
        };
        for at in chain.into_iter().rev() {
            let difference = self.inflate(&self.entries[at].clone())?;
            let Some(bytes) = delta::apply(&object.bytes, &difference, OBJECT)? else {
                return Ok(None);
            };
            self.count(bytes.len() as u64)?;
            let kind = object.kind;
            object = self.keep(at, Object { kind, bytes });
        }
        Ok(Some(object))
    }

    fn keep(&mut self, at: usize, object: Object) -> Rc<Object> {
        if self.cached > CACHE {
            self.cache.clear();
            self.cached = 0;
        }
        self.cached += object.bytes.len();
        let object = Rc::new(object);
        self.cache.insert(at, object.clone());
        object
    }

    /// Bytes of an entry whose size is known to fit.
    fn inflate(&mut self, entry: &Entry) -> Result<Vec<u8>, Broken> {
        self.count(entry.size)?;
        let mut bytes = vec![];
        let reader = Counted::at(&self.file, entry.data);
        ZlibDecoder::new(reader)
            .take(entry.size + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 == entry.size {
            Ok(bytes)
        } else {
            Err(Broken::Damaged)
        }
    }

    fn count(&mut self, bytes: u64) -> Result<(), Broken> {
        self.work += bytes;
        if self.work > WORK || Instant::now() >= self.end {
            Err(Broken::TooMuch)
        } else {
            Ok(())
        }
    }
}

fn name(object: &Object) -> Result<ObjectId, Broken> {
    let mut hash = Sha1::new();
    hash.update(format!("{} {}\0", object.kind.word(), object.bytes.len()));
    hash.update(&object.bytes);
    finish(hash)
}

fn finish(hash: Sha1) -> Result<ObjectId, Broken> {
    let found = hash.try_finalize();
    // Nobody makes two objects of one name by accident.
    if found.has_collision() {
        return Err(Broken::Damaged);
    }
    Ok(ObjectId((*found.hash()).into()))
}

#[cfg(test)]
pub(super) mod tests;
