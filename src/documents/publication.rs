//! Pure: the versions of a document: which one comes next, which stay, and what is told of them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ApiResource;

use super::{Wsdl, bounded};
use crate::api::PublishedDocument;
use crate::api::conditions::Reason;
use crate::exchange::short_hash;
use crate::k8s::labels;
use crate::openapi::document::{Settings, document};
use crate::openapi::model::Api;
use crate::reconcile::kind::{Manifest, Stage};

/// The key of the document in its ConfigMap.
pub const KEY: &str = "openapi.json";
/// The key of the WSDL beside it, if there is a channel for SOAP.
pub const WSDL_KEY: &str = "services.wsdl";
/// How many versions of a document are kept.
pub const KEPT: usize = 10;
/// What fits into a ConfigMap, with room for its own fields.
const LIMIT: usize = 1_000_000;

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
        wsdl: Wsdl,
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
        let Wsdl { text: wsdl, problems } = wsdl;
        let whole = text(&settings) + wsdl.as_deref().unwrap_or_default();
        let hash = short_hash(whole.as_bytes());
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
    use super::super::tests::{ONE, TWO, api};
    use super::*;

    fn of(history: Vec<PublishedDocument>, text: &str) -> Publication {
        let name = |version| format!("s-openapi-{version}");
        Publication::of(
            history,
            &api(text),
            "http://demo.ns.svc:11223".into(),
            Wsdl::default(),
            name,
        )
    }

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
}
