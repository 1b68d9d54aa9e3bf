//! Keys: of archives, and of the clusters that they go to.

use std::sync::Arc;

use rusqlite::Connection;
use sso_dump::archive::read::{Ignore, read};
use sso_dump::archive::seal::{Identities, Seal, recipients};
use sso_dump::dump::Options;
use sso_dump::error::Error;
use sso_dump::restore;
use sso_dump::secrets::Secrets;

use super::support::*;
use super::{at, folder};

/// Sealed: only the identity opens it; without a seal it is told as such.
#[test]
fn only_its_recipients_open_an_archive() {
    let folder = folder();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 10);
    let key = |_| {
        use age::secrecy::ExposeSecret;
        let identity = age::x25519::Identity::generate();
        (
            identity.to_public().to_string(),
            identity.to_string().expose_secret().to_owned(),
        )
    };
    let [ours, second, other] = [0, 1, 2].map(key);
    let text = format!("# two\n{}\n{}\n", ours.0, second.0);
    let options = || Options {
        seal: Seal::Recipients(recipients(&text, "x").unwrap()),
        ..options()
    };
    let (_, bytes) = archive(&at(&from), options()).unwrap();
    let as_text = String::from_utf8_lossy(&bytes);
    assert!(!as_text.contains("zato_sso") && !as_text.contains(KEY));
    let to = sqlite(folder.path(), "to.db");
    let opened_by = |identities| restore_with(&bytes, identities, &at(&to), restore::Options::default());
    let identity = |text: &str| Identities::parse(text, "the file").unwrap();
    for wrong in [Identities::default(), identity(&other.1)] {
        assert!(matches!(opened_by(wrong), Err(Error::Key(_))));
    }
    assert!(everything(&to).is_empty());
    opened_by(identity(&second.1)).unwrap();
    assert_eq!(everything(&to), everything(&from));
    // Changed at any byte, or cut anywhere: refused, by the seal alone.
    let opens = |bytes: &[u8]| read(bytes, &identity(&ours.1), &mut Ignore).is_ok();
    assert!(opens(&bytes));
    for at in (0..bytes.len()).step_by(97) {
        let mut changed = bytes.clone();
        changed[at] ^= 4;
        assert!(!opens(&changed), "changed at {at}");
        assert!(!opens(&bytes[..at]), "cut at {at}");
    }
    let longer = [&bytes[..], b"x"].concat();
    assert!(!opens(&longer));
    assert!(
        Identities::parse("AGE-SECRET-KEY-1QQ", "the file")
            .is_err_and(|error| !error.to_string().contains("1QQ"))
    );
    assert!(recipients("", "x").unwrap().is_empty());
}

/// A key that opens nothing.
fn other() -> Secrets {
    Secrets::from_key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "x").unwrap()
}

/// The key of the target is not the one of the archive: nobody could log in.
#[test]
fn a_target_with_another_key_is_refused() {
    let folder = folder();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 10);
    let (manifest, bytes) = archive_of(&from);
    let to = sqlite(folder.path(), "to.db");
    let with = |key: Secrets| restore::Options {
        key: Some(Arc::new(key)),
        replace_existing: Some(manifest.header.snapshot.clone()),
        ..restore::Options::default()
    };
    assert!(matches!(
        restore(&bytes, &at(&to), with(other())),
        Err(Error::Key(_))
    ));
    assert!(everything(&to).is_empty());
    restore(&bytes, &at(&to), with(secrets())).unwrap();
}

/// Without a key in the archive, the passwords themselves say whether the target's key is theirs.
#[test]
fn a_target_whose_key_opens_no_password_is_refused() {
    let folder = folder();
    let from = sqlite(folder.path(), "from.db");
    odd_rows(&from, 10);
    Connection::open(&from)
        .unwrap()
        .execute_batch("UPDATE zato_sso_user SET password = 'of before' WHERE id = 1")
        .unwrap();
    let without = Options {
        secrets: None,
        ..options()
    };
    let (_, bytes) = archive(&at(&from), without).unwrap();
    let to = sqlite(folder.path(), "to.db");
    let with = |key: Secrets| restore::Options {
        key: Some(Arc::new(key)),
        ..restore::Options::default()
    };
    let error = restore(&bytes, &at(&to), with(other())).unwrap_err();
    assert!(matches!(&error, Error::Key(why) if why.contains("none of the 14 passwords")));
    assert!(everything(&to).is_empty());
    let restored = restore(&bytes, &at(&to), with(secrets())).unwrap();
    assert_eq!(restored.key_check.unwrap().closed(), 1);
}
