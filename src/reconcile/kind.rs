//! What a kind of object must say about itself to be reconciled.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::ApiResource;
use kube::core::object::HasStatus;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::apply::Sent;
use super::engine::Context;
use crate::api::zato_cluster::DeletionPolicy;

/// One wanted child.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Its kind.
    pub resource: ApiResource,
    /// Its name.
    pub name: String,
    /// The fields that the operator owns.
    pub body: serde_json::Value,
    /// Whose it is.
    pub ownership: Ownership,
    /// When it is applied.
    pub stage: Stage,
    /// Whether the API server was asked in this reconcile and has something else: then a cache that says otherwise is behind.
    pub differs: bool,
}

/// When a child is applied: those of a stage at the same time, and only after all earlier ones succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What names nothing.
    First,
    /// What names a child of the first stage, or must wait until nothing of it was refused.
    Second,
    /// What names a child of the second stage.
    Third,
    /// What may only be so when the third stage is as it should be.
    Fourth,
    /// What runs.
    Last,
}

/// Whose a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Of the object that made it, and goes with it.
    Owned,
    /// Of every object of that name, one after another: known by its labels, without an owner, never pruned.
    Kept,
    /// Like one that is kept, but it goes with the object that it has now.
    KeptUntilDeletion,
}

impl Manifest {
    /// A child that goes with its owner.
    pub fn owned<K: Resource<DynamicType = ()> + Serialize>(object: &K) -> Self {
        Self {
            resource: ApiResource::erase::<K>(&()),
            name: object.name_any(),
            body: serde_json::to_value(object).unwrap_or_default(),
            ownership: Ownership::Owned,
            stage: Stage::First,
            differs: false,
        }
    }

    /// The same at another stage.
    #[must_use]
    pub fn at(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    /// The same with what the API server was found to have.
    #[must_use]
    pub fn that_differs(self, differs: bool) -> Self {
        Self { differs, ..self }
    }

    /// A child with data or keys.
    pub fn precious<K: Resource<DynamicType = ()> + Serialize>(object: &K, policy: DeletionPolicy) -> Self {
        let ownership = match policy {
            DeletionPolicy::Retain => Ownership::Kept,
            DeletionPolicy::Delete => Ownership::KeptUntilDeletion,
        };
        Self {
            ownership,
            ..Self::owned(object)
        }
    }
}

/// What is done beside applying children, after them. Each can be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Delete one pod, and no successor of its name.
    DeletePod {
        /// Its name.
        name: String,
        /// Its UID.
        uid: String,
    },
    /// Delete a Job that gave up, with its pods: it is made anew.
    DeleteJob {
        /// Its name.
        name: String,
        /// Its UID.
        uid: String,
    },
}

/// How the steps before `assess` went.
pub enum Outcome<'a, P> {
    /// All children are as planned.
    Applied {
        /// The plan.
        plan: &'a P,
    },
    /// A step failed.
    Failed(&'a Error),
}

/// What `assess` concludes.
pub struct Verdict<S> {
    /// The whole status. Times of transition are filled in by `report`.
    pub status: S,
    /// When to look again without a change; none: a watch tells.
    pub recheck: Option<Duration>,
}

/// A kind that the engine can reconcile. All but `gather` is pure.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasStatus<Status: Conditions + Serialize + DeserializeOwned + PartialEq + Clone + Send + Sync>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// What was read.
    type Inputs: Send;
    /// What will be done: checked, with all defaults.
    type Plan: Send + Sync;

    /// Children with data or keys that must not go with this object, whatever else is paused or fails: kinds and names.
    fn retained(&self) -> Vec<(ApiResource, String)> {
        vec![]
    }
    /// The status while the user wants nothing to be done; none: go on.
    fn paused(&self) -> Option<Self::Status> {
        None
    }
    /// The only reads. May create what can only be made once (keys).
    fn gather(&self, context: &Context) -> impl Future<Output = Result<Self::Inputs, Error>> + Send;
    /// Checks and defaults.
    fn plan(&self, inputs: Self::Inputs) -> Result<Self::Plan, Error>;
    /// The children, in the order in which they are applied.
    fn desired(plan: &Self::Plan) -> Vec<Manifest>;
    /// Documents, and startup callables that pods mounted, that are deleted. Others stay, wanted or not: a cache may know newer
    /// documents than the plan, and a pod of an older template may need what it mounts.
    fn dropped(_: &Self::Plan) -> Vec<(ApiResource, String)> {
        vec![]
    }
    /// Notes what was sent: what the plan says of it is from before.
    fn note(_: &mut Self::Plan, _: &[Sent]) {}
    /// What is done after the children are as wanted.
    fn tasks(_: &Self::Plan) -> Vec<Task> {
        vec![]
    }
    /// Everything that a user sees.
    fn assess(&self, outcome: Outcome<'_, Self::Plan>) -> Verdict<Self::Status>;
}

/// A status with conditions.
pub trait Conditions {
    /// The conditions.
    fn conditions(&self) -> &[Condition];
    /// The conditions, to fill in times.
    fn conditions_mut(&mut self) -> &mut Vec<Condition>;
}
