//! Files that have to be loaded again because what they import was. Zato does that itself only where services or models are in
//! what changed: whoever imports any other file goes on with the old version of it.
//!
//! Pure. Knows names, texts and times; never touches a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use super::code::Wanted;
use super::loading::SEEN;
use super::packages;
use crate::openapi::{names, source};
use crate::python::modules::is_in_package;

/// What waits to be loaded again.
#[derive(Default)]
pub struct Importers {
    /// The revision of the index that all this is about.
    revision: String,
    /// What was loaded again because of what: each once for a revision, so that files which import each other come to an end.
    done: BTreeSet<(String, String)>,
    /// When each is loaded again: when the server has seen what it imports.
    due: BTreeMap<String, Instant>,
    /// The files that were loaded again, and when.
    again: BTreeMap<String, Instant>,
}

impl Importers {
    /// Another index: what changed with the one before is done, or comes again.
    pub fn of(&mut self, wanted: &Wanted) {
        if self.revision != wanted.index.revision {
            self.revision.clone_from(&wanted.index.revision);
            self.done.clear();
        }
    }

    /// The server has another version of a file, or gets it now.
    pub fn changed(&mut self, file: &str, wanted: &Wanted, now: Instant) {
        for (other, text) in wanted.files.iter().filter(|(other, _)| !is_in_package(other)) {
            let edge = (other.clone(), file.to_owned());
            if other != file && needs(other, text, file, wanted) && self.done.insert(edge) {
                self.due.insert(other.clone(), now + SEEN);
            }
        }
    }

    /// The files whose time has come: they are written again now.
    pub fn take(&mut self, wanted: &Wanted, now: Instant) -> Vec<String> {
        self.again.retain(|_, since| now < *since + SEEN);
        let is_due = |due: &Instant| *due <= now;
        let names: Vec<_> = self
            .due
            .iter()
            .filter(|(_, due)| is_due(due))
            .map(|(name, _)| name.clone())
            .collect();
        self.due.retain(|_, due| !is_due(due));
        for name in &names {
            self.again.insert(name.clone(), now);
            self.changed(name, wanted, now);
        }
        names
    }

    /// Whether the server may have a file with an old version of what it imports.
    pub fn is_waiting(&self, file: &str) -> bool {
        self.due.contains_key(file) || self.again.contains_key(file)
    }
}

/// Whether a file has an old version of another one when that changed. One file stands for all modules in packages.
fn needs(file: &str, text: &str, other: &str, wanted: &Wanted) -> bool {
    if file == packages::FILE {
        return packages::import(&wanted.files, other);
    }
    if other != packages::FILE {
        return imports(file, text, other);
    }
    let mut packages = packages::names(&wanted.files).into_iter();
    packages.any(|package| imports(file, text, package))
}

/// Whether a file imports another one, or a package, where it is loaded. What functions import is new at each call.
pub fn imports(file: &str, text: &str, other: &str) -> bool {
    let (name, other) = (names::module(Path::new(file)), names::module(Path::new(other)));
    let Ok(module) = source::read(file, &name, text) else {
        return false;
    };
    let inside = format!("{other}.");
    let mut found = module.imports.values().chain(&module.star_imports);
    found.any(|full| *full == other || full.starts_with(&inside))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn wanted(files: &[(&str, &str)]) -> Wanted {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Wanted {
            files: files.iter().map(owned).collect(),
            ..Wanted::default()
        }
    }

    #[rstest]
    #[case("import prices", true)]
    #[case("import prices as p", true)]
    #[case("from prices import of", true)]
    #[case("from prices import *", true)]
    #[case("try:\n    import prices\nexcept ImportError:\n    prices = None", true)]
    #[case("def f():\n    import prices", false)]
    #[case("import prices_old", false)]
    #[case("# import prices", false)]
    #[case("import (", false)]
    fn imports_are_read_from_source(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(imports("shop.py", text, "prices.py"), expected);
    }

    /// First what imports it, when the server has seen it, then what imports that; in the end nothing waits.
    #[test]
    fn a_chain_is_loaded_again_in_its_order() {
        let wanted = wanted(&[
            ("a.py", "import b"),
            ("b.py", "import c"),
            ("c.py", ""),
            ("d.py", ""),
        ]);
        let (mut importers, start) = (Importers::default(), Instant::now());
        importers.changed("c.py", &wanted, start);
        assert!(importers.is_waiting("b.py") && !importers.is_waiting("d.py"));
        assert_eq!(importers.take(&wanted, start), Vec::<String>::new());
        assert_eq!(importers.take(&wanted, start + SEEN), ["b.py"]);
        assert!(importers.is_waiting("b.py") && importers.is_waiting("a.py"));
        assert_eq!(importers.take(&wanted, start + 2 * SEEN), ["a.py"]);
        assert!(importers.is_waiting("a.py") && !importers.is_waiting("b.py"));
        assert_eq!(importers.take(&wanted, start + 3 * SEEN), Vec::<String>::new());
        assert!(!importers.is_waiting("a.py"));
    }

    /// A change in a package: first the file that lets Python forget it, then what imports it; and so with what a package imports.
    #[test]
    fn packages_are_loaded_again_as_one() {
        let wanted = wanted(&[
            ("a.py", "from kit.tools import f"),
            ("b.py", "import kit"),
            ("c.py", "import kitchen"),
            ("kit.tools.py", "import base"),
            ("base.py", ""),
            (packages::FILE, ""),
        ]);
        let (mut importers, start) = (Importers::default(), Instant::now());
        importers.changed("base.py", &wanted, start);
        assert_eq!(importers.take(&wanted, start + SEEN), [packages::FILE]);
        assert_eq!(importers.take(&wanted, start + 2 * SEEN), ["a.py", "b.py"]);
        assert_eq!(importers.take(&wanted, start + 3 * SEEN), Vec::<String>::new());
    }

    /// Each once for a change; the next change begins anew.
    #[test]
    fn a_circle_comes_to_an_end() {
        let mut wanted = wanted(&[("a.py", "import b"), ("b.py", "import a")]);
        let (mut importers, start) = (Importers::default(), Instant::now());
        let mut rounds = |wanted: &Wanted| {
            importers.of(wanted);
            importers.changed("a.py", wanted, start);
            let mut round = |time: u32| importers.take(wanted, start + time * SEEN);
            (1..5).map(|time| round(time).join(",")).collect::<Vec<_>>()
        };
        assert_eq!(rounds(&wanted), ["b.py", "a.py", "", ""]);
        assert_eq!(rounds(&wanted), ["", "", "", ""]);
        wanted.index.revision = "next".into();
        assert_eq!(rounds(&wanted), ["b.py", "a.py", "", ""]);
    }
}
