//! Every field that a user may write, from the schema of its definition, with a value to change it to and one that must
//! be refused. A field that this file knows no value for fails its test: a new one cannot be forgotten.

use kube::CustomResourceExt;
use serde_json::{Value, json};

/// One field and what is done to it.
pub struct Edit {
    /// Below `spec`.
    pub path: String,
    /// Another valid value.
    pub other: Value,
    /// A value that the API server must refuse.
    pub refused: Value,
    /// Whether the other value must be refused, too, because the field cannot change.
    pub is_immutable: bool,
}

impl Edit {
    /// The merge patch that sets the field.
    pub fn patch(&self, value: &Value) -> Value {
        let wrap = |inner: Value, name: &str| json!({name: inner});
        let spec = self.path.split('/').rev().fold(value.clone(), wrap);
        json!({"spec": spec})
    }
}

/// All fields of a kind.
pub fn edits<K: CustomResourceExt>() -> Vec<Edit> {
    let definition = serde_json::to_value(K::crd()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut found = vec![];
    collect(schema, "", &mut found);
    found
}

fn collect(schema: &Value, path: &str, found: &mut Vec<Edit>) {
    if let Some(edit) = special(path) {
        found.push(edit);
        return;
    }
    if let Some(fields) = schema["properties"].as_object() {
        for (name, field) in fields {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}/{name}")
            };
            collect(field, &path, found);
        }
        return;
    }
    let (other, refused) = match (schema["enum"].as_array(), schema["type"].as_str()) {
        (Some(values), _) => {
            let other = values
                .iter()
                .find(|value| **value != schema["default"] && !value.is_null());
            (other.unwrap_or(&values[0]).clone(), json!("Nonsense"))
        }
        (None, Some("boolean")) => (json!(schema["default"] != json!(true)), json!("yes")),
        (None, Some("string")) => (json!("other"), json!("x".repeat(1000))),
        (None, kind) => panic!("no value is known for {path} of type {kind:?}: add it to special()"),
    };
    found.push(Edit {
        path: path.into(),
        other,
        refused,
        is_immutable: false,
    });
}

/// Fields whose values have a meaning beyond their type.
fn special(path: &str) -> Option<Edit> {
    let (other, refused, is_immutable) = match path {
        "imagePullSecrets" => (
            json!([{"name": "other"}]),
            json!([{"name": "a"}, {"name": "a"}]),
            false,
        ),
        "config" => (
            json!({"server.conf": {"misc": {"http_server_header": "other"}}, "sso.conf": {"signup": {"is_approval_needed": "False"}}}),
            json!({"none.conf": {}}),
            false,
        ),
        "startupCallables" => (
            json!([{"name": "m.f", "failurePolicy": "Ignore"}]),
            json!([{"name": "m.f"}, {"name": "m.f"}]),
            false,
        ),
        "database/sqlite/storage/size" => (json!("6Gi"), json!("much"), false),
        "database/sqlite/storage/storageClassName" | "clusterRef/name" => (json!("other"), json!(""), true),
        // What a Quickstart cluster cannot have: tests/admission.rs has what a Distributed one can.
        "topology" => (json!("Distributed"), json!("Nonsense"), true),
        "database/postgresql" => (
            json!({"host": "pg", "database": "zato", "credentialsSecretRef": {"name": "pg"}}),
            json!({"host": "pg"}),
            true,
        ),
        "servers/replicas" => (json!(0), json!(-1), false),
        "loadBalancer/replicas" => (json!(2), json!(0), true),
        "source/inline" => (json!({"b.py": "x = 1\n"}), json!({"b.txt": ""}), false),
        "channels" => {
            let channel = |security: Value| json!([{"name": "c", "rest": {"service": "s", "urlPath": "/a/{b}", "methods": ["GET"], "security": security}}, {"name": "d", "soap": {"urlPath": "/d", "services": ["s"], "security": security}}]);
            (channel(json!({"none": {}})), channel(json!({})), false)
        }
        "jobs" => {
            let job = |time: Value| json!([{"name": "j", "service": "s", "interval": time}]);
            (job(json!("15m")), job(json!("0s")), false)
        }
        "rollbackTo" => (json!("0123456789abcdef"), json!("latest"), false),
        "expectedServices" => (json!(["other"]), json!(["a", "a"]), false),
        "openapi/tags" => (json!(["other"]), json!([]), false),
        "source/git" => (
            json!({"url": "https://git.example.com/a.git"}),
            json!({"url": "http://git.example.com/a.git"}),
            true,
        ),
        "source/configMaps" => (json!([{"name": "m"}]), json!([]), true),
        _ => return None,
    };
    Some(Edit {
        path: path.into(),
        other,
        refused,
        is_immutable,
    })
}
