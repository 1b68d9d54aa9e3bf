//! Services that are no longer wanted. Zato keeps a service whose file has gone, or that has gone from its file, until it
//! starts anew: until then a service of ours takes its name and answers that it was removed (status 400), so that nothing
//! that a user took away answers, and nothing that is wanted stops. A server that starts anew has neither.
//!
//! Level-based: what the server has is compared with the index once for each revision and each start of the server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::code::{self, Wanted};
use super::zato::{self, Server, Source};
use super::{Error, cache, loading, soap};
use crate::exchange::{LoadState, ServiceReport};
use crate::python;

/// The file with the services that answer for removed ones. No user's file may have this name.
pub const FILE: &str = "zato_operator_removed.py";
/// Between two looks while a name is on its way.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the file is written for the same names before it is told.
const TRIES: u32 = 5;

/// Why a look failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server's answer.
    #[error(transparent)]
    Server(#[from] zato::Error),
    /// The file.
    #[error(transparent)]
    File(#[from] Error),
    /// The server has a service and does not say from where.
    #[error("the source of service {0} is not known")]
    Unknown(String),
}

/// What is known of removed services.
pub struct Removal {
    folder: PathBuf,
    /// The revision of the index of which nothing is left to do.
    done: Option<String>,
    looked: Option<Instant>,
    /// What the last look found. Only what two looks find is removed: the server may have been about to load a file.
    suspects: BTreeSet<String>,
    written: Option<Instant>,
    /// How often the file was written for the same names.
    tries: u32,
}

/// What a look found.
struct Look {
    /// What the server has of our folder and nobody wants.
    stale: BTreeSet<String>,
    /// Taken names under which a wanted file answers again.
    returned: BTreeSet<String>,
}

impl Removal {
    /// Knows nothing yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            done: None,
            looked: None,
            suspects: BTreeSet::new(),
            written: None,
            tries: 0,
        }
    }

    /// The server starts anew, without what was removed: nothing need answer for it.
    pub fn forget(&mut self) -> Result<(), Error> {
        *self = Self::new(&self.folder);
        code::remove(&self.folder.join(FILE))
    }

    /// What the server goes on answering, although the file that takes its names was written several times.
    pub fn failed(&self) -> Option<String> {
        let names = || self.suspects.iter().cloned().collect::<Vec<_>>().join(", ");
        (self.tries > TRIES).then(|| format!("removed services still answer: {}; delete the pod", names()))
    }

    /// Gives names that are wanted again back, before their files are written.
    pub fn release(&self, wanted: &Wanted) -> Result<(), Error> {
        let taken = self.taken();
        let kept: BTreeSet<_> = taken.difference(&wanted.services()).cloned().collect();
        if kept == taken { Ok(()) } else { self.write(&kept) }
    }

    /// Takes the names of services that are not wanted; whether nothing is left to do now.
    pub async fn step(
        &mut self,
        wanted: &Wanted,
        services: &BTreeMap<String, ServiceReport>,
        server: &Server,
    ) -> Result<bool, Failure> {
        if self.done.as_ref() == Some(&wanted.index.revision) {
            return Ok(true);
        }
        if self.looked.is_some_and(|looked| looked.elapsed() < PAUSE) {
            return Ok(false);
        }
        self.looked = Some(Instant::now());
        let look = self.look(wanted, services, server).await?;
        let confirmed: BTreeSet<_> = look.stale.intersection(&self.suspects).cloned().collect();
        self.suspects = look.stale;
        if self.suspects.is_empty() {
            self.tries = 0;
            // What failed may load later, and leave something behind then.
            if services
                .values()
                .all(|service| service.state == LoadState::Loaded)
            {
                self.done = Some(wanted.index.revision.clone());
            }
            return Ok(true);
        }
        if !confirmed.is_empty() {
            self.take(&confirmed, &look.returned)?;
        }
        Ok(false)
    }

    fn take(&mut self, stale: &BTreeSet<String>, returned: &BTreeSet<String>) -> Result<(), Error> {
        let taken = self.taken();
        // The server may have missed the file: it is written once more.
        let is_late = self
            .written
            .is_none_or(|written| written.elapsed() > loading::SEEN);
        if stale.is_subset(&taken) && !is_late {
            return Ok(());
        }
        tracing::info!(services = ?stale, "removed services: their names are taken");
        self.tries = if stale.is_subset(&taken) {
            self.tries + 1
        } else {
            0
        };
        self.written = Some(Instant::now());
        self.write(&taken.difference(returned).chain(stale).cloned().collect())
    }

    /// Looks at every service of the database that is not wanted by its name.
    async fn look(
        &self,
        wanted: &Wanted,
        services: &BTreeMap<String, ServiceReport>,
        server: &Server,
    ) -> Result<Look, Failure> {
        let current = current(wanted, services);
        let (names, taken) = (wanted.services(), self.taken());
        let mut look = Look {
            stale: BTreeSet::new(),
            returned: BTreeSet::new(),
        };
        for service in server.services().await? {
            let is_ours = [soap::SERVICE, cache::SERVICE].contains(&service.as_str());
            let is_zatos = service.starts_with("zato.") || service.starts_with("pub.zato.");
            // Without a row that leads to it, one of ours answers nobody.
            if names.contains(&service) || is_zatos || is_ours {
                continue;
            }
            let Some(source) = server.source(&service).await? else {
                if server.is_deployed(&service).await? {
                    return Err(Failure::Unknown(service));
                }
                continue;
            };
            if is_stale(&source, &self.folder, wanted, &current) {
                look.stale.insert(service);
            } else if taken.contains(&service) && !source.path.ends_with(FILE) {
                look.returned.insert(service);
            }
        }
        Ok(look)
    }

    /// The names that are taken now.
    fn taken(&self) -> BTreeSet<String> {
        let text = code::read(&self.folder.join(FILE)).unwrap_or_default();
        python::check(FILE, &text).unwrap_or_default()
    }

    fn write(&self, names: &BTreeSet<String>) -> Result<(), Error> {
        let path = self.folder.join(FILE);
        if names.is_empty() {
            return code::remove(&path);
        }
        code::replace(&path, &text(names))
    }
}

