//! What the article's own procedure makes: the text of `sqlite3 zato.db ".dump zato_sso_%"`, and a secrets.conf.
//!
//! Owns reading of such a text. SQLite itself runs it, statement by statement, in a database that nobody else sees, and may
//! do nothing there but make tables and rows. The outcome is an archive as any other.

use std::io::{BufRead, Write};
use std::path::Path;

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::archive::Manifest;
use crate::dump::{Options, joined, write};
use crate::error::Error;
use crate::sqlite;
use crate::stream::{Control, both, channel};

/// No statement is longer: a row with texts of a few megabytes is far below.
const LONGEST: usize = 256 * 1024 * 1024;

/// Writes an archive of the rows that a text makes; `name` is what the text is called.
pub async fn import<R: BufRead + Send + 'static, W: Write + Send + 'static>(
    text: R,
    name: &str,
    options: Options,
    output: W,
    control: &Control,
) -> Result<(Manifest, W), Error> {
    let (mut sender, receiver) = channel();
    let rows = sqlite::dump::Options {
        without_orphans: options.without_orphans,
    };
    let writing = tokio::task::spawn_blocking(move || write(receiver, options, output));
    let (name, own) = (name.to_owned(), control.clone());
    let sending = tokio::task::spawn_blocking(move || {
        let scratch = run(text, &name, &own)?;
        sqlite::dump::rows(&scratch, Path::new(&name), rows, &mut sender, &own)
    });
    let sent = joined(sending.await);
    let written = joined(writing.await);
    both(sent, written).map(|((), written)| written)
}

/// The database that the text makes.
fn run(mut text: impl BufRead, name: &str, control: &Control) -> Result<Connection, Error> {
    let mut scratch = sqlite::scratch()?;
    let failed = sqlite::error(Path::new(name), "run the dump");
    scratch.authorizer(Some(may)).map_err(&failed)?;
    let mut statement = Vec::new();
    let mut line = 0_u64;
    let mut state = State::Code;
    loop {
        let start = statement.len();
        let read = text.read_until(b'\n', &mut statement).map_err(Error::io(name))?;
        if read == 0 {
            break;
        }
        line += 1;
        let (next, is_complete) = state.after(&statement[start..]);
        state = next;
        if statement.len() > LONGEST {
            return Err(damaged(name, line, "a statement has no end"));
        }
        if !is_complete {
            continue;
        }
        control.check()?;
        let sql = std::str::from_utf8(&statement).map_err(|_| damaged(name, line, "it is not UTF-8"))?;
        scratch
            .execute_batch(sql)
            .map_err(|why| damaged(name, line, &told(&why)))?;
        statement.clear();
    }
    let is_cut = !statement.iter().all(u8::is_ascii_whitespace) || !scratch.is_autocommit();
    if is_cut {
        return Err(damaged(name, line, "it is cut: no COMMIT at its end"));
    }
    scratch
        .authorizer(None::<fn(AuthContext<'_>) -> Authorization>)
        .map_err(failed)?;
    Ok(scratch)
}

fn damaged(name: &str, line: u64, why: &str) -> Error {
    Error::Text(format!("{name}, line {line}: {why}"))
}

/// What SQLite says of a statement repeats some of it: only what cannot hold a value is told.
fn told(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, Some(message)) => {
            let is_harmless = [
                "UNIQUE constraint",
                "CHECK constraint",
                "NOT NULL constraint",
                "no such table",
                "not authorized",
            ]
            .iter()
            .any(|start| message.starts_with(start));
            if is_harmless {
                message.clone()
            } else {
                code.to_string()
            }
        }
        _ => "SQLite cannot run this statement".into(),
    }
}

/// A dump makes tables, indexes and rows; it opens no file, and runs nothing later.
fn may(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::CreateVtable { .. }
        | AuthAction::Unknown { .. } => Authorization::Deny,
        AuthAction::Function { function_name } if !is_of_dumps(function_name) => Authorization::Deny,
        AuthAction::Pragma { pragma_name, .. } if !pragma_name.eq_ignore_ascii_case("foreign_keys") => {
            Authorization::Deny
        }
        _ => Authorization::Allow,
    }
}

/// What `.dump` writes newlines with.
fn is_of_dumps(function: &str) -> bool {
    ["replace", "char", "unistr"]
        .iter()
        .any(|known| function.eq_ignore_ascii_case(known))
}

/// Where a text is, after one of its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Outside of everything.
    Code,
    /// In a text or a name, up to this quote.
    Quoted(u8),
    /// In a comment of several lines.
    Comment,
}

impl State {
    /// The state after a line, and whether the statement ends with it.
    fn after(self, line: &[u8]) -> (Self, bool) {
        let (mut state, mut is_complete, mut at) = (self, false, 0);
        while at < line.len() {
            let (byte, next) = (line[at], line.get(at + 1).copied());
            at += 1;
            state = match (state, byte, next) {
                (State::Code, b'-', Some(b'-')) => break,
                (State::Code, b'/', Some(b'*')) => {
                    at += 1;
                    State::Comment
                }
                (State::Comment, b'*', Some(b'/')) => {
                    at += 1;
                    State::Code
                }
                (State::Code, b'\'' | b'"' | b'`', _) => {
                    is_complete = false;
                    State::Quoted(byte)
                }
                // A doubled quote ends a text and begins the next one.
                (State::Quoted(quote), _, _) if byte == quote => State::Code,
                (State::Code, b';', _) => {
                    is_complete = true;
                    state
                }
                (State::Code, _, _) => {
                    is_complete = is_complete && byte.is_ascii_whitespace();
                    state
                }
                _ => state,
            };
        }
        (state, is_complete && state == State::Code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_they_end() {
        let after = |text: &str| State::Code.after(text.as_bytes());
        assert_eq!(after("SELECT 1;\n"), (State::Code, true));
        assert_eq!(after("SELECT 1; -- all; of it\n"), (State::Code, true));
        assert_eq!(after("SELECT 1; SELECT\n"), (State::Code, false));
        assert_eq!(after("VALUES(';\n"), (State::Quoted(b'\''), false));
        assert_eq!(State::Quoted(b'\'').after(b"it''s;'\n"), (State::Code, false));
        assert_eq!(State::Quoted(b'\'').after(b"');\n"), (State::Code, true));
        assert_eq!(after("/* ; \n"), (State::Comment, false));
        assert_eq!(State::Comment.after(b" */ ;\n"), (State::Code, true));
    }
}
