//! Whole documents as snapshots, and what holds for every source.

use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::docstring::Side;
use super::document::{Settings, document};
use super::model::{Access, Api, Channel, Service, Type};
use super::project::Project;
use super::read::{self, Selection};
use super::schema::Version;
use super::select::Patterns;
use super::{docstring, facts, source};

const ACCOUNT: &str = include_str!("../../tests/openapi/services/account.py");
const LOGIN: &str = include_str!("../../tests/openapi/services/login.py");
const FORMS: &str = include_str!("../../tests/openapi/services/forms.py");
const ELEMENTS: &str = include_str!("../../tests/openapi/services/elements.py");
const MODELS: &str = include_str!("../../tests/openapi/services/models.py");
const USERS: &str = include_str!("../../tests/openapi/services/users.py");
const TAGS: &str = include_str!("../../tests/openapi/services/tags.py");
const UNTOLD: &str = include_str!("../../tests/openapi/untold/untold.py");

/// What files of these names and contents define.
pub(super) fn api(files: &[(&str, &str)], tags: &[&str]) -> Api {
    let modules = files
        .iter()
        .map(|(name, text)| source::read(&format!("{name}.py"), name, text).unwrap())
        .collect();
    let selection = Selection {
        include: Patterns::new(["*"]).unwrap(),
        tags: tags.iter().map(ToString::to_string).collect(),
        ..Selection::default()
    };
    read::api(&Project::new(modules), &selection)
}

/// Services in SimpleIO and with models.
pub(super) fn mixed() -> Api {
    api(
        &[("account", ACCOUNT), ("models", MODELS), ("users", USERS)],
        &["public"],
    )
}

/// Channels: parameters of the path and of the query string, what is left for the body, and who may call.
#[rstest]
fn channels(#[values(Version::V31, Version::V30)] version: Version) {
    let text = "from zato.server.service import *\n\nclass One(Service):\n    \"\"\" One account.\n    \"\"\"\n    name = 'a.one'\n    input = 'account_id', 'kind', '-is_new', List('tags')\n    output = 'name'\n";
    let channel = |path: &str, methods: &[&str], access, is_limited| Channel {
        service: "a.one".into(),
        path: path.into(),
        methods: methods.iter().map(ToString::to_string).collect(),
        access,
        is_limited,
        ..Channel::default()
    };
    let mut api = api(&[("a", text)], &["public"]);
    api.channels = vec![
        channel(
            "/a/{account_id}/{kind}",
            &["GET", "PUT"],
            Some(Access::BasicAuth),
            false,
        ),
        channel("/a", &["DELETE", "POST"], Some(Access::ApiKey), true),
        channel("/open/{other}", &["GET"], None, false),
        Channel {
            service: "not.documented".into(),
            ..channel("/x", &["GET"], None, false)
        },
    ];
    insta::assert_snapshot!(format!("channels-{version:?}"), yaml(&api, version));
}

/// Where WebSocket clients connect, what they send and get, and who is let in.
#[test]
fn web_sockets() {
    let text = "from zato.server.service import Service\n\nclass One(Service):\n    \"\"\" One price.\n    \"\"\"\n    name = 'a.one'\n    input = 'symbol'\n    output = 'price'\n\nclass Two(Service):\n    name = 'a.two'\n";
    let web_socket = |service: &str, path: &str, access| Channel {
        service: service.into(),
        path: path.into(),
        access,
        ..Channel::default()
    };
    let mut api = api(&[("a", text)], &["public"]);
    api.web_sockets = vec![
        web_socket("a.one", ":7001/prices", Some(Access::BasicAuth)),
        web_socket("a.two", ":7002/open", None),
        web_socket("not.documented", ":7003/x", None),
    ];
    let settings = Settings {
        servers: vec![
            "http://c.ns.svc:11223".into(),
            "https://api.example.com/v1".into(),
        ],
        ..Settings::default()
    };
    let found = serde_json::to_value(document(&api, &settings)).unwrap();
    let expected = json!([
        {
            "urls": ["ws://c.ns.svc:7001/prices", "ws://api.example.com:7001/prices"],
            "summary": "One price.",
            "request": {"$ref": "#/components/schemas/request_a_one"},
            "response": {"$ref": "#/components/schemas/response_a_one"},
            "security": [{"BasicAuth": []}],
            "x-zato-service": "a.one",
        },
        {
            "urls": ["ws://c.ns.svc:7002/open", "ws://api.example.com:7002/open"],
            "security": [],
            "x-zato-service": "a.two",
        },
    ]);
    assert_eq!(found["x-zato-web-sockets"], expected);
}

