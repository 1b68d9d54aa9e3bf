//! What can go wrong, and what to do about it.
//!
//! Owns the wording. Must never hold a value of a row, a key or a password.

use std::io;

/// Why nothing was dumped, written or compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A file or folder.
    #[error("{what}: {source}")]
    Io {
        /// Which one, and what was done with it.
        what: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A database did not do what it was asked for.
    #[error("{database}: {doing}: {why}")]
    Database {
        /// Which one, without a password.
        database: String,
        /// What was tried.
        doing: String,
        /// What it answered, without values.
        why: String,
    },
    /// A database has other tables than Zato 3.2.
    #[error(
        "{database} differs from what Zato 3.2 makes; nothing was read or written: {}. Is it the database of a Zato 3.2, made by `zato create odb`?",
        .differences.join("; ")
    )]
    Schema {
        /// Which one.
        database: String,
        /// How.
        differences: Vec<String>,
    },
    /// There are rows already.
    #[error(
        "{database} has rows already ({found}); nothing was written. To delete them and have those of the archive instead: --replace-existing {snapshot}"
    )]
    NotEmpty {
        /// Which one.
        database: String,
        /// Tables with their numbers of rows.
        found: String,
        /// The id that must be named.
        snapshot: String,
    },
    /// Rows that the target cannot hold.
    #[error("{target} cannot hold what is in the archive; nothing was written: {}", .problems.join("; "))]
    Refused {
        /// Where they should go.
        target: String,
        /// Which ones, and why.
        problems: Vec<String>,
    },
    /// The archive is cut, altered, or none at all.
    #[error("the archive is damaged: {0}. Take another copy of it")]
    Damaged(String),
    /// A text of SQL that is imported is cut, altered, or none at all.
    #[error("{0}. Nothing was written: mend the text, or dump it again")]
    Text(String),
    /// The archive is of a later version.
    #[error("{0}")]
    Version(String),
    /// A key is missing, or opens nothing.
    #[error("{0}")]
    Key(String),
    /// A server was lost while it was asked to commit.
    #[error(
        "{database}: the connection was lost at COMMIT ({why}): whether the rows are there now is not known. Look at it: sso diff ARCHIVE {database}"
    )]
    Unknown {
        /// Which one.
        database: String,
        /// What was the last that was heard.
        why: String,
    },
    /// A thread of this program ended as none should.
    #[error(
        "an error in this program, which should be reported with what it said before this line: a thread failed"
    )]
    Internal,
    /// Somebody stopped it.
    #[error("stopped; nothing was written")]
    Stopped,
}

impl Error {
    /// Something about a file.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// The exit code of a process that ends for this: 2 usage, 20 database, 21 other tables, 22 not empty, 23 rows that do
    /// not fit, 24 unknown outcome, 30 files, 40 archive or text, 50 key, 70 this program, 130 stopped.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Database { .. } => 20,
            Self::Schema { .. } => 21,
            Self::NotEmpty { .. } => 22,
            Self::Refused { .. } => 23,
            Self::Unknown { .. } => 24,
            Self::Io { .. } => 30,
            Self::Damaged(_) | Self::Text(_) | Self::Version(_) => 40,
            Self::Key(_) => 50,
            Self::Internal => 70,
            Self::Stopped => 130,
        }
    }
}
