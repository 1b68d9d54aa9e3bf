//! Pure: the database of a Distributed cluster, as far as the operator knows it: the Secret with its user, and what the Job
//! said that makes Zato's tables there. The operator never connects to it, and never tells what stands in the Secret.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use crate::api::ZatoCluster;
use crate::api::topology::Postgresql;
use crate::cluster::trouble::Trouble;
use crate::reconcile::Error;
use crate::reconcile::child::JobState;

/// The keys of the Secret, as in Secrets of type `kubernetes.io/basic-auth`.
const KEYS: [&str; 2] = ["username", "password"];

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
            Some(format!("key {key} {}", unusable(value)?))
        });
        Self {
            version: secret.resource_version().unwrap_or_default(),
            problem,
        }
    }
}

/// Why Zato cannot log in with a text. Its commands and its server read it from addresses in different ways.
fn unusable(text: &str) -> Option<&'static str> {
    let is_encoded = |window: &[u8]| {
        let [first, rest @ ..] = window else { return false };
        *first == b'%' && rest.iter().all(u8::is_ascii_hexdigit)
    };
    if text.is_empty() {
        return Some("is empty or no text: set it");
    }
    if text.chars().any(char::is_control) {
        return Some(
            "has a control character, such as a line break at its end: write it with --from-literal",
        );
    }
    if text.contains('#') {
        return Some("has a `#`, with which Zato's server cannot log in: choose another one");
    }
    let message =
        "has a `%` before two hexadecimal digits, which Zato reads as one character: choose another one";
    text.as_bytes().windows(3).any(is_encoded).then_some(message)
}

/// What was read of the database of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The Secret with its user; none: it does not exist.
    pub secret: Option<Arc<DatabaseSecret>>,
    /// The Job that looks into it, if it exists.
    pub job: Option<JobState>,
    /// What the last pod of that Job said that failed.
    pub said: Option<String>,
    /// What keeps a pod of that Job from running.
    pub trouble: Option<Trouble>,
}

/// The database of a plan.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where it is.
    pub address: Postgresql,
    /// Changes with the user.
    pub version: String,
    /// The Job that looks into it, if it exists.
    pub job: Option<JobState>,
    /// What the last pod of that Job said that failed.
    pub said: Option<String>,
    /// What keeps a pod of that Job from running.
    pub trouble: Option<Trouble>,
    /// Whether Zato's tables were made: servers may start.
    pub is_made: bool,
}

impl Database {
    /// With a user that is not known.
    pub fn unknown(address: &Postgresql, is_made: bool) -> Self {
        Self {
            address: address.clone(),
            version: String::new(),
            job: None,
            said: None,
            trouble: None,
            is_made,
        }
    }

    /// With a Secret that can be used.
    pub fn of(address: &Postgresql, found: &Found, is_made: bool) -> Result<Self, Error> {
        let secret = &address.credentials_secret_ref.name;
        let invalid = |why: String| Error::Credentials {
            secret: secret.clone(),
            why,
        };
        let known = found.secret.as_ref();
        let known = known.ok_or_else(|| Error::DatabaseSecretNotFound {
            secret: secret.clone(),
        })?;
        if let Some(problem) = &known.problem {
            return Err(invalid(problem.clone()));
        }
        let is_complete = found.job.as_ref().is_some_and(|job| job.is_complete);
        Ok(Self {
            address: address.clone(),
            version: known.version.clone(),
            job: found.job.clone(),
            said: found.said.clone(),
            trouble: found.trouble.clone(),
            is_made: is_made || is_complete,
        })
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

    /// Each was tried with the commands and the server of Zato 3.2.
    #[rstest]
    #[case("p@ss:w/rd?&=+!$'\" \\", None)]
    #[case("100%", None)]
    #[case("50%0f", Some("has a `%`"))]
    #[case("50%zz", None)]
    #[case("a#b", Some("has a `#`"))]
    #[case("", Some("is empty"))]
    #[case("p\n", Some("has a control character"))]
    fn what_zato_cannot_log_in_with(#[case] text: &str, #[case] why: Option<&str>) {
        let found = unusable(text);
        assert!(
            found.is_some() == why.is_some()
                && why.is_none_or(|why| found.is_some_and(|found| found.starts_with(why))),
            "{text}: {found:?}"
        );
    }

    #[rstest]
    #[case(serde_json::json!({"username": "dQ=="}), Some("key password is missing: add it"))]
    #[case(serde_json::json!({"username": "dQ==", "password": "cA=="}), None)]
    fn a_secret_is_checked_and_not_kept(#[case] data: serde_json::Value, #[case] problem: Option<&str>) {
        let secret = serde_json::json!({"metadata": {"name": "s", "resourceVersion": "7"}, "data": data});
        let found = DatabaseSecret::of(serde_json::from_value(secret).unwrap());
        assert_eq!((found.version.as_str(), found.problem.as_deref()), ("7", problem));
    }
}
