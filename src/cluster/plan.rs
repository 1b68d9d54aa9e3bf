//! Pure: from spec and inputs to what will be done. After this step nothing can fail but the API server.

mod contents;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::credentials::Fingerprint;
use super::database::{self, Database};
use super::desired::network;
use super::inputs::{Component, Inputs, Previous};
use super::servers::{self, Server};
use super::settings;
use super::startup::{self, Startup};
use super::trouble::{self, Trouble};
use crate::api::ZatoCluster;
use crate::api::topology::Storage;
use crate::api::zato_cluster::{DeletionPolicy, ImagePullPolicy};
use crate::documents::{self, Publication, Wsdl};
use crate::exchange::{Index, LoadState, Phase, Report};
use crate::k8s::names;
use crate::openapi::model::{Api, Channel};
use crate::reconcile::Error;
use crate::reconcile::apply::Sent;
use crate::reconcile::child::{Claim, PodState};
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
    /// Whether a pod is of an older template than the StatefulSet has, as far as its controller has looked.
    pub fn is_outdated(&self, pod: &PodState) -> bool {
        let Some(set) = self.stateful_set.as_ref().filter(|set| is_observed(set)) else {
            return false;
        };
        let update = set
            .status
            .as_ref()
            .and_then(|status| status.update_revision.as_ref());
        update.is_some_and(|update| *update != pod.revision)
    }

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

    /// A StatefulSet that was changed just now says nothing yet about its pods.
    pub fn note(&mut self, sent: &[Sent]) {
        let Some(set) = &mut self.stateful_set else { return };
        let changed = sent.iter().filter(|sent| sent.kind == "StatefulSet");
        let generation = changed.filter_map(|sent| sent.generation).max();
        set.metadata.generation = set.metadata.generation.max(generation);
    }

    /// How many servers may have a pod now. The first one starts alone, until it serves: two that meet a new database, or new
    /// services, for the first time can end each other.
    pub fn started(&self) -> usize {
        let serves = |server: &Server| server.phase() == Some(Phase::Serving);
        // Once it has company, none of them is taken away for what the first one says.
        let has_others = self.servers.iter().skip(1).any(|server| server.pod.is_some());
        match &self.database {
            Some(database) if !database.is_made => 0,
            Some(_) if !has_others && !self.servers.iter().any(serves) => self.replicas.min(1),
            _ => self.replicas,
        }
    }

    /// The servers that are wanted.
    pub fn wanted(&self) -> &[Server] {
        self.servers.get(..self.replicas).unwrap_or(&self.servers)
    }

    /// Whether the pods that run are those that are wanted.
    pub fn is_current(&self) -> bool {
        self.wanted().iter().all(|server| self.is_current_server(server))
    }

    /// Whether the pod of a server is the one that is wanted.
    pub fn is_current_server(&self, server: &Server) -> bool {
        let is_observed = self.stateful_set.as_ref().is_some_and(is_observed);
        let pod = server.pod.as_ref();
        is_observed && pod.is_some_and(|pod| !pod.is_deleted && !self.is_outdated(pod))
    }

    /// Whether a server takes requests.
    pub fn is_up(&self, server: &Server) -> bool {
        let status = self.stateful_set.as_ref().and_then(|set| set.status.as_ref());
        // Of one server the controller may know it before the cache of pods does. Of several it says too little: while one of
        // two is being replaced, one of one is ready.
        let status = status.filter(|_| self.database.is_none());
        let are_all = |status: &StatefulSetStatus| {
            status.replicas > 0 && status.ready_replicas.unwrap_or_default() >= status.replicas
        };
        server.is_ready() || status.is_some_and(are_all)
    }

    /// What keeps a server from running, if anything does.
    pub fn trouble(&self, server: &Server) -> Option<Trouble> {
        trouble::told(server.pod.as_ref(), self.refusal.as_deref())
    }

    /// The pod of an older template that is deleted next. One that does not work first, so that a broken template never
    /// blocks its repair; one that works only when all others do.
    pub fn replaced(&self) -> Option<(&Server, &PodState)> {
        let there = self
            .servers
            .iter()
            .filter_map(|server| Some((server, server.pod.as_ref()?)));
        let outdated = there.filter(|(_, pod)| !pod.is_deleted && self.is_outdated(pod));
        let all: Vec<_> = outdated.collect();
        // While a pod of the new template does not work, one of an older template that only is not ready may be busy.
        let is_new = |server: &&Server| self.is_current_server(server) && !self.is_up(server);
        let waits = self.wanted().iter().any(|server| is_new(&server));
        let is_broken =
            |server: &Server, pod: &PodState| !self.is_up(server) && (!waits || pod.trouble.is_some());
        let broken = all.iter().find(|(server, pod)| is_broken(server, pod));
        let others_work = |of: &Server| {
            let mut others = self.wanted().iter().filter(|server| server.name != of.name);
            others.all(|server| server.is_there() && self.is_up(server))
        };
        // The last one first: the first one does what is done once for all.
        let working = || all.iter().rev().find(|(server, _)| others_work(server));
        broken.or_else(working).copied()
    }
}

/// Whether the StatefulSet's own status is about its present spec.
fn is_observed(set: &StatefulSet) -> bool {
    let observed = set.status.as_ref().and_then(|status| status.observed_generation);
    observed.is_some() && observed >= set.metadata.generation
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
        // Rows go when their servers have ended, not before.
        let count = cluster.spec.replicas();
        let all = inputs.servers.iter().enumerate();
        let stays = all.filter(|(ordinal, server)| *ordinal < count || server.pod.is_some());
        index.servers = stays.map(|(_, server)| server.name.clone()).collect();
        index.keeper = servers::keeper(&inputs.previous.index.keeper, &inputs.servers);
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
    match Database::of(address, &inputs.database, is_made) {
        // Nothing starts: what is wrong with the way in must not keep pods from being stopped.
        Err(_) if cluster.spec.stopped => Ok(Some(Database::unknown(address, is_made))),
        database => database.map(Some),
    }
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
    let made_with = inputs
        .claim
        .as_ref()
        .and_then(|claim| claim.made_with.as_ref().or(told));
    let found = &inputs.fingerprint.0;
    let outside = database::made_with(cluster).filter(|made_with| *made_with != found);
    if let Some(made_with) = outside {
        return Err(Error::DatabaseKeyChanged {
            secret: names::credentials(&cluster.name_any()),
            found: found.clone(),
            made_with: made_with.clone(),
        });
    }
    match made_with.filter(|made_with| *made_with != found) {
        None => Ok(()),
        Some(made_with) => Err(Error::KeyChanged {
            claim: names::data(&cluster.name_any()),
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
    let mut api = Api {
        channels: active_channels(index, servers::keepers_report(index, &inputs.servers)),
        ..Api::default()
    };
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

/// The channels that answer.
fn active_channels(index: &Index, report: Option<&Report>) -> Vec<Channel> {
    let mut active = vec![];
    for (name, version) in &index.services {
        let found = report.and_then(|report| channels::active(name, &version.channels, report));
        let services = version.invoked().map(String::as_str);
        active.extend(documents::channels(
            &found.unwrap_or_default(),
            services.collect::<Vec<_>>(),
        ));
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
