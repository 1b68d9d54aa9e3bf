//! The wrapper of startup callables in a Python of its own: what it notes, and how it ends the process. Zato's part, which is
//! to call it once in each phase, is played by two lines.

// Helpers of tests are tests, too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use rstest::rstest;
use serde_json::{Value, json};
use zato_operator::exchange::CallableState::{Failed, Passed, Running};
use zato_operator::exchange::{CallableOutcome, CallableState};

const ZATO: &str = "import sys, types\nsys.path.insert(0, sys.argv[1])\nimport zato_operator_startup\n\
                    for phase in sys.argv[2:]:\n    zato_operator_startup.call(types.SimpleNamespace(phase=phase, args=(), kwargs={'x': []}))\n\
                    print('serves')\n";

/// A folder as a pod mounts it.
fn folder(callables: &Value, modules: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for name in ["wrapper", "modules", "state"] {
        fs::create_dir(root.path().join(name)).unwrap();
    }
    let wrapper = include_str!("../src/cluster/startup.py");
    fs::write(root.path().join("wrapper/zato_operator_startup.py"), wrapper).unwrap();
    fs::write(root.path().join("wrapper/callables.json"), callables.to_string()).unwrap();
    for (name, text) in modules {
        fs::write(root.path().join("modules").join(name), text).unwrap();
    }
    root
}

fn entry(name: &str, must_pass: bool) -> Value {
    json!({"name": name, "has_file": true, "phases": ["fs-config-only", "after-started"], "must_pass": must_pass, "timeout": 30})
}

/// One start of a server: its exit code, and what it printed.
fn start(root: &Path, phases: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("python3")
        .args(["-c", ZATO])
        .arg(root.join("wrapper"))
        .args(phases)
        .env("ZATO_OPERATOR_STARTUP", root.join("state/outcomes"))
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// What was noted: where each callable is, and why.
fn noted(root: &Path, file: &str) -> Vec<(String, CallableState, String)> {
    let text = fs::read_to_string(root.join("state").join(file)).unwrap_or_default();
    let read = |line| serde_json::from_str::<CallableOutcome>(line).unwrap();
    text.lines()
        .map(read)
        .map(|found| (found.name, found.outcome, found.error.unwrap_or_default()))
        .collect()
}

/// In the order of the list, in the phases that are asked for, with Zato's own context object.
#[test]
fn callables_are_called_in_order_with_zatos_context() {
    let module = "def first(ctx):\n    ctx.kwargs['x'].append(1)\n\nclass Second:\n    def __init__(self, ctx):\n        assert ctx.kwargs['x'] == [1], ctx.kwargs\n        print('second', ctx.phase, ctx.args)\n";
    let mut second = entry("m.Second", true);
    second["phases"] = json!(["after-started"]);
    let root = folder(&json!([entry("m.first", true), second]), &[("m.py", module)]);
    let (code, said) = start(
        root.path(),
        &["fs-config-only", "impl-before-run", "after-started"],
    );
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "second after-started ()\nserves\n")
    );
    let found = noted(root.path(), "outcomes");
    let names: Vec<_> = found
        .iter()
        .map(|(name, outcome, _)| (name.as_str(), *outcome))
        .collect();
    let both = |name| [(name, Running), (name, Passed)];
    assert_eq!(
        names,
        [both("m.first"), both("m.first"), both("m.Second")].concat()
    );
}

