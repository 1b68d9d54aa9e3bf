//! Leadership by a Lease: of several operators one acts.
//!
//! Clocks of other machines are never believed: a lease is over when it has not changed for its duration, by the local
//! monotonic clock. A leader stops writing some seconds before the others may take over, also a process that was
//! frozen; the clock stands still while a whole machine is suspended, and such a leader may write once more.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};

/// How long a lease counts after its last change.
const DURATION: Duration = Duration::from_secs(12);
/// How long a leader acts after its last renewal. What is left is for a write that is on its way: see [`CONNECTING`].
const ACTING: Duration = Duration::from_secs(8);
/// Between two renewals, and after a failed one.
const RENEWAL: Duration = Duration::from_secs(4);
const RETRY: Duration = Duration::from_secs(1);
/// How long a request for the lease may take.
const ANSWER: Duration = Duration::from_secs(3);

/// How long a write may wait for a connection after it was let through.
pub const CONNECTING: Duration = Duration::from_secs(3);

/// Until when this process may act.
#[derive(Clone, Debug)]
pub struct Leadership(Arc<Mutex<Option<Instant>>>);

impl Leadership {
    /// Whether it may act now.
    pub fn is_held(&self) -> bool {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// The Lease that all operators of one name want.
pub struct Lease {
    api: Api<Object>,
    name: String,
    identity: String,
    leadership: Leadership,
}

impl Lease {
    /// A lease that is not held.
    pub fn new(client: kube::Client, namespace: &str, name: &str, identity: String) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.into(),
            identity,
            leadership: Leadership(Arc::default()),
        }
    }

    /// Tells whether this process may act.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Waits until the lease is ours.
    pub async fn acquire(&self) -> Object {
        let config = watcher::Config::default().fields(&format!("metadata.name={}", self.name));
        let mut changes = std::pin::pin!(watcher(self.api.clone(), config).default_backoff());
        let mut seen = Seen::default();
        loop {
            let over = tokio::time::sleep_until((seen.since + DURATION).into());
            tokio::select! {
                change = changes.next() => seen.note(change),
                () = over, if seen.is_listed => {}
            }
            if !seen.is_free(&self.identity, Instant::now()) {
                continue;
            }
            match self.take(seen.lease.clone()).await {
                Ok(lease) => return lease,
                Err(error) => {
                    // Usually another one was faster; the watch tells.
                    tracing::info!(
                        error = &error as &dyn std::error::Error,
                        "the lease could not be taken"
                    );
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Renews the lease until another one has it. While the API server does not answer it may be over, and then nothing
    /// is written; as long as nobody else took it, what this process knows and began is still right, and it goes on.
    pub async fn hold(&self, mut lease: Object) {
        tokio::time::sleep(RENEWAL).await;
        let mut failures = 0_u32;
        loop {
            match self.take(Some(lease.clone())).await {
                Ok(renewed) => {
                    if failures > 0 {
                        tracing::info!(failures, "the lease is renewed again");
                    }
                    (lease, failures) = (renewed, 0);
                    tokio::time::sleep(RENEWAL).await;
                }
                Err(error) => {
                    // Once for each row of failures.
                    if failures == 0 {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "the lease could not be renewed and is tried again"
                        );
                    }
                    failures += 1;
                    let pause = if self.leadership.is_held() { RETRY } else { RENEWAL };
                    tokio::time::sleep(pause).await;
                    match self.reread(lease).await {
                        Some(current) => lease = current,
                        None => return,
                    }
                }
            }
        }
    }

    /// An answer may have been lost: what is there counts, if it is still ours; none: it is another's, or deleted.
    async fn reread(&self, lease: Object) -> Option<Object> {
        match within(self.api.get_opt(&self.name)).await {
            Ok(Some(found)) if holder(&found) == Some(&self.identity) => Some(found),
            Ok(_) => {
                self.leadership.set(None);
                None
            }
            Err(_) => Some(lease),
        }
    }

    /// Hands the lease over, if it is ours: the next one need not wait.
    pub async fn release(&self) {
        if !self.leadership.is_held() {
            return;
        }
        self.leadership.set(None);
        let Ok(mut lease) = self.api.get(&self.name).await else {
            return;
        };
        if holder(&lease) == Some(&self.identity) {
            lease.spec.get_or_insert_default().holder_identity = Some(String::new());
            if let Err(error) = self.api.replace(&self.name, &PostParams::default(), &lease).await {
                tracing::info!(
                    error = &error as &dyn std::error::Error,
                    "the lease could not be released"
                );
            }
        }
    }

    /// Takes or renews: by its resource version, so that only one of two succeeds.
    async fn take(&self, current: Option<Object>) -> kube::Result<Object> {
        let begin = Instant::now();
        let now = Some(MicroTime(Timestamp::now()));
        let mut lease = current.unwrap_or_else(|| Object {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec::default()),
        });
        let is_new = lease.resource_version().is_none();
        let is_ours = holder(&lease) == Some(&self.identity);
        let spec = lease.spec.get_or_insert_default();
        spec.lease_duration_seconds = i32::try_from(DURATION.as_secs()).ok();
        spec.renew_time.clone_from(&now);
        if !is_ours {
            spec.acquire_time = now;
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default() + i32::from(!is_new));
            spec.holder_identity = Some(self.identity.clone());
        }
        lease.metadata.managed_fields = None;
        let params = PostParams::default();
        let lease = if is_new {
            within(self.api.create(&params, &lease)).await?
        } else {
            within(self.api.replace(&self.name, &params, &lease)).await?
        };
        // From before the request: the others count from when it arrived.
        self.leadership.set(Some(begin + ACTING));
        Ok(lease)
    }
}

/// A request that never ends counts as one that failed.
async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    let late = |elapsed| Err(kube::Error::Service(Box::new(elapsed)));
    tokio::time::timeout(ANSWER, request).await.unwrap_or_else(late)
}

