//! Pure: who has which address, user name and port of a cluster.

use std::collections::BTreeMap;

use super::{Claim, Problem};
use crate::exchange::{ChannelKind, Index, IndexedChannel, IndexedSecurity, SecurityKind};
use crate::openapi::names::without_names;

/// What stands for the method where the address of a channel is a port.
const PORT: &str = "port";

/// Method, and path without the names of its parameters; or [`PORT`], and its number.
pub type Address = (String, String);
/// A `ZatoService` and a channel of it.
pub type Place = (String, String);

/// Who has what.
pub struct Taken {
    /// Addresses.
    places: BTreeMap<Address, Place>,
    /// Paths as they are written.
    paths: BTreeMap<String, String>,
    /// The Secret that each user name is of: Zato knows one password for it.
    pub(super) users: BTreeMap<String, String>,
    /// What servers were told last of each Secret.
    pub(super) securities: BTreeMap<(SecurityKind, String), IndexedSecurity>,
}

impl Taken {
    /// What stays as it is because a change of it is not deployed is its owner's.
    pub fn of(deployed: &Index) -> Self {
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

    /// What goes on meanwhile has its user name, whoever else wants it.
    pub fn keep(&mut self, security: &IndexedSecurity) {
        if !security.username.is_empty() {
            let users = self.users.entry(security.username.clone());
            users.or_insert_with(|| security.secret.clone());
        }
    }

    /// Another channel at an address of this one.
    pub fn other(&self, claim: &Claim, place: &Place) -> Option<(Address, Place)> {
        let mut found = all_addresses(claim, place)
            .filter_map(|address| Some((address.clone(), self.places.get(&address)?.clone())));
        found.find(|(_, other)| other != place)
    }

    /// One path under two spellings would be two in a document.
    pub fn misnamed(&self, channel: &IndexedChannel) -> Option<String> {
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

    /// It has its addresses from now on, also those that servers keep meanwhile.
    pub fn take(&mut self, claim: &Claim, place: &Place) {
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
        ChannelKind::Rest | ChannelKind::Soap | ChannelKind::Unknown => path,
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

/// Why a channel does not get what another one has.
pub fn taken_by((owner, channel): &Place, (method, port): Address, wanted: &IndexedChannel) -> Problem {
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
