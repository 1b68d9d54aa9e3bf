//! The OpenAPI document of an API.
//!
//! Pure. The same API gives the same text, in the order of names.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::dataclass::OUTPUT;
use super::facts;
use super::model::{Access, Api, Channel, Field, Service, Type};
use super::names;
use super::operation::{self, Operation, requirement, security_schemes};
use super::schema::{Schemas, Version, object};
use super::web_socket::WebSocket;

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
    paths: BTreeMap<String, BTreeMap<String, Operation>>,
    #[serde(rename = "x-zato-web-sockets", skip_serializing_if = "Vec::is_empty")]
    web_sockets: Vec<WebSocket>,
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
#[serde(rename_all = "camelCase")]
struct Components {
    schemas: BTreeMap<String, Map<String, Value>>,
    security_schemes: Value,
}

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
        messages: BTreeMap::new(),
        paths: BTreeMap::new(),
    };
    writer.models();
    for service in api.services.values() {
        writer.service(service);
    }
    // What SOAP is, a WSDL says.
    for channel in api.channels.iter().filter(|channel| !channel.is_soap) {
        writer.channel(channel);
    }
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
        security: vec![requirement(Access::BasicAuth)],
        web_sockets: writer.web_sockets(),
        paths: writer.paths,
        components: Components {
            schemas: writer.components,
            security_schemes: security_schemes(api),
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
    /// What each service takes and gives, as references.
    messages: BTreeMap<&'a str, Messages>,
    paths: BTreeMap<String, BTreeMap<String, Operation>>,
}

impl<'a> Writer<'a> {
    fn models(&mut self) {
        for (name, model) in &self.api.models {
            let mut schema = self.schemas.fields(&model.fields);
            if !model.description.is_empty() {
                schema.insert("description".into(), model.description.clone().into());
            }
            self.components.insert((self.schemas.reference)(name), schema);
        }
    }

    fn service(&mut self, service: &'a Service) {
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
        let messages = Messages { request, response };
        for pattern in &self.settings.paths {
            let path = names::invoke_path(pattern, &service.name);
            let request = messages.request.clone();
            let request = request.map(|schema| (schema, requires_something(self.api, service)));
            let id = names::unique(&mut self.operations, format!("post_{}", names::safe(&path)));
            let operation = Operation::invoked(id, service, request, messages.response.clone());
            let item = self.paths.entry(path).or_default();
            item.insert("post".into(), operation);
        }
        self.messages.insert(&service.name, messages);
    }

    /// Of a service that is documented.
    fn channel(&mut self, channel: &Channel) {
        let api = self.api;
        let Some(service) = api.services.get(&channel.service) else {
            return;
        };
        if channel.is_direct() {
            let item = self.paths.get_mut(&channel.path).into_iter();
            item.flat_map(BTreeMap::values_mut)
                .for_each(|operation| operation.guard(channel));
            return;
        }
        for method in &channel.methods {
            let name = format!("{}_{}", method.to_lowercase(), names::safe(&channel.path));
            let id = names::unique(&mut self.operations, name);
            let body = self.body(channel, service, method, &id);
            let response = self
                .messages
                .get(service.name.as_str())
                .and_then(|messages| messages.response.clone());
            let parameters = operation::parameters(api, &self.schemas, channel, service, method);
            let operation = Operation::called(id, channel, service, parameters, body, response);
            let item = self.paths.entry(channel.path.clone()).or_default();
            item.insert(method.to_lowercase(), operation);
        }
    }

    /// Of services that are documented.
    fn web_sockets(&self) -> Vec<WebSocket> {
        let of = |channel: &Channel| {
            let service = self.api.services.get(&channel.service)?;
            let messages = self.messages.get(service.name.as_str())?;
            let (request, response) = (messages.request.clone(), messages.response.clone());
            Some(WebSocket::new(
                channel,
                service,
                &self.settings.servers,
                request,
                response,
            ))
        };
        self.api.web_sockets.iter().filter_map(of).collect()
    }

    /// What the body has: the input without what the path has. None: the method has no body.
    fn body(
        &mut self,
        channel: &Channel,
        service: &Service,
        method: &str,
        id: &str,
    ) -> Option<(Map<String, Value>, bool)> {
        if !operation::has_body(method) {
            return None;
        }
        let messages = self.messages.get(service.name.as_str())?;
        let fields = operation::fields(self.api, service);
        let is_in_path = |field: &&Field| channel.parameters().any(|name| name == field.name);
        if !fields.iter().any(|field| is_in_path(&field)) {
            let schema = messages.request.clone()?;
            return Some((schema, requires_something(self.api, service)));
        }
        let rest: Vec<Field> = fields
            .iter()
            .filter(|field| !is_in_path(field))
            .cloned()
            .collect();
        let mut schema = self.schemas.fields(&rest);
        schema.insert("title".into(), format!("Body for {}", service.name).into());
        let name = names::unique(&mut self.taken, format!("request_{id}"));
        let reference = object(json!({"$ref": format!("#/components/schemas/{name}")}));
        self.components.insert(name, schema);
        Some((reference, rest.iter().any(|field| field.required)))
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

/// What a service takes and gives.
struct Messages {
    request: Option<Map<String, Value>>,
    response: Option<Map<String, Value>>,
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
