//! Keeps one server as the index says: writes the code, finds out what the server has of it, opens the gate, reports.
//!
//! Level-based: each round looks at what is there. A restarted server or agent needs no special case.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::watch::{Receiver, Sender};

use super::channels::Channels;
use super::code::{self, Wanted};
use super::creation::Credentials;
use super::imports::Imports;
use super::jobs::Jobs;
use super::log::Log;
use super::probes::State;
use super::removal::Removal;
use super::startup::Startup;
use super::zato::Server;
use super::{Error, Identity, words};
use crate::cluster::desired::paths;
use crate::exchange::{
    CallableOutcome, CallableState, IndexedFile, IndexedService, LoadState, Phase, Report, ServiceReport,
};

/// Between two rounds while something is on its way.
const BUSY: Duration = Duration::from_millis(100);
/// Between two rounds while nothing is.
const IDLE: Duration = Duration::from_secs(2);
/// What is written again within this time may meet an error of the version before it, which the server still loads.
const IN_FLIGHT: Duration = Duration::from_secs(30);
/// A server that looks for changes each second has seen a file after this time. One that has not is written again.
pub const SEEN: Duration = Duration::from_secs(3);

/// The keeper of one server.
pub struct Keeper {
    identity: Identity,
    server: Server,
    wanted: Receiver<Option<Wanted>>,
    probes: Arc<State>,
    log: Log,
    errors: BTreeMap<String, String>,
    /// Whether the log was read before.
    has_read: bool,
    written: BTreeMap<String, Instant>,
    /// Files that took the place of a version which the server was loading: the next error may be of that one.
    doubtful: BTreeSet<String>,
    /// The revision of the index of this round.
    seen: String,
    imports: Imports,
    services: BTreeMap<String, ServiceReport>,
    removal: Removal,
    channels: Channels,
    jobs: Jobs,
    startup: Startup,
    callables: Vec<CallableOutcome>,
    is_settled: bool,
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
        let has_scheduler = identity
            .components
            .iter()
            .any(|component| component == "scheduler");
        Self {
            identity,
            server: Server::new(credentials.admin_invoke.clone(), credentials.pubapi.clone()),
            wanted,
            probes,
            log: Log::new(&Path::new(paths::ENVIRONMENT).join("server/logs/server.log")),
            errors: BTreeMap::new(),
            has_read: false,
            written: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            seen: String::new(),
            imports: Imports::default(),
            services: BTreeMap::new(),
            removal: Removal::new(Path::new(paths::HOT)),
            channels: Channels::default(),
            jobs: Jobs::new(has_scheduler),
            startup,
            callables: vec![],
            is_settled: false,
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
                Some(wanted) => self.round(wanted).await?,
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
        self.removal.release(wanted)?;
        self.seen.clone_from(&wanted.index.revision);
        for name in code::write(Path::new(paths::HOT), wanted)? {
            self.errors.remove(&name);
            let before = self.written.insert(name.clone(), Instant::now());
            if before.is_some_and(|before| before.elapsed() < IN_FLIGHT) {
                self.doubtful.insert(name);
            }
        }
        self.probes.prepared.store(true, Ordering::Relaxed);
        let errors = self.log.errors();
        // Those of before this agent may be of files that are others by now. What fails fails again.
        if std::mem::replace(&mut self.has_read, true) {
            self.errors.extend(errors);
        }
        let was_serving = std::mem::replace(&mut self.serving, self.server.ping().await);
        // After the ping: a server that is busy with a callable answers late.
        self.callables = self.startup.outcomes(self.probes.open.load(Ordering::Relaxed));
        if !self.serving {
            return Ok(self.not_serving(was_serving));
        }
        self.silent_since = None;
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
        self.look(wanted).await;
        let is_loaded = self
            .services
            .values()
            .all(|service| service.state != LoadState::Loading);
        if is_loaded && self.startup.is_passed(&self.callables) {
            self.probes.open.store(true, Ordering::Relaxed);
        }
        let has_channels = self.channels.step(wanted, &self.services, &self.server).await;
        let has_jobs = self.jobs.step(wanted, &self.services, &self.server).await;
        // Whatever a scheduler does that does not answer.
        let is_removed = is_loaded && has_channels && self.remove(wanted).await;
        self.is_settled = is_removed && has_jobs;
        let open = self.probes.open.load(Ordering::Relaxed);
        let phase = if open { Phase::Serving } else { Phase::Loading };
        let revision = if self.is_settled {
            wanted.index.revision.as_str()
        } else {
            ""
        };
        Ok(self.report(phase, self.removal.failed(), revision))
    }

