//! OpenAPI documents of Zato services from their Python source alone.
//!
//! Source is parsed, never run ([`source`]). All files together are a [`project::Project`], which resolves names and
//! bases across files; from it [`read`] makes the typed model ([`model::Api`]), and the model becomes documents. Only
//! [`command`] and [`files`] touch the disk. Nothing here knows Kubernetes or a running server, and nothing guesses in
//! silence: what the text does not tell is described as such, and told as a warning.

pub mod annotation;
pub mod arrival;
pub mod breaking;
pub mod command;
pub mod dataclass;
pub mod docstring;
pub mod document;
pub mod facts;
pub mod files;
pub mod model;
pub mod names;
pub mod operation;
pub mod postman;
pub mod project;
pub mod read;
pub mod schema;
pub mod select;
pub mod simple_io;
pub mod soap;
pub mod source;
#[cfg(test)]
mod tests;
pub mod value;
pub mod web_socket;
pub mod widening;
pub mod wsdl;
pub mod xml;
