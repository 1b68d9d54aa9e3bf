//! Lines, as they are written.
//!
//! Owns what needs an escape. Must never look at a value otherwise.

use super::{NULL, hex};

/// Writes one line, field by field.
pub struct LineWriter<'a> {
    out: &'a mut Vec<u8>,
    notes: String,
}

impl<'a> LineWriter<'a> {
    /// At the end of what is there.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            notes: String::new(),
        }
    }

    /// NULL.
    pub fn null(&mut self) {
        self.raw(NULL.as_bytes());
    }

    /// What needs no escape: numbers, or what is escaped already.
    pub fn raw(&mut self, field: &[u8]) {
        self.out.extend_from_slice(field);
        self.out.push(b'\t');
    }

    /// A number.
    pub fn number(&mut self, number: i64) {
        self.raw(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Text.
    pub fn text(&mut self, text: &str) {
        escape(text.as_bytes(), self.out);
        self.out.push(b'\t');
    }

    /// Text that SQLite keeps as a BLOB, or bytes that are no text at all.
    pub fn bytes(&mut self, column: &str, bytes: &[u8], is_blob: bool) {
        let text = std::str::from_utf8(bytes);
        let note = match (text.is_ok(), is_blob) {
            (true, true) => Some(""),
            (true, false) => None,
            (false, true) => Some("=b"),
            (false, false) => Some("=t"),
        };
        if let Some(note) = note {
            if !self.notes.is_empty() {
                self.notes.push(',');
            }
            self.notes.push_str(column);
            self.notes.push_str(note);
        }
        match text {
            Ok(text) => self.text(text),
            Err(_) => self.raw(hex(bytes).as_bytes()),
        }
    }

    /// The end of the row.
    pub fn finish(self) {
        self.out.extend_from_slice(self.notes.as_bytes());
        self.out.push(b'\n');
    }
}

fn escaped(byte: u8) -> Option<u8> {
    match byte {
        b'\\' => Some(b'\\'),
        b'\t' => Some(b't'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        0 => Some(b'0'),
        _ => None,
    }
}

/// Whether a byte needs an escape. Looks at all of them, whatever it finds: the processor does many at once.
#[allow(clippy::needless_bitwise_bool)]
pub(super) fn has_unusual(bytes: &[u8]) -> bool {
    let is_unusual =
        |byte: u8| (byte == b'\\') | (byte == 0) | (byte == b'\t') | (byte == b'\n') | (byte == b'\r');
    bytes.iter().fold(false, |found, &byte| found | is_unusual(byte))
}

/// Appends bytes in their escaped form.
pub fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    if !has_unusual(bytes) {
        return out.extend_from_slice(bytes);
    }
    let mut start = 0;
    for (place, &byte) in bytes.iter().enumerate() {
        if let Some(letter) = escaped(byte) {
            out.extend_from_slice(&bytes[start..place]);
            out.extend_from_slice(&[b'\\', letter]);
            start = place + 1;
        }
    }
    out.extend_from_slice(&bytes[start..]);
}