#[rstest]
#[case::raises(
    "def f(ctx):\n    x = 1\n    raise ValueError('no %s' % x)\n",
    "ValueError: no 1 (m.py:3)"
)]
#[case::in_python("import json\ndef f(ctx):\n    json.loads('{')\n", "(m.py:3)")]
#[case::exits(
    "import sys\ndef f(ctx):\n    sys.exit('enough')\n",
    "SystemExit: enough (m.py:3)"
)]
#[case::lacks_the_function("def g(ctx): pass\n", "AttributeError: module 'm' has no attribute 'f'")]
#[case::fails_to_load(
    "import nothing_such\n",
    "ModuleNotFoundError: No module named 'nothing_such' (m.py:1)"
)]
#[case::is_not_python("def f(:\n", "(m.py:1)")]
#[case::cannot_be_told(
    "class E(Exception):\n    def __str__(self):\n        raise self\ndef f(ctx):\n    raise E\n",
    "E, whose message cannot be read (m.py:5)"
)]
#[case::half_a_character(
    "def f(ctx):\n    raise ValueError(b'\\xff'.decode('utf8', 'surrogateescape'))\n",
    "ValueError: \\udcff (m.py:2)"
)]
#[case::is_not_callable("f = 1\n", "TypeError: 'int' object is not callable")]
fn one_that_fails(#[case] module: &str, #[case] expected: &str, #[values(true, false)] must_pass: bool) {
    let root = folder(&json!([entry("m.f", must_pass)]), &[("m.py", module)]);
    let (code, said) = start(root.path(), &["fs-config-only"]);
    assert_eq!(code, Some(if must_pass { 3 } else { 0 }), "{said}");
    assert_eq!(said.contains("serves"), !must_pass);
    let found = noted(root.path(), "outcomes");
    assert_eq!((found.len(), found[1].1), (2, Failed));
    assert!(found[1].2.contains(expected), "{}", found[1].2);
    assert!(said.contains(&format!(
        "startup callable m.f failed in fs-config-only: {}",
        found[1].2
    )));
}

/// Also when Python, or a file of services, has a module of that name.
#[test]
fn a_module_is_the_one_that_was_given() {
    let module = "import json\n\ndef f(ctx):\n    assert json.loads('1') == 1\n    import sys\n    assert sys.modules['json'] is json\n";
    let root = folder(
        &json!([entry("m.f", true), entry("json.g", true)]),
        &[("m.py", module), ("json.py", "def g(ctx): print('mine')\n")],
    );
    let (code, said) = start(root.path(), &["fs-config-only", "after-started"]);
    assert_eq!((code, said.as_str()), (Some(0), "mine\nmine\nserves\n"));
    let mut image = entry("not_there.f", true);
    image["has_file"] = false.into();
    let root = folder(&json!([image]), &[]);
    assert_eq!(start(root.path(), &["fs-config-only"]).0, Some(3));
    assert!(
        noted(root.path(), "outcomes")[1]
            .2
            .contains("No module named 'not_there'")
    );
}

/// Whatever its policy: Python cannot abandon it.
#[rstest]
#[case("def f(ctx):\n    while True:\n        pass\n", "(m.py:")]
#[case("import time\ndef f(ctx):\n    time.sleep(60)\n", "(m.py:3)")]
fn one_that_hangs_is_ended(
    #[case] module: &str,
    #[case] place: &str,
    #[values(true, false)] must_pass: bool,
) {
    let mut callable = entry("m.f", must_pass);
    callable["timeout"] = 1.into();
    let root = folder(&json!([callable]), &[("m.py", module)]);
    assert_eq!(start(root.path(), &["fs-config-only"]).0, Some(3));
    let error = &noted(root.path(), "outcomes")[1].2;
    assert!(
        error.starts_with("it did not end within 1 s") && error.contains(place),
        "{error}"
    );
}

/// Where nothing can be noted, one that must pass ends the server, and the next one is called when the first may fail.
#[rstest]
fn nothing_can_be_noted(#[values(true, false)] must_pass: bool) {
    let module = "def f(ctx): print('f')\n\ndef g(ctx): print('g')\n";
    let root = folder(
        &json!([entry("m.f", must_pass), entry("m.g", false)]),
        &[("m.py", module)],
    );
    fs::create_dir(root.path().join("state/outcomes")).unwrap();
    let (code, said) = start(root.path(), &["after-started"]);
    assert_eq!(
        (code, said.contains("serves")),
        if must_pass {
            (Some(3), false)
        } else {
            (Some(0), true)
        },
        "{said}"
    );
}

/// One that takes the process with it leaves its beginning.
#[test]
fn each_start_has_its_own_file_and_the_one_before_stays() {
    let module = "import os\ndef f(ctx):\n    os._exit(7)\n";
    let root = folder(&json!([entry("m.f", true)]), &[("m.py", module)]);
    assert_eq!(start(root.path(), &["fs-config-only"]).0, Some(7));
    fs::write(root.path().join("modules/m.py"), "def f(ctx): pass\n").unwrap();
    assert_eq!(start(root.path(), &["fs-config-only"]).0, Some(0));
    let states = |file| {
        noted(root.path(), file)
            .into_iter()
            .map(|found| found.1)
            .collect::<Vec<_>>()
    };
    assert_eq!(states("outcomes.before"), [Running]);
    assert_eq!(states("outcomes"), [Running, Passed]);
}
