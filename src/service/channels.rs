//! Pure: the channels of services: what is wrong with each, and what servers are told of them.

pub mod secret;
mod taken;
mod wanted;
mod web_socket;

use std::collections::BTreeMap;

use super::source::Sourced;
use crate::api::channels::Channel;
use crate::api::conditions::Reason;
use crate::exchange::{ChannelKind, Index, IndexedChannel, IndexedService, Report};
use taken::{Taken, taken_by};
use wanted::wanted;

/// Why a channel is not as its spec says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The files define no such service.
    #[error(
        "service {0} is in no file of this ZatoService: correct the name, or add the service, with `name = '{0}'` in its class"
    )]
    ServiceNotFound(String),
    /// The files name no service that could be invoked.
    #[error(
        "the files name no service that can be called by its name: one must stand in the source, of letters, digits, `_` and `-`, with single dots between"
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
    let missing = |name: &String| Problem::ServiceNotFound(name.clone());
    match channel.kind {
        // One of a newer operator has what that one found.
        ChannelKind::Unknown => None,
        ChannelKind::Rest | ChannelKind::WebSocket => {
            (!has(version, &channel.service)).then(|| missing(&channel.service))
        }
        ChannelKind::Soap => {
            let is_empty = version.services().next().is_none();
            let mut named = channel.services.iter();
            let other = named.find(|name| !has(version, name)).map(missing);
            other.or_else(|| is_empty.then_some(Problem::NoService))
        }
        ChannelKind::DirectInvocation => version.invoked().next().is_none().then_some(Problem::NoService),
    }
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

/// A server that starts opens its ports before anybody can look whether they are as they should be.
const WEB_SOCKETS: &str =
    "WebSocket channels are for Quickstart clusters only, so far: take another kind of channel";

fn claim(channel: &Channel, service: &Sourced, before: Option<&IndexedService>, taken: &mut Taken) -> Claim {
    let (wanted, security) = wanted(channel);
    let elsewhere = || Problem::Invalid(WEB_SOCKETS.into());
    let is_out_of_place = service.is_distributed && wanted.kind == ChannelKind::WebSocket;
    let security = security
        .and_then(|security| (!is_out_of_place).then_some(security).ok_or_else(elsewhere))
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
            // A deleted or damaged Secret must take no address away, nor its user name.
            let kept = old.filter(is_closed);
            if let Some(security) = kept.and_then(|kept| kept.security.as_ref()) {
                taken.keep(security);
            }
            (kept.cloned(), Some(problem))
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

#[cfg(test)]
mod tests;
