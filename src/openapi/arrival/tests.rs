//! Fields of models as they arrive and go out.

use crate::openapi::tests::api;
use rstest::rstest;

const HEAD: &str = "from typing import Annotated, Literal\nfrom uuid import UUID\nfrom zato.common.typing_ import *\n\
                    from zato.server.service import Model, Service, dataclass\n\
                    Twice = optional[union_[str, int]]\nLoop = union_['Loop', Loop]\nBar = str | None\n\
                    Quoted = optional['N']\n\
                    @dataclass\nclass N(Model):\n    n: int\n";

/// What arrives, what goes out, and what is told of a field.
fn described(head: &str, field: &str) -> (String, String, String) {
    let text = format!(
        "{head}{HEAD}@dataclass\nclass M(Model):\n    v: {field}\n\
         class A(Service):\n    name = 'a'\n    input = M\nclass B(Service):\n    name = 'b'\n    output = M\n"
    );
    let api = api(&[("m", &text)], &[]);
    let shown = |name: &str| {
        let field = &api.models[name].fields[0];
        let need = if field.required { "" } else { "-" };
        format!("{need}{}", field.kind)
    };
    let output = if api.models.contains_key("m.M (output)") {
        "m.M (output)"
    } else {
        "m.M"
    };
    let told: Vec<&str> = api.warnings.iter().map(|warning| warning.text.as_str()).collect();
    (shown("m.M"), shown(output), told.join("; "))
}

// A Zato 3.2 that ran was asked for each of them with ten bodies (docs/concepts/zato-3.2-invoke.md).
#[rstest]
#[case("str", "string", "string", "")]
#[case("str = 'x'", "-string", "-string", "")]
#[case("strnone", "-string or null", "-string or null", "")]
#[case("decimal_", "number", "number", "")]
#[case("datetime_", "string of the form date-time", "string", "cannot write")]
#[case(
    "dtnone",
    "-string of the form date-time or null",
    "-string or null",
    "cannot write"
)]
#[case("UUID", "string of the form uuid", "string of the form uuid", "cannot write")]
#[case("dict", "object of any value", "object of any value", "")]
#[case("dict[str, int]", "object of integer", "object of integer", "")]
#[case("anydict", "list of any value", "object of any value", "takes a list here")]
#[case(
    "dict_[str, int] = dict_field()",
    "-list of any value",
    "-object of integer",
    "takes a list here"
)]
#[case(
    "anydictnone",
    "object of any value or null",
    "object of any value or null",
    "500 when it is left out"
)]
#[case(
    "anydictnone = None",
    "-object of any value or null",
    "-object of any value or null",
    ""
)]
#[case(
    "optional[set_[str]]",
    "list of string or null",
    "list of string or null",
    "500 when it is left out"
)]
#[case(
    "optional[dict]",
    "-object of any value or null",
    "-object of any value or null",
    ""
)]
#[case(
    "optional[list_[str]]",
    "-list of string or null",
    "-list of string or null",
    ""
)]
#[case("N", "m.N", "m.N", "")]
#[case("N = None", "m.N", "m.N", "")]
#[case("list_[N]", "list of m.N", "list of m.N", "")]
#[case("list_['N']", "list of m.N", "list of m.N", "")]
#[case(
    "optional[N]",
    "-list of m.N or null",
    "-m.N or null",
    "takes a list of objects here"
)]
#[case("optional['N']", "-m.N or null", "-m.N or null", "every request with 500")]
#[case("optional[list_['N']]", "-list of m.N or null", "-list of m.N or null", "")]
#[case(
    "union_['N', str]",
    "m.N or string",
    "m.N or string",
    "every request with 500"
)]
#[case("union_[N, str]", "m.N or string", "m.N or string", "")]
#[case("union_[str, int]", "string or integer", "string or integer", "")]
#[case("union_[int, str]", "integer", "integer or string", "only the first type")]
#[case(
    "union_[date_, str]",
    "string of the form date",
    "string of the form date or string",
    "only the first type"
)]
#[case(
    "union_[UUID, str]",
    "string of the form uuid or string",
    "string of the form uuid or string",
    "cannot write"
)]
#[case(
    "union_[int, None, str]",
    "-integer or null",
    "-integer or string or null",
    "only the first type"
)]
#[case(
    "union_[int, str, None]",
    "integer or null",
    "integer or string or null",
    "requires it"
)]
#[case(
    "optional[union_[int, str]] = 1",
    "-integer or null",
    "-integer or string or null",
    ""
)]
#[case(
    "union_[list_[str], None, str]",
    "-list of string or string or null",
    "-list of string or string or null",
    ""
)]
#[case(
    "union_[None, int]",
    "list of any value",
    "integer or null",
    "None is the first type"
)]
#[case("strint", "string or integer", "string or integer", "")]
#[case("strintnone", "-string or integer or null", "-string or integer or null", "")]
#[case(
    "strorlist",
    "list of any value",
    "list of any value or string",
    "only the first type"
)]
#[case(
    "strorlistnone",
    "list of any value",
    "list of any value or string or null",
    "requires it"
)]
#[case(
    "dictorlist",
    "list of any value",
    "object of any value or list of any value",
    "only the first type"
)]
#[case(
    "strordict",
    "string or object of any value",
    "string or object of any value",
    ""
)]
#[case(
    "Twice",
    "string or integer or null",
    "string or integer or null",
    "requires it"
)]
#[case(
    "Literal['a', 'b']",
    "one of \"a\", \"b\"",
    "one of \"a\", \"b\"",
    "every request with 500"
)]
#[case("Literal[1, 2]", "list of any value", "one of 1, 2", "takes a list here")]
#[case("str | None", "string or null", "string or null", "requires it")]
#[case("'strnone'", "string or null", "string or null", "requires it")]
#[case("'strnone' = None", "-string or null", "-string or null", "")]
fn fields(#[case] field: &str, #[case] arrives: &str, #[case] goes_out: &str, #[case] told: &str) {
    let found = described("", field);
    assert_eq!((found.0.as_str(), found.1.as_str()), (arrives, goes_out));
    assert_eq!(found.2.is_empty(), told.is_empty(), "{}", found.2);
    assert!(found.2.contains(told), "{}", found.2);
}

#[test]
fn strings_that_python_makes_of_all_annotations() {
    let found = described("from __future__ import annotations\n", "strnone");
    assert_eq!(found.0, "string or null");
    assert!(found.2.contains("requires it"), "{}", found.2);
}

#[test]
fn a_union_of_itself_ends() {
    assert!(described("", "Loop").2.contains("refers to itself"));
}
