//! Whether each value of one type is a value of another one, and where not.
//!
//! Pure. Knows nothing of services, nor which direction is a break.

use std::collections::BTreeSet;
use std::fmt;

use super::model::{Api, Field, Type};

/// A place where a value of the narrow type is no value of the wide one.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// The narrow type lacks a field of the wide one.
    Missing {
        /// Where.
        path: String,
        /// The field.
        wide: Field,
    },
    /// A field may be left out that the wide type requires.
    Optional {
        /// Where.
        path: String,
        /// The field that may be left out.
        narrow: Field,
        /// The field that may not.
        wide: Field,
    },
    /// The types do not agree.
    Kind {
        /// Where.
        path: String,
        /// One type.
        narrow: Type,
        /// The other.
        wide: Type,
    },
}

/// Where values of `narrow` are no values of `wide`. Each type comes with the models that it refers to.
pub fn differences(narrow: (&Api, &Type), wide: (&Api, &Type)) -> Vec<Difference> {
    let mut comparison = Comparison {
        narrow: narrow.0,
        wide: wide.0,
        seen: BTreeSet::new(),
        found: Vec::new(),
    };
    comparison.compare(narrow.1, wide.1, "");
    comparison.found
}

#[derive(Clone)]
struct Comparison<'a> {
    narrow: &'a Api,
    wide: &'a Api,
    /// Pairs of models that are compared, or were: models can refer to themselves.
    seen: BTreeSet<(String, String)>,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn compare(&mut self, narrow: &Type, wide: &Type, path: &str) {
        match (narrow, wide) {
            (_, Type::Any(_)) => {}
            (Type::Model(one), Type::Model(other)) => {
                if self.seen.insert((one.clone(), other.clone())) {
                    self.fields(&fields(self.narrow, one), &fields(self.wide, other), path);
                }
            }
            (Type::Model(name), wide) => {
                let narrow = Type::Object(fields(self.narrow, name));
                self.compare(&narrow, wide, path);
            }
            (narrow, Type::Model(name)) => {
                let wide = Type::Object(fields(self.wide, name));
                self.compare(narrow, &wide, path);
            }
            (Type::Either(kinds), wide) => {
                let fits = kinds.iter().all(|kind| self.fits(kind, wide));
                self.note(fits, narrow, wide, path);
            }
            (Type::Nullable(inner), Type::Nullable(wide)) => self.compare(inner, wide, path),
            (narrow, Type::Nullable(wide)) => self.compare(narrow, wide, path),
            (narrow, Type::Either(kinds)) => {
                let fits = kinds.iter().any(|kind| self.fits(narrow, kind));
                self.note(fits, narrow, wide, path);
            }
            (Type::Object(narrow), Type::Object(wide)) => self.fields(narrow, wide, path),
            (Type::Object(fields), Type::Map(values)) => {
                for field in fields {
                    self.compare(&field.kind, values, &inside(path, &field.name));
                }
            }
            (Type::List(one), Type::List(other)) => self.compare(one, other, &format!("{path}[]")),
            (Type::Map(one), Type::Map(other)) => self.compare(one, other, &format!("{path}{{}}")),
            (narrow, wide) => self.note(is_within(narrow, wide), narrow, wide, path),
        }
    }

    fn note(&mut self, fits: bool, narrow: &Type, wide: &Type, path: &str) {
        if !fits {
            let (narrow, wide) = (narrow.clone(), wide.clone());
            self.found.push(Difference::Kind {
                path: path.into(),
                narrow,
                wide,
            });
        }
    }

    fn fits(&self, narrow: &Type, wide: &Type) -> bool {
        let mut trial = Self {
            found: Vec::new(),
            ..self.clone()
        };
        trial.compare(narrow, wide, "");
        // A field that could be left out and is not known is no reason.
        trial
            .found
            .iter()
            .all(|found| matches!(found, Difference::Missing { wide, .. } if !wide.required))
    }

    fn fields(&mut self, narrow: &[Field], wide: &[Field], path: &str) {
        for field in wide {
            let path = inside(path, &field.name);
            let Some(known) = narrow.iter().find(|known| known.name == field.name) else {
                self.found.push(Difference::Missing {
                    path,
                    wide: field.clone(),
                });
                continue;
            };
            if field.required && !known.required {
                let (narrow, wide) = (known.clone(), field.clone());
                self.found.push(Difference::Optional {
                    path: path.clone(),
                    narrow,
                    wide,
                });
            }
            self.compare(&known.kind, &field.kind, &path);
        }
    }
}

fn fields(api: &Api, model: &str) -> Vec<Field> {
    api.models
        .get(model)
        .map(|model| model.fields.clone())
        .unwrap_or_default()
}

fn inside(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Types that have nothing inside.
fn is_within(narrow: &Type, wide: &Type) -> bool {
    match (narrow, wide) {
        (Type::Choice(values), wide) => values.iter().all(|value| is_value(value, wide)),
        (Type::Text | Type::Secret | Type::Formatted(_), Type::Text | Type::Secret)
        | (Type::Integer, Type::Number) => true,
        (narrow, wide) => narrow == wide,
    }
}

/// Whether a value is one of a type that has nothing inside.
pub fn is_value(value: &serde_json::Value, kind: &Type) -> bool {
    match kind {
        Type::Choice(values) => values.contains(value),
        Type::Text | Type::Secret => value.is_string(),
        Type::Boolean => value.is_boolean(),
        Type::Integer => value.is_i64(),
        Type::Number => value.is_number(),
        _ => false,
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(_) => formatter.write_str("any value"),
            Self::Text | Self::Secret => formatter.write_str("string"),
            Self::Formatted(format) => write!(formatter, "string of the form {format}"),
            Self::Boolean => formatter.write_str("boolean"),
            Self::Integer => formatter.write_str("integer"),
            Self::Number => formatter.write_str("number"),
            Self::Choice(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(formatter, "one of {}", values.join(", "))
            }
            Self::List(items) => write!(formatter, "list of {items}"),
            Self::Map(values) => write!(formatter, "object of {values}"),
            Self::Object(_) => formatter.write_str("object"),
            Self::Model(name) => formatter.write_str(name),
            Self::Either(kinds) => {
                let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
                formatter.write_str(&kinds.join(" or "))
            }
            Self::Nullable(kind) => write!(formatter, "{kind} or null"),
        }
    }
}
