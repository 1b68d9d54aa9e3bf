//! All given files together: what a name stands for, what a class inherits, what a value is.
//!
//! Pure. Resolves across files by the names of modules; a name that leads outside the files stays a full name.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::facts;
use super::model::Place;
use super::source::{Attribute, Class, Module};
use super::value::Value;

/// How many classes a class may inherit from.
const LIMIT: usize = 200;
/// How often one name may lead to another one, in a row and in all: files can import all of each other.
const DEPTH: usize = 150;
const STEPS: usize = 300;

/// How much of a search is left.
#[derive(Clone, Copy)]
struct Left<'a> {
    depth: usize,
    steps: &'a Cell<usize>,
}

impl<'a> Left<'a> {
    fn new(steps: &'a Cell<usize>) -> Self {
        Self { depth: DEPTH, steps }
    }

    /// What is left after one step more, if any.
    fn next(self) -> Option<Self> {
        let (depth, steps) = (self.depth.checked_sub(1)?, self.steps.get().checked_sub(1)?);
        self.steps.set(steps);
        Some(Self { depth, ..self })
    }
}

/// The files.
#[derive(Debug, Default)]
pub struct Project {
    modules: Vec<Module>,
    /// Modules by the last part of their names: how far a path on disk is a package is not known.
    by_name: BTreeMap<String, Vec<usize>>,
}

/// A class of a file: the file's index and the names from the outermost class inwards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassId {
    module: usize,
    path: Vec<String>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A class in the files.
    Class(ClassId),
    /// Something outside of them, by its full name.
    Outside(String),
    /// Nothing that the files say.
    Unknown,
}

/// What a class is, by what it inherits from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A Zato service.
    Service,
    /// A dataclass model.
    Model,
    /// It inherits from something outside the files that is not known.
    Open,
    /// Anything else.
    Other,
}

/// A value and where it was found: its names are meant as seen from there.
pub type Found<'a> = (&'a Attribute, ClassId);

