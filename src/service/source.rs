//! The files of a service, wherever they come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ApiResource;

use super::channels::secret::{self, CallerSecret};
use super::check::texts;
use super::git::{self, Told};
use super::refusal::Refusal;
use crate::api::channels::Channel;
use crate::api::jobs::Job;
use crate::api::topology::Topology;
use crate::api::{OpenApi, ZatoService};
use crate::exchange::revision;
use crate::k8s::names;
use crate::python::modules::wrong;
use crate::reconcile::Error;
use crate::reconcile::child;
use crate::reconcile::engine::Context;

/// A service with its files.
#[derive(Clone, Debug)]
pub struct Sourced {
    /// The service's name.
    pub name: String,
    /// Texts by file name, or why there are none.
    pub files: Files,
    /// What is told of git, if they come from there.
    pub git: Option<Told>,
    /// What its spec says of documents and changes.
    pub openapi: OpenApi,
    /// Services that must be there.
    pub expected: Vec<String>,
    /// Its channels.
    pub channels: Vec<Channel>,
    /// Its jobs.
    pub jobs: Vec<Job>,
    /// When all this was read.
    pub read: Timestamp,
    /// The Secrets that channels name; none: it does not exist.
    pub secrets: BTreeMap<String, Option<Arc<CallerSecret>>>,
    /// Whether its cluster has several servers.
    pub is_distributed: bool,
}

/// Reads the files of services. ConfigMaps are read once for each change of them.
pub async fn read(services: &[ZatoService], context: &Context) -> Result<Vec<Sourced>, Error> {
    let mut sourced = Vec::with_capacity(services.len());
    for service in services {
        let (files, git) = match git::wanted(service) {
            Some(spec) => {
                let (files, told) = git::files(service, spec, context).await?;
                (files, Some(told))
            }
            None => (files(service, context).await?, None),
        };
        sourced.push(Sourced {
            name: service.name_any(),
            files,
            git,
            openapi: service.spec.openapi.clone(),
            expected: service.spec.expected_services.clone(),
            channels: service.spec.channels.clone(),
            jobs: service.spec.jobs.clone(),
            read: Timestamp::now(),
            secrets: secrets(service, context).await?,
            is_distributed: is_distributed(service, context),
        });
    }
    Ok(sourced)
}

fn is_distributed(service: &ZatoService, context: &Context) -> bool {
    let namespace = service.namespace().unwrap_or_default();
    let cluster = context.stores.cluster(&namespace, &service.spec.cluster_ref.name);
    cluster.is_some_and(|cluster| cluster.spec.topology == Topology::Distributed)
}

async fn secrets(
    service: &ZatoService,
    context: &Context,
) -> Result<BTreeMap<String, Option<Arc<CallerSecret>>>, Error> {
    let namespace = service.namespace().unwrap_or_default();
    let mut found = BTreeMap::new();
    for name in secret::secrets(service) {
        let secret = context
            .references
            .secret(&context.client, &namespace, name)
            .await?;
        found.insert(name.to_owned(), secret);
    }
    Ok(found)
}

/// Files by name, or why there are none.
pub type Files = Result<BTreeMap<String, String>, Refusal>;

async fn files(service: &ZatoService, context: &Context) -> Result<Files, Error> {
    let namespace = service.namespace().unwrap_or_default();
    if let Some(revision) = &service.spec.rollback_to {
        let kept = kept(&namespace, &service.name_any(), revision, context).await?;
        return Ok(kept.ok_or_else(|| Refusal::RevisionNotKept(revision.clone())));
    }
    let source = &service.spec.source;
    if let Some(inline) = &source.inline {
        let file =
            |(name, text): (&String, &crate::api::zato_service::FileText)| (name.clone(), text.0.clone());
        return Ok(Ok(inline.iter().map(file).collect()));
    }
    let mut found = vec![];
    for reference in source.config_maps.iter().flatten() {
        let content = context
            .references
            .config_map(&context.client, &namespace, &reference.name)
            .await?;
        found.push((reference.name.clone(), content));
    }
    Ok(merge(&found))
}

