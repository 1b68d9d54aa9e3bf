//! The commands `sso ..`: single sign-on data by hand, without a cluster.
//!
//! Owns their options, what they tell and how they end. Everything else is in the crate `sso-dump`. Must never take a
//! password from the command line, nor print a key or a value of a row.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use sso_dump::archive::seal::Seal;
use sso_dump::database::Database;
use sso_dump::diff::{TableDiff, diff};
use sso_dump::dump::{self, dump};
use sso_dump::error::Error;
use sso_dump::import::import;
use sso_dump::restore::{self, restore};
use sso_dump::stream::Control;
use sso_dump::verify::{verify, verify_by_restore};

mod keys;
mod output;
mod progress;
mod tell;

use keys::{Identity, Password, Recipients, SecretsConf};
use output::Output;

/// What of single sign-on data.
#[derive(Subcommand, Debug)]
pub enum Sso {
    /// Write an archive of all users, groups, sessions and attributes, as of one moment.
    Dump(Dump),
    /// Tell what an archive is, and whether it is whole.
    Inspect(Inspect),
    /// Tell whether an archive can be restored.
    Verify(Verify),
    /// Put the rows of an archive into the empty tables of a Zato cluster, all or none.
    Restore(Restore),
    /// Tell which rows differ between two archives or databases. Ends with 1 if some do.
    Diff(Diff),
    /// Make an archive of the text of `sqlite3 zato.db ".dump zato_sso_%"` and a secrets.conf.
    Import(Import),
}

/// How the outcome is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The options of `sso dump`.
#[derive(Args, Debug)]
pub struct Dump {
    /// The directory of a Zato server, a file of SQLite, or a URL: postgresql://user@host/database, mysql://..
    place: String,
    /// The archive. It must not exist.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    recipients: Recipients,
    #[command(flatten)]
    secrets: SecretsConf,
    #[command(flatten)]
    password: Password,
    /// Leave out rows that refer to rows that are not there: SQLite allows them, PostgreSQL and MySQL do not.
    #[arg(long)]
    without_orphans: bool,
    /// The version of Zato, where the place does not say it.
    #[arg(long, value_name = "VERSION")]
    zato_version: Option<String>,
    /// How the outcome is told.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

/// The options of `sso inspect`.
#[derive(Args, Debug)]
pub struct Inspect {
    /// The archive.
    archive: PathBuf,
    #[command(flatten)]
    identity: Identity,
    /// Write the secrets.conf of the archive to this file, which must not exist. It is for the key1 in it: give that to the
    /// `zato` command that creates the new cluster (--secret-key).
    #[arg(long, value_name = "FILE")]
    write_secrets_conf: Option<PathBuf>,
    /// How the outcome is told.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

/// The options of `sso verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// The archive.
    archive: PathBuf,
    #[command(flatten)]
    identity: Identity,
    /// Also restore it into a temporary database, and compare all rows.
    #[arg(long)]
    restore: bool,
    /// How the outcome is told.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

/// The options of `sso restore`.
#[derive(Args, Debug)]
pub struct Restore {
    /// The archive.
    archive: PathBuf,
    /// The directory of a Zato server, a file of SQLite, or a URL: postgresql://user@host/database, mysql://..
    place: String,
    #[command(flatten)]
    identity: Identity,
    #[command(flatten)]
    password: Password,
    /// Delete the rows that are there, and put those of this snapshot in their place. `sso inspect` tells its id.
    #[arg(long, value_name = "SNAPSHOT-ID")]
    replace_existing: Option<String>,
    /// Leave sessions behind, and the attributes that hang on them: everybody logs in anew.
    #[arg(long)]
    without_sessions: bool,
    /// A security definition of linked accounts: its number in the archive, and its name here. Can be repeated.
    #[arg(long, value_name = "NUMBER=NAME", value_parser = mapping)]
    map_security: Vec<(i64, String)>,
    /// The secrets.conf of the cluster, where the place does not say it: its key1 must be that of the archive.
    #[arg(long, value_name = "FILE")]
    secrets_conf: Option<PathBuf>,
    /// Restore although the cluster has another key1: none of the users can log in.
    #[arg(long)]
    other_key: bool,
    /// Only tell what would happen.
    #[arg(long)]
    dry_run: bool,
    /// How the outcome is told.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

/// The options of `sso diff`.
#[derive(Args, Debug)]
pub struct Diff {
    /// An archive, the directory of a Zato server, a file of SQLite, or a URL.
    from: String,
    /// The same, of what is compared with it.
    with: String,
    #[command(flatten)]
    identity: Identity,
    #[command(flatten)]
    password: Password,
    /// A file with the password of the second database. Default: that of the first.
    #[arg(long, value_name = "FILE")]
    with_password_file: Option<PathBuf>,
    /// How the outcome is told.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

/// The options of `sso import`.
#[derive(Args, Debug)]
pub struct Import {
    /// The text.
    dump: PathBuf,
    /// The archive. It must not exist.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    recipients: Recipients,
    #[command(flatten)]
    secrets: SecretsConf,
    /// Leave out rows that refer to rows that are not there.
    #[arg(long)]
    without_orphans: bool,
    /// The version of Zato.
    #[arg(long, value_name = "VERSION")]
    zato_version: Option<String>,
    /// How the outcome is told.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

fn mapping(text: &str) -> Result<(i64, String), String> {
    let pair = text.split_once('=').and_then(|(number, name)| {
        let number = number.trim().parse().ok()?;
        (!name.trim().is_empty()).then(|| (number, name.trim().to_owned()))
    });
    pair.ok_or_else(|| "a number and a name, such as 7=crm".into())
}

impl Sso {
    /// Runs it to its end, or until SIGINT or SIGTERM.
    pub fn run(self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return tell::failed(&Error::io("threads")(error)),
        };
        runtime.block_on(async {
            let control = Control::default();
            let stop = progress::stop_on_signal(control.stop.clone());
            let outcome = match stop {
                Ok(()) => Box::pin(self.work(control)).await,
                Err(error) => Err(Error::io("signals")(error)),
            };
            outcome.unwrap_or_else(|error| tell::failed(&error))
        })
    }

