//! Whether an archive can be restored.
//!
//! Owns two depths: reading it to its end, and restoring it into a database that is thrown away, which is then compared
//! with it.

use std::path::Path;

use rusqlite::Connection;

use crate::archive::Header;
use crate::archive::read::{self, Contents, Visitor};
use crate::archive::seal::Identities;
use crate::convert::{Choices, Form, Target};
use crate::database::Kind;
use crate::diff::{compare, read_archive};
use crate::dump::joined;
use crate::error::Error;
use crate::restore::{Pass, Source};
use crate::schema::check::Limit;
use crate::schema::{TABLES, sql};
use crate::stream::{Control, Part, both, channel};
use crate::{restore, sqlite};

/// Reads an archive to its end: sums, order, rows, keys.
pub async fn verify(source: Source, identities: Identities, control: &Control) -> Result<Contents, Error> {
    let mut telling = Telling {
        control: control.clone(),
        table: 0,
        rows: 0,
    };
    joined(tokio::task::spawn_blocking(move || read::read(source()?, &identities, &mut telling)).await)
}

struct Telling {
    control: Control,
    table: usize,
    rows: u64,
}

impl Visitor for Telling {
    fn header(&mut self, _: &Header) -> Result<(), Error> {
        Ok(())
    }

    fn part(&mut self, part: Part) -> Result<(), Error> {
        if part.table != self.table {
            (self.table, self.rows) = (part.table, 0);
        }
        self.rows += part.rows;
        self.control.tell("check", self.table, self.rows)
    }
}

/// Restores an archive into a database of SQLite that nobody else sees, and compares all rows.
pub async fn verify_by_restore(
    source: Source,
    identities: Identities,
    control: &Control,
) -> Result<restore::Restored, Error> {
    let pass = Pass {
        source,
        identities,
        target: scratch_target(),
        choices: Choices {
            keeps_linked: true,
            ..Choices::default()
        },
        key: None,
        control: control.clone(),
    };
    joined(tokio::task::spawn_blocking(move || rehearse(&pass)).await)
}

fn scratch_target() -> Target {
    let limit = Limit {
        keeps_fraction: true,
        ..Limit::default()
    };
    Target {
        kind: Kind::Sqlite,
        form: Form::Lines,
        limits: TABLES
            .iter()
            .map(|table| vec![limit; table.columns.len()])
            .collect(),
        definitions: Vec::new(),
    }
}

fn rehearse(pass: &Pass) -> Result<restore::Restored, Error> {
    let place = Path::new("a temporary database");
    let checked = pass.check()?;
    let manifest = &checked.manifest;
    let mut scratch = sqlite::scratch()?;
    for statement in sql::create(Kind::Sqlite) {
        scratch
            .execute_batch(&statement)
            .map_err(sqlite::error(place, "make tables"))?;
    }
    let options = sqlite::restore::Options {
        replaces: false,
        has_orphans: !manifest.header.source.orphans.is_empty(),
    };
    let (sender, mut receiver) = channel();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| pass.send(sender, manifest));
        let written = sqlite::restore::fill(&mut scratch, place, options, &mut receiver, &pass.control);
        drop(receiver);
        both(reading.join().unwrap_or(Err(Error::Internal)), written)
    })?;
    compare_with(pass, scratch, place)?;
    Ok(checked.restored(vec![0; TABLES.len()]))
}

fn compare_with(pass: &Pass, scratch: Connection, place: &Path) -> Result<(), Error> {
    let (mut sender, restored) = channel();
    let (forward, archived) = channel();
    let quiet = Control {
        progress: None,
        ..pass.control.clone()
    };
    let tables = std::thread::scope(|scope| {
        let reading = scope.spawn(|| read_archive(&pass.source, &pass.identities, forward));
        let options = sqlite::dump::Options::default();
        let sending = scope.spawn(move || sqlite::dump::rows(&scratch, place, options, &mut sender, &quiet));
        let compared = compare(archived, restored, &pass.control);
        let ended = both(
            reading.join().unwrap_or(Err(Error::Internal)),
            sending.join().unwrap_or(Err(Error::Internal)),
        );
        both(ended, compared)
    })?;
    let differing: Vec<_> = tables.1.iter().filter(|table| !table.is_same()).collect();
    if differing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = differing.iter().map(|table| table.name.as_str()).collect();
    Err(Error::Damaged(format!(
        "rows of {} were not the same after a restore",
        names.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};
    use std::sync::Arc;

    use super::*;
    use crate::archive::seal::Seal;
    use crate::database::Database;
    use crate::dump::{self, dump};

    const GROUP: &str = "INSERT INTO zato_sso_group VALUES (1, 1, 0, 'g', 'name', 'source', NULL, NULL)";

    fn tables(connection: &Connection) {
        for statement in sql::create(Kind::Sqlite) {
            connection.execute_batch(&statement).unwrap();
        }
    }

    /// The archive of one group.
    fn archive() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zato.db");
        let from = Connection::open(&path).unwrap();
        tables(&from);
        from.execute(GROUP, []).unwrap();
        let options = dump::Options {
            seal: Seal::Unsealed,
            secrets: None,
            zato_version: None,
            cluster: None,
            without_orphans: false,
        };
        let control = Control::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let database = Database::Sqlite(path);
        let dumped = dump(&database, options, Vec::new(), &control);
        runtime.block_on(dumped).unwrap().1
    }

    /// A restore that lost or changed a row would be seen: this is all that a verification by restore proves.
    #[test]
    fn rows_that_differ_after_a_restore_are_told() {
        let bytes: Arc<[u8]> = archive().into();
        let pass = Pass {
            source: Arc::new(move || Ok(Box::new(Cursor::new(bytes.clone())) as Box<dyn Read>)),
            identities: Identities::default(),
            target: scratch_target(),
            choices: Choices::default(),
            key: None,
            control: Control::default(),
        };
        let compared = |change: &str| {
            let scratch = sqlite::scratch().unwrap();
            tables(&scratch);
            scratch.execute_batch(change).unwrap();
            compare_with(&pass, scratch, Path::new("scratch")).map_err(|error| error.to_string())
        };
        assert_eq!(compared(GROUP), Ok(()));
        for change in [
            "",
            &GROUP.replace("'name'", "'other'"),
            &GROUP.replace("NULL, NULL", "'', NULL"),
        ] {
            let told = compared(change).unwrap_err();
            assert!(
                told.contains("rows of zato_sso_group were not the same"),
                "{change}: {told}"
            );
        }
    }
}
