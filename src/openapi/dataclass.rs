//! Dataclass models as they arrive and as they go out: two views of a class, which are one where they agree.
//!
//! Pure. What annotations declare is read in `annotation`, what Zato makes of it in `arrival`.

use std::collections::{BTreeMap, BTreeSet};

use super::arrival::{self, Need, Written};
use super::docstring::{self, Side};
use super::model::{Field, Model, Type, Warning};
use super::names;
use super::project::{ClassId, Project};
use super::simple_io;
use super::source::Annotated;
use super::value::{self, Value};
use super::widening::is_value;

/// What follows the name of a model where what goes out differs from what arrives. No name of Python has it.
pub const OUTPUT: &str = " (output)";

/// Models that messages refer to, and those of them that are still to be read.
pub struct Models<'a> {
    project: &'a Project,
    names: BTreeMap<ClassId, String>,
    taken: BTreeSet<String>,
    waiting: Vec<(ClassId, Side)>,
    known: BTreeSet<(ClassId, Side)>,
    /// Which side is being read.
    side: Side,
    /// How much of one annotation is left to look at.
    pub(super) steps: usize,
}

impl<'a> Models<'a> {
    /// None yet.
    pub fn new(project: &'a Project) -> Self {
        Self {
            project,
            names: BTreeMap::new(),
            taken: BTreeSet::new(),
            waiting: Vec::new(),
            known: BTreeSet::new(),
            side: Side::Input,
            steps: 0,
        }
    }

    /// The files.
    pub fn project(&self) -> &'a Project {
        self.project
    }

    /// The type of a side of a service.
    pub fn message(&mut self, side: Side, seen_from: &ClassId, annotation: &Value) -> Type {
        self.side = side;
        self.type_of(seen_from, annotation)
    }

    /// The type of a model, on the side that is being read.
    pub fn refer(&mut self, id: ClassId) -> Type {
        // Two files of one name can have a class of one name.
        let name = match self.names.get(&id) {
            Some(name) => name.clone(),
            None => names::unique(&mut self.taken, self.project.full_name(&id)),
        };
        self.names.insert(id.clone(), name.clone());
        if self.known.insert((id.clone(), self.side)) {
            self.waiting.push((id, self.side));
        }
        Type::Model(match self.side {
            Side::Input => name,
            Side::Output => name + OUTPUT,
        })
    }

    /// Reads all models that were referred to, and those that they refer to. The types of these outputs get the names that
    /// the models have in the end.
    pub fn finish<'b>(
        mut self,
        outputs: impl Iterator<Item = &'b mut Type>,
        warnings: &mut Vec<Warning>,
    ) -> BTreeMap<String, Model> {
        let mut models = BTreeMap::new();
        while let Some((id, side)) = self.waiting.pop() {
            self.side = side;
            let model = self.model(&id, warnings);
            let name = self.names[&id].clone();
            models.insert((name, side), model);
        }
        let differing = differing(&models);
        let rename = |name: &mut String| {
            if let Some(plain) = name
                .strip_suffix(OUTPUT)
                .filter(|plain| !differing.contains(*plain))
            {
                *name = plain.to_owned();
            }
        };
        for output in outputs {
            output.each_model(&mut |name| rename(name));
        }
        let mut result = BTreeMap::new();
        for ((name, side), mut model) in models {
            for field in &mut model.fields {
                field.kind.each_model(&mut |name| rename(name));
            }
            let is_other = side == Side::Output && differing.contains(&name);
            result.insert(if is_other { name + OUTPUT } else { name }, model);
        }
        result
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
        let (has_default, default) = default(annotated.default.as_ref());
        let (annotation, is_text) = self.evaluated(base, annotated);
        let written = Written {
            annotation,
            is_text,
            has_default,
        };
        if let Value::Index(names, _) | Value::Name(names) = &written.annotation
            && names
                .last()
                .is_some_and(|name| name == "ClassVar" || name == "InitVar")
        {
            return None;
        }
        let declared = self.type_of(base, &written.annotation);
        let mut tell = |text: &str| {
            warnings.push(Warning {
                place: self.project.place(base, annotated.line),
                text: format!("{}: {text}", annotated.name),
            });
        };
        if let Type::Any(reason) = &declared
            && !reason.is_empty()
        {
            tell(reason);
        }
        let arrives = self.arrival(base, &written, declared.clone());
        let (kind, told) = match self.side {
            Side::Input => (arrives.kind, arrives.told),
            Side::Output => arrival::departure(declared.clone()),
        };
        if let Some(text) = told {
            tell(text);
        }
        // A default that nobody could send is none for a caller.
        let default = default.filter(|value| kind == declared || is_value(value, &kind));
        Some(Field {
            name: annotated.name.clone(),
            // What goes out has all fields, so what must arrive is there, too.
            required: match arrives.need {
                Need::Always => true,
                Need::WithoutDefault => !has_default,
                Need::Never => false,
            },
            kind,
            description: annotated.description.clone(),
            default,
        })
    }

    /// An annotation, and whether Python keeps it as a string.
    fn evaluated(&self, base: &ClassId, annotated: &Annotated) -> (Value, bool) {
        if let Value::Text(text) = &annotated.annotation {
            return (value::quoted(text), true);
        }
        let imports = self.project.module(base).map(|module| &module.imports);
        let is_future = imports.and_then(|imports| imports.get("annotations"));
        (
            annotated.annotation.clone(),
            is_future.is_some_and(|full| full == "__future__.annotations"),
        )
    }
}

/// Names of models of which the two views differ, by themselves or by what they refer to.
fn differing(models: &BTreeMap<(String, Side), Model>) -> BTreeSet<String> {
    let plain = |model: &Model| {
        let mut model = model.clone();
        let mut referred = BTreeSet::new();
        for field in &mut model.fields {
            field.kind.each_model(&mut |name| {
                if let Some(plain) = name.strip_suffix(OUTPUT) {
                    *name = plain.to_owned();
                }
                referred.insert(name.clone());
            });
        }
        (model, referred)
    };
    let mut result = BTreeSet::new();
    let mut refers = Vec::new();
    for ((name, side), model) in models {
        let Some(arriving) = models
            .get(&(name.clone(), Side::Input))
            .filter(|_| *side == Side::Output)
        else {
            continue;
        };
        let (model, referred) = plain(model);
        if plain(arriving).0 != model {
            result.insert(name.clone());
        }
        refers.push((name, referred));
    }
    loop {
        let more = refers
            .iter()
            .filter(|(name, referred)| !result.contains(*name) && !result.is_disjoint(referred));
        let more: Vec<String> = more.map(|(name, _)| (*name).clone()).collect();
        if more.is_empty() {
            return result;
        }
        result.extend(more);
    }
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
