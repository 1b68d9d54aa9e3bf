//! Asks git servers, each again after its interval, and tells whom a new answer concerns. Writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::Semaphore;

use super::folder::{self, Files, Wrong};
use super::memory::{Git, Seen, Wisher};
use super::pack::Pack;
use super::remote::{Fetched, Remote};
use super::{ObjectId, Origin, Trouble};
use crate::api::ZatoService;
use crate::api::conditions::Reason;
use crate::reconcile::stores::Guarded;
use crate::reconcile::waker::Waker;
use crate::service::git::wanted;

/// Servers that are asked at the same time.
const POLLS: usize = 8;
/// Packs that are sent at the same time: the chart gives room for them.
const FETCHES: usize = 3;
/// How long a server may take to say which commit it is.
const POLL: Duration = Duration::from_secs(30);
/// How long it may take to send one.
const FETCH: Duration = Duration::from_mins(2);
/// When to look for what is not wanted any more, if nothing else happens.
const LOOK: Duration = Duration::from_mins(1);

/// Who may do how much: one for the process, whatever it looks after.
#[derive(Debug)]
pub struct Permits {
    polls: Semaphore,
    fetches: Semaphore,
    /// One pack is in memory at a time.
    unpack: Semaphore,
}

impl Default for Permits {
    fn default() -> Self {
        Self {
            polls: Semaphore::new(POLLS),
            fetches: Semaphore::new(FETCHES),
            unpack: Semaphore::new(1),
        }
    }
}

/// Asks for what services want. Never ends.
pub async fn follow(git: Git, services: Store<Guarded<ZatoService>>, waker: Waker, permits: Arc<Permits>) {
    loop {
        let (due, next) = git.due(Instant::now(), |wisher| still_wants(&services, wisher));
        for origin in due {
            tokio::spawn(attend(git.clone(), origin, waker.clone(), permits.clone()));
        }
        let latest = Instant::now() + LOOK;
        tokio::select! {
            () = tokio::time::sleep_until(next.unwrap_or(latest).min(latest).into()) => {}
            () = git.changed() => {}
        }
    }
}

fn still_wants(services: &Store<Guarded<ZatoService>>, (namespace, name): &Wisher) -> bool {
    let found = services.get(&ObjectRef::new(name).within(namespace));
    found.is_some_and(|found| found.0.as_ref().is_ok_and(|service| wanted(service).is_some()))
}

async fn attend(git: Git, origin: Origin, waker: Waker, permits: Arc<Permits>) {
    let seen = look(&git, &origin, &permits).await;
    match &seen {
        Ok((commit, folders)) if !folders.is_empty() => {
            tracing::info!(url = origin.url, reference = origin.reference, commit, "fetched");
        }
        Ok(_) => {}
        Err(trouble) => tracing::debug!(url = origin.url, reason = %trouble.reason, "not fetched: {trouble}"),
    }
    for (namespace, name) in git.note(&origin, seen, Timestamp::now(), Instant::now()) {
        waker.for_source(&namespace, &name);
    }
}

async fn look(git: &Git, origin: &Origin, permits: &Permits) -> Result<Seen, Trouble> {
    // What never changes is not asked for twice.
    if ObjectId::parse(&origin.reference).is_some() && git.lacking(origin, &origin.reference).is_empty() {
        return Ok((origin.reference.clone(), [].into()));
    }
    let permit = permits.polls.acquire().await;
    let late = |what: &str| {
        let why = format!("did not {what} in time: it is asked again");
        Trouble::new(
            Reason::GitUnreachable,
            format!("git server {} {why}", origin.host()),
        )
    };
    let asked = tokio::time::timeout(POLL, async {
        let remote = Remote::open(origin).await?;
        let commit = remote.commit().await?;
        Ok::<_, Trouble>((remote, commit))
    });
    let (remote, commit) = asked.await.map_err(|_| late("say which commit it has"))??;
    let told = commit.to_string();
    if git.lacking(origin, &told).is_empty() {
        return Ok((told, [].into()));
    }
    drop(permit);
    let _fetch = permits.fetches.acquire().await;
    // Also of those who came meanwhile.
    let paths = git.lacking(origin, &told);
    let fetched = tokio::time::timeout(FETCH, remote.fetch(commit)).await;
    let pack = match fetched.map_err(|_| late("send the commit"))?? {
        Fetched::Pack(pack) => Some(pack),
        Fetched::TooLarge => None,
    };
    let url = origin.url.clone();
    let _unpack = permits.unpack.acquire().await;
    let unpacked = tokio::task::spawn_blocking(move || unpack(pack, commit, paths, &url));
    let folders = unpacked.await.map_err(|_| {
        let why = "could not be read: an error of the operator, which its log has";
        Trouble::new(
            Reason::GitSourceInvalid,
            format!("commit {told} of {} {why}", origin.url),
        )
    })??;
    Ok((told, folders))
}

/// The files of folders of a commit; without a pack, which was too large, none of them. What is wrong with a folder stays so;
/// what is wrong with what was sent is trouble, and it is asked for again.
fn unpack(
    pack: Option<File>,
    commit: ObjectId,
    paths: BTreeSet<String>,
    url: &str,
) -> Result<BTreeMap<String, Result<Arc<Files>, Trouble>>, Trouble> {
    let told = |wrong: &dyn Display| {
        let message = format!("commit {commit} of {url}: {wrong}");
        Trouble::new(Reason::GitSourceInvalid, message)
    };
    let pack = pack.ok_or_else(|| told(&"it has more than 64 MiB: use a smaller repository"))?;
    let mut pack = Pack::read(pack).map_err(|broken| told(&broken))?;
    let mut found = BTreeMap::new();
    for path in paths {
        let files = match folder::files(&mut pack, commit, &path) {
            Ok(files) => Ok(files.into()),
            Err(wrong @ Wrong::Content(_)) => Err(told(&wrong)),
            Err(wrong @ Wrong::Sent(_)) => return Err(told(&wrong)),
        };
        found.insert(path, files);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::pack::Kind;
    use super::super::pack::tests::{Wanted, id, pack_of};
    use super::*;

    /// Asked for again is what may be better the next time, and nothing else.
    #[test]
    fn what_may_heal_is_trouble() {
        let tree = [b"100644 a.py\0", &id(Kind::Blob, b"x = 1\n").0[..]].concat();
        let text = format!("tree {}\n", id(Kind::Tree, &tree));
        let commit = id(Kind::Commit, text.as_bytes());
        let whole = || {
            let entries = [(1, text.as_bytes()), (2, &tree[..]), (3, b"x = 1\n")];
            entries.map(|(code, bytes)| Wanted::Whole(code, bytes))
        };
        let of = |pack, path: &str| unpack(pack, commit, [path.to_owned()].into(), "https://h/a");
        let found = of(Some(pack_of(&whole())), "").unwrap();
        assert_eq!(found[""].as_ref().unwrap()["a.py"], "x = 1\n");
        let found = of(Some(pack_of(&whole())), "none").unwrap();
        let told = found["none"].clone().unwrap_err().message;
        assert!(told.contains("path none does not exist"), "{told}");
        for (pack, words) in [
            (None, "more than 64 MiB"),
            (Some(tempfile::tempfile().unwrap()), "is damaged"),
            // Without its folder.
            (Some(pack_of(&whole()[..1])), "is damaged"),
        ] {
            let told = of(pack, "").unwrap_err();
            assert!(told.message.contains(words), "{told}");
            assert_eq!(told.reason, Reason::GitSourceInvalid);
        }
    }
}
