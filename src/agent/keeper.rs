//! Keeps one server as the index says: one round after another lets each part do its step, opens the gate, reports.
//!
//! Level-based: each round looks at what is there. A restarted server or agent needs no special case.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::watch::{Receiver, Sender};

use super::channels::Channels;
use super::code::Wanted;
use super::creation::Credentials;
use super::doubt::Doubt;
use super::jobs::Jobs;
use super::loading::Loading;
use super::members::Members;
use super::probes::State;
use super::removal::Removal;
use super::startup::Startup;
use super::zato::Server;
use super::{Error, Identity, words};
use crate::cluster::desired::paths;
use crate::exchange::{CallableOutcome, CallableState, Phase, Report};

/// Between two rounds while something is on its way.
const BUSY: Duration = Duration::from_millis(100);
/// Between two rounds while nothing is.
const IDLE: Duration = Duration::from_secs(2);

/// The keeper of one server.
pub struct Keeper {
    identity: Identity,
    server: Server,
    wanted: Receiver<Option<Wanted>>,
    probes: Arc<State>,
    loading: Loading,
    removal: Removal,
    channels: Channels,
    jobs: Jobs,
    members: Members,
    startup: Startup,
    doubt: Doubt,
    callables: Vec<CallableOutcome>,
    is_settled: bool,
    /// The revision of the index that was taken up.
    seen: String,
    /// Whether the database cannot be used: what is reported then is from before.
    is_blind: bool,
    serving: bool,
    silent_since: Option<Instant>,
    password_set: bool,
}

impl Keeper {
    /// A keeper that knows nothing yet.
    pub fn new(
        identity: Identity,
        credentials: &Credentials,
        wanted: Receiver<Option<Wanted>>,
        probes: Arc<State>,
        startup: Startup,
    ) -> Self {
        let scheduler = identity.scheduler();
        let has_scheduler = scheduler.is_some();
        let (admin, user) = (credentials.admin_invoke.clone(), credentials.pubapi.clone());
        Self {
            doubt: Doubt::new(&identity, credentials.clone()),
            identity,
            server: Server::new(admin, user, scheduler),
            wanted,
            probes,
            loading: Loading::new(&Path::new(paths::ENVIRONMENT).join("server/logs/server.log")),
            removal: Removal::new(Path::new(paths::HOT)),
            channels: Channels::default(),
            jobs: Jobs::new(has_scheduler),
            members: Members::default(),
            startup,
            callables: vec![],
            is_settled: false,
            seen: String::new(),
            is_blind: false,
            serving: false,
            silent_since: None,
            password_set: false,
        }
    }