fn holder(lease: &Object) -> Option<&String> {
    lease
        .spec
        .as_ref()?
        .holder_identity
        .as_ref()
        .filter(|holder| !holder.is_empty())
}

/// What the watch told.
struct Seen {
    lease: Option<Object>,
    /// When it changed last, by our clock.
    since: Instant,
    is_listed: bool,
    /// Whether the list that is under way, or was the last one, has it.
    is_found: bool,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            lease: None,
            since: Instant::now(),
            is_listed: false,
            is_found: false,
        }
    }
}

impl Seen {
    fn note(&mut self, change: Option<watcher::Result<Event<Object>>>) {
        match change {
            Some(Ok(Event::Apply(lease) | Event::InitApply(lease))) => {
                let version = |lease: &Object| lease.resource_version();
                // A watch that starts anew tells the same again.
                if self.lease.as_ref().and_then(version) != version(&lease) {
                    self.since = Instant::now();
                }
                self.lease = Some(lease);
                self.is_found = true;
            }
            Some(Ok(Event::Delete(_))) => self.lose(),
            Some(Ok(Event::Init)) => self.is_found = false,
            Some(Ok(Event::InitDone)) => {
                self.is_listed = true;
                if !self.is_found {
                    self.lose();
                }
            }
            None => {}
            Some(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the watch of the lease failed and is tried again"
                );
            }
        }
    }

    /// Somebody deleted it: its holder goes on until it notices, so it counts as changed, and is made anew later.
    fn lose(&mut self) {
        if let Some(lease) = self
            .lease
            .as_mut()
            .filter(|lease| lease.metadata.resource_version.is_some())
        {
            lease.metadata = ObjectMeta {
                name: lease.metadata.name.take(),
                ..ObjectMeta::default()
            };
            self.since = Instant::now();
        }
    }

    fn is_free(&self, identity: &str, now: Instant) -> bool {
        let holder = self.lease.as_ref().and_then(holder);
        self.is_listed && (holder.is_none_or(|holder| holder == identity) || now >= self.since + DURATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn seen(holder: Option<&str>) -> Seen {
        let lease = holder.map(|holder| Object {
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.into()),
                ..LeaseSpec::default()
            }),
            ..Object::default()
        });
        Seen {
            lease,
            since: Instant::now(),
            is_listed: true,
            is_found: false,
        }
    }

    #[rstest]
    #[case(None, 0, true)]
    #[case(Some(""), 0, true)]
    #[case(Some("me"), 0, true)]
    #[case(Some("other"), 0, false)]
    #[case(Some("other"), 11, false)]
    #[case(Some("other"), 12, true)]
    fn free_is_what_nobody_holds_or_renews(
        #[case] holder: Option<&str>,
        #[case] seconds: u64,
        #[case] free: bool,
    ) {
        let seen = seen(holder);
        assert_eq!(
            seen.is_free("me", seen.since + Duration::from_secs(seconds)),
            free
        );
    }

    #[test]
    fn nothing_is_free_before_it_was_looked_at() {
        let seen = Seen {
            is_listed: false,
            ..seen(None)
        };
        assert!(!seen.is_free("me", Instant::now() + DURATION));
    }

    /// The holder of a deleted lease acts until it notices.
    #[test]
    fn a_deleted_lease_is_not_free_at_once() {
        let version = |lease: Option<Object>| lease.and_then(|lease| lease.resource_version());
        for events in [
            vec![Event::Delete(Object::default())],
            vec![Event::Init, Event::InitDone],
        ] {
            let mut seen = seen(Some("other"));
            seen.lease.as_mut().unwrap().metadata.resource_version = Some("1".into());
            seen.since -= DURATION;
            for event in events {
                seen.note(Some(Ok(event)));
            }
            assert!(!seen.is_free("me", Instant::now()));
            assert!(seen.is_free("me", Instant::now() + DURATION));
            assert_eq!(version(seen.lease), None, "it is made anew");
        }
    }

    /// A leader's lease, and an API server that gives one answer to every question.
    async fn reread(status: u16, holder: Option<&str>) -> (Option<Object>, bool) {
        let found = Object {
            spec: seen(holder).lease.and_then(|lease| lease.spec),
            metadata: ObjectMeta {
                resource_version: Some("2".into()),
                ..ObjectMeta::default()
            },
        };
        let reason = if status == 404 {
            "NotFound"
        } else {
            "InternalError"
        };
        let refusal =
            serde_json::json!({"kind": "Status", "status": "Failure", "code": status, "reason": reason});
        let body = if status == 200 {
            serde_json::to_vec(&found).unwrap()
        } else {
            serde_json::to_vec(&refusal).unwrap()
        };
        let answer = move |_| {
            let answer = http::Response::builder().status(status);
            std::future::ready(Ok::<_, std::io::Error>(
                answer.body(kube::client::Body::from(body.clone())).unwrap(),
            ))
        };
        let client = kube::Client::new(tower::service_fn(answer), "default");
        let lease = Lease::new(client, "default", "x", "me".into());
        lease.leadership.set(Some(Instant::now() + ACTING));
        (lease.reread(Object::default()).await, lease.leadership.is_held())
    }

    /// What an API server that fails says about a lease is nothing; another's name, and that there is none, ends it.
    #[tokio::test]
    async fn a_lease_is_lost_when_another_has_it() {
        let version =
            |found: (Option<Object>, bool)| (found.0.map(|lease| lease.resource_version()), found.1);
        let ours = reread(200, Some("me")).await;
        assert_eq!(version(ours), (Some(Some("2".into())), true));
        assert_eq!(version(reread(500, None).await), (Some(None), true));
        for (status, holder) in [(200, Some("other")), (200, Some("")), (404, None)] {
            assert_eq!(
                version(reread(status, holder).await),
                (None, false),
                "{status} {holder:?}"
            );
        }
    }

    #[test]
    fn a_leader_stops_before_another_may_begin() {
        assert!(ACTING + CONNECTING < DURATION);
        let leadership = Leadership(Arc::default());
        assert!(!leadership.is_held());
        leadership.set(Some(Instant::now() + ACTING));
        assert!(leadership.is_held());
        leadership.set(Some(Instant::now()));
        assert!(!leadership.is_held());
    }
}
