//! Pure: from spec and inputs to what will be done. After this step nothing can fail but the API server.

mod contents;
mod rollout;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::availability::Rules;
use super::credentials::Fingerprint;
use super::database::{self, Database};
use super::desired::network;
use super::inputs::{Component, Inputs, Previous};
use super::servers::{self, Server};
use super::settings;
use super::startup::{self, Startup};
use crate::api::ZatoCluster;
use crate::api::topology::Storage;
use crate::api::zato_cluster::{DeletionPolicy, ImagePullPolicy};
use crate::documents::{self, Publication, Wsdl};
use crate::exchange::{Index, LoadState, Report};
use crate::k8s::names;
use crate::openapi::model::Api;
use crate::reconcile::Error;
use crate::reconcile::child::Claim;
use crate::reconcile::error::Holder;
use crate::service::channels;
use crate::service::check::{Checked, checked};

use contents::{index, transition};
pub(super) use contents::{previous, text, with_belongings};

/// What will be done.
#[derive(Debug)]
pub struct Plan {
    /// The cluster's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The Zato image.
    pub image: String,
    /// When it is pulled.
    pub pull_policy: ImagePullPolicy,
    /// Secrets to pull it with.
    pub pull_secrets: Vec<String>,
    /// The agent's image.
    pub agent_image: String,
    /// The volume of the database, if that is SQLite.
    pub storage: Option<Storage>,
    /// The database of a Distributed cluster.
    pub database: Option<Database>,
    /// How many load balancers run.
    pub load_balancers: i32,
    /// Where servers and load balancers run, and how many may be evicted.
    pub availability: Rules,
    /// The components of a Distributed cluster beside its servers.
    pub components: BTreeMap<&'static str, Component>,
    /// Whether a scheduler runs.
    pub has_scheduler: bool,
    /// Whether a dashboard runs.
    pub has_dashboard: bool,
    /// Whether no pod may run.
    pub is_stopped: bool,
    /// What becomes of data and keys.
    pub deletion_policy: DeletionPolicy,
    /// Whether the credentials Secret is the operator's, and not a user's own.
    pub is_secret_labelled: bool,
    /// How many servers are wanted.
    pub replicas: usize,
    /// The servers that are wanted or there, in their order.
    pub servers: Vec<Server>,
    /// Why the API server refuses their pods, if it does.
    pub refusal: Option<String>,
    /// When a claim was made that is older than the cluster: its data are those of an earlier one.
    pub adopted: Option<Timestamp>,
    /// The fingerprint of the key.
    pub fingerprint: Fingerprint,
    /// What servers must have.
    pub index: Index,
    /// The contents of the shards: by shard and file name.
    pub shards: BTreeMap<String, Texts>,
    /// The same with what the index that is there names and this one does not: until the new index is there.
    pub transition: BTreeMap<String, Texts>,
    /// What was read of what servers were told last. Empty shards: nothing was read.
    pub read: Previous,
    /// Settings of users, as variables of the server.
    pub variables: BTreeMap<String, String>,
    /// Services, and the revision that each has now, if it is valid and not refused.
    pub revisions: BTreeMap<String, Option<String>>,
    /// The StatefulSet as it was when this began.
    pub stateful_set: Option<StatefulSet>,
    /// The OpenAPI documents of all services.
    pub documents: Publication,
    /// What runs while a server starts.
    pub startup: Option<Startup>,
    /// The ConfigMaps with callables that there are.
    pub startups: Vec<String>,
}

impl Plan {
    /// The ConfigMaps with callables that no pod needs any more: one of an older template may be mounted once more.
    pub fn dropped_startups(&self) -> impl Iterator<Item = &String> {
        let wanted = self
            .startup
            .as_ref()
            .map(|startup| names::startup(&self.name, &startup.hash()));
        let is_settled = self.replicas == 0 || self.is_current();
        let is_gone = move |name: &&String| is_settled && Some(*name) != wanted.as_ref();
        self.startups.iter().filter(is_gone)
    }
}

