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

/// The keys of the Secret with the database's user, as in Secrets of type `kubernetes.io/basic-auth`.
pub const KEYS: [&str; 2] = [USERNAME, PASSWORD];
/// The key with the user's name.
pub const USERNAME: &str = "username";
/// The key with the password.
pub const PASSWORD: &str = "password";

/// Why Zato cannot pass on what a key of that Secret has: its commands and its servers put it into URLs, files and JSON, and
/// some characters are something else there.
pub fn unusable(key: &str, value: &str) -> Option<&'static str> {
    if value.is_empty() {
        return Some("is empty or no text: set it");
    }
    if key == USERNAME {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.@+".contains(c);
        let why =
            "has a character that Zato reads as something else: only letters, digits and _-.@+ are safe";
        return (!value.chars().all(is_plain)).then_some(why);
    }
    if value.contains('#') {
        Some("has a `#`, at which Zato's servers cut it off: choose another one")
    } else if has_escape(value) {
        Some(
            "has a `%` before two hexadecimal digits, which Zato takes for one character: choose another one",
        )
    } else if value.trim() != value {
        Some(
            "begins or ends with white space, which Zato cuts off: write it with --from-literal (--from-file takes the end of the last line along)",
        )
    } else if value.chars().any(char::is_control) {
        Some(
            "has a control character, such as the end of a line, at which Zato cuts it off: choose another one",
        )
    } else {
        None
    }
}

fn has_escape(text: &str) -> bool {
    let is_escape = |three: &[u8]| three[0] == b'%' && three[1..].iter().all(u8::is_ascii_hexdigit);
    text.as_bytes().windows(3).any(is_escape)
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

    /// Each was tried with the commands and the server of Zato 3.2.
    #[test]
    fn what_zato_can_pass_on_and_what_it_cannot() {
        for password in ["a", "p@ss:w/rd?&=+!$'\" \\", "50%", "%zz%1", "$HOME", "ä"] {
            assert_eq!(unusable(PASSWORD, password), None, "{password}");
        }
        for (password, why) in [
            ("", "is empty"),
            ("a#1", "has a `#`"),
            ("a%2F1", "has a `%`"),
            ("a\n", "begins or ends with white space"),
            ("a\nb", "has a control character"),
        ] {
            let told = unusable(PASSWORD, password).unwrap();
            assert!(told.starts_with(why), "{told}");
        }
        assert_eq!(unusable(USERNAME, "zato_1-a.b@c"), None);
        for name in ["", "a:b", "a/b", "a b", "a#", "ä", "a,b", "$A"] {
            assert!(unusable(USERNAME, name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_message_is_one_line_of_some_length() {
        assert_eq!(line("a\nb\tc\n"), "a b c");
        assert_eq!(line(&"ä".repeat(2000)).chars().count(), CHARACTERS);
    }
}
