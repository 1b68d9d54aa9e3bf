//! What messages of SOAP look like: how a service's input and output are elements, for the WSDL, and for whoever opens and
//! makes envelopes.
//!
//! Pure. Both read the same types here, so that they cannot differ. Never knows of envelopes or of addresses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::model::{Api, Field, Type};
use super::names;

/// The namespace of all names, unless somebody wants another one.
pub const NAMESPACE: &str = "urn:zato:services";
/// The element of what has no name of its own: a message that is no object, a value of a list in a list.
pub const ITEM: &str = "item";

/// The names of operations by those of services.
pub fn operations(api: &Api) -> BTreeMap<&str, String> {
    let mut taken = BTreeSet::new();
    let services = api.services.keys().map(String::as_str);
    services
        .map(|service| (service, names::unique(&mut taken, ncname(service))))
        .collect()
}

/// What is inside the element of a message.
pub enum Message<'a> {
    /// Anything: the source declares nothing.
    Open,
    /// The fields of a model.
    Model(&'a str),
    /// Elements.
    Fields(&'a [Field]),
    /// One element [`ITEM`], or several.
    Item(Field),
}

/// The message of an input or an output. Of a side that code makes in part, what the source says counts.
pub fn message(kind: Option<&Type>) -> Message<'_> {
    match kind {
        None => Message::Open,
        Some(Type::Object(fields)) => Message::Fields(fields),
        Some(Type::Model(model)) => Message::Model(model),
        Some(Type::Either(kinds)) if matches!(kinds.as_slice(), [Type::Object(_), Type::Any(_)]) => {
            message(kinds.first())
        }
        Some(kind) => Message::Item(item(kind.clone())),
    }
}

/// The element of what has no name.
pub fn item(kind: Type) -> Field {
    Field {
        name: ITEM.into(),
        kind,
        required: false,
        description: String::new(),
        default: None,
    }
}

/// A field's type as one element has it, and whether there may be several of them.
pub fn repeated(field: &Field) -> (&Type, bool) {
    let kind = match &field.kind {
        Type::Nullable(inner) => inner,
        kind => kind,
    };
    match kind {
        Type::List(items) => (items, true),
        kind => (kind, false),
    }
}

/// A name that XML takes: letters, digits, `.`, `-`, `_`, and not a digit, `.` or `-` first.
pub fn ncname(name: &str) -> String {
    let is_fine = |character: char| character.is_ascii_alphanumeric() || ".-_".contains(character);
    let result: String = name
        .chars()
        .map(|character| if is_fine(character) { character } else { '_' })
        .collect();
    let starts = result.starts_with(|character: char| character.is_ascii_alphabetic() || character == '_');
    if starts { result } else { format!("_{result}") }
}

/// The messages of services, as data: what each one has inside, and the models that they refer to.
pub struct Shapes {
    /// Before the names of models: files of several owners may read one model otherwise.
    prefix: String,
    services: Map<String, Value>,
    models: Map<String, Value>,
    waiting: Vec<String>,
}

