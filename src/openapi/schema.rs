//! Types as JSON schemas, in the dialects of OpenAPI 3.1 and 3.0.
//!
//! Pure. Never knows of services.

use serde_json::{Map, Value, json};

use super::model::{Field, Type};

/// Which OpenAPI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Version {
    /// JSON Schema as it is.
    #[default]
    #[value(name = "3.1")]
    V31,
    /// A dialect of its own: no null type, nothing beside a reference.
    #[value(name = "3.0")]
    V30,
}

/// Decimal numbers as text, of which OpenAPI's format says no form.
const DECIMAL: &str = r"^[+-]?[0-9]+(\.[0-9]+)?$";

/// Writes schemas; `reference` gives the name of a model's schema.
pub struct Schemas<'a> {
    /// Which dialect.
    pub version: Version,
    /// The name of a model's schema by the name of the model.
    pub reference: &'a dyn Fn(&str) -> String,
}

impl Schemas<'_> {
    /// The schema of a type.
    pub fn of(&self, kind: &Type) -> Map<String, Value> {
        match kind {
            Type::Any(reason) if reason.is_empty() => Map::new(),
            Type::Any(reason) => object(json!({"description": unknown(reason)})),
            Type::Text => object(json!({"type": "string"})),
            Type::Secret => object(json!({"type": "string", "format": "password"})),
            Type::Formatted(format) if format == "decimal" => {
                object(json!({"type": "string", "format": format, "pattern": DECIMAL}))
            }
            Type::Formatted(format) => object(json!({"type": "string", "format": format})),
            Type::Boolean => object(json!({"type": "boolean"})),
            Type::Integer => object(json!({"type": "integer"})),
            Type::Number => object(json!({"type": "number"})),
            Type::Choice(values) if values.is_empty() => Map::new(),
            Type::Choice(values) => object(json!({"enum": values})),
            Type::List(items) => object(json!({"type": "array", "items": self.of(items)})),
            Type::Map(values) => object(json!({"type": "object", "additionalProperties": self.of(values)})),
            Type::Object(fields) => self.fields(fields),
            Type::Model(name) => object(json!({"$ref": self.path(name)})),
            Type::Either(kinds) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| self.of(kind)).collect();
                object(json!({"anyOf": kinds}))
            }
            Type::Nullable(kind) => self.nullable(kind),
        }
    }

    fn path(&self, model: &str) -> String {
        format!("#/components/schemas/{}", (self.reference)(model))
    }

    fn nullable(&self, kind: &Type) -> Map<String, Value> {
        let mut schema = self.of(kind);
        match (self.version, schema.get("type").cloned()) {
            (_, None) if schema.is_empty() => schema,
            (Version::V31, Some(Value::String(name))) => {
                schema.insert("type".into(), json!([name, "null"]));
                schema
            }
            (Version::V31, _) => object(json!({"anyOf": [schema, {"type": "null"}]})),
            (Version::V30, Some(_)) => {
                schema.insert("nullable".into(), true.into());
                schema
            }
            // `nullable` has an effect beside a type only: null is one more choice.
            (Version::V30, None) => {
                object(json!({"anyOf": [schema, {"type": "object", "nullable": true, "enum": [null]}]}))
            }
        }
    }

    /// The schema of an object with these fields.
    pub fn fields(&self, fields: &[Field]) -> Map<String, Value> {
        let properties: Map<String, Value> = fields
            .iter()
            .map(|field| (field.name.clone(), Value::Object(self.field(field))))
            .collect();
        let required: Vec<&str> = fields
            .iter()
            .filter(|field| field.required)
            .map(|field| field.name.as_str())
            .collect();
        let mut schema = object(json!({"type": "object"}));
        if !properties.is_empty() {
            schema.insert("properties".into(), properties.into());
        }
        if !required.is_empty() {
            schema.insert("required".into(), json!(required));
        }
        schema
    }

    fn field(&self, field: &Field) -> Map<String, Value> {
        let mut schema = self.of(&field.kind);
        let has_more = !field.description.is_empty() || field.default.is_some();
        // Beside a reference 3.0 ignores all else.
        if self.version == Version::V30 && schema.contains_key("$ref") && has_more {
            schema = object(json!({"allOf": [schema]}));
        }
        if !field.description.is_empty() {
            let before = schema.get("description").and_then(Value::as_str);
            let text = before.map_or_else(
                || field.description.clone(),
                |before| format!("{}\n\n{before}", field.description),
            );
            schema.insert("description".into(), text.into());
        }
        if let Some(default) = &field.default {
            schema.insert("default".into(), default.clone());
        }
        schema
    }
}

/// What is said of a value of which nothing is known.
pub fn unknown(reason: &str) -> String {
    format!("Any value, as far as the source tells: {reason}.")
}

/// A JSON object.
pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
