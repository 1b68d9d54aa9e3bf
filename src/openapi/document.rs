//! The OpenAPI document of an API.
//!
//! Pure. The same API gives the same text, in the order of names.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::dataclass::OUTPUT;
use super::facts;
use super::model::{Api, Field, Service, Type};
use super::names;
use super::schema::{Schemas, Version, object};

/// What a document says beside the services.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The version of the document itself.
    pub revision: String,
    /// Which OpenAPI.
    pub version: Version,
    /// Where the services answer. None: where the document itself is served from.
    pub servers: Vec<String>,
    /// Paths with `{service_name}`.
    pub paths: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            revision: "1.0".into(),
            version: Version::default(),
            servers: Vec::new(),
            paths: vec![facts::INVOKE_PATH.into()],
        }
    }
}

/// A document.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    openapi: &'static str,
    info: Info,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    servers: Vec<Server>,
    security: Vec<Map<String, Value>>,
    paths: BTreeMap<String, PathItem>,
    components: Components,
}

#[derive(Clone, Debug, Serialize)]
struct Info {
    title: &'static str,
    version: String,
}

#[derive(Clone, Debug, Serialize)]
struct Server {
    url: String,
}

#[derive(Clone, Debug, Serialize)]
struct PathItem {
    post: Operation,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    #[serde(rename = "operationId")]
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    summary: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    request_body: RequestBody,
    responses: BTreeMap<&'static str, Response>,
    #[serde(rename = "x-zato-service")]
    service: String,
}

#[derive(Clone, Debug, Serialize)]
struct RequestBody {
    required: bool,
    content: Content,
}

#[derive(Clone, Debug, Serialize)]
struct Response {
    description: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content>,
}

#[derive(Clone, Debug, Serialize)]
struct Content {
    #[serde(rename = "application/json")]
    json: Media,
}

#[derive(Clone, Debug, Serialize)]
struct Media {
    schema: Map<String, Value>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Components {
    schemas: BTreeMap<String, Map<String, Value>>,
    security_schemes: Value,
}

/// The security scheme of the path by which services are invoked.
const BASIC: &str = "BasicAuth";

/// The document of an API.
pub fn document(api: &Api, settings: &Settings) -> Document {
    let mut taken = BTreeSet::new();
    let models: BTreeMap<&str, String> = api
        .models
        .keys()
        .map(|name| {
            (
                name.as_str(),
                names::unique(&mut taken, names::schema(&name.replace(OUTPUT, ".output"))),
            )
        })
        .collect();
    let reference = |model: &str| models.get(model).cloned().unwrap_or_default();
    let schemas = Schemas {
        version: settings.version,
        reference: &reference,
    };
    let mut writer = Writer {
        api,
        settings,
        schemas,
        taken,
        operations: BTreeSet::new(),
        components: BTreeMap::new(),
    };
    writer.models();
    let paths = api
        .services
        .values()
        .flat_map(|service| writer.service(service))
        .collect();
    Document {
        openapi: match settings.version {
            Version::V31 => "3.1.0",
            Version::V30 => "3.0.3",
        },
        info: Info {
            title: "API spec",
            version: settings.revision.clone(),
        },
        servers: settings
            .servers
            .iter()
            .map(|url| Server { url: url.clone() })
            .collect(),
        security: vec![object(json!({BASIC: []}))],
        paths,
        components: Components {
            schemas: writer.components,
            security_schemes: json!({BASIC: {"type": "http", "scheme": "basic"}}),
        },
    }
}

struct Writer<'a> {
    api: &'a Api,
    settings: &'a Settings,
    schemas: Schemas<'a>,
    taken: BTreeSet<String>,
    operations: BTreeSet<String>,
    components: BTreeMap<String, Map<String, Value>>,
}

