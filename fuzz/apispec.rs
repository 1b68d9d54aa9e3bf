//! The reader of Python source, and all that is made of what it read, on whatever bytes: nothing may panic, run without
//! end, or leave a reference in a document that leads nowhere. Files are divided by a line of `####`.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use zato_operator::documents;
use zato_operator::openapi::document::{Settings, document};
use zato_operator::openapi::schema::Version;
use zato_operator::openapi::{facts, postman, wsdl};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let files: BTreeMap<String, String> = (0..)
        .zip(text.split("####\n"))
        .map(|(number, text)| (format!("module_{number}.py"), text.to_owned()))
        .collect();
    let named = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let api = documents::services(&documents::project(named), None, &["public".into()]);
    for version in [Version::V31, Version::V30] {
        let settings = Settings {
            version,
            ..Settings::default()
        };
        let document = serde_json::to_value(document(&api, &settings)).expect("a document is JSON");
        assert_references(&document, &document);
    }
    let settings = wsdl::Settings {
        namespace: "urn:zato:services".into(),
        address: "http://localhost/zato/soap".into(),
    };
    wsdl::wsdl(&api, &settings, |_| true).expect("it is written to memory");
    postman::collection(&api, "http://localhost", facts::INVOKE_PATH);
    assert!(documents::breaks(&files, &files).is_empty(), "no change breaks callers");
});

fn assert_references(value: &Value, document: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                let pointer = reference.strip_prefix('#').expect("a reference within the document");
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            fields.values().for_each(|value| assert_references(value, document));
        }
        Value::Array(items) => items.iter().for_each(|value| assert_references(value, document)),
        _ => {}
    }
}