/// Plans one cluster.
pub fn plan(cluster: &ZatoCluster, inputs: Inputs) -> Result<Plan, Error> {
    let name = cluster.name_any();
    let image = image(cluster, &inputs)?;
    check_key(cluster, &inputs)?;
    let database = outside(cluster, &inputs)?;
    let refused = |(field, why): (String, &str)| Error::Invalid {
        field,
        why: why.into(),
    };
    let variables = settings::variables(&cluster.spec.config).map_err(refused)?;
    let startup = callables(cluster, &inputs)?;
    let services = checked(&inputs.services, &inputs.previous.index);
    let (mut index, shards) = index(&name, &services, &inputs);
    if database.is_some() {
        index.keeper = servers::keeper(&inputs.previous.index.keeper, &inputs.servers);
        index.servers = servers::members(cluster.spec.replicas(), &inputs.servers);
    }
    let revisions = services
        .iter()
        .map(|s| (s.name.clone(), wanted(s, &index)))
        .collect();
    Ok(Plan {
        documents: documents(cluster, &index, &shards, &inputs),
        image,
        pull_policy: cluster.spec.image_pull_policy,
        pull_secrets: cluster
            .spec
            .image_pull_secrets
            .iter()
            .map(|s| s.name.clone())
            .collect(),
        agent_image: inputs.settings.agent_image,
        storage: storage(cluster),
        database,
        load_balancers: cluster.spec.load_balancer.replicas,
        availability: Rules::of(&cluster.spec),
        components: inputs.components,
        has_scheduler: cluster.spec.scheduler.enabled,
        has_dashboard: cluster.spec.dashboard.enabled,
        is_stopped: cluster.spec.stopped,
        deletion_policy: cluster.spec.deletion_policy,
        is_secret_labelled: inputs.is_secret_labelled,
        replicas: cluster.spec.replicas(),
        servers: inputs.servers,
        refusal: inputs.refusal,
        adopted: adopted(cluster, inputs.claim.as_ref()),
        fingerprint: inputs.fingerprint,
        index,
        transition: transition(&shards, &inputs.previous),
        read: inputs.previous,
        shards,
        variables,
        startup,
        startups: inputs.startups,
        revisions,
        stateful_set: inputs.stateful_set,
        namespace: cluster.namespace().unwrap_or_default(),
        name,
    })
}

/// The volume of a cluster that keeps its data in a file.
fn storage(cluster: &ZatoCluster) -> Option<Storage> {
    let database = &cluster.spec.database;
    let is_file = database.postgresql.is_none();
    is_file.then(|| database.sqlite.clone().unwrap_or_default().storage)
}

/// The database of a cluster that has one of a server.
fn outside(cluster: &ZatoCluster, inputs: &Inputs) -> Result<Option<Database>, Error> {
    let Some(address) = &cluster.spec.database.postgresql else {
        return Ok(None);
    };
    let status = inputs.stateful_set.as_ref().and_then(|set| set.status.as_ref());
    let has_servers = status.is_some_and(|status| status.replicas > 0);
    // What was told once is so, whatever a new Job has to look at.
    let is_made = has_servers || database::made_with(cluster).is_some();
    let job = inputs.database.job.clone();
    let version = match database::version(address, &inputs.database) {
        // Nothing starts: what is wrong with the way in must not keep pods from being stopped.
        Err(_) if cluster.spec.stopped => String::new(),
        version => version?,
    };
    Ok(Some(Database {
        address: address.clone(),
        version,
        is_made: is_made || job.as_ref().is_some_and(|job| job.is_complete),
        job,
    }))
}

fn image(cluster: &ZatoCluster, inputs: &Inputs) -> Result<String, Error> {
    let image = cluster
        .spec
        .image
        .clone()
        .unwrap_or(inputs.settings.zato_image.clone());
    if !image.is_empty() {
        return Ok(image);
    }
    let why =
        "no image is given, and the operator has no default: set spec.image or the chart's defaultZatoImage";
    Err(Error::Invalid {
        field: "image".into(),
        why: why.into(),
    })
}

fn callables(cluster: &ZatoCluster, inputs: &Inputs) -> Result<Option<Startup>, Error> {
    match startup::startup(&cluster.spec.startup_callables, &inputs.callables) {
        // Nothing starts: what is wrong with it must not keep a pod from being stopped.
        Err(_) if cluster.spec.stopped => Ok(None),
        startup => startup,
    }
}

