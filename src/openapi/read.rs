//! Finds the services of a project and reads each one.
//!
//! Pure. Owns what a service is and how its input and output are put together; the parts are read elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::dataclass::Models;
use super::docstring::{self, Descriptions, Side};
use super::facts;
use super::model::{Api, Service, Type, Warning};
use super::names;
use super::project::{ClassId, Project, Role, Target};
use super::select::Patterns;
use super::simple_io::{self, Declaration};
use super::source::Class;
use super::value::Value;

/// Which services are read, and which parts of their docstrings.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Names that are taken.
    pub include: Patterns,
    /// Names that are not.
    pub exclude: Patterns,
    /// The files whose services are taken. None: all of them.
    pub files: Option<BTreeSet<String>>,
    /// Tags of docstrings, such as `public`.
    pub tags: Vec<String>,
}

/// Reads the services that the selection takes, and the models that they refer to.
pub fn api(project: &Project, selection: &Selection) -> Api {
    let mut reader = Reader {
        project,
        selection,
        models: Models::new(project),
        warnings: Vec::new(),
    };
    let mut services: BTreeMap<String, Service> = BTreeMap::new();
    for (id, class) in project.classes() {
        let is_taken =
            |files: &BTreeSet<String>| project.module(&id).is_some_and(|m| files.contains(&m.file));
        if !selection.files.as_ref().is_none_or(is_taken) {
            continue;
        }
        let Some(service) = reader.service(&id, class) else {
            continue;
        };
        if let Some(first) = services.get(&service.name) {
            let text = format!(
                "the name {} is taken by the class at {}",
                service.name, first.place
            );
            reader.warn(&id, class.line, text);
        } else {
            services.insert(service.name.clone(), service);
        }
    }
    let mut warnings = reader.warnings;
    let outputs = services
        .values_mut()
        .filter_map(|service| service.output.as_mut());
    let models = reader.models.finish(outputs, &mut warnings);
    warnings.sort();
    warnings.dedup();
    Api {
        channels: Vec::new(),
        web_sockets: Vec::new(),
        services,
        models,
        warnings,
    }
}

struct Reader<'a> {
    project: &'a Project,
    selection: &'a Selection,
    models: Models<'a>,
    warnings: Vec<Warning>,
}

/// How a service declares its input and output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `class SimpleIO`.
    Class,
    /// `input = ..` and `output = ..` of the service itself.
    Attributes,
}

