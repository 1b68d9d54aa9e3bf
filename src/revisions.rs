//! Revisions of a service's files that servers have had: kept, so that one can be put back.
//!
//! Pure. One ConfigMap for each, which never changes. Never keeps what no server has loaded.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ApiResource;

use crate::api::KeptRevision;
use crate::k8s::{labels, names};
use crate::reconcile::kind::{Manifest, Stage};

/// How many are kept, beside those that are in use.
pub const KEPT: usize = 5;
/// What fits into a ConfigMap, with room for its own fields.
const LIMIT: usize = 1_000_000;

/// The revisions of one service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Those that stay, the newest first.
    pub kept: Vec<KeptRevision>,
    /// Those that are too old to stay. What this does not name is never deleted: a newer one may not be known yet.
    pub dropped: Vec<KeptRevision>,
    /// The one that is kept from now on, and its files.
    pub new: Option<(KeptRevision, BTreeMap<String, String>)>,
    /// Whether the files that servers have are too large to be kept.
    pub is_too_large: bool,
}

impl History {
    /// What is there, the oldest first, and `loaded`, if every server has it now, which is `commit`. Those `in_use` stay, however old.
    pub fn of<'a>(
        service: &str,
        mut found: Vec<KeptRevision>,
        loaded: Option<(&str, impl Iterator<Item = (&'a str, &'a str)>)>,
        commit: Option<&str>,
        in_use: &[&str],
    ) -> Self {
        found.reverse();
        let mut history = Self::default();
        for (place, one) in found.into_iter().enumerate() {
            if place < KEPT || in_use.contains(&one.revision.as_str()) {
                history.kept.push(one);
            } else {
                history.dropped.push(one);
            }
        }
        let Some((revision, files)) = loaded else {
            return history;
        };
        if history.kept.iter().any(|kept| kept.revision == revision) {
            return history;
        }
        let files: BTreeMap<String, String> = files
            .map(|(file, text)| (file.to_owned(), text.to_owned()))
            .collect();
        let bytes: usize = files.iter().map(|(file, text)| file.len() + text.len()).sum();
        history.is_too_large = bytes > LIMIT;
        if !history.is_too_large {
            let made = KeptRevision {
                revision: revision.to_owned(),
                config_map: names::revision(service, revision),
                commit: commit.map(ToOwned::to_owned),
                kept: None,
            };
            history.new = Some((made, files));
        }
        history
    }

    /// All of them, the newest first.
    pub fn all(&self) -> Vec<KeptRevision> {
        let new = self.new.iter().map(|(made, _)| made);
        new.chain(&self.kept).cloned().collect()
    }

    /// What goes, as children.
    pub fn dropped(&self) -> impl Iterator<Item = (ApiResource, String)> {
        let child = |gone: &KeptRevision| (ApiResource::erase::<ConfigMap>(&()), gone.config_map.clone());
        self.dropped.iter().map(child)
    }

    /// The new one, as a child.
    pub fn manifest(&self, cluster: &str) -> Option<Manifest> {
        let (made, files) = self.new.as_ref()?;
        let commit = made
            .commit
            .iter()
            .map(|commit| (labels::COMMIT.into(), commit.clone()));
        let annotations = commit.chain([(labels::REVISION_HASH.into(), made.revision.clone())]);
        let config_map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(made.config_map.clone()),
                labels: Some(labels::child(cluster, labels::REVISION)),
                annotations: Some(annotations.collect()),
                ..ObjectMeta::default()
            },
            data: Some(files.clone()),
            immutable: Some(true),
            ..ConfigMap::default()
        };
        Some(Manifest::owned(&config_map).at(Stage::Last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(revisions: &[&str]) -> Vec<KeptRevision> {
        let one = |revision: &&str| KeptRevision {
            revision: (*revision).into(),
            config_map: names::revision("s", revision),
            commit: None,
            kept: None,
        };
        revisions.iter().map(one).collect()
    }

    fn of(found: &[&str], loaded: Option<&str>, in_use: &[&str]) -> History {
        let files = [("a.py", "x = 1\n")];
        let loaded = loaded.map(|revision| (revision, files.into_iter()));
        History::of("s", kept(found), loaded, None, in_use)
    }

    fn names_of(all: &[KeptRevision]) -> Vec<&str> {
        all.iter().map(|one| one.revision.as_str()).collect()
    }

    #[test]
    fn what_servers_have_is_kept_once() {
        let history = of(&["1", "2"], Some("3"), &[]);
        assert_eq!(names_of(&history.all()), ["3", "2", "1"]);
        insta::assert_yaml_snapshot!(history.manifest("demo").unwrap().body);
        let again = of(&["1", "2", "3"], Some("2"), &[]);
        assert_eq!(
            (again.new.clone(), names_of(&again.all())),
            (None, vec!["3", "2", "1"])
        );
        assert_eq!(again.manifest("demo"), None);
        assert_eq!(of(&["1"], None, &[]).new, None);
    }

    #[test]
    fn old_ones_go_unless_they_are_in_use() {
        let history = of(&["1", "2", "3", "4", "5", "6", "7"], None, &["1"]);
        assert_eq!(names_of(&history.kept), ["7", "6", "5", "4", "3", "1"]);
        assert_eq!(names_of(&history.dropped), ["2"]);
        let gone: Vec<_> = history.dropped().map(|(_, name)| name).collect();
        assert_eq!(gone, ["s-revision-2"]);
    }

    #[test]
    fn what_does_not_fit_into_a_config_map_is_not_kept() {
        let long = "x".repeat(LIMIT);
        let files = [("a.py", long.as_str())];
        let history = History::of("s", vec![], Some(("1", files.into_iter())), None, &[]);
        assert_eq!((history.is_too_large, history.new), (true, None));
    }
}
