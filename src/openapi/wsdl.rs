//! A WSDL 1.1 document of an API, with bindings for SOAP 1.1 and SOAP 1.2.
//!
//! Pure. Document/literal: one element for each request and response. What XML cannot name is left out and told.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::model::{Api, Field, Service, Type};
use super::names;
use super::xml::{Element, element};

/// What the document says beside the services.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of all names.
    pub namespace: String,
    /// Where the services answer.
    pub address: String,
}

/// The document of those services that `is_chosen` takes, and what could not be said in it.
pub fn wsdl(
    api: &Api,
    settings: &Settings,
    is_chosen: impl Fn(&str) -> bool,
) -> io::Result<(String, Vec<String>)> {
    let chosen: Vec<&Service> = api
        .services
        .values()
        .filter(|service| is_chosen(&service.name))
        .collect();
    let mut taken = BTreeSet::new();
    let operations: Vec<(String, &Service)> = chosen
        .iter()
        .map(|service| (names::unique(&mut taken, ncname(&service.name)), *service))
        .collect();
    let mut types = Types {
        api,
        models: BTreeMap::new(),
        waiting: Vec::new(),
        taken,
        problems: Vec::new(),
    };
    let schema = types.schema(&operations, settings);
    let definitions = element("wsdl:definitions")
        .with("xmlns:wsdl", "http://schemas.xmlsoap.org/wsdl/")
        .with("xmlns:soap", "http://schemas.xmlsoap.org/wsdl/soap/")
        .with("xmlns:soap12", "http://schemas.xmlsoap.org/wsdl/soap12/")
        .with("xmlns:xs", "http://www.w3.org/2001/XMLSchema")
        .with("xmlns:tns", &settings.namespace)
        .with("targetNamespace", &settings.namespace)
        .holding([element("wsdl:types").holding([schema])])
        .holding(operations.iter().flat_map(|(name, _)| messages(name)))
        .holding([port_type(&operations)])
        .holding([binding(
            "Soap11",
            "soap:binding",
            "soap:operation",
            "soap:body",
            &operations,
        )])
        .holding([binding(
            "Soap12",
            "soap12:binding",
            "soap12:operation",
            "soap12:body",
            &operations,
        )])
        .holding([service(settings)]);
    Ok((definitions.document()?, types.problems))
}

fn messages(name: &str) -> [Element; 2] {
    ["Request", "Response"].map(|side| {
        let part = element("wsdl:part")
            .with("name", "parameters")
            .with("element", format!("tns:{name}{side}"));
        element("wsdl:message")
            .with("name", format!("{name}{side}Message"))
            .holding([part])
    })
}

fn port_type(operations: &[(String, &Service)]) -> Element {
    let operations = operations.iter().map(|(name, service)| {
        let text = [service.summary.as_str(), service.description.as_str()].join("\n\n");
        let text = text.trim();
        let documentation = (!text.is_empty()).then(|| element("wsdl:documentation").saying(text));
        let message = |side| format!("tns:{name}{side}Message");
        element("wsdl:operation")
            .with("name", name)
            .holding(documentation)
            .holding([element("wsdl:input").with("message", message("Request"))])
            .holding([element("wsdl:output").with("message", message("Response"))])
    });
    element("wsdl:portType")
        .with("name", "Services")
        .holding(operations)
}

fn binding(
    name: &str,
    binding: &'static str,
    operation: &'static str,
    body: &'static str,
    operations: &[(String, &Service)],
) -> Element {
    let literal = || element(body).with("use", "literal");
    let operations = operations.iter().map(|(name, service)| {
        element("wsdl:operation")
            .with("name", name)
            .holding([element(operation)
                .with("soapAction", &service.name)
                .with("style", "document")])
            .holding([element("wsdl:input").holding([literal()])])
            .holding([element("wsdl:output").holding([literal()])])
    });
    let transport = "http://schemas.xmlsoap.org/soap/http";
    element("wsdl:binding")
        .with("name", name)
        .with("type", "tns:Services")
        .holding([element(binding)
            .with("style", "document")
            .with("transport", transport)])
        .holding(operations)
}

fn service(settings: &Settings) -> Element {
    let port = |name: &str, address: &'static str| {
        element("wsdl:port")
            .with("name", format!("{name}Port"))
            .with("binding", format!("tns:{name}"))
            .holding([element(address).with("location", &settings.address)])
    };
    element("wsdl:service")
        .with("name", "Zato")
        .holding([port("Soap11", "soap:address"), port("Soap12", "soap12:address")])
}

struct Types<'a> {
    api: &'a Api,
    /// Names of types by names of models.
    models: BTreeMap<String, String>,
    waiting: Vec<String>,
    taken: BTreeSet<String>,
    problems: Vec<String>,
}

