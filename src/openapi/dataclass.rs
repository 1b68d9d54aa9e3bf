//! Dataclass models: annotations as types, classes as models.
//!
//! Pure. Follows what Zato does with a message when it runs (`zato-common/src/zato/common/marshal_/api.py`).

use std::collections::{BTreeMap, BTreeSet};

use super::docstring;
use super::facts;
use super::model::{Field, Model, Type, Warning};
use super::names;
use super::project::{ClassId, Project, Role, Target};
use super::simple_io;
use super::source::Annotated;
use super::value::{self, Value};

/// How often an annotation may refer to another one.
const DEPTH: usize = 40;
/// How many types within types one annotation may have.
const STEPS: usize = 500;

/// Models that messages refer to, and those of them that are still to be read.
pub struct Models<'a> {
    project: &'a Project,
    names: BTreeMap<ClassId, String>,
    taken: BTreeSet<String>,
    waiting: Vec<ClassId>,
    /// How much of one annotation is left to look at.
    steps: usize,
}

impl<'a> Models<'a> {
    /// None yet.
    pub fn new(project: &'a Project) -> Self {
        Self {
            project,
            names: BTreeMap::new(),
            taken: BTreeSet::new(),
            waiting: Vec::new(),
            steps: 0,
        }
    }

    fn refer(&mut self, id: ClassId) -> Type {
        if let Some(name) = self.names.get(&id) {
            return Type::Model(name.clone());
        }
        // Two files of one name can have a class of one name.
        let name = names::unique(&mut self.taken, self.project.full_name(&id));
        self.names.insert(id.clone(), name.clone());
        self.waiting.push(id);
        Type::Model(name)
    }

    /// Reads all models that were referred to, and those that they refer to.
    pub fn finish(mut self, warnings: &mut Vec<Warning>) -> BTreeMap<String, Model> {
        let mut models = BTreeMap::new();
        while let Some(id) = self.waiting.pop() {
            let model = self.model(&id, warnings);
            models.insert(self.names[&id].clone(), model);
        }
        models
    }

    fn model(&mut self, id: &ClassId, warnings: &mut Vec<Warning>) -> Model {
        let project = self.project;
        let mut fields: Vec<Field> = Vec::new();
        // Bases first; a field that a class declares anew stays in its place.
        for base in project.lineage(id).0.iter().rev() {
            let Some(class) = project.class(base) else {
                continue;
            };
            let is_dataclass = class
                .decorators
                .iter()
                .any(|names| names.last().is_some_and(|name| name == "dataclass"));
            if !is_dataclass && !class.annotated.is_empty() {
                let text = format!("{} is not a @dataclass: Zato does not see its fields", class.name);
                warnings.push(Warning {
                    place: project.place(base, class.line),
                    text,
                });
                continue;
            }
            for annotated in &class.annotated {
                let Some(field) = self.field(base, annotated, warnings) else {
                    continue;
                };
                match fields.iter_mut().find(|known| known.name == field.name) {
                    Some(known) => *known = field,
                    None => fields.push(field),
                }
            }
        }
        let text = project.class(id).and_then(|class| class.docstring.as_deref());
        Model {
            description: text.map(docstring::clean).unwrap_or_default(),
            fields,
        }
    }

    fn field(&mut self, base: &ClassId, annotated: &Annotated, warnings: &mut Vec<Warning>) -> Option<Field> {
        if let Value::Index(names, _) | Value::Name(names) = &annotated.annotation
            && names
                .last()
                .is_some_and(|name| name == "ClassVar" || name == "InitVar")
        {
            return None;
        }
        let kind = self.type_of(base, &annotated.annotation);
        // A bar makes a field nullable, but Zato 3.2 sees only optional[..] and Union[.., None] as optional.
        let has_bar = matches!(annotated.annotation, Value::Either(..));
        let nullable = matches!(kind, Type::Nullable(_));
        let (has_default, default) = default(annotated.default.as_ref());
        let place = || self.project.place(base, annotated.line);
        let mut tell = |text: &str| {
            warnings.push(Warning {
                place: place(),
                text: format!("{}: {text}", annotated.name),
            });
        };
        match &kind {
            Type::Any(reason) if !reason.is_empty() => tell(reason),
            Type::Nullable(_) if has_bar && !has_default => {
                tell("Zato requires it, for `X | None` is not `optional[X]` to it");
            }
            Type::Map(_) if self.is_generic(base, &annotated.annotation) => {
                tell(
                    "Zato 3.2 refuses a dict that arrives here, it takes the type for a list; `dict` is taken",
                );
            }
            _ => {}
        }
        // A nested model is required also when it has a default.
        let is_model = matches!(kind, Type::Model(_));
        Some(Field {
            name: annotated.name.clone(),
            required: is_model || !(has_default || (nullable && !has_bar)),
            kind,
            description: annotated.description.clone(),
            default,
        })
    }

    /// Whether a type comes from `typing`, as `anydict` does and `dict` does not.
    fn is_generic(&self, seen_from: &ClassId, annotation: &Value) -> bool {
        let (Value::Name(names) | Value::Index(names, _)) = annotation else {
            return false;
        };
        matches!(self.project.resolve(seen_from, names), Target::Outside(full) if full.contains('.'))
    }

    /// The type that an annotation means, as seen from a class.
    pub fn type_of(&mut self, seen_from: &ClassId, annotation: &Value) -> Type {
        self.steps = STEPS;
        self.type_within(seen_from, annotation, DEPTH)
    }

    fn type_within(&mut self, seen_from: &ClassId, annotation: &Value, left: usize) -> Type {
        self.steps = self.steps.saturating_sub(1);
        if left == 0 || self.steps == 0 {
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
        match self.project.resolve(seen_from, names) {
            Target::Class(id) if self.project.role(&id) == Role::Model => self.refer(id),
            Target::Class(_) => Type::Any(format!("{written} is not a Model")),
            Target::Outside(full) if facts::is_model(&full) => any_object(),
            Target::Outside(full) => {
                let known = known_type(&full);
                known.unwrap_or_else(|| Type::Any(format!("{full} is not in the given files")))
            }
            Target::Unknown => match self.project.value(seen_from, names) {
                Some((value, found)) => {
                    let value = value.clone();
                    self.type_within(&found, &value, left)
                }
                None => Type::Any(format!("{written} is not in the given files")),
            },
        }
    }

    fn indexed(&mut self, seen_from: &ClassId, names: &[String], items: &[Value], left: usize) -> Type {
        let Target::Outside(full) = self.project.resolve(seen_from, names) else {
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
            _ => match known_type(&full) {
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

/// A type of Python or of Zato by its full name.
fn known_type(full: &str) -> Option<Type> {
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
    known.contains(&module).then(|| facts::annotation(name)).flatten()
}

/// Whether a field has a default, and which if JSON has it, too.
fn default(value: Option<&Value>) -> (bool, Option<serde_json::Value>) {
    match value {
        None => (false, None),
        Some(Value::Call(names, _, keywords)) if names.last().is_some_and(|name| name == "field") => {
            let given = keywords.get("default");
            let has = given.is_some() || keywords.contains_key("default_factory");
            (has, given.and_then(simple_io::literal))
        }
        Some(value) => (true, simple_io::literal(value)),
    }
}
