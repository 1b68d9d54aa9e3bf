//! OpenAPI documents as the operator publishes them: what files say together, which version comes next, which versions
//! stay, and what a change breaks.
//!
//! Pure. Never decides when a document is published: that is when servers have the code that it describes.

mod wsdl;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ApiResource;

use crate::api::PublishedDocument;
use crate::api::conditions::Reason;
use crate::exchange::{ChannelKind, IndexedChannel, IndexedSecurity, SecurityKind, short_hash};
use crate::k8s::labels;
use crate::openapi::breaking::breaking_changes;
use crate::openapi::document::{Settings, document};
use crate::openapi::model::{Access, Api, Channel};
use crate::openapi::project::Project;
use crate::openapi::read::{self, Selection};
use crate::openapi::select::Patterns;
use crate::openapi::{names, source};
use crate::reconcile::kind::{Manifest, Stage};
pub use wsdl::Wsdl;

/// The key of the document in its ConfigMap.
pub const KEY: &str = "openapi.json";
/// The key of the WSDL beside it, if there is a channel for SOAP.
pub const WSDL_KEY: &str = "services.wsdl";
/// How many versions of a document are kept.
pub const KEPT: usize = 10;
/// What fits into a ConfigMap, with room for its own fields.
const LIMIT: usize = 1_000_000;
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

/// Channels as documents have them: none of WebSockets. `services`: those that are invoked directly.
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
fn web_sockets(indexed: &Channels) -> Vec<Channel> {
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

/// The versions of one document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Publication {
    /// Those that stay as they are, the oldest first.
    pub kept: Vec<PublishedDocument>,
    /// Those that are too old to stay. What this does not name is never deleted: a newer one may not be known yet.
    pub dropped: Vec<PublishedDocument>,
    /// Whether servers do not have yet, or no more, what would be described: then nothing new is known.
    pub is_waiting: bool,
    /// The one that is made now, and its text.
    pub new: Option<(PublishedDocument, String)>,
    /// What the new one says to callers of SOAP.
    pub wsdl: Option<String>,
    /// Its bytes, if it has too many of them to be published.
    pub excess: Option<usize>,
    /// What could not be told from the source.
    pub warnings: Vec<String>,
}

impl Publication {
    /// What is there stays, and so does what was told of it.
    pub fn waiting(history: Vec<PublishedDocument>) -> Self {
        Self {
            kept: history,
            is_waiting: true,
            ..Self::default()
        }
    }

    /// What is there, and a new version if the services are described by another document than the newest one.
    pub fn of(
        mut history: Vec<PublishedDocument>,
        api: &Api,
        address: String,
        wsdl: Option<Wsdl>,
        name: impl Fn(i64) -> String,
    ) -> Self {
        if history.is_empty() && api.services.is_empty() {
            return Self::default();
        }
        let mut settings = Settings {
            revision: String::new(),
            servers: vec![address],
            ..Settings::default()
        };
        let text = |settings: &Settings| serde_json::to_string(&document(api, settings)).unwrap_or_default();
        let (wsdl, problems) = wsdl.map_or((None, vec![]), |wsdl| (Some(wsdl.text), wsdl.problems));
        let hash = short_hash(
            [text(&settings).as_str(), wsdl.as_deref().unwrap_or_default()]
                .concat()
                .as_bytes(),
        );
        let warnings = api.warnings.iter().map(ToString::to_string).chain(problems);
        let warnings = bounded(warnings.collect());
        let newest = history.last();
        if newest.is_some_and(|newest| newest.hash == hash) {
            let kept = history.split_off(history.len().saturating_sub(KEPT));
            return Self {
                kept,
                dropped: history,
                warnings,
                ..Self::default()
            };
        }
        let version = newest.map_or(0, |newest| newest.version) + 1;
        settings.revision = version.to_string();
        let text = text(&settings);
        let bytes = text.len() + wsdl.as_ref().map_or(0, String::len);
        if bytes > LIMIT {
            return Self {
                kept: history,
                excess: Some(bytes),
                ..Self::default()
            };
        }
        let made = PublishedDocument {
            version,
            hash,
            config_map: name(version),
            published: None,
        };
        let kept = history.split_off((history.len() + 1).saturating_sub(KEPT));
        Self {
            kept,
            dropped: history,
            new: Some((made, text)),
            wsdl,
            warnings,
            ..Self::default()
        }
    }

    /// The newest version.
    pub fn newest(&self) -> Option<&PublishedDocument> {
        self.new.as_ref().map(|(made, _)| made).or(self.kept.last())
    }

    /// What goes, as children.
    pub fn dropped(&self) -> Vec<(ApiResource, String)> {
        let child =
            |gone: &PublishedDocument| (ApiResource::erase::<ConfigMap>(&()), gone.config_map.clone());
        self.dropped.iter().map(child).collect()
    }

