//! Pure: which servers have a pod now, which pods are as they should be, and which one is replaced next.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};

use super::Plan;
use crate::cluster::servers::Server;
use crate::cluster::trouble::{self, Trouble};
use crate::exchange::Phase;
use crate::reconcile::apply::Sent;
use crate::reconcile::child::PodState;

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

#[cfg(test)]
mod tests;
