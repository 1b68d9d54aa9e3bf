//! Reads Python source: is it valid, and which Zato services does it define?
//!
//! Never runs code and never guesses: what cannot be told from the text is left out.

pub mod modules;
pub mod nesting;

use std::collections::BTreeSet;

use ruff_python_ast::statement_visitor::{StatementVisitor, walk_stmt};
use ruff_python_ast::{Expr, Mod, PythonVersion, Stmt};
use ruff_python_parser::{Mode, ParseOptions, Parsed, parse_unchecked};
use ruff_source_file::LineIndex;
use ruff_text_size::TextRange;

/// The Python of Zato 3.2's images.
const VERSION: PythonVersion = PythonVersion { major: 3, minor: 10 };

/// A place in a file that is not valid Python.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {cause}")]
pub struct SyntaxError {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What the parser says.
    pub cause: String,
}

/// The names of the services that `text` defines, or its first error.
///
/// Only names that the text gives: a class whose body sets `name` to a string. What Zato calls a service without one is
/// Zato's business.
pub fn check(file: &str, text: &str) -> Result<BTreeSet<String>, SyntaxError> {
    let syntax = parse(file, text)?.into_syntax();
    let body = syntax
        .as_module()
        .map(|module| module.body.iter().as_slice())
        .unwrap_or_default();
    // A service inherits from one; a class without a base may have a `name` of its own.
    let classes = body
        .iter()
        .filter_map(Stmt::as_class_def_stmt)
        .filter(|class| !class.bases().is_empty());
    Ok(classes
        .filter_map(|class| class.body.iter().find_map(assigned_name))
        .collect())
}

/// The first class that looks like a service; none also for text that is not valid.
pub fn service_class(file: &str, text: &str) -> Option<String> {
    let syntax = parse(file, text).ok()?.into_syntax();
    let classes = syntax
        .as_module()?
        .body
        .iter()
        .filter_map(Stmt::as_class_def_stmt);
    let is_service = |base: &Expr| match base {
        Expr::Name(name) => name.id.as_str() == "Service",
        Expr::Attribute(attribute) => attribute.attr.as_str() == "Service",
        _ => false,
    };
    let mut services = classes.filter(|class| class.bases().iter().any(is_service));
    services.next().map(|class| class.name.to_string())
}

/// The first names of the modules that a module imports where it is loaded: what functions import is new at each call. Nothing
/// for text that is not valid.
pub fn imports(module: &str, text: &str) -> BTreeSet<String> {
    let Ok(parsed) = parse(module, text) else {
        return BTreeSet::new();
    };
    let mut found = Imports {
        package: module.split('.').next().filter(|_| module.contains('.')),
        names: BTreeSet::new(),
    };
    if let Some(syntax) = parsed.syntax().as_module() {
        found.visit_body(&syntax.body);
    }
    found.names
}

/// Goes through statements, wherever they stand.
struct Imports<'a> {
    /// The first name of the package that the module is in.
    package: Option<&'a str>,
    names: BTreeSet<String>,
}

impl<'a> StatementVisitor<'a> for Imports<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        match statement {
            Stmt::FunctionDef(_) => {}
            Stmt::Import(import) => self
                .names
                .extend(import.names.iter().map(|alias| first(alias.name.as_str()))),
            Stmt::ImportFrom(import) if import.level == 0 => {
                self.names
                    .extend(import.module.iter().map(|module| first(module.as_str())));
            }
            Stmt::ImportFrom(_) => self.names.extend(self.package.map(str::to_owned)),
            other => walk_stmt(self, other),
        }
    }
}

