//! The service of ours that opens and makes the envelopes of SOAP, which Zato 3.2 does not know: its file in the server's folder,
//! which is there while a channel for SOAP is, and what it is told of channels and messages.
//!
//! Never decides who may call: the rows of channels do, and none leads here before the server has the present file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Map, Value};

use super::code::{self, Wanted};
use super::zato::{self, Server};
use super::{Error, loading};
use crate::cluster::desired::paths;
use crate::documents;
use crate::exchange::{ChannelKind, hash};
use crate::openapi::soap::{Shapes, operations};

/// The file of the service. No user's file may have this name.
pub const FILE: &str = "zato_operator_soap.py";
/// The service. No user's service may have this name.
pub const SERVICE: &str = "zato-operator.soap";
/// What the file says before it is told of channels, and where.
const SOURCE: (&str, &str) = (include_str!("soap.py"), "TABLE = json.loads('{}')");
/// How often the file is written before it is told that the server does not load it.
const TRIES: u32 = 5;

/// What the server has of the file.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// The present one, or none is wanted.
    Loaded,
    /// Not yet.
    Loading,
    /// Nothing that could be used, for this reason.
    Failed(String),
}

/// Keeps the file.
pub struct Soap {
    folder: PathBuf,
    /// The text of the file for a revision of the index; none: no channel needs it.
    text: Option<(String, Option<String>)>,
    written: Option<Instant>,
    tries: u32,
}

impl Default for Soap {
    fn default() -> Self {
        Self::new(Path::new(paths::HOT))
    }
}

impl Soap {
    /// Knows nothing yet.
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            text: None,
            written: None,
            tries: 0,
        }
    }

    /// The server starts anew, with the file.
    pub fn forget(&mut self) {
        (self.written, self.tries) = (None, 0);
    }

    /// Writes the file if a channel needs it and it is not as it should be.
    pub fn write(&mut self, wanted: &Wanted) -> Result<(), Error> {
        let Some(text) = self.wanted(wanted) else {
            return Ok(());
        };
        let path = self.folder.join(FILE);
        if code::read(&path).as_ref() == Some(&text) || text.len() as u64 > code::MOST_BYTES {
            return Ok(());
        }
        code::replace(&path, &text)?;
        (self.written, self.tries) = (Some(Instant::now()), 0);
        Ok(())
    }

    /// Asks the server. A file that it may have missed is written again.
    pub async fn state(&mut self, wanted: &Wanted, server: &Server) -> Result<State, zato::Error> {
        let Some(text) = self.wanted(wanted) else {
            return Ok(State::Loaded);
        };
        if text.len() as u64 > code::MOST_BYTES {
            let why = format!(
                "what describes the messages has {} bytes, and {} fit: name fewer services",
                text.len(),
                code::MOST_BYTES
            );
            return Ok(State::Failed(why));
        }
        let source = server.source(SERVICE).await?;
        if source.is_some_and(|source| source.hash == hash(text.as_bytes())) {
            self.tries = 0;
            return Ok(State::Loaded);
        }
        if self.written.get_or_insert_with(Instant::now).elapsed() > loading::SEEN {
            self.write_again(&text);
        }
        let why = format!("the server does not load {FILE}, which opens envelopes: its log says why");
        Ok(if self.tries > TRIES {
            State::Failed(why)
        } else {
            State::Loading
        })
    }

    /// Takes the file away if no channel needs it: after their rows.
    pub fn clear(&mut self, wanted: &Wanted) {
        if self.wanted(wanted).is_none()
            && let Err(error) = code::remove(&self.folder.join(FILE))
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "{FILE} stays");
        }
    }

    fn write_again(&mut self, text: &str) {
        tracing::info!(file = FILE, "not loaded yet: written once more");
        if let Err(error) = code::replace(&self.folder.join(FILE), text) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "{FILE} could not be written"
            );
        }
        self.written = Some(Instant::now());
        self.tries += 1;
    }

    /// What the file must be; none: no channel needs it.
    fn wanted(&mut self, wanted: &Wanted) -> Option<String> {
        let revision = &wanted.index.revision;
        if self.text.as_ref().is_none_or(|(known, _)| known != revision) {
            self.text = Some((revision.clone(), text(wanted)));
        }
        self.text.as_ref()?.1.clone()
    }
}

