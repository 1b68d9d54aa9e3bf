//! Why a cluster cannot use its database, or cannot be created in it: what agents leave behind as the termination message of
//! their container, and the operator reads from the pod's status.
//!
//! Owns the words that both sides understand. Must never hold a password: the message is shown in the status.

use std::fmt;
use std::str::FromStr;

/// The characters of a termination message: a line that a person reads.
const CHARACTERS: usize = 1000;

/// What is wrong, as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No server answers, or it takes no connections now.
    DatabaseUnreachable,
    /// The server answers, and refuses: the login, a right, its version.
    DatabaseRefused,
    /// What is in the database is another cluster, half a cluster, or no work of Zato.
    DatabaseForeign,
    /// What the database holds was made with other keys or passwords than those of the cluster's Secret.
    KeyChanged,
    /// The Secret with the database's user cannot be used.
    CredentialsInvalid,
    /// A command of Zato failed.
    CreationFailed,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::DatabaseUnreachable,
        Self::DatabaseRefused,
        Self::DatabaseForeign,
        Self::KeyChanged,
        Self::CredentialsInvalid,
        Self::CreationFailed,
    ];
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names are the words.
        fmt::Debug::fmt(self, formatter)
    }
}

/// A text that names no cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text begins with no known cause")]
pub struct Unknown;

impl FromStr for Cause {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|cause| cause.to_string() == text)
            .ok_or(Unknown)
    }
}

/// A cause with its message: what is wrong, where, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}: {message}")]
pub struct Trouble {
    /// What is wrong.
    pub cause: Cause,
    /// The same for a person.
    pub message: String,
}

impl Trouble {
    /// A trouble.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self {
            cause,
            message: message.into(),
        }
    }
}

impl FromStr for Trouble {
    type Err = Unknown;

    /// From a termination message.
    fn from_str(text: &str) -> Result<Self, Unknown> {
        let (cause, message) = text.trim().split_once(": ").ok_or(Unknown)?;
        Ok(Self::new(cause.parse()?, message))
    }
}

/// A text as a termination message: one line that is not too long.
pub fn line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(plain).take(CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agents_write_the_operator_reads() {
        for cause in Cause::ALL {
            let trouble = Trouble::new(cause, "db.example.com:5432: refused: look at it");
            assert_eq!(line(&trouble.to_string()).parse(), Ok(trouble));
        }
        for text in ["", "KeyChanged", "Other: x", "something: DatabaseRefused: x"] {
            assert_eq!(text.parse::<Trouble>(), Err(Unknown), "{text}");
        }
    }

    #[test]
    fn a_message_is_one_line_of_some_length() {
        assert_eq!(line("a\nb\tc\n"), "a b c");
        assert_eq!(line(&"ä".repeat(2000)).chars().count(), CHARACTERS);
    }
}
