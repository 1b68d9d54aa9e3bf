//! Where the commands `sso ..` get keys, passwords and archives from.
//!
//! Owns the options for them. Secrets come from files and from the environment, never from the command line.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use sso_dump::archive::seal::{Identities, Seal, recipients};
use sso_dump::database::Database;
use sso_dump::diff::Side;
use sso_dump::error::Error;
use sso_dump::restore::Source;
use sso_dump::secrets::Secrets;
use zeroize::Zeroizing;

/// The longest file of keys.
const LONGEST: u64 = 1024 * 1024;

/// For whom an archive is sealed.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub struct Recipients {
    /// Seal the archive for this public key of age (age1..). Can be repeated.
    #[arg(long = "recipient", value_name = "KEY")]
    keys: Vec<String>,
    /// Seal it for all public keys in this file, one in each line.
    #[arg(long = "recipients-file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// `none`: do not seal it. Whoever has the archive has all keys and passwords.
    #[arg(long, value_name = "none", conflicts_with_all = ["keys", "files"], value_parser = ["none"])]
    seal: Option<String>,
}

impl Recipients {
    /// How it is sealed.
    pub fn seal(&self) -> Result<Seal, Error> {
        if self.seal.is_some() {
            return Ok(Seal::Unsealed);
        }
        let mut all = Vec::new();
        for text in &self.keys {
            all.extend(recipients(text, "--recipient")?);
        }
        for path in &self.files {
            all.extend(recipients(&secret_file(path)?, &path.display().to_string())?);
        }
        if all.is_empty() {
            return Err(Error::Usage("no recipient was named".into()));
        }
        Ok(Seal::Recipients(all))
    }
}

/// What opens archives.
#[derive(Args, Debug)]
pub struct Identity {
    /// A file with a private key of age (AGE-SECRET-KEY-1..) that opens the archive. Can be repeated.
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
}

impl Identity {
    /// The keys.
    pub fn read(&self) -> Result<Identities, Error> {
        let mut all = Identities::default();
        for path in &self.identity {
            all.extend(Identities::parse(
                &secret_file(path)?,
                &path.display().to_string(),
            )?);
        }
        Ok(all)
    }
}

/// The password of a database.
#[derive(Args, Debug)]
pub struct Password {
    /// A file with the password of the database. Default: the environment variable ZATO_SSO_PASSWORD; the directory of a
    /// server has its own.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Password {
    /// The password, if there is one.
    pub fn read(&self) -> Result<Option<Zeroizing<String>>, Error> {
        match &self.password_file {
            Some(path) => secret_file(path).map(Some),
            None => Ok(std::env::var("ZATO_SSO_PASSWORD").ok().map(Zeroizing::new)),
        }
    }
}

/// The keys of a cluster.
#[derive(Args, Debug)]
pub struct SecretsConf {
    /// The secrets.conf that goes with the rows. The directory of a server has its own; the environment variable
    /// ZATO_SSO_KEY1 takes a key1 alone.
    #[arg(long, value_name = "FILE", conflicts_with = "without_key")]
    secrets_conf: Option<PathBuf>,
    /// Make an archive without a key: without key1 from elsewhere nobody can log in after a restore.
    #[arg(long)]
    without_key: bool,
}

impl SecretsConf {
    /// The keys that were named, or those of the place.
    pub fn or(&self, place: Option<Secrets>) -> Result<Option<Secrets>, Error> {
        if self.without_key {
            return Ok(None);
        }
        if let Some(path) = &self.secrets_conf {
            return secrets_conf(path).map(Some);
        }
        if place.is_some() {
            return Ok(place);
        }
        let key = of_environment()?.ok_or_else(|| {
            Error::Key(
                "no key: name the secrets.conf of the server (--secrets-conf), or say that the archive shall have none (--without-key)".into(),
            )
        })?;
        Ok(Some(key))
    }
}

/// The key1 that the environment names.
pub fn of_environment() -> Result<Option<Secrets>, Error> {
    let key = std::env::var("ZATO_SSO_KEY1").ok().map(Zeroizing::new);
    key.map(|key| Secrets::from_key(&key, "ZATO_SSO_KEY1"))
        .transpose()
}

/// The keys of a file.
pub fn secrets_conf(path: &Path) -> Result<Secrets, Error> {
    Secrets::parse(text(path)?, &path.display().to_string())
}

/// What a file says, without the newline at its end.
pub fn secret_file(path: &Path) -> Result<Zeroizing<String>, Error> {
    let text = text(path)?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn text(path: &Path) -> Result<Zeroizing<String>, Error> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).map_err(Error::io(&name))?;
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(Error::io(name))?;
    Ok(text)
}

/// Opens an archive as often as it is read.
pub fn source(path: &Path) -> Source {
    let path = path.to_owned();
    Arc::new(move || {
        let file = std::fs::File::open(&path).map_err(Error::io(path.display().to_string()))?;
        Ok(Box::new(file) as Box<dyn Read>)
    })
}

/// What SQLite begins its files with.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// A side of a comparison, whichever it is.
pub fn side(place: &str, identity: &Identity, password: Option<Zeroizing<String>>) -> Result<Side, Error> {
    let path = Path::new(place);
    if path.is_file() {
        let mut start = Vec::new();
        let file = std::fs::File::open(path).map_err(Error::io(place))?;
        file.take(SQLITE.len() as u64)
            .read_to_end(&mut start)
            .map_err(Error::io(place))?;
        if start != SQLITE {
            return Ok(Side::Archive(source(path), identity.read()?));
        }
    }
    Ok(Side::Database(Database::find(place, password)?.database))
}
