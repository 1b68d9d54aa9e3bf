//! From an archive to a database.
//!
//! Owns the order: the target is looked at, the archive is read to its end and every row judged for the target, and only
//! then is the first row written, in one transaction that ends when a second reading has found the same archive.

use std::io::Read;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc;

use crate::archive::seal::Identities;
use crate::archive::{KeyCheck, Manifest};
use crate::convert::{Choices, Form, Report, Target};
use crate::database::Database;
use crate::dump::{beside_its_connection, joined};
use crate::error::Error;
use crate::schema::TABLES;
use crate::secrets::Secrets;
use crate::stream::{Control, Message, both, channel};
use crate::{mysql, postgresql, sqlite};

mod pass;

pub(crate) use pass::{Checked, Pass};

/// Opens an archive, again each time.
pub type Source = Arc<dyn Fn() -> Result<Box<dyn Read>, Error> + Send + Sync>;

/// What a person chose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The snapshot whose rows take the place of those that are there.
    pub replace_existing: Option<String>,
    /// What is left out, and which definitions are meant.
    pub choices: Choices,
    /// The keys of the target, if they are known: they must be those of the archive, or, if it has none, open its passwords.
    pub key: Option<Arc<Secrets>>,
    /// Nothing is written; the outcome says what would be.
    pub is_rehearsal: bool,
}

/// What was written.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// Of the archive.
    pub manifest: Manifest,
    /// Rows written, by table, in the order of [`TABLES`].
    pub rows: Vec<u64>,
    /// Rows that were deleted before, in the same order.
    pub deleted: Vec<u64>,
    /// What was changed or left out.
    pub report: Report,
    /// What the key opens, if there was one to look at.
    pub key_check: Option<KeyCheck>,
}

/// Puts the rows of an archive into the tables of a database, all or none.
pub async fn restore(
    source: Source,
    identities: Identities,
    database: &Database,
    options: Options,
    control: &Control,
) -> Result<Restored, Error> {
    let (target, existing) = control.unless_stopped(target(database)).await?;
    let pass = Arc::new(Pass {
        source,
        identities,
        target,
        choices: options.choices.clone(),
        key: options.key.clone(),
        control: control.clone(),
    });
    let checking = pass.clone();
    let checked = joined(tokio::task::spawn_blocking(move || checking.check()).await)?;
    judge(&checked, &existing, database, &options)?;
    let restored = checked.restored(existing);
    if !options.is_rehearsal {
        write(pass, &restored, database, control).await?;
    }
    Ok(restored)
}

async fn target(database: &Database) -> Result<(Target, Vec<u64>), Error> {
    match database {
        Database::Sqlite(path) => {
            let path = path.clone();
            joined(tokio::task::spawn_blocking(move || sqlite::target(&path)).await)
        }
        Database::Postgresql(server) => postgresql::target(database, server).await,
        Database::Mysql(server) => mysql::target(database, server).await,
    }
}

/// Whether this archive may go into this database.
fn judge(checked: &Checked, existing: &[u64], database: &Database, options: &Options) -> Result<(), Error> {
    let snapshot = &checked.manifest.header.snapshot;
    if let Some(key) = &options.key {
        judge_key(&key.fingerprint(), checked)?;
    }
    if let Some(named) = &options.replace_existing
        && named != snapshot
    {
        return Err(Error::Usage(format!(
            "--replace-existing names the snapshot {named}, but the archive is {snapshot}"
        )));
    }
    if existing.iter().all(|&rows| rows == 0) || options.replace_existing.is_some() {
        return Ok(());
    }
    let found = TABLES.iter().zip(existing).filter(|(_, rows)| **rows > 0);
    let found: Vec<_> = found
        .map(|(table, rows)| format!("{}: {rows}", table.name))
        .collect();
    Err(Error::NotEmpty {
        database: database.to_string(),
        found: found.join(", "),
        snapshot: snapshot.clone(),
    })
}

/// Whether users could log in.
fn judge_key(theirs: &str, checked: &Checked) -> Result<(), Error> {
    match (&checked.manifest.header.key_fingerprint, checked.key_check) {
        (Some(ours), _) if ours != theirs => Err(Error::Key(format!(
            "the target's key1 is {theirs}, the archive is of {ours}: its users could not log in. Create the cluster with `--secret-key` and the key1 of the archive (sso inspect --write-secrets-conf)"
        ))),
        (None, Some(check)) if check.is_wrong() => Err(Error::Key(format!(
            "the target's key1 {theirs} opens none of the {} passwords that were looked at in the archive, which has no key of its own: its users could not log in. Create the cluster with `--secret-key` and the key1 that they were written with",
            check.looked_at
        ))),
        _ => Ok(()),
    }
}

async fn write(
    pass: Arc<Pass>,
    restored: &Restored,
    database: &Database,
    control: &Control,
) -> Result<(), Error> {
    let (sender, receiver) = channel();
    let way = Way {
        has_orphans: !restored.manifest.header.source.orphans.is_empty(),
        replaces: restored.deleted.iter().any(|&rows| rows > 0),
        form: pass.target.form,
    };
    let expected = restored.manifest.clone();
    let reading = tokio::task::spawn_blocking(move || pass.send(sender, &expected));
    let written = load(database, way, receiver, control).await;
    let read = joined(reading.await);
    both(read, written).map(|_| ())
}

/// How rows are written.
struct Way {
    /// Those that are there go.
    replaces: bool,
    /// The source had rows whose foreign key leads nowhere.
    has_orphans: bool,
    form: Form,
}

async fn load(
    database: &Database,
    way: Way,
    mut receiver: mpsc::Receiver<Message>,
    control: &Control,
) -> Result<(), Error> {
    match database {
        Database::Sqlite(path) => {
            let (path, control) = (path.clone(), control.clone());
            let options = sqlite::restore::Options {
                replaces: way.replaces,
                has_orphans: way.has_orphans,
            };
            let writing = tokio::task::spawn_blocking(move || {
                sqlite::restore::restore(&path, options, &mut receiver, &control)
            });
            joined(writing.await)
        }
        Database::Postgresql(server) => {
            let (database, server, control) = (database.clone(), server.clone(), control.clone());
            beside_its_connection(async move {
                postgresql::restore::restore(&database, &server, way.replaces, receiver, &control).await
            })
            .await
        }
        Database::Mysql(server) => {
            let (database, server, control) = (database.clone(), server.clone(), control.clone());
            beside_its_connection(async move {
                let how = (way.replaces, way.form);
                mysql::restore::restore(&database, &server, how, receiver, &control).await
            })
            .await
        }
    }
}
