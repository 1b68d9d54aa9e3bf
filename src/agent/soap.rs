//! The service of ours that opens and makes the envelopes of SOAP, which Zato 3.2 does not know: its file in the server's folder,
//! which is there while a channel for SOAP is, and what it is told of channels and messages.
//!
//! Never decides who may call: the rows of channels do, and none leads here before the server has the present file.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Error;
use super::code::Wanted;
use super::gate::{Gate, State, UNTOLD, filled};
use super::zato::{self, Server};
use crate::documents;
use crate::exchange::{ChannelKind, IndexedChannel, IndexedService};
use crate::openapi::project::Project;
use crate::openapi::soap::{Shapes, operations};

/// The file of the service. No user's file may have this name.
pub const FILE: &str = "zato_operator_soap.py";
/// The service. No user's service may have this name.
pub const SERVICE: &str = "zato-operator.soap";
/// What the file says before it is told of channels.
const SOURCE: &str = include_str!("soap.py");
/// What may describe the messages of one `ZatoService`, and of all: with its escapes the file stays below what is read of one.
const OWNER_BYTES: usize = 150_000;
const TOTAL_BYTES: usize = 600_000;

/// Keeps the file.
pub struct Soap {
    gate: Gate,
    /// The file for a revision of the index.
    wish: Option<(String, Wish)>,
}

impl Default for Soap {
    fn default() -> Self {
        Self {
            gate: Gate::new(FILE, SERVICE, "opens envelopes"),
            wish: None,
        }
    }
}

impl Soap {
    /// The server starts anew, with the file.
    pub fn forget(&mut self) {
        self.gate.forget();
    }

    /// Writes the file if a channel needs it and it is not as it should be.
    pub fn write(&mut self, wanted: &Wanted) -> Result<(), Error> {
        let text = self.wanted(wanted);
        self.gate.write(text.as_deref())
    }

    /// What the server has of it.
    pub async fn state(&mut self, wanted: &Wanted, server: &Server) -> Result<State, zato::Error> {
        let text = self.wanted(wanted);
        self.gate.state(text.as_deref(), server).await
    }

    /// Takes the file away if no channel needs it: after their rows.
    pub fn clear(&mut self, wanted: &Wanted) {
        if self.wanted(wanted).is_none() {
            self.gate.clear();
        }
    }

    /// What the file must be; none: no channel needs it.
    fn wanted(&mut self, wanted: &Wanted) -> Option<String> {
        self.wish(wanted).text.clone()
    }

    /// Why the rows of a `ZatoService` are not made, if the file has no room for what they need.
    pub fn left_out(&mut self, wanted: &Wanted, owner: &str) -> Option<String> {
        let bytes = *self.wish(wanted).left_out.get(owner)?;
        Some(format!(
            "what describes the messages has {bytes} bytes, and {OWNER_BYTES} fit, {TOTAL_BYTES} of all ZatoServices of the cluster: name fewer services in the channel"
        ))
    }

    fn wish(&mut self, wanted: &Wanted) -> &Wish {
        let revision = &wanted.index.revision;
        let known = self.wish.take().filter(|(known, _)| known == revision);
        let known = known.unwrap_or_else(|| (revision.clone(), wish(wanted)));
        &self.wish.insert(known).1
    }
}

/// What the file must be.
#[derive(Clone, Default)]
pub struct Wish {
    /// Its text; none: there is no channel for SOAP.
    pub text: Option<String>,
    /// The `ZatoServices` that are left out, and how many bytes describe their messages: one must not take the room of all.
    pub left_out: BTreeMap<String, usize>,
}

/// The file for an index.
pub fn wish(wanted: &Wanted) -> Wish {
    let (mut table, mut left_out) = (Table::default(), BTreeMap::new());
    let mut project = None;
    let mut bytes = 0;
    for (owner, indexed) in &wanted.index.services {
        let mut channels = indexed.channels.values();
        if !channels.any(|channel| channel.kind == ChannelKind::Soap) {
            continue;
        }
        // Models may be in files of others.
        let files = wanted.files.iter();
        let files = files.map(|(file, text)| (file.as_str(), text.as_str()));
        let project = project.get_or_insert_with(|| documents::project(files));
        let own = Table::of(owner, indexed, project);
        let length = own.json().to_string().len();
        if length > OWNER_BYTES || bytes + length > TOTAL_BYTES {
            left_out.insert(owner.clone(), length);
            continue;
        }
        bytes += length;
        table.add(own);
    }
    let is_needed = !table.channels.is_empty() || !left_out.is_empty();
    let text = is_needed.then(|| filled(SOURCE, UNTOLD, &table.json()));
    Wish { text, left_out }
}

