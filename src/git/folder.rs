//! Pure: the Python files of one folder of a commit. Nothing is followed: no link, no repository inside another one.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::pack::{Broken, Kind, Object, Pack};
use super::{FILE, ObjectId};
use crate::cluster::shards;
use crate::python::modules;

/// What is wrong with a commit, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

impl From<Broken> for Wrong {
    fn from(broken: Broken) -> Self {
        Self(broken.to_string())
    }
}

/// Files by name.
pub type Files = BTreeMap<String, String>;

const LINK: &[u8] = b"120000";
const FOLDER: &[u8] = b"40000";
const REPOSITORY: &[u8] = b"160000";

/// One thing in a folder.
#[derive(Debug, PartialEq, Eq)]
struct Item<'a> {
    mode: &'a [u8],
    name: &'a [u8],
    id: ObjectId,
}

/// The files `*.py` of a folder (empty: of the root), and of the packages in it: `shop/prices.py` is `shop.prices.py`.
pub fn files(pack: &mut Pack, commit: ObjectId, path: &str) -> Result<Files, Wrong> {
    let folder = folder(pack, commit, path)?;
    let mut taken = Taken::default();
    taken.folder(pack, &folder, path, "")?;
    if taken.files.is_empty() {
        let told = named(path);
        return Err(Wrong(format!(
            "{told} has no file *.py: add one, or correct the path"
        )));
    }
    Ok(taken.files)
}

/// What was taken so far.
#[derive(Default)]
struct Taken {
    files: Files,
    bytes: u64,
}

impl Taken {
    /// `place`: of the folder in the repository; `package`: what the names of its modules begin with, with a dot at the end.
    fn folder(&mut self, pack: &mut Pack, folder: &Object, place: &str, package: &str) -> Result<(), Wrong> {
        for item in items(&folder.bytes)? {
            let name = String::from_utf8_lossy(item.name);
            let told = name.escape_debug();
            let inside = if place.is_empty() {
                told.to_string()
            } else {
                format!("{place}/{told}")
            };
            if item.mode == FOLDER {
                self.package(pack, &item, &inside, &format!("{package}{name}"))?;
            } else if name.ends_with(".py") {
                self.file(pack, &item, &inside, format!("{package}{name}"))?;
            }
        }
        Ok(())
    }

    /// A folder with `__init__.py` is a package. Others are not looked into.
    fn package(&mut self, pack: &mut Pack, item: &Item<'_>, place: &str, name: &str) -> Result<(), Wrong> {
        // Where folders are links or repositories of their own, nothing was sent.
        let Some(folder) = pack.find(item.id)?.filter(|object| object.kind == Kind::Tree) else {
            return Ok(());
        };
        let is_package = items(&folder.bytes)?
            .iter()
            .any(|item| item.name == b"__init__.py");
        if !is_package {
            return Ok(());
        }
        if let Some(why) = modules::wrong(&format!("{name}.py")) {
            return Err(Wrong(format!("{place}: {name}.py {why}")));
        }
        self.folder(pack, &folder, place, &format!("{name}."))
    }

    fn file(&mut self, pack: &mut Pack, item: &Item<'_>, place: &str, name: String) -> Result<(), Wrong> {
        let wrong = |why: &str| Wrong(format!("{place} {why}"));
        if let Some(why) = modules::wrong(&name) {
            return Err(wrong(why));
        }
        match item.mode {
            LINK => {
                return Err(wrong(
                    "is a symbolic link, and none is followed: put the file there",
                ));
            }
            REPOSITORY => return Err(wrong("is a repository of its own: put the file there")),
            _ => {}
        }
        // Larger ones are not sent by servers that can leave them out.
        let blob = pack
            .find(item.id)?
            .filter(|blob| blob.kind == Kind::Blob && fits(blob));
        let blob = blob.ok_or_else(|| wrong("has more than 204800 bytes: divide it"))?;
        let text =
            std::str::from_utf8(&blob.bytes).map_err(|_| wrong("is no text in UTF-8: save it as such"))?;
        self.bytes += blob.bytes.len() as u64;
        if self.bytes > shards::TOTAL {
            return Err(wrong(
                "is more code than a cluster takes: divide it among folders and ZatoServices",
            ));
        }
        match self.files.insert(name, text.to_owned()) {
            None => Ok(()),
            Some(_) => Err(wrong(
                "is also there as a file with dots in its name: rename one of them",
            )),
        }
    }
}

fn fits(blob: &Rc<Object>) -> bool {
    blob.bytes.len() as u64 <= FILE
}

fn named(path: &str) -> String {
    if path.is_empty() {
        "the root".into()
    } else {
        format!("path {path}")
    }
}

fn folder(pack: &mut Pack, commit: ObjectId, path: &str) -> Result<Rc<Object>, Wrong> {
    let object = pack.find(commit)?.filter(|object| object.kind == Kind::Commit);
    let object = object.ok_or_else(|| Wrong("it is no commit: name a branch, a tag or a commit".into()))?;
    let tree = object
        .bytes
        .strip_prefix(b"tree ")
        .and_then(|rest| rest.get(..40));
    let tree = tree.and_then(|digits| ObjectId::parse(std::str::from_utf8(digits).ok()?));
    let mut folder = open(pack, tree.ok_or(Broken::Damaged)?)?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let next = items(&folder.bytes)?
            .into_iter()
            .find(|item| item.name == part.as_bytes())
            .map(|item| (item.mode.to_vec(), item.id));
        let wrong = |why: &str| Wrong(format!("path {path} {why}"));
        folder = match next {
            None => return Err(wrong("does not exist: correct it, or push the folder")),
            Some((mode, id)) if mode == FOLDER => open(pack, id)?,
            Some((mode, _)) if mode == LINK => {
                return Err(wrong(
                    "goes through a symbolic link, and none is followed: name the folder",
                ));
            }
            Some((mode, _)) if mode == REPOSITORY => {
                return Err(wrong(
                    "leads into another repository (a submodule): name that one in the url",
                ));
            }
            Some(_) => return Err(wrong("is a file: name the folder that has it")),
        };
    }
    Ok(folder)
}

fn open(pack: &mut Pack, id: ObjectId) -> Result<Rc<Object>, Wrong> {
    let found = pack.find(id)?.filter(|object| object.kind == Kind::Tree);
    Ok(found.ok_or(Broken::Damaged)?)
}

/// What is in a folder.
fn items(mut bytes: &[u8]) -> Result<Vec<Item<'_>>, Broken> {
    let mut found = vec![];
    while !bytes.is_empty() {
        let item = item(bytes).ok_or(Broken::Damaged)?;
        bytes = &bytes[item.mode.len() + item.name.len() + 22..];
        found.push(item);
    }
    Ok(found)
}

fn item(bytes: &[u8]) -> Option<Item<'_>> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .filter(|end| *end > space)?;
    Some(Item {
        mode: &bytes[..space],
        name: &bytes[space + 1..end],
        id: ObjectId(bytes.get(end + 1..end + 21)?.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests;
