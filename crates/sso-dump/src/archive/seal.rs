//! The outermost layer: age, or nothing when that was asked for.
//!
//! Owns recipients and identities. Who seals for recipients cannot open it again. Must never fall back to nothing.

use std::io::{self, BufRead, BufReader, Read, Write};

use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};

use crate::error::Error;

/// How an archive is sealed.
#[derive(Clone)]
pub enum Seal {
    /// For these recipients.
    Recipients(Vec<Recipient>),
    /// Not at all: everybody who has the file has the keys and the passwords.
    Unsealed,
}

/// What opens archives. Empty: those that are not sealed.
#[derive(Default)]
pub struct Identities(Vec<Identity>);

/// Recipients from texts and files with one in each line: `age1..`.
pub fn recipients(text: &str, place: &str) -> Result<Vec<Recipient>, Error> {
    let parse = |line: &str| {
        line.parse()
            .map_err(|why| Error::Key(format!("{place}: not a recipient of age (age1..): {why}")))
    };
    lines(text).map(parse).collect()
}

impl Identities {
    /// From files as `age-keygen` writes them.
    pub fn parse(text: &str, place: &str) -> Result<Self, Error> {
        let parse = |line: &str| {
            // What age says of it could repeat a part of the key.
            line.parse()
                .map_err(|_| Error::Key(format!("{place}: not an identity of age (AGE-SECRET-KEY-1..)")))
        };
        let identities: Vec<_> = lines(text).map(parse).collect::<Result<_, _>>()?;
        if identities.is_empty() {
            return Err(Error::Key(format!(
                "{place} has no identity of age (AGE-SECRET-KEY-1..)"
            )));
        }
        Ok(Self(identities))
    }

    /// With those of another file.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// What is written is sealed on its way.
pub enum Sealing<W: Write> {
    /// By age.
    Age(age::stream::StreamWriter<W>),
    /// Not.
    Plain(W),
}

impl<W: Write> Sealing<W> {
    /// Begins an archive.
    pub fn new(seal: &Seal, output: W) -> Result<Self, Error> {
        let Seal::Recipients(recipients) = seal else {
            return Ok(Self::Plain(output));
        };
        let recipients = recipients
            .iter()
            .map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients)
            .map_err(|why| Error::Usage(format!("no recipient to seal the archive for: {why}")))?;
        let output = encryptor
            .wrap_output(output)
            .map_err(Error::io("the archive cannot be written"))?;
        Ok(Self::Age(output))
    }

    /// Ends it; what was written before this is of no use without it.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Age(writer) => writer.finish(),
            Self::Plain(output) => Ok(output),
        }
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Age(writer) => writer.write(bytes),
            Self::Plain(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Age(writer) => writer.flush(),
            Self::Plain(output) => output.flush(),
        }
    }
}

/// What age begins with, and gzip.
const AGE: &[u8] = b"age-encryption.org/";
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Opens the outermost layer, whichever it is.
pub fn open<'a>(input: impl Read + 'a, identities: &Identities) -> Result<Box<dyn Read + 'a>, Error> {
    let mut input = BufReader::with_capacity(128 * 1024, input);
    let start = input
        .fill_buf()
        .map_err(Error::io("the archive cannot be read"))?;
    if start.starts_with(GZIP) {
        return Ok(Box::new(input));
    }
    if !start.starts_with(AGE) {
        return Err(Error::Damaged(
            "it begins like no archive of Zato's single sign-on".into(),
        ));
    }
    if identities.0.is_empty() {
        return Err(Error::Key(
            "the archive is sealed: name the file with the identity that opens it (--identity)".into(),
        ));
    }
    let decryptor = Decryptor::new_buffered(input).map_err(refused)?;
    let identities = identities.0.iter().map(|identity| identity as &dyn age::Identity);
    Ok(Box::new(decryptor.decrypt(identities).map_err(refused)?))
}

fn refused(error: DecryptError) -> Error {
    match error {
        DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            Error::Key("the archive is sealed for other recipients: none of the identities opens it".into())
        }
        DecryptError::ExcessiveWork { .. } => {
            Error::Key("the archive is sealed with a passphrase, not for recipients: open it with age".into())
        }
        _ => Error::Damaged("the beginning that says for whom it is sealed is not as it was written".into()),
    }
}
