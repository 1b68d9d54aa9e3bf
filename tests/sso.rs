//! The commands `sso ..`, as a person runs them: what they end with, and what they leave behind when they are stopped.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use rusqlite::Connection;
use sso_dump::database::Kind;

/// A key that is nobody's.
const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

fn sso(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zato-operator"));
    command.arg("sso").args(arguments.split(' ')).current_dir(folder);
    command
        .env_remove("ZATO_SSO_KEY1")
        .env_remove("ZATO_SSO_PASSWORD");
    command
}

fn run(folder: &Path, arguments: &str) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = sso(folder, arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The directory of a server, as `zato create server` makes it, with so many groups.
fn server(folder: &Path, name: &str, groups: u32) {
    let server = folder.join(name);
    let config = server.join("config/repo");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(
        config.join("server.conf"),
        "[odb]\nengine=sqlite\ndb_name=zato.db\n",
    )
    .unwrap();
    std::fs::write(
        config.join("secrets.conf"),
        format!("[secret_keys]\nkey1={KEY}\n"),
    )
    .unwrap();
    std::fs::write(
        server.join(".zato-info"),
        r#"{"component": "SERVER", "version": "3.2"}"#,
    )
    .unwrap();
    let connection = Connection::open(server.join("zato.db")).unwrap();
    for statement in sso_dump::schema::sql::create(Kind::Sqlite) {
        connection.execute_batch(&statement).unwrap();
    }
    let rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO zato_sso_group SELECT i, 1, 0, 'g' || i, 'name' || i, 'x', hex(randomblob(200)), NULL FROM n WHERE i <= ?1";
    connection.execute(rows, [groups]).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let names = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// From one server to another, and every refusal with a code of its own.
#[test]
fn from_one_server_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    server(at, "old", 3);
    server(at, "new", 0);
    let identity = age_key(at);
    assert_eq!(run(at, "dump old --to a").0, 2, "neither recipient nor none");
    let (code, stdout, _) = run(at, &format!("dump old --to a --recipient {identity} -o json"));
    let manifest: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &manifest["zato_version"]), (0, &"3.2".into()));
    let snapshot = manifest["snapshot"].as_str().unwrap();
    assert_eq!(run(at, "inspect a").0, 50);
    assert_eq!(run(at, "restore a new").0, 50);
    assert_eq!(run(at, "diff a new --identity key").0, 1);
    assert_eq!(run(at, "restore a new --identity key --dry-run").0, 0);
    assert_eq!(run(at, "restore a new --identity key").0, 0);
    assert_eq!(run(at, "diff old new").0, 0);
    let (code, _, stderr) = run(at, "restore a new --identity key");
    assert!(
        code == 22 && stderr.contains(&format!("--replace-existing {snapshot}")),
        "{stderr}"
    );
    let replacing = format!("restore a new --identity key --replace-existing {snapshot}");
    assert_eq!(run(at, &replacing).0, 0);
    assert_eq!(
        run(at, &format!("dump old --to a --recipient {identity}")).0,
        30,
        "it is there"
    );
    assert_eq!(run(at, "verify a --identity key --restore").0, 0);
    let bytes = std::fs::read(at.join("a")).unwrap();
    std::fs::write(at.join("cut"), &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(run(at, "verify cut --identity key").0, 40);
    assert_eq!(run(at, "inspect a --identity key --write-secrets-conf keys").0, 0);
    assert_eq!(
        std::fs::read(at.join("keys")).unwrap(),
        std::fs::read(at.join("old/config/repo/secrets.conf")).unwrap()
    );
    let ignored = "restore a new --identity key --other-key --secrets-conf keys";
    assert_eq!(run(at, ignored).0, 2, "a key that would not be looked at");
    assert_eq!(run(at, "dump none --to b --seal none").0, 30);
    Connection::open(at.join("new/zato.db"))
        .unwrap()
        .execute_batch("DROP TABLE zato_sso_attr")
        .unwrap();
    assert_eq!(run(at, "dump new --to b --seal none").0, 21);
    assert_eq!(names(at), ["a", "cut", "key", "keys", "new", "old"]);
}

