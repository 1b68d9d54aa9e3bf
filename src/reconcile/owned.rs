//! Pure: what of an object is ours, by the API server's own account (managedFields), in a form that can be compared with
//! a manifest. So nothing must be remembered from before a restart to know that nothing must be sent.

use serde_json_borrow::{ObjectAsVec, Value};
use sha2::{Digest as _, Sha256};

use crate::k8s::labels;

/// A hash of fields with their values; the default one is that of an object of which nothing is ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u8; 32]);

/// A hash of the fields of a live object that we applied last, with the values that they have now.
pub fn digest(object: &Value) -> Digest {
    let is_ours = |entry: &&Value| {
        let has = |name: &str, value: &str| entry.get(name).as_str() == Some(value);
        has("manager", labels::MANAGER) && has("operation", "Apply") && !has_subresource(entry)
    };
    let entries = object.get("metadata").get("managedFields").iter_array();
    let ours = entries.and_then(|mut entries| entries.find(is_ours));
    match ours.and_then(|entry| entry.get("fieldsV1").as_object()) {
        Some(fields) => {
            let mut text = String::new();
            write_part(object, fields, &mut text);
            hash(&text)
        }
        None => Digest::default(),
    }
}

fn has_subresource(entry: &Value) -> bool {
    entry
        .get("subresource")
        .as_str()
        .is_some_and(|name| !name.is_empty())
}

/// The hash that [`digest`] gives for an object to which `manifest` was applied, if the API server changed no value.
pub fn wanted(manifest: &serde_json::Value) -> Digest {
    let mut manifest = manifest.clone();
    leave_out(Some(&mut manifest), &["apiVersion", "kind"]);
    leave_out(manifest.get_mut("metadata"), &["name", "namespace"]);
    let mut text = String::new();
    write_whole(&Value::from(&manifest), &mut text);
    hash(&text)
}

fn leave_out(object: Option<&mut serde_json::Value>, names: &[&str]) {
    if let Some(object) = object.and_then(serde_json::Value::as_object_mut) {
        object.retain(|name, _| !names.contains(&name.as_str()));
    }
}

fn hash(text: &str) -> Digest {
    Digest(Sha256::digest(text).into())
}

/// Writes the part of `value` that a set of fields in the form of `fieldsV1` names, as [`write_whole`] would.
fn write_part(value: &Value, fields: &ObjectAsVec, text: &mut String) {
    match value {
        Value::Object(object) if !fields.is_empty() => {
            let mut parts: Vec<_> = fields.iter().filter_map(|field| member(object, field)).collect();
            parts.sort_unstable_by_key(|(name, ..)| *name);
            text.push('{');
            for (name, value, fields) in parts {
                write_text(name, text);
                write_part(value, fields, text);
            }
            text.push('}');
        }
        Value::Array(items) if !fields.is_empty() => {
            let fields: Vec<_> = fields.iter().filter_map(selector).collect();
            text.push('[');
            for item in items {
                if let Some((_, fields)) = fields.iter().find(|(selector, _)| selector.selects(item)) {
                    write_part(item, fields, text);
                }
            }
            text.push(']');
        }
        whole => write_whole(whole, text),
    }
}

/// A field of an object (`f:`), if it has it: name, value, and which part of that.
fn member<'a>(
    object: &'a ObjectAsVec<'a>,
    (key, fields): (&'a str, &'a Value<'a>),
) -> Option<(&'a str, &'a Value<'a>, &'a ObjectAsVec<'a>)> {
    let name = key.strip_prefix("f:")?;
    Some((name, object.get(name)?, fields.as_object()?))
}

/// Which items of a list are meant.
enum Selector<'a> {
    /// Those with these keys (`k:`).
    Keys(ObjectAsVec<'a>),
    /// Those of this value (`v:`).
    Value(Value<'a>),
}

impl Selector<'_> {
    fn selects(&self, item: &Value) -> bool {
        match self {
            Self::Keys(keys) => {
                let object = item.as_object();
                object.is_some_and(|object| keys.iter().all(|(name, value)| object.get(name) == Some(value)))
            }
            Self::Value(value) => value == item,
        }
    }
}

fn selector<'a>((key, fields): (&'a str, &'a Value<'a>)) -> Option<(Selector<'a>, &'a ObjectAsVec<'a>)> {
    let selector = match key.strip_prefix("k:") {
        Some(keys) => match serde_json::from_str(keys).ok()? {
            Value::Object(keys) => Selector::Keys(keys),
            _ => return None,
        },
        None => Selector::Value(serde_json::from_str(key.strip_prefix("v:")?).ok()?),
    };
    Some((selector, fields.as_object()?))
}

/// Writes a value with sorted names, so that no two different values give the same text.
fn write_whole(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in members {
                write_text(name, text);
                write_whole(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_whole(item, text);
            }
            text.push(']');
        }
        Value::Str(value) => write_text(value, text),
        Value::Number(number) => {
            text.push_str(&number.to_string());
            text.push(',');
        }
        Value::Bool(true) => text.push('t'),
        Value::Bool(false) => text.push('f'),
        Value::Null => text.push('n'),
    }
}

/// The length says where it ends.
fn write_text(value: &str, text: &mut String) {
    text.push('"');
    text.push_str(&value.len().to_string());
    text.push(':');
    text.push_str(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The digest of an object of which these fields are ours.
    fn digest_of(mut object: Value, fields: Value) -> Digest {
        object["metadata"]["managedFields"] = json!([
            {"manager": "kubelet", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {}}},
            {"manager": labels::MANAGER, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields},
        ]);
        digest(&serde_json::from_str(&object.to_string()).unwrap())
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
        assert_eq!(
            digest(&serde_json::from_str(&live().to_string()).unwrap()),
            Digest::default()
        );
    }
}
