//! How any object is reconciled: one straight line, the same for every kind.

pub mod apply;
pub mod cache;
pub mod child;
pub mod controller;
pub mod engine;
pub mod error;
pub mod kind;
pub mod owned;
pub mod rbac;
pub mod references;
pub mod refusals;
pub mod report;
pub mod stores;
pub mod waker;
pub mod watches;

pub use error::Error;
