//! What a change of services breaks for those who call them: the rules, and a comparison of two models.
//!
//! Pure. Never decides what happens then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::model::{Api, Channel, Field, Service, Type};
use super::names::without_names;
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

/// All changes from one API to the next that break callers, in the order of services and rules.
pub fn breaking_changes(old: &Api, new: &Api) -> Vec<Change> {
    let renamed = renamed(old, new);
    let mut changes = BTreeSet::new();
    for (name, before) in &old.services {
        let Some(after) = new.services.get(name) else {
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
    }
    changes.extend(channels(old, new));
    changes.into_iter().collect()
}

/// Services that are gone, by the one new service that is the same but for its name.
fn renamed<'a>(old: &'a Api, new: &'a Api) -> BTreeMap<&'a str, &'a str> {
    let is_new = |service: &&Service| !old.services.contains_key(&service.name);
    let added: Vec<&Service> = new.services.values().filter(is_new).collect();
    let mut result = BTreeMap::new();
    for before in old
        .services
        .values()
        .filter(|service| !new.services.contains_key(&service.name))
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
fn input(old: &Api, new: &Api, before: &Service, after: &Service) -> Vec<Change> {
    let found = differences(
        (old, &message(before.input.as_ref())),
        (new, &message(after.input.as_ref())),
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
fn output(old: &Api, new: &Api, before: &Service, after: &Service) -> Vec<Change> {
    // Who declared nothing promised nothing.
    if before.output.is_none() {
        return Vec::new();
    }
    let (is, was) = (message(after.output.as_ref()), message(before.output.as_ref()));
    let found = differences((new, &is), (old, &was));
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

/// The channels by what callers write: method and path.
fn by_address(api: &Api) -> BTreeMap<String, &Channel> {
    let mut addresses = BTreeMap::new();
    let of_rest = api.channels.iter().filter(|channel| !channel.is_direct());
    for channel in of_rest.chain(&api.web_sockets) {
        let path = without_names(&channel.path);
        // Callers of SOAP name the service.
        let named = if channel.is_soap {
            format!(" {}", channel.service)
        } else {
            String::new()
        };
        let address = |method| (format!("{method} {path}{named}"), channel);
        addresses.extend(channel.methods.iter().map(address));
    }
    addresses
}

/// Who is let in.
fn access(channel: &Channel) -> String {
    channel
        .access
        .map_or_else(|| "anybody".to_owned(), |access| format!("{access:?}"))
}

/// Where services are invoked by their names, Zato's own user is let in while no channel says otherwise.
fn direct_invocation(old: &Api, new: &Api) -> Option<Change> {
    let find = |api: &Api| api.channels.iter().find(|channel| channel.is_direct()).cloned();
    let (before, after) = (find(old), find(new));
    let is_opened = after.as_ref().is_some_and(|after| after.access.is_none());
    let kind = |channel: &Option<Channel>| channel.as_ref().map(|channel| channel.access);
    let told = |channel: &Option<Channel>| channel.as_ref().map_or_else(|| "user pubapi".into(), access);
    (!is_opened && kind(&before) != kind(&after)).then(|| Change {
        service: "direct invocation".into(),
        rule: Rule::SecurityTightened,
        path: String::new(),
        before: told(&before),
        after: told(&after),
    })
}

/// What answered must answer, with the same service, and let in whom it let in.
fn channels(old: &Api, new: &Api) -> Vec<Change> {
    let after = by_address(new);
    let mut changes: Vec<_> = direct_invocation(old, new).into_iter().collect();
    for (address, before) in by_address(old) {
        let method = address.split(' ').next().unwrap_or_default();
        let told = format!("{method} {}", before.path);
        let mut change = |rule, was: String, is: String| {
            changes.push(Change {
                service: told.clone(),
                rule,
                path: String::new(),
                before: was,
                after: is,
            });
        };
        let service = |channel: &Channel| format!("service {}", channel.service);
        let Some(after) = after.get(&address) else {
            change(Rule::OperationRemoved, service(before), "none".into());
            continue;
        };
        if before.service != after.service {
            change(Rule::OperationRemoved, service(before), service(after));
        }
        if after.access.is_some() && before.access != after.access {
            change(Rule::SecurityTightened, access(before), access(after));
        }
    }
    changes
}

fn described(field: &Field) -> String {
    let necessity = if field.required { "required" } else { "optional" };
    format!("{necessity} {}", field.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::model::Access;
    use crate::openapi::tests::api;
    use proptest::prelude::*;
    use rstest::rstest;

    const HEAD: &str = "from zato.server.service import *\nfrom zato.common.typing_ import *\n";

    fn contract(text: &str) -> Api {
        api(&[("m", &format!("{HEAD}{text}"))], &["public"])
    }

    fn service(body: &str) -> Api {
        contract(&format!("class S(Service):\n    name = 's'\n    {body}\n"))
    }

    fn model(fields: &str) -> Api {
        let text = "class S(Service):\n    name = 's'\n    input = M\n    output = M\n";
        contract(&format!(
            "@dataclass\nclass N(Model):\n    n: int\n@dataclass\nclass M(Model):\n    {fields}\n{text}"
        ))
    }

    fn found(old: &Api, new: &Api) -> Vec<(Rule, String)> {
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
            found(&old, &Api::default()),
            [(Rule::OperationRemoved, String::new())]
        );
        let other = contract("class T(Service):\n    name = 't'\n    input = 'b'\n");
        assert_eq!(found(&old, &other), [(Rule::OperationRemoved, String::new())]);
        assert_eq!(found(&Api::default(), &old), []);
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

    fn channel(path: &str, methods: &[&str], service: &str, access: Option<Access>) -> Channel {
        Channel {
            service: service.into(),
            path: path.into(),
            methods: methods.iter().map(ToString::to_string).collect(),
            access,
            ..Channel::default()
        }
    }

    const BASIC: Option<Access> = Some(Access::BasicAuth);

    #[rstest]
    #[case::same(channel("/a/{b}", &["GET"], "s", BASIC), channel("/a/{c}", &["GET", "PUT"], "s", BASIC), &[])]
    #[case::opened(channel("/a", &["GET"], "s", BASIC), channel("/a", &["GET"], "s", None), &[])]
    #[case::closed(channel("/a", &["GET"], "s", None), channel("/a", &["GET"], "s", BASIC), &["GET /a: SecurityTightened: anybody -> BasicAuth"])]
    #[case::other_access(channel("/a", &["GET"], "s", BASIC), channel("/a", &["GET"], "s", Some(Access::ApiKey)), &["GET /a: SecurityTightened: BasicAuth -> ApiKey"])]
    #[case::moved(channel("/a", &["GET"], "s", None), channel("/b", &["GET"], "s", None), &["GET /a: OperationRemoved: service s -> none"])]
    #[case::a_method_less(channel("/a", &["GET", "PUT"], "s", None), channel("/a", &["GET"], "s", None), &["PUT /a: OperationRemoved: service s -> none"])]
    #[case::other_service(channel("/a", &["GET"], "s", None), channel("/a", &["GET"], "t", None), &["GET /a: OperationRemoved: service s -> service t"])]
    fn channels_that_change(#[case] old: Channel, #[case] new: Channel, #[case] expected: &[&str]) {
        let with = |channel| Api {
            channels: vec![channel],
            ..Api::default()
        };
        let found: Vec<_> = breaking_changes(&with(old), &with(new))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expected);
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
