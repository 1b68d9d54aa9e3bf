//! What each of the commands `sso ..` does with its options.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use sso_dump::archive::seal::Seal;
use sso_dump::convert::Choices;
use sso_dump::database::Database;
use sso_dump::diff::{TableDiff, diff};
use sso_dump::dump::{self, dump};
use sso_dump::error::Error;
use sso_dump::import::import;
use sso_dump::restore::{self, restore};
use sso_dump::verify::{verify, verify_by_restore};

use super::output::Output;
use super::progress::Told;
use super::{Diff, Dump, Import, Inspect, Restore, Verify, keys, tell};

impl Dump {
    pub(super) async fn run(self, told: &Told) -> Result<ExitCode, Error> {
        let place = Database::find(&self.place, self.password.read()?)?;
        let options = dump::Options {
            seal: self.recipients.seal()?,
            secrets: self.secrets.or(place.secrets)?,
            zato_version: self.zato_version.or(place.zato_version),
            cluster: None,
            without_orphans: self.without_orphans,
        };
        tell_unsealed(&options.seal);
        let output = Output::create(&self.to)?;
        let (manifest, output) = dump(&place.database, options, output, &told.control).await?;
        output.publish(&self.to)?;
        told.finish();
        tell::manifest(&manifest, &written(&self.to), self.output)
    }
}

fn tell_unsealed(seal: &Seal) {
    if matches!(seal, Seal::Unsealed) {
        tell::note("the archive is not sealed: whoever has it has all keys and passwords");
    }
}

impl Inspect {
    pub(super) async fn run(self, told: &Told) -> Result<ExitCode, Error> {
        let source = keys::source(&self.archive);
        let contents = verify(source, self.identity.read()?, &told.control).await?;
        if let Some(path) = &self.write_secrets_conf {
            let Some(secrets) = &contents.secrets else {
                return Err(Error::Key("the archive has no keys".into()));
            };
            let mut output = Output::create(path)?;
            output
                .write_all(secrets.text().as_bytes())
                .map_err(Error::io(path.display().to_string()))?;
            output.publish(path)?;
        }
        told.finish();
        tell::manifest(&contents.manifest, "the archive is whole", self.output)
    }
}

impl Verify {
    pub(super) async fn run(self, told: &Told) -> Result<ExitCode, Error> {
        let source = keys::source(&self.archive);
        let identities = self.identity.read()?;
        let (manifest, how) = if self.restore {
            let restored = verify_by_restore(source, identities, &told.control).await?;
            (
                restored.manifest,
                "the archive was restored into a temporary database, all rows are the same",
            )
        } else {
            let contents = verify(source, identities, &told.control).await?;
            (contents.manifest, "the archive is whole")
        };
        told.finish();
        tell::manifest(&manifest, how, self.output)
    }
}

impl Restore {
    pub(super) async fn run(self, told: &Told) -> Result<ExitCode, Error> {
        let place = Database::find(&self.place, self.password.read()?)?;
        let key = match &self.secrets_conf {
            _ if self.other_key => None,
            Some(path) => Some(keys::secrets_conf(path)?),
            None if place.secrets.is_some() => place.secrets,
            None => keys::of_environment()?,
        };
        if key.is_none() && !self.other_key {
            tell::note(
                "the key of the cluster is not known, and was not compared with that of the archive (--secrets-conf)",
            );
        }
        let options = restore::Options {
            replace_existing: self.replace_existing,
            choices: Choices {
                without_sessions: self.without_sessions,
                security: self.map_security.into_iter().collect(),
                keeps_linked: false,
            },
            key: key.map(Arc::new),
            is_rehearsal: self.dry_run,
        };
        let source = keys::source(&self.archive);
        let restored = restore(
            source,
            self.identity.read()?,
            &place.database,
            options,
            &told.control,
        )
        .await?;
        told.finish();
        tell::restored(&restored, &place.database, self.dry_run, self.output)
    }
}

impl Diff {
    pub(super) async fn run(self, told: &Told) -> Result<ExitCode, Error> {
        let first = self.password.read()?;
        let second = match &self.with_password_file {
            Some(path) => Some(keys::secret_file(path)?),
            None => first.clone(),
        };
        let from = keys::side(&self.from, &self.identity, first)?;
        let with = keys::side(&self.with, &self.identity, second)?;
        let tables = diff(from, with, &told.control).await?;
        told.finish();
        tell::differences(&tables, self.output)?;
        let is_same = tables.iter().all(TableDiff::is_same);
        Ok(if is_same {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

impl Import {
    pub(super) async fn run(self, told: &Told) -> Result<ExitCode, Error> {
        let name = self.dump.display().to_string();
        let text = File::open(&self.dump).map_err(Error::io(&name))?;
        let options = dump::Options {
            seal: self.recipients.seal()?,
            secrets: self.secrets.or(None)?,
            zato_version: self.zato_version,
            cluster: None,
            without_orphans: self.without_orphans,
        };
        tell_unsealed(&options.seal);
        let output = Output::create(&self.to)?;
        let text = BufReader::new(text);
        let (manifest, output) = import(text, &name, options, output, &told.control).await?;
        output.publish(&self.to)?;
        told.finish();
        tell::manifest(&manifest, &written(&self.to), self.output)
    }
}

fn written(path: &Path) -> String {
    format!("{} is written", path.display())
}
