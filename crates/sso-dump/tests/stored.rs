//! Archives that an earlier build of this program wrote, and that must be read for as long as their version is.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use sso_dump::archive::seal::Identities;
use sso_dump::database::Database;
use sso_dump::restore;
use support::*;

fn stored(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archives");
    std::fs::read(folder.join(name)).unwrap()
}

/// Version 1, with keys and without a seal, sealed and without keys: the rows of [`odd_rows`].
#[test]
fn archives_of_version_1_are_restored() {
    let folder = tempfile::tempdir().unwrap();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 2_000);
    let identity = String::from_utf8(stored("identity.txt")).unwrap();
    for (name, identities) in [
        ("version-1.tar.gz", Identities::default()),
        (
            "version-1.age",
            Identities::parse(&identity, "identity.txt").unwrap(),
        ),
    ] {
        let to = sqlite(folder.path(), &format!("{name}.db"));
        let options = restore::Options {
            key: Some(secrets().into()),
            ..restore::Options::default()
        };
        let restored =
            restore_with(&stored(name), identities, &Database::Sqlite(to.clone()), options).unwrap();
        assert_eq!(everything(&to), everything(&from), "{name}");
        assert_eq!(restored.manifest.header.version, 1);
        let check = restored.key_check.unwrap();
        assert_eq!((check.looked_at, check.opened), (14, 14), "{name}");
    }
}
