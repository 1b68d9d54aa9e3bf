//! Files that the server tried to load before one of ours that they import. Zato does not try them again.
//!
//! Pure. Knows which files, and that each version of one is tried again once.

use std::collections::BTreeMap;

use super::code::Wanted;
use super::packages;
use crate::exchange::IndexedFile;

/// What was tried again.
#[derive(Default)]
pub struct Imports {
    /// Hashes by file.
    tried: BTreeMap<String, String>,
}

impl Imports {
    /// The file of ours that a file could not import, if this version of it was not tried again yet.
    pub fn awaited(&self, name: &str, error: &str, entry: &IndexedFile, wanted: &Wanted) -> Option<String> {
        let module = module(error)?;
        let first = module.split('.').next().unwrap_or_default();
        let is_package = packages::names(&wanted.files).contains(first);
        let module = if is_package {
            packages::FILE.into()
        } else {
            format!("{module}.py")
        };
        let is_new = self.tried.get(name) != Some(&entry.sha256);
        (is_new && module != name && wanted.files.contains_key(&module)).then_some(module)
    }

    /// Notes that a file is tried again.
    pub fn tried(&mut self, name: &str, entry: &IndexedFile) {
        self.tried.insert(name.to_owned(), entry.sha256.clone());
    }
}

/// The module that Python could not import, or that lacked what was asked of it.
fn module(error: &str) -> Option<&str> {
    let quoted = |after: &str| error.split_once(after)?.1.split('\'').next();
    quoted("No module named '").or_else(|| {
        let from = error.contains("cannot import name '").then(|| quoted("' from '"));
        from.flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn wanted(names: &[&str]) -> Wanted {
        Wanted {
            files: names
                .iter()
                .map(|name| ((*name).to_owned(), String::new()))
                .collect(),
            ..Wanted::default()
        }
    }

    fn entry(sha256: &str) -> IndexedFile {
        IndexedFile {
            sha256: sha256.into(),
            ..IndexedFile::default()
        }
    }

    #[rstest]
    #[case("line 1: ModuleNotFoundError: No module named 'models'", Some("models.py"))]
    #[case(
        "line 1: ImportError: cannot import name 'New' from 'models' (/hot/models.py)",
        Some("models.py")
    )]
    #[case("line 1: ModuleNotFoundError: No module named 'requests'", None)]
    #[case("line 1: ModuleNotFoundError: No module named 'shop'", None)]
    #[case(
        "line 1: ModuleNotFoundError: No module named 'kit'",
        Some("common_zato_operator_packages.py")
    )]
    #[case(
        "line 1: ImportError: cannot import name 'x' from 'kit.tools' (/packages/kit/tools.py)",
        Some("common_zato_operator_packages.py")
    )]
    #[case("line 1: ValueError: No module", None)]
    #[case("line 1: ImportError: cannot import name 'x", None)]
    fn a_file_of_ours_is_awaited(#[case] error: &str, #[case] expected: Option<&str>) {
        let wanted = wanted(&["shop.py", "models.py", "kit.tools.py", packages::FILE]);
        let found = Imports::default().awaited("shop.py", error, &entry("1"), &wanted);
        assert_eq!(found.as_deref(), expected);
    }

    /// What lacks in a module after that lacks for good.
    #[test]
    fn each_version_is_tried_again_once() {
        let (mut imports, wanted) = (Imports::default(), wanted(&["shop.py", "models.py"]));
        let error = "No module named 'models'";
        imports.tried("shop.py", &entry("1"));
        assert_eq!(imports.awaited("shop.py", error, &entry("1"), &wanted), None);
        assert!(imports.awaited("shop.py", error, &entry("2"), &wanted).is_some());
        assert!(imports.awaited("other.py", error, &entry("1"), &wanted).is_some());
    }
}
