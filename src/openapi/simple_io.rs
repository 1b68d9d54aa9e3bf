//! SimpleIO declarations as messages.
//!
//! Pure. Follows `_build_io_elems` of `zato-cy/src/zato/cy/simpleio.py`, also where that surprises; each surprise is told.

use super::docstring::{self, Descriptions, Side};
use super::facts::{self, Element};
use super::model::{Field, Type, Warning};
use super::project::{ClassId, Project, Target};
use super::value::Value;

/// How often a value may refer to another one.
const DEPTH: usize = 40;
/// How many values are looked at.
const STEPS: usize = 2_000;

/// An element of a declaration.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// As written, with a dash if it has one.
    pub name: String,
    /// None: the name decides.
    pub element: Option<Element>,
    /// Keys of a dict.
    pub keys: Vec<Declared>,
    /// What it is when left out.
    pub default: Option<serde_json::Value>,
}

/// What a value declares.
#[derive(Debug, Default)]
pub struct Declarations {
    /// The elements that the source tells.
    pub elements: Vec<Declared>,
    /// Whether there may be more of them.
    pub incomplete: bool,
    /// How many values were looked at.
    steps: usize,
}

/// Reads the elements of a value: strings, element types, tuples and lists of them, sums, and names of such values.
pub fn declarations(project: &Project, seen_from: &ClassId, value: &Value) -> Declarations {
    let mut result = Declarations::default();
    collect(project, seen_from, value, DEPTH, &mut result);
    result
}

fn collect(project: &Project, seen_from: &ClassId, value: &Value, left: usize, into: &mut Declarations) {
    // Values that double themselves (`A = B + B`) would grow without end.
    into.steps += 1;
    if left == 0 || into.steps > STEPS {
        into.incomplete = true;
        return;
    }
    let left = left - 1;
    match value {
        Value::Text(name) => into.elements.push(Declared::plain(name)),
        Value::Sequence(items) => {
            for item in items {
                collect(project, seen_from, item, left, into);
            }
        }
        Value::Spread(inner) => collect(project, seen_from, inner, left, into),
        Value::Join(one, other) => {
            collect(project, seen_from, one, left, into);
            collect(project, seen_from, other, left, into);
        }
        Value::Nothing => {}
        Value::Name(names) => match project.value(seen_from, names) {
            Some((value, found)) => collect(project, &found, value, left, into),
            None => into.incomplete = true,
        },
        Value::Call(names, arguments, _) if is_wrapper(names) => {
            for argument in arguments {
                collect(project, seen_from, argument, left, into);
            }
        }
        Value::Call(names, arguments, keywords) => {
            let default = keywords.get("default").and_then(literal);
            match element(project, seen_from, names).zip(text(arguments.first())) {
                Some((element, name)) => {
                    let keys = keys(project, seen_from, &arguments[1..], left, into);
                    into.elements.push(Declared {
                        name,
                        element: Some(element),
                        keys,
                        default,
                    });
                }
                None => into.incomplete = true,
            }
        }
        _ => into.incomplete = true,
    }
}

/// The keys that a dict names after its own name.
fn keys(
    project: &Project,
    seen_from: &ClassId,
    arguments: &[Value],
    left: usize,
    into: &mut Declarations,
) -> Vec<Declared> {
    let before = std::mem::take(&mut into.elements);
    for argument in arguments {
        collect(project, seen_from, argument, left, into);
    }
    std::mem::replace(&mut into.elements, before)
}

/// Calls that change how values are held, but not which.
fn is_wrapper(names: &[String]) -> bool {
    matches!(names, [name] if ["tuple", "list", "set", "sorted"].contains(&name.as_str()))
}

impl Declared {
    fn plain(name: &str) -> Self {
        Self {
            name: name.into(),
            element: None,
            keys: Vec::new(),
            default: None,
        }
    }

    fn has_dash(&self) -> bool {
        self.name.starts_with('-')
    }
}

