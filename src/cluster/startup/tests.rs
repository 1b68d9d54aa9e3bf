//! What is refused, and what a pod mounts.

use super::*;
use rstest::rstest;
use serde_json::{Value, json};

fn content(texts: &[(&str, &str)], binary: &[&str]) -> Arc<Content> {
    let owned = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
    Arc::new(Content {
        texts: texts.iter().map(owned).collect(),
        binary: binary.iter().map(|key| (*key).to_owned()).collect(),
    })
}

fn contents() -> Contents {
    let large = format!("f = '{}'", "x".repeat(MOST_BYTES));
    let texts = [
        ("m.py", "def f(ctx): pass\ndef g(ctx): pass\n"),
        ("other.py", "def f(ctx): return\n"),
        ("bad.py", "def f(:\n"),
        ("large.py", large.as_str()),
    ];
    [
        ("code".to_owned(), Some(content(&texts, &["b.py"]))),
        ("gone".to_owned(), None),
    ]
    .into()
}

fn of(callables: Value) -> Result<Option<Startup>, Error> {
    let callables: Vec<StartupCallable> = serde_json::from_value(callables).unwrap();
    startup(&callables, &contents())
}

fn from(name: &str, key: &str) -> Value {
    json!({"name": name, "configMapKeyRef": {"name": "code", "key": key}})
}

#[rstest]
#[case(json!([{"name": "m.f", "configMapKeyRef": {"name": "gone", "key": "m.py"}}]), "ConfigMap gone of spec.startupCallables does not exist: create it")]
#[case(json!([from("m.f", "none.py")]), "ConfigMap code of spec.startupCallables has no key none.py: add it")]
#[case(json!([from("b.f", "b.py")]), "ConfigMap code of spec.startupCallables has no text in UTF-8 in key b.py")]
#[case(json!([from("m.f", "bad.py")]), "ConfigMap code of spec.startupCallables has an error in key bad.py: m.py:1:7: Expected a parameter or the end of the parameter list: mend it")]
#[case(json!([from("m.lost", "m.py")]), "ConfigMap code of spec.startupCallables has no lost in key m.py, which m.lost names: add it")]
#[case(json!([from("m.f", "m.py"), from("m.g", "other.py")]), "startupCallables[m.g]: module m comes from another key, too: rename one")]
#[case(json!([{"name": "zato_operator_startup.call"}]), "startupCallables[zato_operator_startup.call]: this module is the operator's")]
#[case(json!([from("zato_operator_startup.f", "m.py")]), "startupCallables[zato_operator_startup.f]: this module is the operator's")]
#[case(json!([from("m.f", "m.py"), from("large.f", "large.py")]), "startupCallables: their modules have 921640 bytes, and 921600 fit")]
fn what_is_wrong_is_told(#[case] callables: Value, #[case] wanted: &str) {
    let error = of(callables).unwrap_err().to_string();
    assert!(error.starts_with(wanted), "{error}");
}

#[test]
fn nothing_is_nothing() {
    assert_eq!(of(json!([])).unwrap(), None);
}

#[test]
fn the_list_that_the_wrapper_reads() {
    let found = of(json!([
        from("m.f", "m.py"),
        from("m.g", "m.py"),
        {"name": "zato.own.f", "phases": ["AfterStarted", "FSConfigOnly"], "failurePolicy": "Ignore", "timeoutSeconds": 5},
    ]));
    let found = found.unwrap().unwrap();
    assert_eq!(found.modules.keys().collect::<Vec<_>>(), ["m.py"]);
    assert_eq!(found.seconds(), 2 * 5 * 60 + 2 * 5);
    insta::assert_json_snapshot!(found.callables[1..]);
    assert_eq!(found.callables[0].phases.len(), 5);
}

/// Another name is another pod.
#[test]
fn what_a_pod_mounts_has_a_name_of_its_contents() {
    let hash = |callables: Value| of(callables).unwrap().unwrap().hash();
    let (one, other) = (from("m.f", "m.py"), json!({"name": "x.y"}));
    let first = hash(json!([one, other]));
    assert_eq!(first, hash(json!([one, other])));
    assert_ne!(first, hash(json!([other, one])));
    assert_ne!(first, hash(json!([from("m.f", "other.py"), other])));
    assert_ne!(first, hash(json!([one, {"name": "x.y", "timeoutSeconds": 7}])));
}

#[test]
fn the_config_maps_that_are_named() {
    let spec = json!({"startupCallables": [from("m.f", "m.py"), {"name": "x.y"}, from("m.g", "m.py")]});
    let cluster = crate::cluster::plan::tests::cluster(spec);
    assert_eq!(config_maps(&cluster), ["code"].into());
}