/// What the service must know: which operation of which path is which service, and what messages have inside.
#[derive(Default)]
struct Table {
    channels: Map<String, Value>,
    services: Map<String, Value>,
    models: Map<String, Value>,
}

impl Table {
    /// What the channels of one `ZatoService` need.
    fn of(owner: &str, indexed: &IndexedService, project: &Project) -> Self {
        let api = documents::services(project, Some(indexed.files.keys().cloned().collect()), &[]);
        let (names, mut shapes) = (operations(&api), Shapes::new(&format!("{owner} ")));
        let mut channels = Map::new();
        let soap = |channel: &&IndexedChannel| channel.kind == ChannelKind::Soap;
        for channel in indexed.channels.values().filter(soap) {
            let mut called = BTreeMap::new();
            for service in indexed.called(channel) {
                shapes.add(&api, service);
                if let Some(name) = names.get(service.as_str()) {
                    called.insert(name.clone(), Value::from(service.as_str()));
                }
            }
            let called: Map<_, _> = called.into_iter().collect();
            channels.insert(channel.url_path.clone(), called.into());
        }
        let [services, models] = shapes.into_parts();
        Self {
            channels,
            services,
            models,
        }
    }

    /// Of two with one path, which the operator may keep for a moment, the first counts.
    fn add(&mut self, other: Self) {
        for (path, called) in other.channels {
            self.channels.entry(path).or_insert(called);
        }
        self.services.extend(other.services);
        self.models.extend(other.models);
    }

    fn json(&self) -> Value {
        json!({"channels": self.channels, "services": self.services, "models": self.models})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Index;
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
        let all = wanted(&["/a", "/b"]);
        let files = all
            .files
            .iter()
            .map(|(file, text)| (file.as_str(), text.as_str()));
        let table = Table::of("s", &all.index.services["s"], &documents::project(files)).json();
        let called = serde_json::json!({"a__one_": "a \"one\""});
        assert_eq!(table["channels"], serde_json::json!({"/a": called, "/b": called}));
        let service = &table["services"]["a \"one\""];
        assert_eq!(
            service["input"],
            serde_json::json!({"fields": [{"name": "x", "kind": "text", "required": true}]})
        );
        assert_eq!(service["output"], "any");
        let text = wish(&wanted(&["/a"])).text.unwrap();
        assert!(text.contains("TABLE = json.loads(\"{") && !text.contains(UNTOLD));
        assert!(crate::python::check(FILE, &text).unwrap().contains(SERVICE));
    }

    /// One that describes too much takes the room of no other.
    #[test]
    fn a_zato_service_that_does_not_fit_is_left_out() {
        let fields: Vec<_> = (0..200).map(|number| format!("'field_{number}'")).collect();
        let class = |number: usize| {
            format!(
                "class B{number}(Service):\n    name = 'b.{number}'\n    input = {}\n",
                fields.join(", ")
            )
        };
        let large: String = (0..50).map(class).collect();
        let large = format!("from zato.server.service import Service\n\n{large}");
        let mut all = wanted(&["/a"]);
        let mut version = indexed([("b.py", large.as_str())].into_iter()).unwrap();
        let channel = IndexedChannel {
            kind: ChannelKind::Soap,
            url_path: "/b".into(),
            ..IndexedChannel::default()
        };
        version.channels.insert("c".into(), channel);
        all.index.services.insert("before".into(), version);
        all.files.insert("b.py".into(), large);
        let found = wish(&all);
        assert_eq!(found.left_out.keys().collect::<Vec<_>>(), ["before"]);
        let text = found.text.unwrap();
        assert!(text.contains("/a") && !text.contains("field_199"));
        let mut soap = Soap::default();
        let why = soap.left_out(&all, "before").unwrap();
        assert!(why.ends_with("name fewer services in the channel"), "{why}");
        assert_eq!(soap.left_out(&all, "s"), None);
    }

    /// Not before their rows.
    #[test]
    fn the_file_comes_and_goes_with_channels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut soap = Soap::default();
        soap.gate = soap.gate.inside(folder.path());
        soap.write(&wanted(&["/a"])).unwrap();
        let first = std::fs::read_to_string(&path).unwrap();
        soap.clear(&wanted(&["/a"]));
        super::super::code::write(folder.path(), &wanted(&["/a"])).unwrap();
        assert!(path.exists());
        soap.write(&wanted(&["/b"])).unwrap();
        assert_ne!(std::fs::read_to_string(&path).unwrap(), first);
        soap.clear(&wanted(&[]));
        assert!(!path.exists());
    }
}
