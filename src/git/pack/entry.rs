//! What stands before the bytes of each object in a pack.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use super::{Broken, Kind};
use crate::git::ObjectId;

/// How an object is told.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// By itself.
    Whole(Kind),
    /// The difference to what begins there.
    ToPlace(u64),
    /// The difference to the object of that name.
    ToNamed(ObjectId),
}

/// One object, as it stands in a pack.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Where its compressed bytes begin.
    pub data: u64,
    /// How many bytes they have when they are not compressed.
    pub size: u64,
    /// How it is told.
    pub form: Form,
}

impl Entry {
    /// Reads to where its bytes begin.
    pub fn read(reader: &mut Counted<'_>) -> Result<Self, Broken> {
        let (form, size) = head(reader)?;
        Ok(Self {
            data: reader.position,
            size,
            form,
        })
    }
}

/// What an entry is, and its size.
fn head(reader: &mut Counted<'_>) -> Result<(Form, u64), Broken> {
    let begin = reader.position;
    let first = byte(reader)?;
    let (mut size, mut shift, mut last) = (u64::from(first & 15), 4, first);
    while last & 128 != 0 {
        last = byte(reader)?;
        if shift > 46 {
            return Err(Broken::Damaged);
        }
        size |= u64::from(last & 127) << shift;
        shift += 7;
    }
    let form = match first >> 4 & 7 {
        1 => Form::Whole(Kind::Commit),
        2 => Form::Whole(Kind::Tree),
        3 => Form::Whole(Kind::Blob),
        4 => Form::Whole(Kind::Tag),
        6 => Form::ToPlace(place_before(reader, begin)?),
        7 => {
            let mut id = [0; 20];
            reader.read_exact(&mut id)?;
            Form::ToNamed(ObjectId(id))
        }
        _ => return Err(Broken::Damaged),
    };
    Ok((form, size))
}

fn place_before(reader: &mut Counted<'_>, begin: u64) -> Result<u64, Broken> {
    let mut last = byte(reader)?;
    let mut distance = u64::from(last & 127);
    while last & 128 != 0 {
        last = byte(reader)?;
        if distance > u64::MAX >> 8 {
            return Err(Broken::Damaged);
        }
        distance = (distance + 1) << 7 | u64::from(last & 127);
    }
    // Only what comes before: no difference leads to itself.
    begin
        .checked_sub(distance)
        .filter(|_| distance > 0)
        .ok_or(Broken::Damaged)
}

fn byte(reader: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    reader.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// A file from a place on, for many readers of one file.
struct Tail<'a> {
    file: &'a File,
    next: u64,
}

impl Read for Tail<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.next)?;
        self.next += read as u64;
        Ok(read)
    }
}

/// Knows how much was taken of what it has read.
pub struct Counted<'a> {
    inner: BufReader<Tail<'a>>,
    /// The place of what comes next.
    pub position: u64,
}

impl<'a> Counted<'a> {
    /// From a place of a file on.
    pub fn at(file: &'a File, position: u64) -> Self {
        Self {
            inner: BufReader::new(Tail { file, next: position }),
            position,
        }
    }
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }
    fn consume(&mut self, amount: usize) {
        self.position += amount as u64;
        self.inner.consume(amount);
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let amount = available.len().min(buffer.len());
        buffer[..amount].copy_from_slice(&available[..amount]);
        self.consume(amount);
        Ok(amount)
    }
}
