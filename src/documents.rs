//! OpenAPI documents as the operator publishes them: what files say together, which version comes next, which versions
//! stay, and what a change breaks.
//!
//! Pure. Never decides when a document is published: that is when servers have the code that it describes.

mod publication;
mod wsdl;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::exchange::{ChannelKind, IndexedChannel, IndexedSecurity, SecurityKind};
use crate::openapi::breaking::breaking_changes;
use crate::openapi::model::{Access, Api, Channel};
use crate::openapi::project::Project;
use crate::openapi::read::{self, Selection};
use crate::openapi::select::Patterns;
use crate::openapi::{names, source};
pub use publication::{KEPT, KEY, Publication, WSDL_KEY};
pub use wsdl::Wsdl;

/// How many changes and warnings are told one by one.
const TOLD: usize = 5;

/// Reads files, by their names. What is not valid Python is refused elsewhere.
pub fn project<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Project {
    let module = |(file, text): (&str, &str)| source::read(file, &names::module(Path::new(file)), text).ok();
    Project::new(files.into_iter().filter_map(module).collect())
}

/// The services of some of the files. None: of all of them.
pub fn services(project: &Project, files: Option<BTreeSet<String>>, tags: &[String]) -> Api {
    let selection = Selection {
        // One pattern that is always valid.
        include: Patterns::new(["*"]).unwrap_or_default(),
        files,
        tags: tags.to_vec(),
        ..Selection::default()
    };
    read::api(project, &selection)
}

/// What callers of `before` lose with `after`, one sentence for each change.
pub fn breaks(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let api = |files: &BTreeMap<String, String>| {
        let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        services(&project(files), None, &[])
    };
    told(&api(before), &api(after))
}

/// What callers of channels lose with other ones.
pub fn channel_breaks(before: &Channels, after: &Channels) -> Vec<String> {
    // Which services are invoked directly is no matter of channels.
    let api = |indexed: &Channels| Api {
        channels: channels(indexed, [""]),
        web_sockets: web_sockets(indexed),
        ..Api::default()
    };
    told(&api(before), &api(after))
}

/// Channels of the index, by name.
pub type Channels = BTreeMap<String, IndexedChannel>;

/// Channels over HTTP as documents have them. `services`: those that are invoked directly.
pub fn channels<'a>(indexed: &Channels, services: impl IntoIterator<Item = &'a str> + Clone) -> Vec<Channel> {
    let mut channels = vec![];
    for indexed in indexed.values() {
        let one = channel(indexed);
        match indexed.kind {
            ChannelKind::Rest => channels.push(one),
            ChannelKind::Soap => channels.extend(indexed.services.iter().map(|service| Channel {
                service: service.clone(),
                ..one.clone()
            })),
            ChannelKind::DirectInvocation => {
                channels.extend(services.clone().into_iter().map(|service| one.invoking(service)));
            }
            ChannelKind::WebSocket | ChannelKind::Unknown => {}
        }
    }
    channels
}

/// Where WebSocket clients connect, in the shape of other channels: the port is a part of the path.
pub fn web_sockets(indexed: &Channels) -> Vec<Channel> {
    let web_socket = |indexed: &IndexedChannel| {
        let port = indexed.web_socket?.port;
        Some(Channel {
            path: format!(":{port}{}", indexed.url_path),
            methods: ["WebSocket".to_owned()].into(),
            ..channel(indexed)
        })
    };
    indexed.values().filter_map(web_socket).collect()
}

fn channel(indexed: &IndexedChannel) -> Channel {
    let access = |security: &IndexedSecurity| match security.kind {
        SecurityKind::BasicAuth => Access::BasicAuth,
        SecurityKind::ApiKey => Access::ApiKey,
    };
    Channel {
        service: indexed.service.clone(),
        path: indexed.url_path.clone(),
        methods: indexed.methods.clone(),
        access: indexed.security.as_ref().map(access),
        is_limited: !indexed.rate_limit.is_empty(),
        is_soap: indexed.kind == ChannelKind::Soap,
    }
}

fn told(before: &Api, after: &Api) -> Vec<String> {
    bounded(
        breaking_changes(before, after)
            .iter()
            .map(ToString::to_string)
            .collect(),
    )
}

