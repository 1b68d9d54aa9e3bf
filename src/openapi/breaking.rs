//! What a change of services breaks for those who call them: the rules, and a comparison of two models.
//!
//! Pure. Never decides what happens then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::model::{Api, Field, Service, Type};
use super::widening::{Difference, differences};

/// A way to break a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A service is gone.
    OperationRemoved,
    /// A service is gone, and a new one has the same input and output.
    OperationRenamed,
    /// An input that did not exist is required.
    RequiredInputAdded,
    /// An input that could be left out is required.
    InputBecameRequired,
    /// Values that were accepted are not.
    InputTypeNarrowed,
    /// An output is gone.
    OutputRemoved,
    /// An output that was always there may be missing.
    OutputBecameOptional,
    /// An output has values that it did not have.
    OutputTypeChanged,
    /// The element around the output is another one.
    ResponseElementChanged,
    /// Credentials that were accepted are not, or callers need some now.
    SecurityTightened,
}

/// A change that breaks callers, with both sides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The service, by its old name.
    pub service: String,
    /// Which rule.
    pub rule: Rule,
    /// Where in the message, such as `address.street` or `rows[]`. Empty: all of it.
    pub path: String,
    /// What it was.
    pub before: String,
    /// What it is.
    pub after: String,
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            service,
            rule,
            path,
            before,
            after,
        } = self;
        let at = if path.is_empty() {
            String::new()
        } else {
            format!(" {path}:")
        };
        write!(formatter, "{service}: {rule:?}:{at} {before} -> {after}")
    }
}

/// The services and who may call them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contract {
    /// The services.
    pub api: Api,
    /// The security schemes of which a caller needs one, by service. None: anybody may call.
    pub security: BTreeMap<String, BTreeSet<String>>,
}

/// All changes from one contract to the next that break callers, in the order of services and rules.
pub fn breaking_changes(old: &Contract, new: &Contract) -> Vec<Change> {
    let renamed = renamed(old, new);
    let mut changes = BTreeSet::new();
    for (name, before) in &old.api.services {
        let Some(after) = new.api.services.get(name) else {
            let (rule, after) = match renamed.get(name.as_str()) {
                Some(other) => (Rule::OperationRenamed, other.to_string()),
                None => (Rule::OperationRemoved, "none".into()),
            };
            changes.insert(Change {
                service: name.clone(),
                rule,
                path: String::new(),
                before: name.clone(),
                after,
            });
            continue;
        };
        changes.extend(input(old, new, before, after));
        changes.extend(output(old, new, before, after));
        changes.extend(response_element(before, after));
        changes.extend(security(old, new, name));
    }
    changes.into_iter().collect()
}

/// Services that are gone, by the one new service that is the same but for its name.
fn renamed<'a>(old: &'a Contract, new: &'a Contract) -> BTreeMap<&'a str, &'a str> {
    let is_new = |service: &&Service| !old.api.services.contains_key(&service.name);
    let added: Vec<&Service> = new.api.services.values().filter(is_new).collect();
    let mut result = BTreeMap::new();
    for before in old
        .api
        .services
        .values()
        .filter(|service| !new.api.services.contains_key(&service.name))
    {
        let says_something = before.input.is_some() || before.output.is_some();
        let same = |after: &&&Service| {
            before.input == after.input
                && before.output == after.output
                && before.response_element == after.response_element
        };
        let mut candidates = added.iter().filter(same);
        if let (true, Some(after), None) = (says_something, candidates.next(), candidates.next()) {
            result.insert(before.name.as_str(), after.name.as_str());
        }
    }
    result
}

/// A side that declares nothing is an object without fields. Of a side that code makes in part, what the source says counts.
fn message(kind: Option<&Type>) -> Type {
    match kind {
        None => Type::Object(Vec::new()),
        Some(Type::Either(kinds)) if matches!(kinds.as_slice(), [Type::Object(_), Type::Any(_)]) => {
            kinds[0].clone()
        }
        Some(kind) => kind.clone(),
    }
}

