//! Values as source writes them: what is assigned, and what annotations say.
//!
//! Pure. Never evaluates: a value that is not written out is [`Value::Other`].

use std::collections::BTreeMap;

use ruff_python_ast::{Expr, Number, Operator, UnaryOp};

use crate::python::nesting;

/// How deep an expression is looked into.
const DEPTH: usize = 60;

/// A value as the source writes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// True or False.
    Flag(bool),
    /// None.
    Nothing,
    /// A name with its dots.
    Name(Vec<String>),
    /// A tuple, list or set.
    Sequence(Vec<Value>),
    /// `a + b`.
    Join(Box<Value>, Box<Value>),
    /// `a | b`.
    Either(Box<Value>, Box<Value>),
    /// `name(..)`.
    Call(Vec<String>, Vec<Value>, BTreeMap<String, Value>),
    /// `name[..]`.
    Index(Vec<String>, Vec<Value>),
    /// `*a`.
    Spread(Box<Value>),
    /// An empty dict.
    EmptyDict,
    /// Anything else.
    Other,
}

/// The names of `a.b.c`.
pub fn dotted(expression: &Expr) -> Option<Vec<String>> {
    let (mut names, mut current) = (Vec::new(), expression);
    loop {
        match current {
            Expr::Name(name) => {
                names.push(name.id.to_string());
                names.reverse();
                return Some(names);
            }
            Expr::Attribute(attribute) => {
                names.push(attribute.attr.to_string());
                current = &attribute.value;
            }
            _ => return None,
        }
    }
}

/// A type that is written as a string.
pub fn quoted(text: &str) -> Value {
    if nesting::refusal(text).is_some() {
        return Value::Other;
    }
    ruff_python_parser::parse_expression(text.trim())
        .map_or(Value::Other, |parsed| value_of(parsed.expr(), 0))
}

/// The value of an expression.
pub fn of(expression: &Expr) -> Value {
    value_of(expression, 0)
}

fn value_of(expression: &Expr, depth: usize) -> Value {
    if depth > DEPTH {
        return Value::Other;
    }
    let inner = |expression: &Expr| value_of(expression, depth + 1);
    let all = |items: &[Expr]| items.iter().map(inner).collect::<Vec<_>>();
    match expression {
        Expr::StringLiteral(text) => Value::Text(text.value.to_str().to_owned()),
        Expr::NumberLiteral(number) => number_of(&number.value),
        Expr::BooleanLiteral(flag) => Value::Flag(flag.value),
        Expr::NoneLiteral(_) => Value::Nothing,
        Expr::Name(_) | Expr::Attribute(_) => dotted(expression).map_or(Value::Other, Value::Name),
        Expr::Tuple(tuple) => Value::Sequence(all(&tuple.elts)),
        Expr::List(list) => Value::Sequence(all(&list.elts)),
        Expr::Set(set) => Value::Sequence(all(&set.elts)),
        Expr::Dict(dict) if dict.items.is_empty() => Value::EmptyDict,
        Expr::Starred(starred) => Value::Spread(Box::new(inner(&starred.value))),
        Expr::UnaryOp(unary) if unary.op == UnaryOp::USub => negated(inner(&unary.operand)),
        Expr::BinOp(operation) => {
            let sides = (
                Box::new(inner(&operation.left)),
                Box::new(inner(&operation.right)),
            );
            match operation.op {
                Operator::Add => Value::Join(sides.0, sides.1),
                Operator::BitOr => Value::Either(sides.0, sides.1),
                _ => Value::Other,
            }
        }
        Expr::Call(call) => {
            let keywords = call.arguments.keywords.iter();
            let keywords = keywords
                .filter_map(|keyword| Some((keyword.arg.as_ref()?.to_string(), inner(&keyword.value))))
                .collect();
            dotted(&call.func).map_or(Value::Other, |name| {
                Value::Call(name, all(&call.arguments.args), keywords)
            })
        }
        Expr::Subscript(subscript) => {
            let items = match &*subscript.slice {
                Expr::Tuple(tuple) => all(&tuple.elts),
                one => vec![inner(one)],
            };
            dotted(&subscript.value).map_or(Value::Other, |name| Value::Index(name, items))
        }
        _ => Value::Other,
    }
}

fn number_of(number: &Number) -> Value {
    match number {
        Number::Int(number) => number.as_i64().map_or(Value::Other, Value::Integer),
        Number::Float(number) => Value::Float(*number),
        Number::Complex { .. } => Value::Other,
    }
}

fn negated(value: Value) -> Value {
    match value {
        Value::Integer(number) => Value::Integer(-number),
        Value::Float(number) => Value::Float(-number),
        _ => Value::Other,
    }
}
