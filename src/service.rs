//! `ZatoService`: is the code valid, and what has each server of it? The code itself travels with the cluster.

pub mod assess;
pub mod plan;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use crate::api::{ZatoCluster, ZatoService, ZatoServiceStatus};
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
    /// All services of that cluster, the oldest first.
    pub siblings: Vec<ZatoService>,
    /// What its servers were told last.
    pub deployed: Index,
    /// The reports of its servers, by pod.
    pub reports: Vec<(String, Option<Report>)>,
}

impl Kind for ZatoService {
    type Inputs = Inputs;
    type Plan = plan::Plan;

    async fn gather(&self, context: &Context) -> Result<Inputs, Error> {
        let namespace = self.namespace().unwrap_or_default();
        let cluster = &self.spec.cluster_ref.name;
        let pod = names::server_pod(cluster, 0);
        let report = context
            .stores
            .report(&namespace, &names::report(cluster, 0), &pod);
        Ok(Inputs {
            cluster: context.stores.cluster(&namespace, cluster),
            siblings: context.stores.services_of(&namespace, cluster),
            deployed: context
                .stores
                .index(&namespace, &names::agent(cluster))
                .unwrap_or_default(),
            reports: vec![(pod, report)],
        })
    }
    fn plan(&self, inputs: Inputs) -> Result<plan::Plan, Error> {
        Ok(plan::plan(self, inputs))
    }
    fn desired(_: &plan::Plan) -> Vec<Manifest> {
        vec![]
    }
    fn assess(&self, outcome: Outcome<'_, plan::Plan>) -> Verdict<ZatoServiceStatus> {
        assess::assess(self, outcome)
    }
}
