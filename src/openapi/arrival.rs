//! What Zato 3.2 makes of the types of a model's fields: on the way in, where some are not taken as they are declared, and
//! on the way out, where some cannot be written.
//!
//! Pure. Follows `zato-common/src/zato/common/marshal_/api.py`, and was tried on a server that ran: docs/concepts/zato-3.2-invoke.md.

use super::annotation::DEPTH;
use super::dataclass::Models;
use super::facts;
use super::model::Type;
use super::project::{ClassId, Target};
use super::value::Value;

/// When a message must have a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Always.
    Always,
    /// Unless the field has a default.
    WithoutDefault,
    /// Never.
    Never,
}

/// A field as the source writes it.
pub struct Written {
    /// Its type.
    pub annotation: Value,
    /// Whether Python keeps the annotation as a string.
    pub is_text: bool,
    /// Whether it has a default.
    pub has_default: bool,
}

/// A field as it arrives.
pub struct Arrival {
    /// What is taken.
    pub kind: Type,
    /// When it must be there.
    pub need: Need,
    /// What whoever wrote the declaration would not expect.
    pub told: Option<&'static str>,
}

/// A type in a union, in the order in which Python has them.
enum Member {
    Nothing,
    Of(Type, Form),
}

/// How a type is written, which is all that Zato looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A class, such as `str`, `dict` or a model.
    Class,
    /// `list_`, with or without the type of its items.
    List,
    /// Anything else of `typing` that has types inside: a list to Zato, whatever it is.
    Generic,
}

const DICT: &str = "Zato 3.2 takes a list here and refuses an object, as it does with all types of `typing` that are \
                    not optional; `dict` takes an object";
const MODEL: &str = "Zato 3.2 takes a list of objects here, or null, and refuses an object, for `optional[Model]` is a \
                     list to it";
const MISSING: &str = "Zato 3.2 answers 500 when it is left out, although it is optional; give it a default";
const THIRD: &str =
    "Zato 3.2 requires it, for it takes only `optional` of one type for optional; give it a default";
const BAR: &str = "Zato requires it, for `X | None` is not `optional[X]` to it";
const TEXT: &str = "Zato requires it, for an annotation that is a string is not `optional[X]` to it";
/// What a default mends.
const DEFAULT_HELPS: [&str; 4] = [MISSING, THIRD, BAR, TEXT];
const FIRST: &str =
    "Zato 3.2 takes only the first type of the union: put the one that you need first, or use `any_`";
const NONE_FIRST: &str = "Zato 3.2 takes a list here, for None is the first type of the union; put it last";
const QUOTES: &str = "Zato 3.2 answers every request with 500, for it cannot read what is in quotes here; for a class, put \
                      it above, for texts, use `str`";
const UNWRITABLE: &str = "Zato 3.2 cannot write a date, time or UUID of a model and answers 500: declare it as `str`, and set \
                          it as text, such as `isoformat()`";

