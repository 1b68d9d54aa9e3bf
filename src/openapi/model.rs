//! What services are, in types: what documents are made from.
//!
//! Holds data only. Never refers to Python syntax or to a format of documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{facts, names};

/// The method by which documents say that services are invoked.
const INVOKED: &str = "POST";

/// Services and the models that they refer to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Api {
    /// By name.
    pub services: BTreeMap<String, Service>,
    /// Dataclass models by name, `module.Class`.
    pub models: BTreeMap<String, Model>,
    /// Addresses of their own of the services. The source tells of none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// Where WebSocket clients connect, in the shape of other channels: the port is a part of the path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub web_sockets: Vec<Channel>,
    /// What could not be told from the source, or what Zato will refuse.
    pub warnings: Vec<Warning>,
}

/// An address of its own under which a service is called over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// The service.
    pub service: String,
    /// The path, with parameters in braces.
    pub path: String,
    /// The methods that it answers, such as `GET`.
    pub methods: BTreeSet<String>,
    /// What callers send; none: anybody may call.
    pub access: Option<Access>,
    /// Whether it answers only so many requests.
    pub is_limited: bool,
    /// Whether it is for SOAP, where messages name the service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_soap: bool,
}

impl Channel {
    /// The same for one service, where Zato invokes it by its name.
    #[must_use]
    pub fn invoking(&self, service: &str) -> Self {
        Self {
            service: service.to_owned(),
            path: names::invoke_path(facts::INVOKE_PATH, service),
            methods: [INVOKED.to_owned()].into(),
            ..self.clone()
        }
    }

    /// Whether it is where Zato invokes its service by its name.
    pub fn is_direct(&self) -> bool {
        self.path == names::invoke_path(facts::INVOKE_PATH, &self.service)
    }

    /// The names of the parameters of the path.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        let parts = self.path.split('/');
        parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

/// What callers send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// A user name and a password.
    BasicAuth,
    /// A key in the header `X-API-Key`.
    ApiKey,
}

/// A Zato service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// By which it is invoked.
    pub name: String,
    /// Where it is defined.
    pub place: Place,
    /// The first line of its docstring.
    pub summary: String,
    /// The rest of its docstring, of the tags asked for.
    pub description: String,
    /// What it accepts. None: the source declares nothing.
    pub input: Option<Type>,
    /// What it returns. None: the source declares nothing.
    pub output: Option<Type>,
    /// The element around the output, which the class form of SimpleIO adds.
    pub response_element: Option<String>,
}

/// A dataclass that messages are made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Its docstring.
    pub description: String,
    /// In the order of the source, those of its bases first.
    pub fields: Vec<Field>,
}

/// A named part of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its key.
    pub name: String,
    /// What it holds.
    pub kind: Type,
    /// Whether a message without it is refused.
    pub required: bool,
    /// What the source says of it.
    pub description: String,
    /// What it is when left out.
    pub default: Option<serde_json::Value>,
}

/// What a value can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Type {
    /// Any value; the text says why nothing narrower is known, or is empty if the source wants it so.
    Any(String),
    /// A string.
    Text,
    /// A string that must not be shown.
    Secret,
    /// A string of a form that OpenAPI names, such as `date-time`.
    Formatted(String),
    /// true or false.
    Boolean,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// One of these values.
    Choice(Vec<serde_json::Value>),
    /// Values of one type.
    List(Box<Type>),
    /// Keys that are not known, values of one type.
    Map(Box<Type>),
    /// Known keys.
    Object(Vec<Field>),
    /// A model by its name.
    Model(String),
    /// One of several types.
    Either(Vec<Type>),
    /// The type, or null.
    Nullable(Box<Type>),
}

impl Type {
    /// Calls with the name of each model in it, which may be changed.
    pub fn each_model(&mut self, call: &mut impl FnMut(&mut String)) {
        match self {
            Self::Model(name) => call(name),
            Self::List(inner) | Self::Map(inner) | Self::Nullable(inner) => inner.each_model(call),
            Self::Object(fields) => fields.iter_mut().for_each(|field| field.kind.each_model(call)),
            Self::Either(kinds) => kinds.iter_mut().for_each(|kind| kind.each_model(call)),
            _ => {}
        }
    }
}

/// A line of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// Something that a reader of the document should know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// What.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.text)
    }
}
