//! A WSDL 1.1 document of an API, with bindings for SOAP 1.1 and SOAP 1.2.
//!
//! Pure. Document/literal: one element for each request and response. What XML cannot name is left out and told.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::model::{Api, Field, Service, Type};
use super::names;
use super::soap::{self, Message, ncname};
use super::xml::{Element, element};

/// What the document says beside the services.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of all names.
    pub namespace: String,
    /// Where the services answer, one after the other.
    pub places: Vec<Place>,
}

/// Where some of the services answer.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// What tells it from others, a name in XML; empty: there is no other.
    pub name: String,
    /// The address.
    pub address: String,
    /// The services.
    pub services: BTreeSet<String>,
}

impl Place {
    /// A name of this place.
    fn named(&self, name: &str) -> String {
        [name, self.name.as_str()]
            .join(".")
            .trim_end_matches('.')
            .to_owned()
    }
}

/// One operation: its name and its service.
type Operation<'a> = (String, &'a Service);

/// The document of all places, and what could not be said in it.
pub fn wsdl(api: &Api, settings: &Settings) -> io::Result<(String, Vec<String>)> {
    let names = soap::operations(api);
    let of = |is_chosen: &dyn Fn(&str) -> bool| -> Vec<Operation<'_>> {
        let chosen = names.iter().filter(|(service, _)| is_chosen(service));
        chosen
            .map(|(service, name)| (name.clone(), &api.services[*service]))
            .collect()
    };
    let operations = of(&|service| {
        settings
            .places
            .iter()
            .any(|place| place.services.contains(service))
    });
    let places: Vec<(&Place, Vec<Operation<'_>>)> = settings
        .places
        .iter()
        .map(|place| (place, of(&|service| place.services.contains(service))))
        .collect();
    let mut types = Types {
        api,
        models: BTreeMap::new(),
        waiting: Vec::new(),
        taken: names.values().cloned().collect(),
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
        .holding(places.iter().map(|(place, own)| port_type(place, own)))
        .holding(places.iter().flat_map(|(place, own)| bindings(place, own)))
        .holding(settings.places.iter().map(service));
    Ok((definitions.document()?, types.problems))
}

fn bindings(place: &Place, operations: &[Operation<'_>]) -> [Element; 2] {
    [
        ("Soap11", ["soap:binding", "soap:operation", "soap:body"]),
        ("Soap12", ["soap12:binding", "soap12:operation", "soap12:body"]),
    ]
    .map(|(name, elements)| binding(place, name, elements, operations))
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

fn port_type(place: &Place, operations: &[Operation<'_>]) -> Element {
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
        .with("name", place.named("Services"))
        .holding(operations)
}

fn binding(
    place: &Place,
    name: &str,
    [binding, operation, body]: [&'static str; 3],
    operations: &[Operation<'_>],
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
        .with("name", place.named(name))
        .with("type", format!("tns:{}", place.named("Services")))
        .holding([element(binding)
            .with("style", "document")
            .with("transport", transport)])
        .holding(operations)
}

fn service(place: &Place) -> Element {
    let port = |name: &str, address: &'static str| {
        element("wsdl:port")
            .with("name", place.named(&format!("{name}Port")))
            .with("binding", format!("tns:{}", place.named(name)))
            .holding([element(address).with("location", &place.address)])
    };
    element("wsdl:service")
        .with("name", place.named("Zato"))
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
    fn schema(&mut self, operations: &[Operation<'_>], settings: &Settings) -> Element {
        let mut elements = Vec::new();
        for (name, service) in operations {
            for (side, kind) in [("Request", &service.input), ("Response", &service.output)] {
                elements.push(self.message(&format!("{name}{side}"), kind.as_ref()));
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

    /// The element of a request or a response.
    fn message(&mut self, name: &str, kind: Option<&Type>) -> Element {
        let message = element("xs:element").with("name", name);
        match soap::message(kind) {
            Message::Fields(fields) => message.holding([self.complex(fields)]),
            Message::Item(item) => message.holding([self.complex(&[item])]),
            Message::Model(model) => message.with("type", self.model(model)),
            Message::Open => {
                let any = element("xs:any")
                    .with("minOccurs", "0")
                    .with("maxOccurs", "unbounded")
                    .with("processContents", "skip");
                let sequence = element("xs:sequence").holding([any]);
                message.holding([element("xs:complexType").holding([sequence])])
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
        if matches!(field.kind, Type::Nullable(_)) {
            result = result.with("nillable", "true");
        }
        let (kind, is_list) = soap::repeated(field);
        let documentation = (!field.description.is_empty()).then(|| {
            element("xs:annotation").holding([element("xs:documentation").saying(&field.description)])
        });
        if is_list {
            // A list that is required may be empty: then XML has no element for it.
            result = element("xs:element")
                .with("name", &field.name)
                .with("minOccurs", "0")
                .with("maxOccurs", "unbounded");
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
            Type::List(_) => return (None, Some(self.complex(&[soap::item(kind.clone())]))),
            // XSD 1.0 has no words for these.
            Type::Any(_) | Type::Choice(_) | Type::Map(_) | Type::Either(_) => "xs:anyType",
        };
        (Some(simple.into()), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::tests::{api, mixed};

    /// Of those services that `is_chosen` takes, at one place.
    fn written(api: &Api, is_chosen: impl Fn(&str) -> bool) -> (String, Vec<String>) {
        let services = api.services.keys().filter(|name| is_chosen(name)).cloned();
        let place = Place {
            address: "https://api.example.com/zato/soap".into(),
            services: services.collect(),
            ..Place::default()
        };
        let settings = Settings {
            namespace: soap::NAMESPACE.into(),
            places: vec![place],
        };
        wsdl(api, &settings).unwrap()
    }

    #[test]
    fn a_document() {
        let (text, problems) = written(&mixed(), |name| name != "users.hire");
        assert!(problems.is_empty() && !text.contains("users.hire"));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_xml_cannot_name_is_told() {
        let forms = include_str!("../../tests/openapi/services/forms.py");
        let (text, problems) = written(&api(&[("forms", forms)], &[]), |name| name == "forms.dashes");
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