/// The text of the file; none: there is no channel for SOAP.
pub fn text(wanted: &Wanted) -> Option<String> {
    let table = table(wanted)?;
    // A text in JSON is one in Python, too.
    let literal = Value::from(Value::from(table).to_string()).to_string();
    let (source, place) = SOURCE;
    Some(source.replacen(place, &format!("TABLE = json.loads({literal})"), 1))
}

/// What the service must know: which operation of which path is which service, and what messages have inside.
fn table(wanted: &Wanted) -> Option<Map<String, Value>> {
    let mut channels = Map::new();
    let mut shapes = Shapes::default();
    let mut project = None;
    for indexed in wanted.index.services.values() {
        let is_soap = |kind: ChannelKind| kind == ChannelKind::Soap;
        let mut own = indexed
            .channels
            .values()
            .filter(|channel| is_soap(channel.kind))
            .peekable();
        if own.peek().is_none() {
            continue;
        }
        // Models may be in files of others.
        let files = wanted
            .files
            .iter()
            .map(|(file, text)| (file.as_str(), text.as_str()));
        let project = project.get_or_insert_with(|| documents::project(files));
        let api = documents::services(project, Some(indexed.files.keys().cloned().collect()), &[]);
        let names = operations(&api);
        for channel in own {
            let called = indexed.called(channel).filter_map(|service| {
                shapes.add(&api, service);
                Some((
                    names.get(service.as_str())?.clone(),
                    Value::from(service.as_str()),
                ))
            });
            let called: BTreeMap<_, _> = called.collect();
            let called: Map<_, _> = called.into_iter().collect();
            channels
                .entry(channel.url_path.clone())
                .or_insert_with(|| called.into());
        }
    }
    if channels.is_empty() {
        return None;
    }
    let mut table = shapes.json();
    table.insert("channels".into(), channels.into());
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Index, IndexedChannel};
    use crate::service::check::indexed;

    const ONE: &str = "from zato.server.service import Service\n\nclass A(Service):\n    name = 'a \"one\"'\n    input = 'x'\n";

    fn wanted(paths: &[&str]) -> Wanted {
        let mut version = indexed([("a.py", ONE)].into_iter()).unwrap();
        let channel = |path: &&str| IndexedChannel {
            kind: ChannelKind::Soap,
            url_path: (*path).into(),
            ..IndexedChannel::default()
        };
        version.channels = paths
            .iter()
            .map(|path| ((*path).to_owned(), channel(path)))
            .collect();
        let index = Index::sealed([("s".to_owned(), version)].into());
        Wanted::complete(index, |_, _| Some(ONE.into())).unwrap()
    }

    #[test]
    fn the_file_says_what_each_path_calls() {
        let table = Value::from(table(&wanted(&["/a", "/b"])).unwrap());
        let called = serde_json::json!({"a__one_": "a \"one\""});
        assert_eq!(table["channels"], serde_json::json!({"/a": called, "/b": called}));
        let service = &table["services"]["a \"one\""];
        assert_eq!(
            service["input"],
            serde_json::json!({"fields": [{"name": "x", "kind": "text", "required": true}]})
        );
        assert_eq!(service["output"], "any");
        let text = text(&wanted(&["/a"])).unwrap();
        assert!(text.contains("TABLE = json.loads(\"{") && !text.contains(SOURCE.1));
        assert!(crate::python::check(FILE, &text).unwrap().contains(SERVICE));
    }

    /// It is there while a channel needs it, and goes when it is told to.
    #[test]
    fn the_file_comes_and_goes_with_channels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut soap = Soap::new(folder.path());
        soap.write(&wanted(&[])).unwrap();
        assert!(!path.exists());
        soap.write(&wanted(&["/a"])).unwrap();
        let first = std::fs::read_to_string(&path).unwrap();
        soap.clear(&wanted(&["/a"]));
        code::write(folder.path(), &wanted(&["/a"])).unwrap();
        assert!(path.exists());
        std::fs::write(&path, "changed").unwrap();
        soap.write(&wanted(&["/a"])).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
        soap.write(&wanted(&["/b"])).unwrap();
        assert_ne!(std::fs::read_to_string(&path).unwrap(), first);
        soap.write(&wanted(&[])).unwrap();
        assert!(path.exists(), "rows go first");
        soap.clear(&wanted(&[]));
        assert!(!path.exists());
    }
}