    /// Goes round until the process ends.
    pub async fn run(mut self, reports: Sender<Option<Report>>) -> Result<(), Error> {
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            let report = match &wanted {
                Some(wanted) => {
                    let report = self.round(wanted).await?;
                    if !self.is_blind {
                        self.seen.clone_from(&wanted.index.revision);
                    }
                    Report {
                        index_seen: self.seen.clone(),
                        ..report
                    }
                }
                None => self.report(Phase::Preparing, None, ""),
            };
            let busy = report.phase != Phase::Serving || !self.is_settled;
            reports.send_if_modified(|last| {
                let is_new = last.as_ref() != Some(&report);
                *last = Some(report);
                is_new
            });
            let pause = tokio::time::sleep(if busy { BUSY } else { IDLE });
            tokio::select! {
                () = pause => {}
                changed = self.wanted.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }

    async fn round(&mut self, wanted: &Wanted) -> Result<Report, Error> {
        let mut trouble = None;
        if self.serving {
            trouble = self.database_trouble(wanted).await;
        }
        if trouble.is_none() {
            self.write(wanted)?;
        }
        let was_serving = std::mem::replace(&mut self.serving, self.server.ping().await);
        // After the ping: a server that is busy with a callable answers late.
        self.callables = self.startup.outcomes(self.probes.open.load(Ordering::Relaxed));
        if !self.serving {
            return Ok(self.not_serving(was_serving).await);
        }
        self.silent_since = None;
        if !was_serving {
            trouble = self.database_trouble(wanted).await;
        }
        if let Some(trouble) = trouble {
            return Ok(self.report(self.phase(), Some(trouble), ""));
        }
        if !self.password_set {
            // The user's way in: it works before anything else is waited for.
            if let Err(error) = self.server.ensure_pubapi_password().await {
                return Ok(self.report(
                    Phase::Loading,
                    Some(format!("the password of pubapi cannot be set: {error}")),
                    "",
                ));
            }
            self.password_set = true;
        }
        self.loading.look(wanted, &self.server).await;
        self.channels.follow(wanted, self.loading.services())?;
        let is_loaded = self.loading.is_over();
        if is_loaded && self.startup.is_passed(&self.callables) && self.has_files(wanted).await {
            self.probes.open.store(true, Ordering::Relaxed);
        }
        let (has_channels, has_jobs) = self.keep(wanted).await;
        // Whatever a scheduler does that does not answer.
        let is_removed = is_loaded && has_channels && self.remove(wanted).await;
        self.is_settled = is_removed && has_jobs;
        let phase = self.phase();
        let revision = if self.is_settled {
            wanted.index.revision.as_str()
        } else {
            ""
        };
        Ok(self.report(
            phase,
            self.removal.failed().or_else(|| self.channels.missing()),
            revision,
        ))
    }

    /// What the server loads.
    fn write(&mut self, wanted: &Wanted) -> Result<(), Error> {
        self.removal.release(wanted)?;
        self.loading.write(wanted)?;
        self.channels.prepare(wanted, self.loading.services())?;
        self.probes.prepared.store(true, Ordering::Relaxed);
        self.loading.read_log();
        Ok(())
    }

    fn phase(&self) -> Phase {
        if self.probes.open.load(Ordering::Relaxed) {
            Phase::Serving
        } else {
            Phase::Loading
        }
    }

    /// Why the database cannot be used. Then nothing is written or judged: a server without it says of any service that it has
    /// none. Not asked while all is as wanted, of which what looks at rows takes care.
    async fn database_trouble(&mut self, wanted: &Wanted) -> Option<String> {
        let is_new = self.seen != wanted.index.revision;
        if self.is_settled && !is_new {
            return None;
        }
        let trouble = self.doubt.trouble().await;
        self.is_blind = trouble.is_some();
        self.is_settled &= !self.is_blind;
        trouble
    }

    /// Whether rows of channels that are there already lead to something: asked until the gate is open.
    async fn has_files(&mut self, wanted: &Wanted) -> bool {
        self.probes.open.load(Ordering::Relaxed) || self.channels.has_files(wanted, &self.server).await
    }

    /// What one server does for all: the rows of the database that they share. Whether channels and jobs are as wanted.
    async fn keep(&mut self, wanted: &Wanted) -> (bool, bool) {
        if !self.identity.keeps(&wanted.index) {
            self.jobs.leave();
            self.members.forget();
            return (self.channels.attend(wanted, &self.server).await, true);
        }
        let services = self.loading.services();
        let has_channels = self.channels.step(wanted, services, &self.server).await;
        let has_jobs = self.jobs.step(wanted, services, &self.server).await;
        let servers = &wanted.index.servers;
        if servers.is_empty() {
            return (has_channels, has_jobs);
        }
        let (cluster, own) = (&self.identity.cluster, &self.identity.pod);
        let members = &mut self.members;
        let is_clean = members.step(cluster, own, servers, &self.server).await;
        (has_channels && is_clean, has_jobs)
    }

    /// Whether the server has nothing of ours that is not wanted.
    async fn remove(&mut self, wanted: &Wanted) -> bool {
        let step = self
            .removal
            .step(wanted, self.loading.services(), &self.server)
            .await;
        step.unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "removed services could not be looked for: tried again"
            );
            false
        })
    }

    /// A server that went away has everything before it: its code is looked at anew, and the gate is closed until then.
    async fn not_serving(&mut self, was_serving: bool) -> Report {
        if was_serving {
            tracing::info!("the server does not answer any more");
            self.loading.forget();
        }
        if let Err(error) = self.removal.forget() {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the file of removed services stays"
            );
        }
        self.channels.forget();
        self.jobs.forget();
        self.members.forget();
        (self.is_settled, self.is_blind) = (false, false);
        self.password_set = false;
        self.probes.open.store(false, Ordering::Relaxed);
        let create = Path::new(paths::CREATE);
        if let Ok(step) = std::fs::read_to_string(create.join("failed")) {
            let told = self.doubt.trouble().await;
            let told = told.unwrap_or_else(|| words::failed_step(&step, create));
            return self.report(Phase::Creating, Some(told), "");
        }
        if !create.join("done").exists() {
            return self.report(Phase::Creating, None, "");
        }
        let runs = |outcome: &CallableOutcome| outcome.outcome == CallableState::Running;
        if self.callables.iter().any(runs) {
            // It has a time of its own.
            self.silent_since = None;
        }
        let since = self.silent_since.get_or_insert_with(Instant::now);
        let mut error = words::silence(since.elapsed());
        if error.is_some() {
            error = self.doubt.trouble().await.or(error);
        }
        self.report(Phase::Starting, error, "")
    }

    fn report(&self, phase: Phase, error: Option<String>, index_revision: &str) -> Report {
        Report {
            pod_uid: self.identity.pod_uid.clone(),
            phase,
            index_seen: String::new(),
            index_revision: index_revision.into(),
            error,
            services: self.loading.services().clone(),
            channels: self.channels.reports().clone(),
            jobs: self.jobs.reports().clone(),
            callables: self.callables.clone(),
        }
    }
}
