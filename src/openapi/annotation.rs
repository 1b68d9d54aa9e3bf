//! Annotations as types: what the source declares.
//!
//! Pure. Never knows which side of a service a type is on: what Zato makes of a declaration is in `arrival`.

use super::dataclass::Models;
use super::facts;
use super::model::Type;
use super::project::{ClassId, Role, Target};
use super::simple_io;
use super::value::{self, Value};

/// How often an annotation may refer to another one.
pub const DEPTH: usize = 40;
/// How many types within types one annotation may have.
const STEPS: usize = 500;

impl Models<'_> {
    /// The type that an annotation means, as seen from a class.
    pub fn type_of(&mut self, seen_from: &ClassId, annotation: &Value) -> Type {
        self.start();
        self.type_within(seen_from, annotation, DEPTH)
    }

    /// Before an annotation is looked at.
    pub(super) fn start(&mut self) {
        self.steps = STEPS;
    }

    /// Whether more of it may be looked at.
    pub(super) fn step(&mut self) -> bool {
        self.steps = self.steps.saturating_sub(1);
        self.steps > 0
    }

    pub(super) fn type_within(&mut self, seen_from: &ClassId, annotation: &Value, left: usize) -> Type {
        if left == 0 || !self.step() {
            return Type::Any("a type that refers to itself or is very large".into());
        }
        let left = left - 1;
        match annotation {
            Value::Name(names) => self.named(seen_from, names, left),
            Value::Text(text) => self.type_within(seen_from, &value::quoted(text), left),
            Value::Index(names, items) => self.indexed(seen_from, names, items, left),
            Value::Either(one, other) => {
                let items = [(**one).clone(), (**other).clone()];
                self.union(seen_from, &items, left)
            }
            _ => Type::Any("a type that cannot be told from the source".into()),
        }
    }

    fn named(&mut self, seen_from: &ClassId, names: &[String], left: usize) -> Type {
        let written = names.join(".");
        match self.project().resolve(seen_from, names) {
            Target::Class(id) if self.project().role(&id) == Role::Model => self.refer(id),
            Target::Class(_) => Type::Any(format!("{written} is not a Model")),
            Target::Outside(full) if facts::is_model(&full) => any_object(),
            Target::Outside(full) => {
                let known = facts::known_type(&full);
                known.unwrap_or_else(|| Type::Any(format!("{full} is not in the given files")))
            }
            Target::Unknown => match self.project().value(seen_from, names) {
                Some((value, found)) => {
                    let value = value.clone();
                    self.type_within(&found, &value, left)
                }
                None => Type::Any(format!("{written} is not in the given files")),
            },
        }
    }

    fn indexed(&mut self, seen_from: &ClassId, names: &[String], items: &[Value], left: usize) -> Type {
        let Target::Outside(full) = self.project().resolve(seen_from, names) else {
            return Type::Any(format!("{} is not in the given files", names.join(".")));
        };
        let last = full.rsplit('.').next().unwrap_or_default();
        match last {
            "Optional" | "optional" => {
                let kind = self.union(seen_from, items, left);
                nullable(kind)
            }
            "Union" | "union_" => self.union(seen_from, items, left),
            "Literal" => Type::Choice(items.iter().filter_map(simple_io::literal).collect()),
            "Annotated" => items
                .first()
                .map_or_else(any, |item| self.type_within(seen_from, item, left)),
            _ => match facts::known_type(&full) {
                Some(Type::List(_)) => Type::List(Box::new(self.union(seen_from, items, left))),
                Some(Type::Map(_)) => {
                    let value = items
                        .get(1)
                        .map_or_else(any, |item| self.type_within(seen_from, item, left));
                    Type::Map(Box::new(value))
                }
                _ => Type::Any(format!(
                    "{full}[..] is a type that cannot be told from the source"
                )),
            },
        }
    }

    fn union(&mut self, seen_from: &ClassId, items: &[Value], left: usize) -> Type {
        let (mut kinds, mut has_none) = (Vec::new(), false);
        for item in items {
            if *item == Value::Nothing {
                has_none = true;
                continue;
            }
            // `tuple_[int, ...]` has an ellipsis.
            if *item == Value::Other && items.len() > 1 {
                continue;
            }
            match self.type_within(seen_from, item, left) {
                Type::Nullable(kind) => {
                    has_none = true;
                    kinds.push(*kind);
                }
                Type::Either(more) => kinds.extend(more),
                kind => kinds.push(kind),
            }
        }
        kinds.dedup();
        let kind = match kinds.len() {
            0 => any(),
            1 => kinds.remove(0),
            _ => Type::Either(kinds),
        };
        if has_none { nullable(kind) } else { kind }
    }
}

fn any() -> Type {
    Type::Any(String::new())
}

fn any_object() -> Type {
    Type::Map(Box::new(any()))
}

fn nullable(kind: Type) -> Type {
    match kind {
        Type::Nullable(_) => kind,
        Type::Any(reason) => Type::Any(reason),
        kind => Type::Nullable(Box::new(kind)),
    }
}
