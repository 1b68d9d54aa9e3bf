//! `ZatoService`: is the code valid, and what has each server of it? The code itself travels with the cluster.

pub mod assess;
pub mod channels;
pub mod check;
pub mod git;
pub mod jobs;
pub mod plan;
pub mod refusal;
pub mod source;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::ApiResource;
use kube::{Resource, ResourceExt};

use crate::api::{KeptRevision, PublishedDocument, ZatoCluster, ZatoService, ZatoServiceStatus};
use crate::exchange::{Index, Report};
use crate::k8s::names;
use crate::reconcile::Error;
use crate::reconcile::engine::Context;
use crate::reconcile::kind::{Conditions, Kind, Manifest, Outcome, Verdict};

impl Conditions for ZatoServiceStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
    fn conditions_mut(&mut self) -> &mut Vec<Condition> {
        &mut self.conditions
    }
}

/// What was read.
#[derive(Debug)]
pub struct Inputs {
    /// The cluster, if it exists.
    pub cluster: Option<ZatoCluster>,
    /// All services of that cluster with their files, the oldest first.
    pub services: Vec<source::Sourced>,
    /// What its servers were told last.
    pub deployed: Index,
    /// The OpenAPI documents of this service, the oldest version first.
    pub documents: Vec<PublishedDocument>,
    /// The revisions of its files that are kept, the oldest first.
    pub revisions: Vec<KeptRevision>,
    /// The reports of its servers, by pod.
    pub reports: Vec<(String, Option<Report>)>,
}

impl Kind for ZatoService {
    type Inputs = Inputs;
    type Plan = plan::Plan;

    async fn gather(&self, context: &Context) -> Result<Inputs, Error> {
        let namespace = self.namespace().unwrap_or_default();
        let cluster = &self.spec.cluster_ref.name;
        let object = context.stores.cluster(&namespace, cluster);
        let wanted = object.as_ref().map_or(0, |cluster| cluster.spec.replicas());
        let services = context.stores.services_of(&namespace, cluster);
        let servers = context.stores.servers(&namespace, cluster, wanted);
        let reports = servers.into_iter().map(|server| (server.name, server.report));
        Ok(Inputs {
            cluster: object,
            reports: reports.collect(),
            services: source::read(&with(services, self), context).await?,
            deployed: context
                .stores
                .index(&namespace, &names::agent(cluster))
                .unwrap_or_default(),
            documents: context
                .stores
                .documents_of(&namespace, &self.controller_owner_ref(&()).unwrap_or_default()),
            revisions: context
                .stores
                .revisions_of(&namespace, &self.controller_owner_ref(&()).unwrap_or_default()),
        })
    }
    fn plan(&self, inputs: Inputs) -> Result<plan::Plan, Error> {
        Ok(plan::plan(self, inputs))
    }
    fn desired(plan: &plan::Plan) -> Vec<Manifest> {
        let documents = plan.documents.manifest(&plan.cluster_name).into_iter();
        documents
            .chain(plan.revisions.manifest(&plan.cluster_name))
            .collect()
    }
    fn dropped(plan: &plan::Plan) -> Vec<(ApiResource, String)> {
        let documents = plan.documents.dropped().into_iter();
        documents.chain(plan.revisions.dropped()).collect()
    }
    fn assess(&self, outcome: Outcome<'_, plan::Plan>) -> Verdict<ZatoServiceStatus> {
        assess::assess(self, outcome)
    }
}

/// The caches may be behind the object that is reconciled.
fn with(mut services: Vec<ZatoService>, own: &ZatoService) -> Vec<ZatoService> {
    match services
        .iter_mut()
        .find(|service| service.name_any() == own.name_any())
    {
        Some(service) => *service = own.clone(),
        None => services.push(own.clone()),
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, text: &str) -> ZatoService {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": name},
            "spec": {"clusterRef": {"name": "demo"}, "source": {"inline": {"a.py": text}}},
        }))
        .unwrap()
    }

    #[test]
    fn the_object_at_hand_counts_and_not_an_older_copy_in_the_cache() {
        let own = service("s", "new");
        let cached = vec![service("s", "old"), service("other", "x")];
        assert_eq!(with(cached, &own), [own.clone(), service("other", "x")]);
        assert_eq!(with(vec![], &own), [own]);
    }
}
