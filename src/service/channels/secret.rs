//! Pure: what callers of channels send, from Secrets whose owners let services use them.
//!
//! What stands in a Secret is never told: not in a message, not in a log.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::Problem;
use crate::api::ZatoService;
use crate::api::channels::{SecretReference, Security};
use crate::exchange::{Hidden, IndexedSecurity, SecurityKind};
use crate::k8s::labels;
use crate::service::source::Sourced;

/// The key of the user name in a Secret, as in Secrets of type `kubernetes.io/basic-auth`.
const USERNAME: &str = "username";
/// The key of the password.
const PASSWORD: &str = "password";
/// The key of an API key.
const API_KEY: &str = "apiKey";
/// Users that every cluster has.
const OF_ZATO: [&str; 3] = ["admin.invoke", "pubapi", "ide_publisher"];
/// How long what callers send may be.
const CHARACTERS: usize = 200;

/// What callers of channels send, as it stands in a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerSecret {
    /// Its resource version.
    version: String,
    /// Whether its owner lets services use it.
    is_allowed: bool,
    /// Its keys; none: no text.
    pub(super) keys: BTreeMap<String, Option<Hidden>>,
}

impl CallerSecret {
    /// From a Secret. What its owner does not let services use is not kept in memory.
    pub fn of(secret: Secret) -> Self {
        let label = secret.labels().get(labels::CHANNEL_CREDENTIALS);
        let is_allowed = label.is_some_and(|value| value == "true");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok().map(Hidden);
        let keys = secret.data.clone().filter(|_| is_allowed).unwrap_or_default();
        Self {
            version: secret.resource_version().unwrap_or_default(),
            is_allowed,
            keys: keys
                .into_iter()
                .map(|(key, value)| (key, text(value.0)))
                .collect(),
        }
    }

    /// A key that callers can send.
    fn get(&self, key: &str) -> Result<&Hidden, String> {
        let value = match self.keys.get(key) {
            None => return Err(format!("key {key} is missing: add it")),
            Some(value) => value.as_ref().filter(|value| is_sendable(&value.0)),
        };
        let is_line = |value: &Option<Hidden>| value.as_ref().is_some_and(|value| value.0.ends_with('\n'));
        if self.keys.get(key).is_some_and(is_line) {
            return Err(format!(
                "key {key} ends with a line break: write it with --from-literal"
            ));
        }
        value.ok_or_else(|| format!("key {key} must be 1 to {CHARACTERS} printable ASCII characters"))
    }
}

/// Other characters reach Zato in a way that depends on the client.
pub(super) fn is_sendable(text: &str) -> bool {
    !text.is_empty() && text.len() <= CHARACTERS && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// The Secrets that the channels of a service name.
pub fn secrets(service: &ZatoService) -> impl Iterator<Item = &str> {
    let channels = service.spec.channels.iter();
    let securities = channels.filter_map(|channel| super::wanted(channel).1.ok());
    securities.filter_map(|security| Some(reference(security)?.1.name.as_str()))
}

fn reference(security: &Security) -> Option<(SecurityKind, &SecretReference)> {
    let basic = security.basic_auth_secret_ref.as_ref();
    let key = security.api_key_secret_ref.as_ref();
    basic
        .map(|reference| (SecurityKind::BasicAuth, reference))
        .or(key.map(|reference| (SecurityKind::ApiKey, reference)))
}

/// Who may call, by the Secret that a channel names; none: everybody.
pub(super) fn security(wanted: &Security, service: &Sourced) -> Result<Option<IndexedSecurity>, Problem> {
    let Some((kind, reference)) = reference(wanted) else {
        // Nobody gets in because something is not known here.
        let unknown = || Problem::Invalid("security says nothing that this operator knows".into());
        return wanted.none.map(|_| None).ok_or_else(unknown);
    };
    let name = &reference.name;
    let secret = service.secrets.get(name).and_then(Option::as_ref);
    let secret = secret.ok_or_else(|| Problem::SecretNotFound(name.clone()))?;
    let invalid = |why| Problem::SecretInvalid {
        secret: name.clone(),
        why,
    };
    if !secret.is_allowed {
        let label = labels::CHANNEL_CREDENTIALS;
        return Err(invalid(format!(
            "services may not use it: its owner allows it with `kubectl label --overwrite secret {name} {label}=true`"
        )));
    }
    let (username, password) = match kind {
        SecurityKind::BasicAuth => (
            secret.get(USERNAME).map_err(invalid)?.0.clone(),
            secret.get(PASSWORD).map_err(invalid)?,
        ),
        SecurityKind::ApiKey => (String::new(), secret.get(API_KEY).map_err(invalid)?),
    };
    if username.contains(':') {
        return Err(invalid(format!(
            "key {USERNAME} has a colon, which no user name can have: choose another one"
        )));
    }
    if OF_ZATO.contains(&username.as_str()) || username.starts_with("zato.") {
        return Err(invalid(format!(
            "key {USERNAME} is {username}, a user of Zato's own: choose another name"
        )));
    }
    Ok(Some(IndexedSecurity {
        kind,
        secret: name.clone(),
        version: secret.version.clone(),
        username,
        password: password.clone(),
    }))
}

/// Of several Secrets with one user name the first counts.
pub(super) fn one_of_its_name(
    security: Option<IndexedSecurity>,
    users: &mut BTreeMap<String, String>,
) -> Result<Option<IndexedSecurity>, Problem> {
    let Some(found) = security.as_ref().filter(|found| !found.username.is_empty()) else {
        return Ok(security);
    };
    let other = users
        .entry(found.username.clone())
        .or_insert_with(|| found.secret.clone());
    if *other == found.secret {
        return Ok(security);
    }
    Err(Problem::SecretInvalid {
        secret: found.secret.clone(),
        why: format!("its user name is also that of Secret {other}: use one of them, or another name"),
    })
}

/// A Secret that was only touched makes no change.
pub(super) fn unchanged(
    security: IndexedSecurity,
    known: &BTreeMap<(SecurityKind, String), IndexedSecurity>,
) -> IndexedSecurity {
    let is_same =
        |old: &&IndexedSecurity| (&old.username, &old.password) == (&security.username, &security.password);
    let old = known
        .get(&(security.kind, security.secret.clone()))
        .filter(is_same);
    old.cloned().unwrap_or(security)
}
