//! Databases that take nobody without TLS: whom the server must prove itself to, and that nothing is tried in plain text.

use sso_dump::database::Kind;
use sso_dump::error::Error;

use super::support::servers::secure;
use super::support::*;
use super::{differences, empty, filled};

fn authority(name: &str) -> String {
    let file = std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run these tests with dev/databases.sh"));
    format!("sslmode=verify-full&sslrootcert={file}")
}

/// A dump and a restore over TLS.
#[test]
fn a_server_that_proves_itself() {
    for kind in [Kind::Postgresql, Kind::Mysql] {
        let folder = tempfile::tempdir().unwrap();
        let verified = authority("ZATO_SSO_TEST_AUTHORITY");
        let from = secure(&filled(kind, folder.path(), 10), kind, &verified).unwrap();
        let (_, bytes) = archive(&from, options()).unwrap();
        let to = wait(empty(kind, folder.path(), "to.db"));
        let to = secure(&to, kind, &verified).unwrap();
        restore(&bytes, &to, sso_dump::restore::Options::default()).unwrap();
        assert!(
            differences(&bytes, to)
                .iter()
                .all(sso_dump::diff::TableDiff::is_same),
            "{kind}"
        );
    }
}

/// What each says: an authority that does not vouch for the server, the system's authorities, no TLS at all.
#[test]
fn a_server_that_does_not() {
    for kind in [Kind::Postgresql, Kind::Mysql] {
        let folder = tempfile::tempdir().unwrap();
        let from = filled(kind, folder.path(), 10);
        let refused = |parameters: &str| match secure(&from, kind, parameters)
            .and_then(|from| archive(&from, options()))
        {
            Err(error @ Error::Database { .. }) => error.to_string(),
            other => panic!("{kind} {parameters}: {other:?}"),
        };
        for parameters in [&authority("ZATO_SSO_TEST_OTHER_AUTHORITY"), "sslmode=verify-full"] {
            let message = refused(parameters);
            assert!(
                message.to_lowercase().contains("certificate"),
                "{kind} {parameters}: {message}"
            );
        }
        let message = refused("sslmode=disable");
        assert!(!message.contains("geheim"), "{message}");
    }
}
