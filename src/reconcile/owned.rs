//! Pure: what of an object is ours, by the API server's own account (managedFields), in a form that can be compared with
//! a manifest. So nothing must be remembered from before a restart to know that nothing must be sent.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::exchange::hash;
use crate::k8s::labels;

/// A hash of the fields of a live object that we applied last, with the values that they have now.
pub fn digest(object: &Value) -> String {
    let is_ours = |entry: &&Value| {
        entry["manager"] == labels::MANAGER
            && entry["operation"] == "Apply"
            && entry["subresource"].as_str().unwrap_or_default().is_empty()
    };
    let entries = object["metadata"]["managedFields"].as_array();
    let ours = entries.and_then(|entries| entries.iter().find(is_ours));
    match ours.and_then(|entry| entry["fieldsV1"].as_object()) {
        Some(fields) => {
            let mut text = String::new();
            write_part(object, fields, &mut text);
            hash(text.as_bytes())
        }
        None => String::new(),
    }
}

/// The hash that [`digest`] gives for an object to which `manifest` was applied, if the API server changed no value.
pub fn wanted(manifest: &Value) -> String {
    let mut manifest = manifest.clone();
    if let Some(object) = manifest.as_object_mut() {
        object.retain(|key, _| key != "apiVersion" && key != "kind");
    }
    if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| key != "name" && key != "namespace");
    }
    hash(canonical(&manifest).as_bytes())
}

/// Writes the part of `value` that a set of fields in the form of `fieldsV1` names, as [`write_canonical`] would.
fn write_part(value: &Value, fields: &Map<String, Value>, text: &mut String) {
    match value {
        Value::Object(object) if !fields.is_empty() => {
            let mut parts: Vec<_> = fields.iter().filter_map(|field| member(object, field)).collect();
            parts.sort_by_key(|(name, ..)| *name);
            text.push('{');
            for (name, value, fields) in parts {
                let _ = write!(text, "{name:?}:");
                write_part(value, fields, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) if !fields.is_empty() => {
            let fields: Vec<_> = fields.iter().filter_map(selector).collect();
            text.push('[');
            for item in items {
                if let Some((_, fields)) = fields.iter().find(|(selector, _)| selector.selects(item)) {
                    write_part(item, fields, text);
                    text.push(',');
                }
            }
            text.push(']');
        }
        whole => write_canonical(whole, text),
    }
}

/// A field of an object (`f:`), if it has it: name, value, and which part of that.
fn member<'a>(
    object: &'a Map<String, Value>,
    (key, fields): (&'a String, &'a Value),
) -> Option<(&'a str, &'a Value, &'a Map<String, Value>)> {
    let name = key.strip_prefix("f:")?;
    Some((name, object.get(name)?, fields.as_object()?))
}

/// Which items of a list are meant.
enum Selector {
    /// Those with these keys (`k:`).
    Keys(Map<String, Value>),
    /// Those of this value (`v:`).
    Value(Value),
}

impl Selector {
    fn selects(&self, item: &Value) -> bool {
        match self {
            Self::Keys(keys) => keys.iter().all(|(name, value)| item.get(name) == Some(value)),
            Self::Value(value) => value == item,
        }
    }
}

fn selector<'a>((key, fields): (&String, &'a Value)) -> Option<(Selector, &'a Map<String, Value>)> {
    let selector = match key.strip_prefix("k:") {
        Some(keys) => Selector::Keys(serde_json::from_str(keys).ok()?),
        None => Selector::Value(serde_json::from_str(key.strip_prefix("v:")?).ok()?),
    };
    Some((selector, fields.as_object()?))
}

/// The value as text with sorted keys.
fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => {
            let mut keys: Vec<_> = object.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in keys {
                let _ = write!(text, "{key:?}:");
                write_canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        other => {
            let _ = write!(text, "{other}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The digest of an object of which these fields are ours.
    fn digest_of(mut object: Value, fields: Value) -> String {
        object["metadata"]["managedFields"] = json!([
            {"manager": "kubelet", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {}}},
            {"manager": labels::MANAGER, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields},
        ]);
        digest(&object)
    }

    fn manifest() -> Value {
        json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "labels": {"a": "1"}}, "spec": {
            "ports": [{"port": 80, "name": "http"}], "words": ["one"], "volume": {}, "atomic": {"q": [1]}}})
    }

    fn fields() -> Value {
        json!({"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}":
            {".": {}, "f:port": {}, "f:name": {}}}, "f:words": {"v:\"one\"": {}}, "f:volume": {}, "f:atomic": {}}})
    }

    /// As the API server returns it: with defaults, and with what others added.
    fn live() -> Value {
        json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "uid": "u", "labels": {"a": "1", "theirs": "2"}},
            "spec": {"ports": [{"port": 443, "protocol": "TCP"}, {"port": 80, "protocol": "TCP", "name": "http", "targetPort": 80}],
            "words": ["theirs", "one"], "volume": {}, "atomic": {"q": [1]}, "default": true}, "status": {"y": 1}})
    }

    #[test]
    fn what_was_applied_is_recognised_among_defaults_and_fields_of_others() {
        assert_eq!(digest_of(live(), fields()), wanted(&manifest()));
    }

    #[test]
    fn a_changed_a_lost_and_a_surplus_field_are_noticed() {
        let is_current = |live: &Value, fields: Value| digest_of(live.clone(), fields) == wanted(&manifest());
        let mut changed = live();
        changed["spec"]["ports"][1]["name"] = "other".into();
        assert!(!is_current(&changed, fields()));
        let mut replaced = live();
        replaced["spec"]["volume"] = Value::Null;
        assert!(!is_current(&replaced, fields()));
        let mut atomic = live();
        atomic["spec"]["atomic"]["q"] = json!([2]);
        assert!(!is_current(&atomic, fields()));
        // Somebody took the field over: it is not in our entry any more, whatever its value.
        let mut lost = fields();
        lost["f:spec"]["f:words"] = json!({".": {}});
        assert!(!is_current(&live(), lost));
        // We applied more than we want now.
        let mut surplus = fields();
        surplus["f:spec"]["f:default"] = json!({});
        assert!(!is_current(&live(), surplus));
        assert_eq!(digest(&live()), "");
    }
}
