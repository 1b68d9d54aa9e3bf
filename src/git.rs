//! Git as a source of code: which commit a branch or tag is, and the files of one folder of it.
//!
//! Only the operator that leads asks servers, over HTTPS. What they send is never run nor followed elsewhere, has limits
//! before it is unpacked, and is on no disk under a name. Neither credentials nor words of a server are ever told.

pub mod folder;
pub mod http;
pub mod login;
pub mod memory;
pub mod pack;
pub mod packet;
pub mod poll;
pub mod remote;

use std::fmt;
use std::sync::Arc;

use crate::api::conditions::Reason;
use login::Login;

/// What a pack may have: more is no repository of Python modules.
pub const PACK: u64 = 64 << 20;
/// What one file may have, as files of other sources.
pub const FILE: u64 = crate::cluster::shards::FILE;

/// What is asked for: two services with the same one share the answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The repository's address.
    pub url: String,
    /// A branch, a tag, a full name of one of them, or a commit.
    pub reference: String,
    /// Credentials, if the server wants some.
    pub login: Option<Login>,
    /// Certificates of whom the server's one must be signed by, in PEM; none: those that browsers trust.
    pub authority: Option<Arc<str>>,
}

impl Origin {
    /// The server, with its port if the address names one.
    pub fn host(&self) -> &str {
        host(&self.url)
    }
}

/// The server of an address, with its port if there is one.
pub fn host(url: &str) -> &str {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    rest.split('/').next().unwrap_or_default()
}

/// Why there are no files, or no newer ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    /// The reason of conditions.
    pub reason: Reason,
    /// What, where, and what to do.
    pub message: String,
}

impl Trouble {
    /// With its reason.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

/// The name of an object: the SHA-1 of what it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(pub [u8; 20]);

impl ObjectId {
    /// From 40 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut id = [0; 20];
        if text.len() != 40 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(id))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects_are_read_and_told() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(ObjectId::parse(text).unwrap().to_string(), text);
        for wrong in [
            "",
            "main",
            &text[1..],
            &text.replace('f', "g"),
            &text.replace('0', "é"),
        ] {
            assert_eq!(ObjectId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_server_of_an_address() {
        assert_eq!(host("https://git.example.com/team/a.git"), "git.example.com");
        assert_eq!(host("https://git.example.com:8443/a"), "git.example.com:8443");
    }
}
