//! What Zato 3.2 does, as data. Each table names the file of Zato it was read from.
//!
//! Never decides anything: lookups only.

use super::docstring::Side;
use super::model::Type;

/// Types that a SimpleIO element can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Any value, not touched. `Opaque` and `Nested` are other names of it.
    AsIs,
    /// true or false.
    Bool,
    /// Text with commas.
    Csv,
    /// A day.
    Date,
    /// A time.
    DateTime,
    /// A decimal number, as text.
    Decimal,
    /// An object, with keys if it names some.
    Dict,
    /// A list of objects.
    DictList,
    /// A number.
    Float,
    /// A whole number.
    Int,
    /// A list of any values.
    List,
    /// Text.
    Text,
    /// Text that is encrypted on its way in.
    Secret,
    /// A time in UTC, as text.
    Utc,
    /// A UUID.
    Uuid,
}

/// Classes of elements by name (`zato-cy/src/zato/cy/simpleio.py`, `zato-server/src/zato/server/service/__init__.py`).
const ELEMENTS: [(&str, Element); 21] = [
    ("AsIs", Element::AsIs),
    ("Bool", Element::Bool),
    ("Boolean", Element::Bool),
    ("CSV", Element::Csv),
    ("Date", Element::Date),
    ("DateTime", Element::DateTime),
    ("Decimal", Element::Decimal),
    ("Dict", Element::Dict),
    ("DictList", Element::DictList),
    ("Float", Element::Float),
    ("Int", Element::Int),
    ("Integer", Element::Int),
    ("List", Element::List),
    ("ListOfDicts", Element::DictList),
    ("Nested", Element::AsIs),
    ("Opaque", Element::AsIs),
    ("Secret", Element::Secret),
    ("Text", Element::Text),
    ("UTC", Element::Utc),
    ("UUID", Element::Uuid),
    ("Unicode", Element::Text),
];

/// How a name alone gives a type: the whole name, how it starts, how it ends. All of it in exact case.
pub struct Rule {
    /// The type that it gives.
    pub element: Element,
    /// Whole names.
    pub exact: &'static [&'static str],
    /// How names start.
    pub prefixes: &'static [&'static str],
    /// How names end.
    pub suffixes: &'static [&'static str],
}

/// The default of `simple-io.conf` (`zato-common/src/zato/common/simpleio_.py`), in the order in which the rules are
/// tried (`convert_to_elem_instance` in `zato-cy/src/zato/cy/simpleio.py`). A name that none matches is text.
pub const RULES: [Rule; 3] = [
    Rule {
        element: Element::Bool,
        exact: &[],
        prefixes: &["by_", "has_", "is_", "may_", "needs_", "should_"],
        suffixes: &[],
    },
    Rule {
        element: Element::Int,
        exact: &["id"],
        prefixes: &[],
        suffixes: &["_count", "_id", "_size", "_size_min", "_size_max", "_timeout"],
    },
    Rule {
        element: Element::Secret,
        exact: &[
            "auth_data",
            "auth_token",
            "password",
            "password1",
            "password2",
            "secret_key",
            "tls_pem_passphrase",
            "token",
            "api_key",
            "apiKey",
            "xApiKey",
        ],
        prefixes: &[],
        suffixes: &[],
    },
];

/// Services that are left out unless asked for (`zato-cli/src/zato/cli/apispec.py`).
pub const INTERNAL: [&str; 3] = ["zato.*", "pub.zato.*", "helpers.*"];

/// Where a service is invoked by its name (`zato-common/src/zato/common/api.py`, `APISPEC`).
pub const INVOKE_PATH: &str = "/zato/api/invoke/{service_name}";

/// The element around the output of the class form (`zato-common/src/zato/common/simpleio_.py`).
pub const RESPONSE_ELEMENT: &str = "response";

/// Bases of services and where they are (`zato-server/src/zato/server/service/__init__.py` and its `internal` folder).
const SERVICES: [&str; 7] = [
    "Service",
    "RESTAdapter",
    "WSXAdapter",
    "AdminService",
    "PubSubHook",
    "FHIRHook",
    "WSXHook",
];

/// Names of types whose values are text.
const TEXTS: [&str; 7] = ["str", "str_", "Text", "bytes", "strbytes", "path_", "Path"];

/// Names of unions that have None in the second place, where Zato looks for it, although they have more types
/// (`zato-common/src/zato/common/typing_.py`).
pub const NONE_SECOND: [&str; 2] = ["strintnone", "strordictnone"];

/// The element type that `name` gives by itself.
pub fn infer(name: &str) -> Element {
    let matching = RULES.iter().find(|rule| {
        rule.exact.contains(&name)
            || rule.prefixes.iter().any(|prefix| name.starts_with(prefix))
            || rule.suffixes.iter().any(|suffix| name.ends_with(suffix))
    });
    matching.map_or(Element::Text, |rule| rule.element)
}

/// The element class that a name from outside the given files stands for.
pub fn element(full_name: &str) -> Option<Element> {
    let (module, name) = full_name.rsplit_once('.')?;
    let known = ["zato.server.service", "zato.simpleio", "zato.cy.simpleio"].contains(&module);
    let found = ELEMENTS.iter().find(|(own, _)| *own == name)?;
    known.then_some(found.1)
}

/// Whether a name from outside the given files is a base of services.
pub fn is_service(full_name: &str) -> bool {
    let Some((module, name)) = full_name.rsplit_once('.') else {
        return false;
    };
    module.starts_with("zato.server.service") && SERVICES.contains(&name)
}

