//! What users write: the custom resources of API group `zato.io`, their schemas, defaults and rules.
//!
//! Types only. No logic, no client; nothing of ours is imported here.

pub mod channels;
pub mod conditions;
pub mod configuration;
pub mod git;
pub mod jobs;
pub mod startup;
pub mod topology;
pub mod zato_cluster;
pub mod zato_service;

pub use zato_cluster::{ZatoCluster, ZatoClusterSpec, ZatoClusterStatus};
pub use zato_service::{
    KeptRevision, OpenApi, PublishedDocument, ZatoService, ZatoServiceSpec, ZatoServiceStatus,
};
