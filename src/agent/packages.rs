//! Modules in packages: a file `shop.prices.py` is the module `shop.prices`. Zato deploys none of them. They are in a folder of
//! their own, and one file that the server does deploy lets Python find them, and forget what they were.
//!
//! Never touches what is not ours: neither files beside that folder, nor modules of Zato's image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::Error;
use super::code::{read, remove, replace};
use crate::cluster::desired::paths;
use crate::exchange::revision;
use crate::python::modules::{first, is_in_package};

/// The file that the server deploys. Zato loads those first whose names begin with `common`. No user's file may have this name.
pub const FILE: &str = "common_zato_operator_packages.py";
/// How deep folders may be that something else left.
const DEPTH: usize = 64;

/// The text of that file; none: there is no package. It changes with what is in them. What Python knows under the name of a package
/// and has from our folders goes, also a file that was a module of that name before.
pub fn deployed(files: &BTreeMap<String, String>) -> Option<String> {
    let inside = inside(files);
    let revision = revision(inside.clone());
    inside.clone().next()?;
    let names: Vec<_> = names(files).into_iter().map(|name| format!("'{name}'")).collect();
    Some(format!(
        r#""""Lets Python find the modules in packages, {revision}, and forget older ones. Made by zato-operator."""
import importlib
import sys

FOLDER = '{folder}'
NAMES = [{names}]


def is_old(name, module):
    try:
        file = str(module.__file__ or '')
    except Exception:
        # A package without a file of its own.
        file = ''
    is_ours = not file or file.startswith(('{hot}/', FOLDER + '/'))
    return file.startswith(FOLDER + '/') or (name.split('.')[0] in NAMES and is_ours)


if FOLDER not in sys.path:
    sys.path.append(FOLDER)
importlib.invalidate_caches()
for name, module in list(sys.modules.items()):
    if is_old(name, module):
        sys.modules.pop(name, None)
"#,
        folder = paths::PACKAGES,
        hot = paths::HOT,
        names = names.join(", ")
    ))
}

fn inside(files: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> + Clone {
    let all = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    all.filter(|(name, _)| is_in_package(name))
}

/// The packages that are there, by the first part of their names.
pub fn names(files: &BTreeMap<String, String>) -> BTreeSet<&str> {
    inside(files).map(|(name, _)| first(name)).collect()
}

/// Makes the folder hold exactly the modules in packages.
pub fn write(folder: &Path, files: &BTreeMap<String, String>) -> Result<(), Error> {
    let mut wanted = BTreeSet::new();
    for (name, text) in inside(files) {
        let path = place(folder, name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| Error::file(parent, error))?;
        if read(&path).as_deref() != Some(text) {
            replace(&path, text)?;
        }
        wanted.insert(path);
    }
    if folder.is_dir() {
        clean(folder, &wanted, DEPTH)?;
    }
    Ok(())
}

/// `shop.prices.py` is `shop/prices.py`.
fn place(folder: &Path, name: &str) -> PathBuf {
    let module = name.strip_suffix(".py").unwrap_or(name);
    folder.join(format!("{}.py", module.replace('.', "/")))
}

/// Removes what is not wanted.
fn clean(folder: &Path, wanted: &BTreeSet<PathBuf>, depth: usize) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(|error| Error::file(folder, error))? {
        let entry = entry.map_err(|error| Error::file(folder, error))?;
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && depth > 0 {
            clean(&path, wanted, depth - 1)?;
            // One that holds something stays.
            let _ = fs::remove_dir(&path);
        } else if !wanted.contains(&path) {
            remove(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        files.iter().map(owned).collect()
    }

    #[test]
    fn modules_are_in_folders_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let mut found = vec![];
            let mut waiting = vec![folder.path().to_owned()];
            while let Some(next) = waiting.pop() {
                for entry in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
                    let relative = entry.strip_prefix(folder.path()).unwrap().display().to_string();
                    found.push(relative);
                    if entry.is_dir() {
                        waiting.push(entry);
                    }
                }
            }
            found.sort();
            found
        };
        let first = files(&[("a.py", "1"), ("shop.prices.py", "2"), ("shop.eu.vat.py", "3")]);
        write(folder.path(), &first).unwrap();
        let wanted = ["shop", "shop/eu", "shop/eu/vat.py", "shop/prices.py"];
        assert_eq!(names(), wanted);
        fs::write(folder.path().join("shop/other.pyc"), "left").unwrap();
        write(folder.path(), &files(&[("shop.prices.py", "4")])).unwrap();
        assert_eq!(names(), ["shop", "shop/prices.py"]);
        assert_eq!(
            fs::read_to_string(folder.path().join("shop/prices.py")).unwrap(),
            "4"
        );
        write(folder.path(), &files(&[])).unwrap();
        assert_eq!(names(), Vec::<String>::new());
    }

    /// Else the server would not load it again.
    #[test]
    fn the_file_changes_with_what_is_in_packages() {
        let text = |of: &[(&str, &str)]| deployed(&files(of));
        assert_eq!(text(&[("a.py", "1")]), None);
        let one = text(&[("a.py", "1"), ("p.a.py", "1")]);
        assert_eq!(one, text(&[("a.py", "2"), ("p.a.py", "1")]));
        assert_ne!(one, text(&[("a.py", "1"), ("p.a.py", "2")]));
        assert_ne!(one, text(&[("a.py", "1"), ("p.b.py", "1")]));
    }

    #[test]
    fn packages_are_known_by_their_first_names() {
        let files = files(&[("a.py", ""), ("p.a.py", ""), ("q.r.s.py", "")]);
        assert_eq!(names(&files), ["p", "q"].into());
    }
}