fn json(api: &Api, version: Version) -> Value {
    let settings = Settings {
        version,
        ..Settings::default()
    };
    serde_json::to_value(document(api, &settings)).unwrap()
}

fn yaml(api: &Api, version: Version) -> String {
    let settings = Settings {
        version,
        servers: vec!["https://api.example.com".into()],
        ..Settings::default()
    };
    let mut text = serde_saphyr::to_string(&document(api, &settings)).unwrap();
    for warning in &api.warnings {
        writeln!(text, "# {warning}").unwrap();
    }
    text
}

#[rstest]
#[case("article", &[("account", ACCOUNT), ("login", LOGIN)])]
#[case("forms", &[("forms", FORMS)])]
#[case("elements", &[("elements", ELEMENTS)])]
#[case("models", &[("models", MODELS), ("users", USERS)])]
#[case("tags", &[("tags", TAGS)])]
#[case("untold", &[("untold", UNTOLD)])]
fn documents(
    #[case] name: &str,
    #[case] files: &[(&str, &str)],
    #[values(Version::V31, Version::V30)] version: Version,
) {
    insta::assert_snapshot!(
        format!("{name}-{version:?}"),
        yaml(&api(files, &["public"]), version)
    );
}

#[test]
fn the_account_of_the_article() {
    let document = json(&api(&[("account", ACCOUNT)], &["public"]), Version::V31);
    let post = &document["paths"]["/zato/api/invoke/api.get.user.account"]["post"];
    assert_eq!(post["operationId"], "post__zato_api_invoke_api_get_user_account");
    assert_eq!(
        post["summary"],
        "Returns user account details based on user ID and type."
    );
    let schemas = &document["components"]["schemas"];
    let (request, response) = (
        &schemas["request_api_get_user_account"],
        &schemas["response_api_get_user_account"],
    );
    assert_eq!(request["title"], "Request object for api.get.user.account");
    assert_eq!(
        request["required"],
        serde_json::json!(["account_id", "user_type"])
    );
    assert_eq!(request["properties"]["account_id"]["type"], "integer");
    assert_eq!(
        request["properties"]["user_type"]["description"],
        "Type of the user the account belongs to"
    );
    assert_eq!(
        response["required"],
        serde_json::json!(["user_name", "needs_review"])
    );
    assert_eq!(response["properties"]["needs_review"]["type"], "boolean");
    assert_eq!(response["properties"]["user_name"]["type"], "string");
}

#[test]
fn tags_choose_what_is_said() {
    let description = |tags: &[&str]| {
        api(&[("tags", TAGS)], tags).services["tags.some"]
            .description
            .clone()
    };
    assert_eq!(description(&["public"]), "How it does it:\n  1. so");
    assert_eq!(
        description(&["public", "internal"]),
        "How it does it:\n  1. so\n\n**@internal**\n\nOnly for us.\n\nIn two lines."
    );
    assert_eq!(description(&["nothing"]), "");
}

// What the SimpleIO of Zato 3.2 answered for each name.
#[rstest]
#[case("id", Type::Integer)]
#[case("ID", Type::Text)]
#[case("my_id", Type::Integer)]
#[case("pid", Type::Text)]
#[case("xid", Type::Text)]
#[case("count", Type::Text)]
#[case("user_count", Type::Integer)]
#[case("a_size_min", Type::Integer)]
#[case("a_timeout", Type::Integer)]
#[case("is_x", Type::Boolean)]
#[case("IS_x", Type::Text)]
#[case("is_id", Type::Boolean)]
#[case("this_is_x", Type::Text)]
#[case("by_x", Type::Boolean)]
#[case("may_", Type::Boolean)]
#[case("should_x", Type::Boolean)]
#[case("needs_review", Type::Boolean)]
#[case("token", Type::Secret)]
#[case("my_token", Type::Text)]
#[case("apiKey", Type::Secret)]
fn a_name_gives_a_type(#[case] name: &str, #[case] expected: Type) {
    assert_eq!(facts::element_type(facts::infer(name), Side::Input), expected);
}

#[test]
fn the_reference_names_every_rule() {
    let text = include_str!("../../docs/reference/openapi.md");
    for rule in &facts::RULES {
        let names = rule.exact.iter().chain(rule.prefixes).chain(rule.suffixes);
        for name in names {
            assert!(
                text.contains(&format!("`{name}`")),
                "{name} is not in docs/reference/openapi.md"
            );
        }
    }
}

