//! Pure: the channels of services: what is wrong with each, and what servers are told of them.

pub mod secret;
mod web_socket;

use std::collections::BTreeMap;

use super::source::Sourced;
use crate::api::channels::{Channel, DirectInvocation, Method, RateLimit, RestChannel, Security, TimeUnit};
use crate::api::conditions::Reason;
use crate::exchange::{
    ChannelKind, Index, IndexedChannel, IndexedSecurity, IndexedService, Report, SecurityKind,
};
use crate::openapi::facts::INVOKE_PATH;
use crate::openapi::names::without_names;

/// What stands for the method where the address of a channel is a port.
const PORT: &str = "port";

/// Why a channel is not as its spec says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The files define no such service.
    #[error("service {0} is in no file of this ZatoService: correct the name, or add the service")]
    ServiceNotFound(String),
    /// The files name no service that could be invoked.
    #[error(
        "the files name no service: add one with a name that stands in the source, or name it in expectedServices"
    )]
    NoService,
    /// It contradicts itself, or others.
    #[error("{0}")]
    Invalid(String),
    /// The change that it came with is not deployed, for this reason.
    #[error("it is not deployed as the spec says: Ready says why")]
    Refused(Reason),
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
    /// Another WebSocket channel has the port.
    #[error(
        "port {port} is that of channel {channel} of ZatoService {owner}, which comes first: choose another port"
    )]
    PortTaken {
        /// The port.
        port: String,
        /// The other channel.
        channel: String,
        /// Its object.
        owner: String,
    },
    /// Its Secret does not exist.
    #[error("Secret {0} does not exist: create it")]
    SecretNotFound(String),
    /// Its Secret cannot be used.
    #[error("Secret {secret}: {why}")]
    SecretInvalid {
        /// The Secret.
        secret: String,
        /// What is wrong and what to do.
        why: String,
    },
}

impl Problem {
    /// The reason that conditions get.
    pub fn reason(&self) -> Reason {
        match self {
            Self::ServiceNotFound(_) | Self::NoService | Self::Invalid(_) => Reason::ChannelInvalid,
            Self::Refused(reason) => *reason,
            Self::PathTaken { .. } => Reason::PathTaken,
            Self::PortTaken { .. } => Reason::PortTaken,
            Self::SecretNotFound(_) => Reason::SecretNotFound,
            Self::SecretInvalid { .. } => Reason::SecretInvalid,
        }
    }
}

/// One channel of a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// What the spec says, but for who may call.
    pub wanted: IndexedChannel,
    /// What servers are told, if its service is there; none: it is not made.
    pub told: Option<IndexedChannel>,
    /// What is wrong.
    pub problem: Option<Problem>,
    /// Channels of younger services that want the same path or port.
    pub rivals: Vec<String>,
}

impl Claim {
    /// Whether servers keep what they had until the problem is mended.
    pub fn is_kept(&self) -> bool {
        self.problem.is_some() && self.told.is_some()
    }

    /// What is wrong, given the version of the files that servers have or get.
    pub fn problem_with(&self, version: Option<&IndexedService>) -> Option<Problem> {
        let missing = || match version {
            Some(version) => lacks(version, &self.wanted),
            None => lacks(&IndexedService::default(), &self.wanted),
        };
        self.problem.clone().or_else(missing)
    }
}