/// Writes an identity to `key`; gives its recipient.
fn age_key(folder: &Path) -> String {
    use age::secrecy::ExposeSecret;
    let identity = age::x25519::Identity::generate();
    std::fs::write(folder.join("key"), identity.to_string().expose_secret()).unwrap();
    identity.to_public().to_string()
}

/// A password in an argument is refused without repeating it.
#[test]
fn passwords_are_not_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) = run(
        folder.path(),
        "dump mysql://zato:hunter2@127.0.0.1:1/odb --to a --seal none",
    );
    assert!(
        code == 2 && stderr.contains("ZATO_SSO_PASSWORD") && !stderr.contains("hunter2"),
        "{stderr}"
    );
    let (code, _, stderr) = run(
        folder.path(),
        "dump mysql://zato@127.0.0.1:1/odb --to a --seal none --without-key",
    );
    assert!(code == 20 && stderr.contains("connect"), "{stderr}");
    assert!(names(folder.path()).is_empty());
}

/// Ctrl-C at any moment: a whole archive or none, all rows or none, and no other file.
#[test]
fn stopped_commands_leave_no_half_state() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    server(at, "old", 20_000);
    server(at, "new", 0);
    assert_eq!(run(at, "dump old --to whole --seal none").0, 0);
    let mut codes = std::collections::BTreeSet::new();
    for moment in 0..12 {
        for command in ["dump old --to a --seal none", "restore whole new"] {
            let mut process = sso(at, command)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            // The moment is what is sampled, not a wait for something.
            std::thread::sleep(std::time::Duration::from_millis(20 + moment * 30));
            let id = process.id().to_string();
            let _ = Command::new("kill")
                .args(["-INT", &id])
                .stderr(Stdio::null())
                .status();
            let code = process.wait().unwrap().code();
            let is_done = code == Some(0);
            // None: before it had begun to listen for signals.
            assert!(
                is_done || code == Some(130) || code.is_none(),
                "{command}: {code:?}"
            );
            codes.insert(code);
            let connection = Connection::open(at.join("new/zato.db")).unwrap();
            let rows: u32 = connection
                .query_one("SELECT count(*) FROM zato_sso_group", [], |row| row.get(0))
                .unwrap();
            if command.starts_with("dump") {
                assert_eq!(names(at).contains(&"a".to_owned()), is_done);
                let _ = std::fs::remove_file(at.join("a"));
            } else {
                assert_eq!(rows, if is_done { 20_000 } else { 0 });
                connection
                    .execute_batch("PRAGMA foreign_keys=OFF; DELETE FROM zato_sso_group")
                    .unwrap();
            }
            assert_eq!(names(at), ["new", "old", "whole"]);
        }
    }
    assert!(codes.contains(&Some(130)), "none was stopped in time: {codes:?}");
}

/// An archive without a key: whether the cluster's key is that of the passwords is looked at, unless a person says otherwise.
#[test]
fn an_archive_without_a_key_needs_the_same_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for name in ["old", "new"] {
        server(at, name, 1);
    }
    let user = "INSERT INTO zato_sso_user VALUES (1, 'u', 1, 0, 0, 0, NULL, 'x', NULL, 'x', '2026-01-01', 'x', 'n', ?1, 1, 0, '2026-01-01', '2026-01-01', 'final', '2026-01-01', NULL, 't', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL)";
    let token = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
    Connection::open(at.join("old/zato.db"))
        .unwrap()
        .execute(user, [token.as_bytes()])
        .unwrap();
    Connection::open(at.join("new/zato.db"))
        .unwrap()
        .execute_batch("DELETE FROM zato_sso_group")
        .unwrap();
    assert_eq!(run(at, "dump old --to a --seal none --without-key").0, 0);
    assert_eq!(run(at, "restore a new --dry-run").0, 0);
    let other = "[secret_keys]\nkey1=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    std::fs::write(at.join("new/config/repo/secrets.conf"), other).unwrap();
    let (code, _, stderr) = run(at, "restore a new");
    assert!(code == 50 && stderr.contains("opens none"), "{stderr}");
    let (code, _, stderr) = run(at, "restore a new/zato.db --dry-run");
    assert!(code == 0 && stderr.contains("not known"), "{stderr}");
    assert_eq!(run(at, "restore a new --other-key").0, 0);
}
