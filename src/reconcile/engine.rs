//! The one way through a reconcile: gather, plan, desired, apply, assess, report.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use kube::{Client, ResourceExt};
use tokio::sync::Semaphore;

use super::apply::{self, Applied};
use super::kind::{Kind, Outcome};
use super::references::References;
use super::refusals::Refusals;
use super::report::Written;
use super::stores::Stores;
use super::{Error, report};
use crate::service::git::Allowed;
use crate::telemetry::metrics::Metrics;

/// A reconcile that takes longer is given up and tried again.
const LIMIT: Duration = Duration::from_mins(1);

/// Children that are written at the same time. More of them are not faster, and each needs a connection with its buffers.
const WRITERS: usize = 16;

/// What every reconcile shares.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// Events.
    pub recorder: Recorder,
    /// What was watched.
    pub stores: Stores,
    /// What was read of objects of users.
    pub references: References,
    /// Pods that were refused.
    pub refusals: Refusals,
    /// What was applied.
    pub applied: Applied,
    /// Statuses that were written.
    pub written: Written,
    /// Who may write a child now, in the order in which they asked.
    pub writers: Semaphore,
    /// Settings of this operator.
    pub settings: Settings,
    /// What is counted.
    pub metrics: Metrics,
    /// Failures in a row, by object.
    failures: Mutex<HashMap<String, u32>>,
}

/// Settings of this operator.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The image of clusters that name none.
    pub zato_image: String,
    /// The operator's own image, which the agents run.
    pub agent_image: String,
    /// Who this operator is, in events.
    pub identity: String,
    /// Which git servers it may ask.
    pub git: Allowed,
}

/// A reconcile that failed, or took too long.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A step failed; the status says so.
    #[error(transparent)]
    Step(#[from] Error),
    /// Too long.
    #[error("not done within {0:?}")]
    Timeout(Duration),
}

impl Context {
    /// A context that has applied nothing yet.
    pub fn new(
        client: Client,
        recorder: Recorder,
        stores: Stores,
        references: References,
        refusals: Refusals,
        settings: Settings,
        metrics: Metrics,
    ) -> Self {
        Self {
            client,
            recorder,
            stores,
            references,
            refusals,
            settings,
            metrics,
            applied: Applied::default(),
            written: Written::default(),
            writers: Semaphore::new(WRITERS),
            failures: Mutex::default(),
        }
    }

    fn count(&self, object: &str, failed: bool) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if !failed {
            failures.remove(object);
            return 0;
        }
        let count = failures.entry(object.to_owned()).or_default();
        *count += 1;
        *count - 1
    }
}

/// Reconciles one object.
pub async fn reconcile<K: Kind>(
    guard: Arc<DeserializeGuard<K>>,
    context: Arc<Context>,
) -> Result<Action, Failure> {
    let object = guard
        .0
        .as_ref()
        .map_err(|error| Error::Unparseable(Box::new(error.clone())))?;
    if object.meta().deletion_timestamp.is_some() {
        // Children go by their owner references; nothing outside the cluster must be cleaned.
        return Ok(Action::await_change());
    }
    context.stores.wishes_ready().await;
    let begin = Instant::now();
    let done = tokio::time::timeout(LIMIT, run(object, &context)).await;
    let result = done.map_or(Err(Failure::Timeout(LIMIT)), |result| {
        result.map_err(Failure::from)
    });
    let outcome = match &result {
        Ok(_) => "ok".to_owned(),
        Err(Failure::Step(error)) => error.reason().to_string(),
        Err(Failure::Timeout(_)) => "Timeout".to_owned(),
    };
    context
        .metrics
        .reconciled(&K::kind(&()), &outcome, begin.elapsed().as_secs_f64());
    let action = result?;
    context.count(&key(object), false);
    Ok(action)
}

async fn run<K: Kind>(object: &K, context: &Context) -> Result<Action, Error> {
    let object = &*context.written.applied_to(object);
    let released = apply::release(object, context).await;
    if let (Ok(()), Some(status)) = (&released, object.paused()) {
        report::report(object, status, context).await?;
        return Ok(Action::await_change());
    }
    let result = match released {
        Ok(()) => advance(object, context).await,
        Err(error) => Err(error),
    };
    let outcome = match &result {
        Ok(plan) => Outcome::Applied { plan },
        Err(error) => Outcome::Failed(error),
    };
    let verdict = object.assess(outcome);
    report::report(object, verdict.status, context).await?;
    result.map(|_| verdict.recheck.map_or_else(Action::await_change, Action::requeue))
}

async fn advance<K: Kind>(object: &K, context: &Context) -> Result<K::Plan, Error> {
    let inputs = object.gather(context).await?;
    let mut plan = object.plan(inputs)?;
    let sent = apply::apply(object, K::desired(&plan), K::dropped(&plan), context).await?;
    K::note(&mut plan, &sent);
    apply::perform(object, K::tasks(&plan), context).await?;
    Ok(plan)
}

/// When to try again.
pub fn error_policy<K: Kind>(
    guard: Arc<DeserializeGuard<K>>,
    failure: &Failure,
    context: Arc<Context>,
) -> Action {
    let failures = guard
        .0
        .as_ref()
        .map_or(0, |object| context.count(&key(object), true));
    match failure {
        Failure::Timeout(_) => Action::requeue(Duration::from_secs(5)),
        Failure::Step(error) => error
            .retry_after(failures)
            .map_or_else(Action::await_change, Action::requeue),
    }
}

fn key<K: Kind>(object: &K) -> String {
    format!(
        "{}/{}/{}",
        K::kind(&()),
        object.namespace().unwrap_or_default(),
        object.name_any()
    )
}