/// The channels of which a version has the services.
pub fn told(claims: &[Claim], version: &IndexedService) -> BTreeMap<String, IndexedChannel> {
    let told = claims
        .iter()
        .filter_map(|claim| Some((claim.name.clone(), claim.told.clone()?)));
    told.filter(|(_, channel)| lacks(version, channel).is_none())
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

/// Whether the files of a version define a service.
pub(super) fn has(version: &IndexedService, service: &str) -> bool {
    version.services().any(|found| found == service)
}

/// Why a version does not have what a channel calls, if it does not.
fn lacks(version: &IndexedService, channel: &IndexedChannel) -> Option<Problem> {
    if channel.kind != ChannelKind::DirectInvocation {
        let missing = || Problem::ServiceNotFound(channel.service.clone());
        return (!has(version, &channel.service)).then(missing);
    }
    version.invoked().next().is_none().then_some(Problem::NoService)
}

/// All channels of a cluster by their `ZatoService`, the oldest first: of two that want the same path and method, or the
/// same port, the older one has it.
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
                claim.problem = Some(taken_by(&other, address, &claim.wanted));
                let rival = format!("channel {} of ZatoService {}", channel.name, service.name);
                let claims = all.get_mut(&other.0).into_iter().flatten();
                if let Some(other) = claims.into_iter().find(|claim| claim.name == other.1) {
                    other.rivals.push(rival);
                }
            } else if let Some(why) = taken.misnamed(&claim.wanted) {
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

/// Why a channel does not get what another one has.
fn taken_by((owner, channel): &Place, (method, port): Address, wanted: &IndexedChannel) -> Problem {
    let (owner, channel) = (owner.clone(), channel.clone());
    if method == PORT {
        return Problem::PortTaken { port, channel, owner };
    }
    Problem::PathTaken {
        method,
        path: wanted.url_path.clone(),
        channel,
        owner,
    }
}

/// Method, and path without the names of its parameters; or [`PORT`], and its number.
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
    /// What stays as it is because a change of it is not deployed is its owner's.
    fn of(deployed: &Index) -> Self {
        let mut taken = Self {
            places: BTreeMap::new(),
            paths: BTreeMap::new(),
            users: BTreeMap::new(),
            securities: BTreeMap::new(),
        };
        for (owner, version) in &deployed.services {
            for (name, channel) in &version.channels {
                if version.refused.is_some() || version.failed.is_some() {
                    let place = (owner.clone(), name.clone());
                    let own = addresses(channel, owner);
                    taken.places.extend(own.map(|address| (address, place.clone())));
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
        let mut found = all_addresses(claim, place)
            .filter_map(|address| Some((address.clone(), self.places.get(&address)?.clone())));
        found.find(|(_, other)| other != place)
    }

    /// One path under two spellings would be two in a document.
    fn misnamed(&self, channel: &IndexedChannel) -> Option<String> {
        let path = Some(&channel.url_path).filter(|_| channel.kind == ChannelKind::Rest)?;
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
        let path = &claim.wanted.url_path;
        self.paths
            .entry(without_names(path))
            .or_insert_with(|| path.clone());
        let all = all_addresses(claim, place);
        self.places.extend(all.map(|address| (address, place.clone())));
    }
}

/// What it wants, and what the servers keep meanwhile.
fn all_addresses<'a>(claim: &'a Claim, (owner, _): &'a Place) -> impl Iterator<Item = Address> + 'a {
    let all = std::iter::once(&claim.wanted).chain(&claim.told);
    all.flat_map(|channel| addresses(channel, owner))
}

fn addresses(channel: &IndexedChannel, owner: &str) -> impl Iterator<Item = Address> + use<> {
    let (path, mut methods) = (without_names(&channel.url_path), channel.methods.clone());
    let path = match channel.kind {
        ChannelKind::Rest => path,
        // A service is in one ZatoService only.
        ChannelKind::DirectInvocation => {
            methods.insert("any method of".into());
            format!("{path} for {owner}")
        }
        ChannelKind::WebSocket => {
            methods.insert(PORT.into());
            channel.web_socket.unwrap_or_default().port.to_string()
        }
    };
    methods.into_iter().map(move |method| (method, path.clone()))
}

fn claim(channel: &Channel, service: &Sourced, before: Option<&IndexedService>, taken: &mut Taken) -> Claim {
    let (wanted, security) = wanted(channel);
    let security = security
        .and_then(|security| secret::security(security, service))
        .and_then(|security| secret::one_of_its_name(security, &mut taken.users))
        .map(|security| security.map(|security| secret::unchanged(security, &taken.securities)));
    let (told, problem) = match security {
        Ok(security) => {
            let told = IndexedChannel {
                security,
                ..wanted.clone()
            };
            (Some(told), None)
        }
        Err(problem) => {
            let old = before.and_then(|before| before.channels.get(&channel.name));
            // One that is to be closed must not stay open.
            let is_closed = |old: &&IndexedChannel| old.security.is_some();
            // A deleted or damaged Secret must take no address away.
            (old.filter(is_closed).cloned(), Some(problem))
        }
    };
    Claim {
        name: channel.name.clone(),
        wanted,
        told,
        problem,
        rivals: vec![],
    }
}

/// What a spec wants, but for who may call, and what it says of that.
fn wanted(channel: &Channel) -> (IndexedChannel, Result<&Security, Problem>) {
    if let Some(web_socket) = &channel.web_socket {
        return web_socket::wanted(web_socket);
    }
    match (&channel.rest, &channel.direct_invocation) {
        (Some(rest), _) => (of_rest(rest), Ok(&rest.security)),
        (None, Some(direct)) => (of_direct_invocation(direct), Ok(&direct.security)),
        (None, None) => {
            let unknown = Problem::Invalid("it says no address that this operator knows".into());
            (IndexedChannel::default(), Err(unknown))
        }
    }
}

fn of_rest(rest: &RestChannel) -> IndexedChannel {
    let methods = rest.methods.iter().map(|method| name(*method).to_owned());
    IndexedChannel {
        service: rest.service.clone(),
        url_path: rest.url_path.clone(),
        methods: methods.collect(),
        rate_limit: rest.rate_limit.map(definition).unwrap_or_default(),
        ..IndexedChannel::default()
    }
}

fn of_direct_invocation(direct: &DirectInvocation) -> IndexedChannel {
    IndexedChannel {
        kind: ChannelKind::DirectInvocation,
        url_path: INVOKE_PATH.into(),
        rate_limit: direct.rate_limit.map(definition).unwrap_or_default(),
        ..IndexedChannel::default()
    }
}

/// A method as it stands in a request.
pub fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

/// A limit as Zato reads it.
fn definition(limit: RateLimit) -> String {
    let unit = match limit.per {
        TimeUnit::Minute => "m",
        TimeUnit::Hour => "h",
        TimeUnit::Day => "d",
    };
    format!("*={}/{unit}", limit.requests)
}

#[cfg(test)]
mod tests;
