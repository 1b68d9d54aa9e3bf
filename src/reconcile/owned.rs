//! Pure: what of an object is ours, by the API server's own account (managedFields), in a form that can be compared with
//! a manifest. So nothing must be remembered from before a restart to know that nothing must be sent.

use std::fmt::Write;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Map, Value};

use crate::exchange::hash;
use crate::k8s::labels;

/// A hash of the fields of a live object that we applied last, with the values that they have now.
pub fn digest(object: &Value, entries: &[ManagedFieldsEntry]) -> String {
    let ours = entries.iter().find(|entry| {
        entry.manager.as_deref() == Some(labels::MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    });
    let fields = ours
        .and_then(|entry| entry.fields_v1.as_ref())
        .map(|fields| &fields.0);
    match fields.and_then(Value::as_object) {
        Some(fields) => hash(canonical(&project(object, fields)).as_bytes()),
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

/// The part of `value` that a set of fields in the form of `fieldsV1` names.
fn project(value: &Value, fields: &Map<String, Value>) -> Value {
    if fields.is_empty() {
        return value.clone();
    }
    match value {
        Value::Object(object) => {
            let of = |(key, fields): (&String, &Value)| {
                let name = key.strip_prefix("f:")?;
                Some((name.to_owned(), project(object.get(name)?, fields.as_object()?)))
            };
            Value::Object(fields.iter().filter_map(of).collect())
        }
        Value::Array(items) => Value::Array(
            items
                .iter()
                .filter_map(|item| project_item(item, fields))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// An item of a list whose items are known by keys (`k:`) or by value (`v:`).
fn project_item(item: &Value, fields: &Map<String, Value>) -> Option<Value> {
    fields.iter().find_map(|(key, fields)| {
        if let Some(keys) = key.strip_prefix("k:") {
            let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
            let is_it = keys.iter().all(|(name, value)| item.get(name) == Some(value));
            return is_it.then(|| project(item, fields.as_object()?).into()).flatten();
        }
        let value: Value = serde_json::from_str(key.strip_prefix("v:")?).ok()?;
        (value == *item).then_some(value)
    })
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

    fn entries(fields: Value) -> Vec<ManagedFieldsEntry> {
        serde_json::from_value(json!([
            {"manager": "kubelet", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {}}},
            {"manager": labels::MANAGER, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields},
        ]))
        .unwrap()
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
        assert_eq!(digest(&live(), &entries(fields())), wanted(&manifest()));
    }

    #[test]
    fn a_changed_a_lost_and_a_surplus_field_are_noticed() {
        let is_current = |live: &Value, fields: Value| digest(live, &entries(fields)) == wanted(&manifest());
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
        assert_eq!(digest(&live(), &[]), "");
    }
}
