//! Pure: the channels of services: what is wrong with each, and what servers are told of them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::source::Sourced;
use crate::api::ZatoService;
use crate::api::channels::{Channel, RateLimit, RestChannel, SecretReference, Security};
use crate::api::conditions::Reason;
use crate::exchange::{Hidden, Index, IndexedChannel, IndexedSecurity, IndexedService, Report, SecurityKind};
use crate::k8s::labels;
use crate::openapi::model::without_names;

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
    keys: BTreeMap<String, Option<Hidden>>,
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
fn is_sendable(text: &str) -> bool {
    !text.is_empty() && text.len() <= CHARACTERS && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// Why a channel is not as its spec says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The files define no such service.
    #[error("service {0} is in no file of this ZatoService: correct the name, or add the service")]
    ServiceNotFound(String),
    /// It contradicts itself, or others.
    #[error("{0}")]
    Invalid(String),
    /// The change is refused because of what it breaks.
    #[error("it is not deployed as the spec says: Ready says what the change breaks")]
    Refused,
    /// Another channel answers there.
    #[error(
        "{method} {path} is channel {channel} of ZatoService {owner}, which comes first: choose another path"
    )]
    PathTaken {
        /// The method that both answer.
        method: String,
        /// The path.
        path: String,
        /// The other channel.
        channel: String,
        /// Its object.
        owner: String,
    },
    /// Its Secret does not exist.
    #[error("Secret {0} does not exist: create it{1}")]
    SecretNotFound(String, &'static str),
    /// Its Secret cannot be used.
    #[error("Secret {secret}: {why}{kept}")]
    SecretInvalid {
        /// The Secret.
        secret: String,
        /// What is wrong and what to do.
        why: String,
        /// What happens meanwhile.
        kept: &'static str,
    },
}

/// A deleted or damaged Secret must take no address away.
const KEPT: &str = "; until then the channel stays as it was";

impl Problem {
    /// The reason that conditions get.
    pub fn reason(&self) -> Reason {
        match self {
            Self::ServiceNotFound(_) | Self::Invalid(_) => Reason::ChannelInvalid,
            Self::Refused => Reason::BreakingChange,
            Self::PathTaken { .. } => Reason::PathTaken,
            Self::SecretNotFound(..) => Reason::SecretNotFound,
            Self::SecretInvalid { .. } => Reason::SecretInvalid,
        }
    }

    fn keeping(self) -> Self {
        match self {
            Self::SecretNotFound(secret, _) => Self::SecretNotFound(secret, KEPT),
            Self::SecretInvalid { secret, why, .. } => Self::SecretInvalid {
                secret,
                why,
                kept: KEPT,
            },
            other => other,
        }
    }
}

/// One channel of a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// What the spec says.
    pub rest: RestChannel,
    /// What servers are told, if its service is there; none: it is not made.
    pub told: Option<IndexedChannel>,
    /// What is wrong.
    pub problem: Option<Problem>,
    /// Channels of younger services that want the same path.
    pub rivals: Vec<String>,
}

impl Claim {
    /// What is wrong, given the version of the files that servers have or get.
    pub fn problem_with(&self, version: Option<&IndexedService>) -> Option<Problem> {
        let is_there = version.is_some_and(|version| has(version, &self.rest.service));
        let missing = || Problem::ServiceNotFound(self.rest.service.clone());
        self.problem.clone().or_else(|| (!is_there).then(missing))
    }
}

/// The channels of which a version has the services.
pub fn told(claims: &[Claim], version: &IndexedService) -> BTreeMap<String, IndexedChannel> {
    let told = claims
        .iter()
        .filter_map(|claim| Some((claim.name.clone(), claim.told.clone()?)));
    told.filter(|(_, channel)| has(version, &channel.service))
        .collect()
}

/// Gives all channels of an index what the Secrets that channels name have now, also those that stay as they were.
pub fn rotate<'a>(services: &mut BTreeMap<String, IndexedService>, claims: impl Iterator<Item = &'a Claim>) {
    let good = claims.filter(|claim| claim.problem.is_none());
    let told = good.filter_map(|claim| claim.told.as_ref()?.security.as_ref());
    let now: BTreeMap<_, _> = told
        .map(|security| ((security.kind, security.secret.as_str()), security))
        .collect();
    for channel in services
        .values_mut()
        .flat_map(|service| service.channels.values_mut())
    {
        if let Some(security) = &mut channel.security
            && let Some(now) = now.get(&(security.kind, security.secret.as_str()))
        {
            security.clone_from(now);
        }
    }
}