/// What was accepted must be accepted.
fn input(old: &Contract, new: &Contract, before: &Service, after: &Service) -> Vec<Change> {
    let found = differences(
        (&old.api, &message(before.input.as_ref())),
        (&new.api, &message(after.input.as_ref())),
    );
    let changes = found.into_iter().filter_map(|difference| {
        let (rule, path, was, is) = match difference {
            Difference::Missing { path, wide } if wide.required => (
                Rule::RequiredInputAdded,
                path,
                "none".to_owned(),
                described(&wide),
            ),
            // A new input that can be left out.
            Difference::Missing { .. } => return None,
            Difference::Optional { path, narrow, wide } => (
                Rule::InputBecameRequired,
                path,
                described(&narrow),
                described(&wide),
            ),
            Difference::Kind { path, narrow, wide } => (
                Rule::InputTypeNarrowed,
                path,
                narrow.to_string(),
                wide.to_string(),
            ),
        };
        Some(Change {
            service: before.name.clone(),
            rule,
            path,
            before: was,
            after: is,
        })
    });
    changes.collect()
}

/// What goes out must be what went out.
fn output(old: &Contract, new: &Contract, before: &Service, after: &Service) -> Vec<Change> {
    // Who declared nothing promised nothing.
    if before.output.is_none() {
        return Vec::new();
    }
    let (is, was) = (message(after.output.as_ref()), message(before.output.as_ref()));
    let found = differences((&new.api, &is), (&old.api, &was));
    let changes = found.into_iter().map(|difference| {
        let (rule, path, was, is) = match difference {
            Difference::Missing { path, wide } => {
                (Rule::OutputRemoved, path, described(&wide), "none".to_owned())
            }
            Difference::Optional { path, narrow, wide } => (
                Rule::OutputBecameOptional,
                path,
                described(&wide),
                described(&narrow),
            ),
            Difference::Kind { path, narrow, wide } => (
                Rule::OutputTypeChanged,
                path,
                wide.to_string(),
                narrow.to_string(),
            ),
        };
        Change {
            service: before.name.clone(),
            rule,
            path,
            before: was,
            after: is,
        }
    });
    changes.collect()
}

fn response_element(before: &Service, after: &Service) -> Option<Change> {
    // A service that promised no output has no element around it.
    let differs = before.output.is_some() && before.response_element != after.response_element;
    let text = |service: &Service| service.response_element.clone().unwrap_or_else(|| "none".into());
    differs.then(|| Change {
        service: before.name.clone(),
        rule: Rule::ResponseElementChanged,
        path: String::new(),
        before: text(before),
        after: text(after),
    })
}

fn security(old: &Contract, new: &Contract, name: &str) -> Option<Change> {
    let after = new.security.get(name).filter(|schemes| !schemes.is_empty())?;
    let before = old.security.get(name).filter(|schemes| !schemes.is_empty());
    let tightened = before.is_none_or(|before| !before.is_subset(after));
    let text = |schemes: &BTreeSet<String>| schemes.iter().cloned().collect::<Vec<_>>().join(" or ");
    tightened.then(|| Change {
        service: name.to_owned(),
        rule: Rule::SecurityTightened,
        path: String::new(),
        before: before.map_or_else(|| "anybody".into(), text),
        after: text(after),
    })
}