/// A claim from before the cluster.
fn adopted(cluster: &ZatoCluster, claim: Option<&Claim>) -> Option<Timestamp> {
    let created = cluster.metadata.creation_timestamp.as_ref()?.0;
    claim?.created.filter(|claimed| *claimed < created)
}

/// Another key than the one of the database decrypts nothing. A claim that does not say it is one of an older operator,
/// which told it in the status.
fn check_key(cluster: &ZatoCluster, inputs: &Inputs) -> Result<(), Error> {
    let told = cluster
        .status
        .as_ref()
        .and_then(|status| status.key_fingerprint.as_ref());
    let of_claim = inputs
        .claim
        .as_ref()
        .and_then(|claim| claim.made_with.as_ref().or(told));
    let (made_with, holder) = match cluster.spec.database.postgresql {
        Some(_) => (told, Holder::Server),
        None => (of_claim, Holder::Claim(names::data(&cluster.name_any()))),
    };
    let found = &inputs.fingerprint.0;
    match made_with.filter(|made_with| *made_with != found) {
        None => Ok(()),
        Some(made_with) => Err(Error::KeyChanged {
            holder,
            secret: names::credentials(&cluster.name_any()),
            found: found.clone(),
            made_with: made_with.clone(),
        }),
    }
}

/// The contents of files, by name.
pub type Texts = BTreeMap<String, String>;

/// The document of all services, when the servers have what they were told and all of it is loaded.
fn documents(
    cluster: &ZatoCluster,
    index: &Index,
    shards: &BTreeMap<String, Texts>,
    inputs: &Inputs,
) -> Publication {
    let history = inputs.documents.clone();
    let is_loaded = |report: &&Report| {
        let of = |name: &String| report.services.get(name).map(|found| found.state);
        let mut services = index.services.keys();
        report.index_revision == index.revision && services.all(|name| of(name) == Some(LoadState::Loaded))
    };
    let running = servers::running(servers::reports(&inputs.servers));
    if running.is_empty() || !running.iter().all(is_loaded) {
        return Publication::waiting(history);
    }
    let texts = shards.values().flatten();
    let project = documents::project(texts.map(|(file, text)| (file.as_str(), text.as_str())));
    let mut by_tags: BTreeMap<&[String], BTreeSet<String>> = BTreeMap::new();
    for source in &inputs.services {
        if let Some(version) = index.services.get(&source.name) {
            let files = by_tags.entry(&source.openapi.tags).or_default();
            files.extend(version.files.keys().cloned());
        }
    }
    let mut api = active_channels(index, servers::keepers_report(index, &inputs.servers));
    for (tags, files) in by_tags {
        let part = documents::services(&project, Some(files), tags);
        api.services.extend(part.services);
        api.models.extend(part.models);
        // Warnings are told by the services.
    }
    let (name, namespace) = (cluster.name_any(), cluster.namespace().unwrap_or_default());
    Publication::of(
        history,
        &api,
        network::address(&name, &namespace),
        Wsdl::default(),
        |version| names::cluster_document(&name, version),
    )
}

/// The channels that answer, and nothing of their services.
fn active_channels(index: &Index, report: Option<&Report>) -> Api {
    let mut active = Api::default();
    for (name, version) in &index.services {
        let found = report.and_then(|report| channels::active(name, &version.channels, report));
        let found = found.unwrap_or_default();
        let services: Vec<_> = version.invoked().map(String::as_str).collect();
        active.channels.extend(documents::channels(&found, services));
        active.web_sockets.extend(documents::web_sockets(&found));
    }
    active
}

/// The revision that servers are to have of a service, if it is the one of its spec.
fn wanted(service: &Checked<'_>, index: &Index) -> Option<String> {
    if service.is_pending() && !index.services.contains_key(&service.name) {
        // It is on its way: no server has that.
        return Some(String::new());
    }
    let version = service.result.as_ref().ok()?;
    let entry = index.services.get(&service.name)?;
    let is_other = entry.refused.is_some() || entry.failed.is_some();
    (!is_other).then(|| version.revision.clone())
}

#[cfg(test)]
pub(crate) mod tests;