/// Those of a service's channels that answer on a server, without those that Zato did not take; none: the server is not done
/// with all of them.
pub fn active(
    service: &str,
    channels: &BTreeMap<String, IndexedChannel>,
    report: &Report,
) -> Option<BTreeMap<String, IndexedChannel>> {
    let mut active = BTreeMap::new();
    for (name, channel) in channels {
        let found = report.channels.get(service)?.get(name)?;
        if found.revision != channel.revision() {
            return None;
        }
        if found.error.is_none() {
            active.insert(name.clone(), channel.clone());
        }
    }
    Some(active)
}

fn has(version: &IndexedService, service: &str) -> bool {
    version.services().any(|found| found == service)
}

/// The Secrets that the channels of a service name.
pub fn secrets(service: &ZatoService) -> impl Iterator<Item = &str> {
    let channels = service.spec.channels.iter();
    channels.filter_map(|channel| Some(reference(&channel.rest.security)?.1.name.as_str()))
}

fn reference(security: &Security) -> Option<(SecurityKind, &SecretReference)> {
    let basic = security.basic_auth_secret_ref.as_ref();
    let key = security.api_key_secret_ref.as_ref();
    basic
        .map(|reference| (SecurityKind::BasicAuth, reference))
        .or(key.map(|reference| (SecurityKind::ApiKey, reference)))
}

/// All channels of a cluster by their `ZatoService`, the oldest first: of two that want the same path and method the older
/// one has it.
pub fn claims(services: &[Sourced], deployed: &Index) -> BTreeMap<String, Vec<Claim>> {
    let mut taken = Taken::of(deployed);
    let mut all: BTreeMap<String, Vec<Claim>> = BTreeMap::new();
    for service in services {
        let before = deployed.services.get(&service.name);
        for channel in &service.channels {
            let mut claim = claim(channel, service, before, &mut taken);
            let place = (service.name.clone(), channel.name.clone());
            if let Some((address, other)) = taken.other(&claim, &place) {
                claim.told = None;
                claim.problem = Some(Problem::PathTaken {
                    method: address.0,
                    path: channel.rest.url_path.clone(),
                    channel: other.1.clone(),
                    owner: other.0.clone(),
                });
                let rival = format!("channel {} of ZatoService {}", channel.name, service.name);
                let claims = all.get_mut(&other.0).into_iter().flatten();
                if let Some(other) = claims.into_iter().find(|claim| claim.name == other.1) {
                    other.rivals.push(rival);
                }
            } else if let Some(why) = taken.misnamed(&channel.rest.url_path) {
                claim.told = None;
                claim.problem = Some(Problem::Invalid(why));
            } else {
                taken.take(&claim, &place);
            }
            all.entry(service.name.clone()).or_default().push(claim);
        }
    }
    all
}

/// Method, and path without the names of its parameters.
type Address = (String, String);
/// A `ZatoService` and a channel of it.
type Place = (String, String);

/// Who has what.
struct Taken {
    /// Addresses.
    places: BTreeMap<Address, Place>,
    /// Paths as they are written.
    paths: BTreeMap<String, String>,
    /// The Secret that each user name is of: Zato knows one password for it.
    users: BTreeMap<String, String>,
    /// What servers were told last of each Secret.
    securities: BTreeMap<(SecurityKind, String), IndexedSecurity>,
}

impl Taken {
    /// What stays as it is because a change of it is refused is its owner's.
    fn of(deployed: &Index) -> Self {
        let mut taken = Self {
            places: BTreeMap::new(),
            paths: BTreeMap::new(),
            users: BTreeMap::new(),
            securities: BTreeMap::new(),
        };
        for (owner, version) in &deployed.services {
            for (name, channel) in &version.channels {
                if version.refused.is_some() {
                    let place = (owner.clone(), name.clone());
                    taken
                        .places
                        .extend(addresses(channel).map(|address| (address, place.clone())));
                }
                if let Some(security) = &channel.security {
                    let key = (security.kind, security.secret.clone());
                    taken.securities.insert(key, security.clone());
                }
            }
        }
        taken
    }

