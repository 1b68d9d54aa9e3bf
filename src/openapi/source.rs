//! One Python file as what matters here: imports, constants, classes with their attributes and comments.
//!
//! Owns the use of the parser. Never runs code, never looks at another file, and keeps nothing of the syntax tree.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_python_ast::{Expr, Stmt, StmtClassDef, StmtImport, StmtImportFrom};
use ruff_source_file::LineIndex;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::value::{self, Value, dotted};
use crate::python::{self, SyntaxError};

/// How deep classes within classes are looked into.
const DEPTH: usize = 20;

/// A value with its line.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// What is assigned.
    pub value: Value,
    /// From 1.
    pub line: usize,
}

/// `name: annotation = default` in a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotated {
    /// What is annotated.
    pub name: String,
    /// From 1.
    pub line: usize,
    /// Its type; text if it is written as a string.
    pub annotation: Value,
    /// What is assigned.
    pub default: Option<Value>,
    /// The comment above it, else the one beside it, else the string below it.
    pub description: String,
}

/// A class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// From 1.
    pub line: usize,
    /// What it inherits from, as written. Empty: an expression that is not a name.
    pub bases: Vec<Vec<String>>,
    /// Its decorators, as written.
    pub decorators: Vec<Vec<String>>,
    /// Its docstring.
    pub docstring: Option<String>,
    /// What its body assigns.
    pub attributes: BTreeMap<String, Attribute>,
    /// What its body annotates.
    pub annotated: Vec<Annotated>,
    /// Its methods.
    pub methods: BTreeSet<String>,
    /// Classes in its body.
    pub classes: BTreeMap<String, Class>,
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Module {
    /// As messages name it.
    pub file: String,
    /// Its name, with dots.
    pub name: String,
    /// What a name stands for that an import binds: a full name with dots.
    pub imports: BTreeMap<String, String>,
    /// Modules of which all names are imported.
    pub star_imports: Vec<String>,
    /// What the module assigns.
    pub constants: BTreeMap<String, Attribute>,
    /// Its classes.
    pub classes: BTreeMap<String, Class>,
}

/// Reads `text`, the contents of `file`, or says what is wrong with it.
pub fn read(file: &str, name: &str, text: &str) -> Result<Module, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parsed = python::parse(file, text)?;
    let reader = Reader {
        text,
        lines: LineIndex::from_source_text(text),
        tokens: parsed.tokens(),
    };
    let mut module = Module {
        file: file.into(),
        name: name.into(),
        ..Module::default()
    };
    if let Some(syntax) = parsed.syntax().as_module() {
        reader.statements(&syntax.body, &mut module);
    }
    Ok(module)
}

struct Reader<'a> {
    text: &'a str,
    lines: LineIndex,
    tokens: &'a Tokens,
}