#[rstest]
#[case("* a - one\n* b - two", Side::Input, "a", "one")]
#[case("* a - one\n* b - two", Side::Output, "b", "two")]
#[case("* a - one\n\n* a - two", Side::Input, "a", "one")]
#[case("* a - one\n\n* a - two", Side::Output, "a", "two")]
#[case("* a - one\n/\n* a - two\n* b - x", Side::Output, "a", "two")]
#[case("* a - one\n/\n* b - x", Side::Input, "b", "")]
#[case("Output\n* a - two\nInput:\n* a - one", Side::Input, "a", "one")]
#[case("* a - one\n  more\n\n  last\n* b", Side::Input, "a", "one more\n\nlast")]
#[case("* b\n  text", Side::Input, "b", "text")]
#[case("*a - b\n* - c\n*", Side::Input, "a", "")]
fn lines_describe_elements(
    #[case] text: &str,
    #[case] side: Side,
    #[case] name: &str,
    #[case] expected: &str,
) {
    assert_eq!(docstring::descriptions(text).of(side, name), expected);
}

#[rstest]
#[case::cycle_of_bases("class A(B): pass\nclass B(A): pass\n")]
#[case::its_own_base("class A(A): pass\n")]
#[case::cycle_of_values(
    "from zato.server.service import Service\nX = Y\nY = X\nclass A(Service):\n  name = 'a'\n  input = X\n"
)]
#[case::doubling(
    "from zato.server.service import Service\nA0 = ('a', 'b')\nA1 = A0 + A0\nA2 = A1 + A1\nA3 = A2 + A2\nclass A(Service):\n  name = 'a'\n  input = A3\n"
)]
#[case::cycle_of_types(
    "from zato.server.service import Service, Model, dataclass\nX = list[X]\n@dataclass\nclass M(Model):\n  x: X\nclass A(Service):\n  name = 'a'\n  input = M\n"
)]
#[case::cycle_of_imports("from m import A\nclass B(A): pass\n")]
#[case::star_of_itself("from m import *\nclass B(A): pass\n")]
fn what_refers_to_itself_ends(#[case] text: &str) {
    let api = api(&[("m", text)], &["public"]);
    assert!(api.services.len() <= 1, "{api:?}");
}

#[test]
fn what_branches_at_each_step_ends() {
    let mut text = String::from("from zato.server.service import *\nfrom zato.common.typing_ import *\n");
    text += &"from m import *\nfrom n import *\n".repeat(50);
    for number in 1..30 {
        let (before, many) = (number - 1, format!("*V{}, ", number - 1).repeat(50));
        writeln!(
            text,
            "V{number} = ({many})\nT{number} = union_[{0}]",
            format!("T{before}, ").repeat(50)
        )
        .unwrap();
        writeln!(
            text,
            "D{number} = ({})",
            format!("Dict('d', *D{before}), ").repeat(50)
        )
        .unwrap();
    }
    text += "@dataclass\nclass M(Model):\n  a: T29\n  b: Unknown\n";
    text +=
        "class S(Service):\n  name = 's'\n  input = V29\n  output = M\nclass T(Unknown):\n  input = D29\n";
    text += "class U(Service):\n  name = 'u'\n  input = D29\n";
    let api = api(&[("m", &text), ("n", &text)], &["public"]);
    assert_eq!(api.services.keys().collect::<Vec<_>>(), ["s", "u"]);
    assert!(
        api.warnings
            .iter()
            .any(|warning| warning.text.contains("refers to itself or is very large"))
    );
}

#[test]
fn long_chains_of_bases_and_values_end() {
    let mut text =
        String::from("from zato.server.service import Service\nclass A0(Service): input = V0\nV0 = 'a'\n");
    for number in 1..1_000 {
        let before = number - 1;
        writeln!(
            text,
            "class A{number}(A{before}): pass\nV{number} = V{before} + V{before}"
        )
        .unwrap();
    }
    text += "class Last(Service):\n  name = 'last'\n  input = V999\n";
    let api = api(&[("m", &text)], &["public"]);
    assert!(matches!(api.services["last"].input, Some(Type::Either(_))));
    assert!(api.services.contains_key("m.a0"));
}

/// Every `$ref` of a document.
fn references(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            into.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, into)),
        _ => {}
    }
}

fn assert_sound(api: &Api, version: Version) {
    let document = json(api, version);
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in found {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), api.services.len());
    let operations: BTreeSet<_> = paths
        .values()
        .map(|path| path["post"]["operationId"].to_string())
        .collect();
    assert_eq!(operations.len(), paths.len(), "operationId is not unique");
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(
            name.chars()
                .all(|character| character.is_ascii_alphanumeric() || "._-".contains(character)),
            "{name}"
        );
    }
}