impl Shapes {
    /// Nothing yet. `prefix` stands before the names of models.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
            services: Map::new(),
            models: Map::new(),
            waiting: vec![],
        }
    }

    /// Adds a service with all that its messages refer to.
    pub fn add(&mut self, api: &Api, service: &str) {
        let Some(found) = api.services.get(service) else {
            return;
        };
        let shape = json!({
            "input": self.message(found.input.as_ref()),
            "output": self.message(found.output.as_ref()),
            "around": found.response_element,
        });
        self.services.insert(service.to_owned(), shape);
        while let Some(model) = self.waiting.pop() {
            let fields = api.models.get(&model).map(|model| self.fields(&model.fields));
            self.models.insert(
                format!("{}{model}", self.prefix),
                fields.unwrap_or_else(|| json!([])),
            );
        }
    }

    /// Services and models, by their names.
    pub fn into_parts(self) -> [Map<String, Value>; 2] {
        [self.services, self.models]
    }

    fn message(&mut self, kind: Option<&Type>) -> Value {
        match message(kind) {
            Message::Open => json!("any"),
            Message::Model(model) => self.model(model),
            Message::Item(item) => json!({"item": self.field(&item)}),
            // Code makes more of them, which no schema knows.
            Message::Fields(fields) if matches!(kind, Some(Type::Either(_))) => {
                json!({"fields": self.fields(fields), "open": true})
            }
            Message::Fields(fields) => json!({"fields": self.fields(fields)}),
        }
    }

    fn fields(&mut self, fields: &[Field]) -> Value {
        let named = fields.iter().filter(|field| ncname(&field.name) == field.name);
        named.map(|field| self.field(field)).collect()
    }

    fn field(&mut self, field: &Field) -> Value {
        let (kind, is_list) = repeated(field);
        let mut shape = json!({"name": field.name, "kind": self.kind(kind)});
        for (name, is_it) in [
            ("required", field.required),
            ("list", is_list),
            ("nil", matches!(field.kind, Type::Nullable(_)) && !is_list),
        ] {
            if is_it {
                shape[name] = true.into();
            }
        }
        shape
    }

    fn kind(&mut self, kind: &Type) -> Value {
        match kind {
            Type::Text | Type::Secret | Type::Formatted(_) => json!("text"),
            Type::Boolean => json!("boolean"),
            Type::Integer => json!("integer"),
            Type::Number => json!("number"),
            Type::Object(fields) => json!({"fields": self.fields(fields)}),
            Type::Model(name) => self.model(name),
            Type::Nullable(inner) => self.kind(inner),
            Type::List(items) => json!({"items": self.kind(items)}),
            Type::Map(values) => json!({"map": self.field(&item((**values).clone()))}),
            Type::Any(_) | Type::Choice(_) | Type::Either(_) => json!("any"),
        }
    }

    fn model(&mut self, name: &str) -> Value {
        let full = format!("{}{name}", self.prefix);
        if !self.models.contains_key(&full) {
            self.models.insert(full.clone(), Value::Null);
            self.waiting.push(name.to_owned());
        }
        json!({"model": full})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::tests::api;

    const HEAD: &str = "from zato.server.service import *\nfrom zato.common.typing_ import *\n";

    fn shapes(text: &str) -> Value {
        let api = api(&[("m", &format!("{HEAD}{text}"))], &[]);
        let mut shapes = Shapes::new("");
        for service in api.services.keys() {
            shapes.add(&api, service);
        }
        let [services, models] = shapes.into_parts();
        json!({"services": services, "models": models})
    }

    /// Models once, whoever refers to them, also to themselves; lists and nulls; what has no name in XML is left out.
    #[test]
    fn messages_as_data() {
        let models = "@dataclass\nclass N(Model):\n    n: list_[list_[int]]\n    next: 'N' = None\n@dataclass\nclass M(Model):\n    one: N\n    all: list_[N]\n";
        let services = "class A(Service):\n    name = 'a'\n    input = M\n    output = list_[M]\nclass B(Service):\n    name = 'b'\n    class SimpleIO:\n        input_required = '-x', Dict('by_key'), Bool('is_y')\n        output_optional = 'z'\n";
        insta::assert_snapshot!(format!("{:#}", shapes(&format!("{models}{services}"))));
    }

    #[test]
    fn a_side_that_code_makes_in_part_is_open() {
        let text = "class A(Service):\n    name = 'a'\n    input = ('x',) + tuple(more())\n";
        let shape = &shapes(text)["services"]["a"]["input"];
        assert_eq!(
            (&shape["open"], &shape["fields"][0]["name"]),
            (&json!(true), &json!("x"))
        );
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let names = ["a b", "a_b", "1"].map(|name| format!("    name = '{name}'\n    input = 'x'\n"));
        let classes = names
            .iter()
            .enumerate()
            .map(|(n, text)| format!("class S{n}(Service):\n{text}"));
        let api = api(&[("m", &format!("{HEAD}{}", classes.collect::<String>()))], &[]);
        let names: Vec<_> = operations(&api).into_iter().collect();
        let owned = |service, name: &str| (service, name.to_owned());
        assert_eq!(
            names,
            [owned("1", "_1"), owned("a b", "a_b"), owned("a_b", "a_b_2")]
        );
    }
}
