//! The same on real servers, which end what a dead client began.

use sso_dump::database::{Database, Kind};
use sso_dump::restore;

use super::support::servers::{contents, create, execute, query};
use super::support::{archive_of, restore as restore_bytes, wait};
use super::{is_whole, kill_often, many};

const KINDS: [Kind; 2] = [Kind::Postgresql, Kind::Mysql];

#[test]
fn a_killed_dump_leaves_the_source_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (manifest, bytes) = archive_of(&many(folder.path()));
    let output = folder.path().join("archive");
    for kind in KINDS {
        let from = wait(create(kind));
        restore_bytes(&bytes, &from, restore::Options::default()).unwrap();
        let source = wait(contents(&from, true));
        let url = from.to_string();
        let work = ["dump", url.as_str(), output.to_str().unwrap()];
        kill_often(
            &work,
            || (),
            |has_finished| {
                assert!(is_whole(&output, manifest.rows()) || !has_finished, "{kind}");
                assert!(wait(contents(&from, true)) == source, "{kind}");
            },
        );
    }
}

#[test]
fn servers_take_back_what_a_killed_restore_began() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    std::fs::write(&archive, archive_of(&many(folder.path())).1).unwrap();
    for kind in KINDS {
        let to = wait(create(kind));
        let url = to.to_string();
        let work = ["restore", url.as_str(), archive.to_str().unwrap()];
        let before = || {
            for table in ["zato_sso_user", "zato_sso_group"] {
                wait(execute(&to, &format!("DELETE FROM {table}")));
            }
        };
        kill_often(&work, before, |has_finished| {
            let found = ["user", "attr", "user_group"].map(|table| count(&to, table));
            let is_all = found == [14, 12_016, 4];
            assert!(
                is_all || (found == [0, 0, 0] && !has_finished),
                "{kind}: {found:?}"
            );
            if kind == Kind::Postgresql {
                assert_eq!(keys(&to), 8);
            }
        });
    }
}

fn count(database: &Database, table: &str) -> u64 {
    number(database, &format!("SELECT count(*) FROM zato_sso_{table}"))
}

/// Foreign keys, which a restore takes away and makes again.
fn keys(database: &Database) -> u64 {
    number(database, "SELECT count(*) FROM pg_constraint WHERE contype = 'f'")
}

fn number(database: &Database, what: &str) -> u64 {
    let cells = wait(query(database, what));
    cells[0][0].as_deref().unwrap().parse().unwrap()
}
