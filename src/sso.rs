//! The commands `sso ..`: single sign-on data by hand, without a cluster.
//!
//! Owns their options, what they tell and how they end. Everything else is in the crate `sso-dump`. Must never take a
//! password from the command line, nor print a key or a value of a row.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use sso_dump::error::Error;
use sso_dump::stream::Control;

mod keys;
mod output;
mod progress;
mod run;
mod tell;

use keys::{Identity, Password, Recipients, SecretsConf};

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
    #[arg(long, conflicts_with = "secrets_conf")]
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