/// The first ones, and how many more there are.
fn bounded(mut told: Vec<String>) -> Vec<String> {
    let more = told.len().saturating_sub(TOLD);
    told.truncate(TOLD);
    for sentence in &mut told {
        if sentence.chars().count() > 200 {
            *sentence = sentence.chars().take(197).chain("...".chars()).collect();
        }
    }
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::IndexedWebSocket;
    use crate::openapi::document::{Settings, document};

    pub(super) fn api(text: &str) -> Api {
        services(&project([("a.py", text)]), None, &["public".into()])
    }

    pub(super) const ONE: &str =
        "from zato.server.service import Service\n\nclass A(Service):\n    name = 'a.one'\n    input = 'x'\n";
    pub(super) const TWO: &str = "from zato.server.service import Service\n\nclass A(Service):\n    name = 'a.one'\n    input = 'x', 'y'\n";

    /// Who may call, by the kind of what callers send.
    #[test]
    fn channels_of_the_index_are_channels_of_documents() {
        let with = |kind: Option<SecurityKind>| IndexedChannel {
            url_path: "/a".into(),
            methods: ["GET".to_owned()].into(),
            security: kind.map(|kind| IndexedSecurity {
                kind,
                ..IndexedSecurity::default()
            }),
            ..IndexedChannel::default()
        };
        let of = |kind| Channels::from([("c".to_owned(), with(kind))]);
        let access = |kind| channels(&of(kind), ["s"])[0].access;
        assert_eq!(access(None), None);
        assert_eq!(access(Some(SecurityKind::BasicAuth)), Some(Access::BasicAuth));
        assert_eq!(access(Some(SecurityKind::ApiKey)), Some(Access::ApiKey));
        assert_eq!(
            channel_breaks(&of(None), &of(Some(SecurityKind::ApiKey))),
            ["GET /a: SecurityTightened: anybody -> ApiKey"]
        );
    }

    /// What a caller of SOAP loses: a service of the channel, the channel, or the way in.
    #[test]
    fn channels_for_soap_in_changes_and_in_documents() {
        let with = |path: &str, services: &[&str], kind: Option<SecurityKind>| {
            let channel = IndexedChannel {
                kind: ChannelKind::Soap,
                services: services.iter().map(ToString::to_string).collect(),
                url_path: path.into(),
                methods: ["POST".to_owned()].into(),
                security: kind.map(|kind| IndexedSecurity {
                    kind,
                    ..IndexedSecurity::default()
                }),
                ..IndexedChannel::default()
            };
            Channels::from([("c".to_owned(), channel)])
        };
        let both = with("/s", &["a.one", "a.two"], None);
        let lost = |service: &str| format!("POST /s: OperationRemoved: service {service} -> none");
        let all = vec![lost("a.one"), lost("a.two")];
        assert_eq!(
            channel_breaks(&with("/s", &["a.one"], None), &both),
            Vec::<String>::new()
        );
        assert_eq!(
            channel_breaks(&both, &with("/s", &["a.one"], None)),
            [lost("a.two")]
        );
        assert_eq!(channel_breaks(&both, &with("/t", &["a.one", "a.two"], None)), all);
        assert_eq!(channel_breaks(&both, &Channels::new()), all);
        assert_eq!(
            channel_breaks(
                &both,
                &with("/s", &["a.one", "a.two"], Some(SecurityKind::BasicAuth))
            ),
            ["POST /s: SecurityTightened: anybody -> BasicAuth"]
        );
        let mut api = api(ONE);
        api.channels = channels(&both, []);
        let document = serde_json::to_value(document(&api, &Settings::default())).unwrap();
        assert_eq!(document["paths"].as_object().unwrap().len(), 1);
    }

    /// Zato's own user is shut out by such a channel, and let in again when it goes.
    #[test]
    fn direct_invocation_in_documents_and_in_changes() {
        let with = |security: Option<SecurityKind>| {
            let channel = IndexedChannel {
                kind: ChannelKind::DirectInvocation,
                security: security.map(|kind| IndexedSecurity {
                    kind,
                    ..IndexedSecurity::default()
                }),
                ..IndexedChannel::default()
            };
            Channels::from([("c".to_owned(), channel)])
        };
        let (none, open) = (Channels::new(), with(None));
        let (basic, key) = (
            with(Some(SecurityKind::BasicAuth)),
            with(Some(SecurityKind::ApiKey)),
        );
        let paths: Vec<_> = channels(&basic, ["a.one", "b c"])
            .into_iter()
            .map(|channel| (channel.service, channel.path))
            .collect();
        let owned = |service: &str, path: &str| (service.to_owned(), path.to_owned());
        let wanted = [
            owned("a.one", "/zato/api/invoke/a.one"),
            owned("b c", "/zato/api/invoke/b%20c"),
        ];
        assert_eq!(paths, wanted);
        let told = |before: &str, after: &str| {
            vec![format!(
                "direct invocation: SecurityTightened: {before} -> {after}"
            )]
        };
        assert_eq!(channel_breaks(&none, &basic), told("user pubapi", "BasicAuth"));
        assert_eq!(channel_breaks(&basic, &none), told("BasicAuth", "user pubapi"));
        assert_eq!(channel_breaks(&open, &key), told("anybody", "ApiKey"));
        assert_eq!(channel_breaks(&basic, &key), told("BasicAuth", "ApiKey"));
        for (before, after) in [(&none, &none), (&none, &open), (&key, &open), (&key, &key)] {
            assert_eq!(channel_breaks(before, after), Vec::<String>::new());
        }
    }

    /// Who connects can be broken as other callers can.
    #[test]
    fn web_sockets_in_changes() {
        let with = |port: u16, path: &str, service: &str, security: Option<SecurityKind>| {
            let channel = IndexedChannel {
                kind: ChannelKind::WebSocket,
                service: service.into(),
                url_path: path.into(),
                security: security.map(|kind| IndexedSecurity {
                    kind,
                    ..IndexedSecurity::default()
                }),
                web_socket: Some(IndexedWebSocket {
                    port,
                    ..IndexedWebSocket::default()
                }),
                ..IndexedChannel::default()
            };
            Channels::from([("c".to_owned(), channel)])
        };
        let basic = Some(SecurityKind::BasicAuth);
        let (open, closed) = (with(7000, "/w", "s", None), with(7000, "/w", "s", basic));
        assert_eq!(channels(&open, [""]), []);
        let gone = |service: &str| {
            vec![format!(
                "WebSocket :7000/w: OperationRemoved: service s -> {service}"
            )]
        };
        assert_eq!(channel_breaks(&open, &Channels::new()), gone("none"));
        assert_eq!(channel_breaks(&open, &with(7001, "/w", "s", None)), gone("none"));
        assert_eq!(channel_breaks(&open, &with(7000, "/x", "s", None)), gone("none"));
        assert_eq!(
            channel_breaks(&open, &with(7000, "/w", "t", None)),
            gone("service t")
        );
        let tightened = "WebSocket :7000/w: SecurityTightened: anybody -> BasicAuth";
        assert_eq!(channel_breaks(&open, &closed), [tightened]);
        assert_eq!(channel_breaks(&closed, &open), Vec::<String>::new());
    }

    #[test]
    fn broken_callers_are_told_with_both_sides_and_a_bound() {
        let files = |text: &str| BTreeMap::from([("a.py".to_owned(), text.to_owned())]);
        assert_eq!(breaks(&files(ONE), &files(ONE)), Vec::<String>::new());
        assert_eq!(
            breaks(&files(ONE), &files(TWO)),
            ["a.one: RequiredInputAdded: y: none -> required string"]
        );
        let many = |count: usize| {
            let inputs: String = (0..count).map(|n| format!("'y{n}', ")).collect();
            files(&TWO.replace("'y'", &inputs))
        };
        let told = breaks(&files(ONE), &many(30));
        assert_eq!((told.len(), told[TOLD].as_str()), (TOLD + 1, "and 25 more"));
        let long = files(&TWO.replace("'y'", &format!("'{}'", "y".repeat(300))));
        let told = breaks(&files(ONE), &long);
        assert!(
            told[0].chars().count() == 200 && told[0].ends_with("..."),
            "{told:?}"
        );
    }
}