impl Reader<'_> {
    fn line(&self, at: TextSize) -> usize {
        self.lines.line_index(at).get()
    }

    /// The statements of a module, also those under a condition: which branch runs is not known here.
    fn statements(&self, body: &[Stmt], module: &mut Module) {
        for statement in body {
            match statement {
                Stmt::Import(import) => imports(import, module),
                Stmt::ImportFrom(import) => imports_from(import, module),
                Stmt::ClassDef(class) => {
                    module
                        .classes
                        .insert(class.name.to_string(), self.class(class, 0));
                }
                Stmt::If(branch) => {
                    self.statements(&branch.body, module);
                    for clause in &branch.elif_else_clauses {
                        self.statements(&clause.body, module);
                    }
                }
                Stmt::Try(attempt) => {
                    self.statements(&attempt.body, module);
                    self.statements(&attempt.orelse, module);
                    self.statements(&attempt.finalbody, module);
                }
                other => self.assignment(other, &mut module.constants),
            }
        }
    }

    fn assignment(&self, statement: &Stmt, into: &mut BTreeMap<String, Attribute>) {
        let (targets, value) = match statement {
            Stmt::Assign(assign) => (assign.targets.iter().as_slice(), &assign.value),
            Stmt::AnnAssign(assign) => match &assign.value {
                Some(value) => (std::slice::from_ref(&*assign.target), value),
                None => return,
            },
            // What is added later is not followed: the value is not known any more.
            Stmt::AugAssign(assign) => {
                if let Expr::Name(name) = &*assign.target {
                    let line = self.line(assign.start());
                    into.insert(
                        name.id.to_string(),
                        Attribute {
                            value: Value::Other,
                            line,
                        },
                    );
                }
                return;
            }
            _ => return,
        };
        for target in targets {
            if let Expr::Name(name) = target {
                let attribute = Attribute {
                    value: value::of(value),
                    line: self.line(statement.start()),
                };
                into.insert(name.id.to_string(), attribute);
            }
        }
    }

    fn class(&self, class: &StmtClassDef, depth: usize) -> Class {
        let mut result = Class {
            name: class.name.to_string(),
            line: self.line(class.name.start()),
            bases: class
                .bases()
                .iter()
                .map(|base| dotted(base).unwrap_or_default())
                .collect(),
            decorators: class
                .decorator_list
                .iter()
                .filter_map(|item| decorator(&item.expression))
                .collect(),
            docstring: class.body.first().and_then(docstring),
            ..Class::default()
        };
        for (index, statement) in class.body.iter().enumerate() {
            match statement {
                Stmt::ClassDef(inner) if depth < DEPTH => {
                    result
                        .classes
                        .insert(inner.name.to_string(), self.class(inner, depth + 1));
                }
                Stmt::FunctionDef(method) => {
                    result.methods.insert(method.name.to_string());
                }
                _ => self.assignment(statement, &mut result.attributes),
            }
            if let Some(mut annotated) = self.annotated(statement) {
                if annotated.description.is_empty() {
                    let below = class.body.get(index + 1).and_then(docstring);
                    annotated.description = below
                        .map(|text| super::docstring::clean(&text))
                        .unwrap_or_default();
                }
                result.annotated.push(annotated);
            }
        }
        result
    }

    fn annotated(&self, statement: &Stmt) -> Option<Annotated> {
        let assign = statement.as_ann_assign_stmt()?;
        let name = assign.target.as_name_expr()?;
        Some(Annotated {
            name: name.id.to_string(),
            line: self.line(assign.start()),
            annotation: value::of(&assign.annotation),
            default: assign.value.as_ref().map(|value| value::of(value)),
            description: self.comment(assign.range()),
        })
    }

    /// The comment lines right above a statement, or the comment at its end.
    fn comment(&self, statement: TextRange) -> String {
        let start = self
            .tokens
            .partition_point(|token| token.start() < statement.start());
        let mut above = Vec::new();
        for pair in self.tokens[..start].rchunks(2) {
            let [comment, newline] = pair else { break };
            let alone =
                newline.kind() == TokenKind::NonLogicalNewline && comment.kind() == TokenKind::Comment;
            let first = self.text[..comment.start().to_usize()]
                .rsplit('\n')
                .next()
                .is_some_and(|before| before.trim().is_empty());
            if !alone || !first {
                break;
            }
            above.push(self.comment_text(comment.range()));
        }
        above.reverse();
        let above = above.join("\n").trim().to_owned();
        if !above.is_empty() {
            return above;
        }
        let end = self
            .tokens
            .partition_point(|token| token.start() < statement.end());
        let beside = self.tokens[end..]
            .first()
            .filter(|token| token.kind() == TokenKind::Comment);
        beside
            .map(|token| self.comment_text(token.range()))
            .unwrap_or_default()
    }

    fn comment_text(&self, range: TextRange) -> String {
        let text = self.text[range].trim_start_matches('#');
        // `#:` is how Sphinx marks a comment that documents.
        text.strip_prefix(':').unwrap_or(text).trim().to_owned()
    }
}

fn imports(import: &StmtImport, module: &mut Module) {
    for alias in &import.names {
        let full = alias.name.as_str();
        let first = full.split('.').next().unwrap_or(full);
        let (bound, target) = match &alias.asname {
            Some(other) => (other.as_str(), full),
            None => (first, first),
        };
        module.imports.insert(bound.into(), target.into());
    }
}

fn imports_from(import: &StmtImportFrom, module: &mut Module) {
    let from = relative(&module.name, import.level, import.module.as_deref());
    for alias in &import.names {
        if alias.name.as_str() == "*" {
            // The last one counts where two have a name.
            module.star_imports.retain(|known| *known != from);
            module.star_imports.push(from.clone());
        } else {
            let bound = alias.asname.as_ref().unwrap_or(&alias.name);
            module
                .imports
                .insert(bound.to_string(), format!("{from}.{}", alias.name));
        }
    }
}

/// A module as an import names it, seen from `here`.
fn relative(here: &str, level: u32, module: Option<&str>) -> String {
    let mut parts: Vec<&str> = if level == 0 {
        Vec::new()
    } else {
        here.split('.').collect()
    };
    for _ in 0..level.min(64) {
        parts.pop();
    }
    parts.extend(module);
    parts.join(".")
}

fn docstring(statement: &Stmt) -> Option<String> {
    let text = statement.as_expr_stmt()?.value.as_string_literal_expr()?;
    Some(text.value.to_str().to_owned())
}

fn decorator(expression: &Expr) -> Option<Vec<String>> {
    dotted(expression.as_call_expr().map_or(expression, |call| &call.func))
}