impl Writer<'_> {
    fn models(&mut self) {
        for (name, model) in &self.api.models {
            let mut schema = self.schemas.fields(&model.fields);
            if !model.description.is_empty() {
                schema.insert("description".into(), model.description.clone().into());
            }
            self.components.insert((self.schemas.reference)(name), schema);
        }
    }

    fn service(&mut self, service: &Service) -> Vec<(String, PathItem)> {
        let request = self.message("request", "Request", service, service.input.as_ref());
        let response = self.message("response", "Response", service, service.output.as_ref());
        let response = match (&service.response_element, response) {
            (Some(element), Some(inner)) => {
                let properties = Map::from_iter([(element.clone(), Value::Object(inner))]);
                Some(object(
                    json!({"type": "object", "properties": properties, "required": [element]}),
                ))
            }
            (_, response) => response,
        };
        let paths = self.settings.paths.iter();
        paths
            .map(|pattern| {
                let path = pattern.replace("{service_name}", &escaped(&service.name));
                let id = names::unique(&mut self.operations, format!("post_{}", names::safe(&path)));
                (
                    path,
                    PathItem {
                        post: operation(
                            id,
                            service,
                            request
                                .clone()
                                .map(|schema| (schema, requires_something(self.api, service))),
                            response.clone(),
                        ),
                    },
                )
            })
            .collect()
    }

    /// Adds the schema of a message, and gives the reference to it.
    fn message(
        &mut self,
        prefix: &str,
        title: &str,
        service: &Service,
        kind: Option<&Type>,
    ) -> Option<Map<String, Value>> {
        let kind = kind?;
        // The fields of a model stand in the message itself, as in Zato's own documents.
        let mut schema = match kind {
            Type::Model(name) => {
                let fields = self.api.models.get(name).map(|model| model.fields.as_slice());
                self.schemas.fields(fields.unwrap_or_default())
            }
            kind => self.schemas.of(kind),
        };
        schema.insert(
            "title".into(),
            format!("{title} object for {}", service.name).into(),
        );
        let name = names::unique(
            &mut self.taken,
            format!("{prefix}_{}", names::safe(&service.name)),
        );
        let reference = format!("#/components/schemas/{name}");
        self.components.insert(name, schema);
        Some(object(json!({"$ref": reference})))
    }
}

/// Whether Zato refuses an empty message, which is what no body is for it.
fn requires_something(api: &Api, service: &Service) -> bool {
    let any = |fields: &[Field]| fields.iter().any(|field| field.required);
    let requires = |kind: &Type| match kind {
        Type::Object(fields) => any(fields),
        Type::Model(name) => api.models.get(name).is_some_and(|model| any(&model.fields)),
        Type::Any(_) => false,
        _ => true,
    };
    match &service.input {
        // What the source says, and what code adds to it.
        Some(Type::Either(kinds)) => kinds.iter().any(requires),
        Some(kind) => requires(kind),
        None => false,
    }
}

fn operation(
    id: String,
    service: &Service,
    request: Option<(Map<String, Value>, bool)>,
    response: Option<Map<String, Value>>,
) -> Operation {
    let undeclared = |what: &str| object(json!({"description": format!("The source declares no {what}.")}));
    let empty = |description| Response {
        description,
        content: None,
    };
    let answer = Response {
        description: "The service's answer.",
        content: Some(content(response.unwrap_or_else(|| undeclared("output")))),
    };
    Operation {
        id,
        summary: service.summary.clone(),
        description: service.description.clone(),
        request_body: RequestBody {
            required: request.as_ref().is_some_and(|(_, is_required)| *is_required),
            content: content(request.map_or_else(|| undeclared("input"), |(schema, _)| schema)),
        },
        responses: BTreeMap::from([
            ("200", answer),
            (
                "400",
                empty("An input that is required is missing, or there is no such service."),
            ),
            ("401", empty("The credentials are missing or wrong.")),
            ("4XX", empty("The service refuses.")),
            (
                "500",
                empty("The input has a value of another type, or the service failed."),
            ),
        ]),
        service: service.name.clone(),
    }
}

fn content(schema: Map<String, Value>) -> Content {
    Content {
        json: Media { schema },
    }
}

/// What need not be escaped in a part of a path.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~');

/// A service's name as a part of a path.
pub fn escaped(name: &str) -> String {
    utf8_percent_encode(name, UNRESERVED).to_string()
}
