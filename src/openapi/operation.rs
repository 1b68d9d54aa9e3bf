//! One operation of an OpenAPI document: a service on the path by which all are invoked, or on a channel of its own.
//!
//! Pure. Never names anything: what must be unique in a document is given by the document.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::model::{Access, Api, Channel, Field, Service, Type};
use super::schema::{Schemas, object};

/// What a part of a path can be: other characters find no channel in Zato.
const PART: &str = r"^(?!\.{1,2}$)[\w $.=~^|-]+$";

/// An operation.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its identifier.
    #[serde(rename = "operationId")]
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    summary: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    /// Of the path and the query string.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<Parameter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body: Option<RequestBody>,
    responses: BTreeMap<&'static str, Response>,
    /// None: as the document says.
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<Vec<Map<String, Value>>>,
    #[serde(rename = "x-zato-service")]
    service: String,
}

/// A parameter of a path or a query string.
#[derive(Clone, Debug, Serialize)]
pub struct Parameter {
    name: String,
    #[serde(rename = "in")]
    place: &'static str,
    required: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    schema: Map<String, Value>,
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

impl Operation {
    /// On the path by which all services are invoked.
    pub fn invoked(
        id: String,
        service: &Service,
        request: Option<(Map<String, Value>, bool)>,
        response: Option<Map<String, Value>>,
    ) -> Self {
        let mut operation = Self::of(id, service, response);
        operation.request_body = Some(body(request));
        operation.responses.extend([
            (
                "400",
                empty("An input that is required is missing, or there is no such service."),
            ),
            ("401", empty("The credentials are missing or wrong.")),
        ]);
        operation
    }

    /// On a channel. `body`: what the method's body has; a method without one has none.
    pub fn called(
        id: String,
        channel: &Channel,
        service: &Service,
        parameters: Vec<Parameter>,
        request: Option<(Map<String, Value>, bool)>,
        response: Option<Map<String, Value>>,
    ) -> Self {
        let mut operation = Self::of(id, service, response);
        operation.parameters = parameters;
        operation.request_body = request.map(|request| body(Some(request)));
        operation.guard(channel);
        operation
    }

    /// Lets in whom a channel lets in.
    pub fn guard(&mut self, channel: &Channel) {
        self.security = Some(channel.access.map(requirement).into_iter().collect());
        let responses = &mut self.responses;
        responses.insert("400", empty("An input that is required is missing."));
        responses.remove("401");
        if channel.access.is_some() {
            responses.insert("401", empty("The credentials are missing or wrong."));
        }
        if channel.is_limited {
            responses.insert("429", empty("Too many requests."));
        }
    }

    fn of(id: String, service: &Service, response: Option<Map<String, Value>>) -> Self {
        let answer = Response {
            description: "The service's answer.",
            content: Some(content(response.unwrap_or_else(|| undeclared("output")))),
        };
        let failed = "The input has a value of another type, or the service failed.";
        Self {
            id,
            summary: service.summary.clone(),
            description: service.description.clone(),
            responses: BTreeMap::from([
                ("200", answer),
                ("4XX", empty("The service refuses.")),
                ("500", empty(failed)),
            ]),
            service: service.name.clone(),
            ..Self::default()
        }
    }
}

fn undeclared(what: &str) -> Map<String, Value> {
    object(json!({"description": format!("The source declares no {what}.")}))
}

fn empty(description: &'static str) -> Response {
    Response {
        description,
        content: None,
    }
}

fn body(request: Option<(Map<String, Value>, bool)>) -> RequestBody {
    RequestBody {
        required: request.as_ref().is_some_and(|(_, is_required)| *is_required),
        content: content(request.map_or_else(|| undeclared("input"), |(schema, _)| schema)),
    }
}

fn content(schema: Map<String, Value>) -> Content {
    Content {
        json: Media { schema },
    }
}

/// Whether requests of a method have a body.
pub fn has_body(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH")
}

/// The fields of what a service takes, as far as the source says them.
pub fn fields<'a>(api: &'a Api, service: &'a Service) -> &'a [Field] {
    let kind = match &service.input {
        Some(Type::Either(kinds)) => kinds.first(),
        kind => kind.as_ref(),
    };
    match kind {
        Some(Type::Object(fields)) => fields,
        Some(Type::Model(name)) => api.models.get(name).map_or(&[], |model| model.fields.as_slice()),
        _ => &[],
    }
}

/// What stands in the path, and what does in the query string of a method without a body.
pub fn parameters(
    api: &Api,
    schemas: &Schemas<'_>,
    channel: &Channel,
    service: &Service,
    method: &str,
) -> Vec<Parameter> {
    let fields = fields(api, service);
    let in_path = channel.parameters().map(|name| {
        let field = fields.iter().find(|field| field.name == name);
        let kind = field.map_or(&Type::Text, |field| &field.kind);
        let mut schema = schemas.of(kind);
        if *kind == Type::Text {
            schema.insert("pattern".into(), PART.into());
        }
        Parameter {
            name: name.into(),
            place: "path",
            required: true,
            description: field.map_or_else(String::new, |field| field.description.clone()),
            schema,
        }
    });
    let is_in_query = |field: &&Field| !channel.parameters().any(|name| name == field.name);
    let in_query = fields
        .iter()
        .filter(|field| !has_body(method) && is_in_query(field) && is_one_value(&field.kind))
        .map(|field| Parameter {
            name: field.name.clone(),
            place: "query",
            required: field.required,
            description: field.description.clone(),
            schema: schemas.of(&field.kind),
        });
    in_path.chain(in_query).collect()
}

/// Whether a text can be it: a query string has nothing else.
fn is_one_value(kind: &Type) -> bool {
    match kind {
        Type::Nullable(inner) => is_one_value(inner),
        Type::List(_) | Type::Map(_) | Type::Object(_) | Type::Model(_) => false,
        Type::Either(kinds) => kinds.iter().any(is_one_value),
        _ => true,
    }
}

/// What a caller must send.
pub fn requirement(access: Access) -> Map<String, Value> {
    object(json!({scheme(access): []}))
}

fn scheme(access: Access) -> &'static str {
    match access {
        Access::BasicAuth => "BasicAuth",
        Access::ApiKey => "ApiKeyAuth",
    }
}

/// How callers send it.
pub fn security_schemes(api: &Api) -> Value {
    let mut schemes = json!({scheme(Access::BasicAuth): {"type": "http", "scheme": "basic"}});
    let has_keys = api
        .channels
        .iter()
        .any(|channel| channel.access == Some(Access::ApiKey));
    if has_keys {
        let name = scheme(Access::ApiKey);
        schemes[name] = json!({"type": "apiKey", "in": "header", "name": "X-API-Key"});
    }
    schemes
}
