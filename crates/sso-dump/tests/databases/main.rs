//! Real servers: every kind of database into every kind, and what only one of them can hold.

#![allow(clippy::unwrap_used)]

mod directory;
mod every_kind;
mod meanwhile;
mod mysql;
mod postgresql;
mod refused;
mod secure;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use sso_dump::archive::seal::Identities;
use sso_dump::database::{Database, Kind};
use sso_dump::diff::{Side, TableDiff, diff};
use sso_dump::restore;
use sso_dump::stream::Control;
use support::servers::{contents, create};
use support::*;

const KINDS: [Kind; 3] = [Kind::Sqlite, Kind::Postgresql, Kind::Mysql];

/// A new database without rows.
async fn empty(kind: Kind, folder: &Path, name: &str) -> Database {
    if kind == Kind::Sqlite {
        Database::Sqlite(sqlite(folder, name))
    } else {
        create(kind).await
    }
}

async fn is_empty(database: &Database) -> bool {
    contents(database, true).await.iter().all(Vec::is_empty)
}

/// Odd rows in a database of that kind; what MySQL cannot hold stays away from it.
fn filled(kind: Kind, folder: &Path, long: usize) -> Database {
    let path = sqlite(folder, &format!("{kind}-odd.db"));
    odd_rows(&path, long);
    if kind == Kind::Sqlite {
        return Database::Sqlite(path);
    }
    let (_, bytes) = archive_of(&path);
    let database = wait(create(kind));
    restore(&bytes, &database, restore::Options::default()).unwrap();
    database
}

/// From an archive to a database.
fn differences(bytes: &[u8], database: Database) -> Vec<TableDiff> {
    let archive = Side::Archive(source(bytes), Identities::default());
    wait(diff(archive, Side::Database(database), &Control::default())).unwrap()
}