/// Whether a name from outside the given files is the base of dataclass models.
pub fn is_model(full_name: &str) -> bool {
    let known = [
        "zato.common.marshal_.api.Model",
        "zato.common.typing_.Model",
        "zato.server.service.Model",
    ];
    known.contains(&full_name)
}

/// The type of one element. What goes out is what `to_dict` makes: a time without a zone and a UUID without its dashes,
/// neither of which is what OpenAPI means by their formats.
pub fn element_type(element: Element, side: Side) -> Type {
    match element {
        Element::AsIs => Type::Any(String::new()),
        Element::Bool => Type::Boolean,
        Element::Csv | Element::Text => Type::Text,
        Element::DateTime | Element::Decimal | Element::Utc | Element::Uuid if side == Side::Output => {
            Type::Text
        }
        Element::Decimal => Type::Formatted("decimal".into()),
        Element::Date => Type::Formatted("date".into()),
        Element::DateTime | Element::Utc => Type::Formatted("date-time".into()),
        Element::Dict => Type::Map(Box::new(Type::Any(String::new()))),
        Element::DictList => Type::List(Box::new(Type::Map(Box::new(Type::Any(String::new()))))),
        Element::Float => Type::Number,
        Element::Int => Type::Integer,
        Element::List => Type::List(Box::new(Type::Any(String::new()))),
        Element::Secret => Type::Secret,
        Element::Uuid => Type::Formatted("uuid".into()),
    }
}

/// Whether an output of SimpleIO goes out as null when the service sets None. Other types have a value for it, or fail
/// (docs/concepts/zato-3.2-invoke.md).
pub fn goes_out_as_null(kind: &Type) -> bool {
    matches!(
        kind,
        Type::Text | Type::Secret | Type::Integer | Type::Formatted(_)
    )
}

/// Whether a name from outside the given files makes a union of what is in its brackets.
pub fn is_union(full_name: &str) -> bool {
    let name = full_name.rsplit('.').next().unwrap_or_default();
    ["Optional", "optional", "Union", "union_"].contains(&name)
}

/// What an annotation's plain name means: builtins, `typing`, `datetime`, and the names of
/// `zato-common/src/zato/common/typing_.py`.
pub fn annotation(name: &str) -> Option<Type> {
    if let Some(inner) = name.strip_suffix("none").filter(|inner| !inner.is_empty()) {
        let inner = if inner == "dt" { "datetime_" } else { inner };
        let inner = if inner == "dec" { "decimal_" } else { inner };
        return annotation(inner).map(|kind| Type::Nullable(Box::new(kind)));
    }
    let any = || Type::Any(String::new());
    let list = |kind| Type::List(Box::new(kind));
    let map = |kind| Type::Map(Box::new(kind));
    Some(match name {
        _ if TEXTS.contains(&name) => Type::Text,
        "int" => Type::Integer,
        "bool" => Type::Boolean,
        "float" | "Decimal" | "decimal_" => Type::Number,
        "object" | "Any" | "any_" | "any" => any(),
        "list" | "List" | "list_" | "anylist" | "tuple" | "Tuple" | "tuple_" | "anytuple" | "set"
        | "set_" | "Set" | "frozenset" | "anyset" | "tup" | "tuplist" | "commoniter" => list(any()),
        "dict" | "Dict" | "dict_" | "anydict" | "stranydict" | "strdict" | "intanydict" | "commondict" => {
            map(any())
        }
        "dictlist" | "strdictlist" => list(map(any())),
        "strlist" | "strset" | "strtuple" | "byteslist" | "pathlist" => list(Type::Text),
        "intlist" | "intset" => list(Type::Integer),
        "strlistempty" => list(Type::Nullable(Box::new(Type::Text))),
        "intlistempty" => list(Type::Nullable(Box::new(Type::Integer))),
        "strstrdict" | "intstrdict" => map(Type::Text),
        "strintdict" | "intdict" => map(Type::Integer),
        "strbooldict" => map(Type::Boolean),
        "strdictdict" | "intdictdict" => map(map(any())),
        "strlistdict" | "strsetdict" | "intsetdict" => map(list(any())),
        "strint" => Type::Either(vec![Type::Text, Type::Integer]),
        "strintbool" => Type::Either(vec![Type::Text, Type::Integer, Type::Boolean]),
        "strorfloat" => Type::Either(vec![Type::Text, Type::Number]),
        "strordict" => Type::Either(vec![Type::Text, map(any())]),
        "strorlist" | "listorstr" => Type::Either(vec![list(any()), Type::Text]),
        "stroriter" => Type::Either(vec![Type::Text, list(any())]),
        "dictorlist" => Type::Either(vec![map(any()), list(any())]),
        "date" | "date_" => Type::Formatted("date".into()),
        "datetime" | "datetime_" | "datetimez" | "isotimestamp" => Type::Formatted("date-time".into()),
        "UUID" => Type::Formatted("uuid".into()),
        "None" | "NoneType" => Type::Nullable(Box::new(any())),
        _ => return None,
    })
}

/// A type of Python or of Zato by its full name.
pub fn known_type(full: &str) -> Option<Type> {
    let (module, name) = full.rsplit_once('.').unwrap_or(("builtins", full));
    let known = [
        "builtins",
        "typing",
        "typing_extensions",
        "zato.common.typing_",
        "datetime",
        "decimal",
        "uuid",
        "pathlib",
        "collections.abc",
    ];
    known.contains(&module).then(|| annotation(name)).flatten()
}