/// The syntax of `text`, or its first error.
pub fn parse(file: &str, text: &str) -> Result<Parsed<Mod>, SyntaxError> {
    // Before it is parsed: a tree that is too deep must not be made at all.
    if let Some(cause) = nesting::refusal(text) {
        return Err(SyntaxError {
            file: file.into(),
            line: 1,
            column: 1,
            cause: cause.into(),
        });
    }
    let parsed = parse_unchecked(
        text,
        ParseOptions::from(Mode::Module).with_target_version(VERSION),
    );
    let lines = LineIndex::from_source_text(text);
    let at = |range: TextRange, cause: String| {
        let place = lines.line_column(range.start(), text);
        SyntaxError {
            file: file.into(),
            line: place.line.get(),
            column: place.column.get(),
            cause,
        }
    };
    if let Some(error) = parsed.errors().first() {
        return Err(at(error.location, error.error.to_string()));
    }
    if let Some(error) = parsed.unsupported_syntax_errors().first() {
        return Err(at(error.range, error.to_string()));
    }
    if let Some(offset) = text.find('\0') {
        let before = &text[..offset];
        let line = before.matches('\n').count() + 1;
        return Err(SyntaxError {
            file: file.into(),
            line,
            column: 1,
            cause: "source code cannot contain null bytes".into(),
        });
    }
    Ok(parsed)
}

/// `name = '...'` in a class body.
fn assigned_name(statement: &Stmt) -> Option<String> {
    let assign = statement.as_assign_stmt()?;
    let is_name = assign
        .targets
        .iter()
        .any(|target| matches!(target, Expr::Name(name) if name.id.as_str() == "name"));
    let value = assign.value.as_string_literal_expr()?;
    is_name.then(|| value.value.to_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("class Svc(:\n", 1, 11)]
    #[case("x = 1\ndef f()\n    pass\n", 2, 8)]
    #[case("if True:\nx = 1\n", 2, 1)]
    #[case("é = 'a\n", 1, 5)]
    #[case("match x:\n  case 1: pass\nexcept* E: pass\n", 3, 1)]
    fn an_error_is_told_with_its_place(#[case] text: &str, #[case] line: usize, #[case] column: usize) {
        let error = check("a.py", text).unwrap_err();
        assert_eq!((error.line, error.column), (line, column), "{error}");
    }

    #[test]
    fn syntax_that_the_python_of_zato_lacks_is_refused() {
        let error = check("a.py", "type X = int\n").unwrap_err();
        assert!(error.cause.contains("3.12"), "{error}");
    }

    /// Its tree would end the operator.
    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let deep = "(".repeat(100_000) + &")".repeat(100_000);
        let error = check("a.py", &deep).unwrap_err();
        assert_eq!(error.to_string(), "a.py:1:1: too many nested parentheses");
    }

    #[rstest]
    #[case("shop", "import prices", "prices")]
    #[case("shop", "import kit.tools as t, other", "kit other")]
    #[case("shop", "from kit.tools import f", "kit")]
    #[case("shop", "from prices import *", "prices")]
    #[case("shop", "try:\n    import a\nexcept ImportError:\n    import b as a", "a b")]
    #[case(
        "shop",
        "with suppress(ImportError):\n    import a\nclass C:\n    import b",
        "a b"
    )]
    #[case("shop", "def f():\n    import a", "")]
    #[case("shop", "# import a", "")]
    #[case("shop", "import (", "")]
    #[case("kit.tools", "from . import rates\nfrom ..other import x", "kit")]
    #[case("shop", "from . import rates", "")]
    fn imports_are_read_where_a_module_is_loaded(
        #[case] module: &str,
        #[case] text: &str,
        #[case] expected: &str,
    ) {
        let names: Vec<_> = imports(module, text).into_iter().collect();
        assert_eq!(names.join(" "), expected);
    }

    #[rstest]
    #[case("class A(Service):\n    pass\n", Some("A"))]
    #[case("class A(service.Service):\n    pass\n", Some("A"))]
    #[case("class A(Model):\n    name = 'x'\n", None)]
    #[case("class A:\n    pass\n", None)]
    #[case("class A(", None)]
    fn services_are_known_by_their_base(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(service_class("a.b.py", text).as_deref(), expected);
    }

    #[test]
    fn names_are_read_from_classes() {
        let text = "from zato.server.service import Service\nclass A(Service):\n    name = 'x.y'\nclass GetUser(Service):\n    pass\nclass Model:\n    name = 'no.service'\n";
        assert_eq!(check("my_mod.py", text).unwrap(), BTreeSet::from(["x.y".into()]));
        assert!(check("empty.py", "").unwrap().is_empty());
    }
}