fn element(project: &Project, seen_from: &ClassId, names: &[String]) -> Option<Element> {
    match project.resolve(seen_from, names) {
        Target::Outside(full) => facts::element(&full),
        _ => None,
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

/// A value that JSON has, too.
pub fn literal(value: &Value) -> Option<serde_json::Value> {
    match value {
        Value::Text(text) => Some(text.clone().into()),
        Value::Integer(number) => Some((*number).into()),
        Value::Float(number) => serde_json::Number::from_f64(*number).map(Into::into),
        Value::Flag(flag) => Some((*flag).into()),
        _ => None,
    }
}

/// One side of a SimpleIO declaration.
pub struct Declaration<'a> {
    /// The files.
    pub project: &'a Project,
    /// The class with the declaration: SimpleIO, or the service itself.
    pub holder: &'a ClassId,
    /// Which side.
    pub side: Side,
    /// What is said of elements.
    pub descriptions: &'a Descriptions,
}

impl Declaration<'_> {
    fn name(&self) -> &'static str {
        match self.side {
            Side::Input => "input",
            Side::Output => "output",
        }
    }

    /// The message of this side; none if nothing is declared.
    pub fn message(&self, warnings: &mut Vec<Warning>) -> Option<Type> {
        let container = self.name();
        let plain = self.part(container, warnings);
        let required = self.part(&format!("{container}_required"), warnings);
        let optional = self.part(&format!("{container}_optional"), warnings);
        if plain.is_none() && required.is_none() && optional.is_none() {
            return None;
        }
        let filled =
            |part: &Option<Declarations>| part.as_ref().is_some_and(|part| !part.elements.is_empty());
        if filled(&plain) && (filled(&required) || filled(&optional)) {
            let text = format!(
                "{container} and {container}_required or {container}_optional: Zato refuses the service"
            );
            self.warn(warnings, text);
        }
        let mut incomplete = false;
        let mut fields = Vec::new();
        for (part, given) in [(plain, None), (required, Some(true)), (optional, Some(false))] {
            let Some(part) = part else { continue };
            incomplete |= part.incomplete;
            for declared in &part.elements {
                self.warn_of_dash(declared, given, warnings);
                let mut field = field(declared, given, self.side);
                if self.side == Side::Output && !field.required && facts::goes_out_as_null(&field.kind) {
                    field.kind = Type::Nullable(Box::new(field.kind));
                }
                self.add(field, &mut fields);
            }
        }
        if incomplete {
            let text =
                format!("{container} is made by code: not all of its elements can be told from the source");
            self.warn(warnings, text.clone());
            return Some(Type::Either(vec![Type::Object(fields), Type::Any(text)]));
        }
        Some(Type::Object(fields))
    }

    fn part(&self, name: &str, warnings: &mut Vec<Warning>) -> Option<Declarations> {
        let (attribute, found) = self.project.attribute(self.holder, name)?;
        let declarations = declarations(self.project, &found, &attribute.value);
        if declarations.incomplete && declarations.elements.is_empty() {
            let place = self.project.place(&found, attribute.line);
            warnings.push(Warning {
                place,
                text: format!("{name} cannot be told from the source"),
            });
        }
        Some(declarations)
    }

    /// Of two elements with one name the required one wins.
    fn add(&self, mut field: Field, fields: &mut Vec<Field>) {
        field.description = self.descriptions.of(self.side, &field.name);
        match fields.iter_mut().find(|known| known.name == field.name) {
            Some(known) if known.required && !field.required => {}
            Some(known) => *known = field,
            None => fields.push(field),
        }
    }

    fn warn_of_dash(&self, declared: &Declared, given: Option<bool>, warnings: &mut Vec<Warning>) {
        let name = &declared.name;
        let plain = declared.element.is_none();
        if plain && given.is_some() && declared.has_dash() {
            let text = format!(
                "'{name}': in {0}_required and {0}_optional the dash is part of the name",
                self.name()
            );
            self.warn(warnings, text);
        } else if plain && given.is_none() && declared.has_dash() && name[1..].contains('-') {
            self.warn(
                warnings,
                format!("'{name}': Zato removes every dash of an optional name"),
            );
        }
    }

    fn warn(&self, warnings: &mut Vec<Warning>, text: String) {
        let line = self.project.class(self.holder).map_or(0, |class| class.line);
        warnings.push(Warning {
            place: self.project.place(self.holder, line),
            text,
        });
    }
}

/// The field of an element; `given` is what its list says, if it is a list of required or of optional ones.
fn field(declared: &Declared, given: Option<bool>, side: Side) -> Field {
    let is_plain = declared.element.is_none();
    let name = match (is_plain, given) {
        // A name in input or output loses all its dashes if it starts with one.
        (true, None) if declared.has_dash() => declared.name.replace('-', ""),
        (true, _) => declared.name.clone(),
        (false, _) => declared
            .name
            .strip_prefix('-')
            .unwrap_or(&declared.name)
            .to_owned(),
    };
    let element = declared.element.unwrap_or_else(|| facts::infer(&name));
    Field {
        kind: element_type(element, &declared.keys, side),
        required: given.unwrap_or(!declared.has_dash()),
        description: String::new(),
        default: declared.default.clone(),
        name,
    }
}

fn element_type(element: Element, keys: &[Declared], side: Side) -> Type {
    let object = || Type::Object(keys.iter().map(|declared| key(declared, side)).collect());
    match element {
        Element::Dict if !keys.is_empty() => object(),
        Element::DictList if !keys.is_empty() => Type::List(Box::new(object())),
        _ => facts::element_type(element, side),
    }
}

/// A key of a dict: a plain one has any value, whatever its name.
fn key(declared: &Declared, side: Side) -> Field {
    let element = declared.element.or(Some(Element::AsIs));
    let mut field = field(
        &Declared {
            element,
            ..declared.clone()
        },
        None,
        side,
    );
    field.default = None;
    // One that the service leaves out goes out as an empty string, whatever its type.
    if side == Side::Output && !field.required && !matches!(field.kind, Type::Any(_) | Type::Text) {
        field.kind = Type::Either(vec![field.kind, Type::Choice(vec!["".into()])]);
    }
    field
}

/// What the docstrings of a SimpleIO class and of those that it inherits from say.
pub fn described(project: &Project, holder: &ClassId) -> Descriptions {
    let lineage = project.lineage(holder).0;
    let texts = lineage
        .iter()
        .filter_map(|id| project.class(id)?.docstring.as_deref());
    texts
        .map(docstring::descriptions)
        .fold(Descriptions::default(), Descriptions::or)
}
