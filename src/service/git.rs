//! A service whose code is in git: whom to ask for it, and what stands for the answer while there is none.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Span, Timestamp};
use kube::{Api, ResourceExt};

use super::check::texts;
use super::refusal::Refusal;
use super::source::Files;
use crate::api::ZatoService;
use crate::api::conditions::Reason;
use crate::api::git::{FetchedSource, GitSource};
use crate::exchange::revision;
use crate::git::memory::{Answer, Fetched, Place, Wisher};
use crate::git::{Origin, Trouble, host};
use crate::k8s::names;
use crate::reconcile::Error;
use crate::reconcile::engine::Context;

/// The key of a CA.
const AUTHORITY: &str = "ca.crt";
/// Its bytes: they are in memory as long as somebody wants the repository.
const AUTHORITY_LIMIT: usize = 64 << 10;

/// Which git servers the operator may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// None.
    Nobody,
    /// All of them.
    Everybody,
    /// Hosts, without ports; `*.example.com` is each one below example.com.
    Hosts(Vec<String>),
}

impl Allowed {
    /// By the settings: no host at all means that each one may be asked.
    pub fn of(is_enabled: bool, mut hosts: Vec<String>) -> Self {
        hosts.retain(|host| !host.is_empty());
        match (is_enabled, hosts.is_empty()) {
            (false, _) => Self::Nobody,
            (true, true) => Self::Everybody,
            (true, false) => Self::Hosts(hosts),
        }
    }
}

/// What is told of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The commit that the files are of, if there are some.
    pub source: Option<FetchedSource>,
    /// Why it is not the newest one, or is none.
    pub trouble: Option<Trouble>,
    /// Whether the server was asked since the operator started.
    pub is_asked: bool,
}

/// What a spec says of git, unless it wants an older revision.
pub fn wanted(service: &ZatoService) -> Option<&GitSource> {
    let is_rolled_back = service.spec.rollback_to.is_some();
    service.spec.source.git.as_ref().filter(|_| !is_rolled_back)
}

/// The files of a service, and what is told of them.
pub async fn files(
    service: &ZatoService,
    spec: &GitSource,
    context: &Context,
) -> Result<(Files, Told), Error> {
    let wisher: Wisher = (service.namespace().unwrap_or_default(), service.name_any());
    let place = place(spec);
    let origin = origin(&wisher.0, spec, context).await?;
    let git = &context.stores.git;
    let recalled = if git.knows(&wisher, &place) {
        None
    } else {
        recalled(service, &place, context).await?
    };
    let answer = git.ask(&wisher, &place, origin, interval(&spec.interval), recalled);
    Ok(told(&place, &answer))
}

fn place(spec: &GitSource) -> Place {
    Place {
        url: spec.url.clone(),
        reference: spec.reference.clone(),
        path: spec.path.clone().unwrap_or_default(),
    }
}

/// What an answer means for a service.
fn told(place: &Place, answer: &Answer) -> (Files, Told) {
    let Some(last) = &answer.last else {
        let refusal = match &answer.trouble {
            Some(trouble) => Refusal::GitUnfetched(trouble.clone()),
            None => Refusal::GitPending,
        };
        let told = Told {
            source: None,
            trouble: answer.trouble.clone(),
            is_asked: answer.is_asked,
        };
        return (Err(refusal), told);
    };
    let source = FetchedSource {
        url: place.url.clone(),
        reference: place.reference.clone(),
        path: Some(place.path.clone()).filter(|path| !path.is_empty()),
        commit: last.commit.clone(),
        // Told with the status, which knows it.
        revision: None,
        fetched: last.at.map(Time),
    };
    let told = Told {
        source: last.files.is_ok().then_some(source),
        trouble: last.files.as_ref().err().or(answer.trouble.as_ref()).cloned(),
        is_asked: answer.is_asked,
    };
    let files = last.files.as_ref().map(|files| (**files).clone());
    (files.map_err(|trouble| Refusal::Git(trouble.clone())), told)
}

/// Whom to ask, or why nobody can be.
async fn origin(
    namespace: &str,
    spec: &GitSource,
    context: &Context,
) -> Result<Result<Origin, Trouble>, Error> {
    if let Err(trouble) = allowed(&context.settings.git, &spec.url) {
        return Ok(Err(trouble));
    }
    let mut origin = Origin {
        url: spec.url.clone(),
        reference: spec.reference.clone(),
        login: None,
        authority: None,
    };
    if let Some(reference) = &spec.secret_ref {
        let name = &reference.name;
        let secret = context
            .references
            .git_secret(&context.client, namespace, name)
            .await?;
        let missing = || {
            let message = format!("Secret {name} of spec.source.git.secretRef does not exist: create it");
            Trouble::new(Reason::SecretNotFound, message)
        };
        match secret
            .ok_or_else(missing)
            .and_then(|secret| secret.login(name, &spec.url))
        {
            Ok(login) => origin.login = Some(login),
            Err(trouble) => return Ok(Err(trouble)),
        }
    }
    if let Some(reference) = &spec.ca_config_map_ref {
        let name = &reference.name;
        let content = context
            .references
            .config_map(&context.client, namespace, name)
            .await?;
        let text = content.as_ref().and_then(|content| content.texts.get(AUTHORITY));
        match authority(name, text.map(String::as_str)) {
            Ok(text) => origin.authority = Some(text.into()),
            Err(trouble) => return Ok(Err(trouble)),
        }
    }
    Ok(Ok(origin))
}

