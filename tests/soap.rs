//! Channels for SOAP without a node: the file that servers load, in a Python of its own, and, with feature e2e, a SOAP client of
//! others that reads the published WSDL and calls services of the stand-in for Zato.

// Helpers of tests are tests, too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use zato_operator::agent::code::Wanted;
use zato_operator::agent::soap;
use zato_operator::documents::{self, Publication, Wsdl};
use zato_operator::exchange::{ChannelKind, Index, IndexedChannel};
use zato_operator::service::check::indexed;

const SERVICES: &str = include_str!("soap/services.py");

fn channel(path: &str, services: &[&str]) -> IndexedChannel {
    IndexedChannel {
        kind: ChannelKind::Soap,
        services: services.iter().map(ToString::to_string).collect(),
        url_path: path.into(),
        methods: ["POST".to_owned()].into(),
        ..IndexedChannel::default()
    }
}

/// What a server of these channels has: the code, the file for SOAP, and what is published of it.
fn write(folder: &Path) {
    let files = [("services.py", SERVICES)];
    let mut version = indexed(files.into_iter()).unwrap();
    let shown: Vec<&str> = version
        .services()
        .map(String::as_str)
        .filter(|name| *name != "soap.hidden")
        .collect();
    version.channels = BTreeMap::from([
        ("all".to_owned(), channel("/soap/all", &shown)),
        ("one".to_owned(), channel("/soap/one", &["soap.greet"])),
    ]);
    let api = documents::services(&documents::project(files), None, &[]);
    let wsdl = Wsdl::of(&api, &version.channels, "http://SERVER");
    let published = Publication::of(vec![], &api, String::new(), wsdl, |version| version.to_string());
    let index = Index::sealed([("s".to_owned(), version)].into());
    let wanted = Wanted::complete(index, |_, _| Some(SERVICES.into())).unwrap();
    for (name, text) in [
        (soap::FILE, soap::wish(&wanted).text.unwrap()),
        ("services.py", SERVICES.into()),
        (documents::WSDL_KEY, published.wsdl.unwrap()),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

/// Runs a script with such a folder. SOAP_FOLDER: one that stays.
fn run(python: &Path, script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("SOAP_FOLDER").map(PathBuf::from);
    let folder = kept.as_deref().unwrap_or(folder.path());
    write(folder);
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let output = Command::new(python)
        .arg(tests.join("soap").join(script))
        .arg(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{text}");
    println!("{text}");
}

#[test]
fn envelopes_are_opened_and_made() {
    run(Path::new("python3"), "gate.py");
}

/// zeep, which knows the WSDL alone.
#[cfg(feature = "e2e")]
#[test]
fn a_client_calls_what_the_wsdl_says() {
    let folder = std::env::var_os("CHECKERS")
        .expect("CHECKERS names the folder of dev/openapi/tools.sh: run dev/openapi.sh");
    run(&Path::new(&folder).join("python"), "client.py");
}