impl Project {
    /// From modules in any order.
    pub fn new(mut modules: Vec<Module>) -> Self {
        modules.sort_by(|one, other| one.file.cmp(&other.file));
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, module) in modules.iter().enumerate() {
            let last = module.name.rsplit('.').next().unwrap_or_default();
            by_name.entry(last.into()).or_default().push(index);
        }
        Self { modules, by_name }
    }

    /// All classes of all files, in the order of files and names.
    pub fn classes(&self) -> impl Iterator<Item = (ClassId, &Class)> {
        self.modules.iter().enumerate().flat_map(|(index, module)| {
            module.classes.iter().map(move |(name, class)| {
                (
                    ClassId {
                        module: index,
                        path: vec![name.clone()],
                    },
                    class,
                )
            })
        })
    }

    /// The first names of all modules that these files import, and that those import in turn.
    pub fn imported_by(&self, files: &BTreeSet<String>) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut waiting: Vec<&Module> = self
            .modules
            .iter()
            .filter(|module| files.contains(&module.file))
            .collect();
        while let Some(module) = waiting.pop() {
            for full in module.imports.values().chain(&module.star_imports) {
                let first = full.split('.').next().unwrap_or_default();
                let is_it = |module: &&Module| module.name.split('.').next() == Some(first);
                if found.insert(first) {
                    waiting.extend(self.modules.iter().filter(is_it));
                }
            }
        }
        found
    }

    /// The class.
    pub fn class(&self, id: &ClassId) -> Option<&Class> {
        let (first, rest) = id.path.split_first()?;
        let class = self.modules.get(id.module)?.classes.get(first)?;
        rest.iter().try_fold(class, |class, name| class.classes.get(name))
    }

    /// The module of a class.
    pub fn module(&self, id: &ClassId) -> Option<&Module> {
        self.modules.get(id.module)
    }

    /// Where a line of a class's file is.
    pub fn place(&self, id: &ClassId, line: usize) -> Place {
        let file = self
            .module(id)
            .map(|module| module.file.clone())
            .unwrap_or_default();
        Place { file, line }
    }

    /// The full name of a class, `module.Class`.
    pub fn full_name(&self, id: &ClassId) -> String {
        let module = self
            .module(id)
            .map(|module| module.name.as_str())
            .unwrap_or_default();
        format!("{module}.{}", id.path.join("."))
    }

    /// What `names`, written in the body of `seen_from` or in its module, stands for.
    pub fn resolve(&self, seen_from: &ClassId, names: &[String]) -> Target {
        self.resolve_within(seen_from, names, Left::new(&Cell::new(STEPS)))
    }

    fn resolve_within(&self, seen_from: &ClassId, names: &[String], left: Left<'_>) -> Target {
        let (Some((first, rest)), Some(module)) = (names.split_first(), self.module(seen_from)) else {
            return Target::Unknown;
        };
        let Some(left) = left.next() else {
            return Target::Unknown;
        };
        // A class body sees its own names and those of the module, not those of the class around it.
        let mut inner = seen_from.path.clone();
        inner.push(first.clone());
        let own = ClassId {
            module: seen_from.module,
            path: inner,
        };
        let top = ClassId {
            module: seen_from.module,
            path: vec![first.clone()],
        };
        if self.class(&own).is_some() {
            return self.within(own, rest, left);
        }
        if module.classes.contains_key(first) {
            return self.within(top, rest, left);
        }
        if let Some(full) = module.imports.get(first) {
            return self.outside(full, rest, left);
        }
        if facts::annotation(first).is_some() && is_builtin(first) {
            return Target::Outside(first.clone());
        }
        let stars = module.star_imports.iter();
        let found = stars.map(|from| self.outside(&format!("{from}.{first}"), rest, left));
        found.rev().find(is_known).unwrap_or(Target::Unknown)
    }

    /// A name in a class, or in what it inherits from.
    fn within(&self, id: ClassId, rest: &[String], left: Left<'_>) -> Target {
        let Some((name, more)) = rest.split_first() else {
            return Target::Class(id);
        };
        let found = self.lineage_within(&id, left).0.into_iter().find_map(|mut base| {
            base.path.push(name.clone());
            self.class(&base).is_some().then_some(base)
        });
        found.map_or(Target::Unknown, |inner| self.within(inner, more, left))
    }

    /// A full name that may lead into another file.
    fn outside(&self, full: &str, rest: &[String], left: Left<'_>) -> Target {
        let mut parts: Vec<String> = full.split('.').map(str::to_owned).collect();
        parts.extend_from_slice(rest);
        for split in (1..parts.len()).rev() {
            let Some(index) = self.find_module(&parts[..split].join(".")) else {
                continue;
            };
            let seen_from = ClassId {
                module: index,
                path: Vec::new(),
            };
            return self.resolve_within(&seen_from, &parts[split..], left);
        }
        Target::Outside(parts.join("."))
    }

    /// A module by its name, or by the end of its name if only one file has it.
    fn find_module(&self, name: &str) -> Option<usize> {
        if name.starts_with("zato.") {
            return None;
        }
        let candidates = self.by_name.get(name.rsplit('.').next()?)?;
        let exact = candidates.iter().find(|index| self.modules[**index].name == name);
        exact
            .or(if candidates.len() == 1 {
                candidates.first()
            } else {
                None
            })
            .copied()
    }

    /// The class and all that it inherits from in the files, nearest first, and the full names outside of them.
    pub fn lineage(&self, id: &ClassId) -> (Vec<ClassId>, Vec<Target>) {
        self.lineage_within(id, Left::new(&Cell::new(STEPS)))
    }

    fn lineage_within(&self, id: &ClassId, left: Left<'_>) -> (Vec<ClassId>, Vec<Target>) {
        let (mut order, mut seen, mut outside) = (Vec::new(), BTreeSet::new(), Vec::new());
        self.visit(id, left, &mut seen, &mut order, &mut outside);
        order.reverse();
        outside.reverse();
        (order, outside)
    }

    /// Bases before the class, the last base first: turned around it is Python's order.
    fn visit(
        &self,
        id: &ClassId,
        left: Left<'_>,
        seen: &mut BTreeSet<ClassId>,
        order: &mut Vec<ClassId>,
        outside: &mut Vec<Target>,
    ) {
        let Some(class) = self.class(id) else { return };
        let Some(left) = left.next() else { return };
        if seen.len() >= LIMIT || !seen.insert(id.clone()) {
            return;
        }
        // Bases are named outside of the class that has them.
        let mut around = id.clone();
        around.path.pop();
        for base in class.bases.iter().rev() {
            match self.resolve_within(&around, base, left) {
                Target::Class(base) => self.visit(&base, left, seen, order, outside),
                target => outside.push(target),
            }
        }
        order.push(id.clone());
    }

    /// What a class is.
    pub fn role(&self, id: &ClassId) -> Role {
        let outside = self.lineage(id).1;
        let is = |test: fn(&str) -> bool| {
            outside
                .iter()
                .any(|target| matches!(target, Target::Outside(name) if test(name)))
        };
        if is(facts::is_service) {
            Role::Service
        } else if is(facts::is_model) {
            Role::Model
        } else if outside
            .iter()
            .any(|target| !matches!(target, Target::Outside(name) if is_builtin(name)))
        {
            Role::Open
        } else {
            Role::Other
        }
    }

    /// What a class or one that it inherits from assigns to `name`.
    pub fn attribute(&self, id: &ClassId, name: &str) -> Option<Found<'_>> {
        self.lineage(id).0.into_iter().find_map(|base| {
            let attribute = self.class(&base)?.attributes.get(name)?;
            Some((attribute, base))
        })
    }

    /// The class `name` inside a class or inside one that it inherits from.
    pub fn inner(&self, id: &ClassId, name: &str) -> Option<ClassId> {
        let names = [name.to_owned()];
        match self.within(id.clone(), &names, Left::new(&Cell::new(STEPS))) {
            Target::Class(id) => Some(id),
            _ => None,
        }
    }

    /// The value that names stand for: of the class's body, its module, another class or another file.
    pub fn value(&self, seen_from: &ClassId, names: &[String]) -> Option<(&Value, ClassId)> {
        let (last, before) = names.split_last()?;
        if before.is_empty() {
            let own = self.class(seen_from).and_then(|class| class.attributes.get(last));
            let module = self.module(seen_from)?;
            if let Some(attribute) = own.or_else(|| module.constants.get(last)) {
                return Some((&attribute.value, seen_from.clone()));
            }
            let full = module.imports.get(last)?;
            let (from, name) = full.rsplit_once('.')?;
            return self.constant(from, name);
        }
        if let Target::Class(id) = self.resolve(seen_from, before) {
            let (attribute, base) = self.attribute(&id, last)?;
            return Some((&attribute.value, base));
        }
        let full = self.module(seen_from)?.imports.get(before.first()?)?;
        let mut from = vec![full.clone()];
        from.extend_from_slice(&before[1..]);
        self.constant(&from.join("."), last)
    }

    fn constant(&self, module: &str, name: &str) -> Option<(&Value, ClassId)> {
        let index = self.find_module(module)?;
        let attribute = self.modules[index].constants.get(name)?;
        Some((
            &attribute.value,
            ClassId {
                module: index,
                path: Vec::new(),
            },
        ))
    }
}

/// Whether a full name is one that Zato or Python has.
fn is_known(target: &Target) -> bool {
    match target {
        Target::Class(_) => true,
        Target::Outside(name) => {
            let last = name.rsplit('.').next().unwrap_or_default();
            // Zato's names of types are in lower case, those of typing are not; a star binds only what is there.
            let is_lower = last.starts_with(|first: char| first.is_ascii_lowercase());
            let from = name.strip_suffix(last).unwrap_or_default();
            let type_ = (from == "zato.common.typing_." && is_lower) || (from == "typing." && !is_lower);
            facts::is_service(name)
                || facts::is_model(name)
                || facts::element(name).is_some()
                || (type_ && (facts::annotation(last).is_some() || is_typing(last)))
        }
        Target::Unknown => false,
    }
}

/// Names that need no import.
fn is_builtin(name: &str) -> bool {
    [
        "str",
        "int",
        "bool",
        "float",
        "list",
        "dict",
        "tuple",
        "set",
        "frozenset",
        "bytes",
        "object",
        "None",
    ]
    .contains(&name)
}

/// Names that take types in brackets.
fn is_typing(name: &str) -> bool {
    ["Optional", "optional", "Union", "union_", "Literal", "Annotated"].contains(&name)
}
