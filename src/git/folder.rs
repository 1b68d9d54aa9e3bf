//! Pure: the Python files of one folder of a commit. Nothing is followed: no link, no repository inside another one.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::rc::Rc;

use super::pack::{Broken, Kind, Object, Pack};
use super::{FILE, ObjectId};
use crate::cluster::shards;
use crate::python::modules;

/// What is wrong with a commit, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// What it holds: only another commit is better.
    #[error("{0}")]
    Content(String),
    /// What was sent of it, or how it was read: the next time may be better.
    #[error("{0}")]
    Sent(String),
}

impl From<Broken> for Wrong {
    fn from(broken: Broken) -> Self {
        Self::Sent(broken.to_string())
    }
}

/// Files by name.
pub type Files = BTreeMap<String, String>;

/// The largest folder that is gone into, in bytes of its list: one has about 10,000 files.
const LIST: usize = 512 << 10;
/// How many files `*.py`, and folders beside them, are looked at in all.
const PARTS: usize = 5_000;
/// The longest name that a folder on a disk can have.
const NAME: usize = 255;

/// What a thing in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    File,
    Folder,
    Link,
    Repository,
}

/// One thing in a folder.
#[derive(Debug, PartialEq, Eq)]
struct Item<'a> {
    what: What,
    name: &'a [u8],
    id: ObjectId,
}

/// One thing that may be code, without the folder that it is of.
#[derive(Debug)]
struct Part {
    what: What,
    name: String,
    id: ObjectId,
}