fn described(field: &Field) -> String {
    let necessity = if field.required { "required" } else { "optional" };
    format!("{necessity} {}", field.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::tests::api;
    use proptest::prelude::*;
    use rstest::rstest;

    const HEAD: &str = "from zato.server.service import *\nfrom zato.common.typing_ import *\n";

    fn contract(text: &str) -> Contract {
        Contract {
            api: api(&[("m", &format!("{HEAD}{text}"))], &["public"]),
            ..Contract::default()
        }
    }

    fn service(body: &str) -> Contract {
        contract(&format!("class S(Service):\n    name = 's'\n    {body}\n"))
    }

    fn model(fields: &str) -> Contract {
        let text = "class S(Service):\n    name = 's'\n    input = M\n    output = M\n";
        contract(&format!(
            "@dataclass\nclass N(Model):\n    n: int\n@dataclass\nclass M(Model):\n    {fields}\n{text}"
        ))
    }

    fn found(old: &Contract, new: &Contract) -> Vec<(Rule, String)> {
        breaking_changes(old, new)
            .into_iter()
            .map(|change| (change.rule, change.path))
            .collect()
    }

    fn owned(expected: &[(Rule, &str)]) -> Vec<(Rule, String)> {
        let owned = |(rule, path): &(Rule, &str)| (*rule, (*path).to_owned());
        expected.iter().map(owned).collect()
    }

    #[rstest]
    #[case::required_added("input = 'a'", "input = 'a', 'b'", &[(Rule::RequiredInputAdded, "b")])]
    #[case::first_input("pass", "input = 'a'", &[(Rule::RequiredInputAdded, "a")])]
    #[case::optional_added("input = 'a'", "input = 'a', '-b'", &[])]
    #[case::became_required("input = '-a'", "input = 'a'", &[(Rule::InputBecameRequired, "a")])]
    #[case::became_optional("input = 'a'", "input = '-a'", &[])]
    #[case::input_dropped("input = 'a', 'b'", "input = 'a'", &[])]
    #[case::narrowed("input = 'a'", "input = Int('a')", &[(Rule::InputTypeNarrowed, "a")])]
    #[case::changed("input = Bool('a')", "input = Int('a')", &[(Rule::InputTypeNarrowed, "a")])]
    #[case::beside_code("input = 'a', EXTRA", "input = 'a', 'b', EXTRA", &[(Rule::RequiredInputAdded, "b")])]
    #[case::instead_of_code("input = 'a', EXTRA", "input = 'a', 'b'", &[(Rule::RequiredInputAdded, "b")])]
    #[case::code_added("input = 'a'", "input = 'a', EXTRA", &[])]
    #[case::widened("input = Int('a')", "input = Float('a')", &[])]
    #[case::any("input = Int('a')", "input = AsIs('a')", &[])]
    #[case::no_longer_any("input = AsIs('a')", "input = 'a'", &[(Rule::InputTypeNarrowed, "a")])]
    #[case::of_a_form("input = 'a'", "input = Date('a')", &[(Rule::InputTypeNarrowed, "a")])]
    #[case::key("input = Dict('a', 'b')", "input = Dict('a', 'b', 'c')", &[(Rule::RequiredInputAdded, "a.c")])]
    #[case::in_list("input = DictList('a', Int('b'))", "input = DictList('a', Bool('b'))", &[(Rule::InputTypeNarrowed, "a[].b")])]
    #[case::output_removed("output = 'a', 'b'", "output = 'a'", &[(Rule::OutputRemoved, "b")])]
    #[case::optional_output_removed("output = 'a', '-b'", "output = 'a'", &[(Rule::OutputRemoved, "b")])]
    #[case::all_output_removed("output = 'a'", "pass", &[(Rule::OutputRemoved, "a")])]
    #[case::output_added("output = 'a'", "output = 'a', 'b'", &[])]
    #[case::first_output("pass", "output = 'a'", &[])]
    #[case::output_optional("output = 'a'", "output = '-a'", &[(Rule::OutputBecameOptional, "a"), (Rule::OutputTypeChanged, "a")])]
    #[case::flag_optional("output = Bool('a')", "output = Bool('-a')", &[(Rule::OutputBecameOptional, "a")])]
    #[case::output_required("output = '-a'", "output = 'a'", &[])]
    #[case::output_type("output = 'a'", "output = Int('a')", &[(Rule::OutputTypeChanged, "a")])]
    #[case::output_narrower("output = Float('a')", "output = Int('a')", &[])]
    #[case::output_any("output = 'a'", "output = AsIs('a')", &[(Rule::OutputTypeChanged, "a")])]
    fn elements(#[case] old: &str, #[case] new: &str, #[case] expected: &[(Rule, &str)]) {
        assert_eq!(found(&service(old), &service(new)), owned(expected));
    }

    // One model on both sides: what is wider for the input is more for the output.
    #[rstest]
    #[case("a: int", "a: optional[int]", &[(Rule::OutputBecameOptional, "a"), (Rule::OutputTypeChanged, "a")])]
    #[case("a: optional[int]", "a: int", &[(Rule::InputBecameRequired, "a"), (Rule::InputTypeNarrowed, "a")])]
    #[case("a: union_[str, int]", "a: int", &[(Rule::InputTypeNarrowed, "a")])]
    // Only the first type of a union is taken.
    #[case("a: union_[int, str]", "a: int", &[])]
    #[case("a: int", "a: union_[int, str]", &[(Rule::OutputTypeChanged, "a")])]
    #[case("a: list_[int]", "a: list_[str]", &[(Rule::InputTypeNarrowed, "a[]"), (Rule::OutputTypeChanged, "a[]")])]
    #[case("a: dict[str, int]", "a: dict[str, str]", &[(Rule::InputTypeNarrowed, "a{}"), (Rule::OutputTypeChanged, "a{}")])]
    #[case("a: N", "a: int", &[(Rule::InputTypeNarrowed, "a"), (Rule::OutputTypeChanged, "a")])]
    #[case("a: N", "a: dict", &[(Rule::OutputTypeChanged, "a")])]
    #[case("a: 'M'", "a: 'M'", &[])]
    #[case("a: int = 1", "a: int = 2", &[])]
    fn models(#[case] old: &str, #[case] new: &str, #[case] expected: &[(Rule, &str)]) {
        assert_eq!(found(&model(old), &model(new)), owned(expected));
    }

    #[test]
    fn a_service_that_is_gone() {
        let old = service("input = 'a'");
        assert_eq!(
            found(&old, &Contract::default()),
            [(Rule::OperationRemoved, String::new())]
        );
        let other = contract("class T(Service):\n    name = 't'\n    input = 'b'\n");
        assert_eq!(found(&old, &other), [(Rule::OperationRemoved, String::new())]);
        assert_eq!(found(&Contract::default(), &old), []);
    }

    #[test]
    fn a_service_of_another_name() {
        let new = contract("class T(Service):\n    name = 't'\n    input = 'a'\n");
        let changes = breaking_changes(&service("input = 'a'"), &new);
        assert_eq!(
            changes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["s: OperationRenamed: s -> t"]
        );
        // Two services could be the one that is gone: which one is not guessed.
        let two = contract(
            "class T(Service):\n    name = 't'\n    input = 'a'\nclass U(Service):\n    name = 'u'\n    input = 'a'\n",
        );
        assert_eq!(
            found(&service("input = 'a'"), &two),
            [(Rule::OperationRemoved, String::new())]
        );
    }

    #[test]
    fn another_element_around_the_output() {
        let wrapped =
            contract("class S(Service):\n    name = 's'\n    class SimpleIO:\n        output = 'a'\n");
        assert_eq!(
            found(&service("output = 'a'"), &wrapped),
            [(Rule::ResponseElementChanged, String::new())]
        );
    }

    #[rstest]
    #[case(&[], &["basic"], true)]
    #[case(&["basic"], &["jwt"], true)]
    #[case(&["basic", "jwt"], &["jwt"], true)]
    #[case(&["basic"], &["basic", "jwt"], false)]
    #[case(&["basic"], &[], false)]
    #[case(&["basic"], &["basic"], false)]
    fn tightened_security(#[case] old: &[&str], #[case] new: &[&str], #[case] expected: bool) {
        let with = |schemes: &[&str]| {
            let schemes: BTreeSet<String> = schemes.iter().map(ToString::to_string).collect();
            Contract {
                security: [("s".to_owned(), schemes)].into(),
                ..service("pass")
            }
        };
        let rules = if expected {
            vec![(Rule::SecurityTightened, String::new())]
        } else {
            Vec::new()
        };
        assert_eq!(found(&with(old), &with(new)), rules);
    }

    #[test]
    fn both_sides_are_told() {
        let changes = breaking_changes(&service("input = 'a'"), &service("input = Int('a'), 'b_id'"));
        let text: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "s: RequiredInputAdded: b_id: none -> required integer",
                "s: InputTypeNarrowed: a: string -> integer"
            ]
        );
    }

    fn element() -> impl Strategy<Value = String> {
        ("-?[a-d]", "(Int|Bool|Float|AsIs|List|Dict|Date|Text)")
            .prop_map(|(name, kind)| format!("{kind}('{name}')"))
    }

    proptest! {
        #[test]
        fn nothing_breaks_without_a_change(elements in proptest::collection::vec(element(), 1..5)) {
            let same = service(&format!("input = output = {},", elements.join(", ")));
            prop_assert_eq!(breaking_changes(&same, &same), []);
        }

        // What only adds to the input breaks nothing there, and taking it away again breaks nothing there either.
        #[test]
        fn optional_inputs_come_and_go(elements in proptest::collection::vec(element(), 1..5)) {
            let less = service(&format!("input = {},", elements.join(", ")));
            let more = service(&format!("input = {}, '-z'", elements.join(", ")));
            prop_assert_eq!(breaking_changes(&less, &more), []);
            prop_assert_eq!(breaking_changes(&more, &less), []);
        }
    }
}