    fn other(&self, claim: &Claim, place: &Place) -> Option<(Address, Place)> {
        let wanted = addresses(&indexed(&claim.rest, None)).chain(claim.told.iter().flat_map(addresses));
        let mut found =
            wanted.filter_map(|address| Some((address.clone(), self.places.get(&address)?.clone())));
        found.find(|(_, other)| other != place)
    }

    /// One path under two spellings would be two in a document.
    fn misnamed(&self, path: &str) -> Option<String> {
        let parts: Vec<&str> = path.split('/').filter(|part| part.starts_with('{')).collect();
        if let Some(twice) = parts
            .iter()
            .find(|part| parts.iter().filter(|other| other == part).count() > 1)
        {
            return Some(format!(
                "urlPath {path} has parameter {twice} twice: rename one of them"
            ));
        }
        let other = self
            .paths
            .get(&without_names(path))
            .filter(|other| *other != path)?;
        Some(format!(
            "urlPath {path} and {other} differ in the names of parameters alone: use the same ones"
        ))
    }

    /// Also what the servers keep meanwhile.
    fn take(&mut self, claim: &Claim, place: &Place) {
        let path = &claim.rest.url_path;
        self.paths
            .entry(without_names(path))
            .or_insert_with(|| path.clone());
        let all = addresses(&indexed(&claim.rest, None)).chain(claim.told.iter().flat_map(addresses));
        self.places.extend(all.map(|address| (address, place.clone())));
    }
}

fn addresses(channel: &IndexedChannel) -> impl Iterator<Item = Address> + use<> {
    let path = without_names(&channel.url_path);
    let methods = channel.methods.clone();
    methods.into_iter().map(move |method| (method, path.clone()))
}

fn claim(channel: &Channel, service: &Sourced, before: Option<&IndexedService>, taken: &mut Taken) -> Claim {
    let rest = &channel.rest;
    let security = security(rest, service)
        .and_then(|security| one_of_its_name(security, &mut taken.users))
        .map(|security| security.map(|security| unchanged(security, &taken.securities)));
    let (told, problem) = match security {
        Ok(security) => (Some(indexed(rest, security)), None),
        Err(problem) => {
            // One that is to be closed must not stay open.
            let is_closed = |old: &&IndexedChannel| old.security.is_some();
            let old = before.and_then(|before| before.channels.get(&channel.name));
            let old = old.filter(is_closed).cloned();
            let problem = if old.is_some() { problem.keeping() } else { problem };
            (old, Some(problem))
        }
    };
    Claim {
        name: channel.name.clone(),
        rest: rest.clone(),
        told,
        problem,
        rivals: vec![],
    }
}

/// Of several Secrets with one user name the first counts.
fn one_of_its_name(
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
        kept: "",
    })
}

/// A Secret that was only touched makes no change.
fn unchanged(
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

fn indexed(rest: &RestChannel, security: Option<IndexedSecurity>) -> IndexedChannel {
    let methods: BTreeSet<String> = rest
        .methods
        .iter()
        .map(|method| method.name().to_owned())
        .collect();
    IndexedChannel {
        service: rest.service.clone(),
        url_path: rest.url_path.clone(),
        methods,
        security,
        rate_limit: rest.rate_limit.map(RateLimit::definition).unwrap_or_default(),
    }
}

fn security(rest: &RestChannel, service: &Sourced) -> Result<Option<IndexedSecurity>, Problem> {
    let Some((kind, reference)) = reference(&rest.security) else {
        // Nobody gets in because something is not known here.
        let unknown = || Problem::Invalid("security says nothing that this operator knows".into());
        return rest.security.none.map(|_| None).ok_or_else(unknown);
    };
    let name = &reference.name;
    let secret = service.secrets.get(name).and_then(Option::as_ref);
    let secret = secret.ok_or_else(|| Problem::SecretNotFound(name.clone(), ""))?;
    let invalid = |why| Problem::SecretInvalid {
        secret: name.clone(),
        why,
        kept: "",
    };
    if !secret.is_allowed {
        let label = labels::CHANNEL_CREDENTIALS;
        return Err(invalid(format!(
            "services may not use it: its owner allows it with `kubectl label secret {name} {label}=true`"
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

#[cfg(test)]
mod tests;