    /// Whether the server has nothing of ours that is not wanted.
    async fn remove(&mut self, wanted: &Wanted) -> bool {
        let step = self.removal.step(wanted, &self.services, &self.server).await;
        step.unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "removed services could not be looked for: tried again"
            );
            false
        })
    }

    /// A server that went away has everything before it: its code is looked at anew, and the gate is closed until then.
    fn not_serving(&mut self, was_serving: bool) -> Report {
        if was_serving {
            tracing::info!("the server does not answer any more");
            self.services.clear();
            // A server that starts loads files in an order of its own.
            self.imports = Imports::default();
        }
        if let Err(error) = self.removal.forget() {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the file of removed services stays"
            );
        }
        self.channels.forget();
        self.jobs.forget();
        self.is_settled = false;
        self.password_set = false;
        self.probes.open.store(false, Ordering::Relaxed);
        let create = Path::new(paths::CREATE);
        if let Ok(step) = std::fs::read_to_string(create.join("failed")) {
            return self.report(Phase::Creating, Some(words::failed_step(&step, create)), "");
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
        let error = words::silence(since.elapsed());
        self.report(Phase::Starting, error, "")
    }

    /// Asks the server about every service that is not known to be loaded in its current revision.
    async fn look(&mut self, wanted: &Wanted) {
        self.services
            .retain(|name, _| wanted.index.services.contains_key(name));
        for (name, indexed) in &wanted.index.services {
            let known = self.services.get(name);
            if known.is_some_and(|known| known.has(indexed)) {
                continue;
            }
            let mut report = ServiceReport {
                revision: indexed.revision.clone(),
                state: LoadState::Loaded,
                error: None,
                expected: indexed.expected.clone(),
            };
            for (file, entry) in &indexed.files {
                let (state, has_other) = self.file(file, entry, wanted).await;
                match state {
                    LoadState::Loaded => {}
                    LoadState::Failed => {
                        let error = self.errors.get(file);
                        report.state = LoadState::Failed;
                        report.error = error.map(|error| words::failed_file(file, error, entry, has_other));
                        break;
                    }
                    LoadState::Loading => report.state = LoadState::Loading,
                }
            }
            if report.state == LoadState::Loaded {
                self.confirm(indexed, &mut report).await;
            }
            self.services.insert(name.clone(), report);
        }
    }

    /// Whether the server has what must be there beside the services that the files are known to define.
    async fn confirm(&self, indexed: &IndexedService, report: &mut ServiceReport) {
        for service in &indexed.expected {
            if indexed.services().any(|known| known == service) {
                continue;
            }
            match self.server.is_deployed(service).await {
                Ok(true) => {}
                // It may come a moment later than what the files name.
                Ok(false) if self.is_new(indexed) => report.state = LoadState::Loading,
                Ok(false) => {
                    report.state = LoadState::Failed;
                    report.error = Some(words::missing_service(service));
                    return;
                }
                // Nobody knows: asked again.
                Err(_) => {
                    report.state = LoadState::Loading;
                    return;
                }
            }
        }
    }

    /// Whether the server may not have seen all of it yet.
    fn is_new(&self, indexed: &IndexedService) -> bool {
        let written = indexed.files.keys().filter_map(|file| self.written.get(file));
        written.max().is_some_and(|written| written.elapsed() < SEEN)
    }

    /// What the server has of one file, and whether it has a service of it in another version. Its own hash of the source
    /// is the proof; bytecode is off, so it cannot be stale.
    async fn file(&mut self, name: &str, entry: &IndexedFile, wanted: &Wanted) -> (LoadState, bool) {
        let (mut is_loaded, mut has_other) = (!entry.services.is_empty(), false);
        for service in &entry.services {
            let source = self.server.source(service).await.ok().flatten();
            let is_it = source.as_ref().is_some_and(|source| source.hash == entry.sha256);
            is_loaded &= is_it;
            has_other |= source.is_some() && !is_it;
        }
        if is_loaded {
            self.errors.remove(name);
            self.doubtful.remove(name);
            return (LoadState::Loaded, false);
        }
        if self.errors.contains_key(name) && self.doubtful.remove(name) {
            self.errors.remove(name);
            return (self.write_again(name, wanted), has_other);
        }
        if let Some(error) = self.errors.get(name) {
            let Some(module) = self.imports.awaited(name, error, entry, wanted) else {
                return (LoadState::Failed, has_other);
            };
            if self.errors.contains_key(&module) {
                return (LoadState::Failed, has_other);
            }
            return (self.load_after(name, &module, entry, wanted), has_other);
        }
        (self.wait_for(name, entry, wanted), has_other)
    }

    /// A file that the server tried to load before another one of ours, which it imports: written again when that one has
    /// been seen.
    fn load_after(&mut self, name: &str, module: &str, entry: &IndexedFile, wanted: &Wanted) -> LoadState {
        let since = *self.written.entry(module.to_owned()).or_insert_with(Instant::now);
        if since.elapsed() < SEEN {
            return LoadState::Loading;
        }
        self.imports.tried(name, entry);
        self.errors.remove(name);
        self.write_again(name, wanted)
    }

    /// A file that the server has not loaded yet, and has not complained about.
    fn wait_for(&mut self, name: &str, entry: &IndexedFile, wanted: &Wanted) -> LoadState {
        let since = *self.written.entry(name.to_owned()).or_insert_with(Instant::now);
        if since.elapsed() < SEEN {
            return LoadState::Loading;
        }
        if entry.services.is_empty() {
            // It defines no service that could be asked for. The server has seen it and did not complain.
            return LoadState::Loaded;
        }
        self.write_again(name, wanted)
    }

    /// The server may have missed the change: it looks once a second and notes what it saw only afterwards.
    fn write_again(&mut self, name: &str, wanted: &Wanted) -> LoadState {
        tracing::info!(file = name, "not loaded yet: written once more");
        let path: PathBuf = Path::new(paths::HOT).join(name);
        if let Some(text) = wanted.files.get(name)
            && let Err(error) = code::replace(&path, text)
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a file could not be written again"
            );
        }
        self.written.insert(name.to_owned(), Instant::now());
        LoadState::Loading
    }

    fn report(&self, phase: Phase, error: Option<String>, index_revision: &str) -> Report {
        Report {
            pod_uid: self.identity.pod_uid.clone(),
            phase,
            index_seen: self.seen.clone(),
            index_revision: index_revision.into(),
            error,
            services: self.services.clone(),
            channels: self.channels.reports().clone(),
            jobs: self.jobs.reports().clone(),
            callables: self.callables.clone(),
        }
    }
}
