//! Dumps and restores the single sign-on tables of Zato 3.2: users, groups, sessions, attributes.
//!
//! Three databases, one archive. Rows flow from a source (a database, an archive) to a sink (an archive, a database, a
//! comparison) in parts of about half a megabyte, in a form that is none of the databases' own ([`rows`]). What the tables
//! are is data ([`schema`]); what of a row changes on its way is in one place ([`convert`]). This crate knows nothing of
//! Kubernetes.
//!
//! ```text
//! database --dump--> archive --restore--> database        sqlite3 .dump --import--> archive
//! ```

pub mod archive;
pub mod convert;
pub mod database;
pub mod diff;
pub mod dump;
pub mod error;
pub mod import;
mod mysql;
mod postgresql;
pub mod restore;
pub mod rows;
pub mod schema;
pub mod secrets;
mod sqlite;
pub mod stream;
pub mod timestamp;
pub mod verify;