impl Types<'_> {
    fn schema(&mut self, operations: &[(String, &Service)], settings: &Settings) -> Element {
        let mut elements = Vec::new();
        for (name, service) in operations {
            for (side, kind) in [("Request", &service.input), ("Response", &service.output)] {
                let kind = kind.clone().unwrap_or(Type::Object(Vec::new()));
                elements.push(self.message(&format!("{name}{side}"), &kind));
            }
        }
        while let Some(model) = self.waiting.pop() {
            let name = self.models.get(&model).cloned().unwrap_or_default();
            let fields = self
                .api
                .models
                .get(&model)
                .map(|model| model.fields.clone())
                .unwrap_or_default();
            elements.push(self.complex(&fields).with("name", name));
        }
        // It stands on its own: tools take the schema out of the document.
        element("xs:schema")
            .with("xmlns:xs", "http://www.w3.org/2001/XMLSchema")
            .with("xmlns:tns", &settings.namespace)
            .with("targetNamespace", &settings.namespace)
            .with("elementFormDefault", "qualified")
            .holding(elements)
    }

    /// The element of a request or a response. What is not an object is inside an `item`.
    fn message(&mut self, name: &str, kind: &Type) -> Element {
        let message = element("xs:element").with("name", name);
        match kind {
            Type::Object(fields) => message.holding([self.complex(fields)]),
            Type::Model(model) => message.with("type", self.model(model)),
            kind => {
                let item = Field {
                    name: "item".into(),
                    kind: kind.clone(),
                    required: false,
                    description: String::new(),
                    default: None,
                };
                message.holding([self.complex(&[item])])
            }
        }
    }

    fn model(&mut self, name: &str) -> String {
        if !self.models.contains_key(name) {
            let free = names::unique(&mut self.taken, ncname(name));
            self.models.insert(name.into(), free);
            self.waiting.push(name.into());
        }
        format!("tns:{}", self.models[name])
    }

    fn complex(&mut self, fields: &[Field]) -> Element {
        let mut elements = Vec::new();
        for field in fields {
            if ncname(&field.name) == field.name {
                elements.push(self.field(field));
            } else {
                self.problems.push(format!(
                    "'{}' is no name in XML: left out of the WSDL",
                    field.name
                ));
            }
        }
        element("xs:complexType").holding([element("xs:sequence").holding(elements)])
    }

    fn field(&mut self, field: &Field) -> Element {
        let mut result = element("xs:element").with("name", &field.name);
        if !field.required {
            result = result.with("minOccurs", "0");
        }
        let mut kind = &field.kind;
        if let Type::Nullable(inner) = kind {
            result = result.with("nillable", "true");
            kind = inner;
        }
        let documentation = (!field.description.is_empty()).then(|| {
            element("xs:annotation").holding([element("xs:documentation").saying(&field.description)])
        });
        if let Type::List(items) = kind {
            // A list that is required may be empty: then XML has no element for it.
            result = element("xs:element")
                .with("name", &field.name)
                .with("minOccurs", "0")
                .with("maxOccurs", "unbounded");
            kind = items;
        }
        let (attribute, inside) = self.content(kind);
        if let Some(kind) = attribute {
            result = result.with("type", kind);
        }
        result.holding(documentation).holding(inside)
    }

    /// A type as the name of one, or as an element inside.
    fn content(&mut self, kind: &Type) -> (Option<String>, Option<Element>) {
        let simple = match kind {
            Type::Formatted(format) if format == "date" => "xs:date",
            Type::Formatted(format) if format == "date-time" => "xs:dateTime",
            Type::Text | Type::Secret | Type::Formatted(_) => "xs:string",
            Type::Boolean => "xs:boolean",
            Type::Integer => "xs:integer",
            Type::Number => "xs:double",
            Type::Object(fields) => return (None, Some(self.complex(fields))),
            Type::Model(name) => return (Some(self.model(name)), None),
            Type::Nullable(inner) => return self.content(inner),
            // XSD 1.0 has no words for these.
            Type::Any(_) | Type::Choice(_) | Type::List(_) | Type::Map(_) | Type::Either(_) => "xs:anyType",
        };
        (Some(simple.into()), None)
    }
}

/// A name that XML takes: letters, digits, `.`, `-`, `_`, and not a digit, `.` or `-` first.
fn ncname(name: &str) -> String {
    let is_fine = |character: char| character.is_ascii_alphanumeric() || ".-_".contains(character);
    let result: String = name
        .chars()
        .map(|character| if is_fine(character) { character } else { '_' })
        .collect();
    let starts = result.starts_with(|character: char| character.is_ascii_alphabetic() || character == '_');
    if starts { result } else { format!("_{result}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::tests::{api, mixed};

    fn settings() -> Settings {
        Settings {
            namespace: "urn:zato:services".into(),
            address: "https://api.example.com/zato/soap".into(),
        }
    }

    #[test]
    fn a_document() {
        let (text, problems) = wsdl(&mixed(), &settings(), |name| name != "users.hire").unwrap();
        assert!(problems.is_empty() && !text.contains("users.hire"));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_xml_cannot_name_is_told() {
        let forms = include_str!("../../tests/openapi/services/forms.py");
        let (text, problems) = wsdl(&api(&[("forms", forms)], &[]), &settings(), |name| {
            name == "forms.dashes"
        })
        .unwrap();
        assert!(!text.contains("name=\"-a\"") && text.contains("name=\"b\""));
        assert_eq!(
            problems,
            ["-a", "-is_x"].map(|name| format!("'{name}' is no name in XML: left out of the WSDL"))
        );
    }

    #[test]
    fn text_is_escaped_and_has_no_control_characters() {
        let text = element("a")
            .with("b", "<\"&")
            .saying("<&\u{1}\n\u{fffe}x")
            .document()
            .unwrap();
        assert!(
            text.contains("b=\"&lt;&quot;&amp;\"") && text.contains("&lt;&amp;\nx"),
            "{text}"
        );
    }
}