/// The files `*.py` of a folder (empty: of the root), and of the packages in it: `shop/prices.py` is `shop.prices.py`.
pub fn files(pack: &mut Pack, commit: ObjectId, path: &str) -> Result<Files, Wrong> {
    let folder = folder(pack, commit, path)?;
    let mut taken = Taken::default();
    taken.folder(pack, folder, path, "")?;
    if taken.files.is_empty() {
        let told = named(path);
        return Err(Wrong::Content(format!(
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
    parts: usize,
}

impl Taken {
    /// `place`: of the folder in the repository; `package`: what the names of its modules begin with, with a dot at the end.
    fn folder(
        &mut self,
        pack: &mut Pack,
        folder: Rc<Object>,
        place: &str,
        package: &str,
    ) -> Result<(), Wrong> {
        let parts = self.parts(&folder, place)?;
        // While folders in it are gone into, memory has their names alone.
        drop(folder);
        for part in parts {
            let inside = inside(place, &part.name.escape_debug().to_string());
            let name = format!("{package}{}", part.name);
            if part.what == What::Folder {
                self.package(pack, &part, &inside, &name)?;
            } else {
                self.file(pack, &part, &inside, name)?;
            }
        }
        Ok(())
    }

    /// What may be code in a folder.
    fn parts(&mut self, folder: &Object, place: &str) -> Result<Vec<Part>, Wrong> {
        let wrong = |why: &str| Wrong::Content(format!("{} {why}", named(place)));
        small(folder, place)?;
        let mut found = vec![];
        for item in items(&folder.bytes) {
            let Item { what, name, id } = item?;
            if what != What::Folder && !name.ends_with(b".py") {
                continue;
            }
            if name.len() > NAME {
                return Err(wrong("has a name of more than 255 bytes: shorten it"));
            }
            self.parts += 1;
            if self.parts > PARTS {
                return Err(wrong(
                    "has too many folders and files *.py, more than 5,000 with those before: name a smaller folder",
                ));
            }
            let name = String::from_utf8_lossy(name).into_owned();
            found.push(Part { what, name, id });
        }
        Ok(found)
    }

    /// A folder with `__init__.py` is a package. Others are not looked into.
    fn package(&mut self, pack: &mut Pack, part: &Part, place: &str, name: &str) -> Result<(), Wrong> {
        // Where folders are links or repositories of their own, nothing was sent.
        let Some(folder) = pack.find(part.id)?.filter(|object| object.kind == Kind::Tree) else {
            return Ok(());
        };
        if item_of(&folder, b"__init__.py")?.is_none() {
            return Ok(());
        }
        if let Some(why) = modules::wrong(&format!("{name}.py")) {
            return Err(Wrong::Content(format!("{place}: {name}.py {why}")));
        }
        self.folder(pack, folder, place, &format!("{name}."))
    }

    fn file(&mut self, pack: &mut Pack, part: &Part, place: &str, name: String) -> Result<(), Wrong> {
        let wrong = |why: &str| Wrong::Content(format!("{place} {why}"));
        if let Some(why) = modules::wrong(&name) {
            return Err(wrong(why));
        }
        match part.what {
            What::Link => {
                return Err(wrong(
                    "is a symbolic link, and none is followed: put the file there",
                ));
            }
            What::Repository => return Err(wrong("is a repository of its own: put the file there")),
            What::File | What::Folder => {}
        }
        // Larger ones are not sent by servers that can leave them out.
        let blob = pack
            .find(part.id)?
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
    let mut folder = root(pack, commit)?;
    let mut place = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let wrong = |why: &str| Wrong::Content(format!("path {path} {why}"));
        let next = item_of(&folder, part.as_bytes())?.map(|item| (item.what, item.id));
        place = inside(&place, part);
        folder = match next {
            None => return Err(wrong("does not exist: correct it, or push the folder")),
            Some((What::Folder, id)) => open(pack, id, &place)?,
            Some((What::Link, _)) => {
                return Err(wrong(
                    "goes through a symbolic link, and none is followed: name the folder",
                ));
            }
            Some((What::Repository, _)) => {
                return Err(wrong(
                    "leads into another repository (a submodule): name that one in the url",
                ));
            }
            Some((What::File, _)) => return Err(wrong("is a file: name the folder that has it")),
        };
    }
    Ok(folder)
}

/// The root of a commit.
fn root(pack: &mut Pack, commit: ObjectId) -> Result<Rc<Object>, Wrong> {
    let object = pack.find(commit)?.filter(|object| object.kind == Kind::Commit);
    let object =
        object.ok_or_else(|| Wrong::Content("it is no commit: name a branch, a tag or a commit".into()))?;
    let tree = object
        .bytes
        .strip_prefix(b"tree ")
        .and_then(|rest| rest.get(..40));
    let tree = tree.and_then(|digits| ObjectId::parse(std::str::from_utf8(digits).ok()?));
    open(pack, tree.ok_or(Broken::Damaged)?, "")
}

fn open(pack: &mut Pack, id: ObjectId, place: &str) -> Result<Rc<Object>, Wrong> {
    let found = pack.find(id)?.filter(|object| object.kind == Kind::Tree);
    let found = found.ok_or(Broken::Damaged)?;
    small(&found, place)?;
    Ok(found)
}

/// Whether a folder is none that is too large to go into.
fn small(folder: &Object, place: &str) -> Result<(), Wrong> {
    if folder.bytes.len() <= LIST {
        return Ok(());
    }
    let told = named(place);
    Err(Wrong::Content(format!(
        "{told} has too many files in one folder: divide them"
    )))
}

fn inside(place: &str, name: &str) -> String {
    if place.is_empty() {
        name.to_owned()
    } else {
        format!("{place}/{name}")
    }
}

/// The thing of a name in a folder.
fn item_of<'a>(folder: &'a Object, name: &[u8]) -> Result<Option<Item<'a>>, Broken> {
    let is_it = |item: &Result<Item<'_>, Broken>| item.as_ref().map_or(true, |item| item.name == name);
    items(&folder.bytes).find(is_it).transpose()
}

/// What is in a folder; what has not the form is the last.
fn items(mut bytes: &[u8]) -> impl Iterator<Item = Result<Item<'_>, Broken>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let (item, rest) = item(bytes).unzip();
        bytes = rest.unwrap_or_default();
        Some(item.ok_or(Broken::Damaged))
    })
}

/// The first thing of a list, and the rest of it.
fn item(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let end = CStr::from_bytes_until_nul(bytes).ok()?.count_bytes();
    let space = bytes[..end].iter().position(|byte| *byte == b' ')?;
    let item = Item {
        what: match &bytes[..space] {
            b"40000" => What::Folder,
            b"120000" => What::Link,
            b"160000" => What::Repository,
            _ => What::File,
        },
        name: &bytes[space + 1..end],
        id: ObjectId(bytes.get(end + 1..end + 21)?.try_into().ok()?),
    };
    Some((item, &bytes[end + 21..]))
}

#[cfg(test)]
mod tests;