/// The hashes of the files of which the server has what is wanted, as far as that can be proved.
fn current<'a>(wanted: &'a Wanted, services: &BTreeMap<String, ServiceReport>) -> BTreeMap<&'a str, &'a str> {
    let is_loaded = |service: &str| {
        services
            .get(service)
            .is_some_and(|found| found.state == LoadState::Loaded)
    };
    wanted
        .index
        .files()
        .filter(|(service, _, entry)| is_loaded(service) && !entry.services.is_empty())
        .map(|(_, file, entry)| (file, entry.sha256.as_str()))
        .collect()
}

/// Whether a service that is not wanted comes from a file of ours that has gone, or that no longer defines it: all
/// services of a file are loaded together, so one with an older hash than the others was left behind.
fn is_stale(source: &Source, folder: &Path, wanted: &Wanted, current: &BTreeMap<&str, &str>) -> bool {
    let Some(file) = Path::new(&source.path)
        .strip_prefix(folder)
        .ok()
        .and_then(Path::to_str)
    else {
        return false;
    };
    if file == FILE {
        return false;
    }
    !wanted.files.contains_key(file) || current.get(file).is_some_and(|hash| *hash != source.hash)
}

fn text(names: &BTreeSet<String>) -> String {
    let mut text = String::from(
        "# Written by zato-operator: these services were removed. They are gone when the server starts anew.\n\
         from zato.common.exception import BadRequest\nfrom zato.server.service import Service\n",
    );
    for (number, name) in names.iter().enumerate() {
        // A text in JSON is one in Python, too.
        let name = serde_json::Value::from(name.as_str());
        let _ = write!(
            text,
            "\n\nclass Removed{number}(Service):\n    name = {name}\n\n    def handle(self):\n        \
             raise BadRequest(self.cid, 'Service was removed: ' + self.name)\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Index, IndexedFile, IndexedService};
    use rstest::rstest;

    fn wanted(files: &[(&str, &[&str])]) -> Wanted {
        let entry = |services: &[&str]| IndexedFile {
            sha256: crate::exchange::hash(b""),
            services: services.iter().map(|&name| name.into()).collect(),
            ..IndexedFile::default()
        };
        let files = files
            .iter()
            .map(|(file, services)| ((*file).to_owned(), entry(services)))
            .collect();
        let service = IndexedService {
            revision: "r".into(),
            files,
            ..IndexedService::default()
        };
        Wanted::complete(Index::sealed([("s".to_owned(), service)].into()), |_, _| {
            Some(String::new())
        })
        .unwrap()
    }

    fn loaded() -> BTreeMap<String, ServiceReport> {
        let report = ServiceReport {
            state: LoadState::Loaded,
            ..ServiceReport::default()
        };
        [("s".to_owned(), report)].into()
    }

    #[rstest]
    #[case("/hot/gone.py", "x", true)]
    #[case("/hot/a.py", "older", true)]
    #[case("/hot/unnamed.py", "older", false)]
    #[case("/hot/zato_operator_removed.py", "x", false)]
    #[case("/elsewhere/gone.py", "x", false)]
    fn what_is_left_behind_is_known(#[case] path: &str, #[case] hash: &str, #[case] stale: bool) {
        let wanted = wanted(&[("a.py", &["api.a"]), ("unnamed.py", &[])]);
        let source = Source {
            path: path.into(),
            hash: hash.into(),
        };
        let now = loaded();
        let none = BTreeMap::new();
        let is = |services| is_stale(&source, Path::new("/hot"), &wanted, &current(&wanted, services));
        assert_eq!(is(&now), stale);
        assert_eq!(
            is(&none),
            stale && path == "/hot/gone.py",
            "nothing is proved before it is loaded"
        );
    }

    #[test]
    fn the_file_names_what_it_takes_and_gives_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let removal = Removal::new(folder.path());
        let names: BTreeSet<String> = ["api.a", "b'\"\\"].map(Into::into).into();
        removal.write(&names).unwrap();
        assert_eq!(removal.taken(), names);
        removal.release(&wanted(&[("a.py", &["api.a"])])).unwrap();
        assert_eq!(removal.taken(), BTreeSet::from(["b'\"\\".into()]));
        code::write(folder.path(), &wanted(&[])).unwrap();
        assert_eq!(removal.taken().len(), 1, "the code's own writer leaves it alone");
        removal.write(&BTreeSet::new()).unwrap();
        assert!(!folder.path().join(FILE).exists());
    }
}