#[test]
fn names_that_differ_in_punctuation_only_do_not_collide() {
    let text = "from zato.server.service import Service\nclass A(Service):\n  name = 'a.b'\n  input = 'x'\nclass B(Service):\n  name = 'a-b'\n  input = 'y'\nclass C(Service):\n  name = 'a/b {c}'\n  input = 'z'\n";
    let api = api(&[("m", text)], &["public"]);
    assert_sound(&api, Version::V31);
    let document = json(&api, Version::V31);
    assert!(document["paths"]["/zato/api/invoke/a%2Fb%20%7Bc%7D"].is_object());
    assert_eq!(document["components"]["schemas"].as_object().unwrap().len(), 3);
}

prop_compose! {
    /// A service with names of elements in one of the forms.
    fn service()(
        name in "[a-z]{1,3}([.-][a-z]{1,3}){0,2}",
        input in proptest::collection::vec("-?[a-z_]{1,8}(_id|_count)?", 1..6),
        required in proptest::bool::ANY,
        doc in "[ -!#-\\[\\]-~\n]{0,60}",
        form in 0..3,
    ) -> (String, Vec<String>, bool, i32, String) {
        let names = input.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        let list = if required { "input_required" } else { "input_optional" };
        let doc = doc.replace('\'', "");
        let body = match form {
            0 => format!("    input = [{names}]\n"),
            1 => format!("    class SimpleIO:\n        input = {names},\n"),
            _ => format!("    class SimpleIO:\n        {list} = ({names},)\n"),
        };
        let text = format!("class S(Service):\n    '''{doc}'''\n    name = '{name}'\n{body}");
        (name, input, required, form, format!("from zato.server.service import Service\n{text}"))
    }
}

fn expected_names(input: &[String], form: i32) -> BTreeSet<String> {
    let bare = |name: &String| {
        let plain = form < 2 && name.starts_with('-');
        if plain {
            name.replace('-', "")
        } else {
            name.clone()
        }
    };
    input.iter().map(bare).collect()
}

proptest! {
    #[test]
    fn every_element_is_in_the_document((name, input, required, form, text) in service()) {
        let api = api(&[("m", &text)], &["public"]);
        assert_sound(&api, Version::V31);
        assert_sound(&api, Version::V30);
        let Some(Type::Object(fields)) = &api.services[&name].input else {
            panic!("{:?}", api.services[&name].input)
        };
        let names: BTreeSet<String> = fields.iter().map(|field| field.name.clone()).collect();
        prop_assert_eq!(names, expected_names(&input, form));
        if form == 2 {
            prop_assert!(fields.iter().all(|field| field.required == required));
        }
    }

    #[test]
    fn a_document_in_yaml_reads_as_the_one_in_json((_, _, _, _, text) in service()) {
        let api = api(&[("m", &text)], &["public"]);
        let document = document(&api, &Settings::default());
        let yaml = serde_saphyr::to_string(&document).unwrap();
        let read: Value = serde_saphyr::from_str(&yaml).unwrap();
        prop_assert_eq!(read, serde_json::to_value(&document).unwrap(), "{}", yaml);
    }

    #[test]
    fn any_description_survives_yaml(text in any::<String>()) {
        let service = Service { name: "a".into(), description: text.clone(), summary: text.clone(), ..Service::default() };
        let api = Api { services: [("a".into(), service)].into(), ..Api::default() };
        let yaml = serde_saphyr::to_string(&document(&api, &Settings::default())).unwrap();
        let read: Value = serde_saphyr::from_str(&yaml).unwrap();
        if !text.is_empty() {
            let post = &read["paths"]["/zato/api/invoke/a"]["post"];
            prop_assert_eq!(post["description"].as_str(), Some(text.as_str()), "{}", yaml);
        }
    }

    #[test]
    fn no_text_ends_the_reader(text in "[ -~\n\t\\x00é]{0,300}") {
        let read = source::read("a.py", "a", &text);
        prop_assert_eq!(read.is_ok(), crate::python::check("a.py", &text).is_ok());
    }
}

proptest! {
    // Each case makes whole documents.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_damage_to_a_service_ends_the_reader(at in 0..3_000_usize, insert in "[ -~\n]{0,8}", cut in 0..40_usize) {
        let whole = format!("{MODELS}\n{USERS}\n{FORMS}\n{ELEMENTS}");
        let at = at.min(whole.len() - 1);
        let (Some(before), Some(after)) = (whole.get(..at), whole.get(at + cut..)) else { return Ok(()) };
        let text = format!("{before}{insert}{after}");
        if let Ok(module) = source::read("a.py", "a", &text) {
            let selection = Selection { include: Patterns::new(["*"]).unwrap(), ..Selection::default() };
            let api = read::api(&Project::new(vec![module]), &selection);
            assert_sound(&api, Version::V31);
        }
    }
}
