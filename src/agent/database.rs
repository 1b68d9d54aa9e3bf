//! The PostgreSQL database of a Distributed cluster: who logs in where, what is there, and the few rows and settings that are
//! not left to Zato.
//!
//! * [`look`] only reads: what the database can do and what is in it.
//! * [`begin`] makes place for Zato's `create odb`, which cannot finish what it has begun once.
//! * [`settle`] judges what was created, and changes what Zato leaves open. Repeatable.
//!
//! Must never create what Zato's own commands create, drop a table that has a row of anybody, or tell a password.

mod begin;
mod connection;
mod login;
mod look;
mod settle;
mod tables;

pub use begin::begin;
pub use login::{Address, Login};
pub use look::{Found, Wanted, look};
pub use settle::{check, enter, settle};
pub use tables::ALL as TABLES;
