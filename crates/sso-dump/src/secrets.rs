//! Keys of Zato: `key1` of a secrets.conf, and what it opens.
//!
//! Owns reading of secrets.conf and Fernet. Must never print a key; memory that held one is wiped.

use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::rows::hex;

/// A secrets.conf: the whole text, and the key in it.
pub struct Secrets {
    text: Zeroizing<String>,
    key1: Zeroizing<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Secrets({})", self.fingerprint())
    }
}

impl Secrets {
    /// From the text of a secrets.conf; `place` is told in the error.
    pub fn parse(text: Zeroizing<String>, place: &str) -> Result<Self, Error> {
        let key1 = value(&text, "secret_keys", "key1").ok_or_else(|| {
            Error::Key(format!(
                "{place} has no key1 in [secret_keys]: is it a secrets.conf of a Zato server?"
            ))
        })?;
        let secrets = Self { text, key1 };
        if secrets.raw().is_none() {
            return Err(Error::Key(format!(
                "key1 of {place} is not a Fernet key (32 bytes in URL-safe base64)"
            )));
        }
        Ok(secrets)
    }

    /// From a key alone.
    pub fn from_key(key1: &str, place: &str) -> Result<Self, Error> {
        let text = Zeroizing::new(format!("[secret_keys]\nkey1={}\n", key1.trim()));
        Self::parse(text, place)
    }

    /// The whole file, as it was.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first 16 digits of the SHA-256 of the key: what the status of a ZatoCluster shows, too.
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(self.key1.as_bytes()))[..16].to_owned()
    }

    fn raw(&self) -> Option<Zeroizing<Vec<u8>>> {
        let raw = URL_SAFE.decode(self.key1.as_bytes()).ok()?;
        (raw.len() == 32).then(|| Zeroizing::new(raw))
    }

    /// Whether the key opens a Fernet token.
    pub fn opens(&self, token: &str) -> bool {
        self.body(token).is_some()
    }

    /// Initialization vector and ciphertext of a token that was signed with this key.
    fn body(&self, token: &str) -> Option<Vec<u8>> {
        let (raw, token) = (self.raw()?, URL_SAFE.decode(token).ok()?);
        // Version, time, vector, at least one block, signature.
        if token.first() != Some(&0x80) || token.len() < 1 + 8 + 16 + 16 + 32 {
            return None;
        }
        let (signed, signature) = token.split_at(token.len() - 32);
        let mut mac = Hmac::<Sha256>::new_from_slice(&raw[..16]).ok()?;
        mac.update(signed);
        mac.verify_slice(signature).ok()?;
        Some(signed[9..].to_vec())
    }

    /// What a token says.
    pub fn open(&self, token: &str) -> Option<Zeroizing<String>> {
        let (raw, body) = (self.raw()?, self.body(token)?);
        let (vector, sealed) = body.split_at(16);
        let opener = cbc::Decryptor::<Aes128>::new_from_slices(&raw[16..], vector).ok()?;
        let clear = opener.decrypt_padded_vec_mut::<Pkcs7>(sealed).ok()?;
        String::from_utf8(clear).ok().map(Zeroizing::new)
    }

    /// An entry of [zato], opened: `server_conf.odb.password` and the like.
    pub fn entry(&self, name: &str) -> Option<Zeroizing<String>> {
        self.open(&value(&self.text, "zato", name)?)
    }
}

/// A value of a file of Zato (sections, `key=value`, comments with #).
pub fn value(text: &str, section: &str, key: &str) -> Option<Zeroizing<String>> {
    let mut is_in = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            is_in = name.trim() == section;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| is_in && !line.starts_with('#')) else {
            continue;
        };
        if name.trim() == key {
            return Some(Zeroizing::new(plain(value.trim()).to_owned()));
        }
    }
    None
}

/// Without quotes, or without a comment.
fn plain(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner;
        }
    }
    value.split(" #").next().unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector of the Fernet specification.
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const TOKEN: &str = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    #[test]
    fn fernet_of_the_specification() {
        let secrets = Secrets::from_key(KEY, "here").unwrap();
        assert!(secrets.opens(TOKEN));
        assert_eq!(secrets.open(TOKEN).unwrap().as_str(), "hello");
        let mut other = TOKEN.to_owned();
        other.replace_range(30..31, "x");
        assert!(!secrets.opens(&other));
        let another = Secrets::from_key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "here").unwrap();
        assert!(!another.opens(TOKEN));
    }

    #[test]
    fn a_file_as_zato_writes_it() {
        let text = format!("\n[secret_keys]\nkey1={KEY}\n\n[zato]\nwell_known_data={TOKEN} # Pi number\n");
        let secrets = Secrets::parse(Zeroizing::new(text.clone()), "here").unwrap();
        assert_eq!(secrets.text(), text);
        assert_eq!(secrets.entry("well_known_data").unwrap().as_str(), "hello");
        assert!(!format!("{secrets:?}").contains(&KEY[..8]));
    }

    #[test]
    fn no_key_is_told_without_a_value() {
        for text in [
            "",
            "[zato]\nkey1=x",
            "[secret_keys]\n#key1=x\n",
            "[secret_keys]\nkey1=short",
        ] {
            let error = Secrets::parse(Zeroizing::new(text.into()), "x/secrets.conf").unwrap_err();
            assert!(matches!(error, Error::Key(_)));
            assert!(error.to_string().contains("x/secrets.conf") && !error.to_string().contains("short"));
        }
    }
}
