//! Channels with a cache without a node: the file that servers load, in a Python of its own.

// Helpers of tests are tests, too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use zato_operator::agent::cache::{self, Cache};
use zato_operator::agent::code::Wanted;
use zato_operator::exchange::{Index, IndexedChannel, IndexedService};

/// What a server gets for a channel whose answers are kept for half a minute.
fn file() -> String {
    let channel = IndexedChannel {
        service: "a.one".into(),
        url_path: "/a/{b}".into(),
        methods: ["GET".to_owned()].into(),
        cache_seconds: 30,
        ..IndexedChannel::default()
    };
    let version = IndexedService {
        revision: "r".into(),
        channels: BTreeMap::from([("c".to_owned(), channel)]),
        ..IndexedService::default()
    };
    let index = Index::sealed([("s".to_owned(), version)].into());
    let wanted = Wanted::complete(index, |_, _| None).unwrap();
    Cache::wish(&wanted).unwrap()
}

#[test]
fn answers_are_kept_within_their_limits() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(cache::FILE), file()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cache/answers.py");
    let mut python = Command::new("python3");
    python.arg(script).arg(folder.path());
    let output = python.env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && text.contains("Ran 8 tests"), "{text}");
}
