//! The two ways in which MySQL takes rows: as a file that is none, and as statements.

use sso_dump::database::Kind;
use sso_dump::error::Error;
use sso_dump::restore;

use super::support::servers::{contents, create, execute};
use super::support::*;
use super::{filled, is_empty};

/// A server that takes no files from clients, as MySQL 8 does by default.
#[test]
fn a_server_that_takes_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let from = filled(Kind::Sqlite, folder.path(), 65_535);
    let (_, bytes) = archive(&from, options()).unwrap();
    let to = wait(create(Kind::Mysql));
    wait(execute(&to, "SET GLOBAL local_infile = 0"));
    let restored = restore(&bytes, &to, restore::Options::default());
    wait(execute(&to, "SET GLOBAL local_infile = 1"));
    restored.unwrap();
    assert_eq!(wait(contents(&to, false)), wait(contents(&from, false)));
}

/// Of a file the server would leave out, cut or change what it does not take: each is an error, and all is taken back.
#[test]
fn what_a_file_would_be_warned_of_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = archive(&filled(Kind::Sqlite, folder.path(), 10), options()).unwrap();
    for (change, told) in [
        (
            "ALTER TABLE zato_sso_group ADD CONSTRAINT small CHECK (group_id <> 'g3')",
            "small",
        ),
        (
            "CREATE TRIGGER too_long BEFORE INSERT ON zato_sso_session FOR EACH ROW SET NEW.ust = REPEAT('secret', 100)",
            "'ust'",
        ),
        (
            "CREATE UNIQUE INDEX one_of_each ON zato_sso_attr (is_encrypted)",
            "one_of_each",
        ),
    ] {
        let to = wait(create(Kind::Mysql));
        wait(execute(&to, change));
        let error = restore(&bytes, &to, restore::Options::default()).unwrap_err();
        assert!(matches!(error, Error::Database { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains(told) && !error.contains("secret"), "{error}");
        assert!(wait(is_empty(&to)), "{told}");
    }
}
