//! What is refused: told, and nothing is written.

use std::sync::Arc;

use rusqlite::Connection;
use sso_dump::archive::seal::Identities;
use sso_dump::error::Error;
use sso_dump::restore;
use sso_dump::stream::Control;
use sso_dump::verify::verify_by_restore;

use super::support::*;
use super::{at, folder};

/// What is in an archive replaces rows only when the person says which archive.
#[test]
fn rows_that_are_there_stay_unless_the_snapshot_is_named() {
    let folder = folder();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 10);
    let (manifest, bytes) = archive_of(&from);
    let to = sqlite(folder.path(), "to.db");
    odd_rows(&to, 99);
    let before = everything(&to);
    let replacing = |snapshot: &str| restore::Options {
        replace_existing: Some(snapshot.into()),
        ..restore::Options::default()
    };
    let error = restore(&bytes, &at(&to), restore::Options::default()).unwrap_err();
    assert!(matches!(&error, Error::NotEmpty { snapshot, .. } if *snapshot == manifest.header.snapshot));
    assert!(error.to_string().contains("zato_sso_user: 14"), "{error}");
    assert!(matches!(
        restore(&bytes, &at(&to), replacing("another")),
        Err(Error::Usage(_))
    ));
    let rehearsal = restore::Options {
        is_rehearsal: true,
        ..replacing(&manifest.header.snapshot)
    };
    assert_eq!(restore(&bytes, &at(&to), rehearsal).unwrap().deleted[0], 14);
    assert_eq!(everything(&to), before);
    restore(&bytes, &at(&to), replacing(&manifest.header.snapshot)).unwrap();
    assert_eq!(everything(&to), everything(&from));
}

/// A damaged archive writes nothing, even if its seal is good or there is none.
#[test]
fn a_damaged_archive_writes_nothing() {
    let folder = folder();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 2_000);
    let (_, bytes) = archive_of(&from);
    let to = sqlite(folder.path(), "to.db");
    let written = |bytes: &[u8]| restore(bytes, &at(&to), restore::Options::default());
    for at in (0..bytes.len()).step_by(131) {
        assert!(written(&bytes[..at]).is_err(), "cut at {at}");
        let mut changed = bytes.clone();
        changed[at] = changed[at].wrapping_add(1);
        // A few bytes of gzip's own header mean nothing.
        assert!(
            (4..10).contains(&at) || written(&changed).is_err(),
            "changed at {at}"
        );
    }
    assert!(matches!(written(b"no archive"), Err(Error::Damaged(_))));
    assert!(everything(&to).is_empty());
}

/// Extra and missing tables and columns, at the source and at the target, before anything is written.
#[test]
fn other_tables_are_told_first() {
    let folder = folder();
    let good = sqlite(folder.path(), "good.db");
    odd_rows(&good, 10);
    let (_, bytes) = archive_of(&good);
    for (change, told) in [
        (
            "ALTER TABLE zato_sso_user ADD COLUMN shoe_size INTEGER",
            "column shoe_size of zato_sso_user is not known",
        ),
        (
            "ALTER TABLE zato_sso_attr DROP COLUMN opaque1",
            "column opaque1 of zato_sso_attr is missing",
        ),
        (
            "DROP TABLE zato_sso_password_reset",
            "table zato_sso_password_reset is missing",
        ),
        (
            "CREATE TABLE zato_sso_device (id INTEGER)",
            "table zato_sso_device is not known",
        ),
    ] {
        let path = folder.path().join("other.db");
        std::fs::copy(&good, &path).unwrap();
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        let dumped = archive(&at(&path), options()).unwrap_err();
        let restored = restore(&bytes, &at(&path), restore::Options::default()).unwrap_err();
        for error in [dumped, restored] {
            assert!(
                matches!(&error, Error::Schema { differences, .. } if differences == &[told]),
                "{error}"
            );
        }
    }
}

/// A defect of this program is told as one, and not as if somebody had stopped it.
#[test]
fn a_panic_is_no_stop() {
    let folder = folder();
    let to = sqlite(folder.path(), "to.db");
    let broken = || -> restore::Source { Arc::new(|| panic!("a defect")) };
    let (identities, control) = (Identities::default, Control::default());
    let restored = wait(restore::restore(
        broken(),
        identities(),
        &at(&to),
        restore::Options::default(),
        &control,
    ));
    let verified = wait(verify_by_restore(broken(), identities(), &control));
    for error in [restored.unwrap_err(), verified.unwrap_err()] {
        assert!(matches!(error, Error::Internal), "{error}");
        assert_eq!(error.exit_code(), 70);
    }
}
