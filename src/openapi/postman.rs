//! A Postman collection (v2.1) of an API.
//!
//! Pure. Its identifiers come from names, so the same services give the same collection.

use serde_json::{Map, Value, json};

use super::model::{Api, Field, Service, Type};
use super::names;

/// How deep an example message goes.
const DEPTH: usize = 6;

/// The collection. `server` and `path` are as in the OpenAPI document.
pub fn collection(api: &Api, server: &str, path: &str) -> Value {
    let items: Vec<Value> = api
        .services
        .values()
        .map(|service| item(api, service, path))
        .collect();
    json!({
        "info": {
            "name": "API spec",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {
            "type": "basic",
            "basic": [
                {"key": "username", "value": "{{username}}", "type": "string"},
                {"key": "password", "value": "{{password}}", "type": "string"},
            ],
        },
        "variable": [
            {"key": "server", "value": server, "type": "string"},
            {"key": "username", "value": "pubapi", "type": "string"},
            {"key": "password", "value": "", "type": "string"},
        ],
        "item": items,
    })
}

fn item(api: &Api, service: &Service, path: &str) -> Value {
    let path = names::invoke_path(path, &service.name);
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let description = [service.summary.as_str(), service.description.as_str()].join("\n\n");
    let example = service
        .input
        .as_ref()
        .map_or_else(|| json!({}), |kind| example(api, kind, DEPTH));
    json!({
        "name": service.name,
        "request": {
            "method": "POST",
            "description": description.trim(),
            "header": [{"key": "Content-Type", "value": "application/json"}],
            "url": {"raw": format!("{{{{server}}}}{path}"), "host": ["{{server}}"], "path": parts},
            "body": {
                "mode": "raw",
                "raw": format!("{example:#}"),
                "options": {"raw": {"language": "json"}},
            },
        },
        "response": [],
    })
}

/// A message with the required fields, and with defaults where the source has them.
fn example(api: &Api, kind: &Type, left: usize) -> Value {
    let Some(left) = left.checked_sub(1) else {
        return Value::Null;
    };
    match kind {
        Type::Text | Type::Secret => "".into(),
        Type::Formatted(format) if format == "date" => "2026-01-31".into(),
        Type::Formatted(format) if format == "date-time" => "2026-01-31T12:00:00Z".into(),
        Type::Formatted(format) if format == "decimal" => "0".into(),
        Type::Formatted(_) => "00000000-0000-0000-0000-000000000000".into(),
        Type::Boolean => false.into(),
        Type::Integer | Type::Number => 0.into(),
        Type::Choice(values) => values.first().cloned().unwrap_or_default(),
        Type::List(items) => json!([example(api, items, left)]),
        Type::Any(_) | Type::Map(_) => json!({}),
        Type::Object(fields) => object(api, fields, left),
        Type::Model(name) => {
            let fields = api.models.get(name).map(|model| model.fields.as_slice());
            object(api, fields.unwrap_or_default(), left)
        }
        Type::Either(kinds) => kinds.first().map_or(Value::Null, |kind| example(api, kind, left)),
        Type::Nullable(inner) => example(api, inner, left),
    }
}

fn object(api: &Api, fields: &[Field], left: usize) -> Value {
    let shown = fields
        .iter()
        .filter(|field| field.required || field.default.is_some());
    let values = shown.map(|field| {
        let value = field
            .default
            .clone()
            .unwrap_or_else(|| example(api, &field.kind, left));
        (field.name.clone(), value)
    });
    Value::Object(values.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::tests::{api, mixed};

    #[test]
    fn a_collection() {
        insta::assert_json_snapshot!(collection(
            &mixed(),
            "https://api.example.com",
            "/zato/api/invoke/{service_name}"
        ));
    }

    #[test]
    fn a_model_in_itself_ends() {
        let text = "from zato.server.service import Model, Service, dataclass\n@dataclass\nclass M(Model):\n  m: 'M'\nclass S(Service):\n  name = 's'\n  input = M\n";
        let collection = collection(&api(&[("m", text)], &[]), "", "/{service_name}");
        let body = collection
            .pointer("/item/0/request/body/raw")
            .and_then(Value::as_str)
            .unwrap();
        assert_eq!(body.matches("\"m\"").count(), DEPTH);
    }
}
