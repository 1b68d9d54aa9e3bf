//! Why a step of a reconcile can fail. A state of the world is not an error: `assess` tells those.

use std::time::Duration;

use crate::api::conditions::Reason;

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// On the volume of a claim.
    Claim(String),
    /// In a server of others.
    Server,
}

impl Holder {
    /// How to go on without what it has, as an order.
    fn emptied(&self) -> &'static str {
        match self {
            Self::Claim(_) => "delete the claim and the pod",
            Self::Server => "make a new cluster with an empty database of its own",
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Claim(name) => write!(formatter, "volume claim {name}"),
            Self::Server => write!(formatter, "the server of spec.database.postgresql"),
        }
    }
}

/// A failed step. What a user can do about it is in the text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stored object does not fit the type, for instance after a change of the schema.
    #[error("the object cannot be read: {0}")]
    Unparseable(#[source] Box<kube::core::error_boundary::InvalidObject>),
    /// The spec contradicts itself.
    #[error("{field}: {why}")]
    Invalid {
        /// The field's path below `spec`.
        field: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// A ConfigMap that the spec names is not as it must be.
    #[error("ConfigMap {config_map} of spec.{field} {why}")]
    ConfigMap {
        /// Its name.
        config_map: String,
        /// The field's path below `spec`.
        field: String,
        /// What is wrong and what to do.
        why: String,
        /// What `Ready` gets.
        reason: Reason,
    },
    /// A child's name is taken.
    #[error("{kind} {name} exists and is not this cluster's: rename the cluster, or delete that object")]
    Foreign {
        /// The child's kind.
        kind: String,
        /// The child's name.
        name: String,
    },
    /// The database exists, the key that decrypts it does not.
    #[error(
        "{holder} holds a database, but Secret {secret} with its key is gone: restore the Secret, or {} to start anew",
        .holder.emptied()
    )]
    KeyMissing {
        /// Where the database is.
        holder: Holder,
        /// The Secret's name.
        secret: String,
    },
    /// The key is not the one that the database was made with.
    #[error(
        "Secret {secret} has another key1 (fingerprint {found}) than the database in {holder} was made with ({made_with}): restore the old key, or {} to start anew",
        .holder.emptied()
    )]
    KeyChanged {
        /// Where the database is.
        holder: Holder,
        /// The Secret's name.
        secret: String,
        /// The fingerprint of its key.
        found: String,
        /// The fingerprint of the key that the database was made with.
        made_with: String,
    },
    /// The credentials Secret lacks something.
    #[error("Secret {secret}: {why}")]
    Credentials {
        /// The Secret's name.
        secret: String,
        /// Which key, and what is wrong with it.
        why: String,
    },
    /// The Secret with the user of the database is missing.
    #[error(
        "Secret {secret} of spec.database.postgresql.credentialsSecretRef does not exist: create it with the keys username and password"
    )]
    DatabaseSecretNotFound {
        /// The Secret's name.
        secret: String,
    },
    /// The API server refused a child.
    #[error("{kind} {name}: {}", .reason.advise(&message(.source)))]
    Child {
        /// The child's kind.
        kind: String,
        /// The child's name.
        name: String,
        /// What `Ready` gets.
        reason: Reason,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server refused or failed.
    #[error("Kubernetes API: {}", message(.0))]
    Api(#[source] Box<kube::Error>),
}

/// With one of these in its `Ready` an object is not brought to what its spec says. A volume that cannot grow is told after all
/// else is done.
pub const BLOCKING: [Reason; 12] = [
    Reason::InvalidSpec,
    Reason::ConfigMapNotFound,
    Reason::SourceInvalid,
    Reason::SyntaxError,
    Reason::NameTaken,
    Reason::KeyMissing,
    Reason::KeyChanged,
    Reason::CredentialsInvalid,
    Reason::Forbidden,
    Reason::QuotaExceeded,
    Reason::AdmissionDenied,
    Reason::ApiError,
];

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

impl Error {
    /// A child that the API server refused.
    pub fn child(kind: &str, name: &str, error: kube::Error) -> Self {
        Self::Child {
            kind: kind.into(),
            name: name.into(),
            reason: reason(&error),
            source: Box::new(error),
        }
    }

    /// The reason that `Ready` gets.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unparseable(_) | Self::Invalid { .. } => Reason::InvalidSpec,
            Self::Foreign { .. } => Reason::NameTaken,
            Self::KeyMissing { .. } => Reason::KeyMissing,
            Self::KeyChanged { .. } => Reason::KeyChanged,
            Self::DatabaseSecretNotFound { .. } => Reason::SecretNotFound,
            Self::Credentials { .. } => Reason::CredentialsInvalid,
            Self::ConfigMap { reason, .. } | Self::Child { reason, .. } => *reason,
            Self::Api(error) => reason(error),
        }
    }

    /// When to try again, after `failures` failures in a row; none: only a change can help.
    pub fn retry_after(&self, failures: u32) -> Option<Duration> {
        let backoff = |most| Duration::from_secs(1 << failures.min(8)).min(most);
        match self {
            // Watches tell of the object, the Secret and the claim.
            Self::Unparseable(_)
            | Self::Invalid { .. }
            | Self::ConfigMap { .. }
            | Self::KeyChanged { .. }
            | Self::DatabaseSecretNotFound { .. }
            | Self::Credentials { .. } => None,
            // No watch sees an object that is not ours, such as a claim that somebody made by hand.
            Self::Foreign { .. } | Self::KeyMissing { .. } => Some(Duration::from_secs(30)),
            // Who mends a quota, a right or a policy does not want to wait.
            Self::Child { .. } => Some(backoff(Duration::from_secs(30))),
            Self::Api(_) => Some(backoff(Duration::from_mins(5))),
        }
    }
}

