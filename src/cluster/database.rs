//! Pure: the database of a Distributed cluster, as far as the operator knows it: the Secret with its user, and what the Job
//! said that makes Zato's tables there. The operator never connects to it, and never tells what stands in the Secret.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use crate::api::ZatoCluster;
use crate::api::topology::Postgresql;
use crate::exchange::database::{KEYS, unusable};
use crate::reconcile::Error;
use crate::reconcile::child::JobState;

/// What is known of the Secret with the database's user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseSecret {
    /// Its resource version: with another one the user may be another.
    version: String,
    /// What is wrong with it.
    problem: Option<String>,
}

impl DatabaseSecret {
    /// From a Secret, of which nothing is kept.
    pub fn of(secret: Secret) -> Self {
        let data = secret.data.clone().unwrap_or_default();
        let problem = KEYS.into_iter().find_map(|key| {
            let Some(value) = data.get(key) else {
                return Some(format!("key {key} is missing: add it"));
            };
            let value = std::str::from_utf8(&value.0).unwrap_or_default();
            Some(format!("key {key} {}", unusable(key, value)?))
        });
        Self {
            version: secret.resource_version().unwrap_or_default(),
            problem,
        }
    }
}

/// What was read of the database of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The Secret with its user; none: it does not exist.
    pub secret: Option<Arc<DatabaseSecret>>,
    /// The Job that looks into it, if it exists.
    pub job: Option<JobState>,
}

/// The database of a plan.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where it is.
    pub address: Postgresql,
    /// Changes with the user; empty: the user is not known.
    pub version: String,
    /// The Job that looks into it, if it exists.
    pub job: Option<JobState>,
    /// Whether Zato's tables were made: servers may start.
    pub is_made: bool,
}

/// The version of the user, if the Secret can be used.
pub fn version(address: &Postgresql, found: &Found) -> Result<String, Error> {
    let secret = address.credentials_secret_ref.name.clone();
    match found.secret.as_deref() {
        None => Err(Error::DatabaseSecretNotFound { secret }),
        Some(DatabaseSecret {
            problem: Some(why), ..
        }) => Err(Error::Credentials {
            secret,
            why: why.clone(),
        }),
        Some(known) => Ok(known.version.clone()),
    }
}

/// What is known of the key that a database was made with: the status says it as soon as Zato's tables are there.
pub fn made_with(cluster: &ZatoCluster) -> Option<&String> {
    cluster.spec.database.postgresql.as_ref()?;
    cluster.status.as_ref()?.key_fingerprint.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(serde_json::json!({"username": "dQ=="}), Some("key password is missing: add it"))]
    #[case(serde_json::json!({"username": "dQ==", "password": "cA=="}), None)]
    #[case(serde_json::json!({"username": "dQ==", "password": "Iw=="}), Some("key password has a `#`, at which Zato's servers cut it off: choose another one"))]
    fn a_secret_is_checked_and_not_kept(#[case] data: serde_json::Value, #[case] problem: Option<&str>) {
        let secret = serde_json::json!({"metadata": {"name": "s", "resourceVersion": "7"}, "data": data});
        let found = DatabaseSecret::of(serde_json::from_value(secret).unwrap());
        assert_eq!((found.version.as_str(), found.problem.as_deref()), ("7", problem));
    }
}
