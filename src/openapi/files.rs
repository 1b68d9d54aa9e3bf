//! Finds and reads Python files on disk.
//!
//! Only this module and the command touch the disk. A file that cannot be read is told, and the others are read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::names;
use super::source::{self, Module};
use crate::python::SyntaxError;

/// No Python file of a person is larger.
const LIMIT: u64 = 8 << 20;
/// How deep folders are looked into.
const DEPTH: usize = 64;

/// A file and the name of its module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// What Zato calls the module.
    pub module: String,
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not Python.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// It is not text.
    #[error("{file}:{line}: not UTF-8")]
    NotUtf8 {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
    },
    /// Anything else.
    #[error("{file}:1: {cause}")]
    Other {
        /// The file or folder.
        file: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// The Python files that are given, and those in folders that are given; in the order of names.
///
/// Names that start with a dot are left out in folders, and so is `__pycache__`. Links are followed.
pub fn find(given: &[PathBuf]) -> (Vec<Found>, Vec<Unreadable>) {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for root in given {
        for entry in WalkDir::new(root)
            .follow_links(true)
            .max_depth(DEPTH)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(is_wanted)
        {
            match entry {
                Ok(entry) if is_python(&entry) => {
                    let path = entry.path().to_path_buf();
                    // A file that two names lead to is read once.
                    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
                    let inside = path
                        .strip_prefix(root)
                        .ok()
                        .filter(|inside| inside.components().next().is_some());
                    let name = inside.unwrap_or_else(|| path.file_name().map_or(path.as_path(), Path::new));
                    if seen.insert(real) {
                        found.push(Found {
                            module: names::module(name),
                            path,
                        });
                    }
                }
                Ok(_) => {}
                Err(error) => failures.push(Unreadable::Other {
                    file: error.path().unwrap_or(root).display().to_string(),
                    cause: cause(&error),
                }),
            }
        }
    }
    (found, failures)
}

fn is_wanted(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    entry.depth() == 0 || !(name.starts_with('.') || name == "__pycache__")
}

/// A file in a folder is taken by its ending, one that is given whatever it is called.
fn is_python(entry: &DirEntry) -> bool {
    let ending = entry.path().extension().is_some_and(|ending| ending == "py");
    !entry.file_type().is_dir() && (ending || entry.depth() == 0)
}

fn cause(error: &walkdir::Error) -> String {
    if let Some(ancestor) = error.loop_ancestor() {
        return format!("a link back to {}", ancestor.display());
    }
    error
        .io_error()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

/// Reads one file.
pub fn read(found: &Found) -> Result<Module, Unreadable> {
    let file = found.path.display().to_string();
    let other = |cause: String| Unreadable::Other {
        file: file.clone(),
        cause,
    };
    let bytes = contents(&found.path).map_err(other)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        Unreadable::NotUtf8 {
            file: file.clone(),
            line: before.matches('\n').count() + 1,
        }
    })?;
    Ok(source::read(&file, &found.module, text)?)
}

fn contents(path: &Path) -> Result<Vec<u8>, String> {
    // Asked before it is opened: a pipe would wait for ever.
    let metadata = path.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("not a regular file".into());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LIMIT {
        return Err(format!("larger than {} MiB", LIMIT >> 20));
    }
    Ok(bytes)
}