/// The files of a revision that is kept; none: it is not.
pub async fn kept(
    namespace: &str,
    service: &str,
    wanted: &str,
    context: &Context,
) -> Result<Option<BTreeMap<String, String>>, Error> {
    let name = names::revision(service, wanted);
    if !is_kept(namespace, service, wanted, context) {
        return Ok(None);
    }
    let content = context
        .references
        .config_map(&context.client, namespace, &name)
        .await?;
    if content.is_none() {
        // No watch of what is read tells of ours.
        context.references.forget_config_map(namespace, &name);
    }
    let files = content.map(|content| content.texts.clone());
    // Somebody else may have made one of this name.
    Ok(files.filter(|files| revision(texts(files)) == wanted))
}

/// Whether a revision is kept, as far as the cache knows.
pub fn is_kept(namespace: &str, service: &str, revision: &str, context: &Context) -> bool {
    let resource = ApiResource::erase::<ConfigMap>(&());
    let child = context
        .stores
        .child(&resource, namespace, &names::revision(service, revision));
    child.is_some_and(|child| matches!(child.content, child::Content::Revision(_)) && !child.is_deleted)
}

/// What a ConfigMap holds: texts, and the names of what is no text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// `data`.
    pub texts: BTreeMap<String, String>,
    /// The keys of `binaryData`.
    pub binary: Vec<String>,
}

/// The files of several ConfigMaps; none: it does not exist.
fn merge(config_maps: &[(String, Option<Arc<Content>>)]) -> Files {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut files = BTreeMap::new();
    for (config_map, content) in config_maps {
        let content = content
            .as_ref()
            .ok_or_else(|| Refusal::ConfigMapNotFound(config_map.clone()))?;
        let refused = |key: &str, why| Refusal::Source {
            config_map: config_map.clone(),
            key: key.into(),
            why,
        };
        if let Some(key) = content.binary.first() {
            return Err(refused(key, "is no text in UTF-8: it stands in binaryData"));
        }
        if content.texts.is_empty() {
            return Err(Refusal::EmptyConfigMap(config_map.clone()));
        }
        for (key, text) in &content.texts {
            if let Some(why) = wrong(key) {
                return Err(refused(key, why));
            }
            if let Some(other) = owners.insert(key, config_map) {
                return Err(Refusal::KeyTwice {
                    config_map: config_map.clone(),
                    key: key.clone(),
                    other: other.into(),
                });
            }
            files.insert(key.clone(), text.clone());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn content(files: &[(&str, &str)]) -> Arc<Content> {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Arc::new(Content {
            texts: files.iter().map(owned).collect(),
            binary: vec![],
        })
    }

    #[test]
    fn files_of_several_config_maps_come_together() {
        let merged = merge(&[
            ("one".into(), Some(content(&[("a.py", "1")]))),
            ("two".into(), Some(content(&[("b.py", "2")]))),
        ]);
        assert_eq!(merged.unwrap().keys().collect::<Vec<_>>(), ["a.py", "b.py"]);
    }

    #[rstest]
    #[case(&[("one", None)], "ConfigMap one of spec.source does not exist: create it")]
    #[case(&[("one", Some(content(&[])))], "ConfigMap one of spec.source holds no file: add one")]
    #[case(&[("one", Some(content(&[("a.txt", "")])))], "ConfigMap one: a.txt is no Python module name")]
    #[case(&[("one", Some(content(&[("1a.py", "")])))], "ConfigMap one: 1a.py is no Python module name")]
    #[case(&[("one", Some(content(&[(".py", "")])))], "ConfigMap one: .py is no Python module name")]
    #[case(&[("one", Some(content(&[("a.py", "")]))), ("two", Some(content(&[("a.py", "")])))], "ConfigMap two: a.py is also a key of ConfigMap one")]
    fn what_is_wrong_is_told(#[case] config_maps: &[(&str, Option<Arc<Content>>)], #[case] wanted: &str) {
        let owned: Vec<_> = config_maps
            .iter()
            .map(|(name, content)| ((*name).to_owned(), content.clone()))
            .collect();
        let message = merge(&owned).unwrap_err().to_string();
        assert!(message.starts_with(wanted), "{message}");
    }

    #[test]
    fn what_is_no_text_is_no_file() {
        let binary = Content {
            texts: BTreeMap::new(),
            binary: vec!["a.py".into()],
        };
        assert!(matches!(
            merge(&[("one".into(), Some(Arc::new(binary)))]),
            Err(Refusal::Source { .. })
        ));
    }
}
