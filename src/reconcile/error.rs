//! Why a step of a reconcile can fail. A state of the world is not an error: `assess` tells those.

use std::time::Duration;

use crate::api::conditions::Reason;

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
    /// A child's name is taken.
    #[error("{kind} {name} exists and is not this cluster's: rename the cluster, or delete that object")]
    Foreign {
        /// The child's kind.
        kind: String,
        /// The child's name.
        name: String,
    },
    /// The volume with the database exists, the key that decrypts it does not.
    #[error(
        "volume claim {claim} holds a database, but Secret {secret} with its key is gone: restore the Secret, or delete the claim to start anew"
    )]
    KeyMissing {
        /// The claim's name.
        claim: String,
        /// The Secret's name.
        secret: String,
    },
    /// The credentials Secret lacks something.
    #[error("Secret {secret}: {why}")]
    Credentials {
        /// The Secret's name.
        secret: String,
        /// Which key, and what is wrong with it.
        why: String,
    },
    /// The API server refused or failed.
    #[error("Kubernetes API: {0}")]
    Api(#[source] Box<kube::Error>),
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

impl Error {
    /// The reason that `Ready` gets.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unparseable(_) | Self::Invalid { .. } => Reason::InvalidSpec,
            Self::Foreign { .. } => Reason::NameTaken,
            Self::KeyMissing { .. } => Reason::KeyMissing,
            Self::Credentials { .. } => Reason::CredentialsInvalid,
            Self::Api(error) => match &**error {
                kube::Error::Api(status) if status.is_forbidden() => Reason::Forbidden,
                _ => Reason::ApiError,
            },
        }
    }

    /// When to try again, after `failures` failures in a row; none: only a change can help.
    pub fn retry_after(&self, failures: u32) -> Option<Duration> {
        match self {
            Self::Unparseable(_) | Self::Invalid { .. } => None,
            // Watches tell of the Secret and the claim.
            Self::KeyMissing { .. } | Self::Credentials { .. } => None,
            // No watch sees an object that is not ours.
            Self::Foreign { .. } => Some(Duration::from_secs(30)),
            Self::Api(_) => Some(Duration::from_secs(1 << failures.min(8)).min(Duration::from_mins(5))),
        }
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
}
