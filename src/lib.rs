//! Runs Zato integration clusters on Kubernetes.
//!
//! One binary with several roles. The operator watches `ZatoCluster` and `ZatoService` objects and renders what they
//! want as children; it never talks to Zato. An agent in every server pod writes the code, asks its server over
//! loopback what it has loaded, and reports. The two meet in three objects only, described in [`exchange`].
//!
//! ```text
//! object --gather(reads)--> Inputs --plan(pure)--> Plan --desired(pure)--> [manifests]
//!        --apply(writes)--> Live --assess(pure)--> Verdict --report(writes status)--> Action
//! ```

pub mod agent;
pub mod api;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod documents;
pub mod exchange;
pub mod git;
pub mod k8s;
pub mod openapi;
mod progress;
pub mod python;
pub mod reconcile;
pub mod revisions;
pub mod service;
pub mod sso;
pub mod telemetry;