/// What the API server said, without the words of the client around it.
fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

fn reason(error: &kube::Error) -> Reason {
    match error {
        kube::Error::Api(status) if status.code == 403 => said(&status.message).unwrap_or(Reason::Forbidden),
        kube::Error::Api(status) => said(&status.message).unwrap_or(Reason::ApiError),
        _ => Reason::ApiError,
    }
}

/// Why the API server refuses something, by words of its that have been the same for many versions.
pub fn said(message: &str) -> Option<Reason> {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&["exceeded quota"]) {
        Some(Reason::QuotaExceeded)
    } else if says(&[
        "admission webhook",
        "failed calling webhook",
        "ValidatingAdmissionPolicy",
        "violates PodSecurity",
    ]) {
        Some(Reason::AdmissionDenied)
    } else if says(&["pvc can be resized", "for bound claims", "status.capacity"]) {
        Some(Reason::ResizeRefused)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_errors_back_off_up_to_five_minutes() {
        let error = Error::Api(Box::new(kube::Error::LinesCodecMaxLineLengthExceeded));
        let seconds: Vec<_> = (0..10).map(|n| error.retry_after(n).unwrap().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 256]);
    }

    /// The next step is one that can be undone, or takes nothing of others away.
    #[test]
    fn nobody_is_told_to_empty_a_database_of_a_server() {
        let error = |holder| Error::KeyMissing {
            holder,
            secret: "c-zato".into(),
        };
        assert_eq!(
            error(Holder::Server).to_string(),
            "the server of spec.database.postgresql holds a database, but Secret c-zato with its key is gone: restore the Secret, or make a new cluster with an empty database of its own to start anew"
        );
        let claim = error(Holder::Claim("c-data".into())).to_string();
        assert!(
            claim.contains("c-data") && claim.ends_with("or delete the claim and the pod to start anew"),
            "{claim}"
        );
    }

    fn api(code: u16, message: &str) -> kube::Error {
        let status = serde_json::json!({"status": "Failure", "code": code, "message": message});
        kube::Error::Api(Box::new(serde_json::from_value(status).unwrap()))
    }

    #[rstest::rstest]
    #[case(
        403,
        "exceeded quota: q",
        Reason::QuotaExceeded,
        "Service x: exceeded quota: q. Raise the quota"
    )]
    #[case(
        400,
        "admission webhook \"w\" denied the request",
        Reason::AdmissionDenied,
        "Service x: admission webhook"
    )]
    #[case(
        403,
        "only dynamically provisioned pvc can be resized",
        Reason::ResizeRefused,
        "Service x: only dynamically"
    )]
    #[case(
        403,
        "User \"u\" cannot patch",
        Reason::Forbidden,
        "Service x: User \"u\" cannot patch. Install"
    )]
    #[case(500, "etcd", Reason::ApiError, "Service x: etcd")]
    fn a_refused_child_is_named_with_what_to_do(
        #[case] code: u16,
        #[case] message: &str,
        #[case] reason: Reason,
        #[case] wanted: &str,
    ) {
        let error = Error::child("Service", "x", api(code, message));
        assert_eq!(error.reason(), reason);
        assert!(error.to_string().starts_with(wanted), "{error}");
    }
}