/// The CA that a ConfigMap has.
fn authority<'a>(name: &str, text: Option<&'a str>) -> Result<&'a str, Trouble> {
    let (reason, why) = match text {
        None => (
            Reason::ConfigMapNotFound,
            format!("does not exist, or has no key {AUTHORITY}: create it"),
        ),
        Some(text) if text.len() > AUTHORITY_LIMIT => (
            Reason::GitSourceInvalid,
            format!("has more than 65536 bytes in {AUTHORITY}: leave only the CA of the git server"),
        ),
        Some(text) => return Ok(text),
    };
    let message = format!("ConfigMap {name} of spec.source.git.caConfigMapRef {why}");
    Err(Trouble::new(reason, message))
}

/// Whether the operator may ask the server of an address.
fn allowed(allowed: &Allowed, url: &str) -> Result<(), Trouble> {
    let host = host(url).split(':').next().unwrap_or_default();
    let is_one = |pattern: &String| match pattern.strip_prefix('*') {
        Some(end) => end.starts_with('.') && host.ends_with(end) && host.len() > end.len(),
        None => pattern == host,
    };
    let why = match allowed {
        Allowed::Everybody => return Ok(()),
        Allowed::Hosts(hosts) if hosts.iter().any(is_one) => return Ok(()),
        Allowed::Hosts(_) => "may not ask it: who installed the operator allows it with git.allowedHosts",
        Allowed::Nobody => "asks no git server: who installed the operator allows it with git.enabled",
    };
    let message = format!("git server {host}: this operator {why}");
    Err(Trouble::new(Reason::GitNotAllowed, message))
}

/// How often to ask.
fn interval(text: &str) -> Duration {
    let span = text.parse::<Span>().ok();
    let found = span.and_then(|span| SignedDuration::try_from(span).ok());
    // The schema has the limits; one of before may not.
    let found = found.and_then(|found| Duration::try_from(found).ok());
    found
        .unwrap_or(Duration::from_mins(1))
        .max(Duration::from_secs(10))
}

/// What is deployed, when it is surely the commit that the status names: an operator that starts needs no server to go on.
async fn recalled(service: &ZatoService, place: &Place, context: &Context) -> Result<Option<Fetched>, Error> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let Some((commit, at, wanted)) = pinned(service, place) else {
        return Ok(None);
    };
    let index = context
        .stores
        .index(&namespace, &names::agent(&service.spec.cluster_ref.name));
    let deployed = index.and_then(|mut index| index.services.remove(&name));
    // What was refused or put back says nothing of the commit that was fetched last.
    let deployed = deployed.filter(|it| it.revision == wanted && it.failed.is_none() && it.refused.is_none());
    let Some(deployed) = deployed else { return Ok(None) };
    let shards = Api::<ConfigMap>::namespaced(context.client.clone(), &namespace);
    let mut texts_of: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    let mut files = BTreeMap::new();
    for (file, entry) in &deployed.files {
        if !texts_of.contains_key(entry.shard.as_str()) {
            let shard = shards.get_opt(&entry.shard).await?.and_then(|shard| shard.data);
            texts_of.insert(&entry.shard, shard.unwrap_or_default());
        }
        let text = texts_of
            .get_mut(entry.shard.as_str())
            .and_then(|texts| texts.remove(file));
        let Some(text) = text else { return Ok(None) };
        files.insert(file.clone(), text);
    }
    let is_it = revision(texts(&files)) == wanted;
    Ok(is_it.then_some(Fetched {
        commit,
        at,
        files: Ok(files.into()),
    }))
}

/// The commit of the status, when it was fetched, and the revision that it is. `status.revision` may be that of a later one.
fn pinned(service: &ZatoService, place: &Place) -> Option<(String, Option<Timestamp>, String)> {
    let source = service.status.as_ref()?.source.as_ref()?;
    let is_it = source.url == place.url
        && source.reference == place.reference
        && source.path.clone().unwrap_or_default() == place.path;
    let at = source.fetched.as_ref().map(|time| time.0);
    is_it.then_some((source.commit.clone(), at, source.revision.clone()?))
}

#[cfg(test)]
mod tests;
