//! Condition types and reasons: a public contract, in one place.

use std::fmt;

/// The types of the conditions that the operator writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionType {
    /// The object does what its spec says, now.
    Ready,
    /// Every `ZatoService` of the cluster is loaded in the revision that its spec has.
    ServicesLoaded,
    /// No file has a name that makes Zato touch files of its own installation.
    FileNamesSafe,
    /// Data and keys are those of an earlier cluster of this name.
    DataAdopted,
}

/// Why a condition has its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Everything runs as wanted.
    Running,
    /// The pod is being created or started.
    Starting,
    /// `spec.stopped` is true: no pod runs.
    Stopped,
    /// `spec.paused` is true: the operator does nothing.
    Paused,
    /// An image cannot be pulled.
    ImagePullFailed,
    /// The pod fits on no node, or its volume cannot be had.
    Unschedulable,
    /// A container of the pod does not start, or ends again and again.
    ContainerFailed,
    /// Zato's environment could not be created.
    CreationFailed,
    /// The server started, but something that it needs does not work.
    ServerFailed,
    /// The database exists, but the Secret with the key that decrypts it does not.
    KeyMissing,
    /// The credentials Secret exists, but a key of it is missing or malformed.
    CredentialsInvalid,
    /// The credentials Secret has another `key1` than the database was made with.
    KeyChanged,
    /// A child's name is taken by an object that is not the cluster's.
    NameTaken,
    /// The operator lacks a right.
    Forbidden,
    /// A quota of the namespace is used up.
    QuotaExceeded,
    /// An admission webhook or policy refuses a child.
    AdmissionDenied,
    /// The volume cannot grow.
    ResizeRefused,
    /// The API server answered with an error, several times in a row.
    ApiError,
    /// The spec contradicts itself in a way that the schema could not refuse.
    InvalidSpec,
    /// All services are loaded.
    AllLoaded,
    /// At least one service is not loaded yet.
    Loading,
    /// At least one service could not be loaded.
    SomeFailed,
    /// The current revision answers on every server.
    Deployed,
    /// The current revision is on its way to the servers.
    Deploying,
    /// A file is not valid Python; it was not sent to any server.
    SyntaxError,
    /// A ConfigMap of `spec.source` does not exist.
    ConfigMapNotFound,
    /// A ConfigMap of `spec.source` holds something that is no file of Python source.
    SourceInvalid,
    /// The services of the cluster have more code than fits.
    TooMuchCode,
    /// Another, older `ZatoService` of the cluster has a file of the same name.
    FileNameTaken,
    /// Another file of the cluster defines a service of the same name.
    ServiceNameTaken,
    /// A file defines a service under a name that is Zato's own.
    InternalName,
    /// A server could not load a file.
    LoadFailed,
    /// The volume was made before this cluster.
    Adopted,
    /// The volume was made for this cluster.
    Fresh,
    /// Every file has a name that is safe.
    Safe,
    /// A file has a name by which Zato takes files of its own for its importers.
    TouchesZato,
    /// The referenced cluster does not exist.
    ClusterNotFound,
    /// The referenced cluster has no running server yet.
    ClusterNotReady,
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