    /// The new version, as a child.
    pub fn manifest(&self, cluster: &str) -> Option<Manifest> {
        let (made, text) = self.new.as_ref()?;
        let wsdl = self.wsdl.iter().map(|text| (WSDL_KEY.to_owned(), text.clone()));
        let data = wsdl.chain([(KEY.to_owned(), text.clone())]);
        let config_map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(made.config_map.clone()),
                labels: Some(labels::child(cluster, labels::OPENAPI)),
                annotations: Some(BTreeMap::from([
                    (labels::DOCUMENT_VERSION.into(), made.version.to_string()),
                    (labels::DOCUMENT_HASH.into(), made.hash.clone()),
                ])),
                ..ObjectMeta::default()
            },
            data: Some(data.collect()),
            // A version that another one could replace would be none.
            immutable: Some(true),
            ..ConfigMap::default()
        };
        // Last: whatever keeps it from being written, servers have their code before.
        Some(Manifest::owned(&config_map).at(Stage::Last))
    }

    /// What a condition says of it, if there is anything to say.
    pub fn told(&self) -> Option<(bool, Reason, String)> {
        if let Some(bytes) = self.excess {
            let message = format!(
                "the document has {bytes} bytes, and {LIMIT} fit: no newer version is published; divide the services"
            );
            return Some((false, Reason::DocumentTooLarge, message));
        }
        let newest = self.newest()?;
        let mut message = format!("version {} is in ConfigMap {}", newest.version, newest.config_map);
        if !self.warnings.is_empty() {
            message += "; what the source does not tell: ";
            message += &self.warnings.join("; ");
        }
        Some((true, Reason::Published, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::IndexedWebSocket;

    pub(super) fn api(text: &str) -> Api {
        services(&project([("a.py", text)]), None, &["public".into()])
    }

    fn of(history: Vec<PublishedDocument>, text: &str) -> Publication {
        let name = |version| format!("s-openapi-{version}");
        Publication::of(history, &api(text), "http://demo.ns.svc:11223".into(), None, name)
    }

    pub(super) const ONE: &str =
        "from zato.server.service import Service\n\nclass A(Service):\n    name = 'a.one'\n    input = 'x'\n";
    const TWO: &str = "from zato.server.service import Service\n\nclass A(Service):\n    name = 'a.one'\n    input = 'x', 'y'\n";

    /// A version only when the document differs, whatever else changed in the text.
    #[test]
    fn versions_follow_documents() {
        let first = of(vec![], ONE);
        let (made, text) = first.new.clone().unwrap();
        assert_eq!((made.version, made.config_map.as_str()), (1, "s-openapi-1"));
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["info"]["version"], "1");
        assert_eq!(document["servers"][0]["url"], "http://demo.ns.svc:11223");
        assert!(document["paths"]["/zato/api/invoke/a.one"].is_object());
        let same = of(vec![made.clone()], &format!("{ONE}\n# a comment\n"));
        assert_eq!(
            (same.new.as_ref(), same.kept.as_slice()),
            (None, [made.clone()].as_slice())
        );
        let second = of(vec![made.clone()], TWO);
        assert_eq!(second.newest().unwrap().version, 2);
        assert_eq!(second.kept, [made]);
    }

    #[test]
    fn a_version_is_a_config_map_that_never_changes() {
        let mut first = of(vec![], ONE);
        first.new.as_mut().unwrap().1 = "the document".into();
        insta::assert_yaml_snapshot!(first.manifest("demo").unwrap().body);
        assert_eq!(first.told().unwrap().2, "version 1 is in ConfigMap s-openapi-1");
        let kept = of(vec![first.new.unwrap().0], ONE);
        assert_eq!(kept.manifest("demo").map(|manifest| manifest.name), None);
        assert_eq!((kept.kept[0].version, kept.dropped()), (1, vec![]));
    }

    #[test]
    fn the_ten_newest_versions_stay() {
        let history: Vec<_> = (1..=12)
            .map(|version| PublishedDocument {
                version,
                hash: "other".into(),
                config_map: format!("s-openapi-{version}"),
                published: None,
            })
            .collect();
        let next = of(history.clone(), ONE);
        let kept: Vec<_> = next.kept.iter().map(|kept| kept.version).collect();
        assert_eq!((kept, next.newest().unwrap().version), ((4..=12).collect(), 13));
        let dropped: Vec<_> = next.dropped().into_iter().map(|(_, name)| name).collect();
        assert_eq!(dropped, ["s-openapi-1", "s-openapi-2", "s-openapi-3"]);
        let hash = next.newest().unwrap().hash.clone();
        let mut current = history;
        current[11].hash = hash;
        let same = of(current, ONE);
        assert_eq!((same.kept.len(), same.kept[0].version, same.new), (KEPT, 3, None));
    }

    #[test]
    fn nothing_is_published_of_nothing_and_what_was_there_is_known_to_be_gone() {
        assert_eq!(of(vec![], "x = 1\n"), Publication::default());
        assert_eq!(Publication::default().told(), None);
        let before = of(vec![], ONE).new.unwrap().0;
        assert_eq!(of(vec![before], "x = 1\n").newest().unwrap().version, 2);
    }

    #[test]
    fn a_document_that_does_not_fit_is_told() {
        let services: String = (0..4000)
            .map(|n| format!("class A{n}(Service):\n    name = 'a.s{n}'\n    input = 'x'\n"))
            .collect();
        let text = format!("from zato.server.service import Service\n{services}");
        let large = of(vec![], &text);
        assert!(large.new.is_none() && large.newest().is_none());
        let (published, reason, message) = large.told().unwrap();
        assert_eq!((published, reason), (false, Reason::DocumentTooLarge));
        assert!(message.contains("1000000 fit"), "{message}");
    }

    #[test]
    fn what_the_source_does_not_tell_is_told() {
        let unnamed = of(
            vec![],
            "from zato.server.service import Service\n\nclass A(Service):\n    input = 'x'\n",
        );
        assert_eq!(
            unnamed.told().unwrap().2,
            "version 1 is in ConfigMap s-openapi-1; what the source does not tell: a.py:3: A has no name: Zato makes one from the path of the file, here a.a"
        );
    }

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

    /// Documents have none; who connects can be broken all the same.
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
