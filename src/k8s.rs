//! Names and labels of children. The only place that makes them; no business words, no client.

pub mod labels;
pub mod lease;
pub mod names;