impl Models<'_> {
    /// What arrives for a field that is annotated with `written`, of which `declared` is the type.
    pub fn arrival(&mut self, seen_from: &ClassId, written: &Written, declared: Type) -> Arrival {
        let mut arrival = self.without_default(seen_from, written, declared);
        if written.has_default {
            arrival.told = arrival.told.filter(|text| !DEFAULT_HELPS.contains(text));
        }
        arrival
    }

    fn without_default(&mut self, seen_from: &ClassId, written: &Written, declared: Type) -> Arrival {
        // `Alias = int | str` is no union of `typing` either.
        let (annotation, seen_from) = self.written_out(seen_from, &written.annotation);
        let has_bar = matches!(annotation, Value::Either(..));
        if written.is_text || has_bar {
            let told =
                matches!(declared, Type::Nullable(_)).then_some(if written.is_text { TEXT } else { BAR });
            return taken(declared, Need::WithoutDefault, told);
        }
        self.start();
        if self.has_quotes(&seen_from, &annotation, DEPTH) {
            let is_optional = matches!(declared, Type::Nullable(_));
            let need = if is_optional {
                Need::Never
            } else {
                Need::WithoutDefault
            };
            return taken(declared, need, Some(QUOTES));
        }
        let mut members = Vec::new();
        self.start();
        self.members(&seen_from, &annotation, DEPTH, &mut members);
        match members.as_slice() {
            [Member::Of(_, form)] => alone(declared, *form),
            [Member::Of(kind, form), Member::Nothing] => optional(kind, *form, declared),
            [Member::Of(kind, form), rest @ ..] => union(kind, *form, rest, declared),
            [Member::Nothing, Member::Of(..)] => taken(any_list(), Need::WithoutDefault, Some(NONE_FIRST)),
            _ => taken(declared, Need::WithoutDefault, None),
        }
    }

    /// What names of the files stand for, and where that was found.
    fn written_out(&self, seen_from: &ClassId, annotation: &Value) -> (Value, ClassId) {
        let (mut value, mut place) = (annotation, seen_from.clone());
        for _ in 0..DEPTH {
            let Value::Name(names) = value else { break };
            let Target::Unknown = self.project().resolve(&place, names) else {
                break;
            };
            let Some((next, found)) = self.project().value(&place, names) else {
                break;
            };
            (value, place) = (next, found);
        }
        (value.clone(), place)
    }

    /// Whether there is something in quotes that Zato's check of types reads, and cannot.
    fn has_quotes(&mut self, seen_from: &ClassId, annotation: &Value, left: usize) -> bool {
        let (Some(left), true) = (left.checked_sub(1), self.step()) else {
            return false;
        };
        let (annotation, place) = self.written_out(seen_from, annotation);
        let Value::Index(names, items) = &annotation else {
            return false;
        };
        let name = names.last().map_or("", String::as_str);
        let is_read = |text: &String| {
            matches!(name, "Literal" | "Annotated")
                || (facts::is_union(name) && facts::known_type(text).is_none())
        };
        items.iter().any(|item| match item {
            Value::Text(text) => is_read(text),
            item => self.has_quotes(&place, item, left),
        })
    }

    /// The types of a union, flat as Python makes it; one if it is no union.
    fn members(&mut self, seen_from: &ClassId, annotation: &Value, left: usize, into: &mut Vec<Member>) {
        // Unions of names that double themselves would grow without end.
        let (Some(left), true) = (left.checked_sub(1), self.step()) else {
            return;
        };
        let project = self.project();
        let resolved = |names: &[String]| project.resolve(seen_from, names);
        let form = match annotation {
            Value::Nothing => return nothing(into),
            // Inside of a union of `typing` it is part of it.
            Value::Either(one, other) => {
                self.members(seen_from, one, left, into);
                return self.members(seen_from, other, left, into);
            }
            Value::Name(names) => match resolved(names) {
                Target::Outside(full) if facts::known_type(&full).is_some() => return known(&full, into),
                Target::Unknown if let Some((value, found)) = project.value(seen_from, names) => {
                    return self.members(&found, value, left, into);
                }
                _ => Form::Class,
            },
            Value::Index(names, items) => match resolved(names) {
                Target::Outside(full) if facts::is_union(&full) => {
                    for item in items {
                        self.members(seen_from, item, left, into);
                    }
                    if last(&full).eq_ignore_ascii_case("optional") {
                        nothing(into);
                    }
                    return;
                }
                Target::Outside(full) => form(&full, false),
                _ => Form::Class,
            },
            _ => Form::Class,
        };
        let kind = self.type_within(seen_from, annotation, left);
        into.push(Member::Of(kind, form));
    }
}

/// A name of Zato's or of Python's, of which some stand for a union.
fn known(full: &str, into: &mut Vec<Member>) {
    let (kinds, is_optional) = match facts::known_type(full) {
        Some(Type::Nullable(inner)) => (parts(*inner), true),
        Some(kind) => (parts(kind), false),
        None => (Vec::new(), false),
    };
    let has_none_second = facts::NONE_SECOND.contains(&last(full));
    for (index, kind) in kinds.into_iter().enumerate() {
        let form = match &kind {
            Type::List(_) | Type::Map(_) => form(full, matches!(kind, Type::Map(_))),
            _ => Form::Class,
        };
        into.push(Member::Of(kind, form));
        if index == 0 && has_none_second {
            nothing(into);
        }
    }
    if is_optional {
        nothing(into);
    }
}