    async fn work(self, control: Control) -> Result<ExitCode, Error> {
        let told = progress::told(control);
        match self {
            Self::Dump(options) => options.run(&told).await,
            Self::Inspect(options) => options.run(&told).await,
            Self::Verify(options) => options.run(&told).await,
            Self::Restore(options) => options.run(&told).await,
            Self::Diff(options) => options.run(&told).await,
            Self::Import(options) => options.run(&told).await,
        }
    }
}

impl Dump {
    async fn run(self, told: &progress::Told) -> Result<ExitCode, Error> {
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
    async fn run(self, told: &progress::Told) -> Result<ExitCode, Error> {
        let source = keys::source(&self.archive);
        let contents = verify(source, self.identity.read()?, &told.control).await?;
        if let Some(path) = &self.write_secrets_conf {
            let Some(secrets) = &contents.secrets else {
                return Err(Error::Key("the archive has no keys".into()));
            };
            let mut output = Output::create(path)?;
            std::io::Write::write_all(&mut output, secrets.text().as_bytes())
                .map_err(Error::io(path.display().to_string()))?;
            output.publish(path)?;
        }
        told.finish();
        tell::manifest(&contents.manifest, "the archive is whole", self.output)
    }
}

impl Verify {
    async fn run(self, told: &progress::Told) -> Result<ExitCode, Error> {
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
    async fn run(self, told: &progress::Told) -> Result<ExitCode, Error> {
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
            choices: sso_dump::convert::Choices {
                without_sessions: self.without_sessions,
                security: self.map_security.into_iter().collect(),
                keeps_linked: false,
            },
            key: key.map(std::sync::Arc::new),
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
    async fn run(self, told: &progress::Told) -> Result<ExitCode, Error> {
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
    async fn run(self, told: &progress::Told) -> Result<ExitCode, Error> {
        let name = self.dump.display().to_string();
        let text = std::fs::File::open(&self.dump).map_err(Error::io(&name))?;
        let options = dump::Options {
            seal: self.recipients.seal()?,
            secrets: self.secrets.or(None)?,
            zato_version: self.zato_version,
            cluster: None,
            without_orphans: self.without_orphans,
        };
        tell_unsealed(&options.seal);
        let output = Output::create(&self.to)?;
        let text = std::io::BufReader::new(text);
        let (manifest, output) = import(text, &name, options, output, &told.control).await?;
        output.publish(&self.to)?;
        told.finish();
        tell::manifest(&manifest, &written(&self.to), self.output)
    }
}

fn written(path: &Path) -> String {
    format!("{} is written", path.display())
}
