//! From a database to an archive.
//!
//! Owns the two sides: one reads rows, the other seals them, and each waits for the other.

use std::io::Write;

use jiff::Timestamp;
use tokio::sync::mpsc::Receiver;
use tokio_util::task::AbortOnDropHandle;

use crate::archive::seal::Seal;
use crate::archive::write::Writer;
use crate::archive::{FORMAT, Header, Manifest, VERSION};
use crate::database::Database;
use crate::error::Error;
use crate::rows::hex;
use crate::secrets::Secrets;
use crate::stream::{Control, Facts, Message, Sender, both, channel};
use crate::{mysql, postgresql, sqlite};

/// What is put into an archive besides rows, and how it is sealed.
pub struct Options {
    /// For whom.
    pub seal: Seal,
    /// The keys; none: whoever restores the archive must have them from elsewhere.
    pub secrets: Option<Secrets>,
    /// The version of Zato, if it is known.
    pub zato_version: Option<String>,
    /// What the cluster is called by the one who dumps it.
    pub cluster: Option<String>,
    /// Rows of SQLite whose foreign key leads nowhere stay behind.
    pub without_orphans: bool,
}

/// Writes an archive of all rows as of one moment. What was written when it fails is of no use.
pub async fn dump<W: Write + Send + 'static>(
    database: &Database,
    options: Options,
    output: W,
    control: &Control,
) -> Result<(Manifest, W), Error> {
    let (sender, receiver) = channel();
    let without_orphans = options.without_orphans;
    let writing = tokio::task::spawn_blocking(move || write(receiver, options, output));
    let sent = send(database, without_orphans, sender, control).await;
    let written = joined(writing.await);
    let ((), (manifest, output)) = both(sent, written)?;
    control.check()?;
    Ok((manifest, output))
}

/// The outcome of a thread.
pub(crate) fn joined<T>(outcome: Result<Result<T, Error>, tokio::task::JoinError>) -> Result<T, Error> {
    // None of these threads is ever cancelled.
    outcome.map_err(|_| Error::Internal)?
}

/// Sends all rows of a database.
pub(crate) async fn send(
    database: &Database,
    without_orphans: bool,
    sender: Sender,
    control: &Control,
) -> Result<(), Error> {
    match database {
        Database::Sqlite(path) => {
            let (path, control) = (path.clone(), control.clone());
            let options = sqlite::dump::Options { without_orphans };
            let reading =
                tokio::task::spawn_blocking(move || sqlite::dump::dump(&path, options, sender, &control));
            joined(reading.await)
        }
        Database::Postgresql(server) => {
            let (database, server, control) = (database.clone(), server.clone(), control.clone());
            beside_its_connection(async move {
                let reading = postgresql::dump::dump(&database, &server, sender, &control);
                control.unless_stopped(reading).await
            })
            .await
        }
        Database::Mysql(server) => {
            let (database, server, control) = (database.clone(), server.clone(), control.clone());
            beside_its_connection(async move {
                let reading = mysql::dump::dump(&database, &server, sender, &control);
                control.unless_stopped(reading).await
            })
            .await
        }
    }
}

/// Work that waits for a task of the runtime all the time: on a thread of the runtime it goes on without waking another one.
pub(crate) async fn beside_its_connection<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    joined(AbortOnDropHandle::new(tokio::spawn(work)).await)
}

/// Writes what is received to an archive. Blocks.
pub(crate) fn write<W: Write>(
    mut messages: Receiver<Message>,
    options: Options,
    output: W,
) -> Result<(Manifest, W), Error> {
    let Some(Message::Facts(facts)) = messages.blocking_recv() else {
        return Err(Error::Stopped);
    };
    let header = header(*facts, &options)?;
    let mut writer = Writer::new(output, &options.seal, header, options.secrets)?;
    while let Some(message) = messages.blocking_recv() {
        match message {
            Message::Part(part) => writer.part(&part)?,
            Message::End => return writer.finish(),
            Message::Facts(_) | Message::Header(_) => {}
        }
    }
    Err(Error::Stopped)
}

fn header(source: Facts, options: &Options) -> Result<Header, Error> {
    let now = Timestamp::now();
    let mut random = [0; 4];
    getrandom::fill(&mut random)
        .map_err(|why| Error::io("random numbers")(std::io::Error::other(why.to_string())))?;
    Ok(Header {
        format: FORMAT.into(),
        version: VERSION,
        snapshot: format!("{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), hex(&random)),
        created: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        zato_version: options.zato_version.clone(),
        cluster: options.cluster.clone(),
        key_fingerprint: options.secrets.as_ref().map(Secrets::fingerprint),
        source,
    })
}
