//! `ZatoCluster`: from the object to its children and back to its status.

pub mod assess;
pub mod availability;
pub mod credentials;
pub mod database;
pub mod desired;
pub mod gate;
pub mod inputs;
pub mod plan;
pub mod put_back;
pub mod servers;
pub mod settings;
pub mod shards;
pub mod startup;
pub mod trouble;

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::ApiResource;

use crate::api::zato_cluster::DeletionPolicy;
use crate::api::{ZatoCluster, ZatoClusterStatus};
use crate::k8s::names;
use crate::reconcile::Error;
use crate::reconcile::apply::Sent;
use crate::reconcile::engine::Context;
use crate::reconcile::kind::{Conditions, Kind, Manifest, Outcome, Task, Verdict};

impl Conditions for ZatoClusterStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
    fn conditions_mut(&mut self) -> &mut Vec<Condition> {
        &mut self.conditions
    }
}

impl Kind for ZatoCluster {
    type Inputs = inputs::Inputs;
    type Plan = plan::Plan;

    fn retained(&self) -> Vec<(ApiResource, String)> {
        if self.spec.deletion_policy == DeletionPolicy::Delete {
            return vec![];
        }
        vec![
            (
                ApiResource::erase::<PersistentVolumeClaim>(&()),
                names::data(&self.name_any()),
            ),
            (
                ApiResource::erase::<Secret>(&()),
                names::credentials(&self.name_any()),
            ),
        ]
    }
    fn paused(&self) -> Option<ZatoClusterStatus> {
        self.spec.paused.then(|| assess::paused(self))
    }
    async fn gather(&self, context: &Context) -> Result<Self::Inputs, Error> {
        inputs::gather(self, context).await
    }
    fn plan(&self, inputs: Self::Inputs) -> Result<Self::Plan, Error> {
        plan::plan(self, inputs)
    }
    fn desired(plan: &Self::Plan) -> Vec<Manifest> {
        desired::desired(plan)
    }
    fn dropped(plan: &Self::Plan) -> Vec<(ApiResource, String)> {
        let startups = plan.dropped_startups().cloned();
        let startups = startups.map(|name| (ApiResource::erase::<ConfigMap>(&()), name));
        plan.documents.dropped().into_iter().chain(startups).collect()
    }
    fn note(plan: &mut Self::Plan, sent: &[Sent]) {
        plan.note(sent);
    }
    fn tasks(plan: &Self::Plan) -> Vec<Task> {
        desired::tasks(plan)
    }
    fn assess(&self, outcome: Outcome<'_, Self::Plan>) -> Verdict<ZatoClusterStatus> {
        assess::assess(self, outcome)
    }
}
