//! The code of services on its way into the server: writes the files, and finds out what the server has of them.
//!
//! The proof that a file is loaded is the server's own hash of it; what its log says of errors is told, and never proof of more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::code::{self, Wanted};
use super::importers::Importers;
use super::imports::Imports;
use super::log::Log;
use super::zato::Server;
use super::{Error, packages, words};
use crate::cluster::desired::paths;
use crate::exchange::{IndexedFile, IndexedService, LoadState, ServiceReport};
use crate::python::modules::is_in_package;

/// What is written again within this time may meet an error of the version before it, which the server still loads.
const IN_FLIGHT: Duration = Duration::from_secs(30);
/// A server that looks for changes each second has seen a file after this time. One that has not is written again.
pub const SEEN: Duration = Duration::from_secs(3);

/// What is known of the code in one server.
pub struct Loading {
    log: Log,
    /// The newest error of each file since it was written.
    errors: BTreeMap<String, String>,
    written: BTreeMap<String, Instant>,
    /// Files that took the place of a version which the server was loading: the next error may be of that one.
    doubtful: BTreeSet<String>,
    /// Files that could not be loaded again after a change of what they import: the server goes on with what it had, whose hash
    /// is the same.
    stale: BTreeSet<String>,
    imports: Imports,
    importers: Importers,
    /// Whether nothing was written yet.
    is_first: bool,
    services: BTreeMap<String, ServiceReport>,
}

impl Loading {
    /// Nothing is known; `log`: of the server.
    pub fn new(log: &Path) -> Self {
        Self {
            log: Log::new(log),
            errors: BTreeMap::new(),
            written: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            stale: BTreeSet::new(),
            imports: Imports::default(),
            importers: Importers::default(),
            is_first: true,
            services: BTreeMap::new(),
        }
    }

    /// What the server has of each service.
    pub fn services(&self) -> &BTreeMap<String, ServiceReport> {
        &self.services
    }

    /// Whether each service is loaded or has failed.
    pub fn is_over(&self) -> bool {
        let mut services = self.services.values();
        services.all(|service| service.state != LoadState::Loading)
    }

    /// The server went away: its code is looked at anew, and it loads files in an order of its own.
    pub fn forget(&mut self) {
        self.services.clear();
        self.imports = Imports::default();
        // It may only have been busy.
        self.importers.again(std::mem::take(&mut self.stale));
    }

    /// Writes what differs into the folder that the server deploys.
    pub fn write(&mut self, wanted: &Wanted) -> Result<(), Error> {
        let (folder, now) = (Path::new(paths::HOT), Instant::now());
        self.importers.of(wanted);
        if std::mem::take(&mut self.is_first) && !code::is_empty(folder) {
            self.importers.doubt(now);
        }
        // Before the file that lets Python find them.
        packages::write(Path::new(paths::PACKAGES), &wanted.files)?;
        let written = code::write(folder, wanted)?;
        let others = written.iter().filter(|one| one.is_other);
        let others: Vec<_> = others.map(|one| one.name.clone()).collect();
        self.importers.changed(&others, now);
        for code::Written { name, .. } in written {
            self.errors.remove(&name);
            self.stale.remove(&name);
            let before = self.written.insert(name.clone(), now);
            if before.is_some_and(|before| before.elapsed() < IN_FLIGHT) {
                self.doubtful.insert(name);
            }
        }
        Ok(())
    }

    /// Takes what the server noted meanwhile.
    pub fn read_log(&mut self) {
        self.errors.extend(self.log.errors());
        for file in self.log.seen() {
            self.importers.seen(&file);
        }
    }

    /// Asks the server about every service that is not known to be loaded in its current revision.
    pub async fn look(&mut self, wanted: &Wanted, server: &Server) {
        for name in self.importers.take(&self.errors, Instant::now()) {
            self.errors.remove(&name);
            self.write_again(&name, wanted);
        }
        self.services
            .retain(|name, _| wanted.index.services.contains_key(name));
        for (name, indexed) in &wanted.index.services {
            let known = self.services.get(name);
            let mut files = indexed.files.keys();
            let is_waiting = files.any(|file| self.is_waiting(file));
            if known.is_some_and(|known| known.has(indexed)) && !is_waiting {
                continue;
            }
            let mut report = ServiceReport {
                revision: indexed.revision.clone(),
                state: LoadState::Loaded,
                error: None,
                expected: indexed.expected.clone(),
            };
            for (file, entry) in &indexed.files {
                let (state, has_other) = self.file(file, entry, wanted, server).await;
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
                self.confirm(indexed, &mut report, server).await;
            }
            self.services.insert(name.clone(), report);
        }
    }

    /// Whether the server has what must be there beside the services that the files are known to define.
    async fn confirm(&self, indexed: &IndexedService, report: &mut ServiceReport, server: &Server) {
        for service in &indexed.expected {
            if indexed.services().any(|known| known == service) {
                continue;
            }
            match server.is_deployed(service).await {
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

    /// Whether a file is loaded again, or is going to be, because of what it imports.
    fn is_waiting(&self, name: &str) -> bool {
        let is_on_its_way = || self.importers.is_again(name) && !self.errors.contains_key(name);
        self.importers.is_due(name, &self.errors) || is_on_its_way()
    }

    /// Whether the server may not have seen all of it yet.
    fn is_new(&self, indexed: &IndexedService) -> bool {
        let written = indexed.files.keys().filter_map(|file| self.written.get(file));
        written.max().is_some_and(|written| written.elapsed() < SEEN)
    }

    /// What the server has of one file, and whether it has a service of it in another version. Its own hash of the source
    /// is the proof; bytecode is off, so it cannot be stale.
    async fn file(
        &mut self,
        name: &str,
        entry: &IndexedFile,
        wanted: &Wanted,
        server: &Server,
    ) -> (LoadState, bool) {
        if is_in_package(name)
            && let Some(error) = self.errors.get(packages::FILE)
        {
            // Python finds none of them.
            let error = error.clone();
            self.errors.insert(name.to_owned(), error);
            return (LoadState::Failed, false);
        }
        let (mut is_loaded, mut has_other) = (!entry.services.is_empty(), false);
        for service in &entry.services {
            let source = server.source(service).await.ok().flatten();
            let is_it = source.as_ref().is_some_and(|source| source.hash == entry.sha256);
            is_loaded &= is_it;
            has_other |= source.is_some() && !is_it;
        }
        if self.is_waiting(name) {
            return (LoadState::Loading, has_other);
        }
        if self.importers.is_again(name) {
            self.stale.insert(name.to_owned());
        }
        has_other |= self.stale.contains(name);
        if is_loaded && !has_other {
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
        let now = Instant::now();
        self.written.insert(name.to_owned(), now);
        self.importers.rewritten(name, now);
        self.stale.remove(name);
        LoadState::Loading
    }
}