fn parts(kind: Type) -> Vec<Type> {
    match kind {
        Type::Either(kinds) => kinds,
        kind => vec![kind],
    }
}

/// A second None is none.
fn nothing(into: &mut Vec<Member>) {
    if !into.iter().any(|member| matches!(member, Member::Nothing)) {
        into.push(Member::Nothing);
    }
}

fn last(full: &str) -> &str {
    full.rsplit('.').next().unwrap_or(full)
}

/// How a type with types inside is written.
fn form(full: &str, is_map: bool) -> Form {
    let name = last(full);
    let is_list = name.to_ascii_lowercase().contains("list") && !is_map;
    match (full.contains('.'), is_list) {
        (false, _) => Form::Class,
        (true, true) => Form::List,
        (true, false) => Form::Generic,
    }
}

fn taken(kind: Type, need: Need, told: Option<&'static str>) -> Arrival {
    Arrival { kind, need, told }
}

/// A field of one type.
fn alone(kind: Type, form: Form) -> Arrival {
    match (&kind, form) {
        // A nested model is required also when it has a default.
        (Type::Model(_), _) => taken(kind, Need::Always, None),
        (Type::List(_), _) | (_, Form::Class | Form::List) => taken(kind, Need::WithoutDefault, None),
        (_, Form::Generic) => taken(any_list(), Need::WithoutDefault, Some(DICT)),
    }
}

/// `optional[X]`.
fn optional(kind: &Type, form: Form, declared: Type) -> Arrival {
    match (kind, form) {
        (Type::Model(_), _) => {
            let list = Type::List(Box::new(kind.clone()));
            taken(Type::Nullable(Box::new(list)), Need::Never, Some(MODEL))
        }
        (_, Form::Generic) => taken(declared, Need::WithoutDefault, Some(MISSING)),
        _ => taken(declared, Need::Never, None),
    }
}

/// A union of several types: the first one is looked at, if Zato looks at it at all.
fn union(first: &Type, form: Form, rest: &[Member], declared: Type) -> Arrival {
    let is_optional = matches!(rest.first(), Some(Member::Nothing));
    let has_none = rest.iter().any(|member| matches!(member, Member::Nothing));
    let looked_at = match (first, form) {
        (Type::Formatted(format), _) if format == "uuid" => None,
        (Type::Integer | Type::Formatted(_), _) => Some(first.clone()),
        (Type::List(_), Form::List) if !is_optional => Some(first.clone()),
        (_, Form::Generic) if !is_optional => Some(any_list()),
        _ => None,
    };
    let told = match (&looked_at, has_none && !is_optional) {
        (_, true) => Some(THIRD),
        (Some(_), false) => Some(FIRST),
        (None, false) => None,
    };
    let kind = match looked_at {
        Some(kind) if has_none && !matches!(kind, Type::List(_)) => Type::Nullable(Box::new(kind)),
        Some(kind) => kind,
        None => declared,
    };
    taken(
        kind,
        if is_optional {
            Need::Never
        } else {
            Need::WithoutDefault
        },
        told,
    )
}

fn any_list() -> Type {
    Type::List(Box::new(Type::Any(String::new())))
}

/// A field as it goes out, and what whoever wrote the declaration would not expect.
pub fn departure(declared: Type) -> (Type, Option<&'static str>) {
    let mut has_time = false;
    let kind = written(declared, &mut has_time);
    (kind, has_time.then_some(UNWRITABLE))
}

/// A time that a service sets as text may have no zone, which is not what OpenAPI means by `date-time`.
fn written(kind: Type, has_time: &mut bool) -> Type {
    let mut inner = |kind: Type| written(kind, has_time);
    match kind {
        Type::Formatted(format) => {
            *has_time = true;
            if format == "date-time" {
                Type::Text
            } else {
                Type::Formatted(format)
            }
        }
        Type::Nullable(kind) => Type::Nullable(Box::new(inner(*kind))),
        Type::List(kind) => Type::List(Box::new(inner(*kind))),
        Type::Map(kind) => Type::Map(Box::new(inner(*kind))),
        Type::Either(kinds) => Type::Either(kinds.into_iter().map(inner).collect()),
        kind => kind,
    }
}

#[cfg(test)]
mod tests;