impl Reader<'_> {
    fn warn(&mut self, id: &ClassId, line: usize, text: String) {
        self.warnings.push(Warning {
            place: self.project.place(id, line),
            text,
        });
    }

    fn service(&mut self, id: &ClassId, class: &Class) -> Option<Service> {
        let role = self.project.role(id);
        let looks = self.project.inner(id, "SimpleIO").is_some()
            || ["name", "input", "output"]
                .iter()
                .any(|name| class.attributes.contains_key(*name));
        let handles = class.methods.contains("handle");
        let is_service = role == Role::Service || (role == Role::Open && handles && looks);
        if !is_service || self.project.attribute(id, "zato_dont_import").is_some() {
            return None;
        }
        let told = self.warnings.len();
        let name = self.name(id, class)?;
        if !self.selection.include.matches(&name) || self.selection.exclude.matches(&name) {
            // What was told of its name concerns nobody.
            self.warnings.truncate(told);
            return None;
        }
        if role == Role::Open {
            let text =
                format!("{name}: not all that it inherits from is in the given files; taken as a service");
            self.warn(id, class.line, text);
        }
        let text = class.docstring.as_deref().unwrap_or_default();
        let documentation = docstring::documentation(text, &self.selection.tags);
        let mut service = Service {
            name,
            place: self.project.place(id, class.line),
            summary: documentation.summary,
            description: documentation.description,
            ..Service::default()
        };
        self.messages(id, class, &mut service);
        Some(service)
    }

    fn name(&mut self, id: &ClassId, class: &Class) -> Option<String> {
        if let Some((attribute, found)) = self.project.attribute(id, "name") {
            match text(self.project, &found, &attribute.value, 20) {
                Some(name) if !name.is_empty() => return Some(name),
                None if attribute.value != Value::Nothing => {
                    let text = format!(
                        "{}: its name is made by code; the service is left out",
                        class.name
                    );
                    self.warn(id, attribute.line, text);
                    return None;
                }
                _ => {}
            }
        }
        let module = self.project.module(id)?;
        let name = names::service(&module.name, &class.name);
        let text = format!(
            "{} has no name: Zato makes one from the path of the file, here {name}",
            class.name
        );
        self.warn(id, class.line, text);
        Some(name)
    }

    fn messages(&mut self, id: &ClassId, class: &Class, service: &mut Service) {
        let simple_io = self.project.inner(id, "SimpleIO");
        let (form, holder) = match &simple_io {
            Some(inner) => (Form::Class, inner.clone()),
            None => (Form::Attributes, id.clone()),
        };
        let assigned = self.project.attribute(id, "SimpleIO");
        if let (None, Some((attribute, found))) = (&simple_io, assigned) {
            // `SimpleIO = Other`, or something that is no class.
            return self.assigned(id, class, &attribute.value, &found, service);
        }
        self.both_sides(form, &holder, service);
    }

    fn assigned(
        &mut self,
        id: &ClassId,
        class: &Class,
        value: &Value,
        found: &ClassId,
        service: &mut Service,
    ) {
        if let Value::Name(names) = value
            && let Target::Class(holder) = self.project.resolve(found, names)
        {
            return self.both_sides(Form::Class, &holder, service);
        }
        let text = "SimpleIO cannot be told from the source".to_owned();
        service.input = Some(Type::Any(text.clone()));
        service.output = Some(Type::Any(text.clone()));
        self.warn(id, class.line, text);
    }

    fn both_sides(&mut self, form: Form, holder: &ClassId, service: &mut Service) {
        let descriptions = match form {
            Form::Class => simple_io::described(self.project, holder),
            Form::Attributes => Descriptions::default(),
        };
        let mut sides = [Side::Input, Side::Output].map(|side| self.model_side(holder, side));
        let has_model = sides.iter().any(Option::is_some);
        for (slot, side) in sides.iter_mut().zip([Side::Input, Side::Output]) {
            if slot.is_none() {
                let project = self.project;
                let declaration = Declaration {
                    project,
                    holder,
                    side,
                    descriptions: &descriptions,
                };
                *slot = declaration.message(&mut self.warnings);
                if has_model && let Some(message) = slot {
                    self.beside_model(form, holder, side, message);
                }
            }
        }
        let [input, output] = sides;
        service.input = input;
        service.output = output.map(|output| {
            if self.is_repeated(holder) {
                Type::List(Box::new(output))
            } else {
                output
            }
        });
        if form == Form::Class && !has_model && service.output.is_some() {
            service.response_element = self.response_element(holder);
        }
    }

    /// A side that is a model or a list of models.
    fn model_side(&mut self, holder: &ClassId, side: Side) -> Option<Type> {
        let name = if side == Side::Input { "input" } else { "output" };
        let (attribute, found) = self.project.attribute(holder, name)?;
        let (mut value, mut found) = (&attribute.value, found);
        // An alias such as `UserList = list_[User]`.
        for _ in 0..20 {
            let Value::Name(names) = value else { break };
            match self.project.resolve(&found, names) {
                Target::Class(id) if self.project.role(&id) == Role::Other => {
                    let text = format!("{name}: {} is not a Model, Zato refuses it", names.join("."));
                    self.warn(&found, attribute.line, text.clone());
                    return Some(Type::Any(text));
                }
                Target::Class(_) => return Some(self.models.message(side, &found, value)),
                Target::Outside(_) | Target::Unknown => {}
            }
            let Some((next, place)) = self.project.value(&found, names) else {
                let text = format!("{name}: {} is not in the given files", names.join("."));
                self.warn(&found, attribute.line, text.clone());
                return Some(Type::Any(text));
            };
            (value, found) = (next, place);
        }
        if !matches!(value, Value::Index(..)) {
            return None;
        }
        let message = self.models.message(side, &found, value);
        if side == Side::Input && matches!(message, Type::List(_)) {
            let text = "input is a list of models: Zato 3.2 answers every request with 500; name a model that has the list";
            self.warn(&found, attribute.line, text.into());
        }
        Some(message)
    }

    /// Names beside a model on the other side: Zato makes a model of them, in one of the two forms.
    fn beside_model(&mut self, form: Form, holder: &ClassId, side: Side, message: &mut Type) {
        let line = self.project.class(holder).map_or(0, |class| class.line);
        let what = if side == Side::Input { "input" } else { "output" };
        if form == Form::Class {
            let text = format!(
                "{what} names elements and the other side is a model: Zato 3.2 cannot use it in SimpleIO"
            );
            return self.warn(holder, line, text);
        }
        let Type::Object(fields) = message else { return };
        for field in fields {
            if !field.required {
                let text = format!(
                    "{what} has '-{}' beside a model: Zato 3.2 refuses the service",
                    field.name
                );
                self.warn(holder, line, text);
            }
            if !matches!(field.kind, Type::Integer | Type::Boolean) {
                field.kind = Type::Text;
            }
        }
    }

    fn is_repeated(&self, holder: &ClassId) -> bool {
        let attribute = self.project.attribute(holder, "output_repeated");
        attribute.is_some_and(|(attribute, _)| attribute.value == Value::Flag(true))
    }

    fn response_element(&mut self, holder: &ClassId) -> Option<String> {
        let Some((attribute, found)) = self.project.attribute(holder, "response_elem") else {
            return Some(facts::RESPONSE_ELEMENT.into());
        };
        let name = text(self.project, &found, &attribute.value, 20);
        if name.is_none() && !matches!(attribute.value, Value::Nothing | Value::Flag(false)) {
            self.warn(
                holder,
                attribute.line,
                "response_elem cannot be told from the source".into(),
            );
        }
        name.filter(|name| !name.is_empty())
    }
}

/// Text that is written out, or put together from names of such text.
fn text(project: &Project, seen_from: &ClassId, value: &Value, left: usize) -> Option<String> {
    let left = left.checked_sub(1)?;
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Join(one, other) => {
            let one = text(project, seen_from, one, left)?;
            let joined = one + &text(project, seen_from, other, left)?;
            // Names that double themselves would grow without end.
            (joined.len() <= 1_000).then_some(joined)
        }
        Value::Name(names) => {
            let (value, found) = project.value(seen_from, names)?;
            text(project, &found, value, left)
        }
        _ => None,
    }
}
