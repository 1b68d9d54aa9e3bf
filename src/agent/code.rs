//! The code that the server must have: from the mounts at the start, from the API server later; and its way into the
//! folder that the server deploys.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::{Error, cache, packages, removal, soap};
use crate::cluster::desired::paths;
use crate::exchange::{INDEX_KEY, Index, hash};
use crate::python::modules::is_in_package;

/// More than any file of ours has.
const MOST_BYTES: u64 = 1024 * 1024;
/// Files in the folder that are no user's.
pub const OURS: [&str; 3] = [removal::FILE, soap::FILE, cache::FILE];

/// An index with all contents that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The index.
    pub index: Index,
    /// Contents by file name; each has the hash that the index says. Also [`packages::FILE`], if there are packages.
    pub files: BTreeMap<String, String>,
}

impl Wanted {
    /// The names of all services that the index knows.
    pub fn services(&self) -> BTreeSet<String> {
        self.index
            .files()
            .flat_map(|(_, _, entry)| entry.services.clone())
            .collect()
    }

    /// Nothing unless every file of the index is there with its hash.
    pub fn complete(index: Index, content: impl Fn(&str, &str) -> Option<String>) -> Option<Self> {
        let mut files = BTreeMap::new();
        for (_, name, entry) in index.files() {
            let text = content(&entry.shard, name)?;
            if hash(text.as_bytes()) != entry.sha256 {
                return None;
            }
            files.insert(name.to_owned(), text);
        }
        if let Some(text) = packages::deployed(&files) {
            files.insert(packages::FILE.into(), text);
        }
        Some(Self { index, files })
    }
}

/// What the kubelet mounted, if it is whole: a pod starts without the API server.
pub fn mounted() -> Option<Wanted> {
    let text = fs::read_to_string(Path::new(paths::INDEX).join(INDEX_KEY)).ok()?;
    let index: Index = serde_json::from_str(&text).ok()?;
    Wanted::complete(index, |shard, file| {
        fs::read_to_string(Path::new(paths::CODE).join(shard).join(file)).ok()
    })
}

/// A file that the server's code can write, too, and its length: a link is not followed, what is no file is nothing.
pub fn open(path: &Path) -> Option<(File, u64)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
    Some((file, metadata.len()))
}

/// What a file in the folder holds; what is too long is nothing.
pub fn read(path: &Path) -> Option<String> {
    let (file, length) = open(path)?;
    if length > MOST_BYTES {
        return None;
    }
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Whether nothing is in a folder.
pub fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// A file that was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub name: String,
    /// Whether there was another version of it.
    pub is_other: bool,
}

/// Makes `folder` hold exactly the wanted files without those in packages (and [`OURS`]); returns those that were written.
pub fn write(folder: &Path, wanted: &Wanted) -> Result<Vec<Written>, Error> {
    let mut written = vec![];
    for (name, text) in wanted.files.iter().filter(|(name, _)| !is_in_package(name)) {
        let path = folder.join(name);
        let before = read(&path);
        if before.as_ref() != Some(text) {
            replace(&path, text)?;
            written.push(Written {
                name: name.clone(),
                is_other: before.is_some(),
            });
        }
    }
    for entry in fs::read_dir(folder).map_err(|error| Error::file(folder, error))? {
        let path = entry.map_err(|error| Error::file(folder, error))?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_file() && !OURS.contains(&name) && !wanted.files.contains_key(name) {
            remove(&path)?;
        }
    }
    Ok(written)
}

/// Under another name first, then renamed: the server never sees half a file.
pub fn replace(path: &Path, text: &str) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.new"));
    // The server's code can write here, too: a link that it left is removed, never followed.
    remove(&new)?;
    let mut file = File::create_new(&new).map_err(|error| Error::file(&new, error))?;
    file.write_all(text.as_bytes())
        .map_err(|error| Error::file(&new, error))?;
    fs::rename(&new, path).map_err(|error| Error::file(path, error))
}

/// Also if it is not there.
pub fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{IndexedFile, IndexedService};

    fn wanted(files: &[(&str, &str)]) -> Wanted {
        let entry = |text: &str| IndexedFile {
            sha256: hash(text.as_bytes()),
            ..IndexedFile::default()
        };
        let indexed = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), entry(text)))
            .collect();
        let service = IndexedService {
            revision: "r".into(),
            files: indexed,
            ..IndexedService::default()
        };
        let index = Index::sealed([("s".to_owned(), service)].into());
        let content = |_: &str, name: &str| {
            files
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, t)| (*t).to_owned())
        };
        Wanted::complete(index, content).unwrap()
    }

    #[test]
    fn the_folder_ends_as_wanted_and_only_changes_are_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".a.py.new"), "left by a killed agent").unwrap();
        let written = |files: &[(&str, &str)]| {
            let written = write(folder.path(), &wanted(files)).unwrap();
            written
                .into_iter()
                .map(|one| (one.name, one.is_other))
                .collect::<Vec<_>>()
        };
        let owned = |name: &str, is_other| (name.to_owned(), is_other);
        assert_eq!(
            written(&[("a.py", "0"), ("b.py", "2")]),
            [owned("a.py", false), owned("b.py", false)]
        );
        assert_eq!(
            written(&[("a.py", "1"), ("c.py", "3")]),
            [owned("a.py", true), owned("c.py", false)]
        );
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["a.py", "c.py"]);
    }

    #[test]
    fn a_link_that_the_server_left_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join(".a.py.new")).unwrap();
        write(folder.path(), &wanted(&[("a.py", "1")])).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        assert_eq!(read(&folder.path().join("link")), None);
        assert_eq!(fs::read_to_string(outside.path()).unwrap(), "");
        assert_eq!(fs::read_to_string(folder.path().join("a.py")).unwrap(), "1");
    }

    #[test]
    fn contents_of_another_revision_are_not_taken() {
        let index = wanted(&[("a.py", "1")]).index;
        assert_eq!(Wanted::complete(index.clone(), |_, _| Some("2".into())), None);
        assert_eq!(Wanted::complete(index, |_, _| None), None);
    }
}
