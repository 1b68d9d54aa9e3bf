//! Files that have to be loaded again because what they import was. Zato does that itself only where services or models are in
//! what changed: whoever imports any other file goes on with the old version of it.
//!
//! Pure. Knows names, texts and times; never touches a file. What could not be loaded is kept from those who import it: they go
//! on with what they have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::code::Wanted;
use super::loading::SEEN;
use super::packages;
use crate::exchange::hash;
use crate::python;
use crate::python::modules::{is_in_package, stem};

/// A server that says nothing of a file has loaded it after this time.
const LATE: Duration = Duration::from_secs(15);

/// Errors by file.
pub type Errors = BTreeMap<String, String>;

/// What waits to be loaded again.
#[derive(Default)]
pub struct Importers {
    /// The revision of the index that all this is about.
    revision: String,
    /// The first names of what texts import, by the hash of the text.
    known: BTreeMap<String, Arc<BTreeSet<String>>>,
    /// The files that each file imports. One file stands for all modules in packages.
    imports: BTreeMap<String, BTreeSet<String>>,
    /// What was written and may not be loaded yet.
    fresh: BTreeMap<String, Fresh>,
    /// What is to be loaded again, after what it imports.
    waiting: BTreeSet<String>,
}

/// A file on its way into the server.
struct Fresh {
    since: Instant,
    /// Whether it is the same as before.
    is_again: bool,
    /// Whether the server says that it looked at it.
    is_seen: bool,
}

impl Importers {
    /// Reads what files import, of another index.
    pub fn of(&mut self, wanted: &Wanted) {
        if self.revision == wanted.index.revision && !self.imports.is_empty() {
            return;
        }
        self.revision.clone_from(&wanted.index.revision);
        let mut known = BTreeMap::new();
        self.imports.clear();
        let packages = packages::names(&wanted.files);
        for (file, text) in &wanted.files {
            let key = hash(format!("{file}\0{text}").as_bytes());
            let read = || Arc::new(python::imports(stem(file), text));
            let names = self.known.remove(&key).unwrap_or_else(read);
            let node = if is_in_package(file) { packages::FILE } else { file };
            let imported = names.iter().filter_map(|name| {
                let module = format!("{name}.py");
                let is_package = packages.contains(name.as_str());
                let found = is_package.then(|| packages::FILE.to_owned());
                found.or_else(|| wanted.files.contains_key(&module).then_some(module))
            });
            let imported = imported.filter(|other| other != node);
            self.imports.entry(node.to_owned()).or_default().extend(imported);
            known.insert(key, names);
        }
        self.known = known;
        let is_there = |name: &String| wanted.files.contains_key(name);
        self.fresh.retain(|name, _| is_there(name));
        self.waiting.retain(is_there);
    }

    /// The server gets other versions of these files.
    pub fn changed(&mut self, files: &[String], now: Instant) {
        for file in files {
            self.fresh.insert(file.clone(), Fresh::new(now, false));
        }
        let importers = self.importers(files);
        self.waiting.extend(importers);
    }

    /// Nobody knows which versions the server has of what its files import: an agent was killed.
    pub fn doubt(&mut self, now: Instant) {
        let imported: Vec<String> = self.imports.values().flatten().cloned().collect();
        self.changed(&imported, now);
        for fresh in self.fresh.values_mut() {
            fresh.is_seen = true;
        }
    }

    /// These are loaded again when what they import is there.
    pub fn again(&mut self, files: impl IntoIterator<Item = String>) {
        self.waiting.extend(files);
    }

    /// A file that was written once more.
    pub fn rewritten(&mut self, file: &str, now: Instant) {
        if let Some(fresh) = self.fresh.get_mut(file) {
            *fresh = Fresh::new(now, fresh.is_again);
        }
    }

    /// The server says that it looked at a file.
    pub fn seen(&mut self, file: &str) {
        if let Some(fresh) = self.fresh.get_mut(file) {
            fresh.is_seen = true;
        }
    }

    /// The files whose time has come: they are written again now.
    pub fn take(&mut self, errors: &Errors, now: Instant) -> Vec<String> {
        self.fresh
            .retain(|name, fresh| !fresh.is_over(now) || errors.contains_key(name));
        let is_free = |file: &&String| {
            let mut imported = self.imported(file);
            !imported.any(|other| self.fresh.contains_key(other) || self.waiting.contains(other))
        };
        let mut ready: Vec<String> = self.waiting.iter().filter(is_free).cloned().collect();
        if ready.is_empty() && self.fresh.values().all(|fresh| fresh.is_over(now)) {
            // What imports itself by way of others has no first one.
            let is_circular = |file: &&String| self.importers(&[(*file).clone()]).contains(*file);
            let mut circle = self.waiting.iter().filter(is_circular);
            ready.extend(circle.find(|file| !self.is_blocked(file, errors)).cloned());
        }
        for file in &ready {
            self.waiting.remove(file);
            self.fresh.insert(file.clone(), Fresh::new(now, true));
        }
        ready
    }

    /// Whether a file is going to be loaded again.
    pub fn is_due(&self, file: &str, errors: &Errors) -> bool {
        self.waiting.contains(file) && !self.is_blocked(file, errors)
    }

    /// Whether it was written again, and the server may not have loaded it yet.
    pub fn is_again(&self, file: &str) -> bool {
        self.fresh.get(file).is_some_and(|fresh| fresh.is_again)
    }

    fn imported(&self, file: &str) -> impl Iterator<Item = &String> {
        self.imports.get(file).into_iter().flatten()
    }

    /// Whether something that it imports, or that waits before it, could not be loaded.
    fn is_blocked(&self, file: &str, errors: &Errors) -> bool {
        let (mut waiting, mut looked) = (vec![file], BTreeSet::new());
        while let Some(next) = waiting.pop() {
            for other in self.imported(next).filter(|other| looked.insert(other.as_str())) {
                if self.fresh.contains_key(other) && errors.contains_key(other) {
                    return true;
                }
                if self.waiting.contains(other) {
                    waiting.push(other);
                }
            }
        }
        false
    }

    /// What imports these files, and what imports that in turn.
    fn importers(&self, files: &[String]) -> BTreeSet<String> {
        let (mut found, mut next) = (BTreeSet::new(), files.to_vec());
        while let Some(file) = next.pop() {
            for (other, imported) in &self.imports {
                if imported.contains(&file) && found.insert(other.clone()) {
                    next.push(other.clone());
                }
            }
        }
        found
    }
}

impl Fresh {
    fn new(since: Instant, is_again: bool) -> Self {
        Self {
            since,
            is_again,
            is_seen: false,
        }
    }

    /// Its version of before may have been seen at first.
    fn is_over(&self, now: Instant) -> bool {
        let time = if self.is_seen { SEEN } else { LATE };
        now >= self.since + time
    }
}

#[cfg(test)]
mod tests;
