//! What is known of git servers, and who wants it. Knows no server: `poll` asks them.
//!
//! In memory alone. What no ZatoService wants any more is forgotten.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use tokio::sync::Notify;

use super::folder::Files;
use super::{Origin, Trouble};

/// The first repetition after a failure.
const AGAIN: Duration = Duration::from_secs(5);
/// The longest time between repetitions, unless the interval is longer.
const LONGEST: Duration = Duration::from_mins(5);

/// A ZatoService: namespace and name.
pub type Wisher = (String, String);

/// What a spec says of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The repository's address.
    pub url: String,
    /// A branch, a tag or a commit.
    pub reference: String,
    /// The folder; empty: the root.
    pub path: String,
}

/// A commit that was fetched for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its full name.
    pub commit: String,
    /// When it was fetched, if that is known.
    pub at: Option<Timestamp>,
    /// Its files, which services share, or what is wrong with them.
    pub files: Result<Arc<Files>, Trouble>,
}

/// What is known for a service. Neither: it is being asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The commit that was fetched last.
    pub last: Option<Arc<Fetched>>,
    /// Why nothing newer is known.
    pub trouble: Option<Trouble>,
    /// Whether there was an answer since the operator started.
    pub is_asked: bool,
}

#[derive(Debug)]
struct Wish {
    place: Place,
    /// Who is asked, or why nobody can be.
    origin: Result<Origin, Trouble>,
    interval: Duration,
    last: Option<Arc<Fetched>>,
}

#[derive(Debug)]
struct State {
    trouble: Option<Trouble>,
    is_asked: bool,
    failures: u32,
    due: Instant,
    /// Whether it is being asked.
    is_busy: bool,
}

#[derive(Debug, Default)]
struct Known {
    wishes: HashMap<Wisher, Wish>,
    origins: HashMap<Origin, State>,
}

/// What is known, shared by reconciles and by who asks servers.
#[derive(Clone, Debug, Default)]
pub struct Git {
    known: Arc<Mutex<Known>>,
    changed: Arc<Notify>,
}

/// The commit of an origin, with the files of each folder that somebody wants.
pub type Seen = (String, BTreeMap<String, Result<Arc<Files>, Trouble>>);

impl Git {
    /// Whether files of a place were fetched for a service.
    pub fn knows(&self, wisher: &Wisher, place: &Place) -> bool {
        let known = self.known();
        let wish = known.wishes.get(wisher).filter(|wish| wish.place == *place);
        wish.is_some_and(|wish| wish.last.is_some())
    }

    /// Notes what a service wants, and tells what is known of it. `recalled`: what is known from elsewhere, for one that has nothing
    /// yet. It is there before anybody is asked: what has it already is not fetched again.
    pub fn ask(
        &self,
        wisher: &Wisher,
        place: &Place,
        origin: Result<Origin, Trouble>,
        interval: Duration,
        recalled: Option<Fetched>,
    ) -> Answer {
        let mut known = self.known();
        let before = known.wishes.remove(wisher).filter(|wish| wish.place == *place);
        let is_new = before.as_ref().is_none_or(|wish| wish.origin != origin);
        let wish = Wish {
            place: place.clone(),
            origin,
            interval,
            last: before
                .and_then(|wish| wish.last)
                .or_else(|| recalled.map(Arc::new)),
        };
        if let (true, Ok(origin)) = (is_new, &wish.origin) {
            known.want(origin.clone());
            self.changed.notify_one();
        }
        let answer = known.answer(&wish);
        known.wishes.insert(wisher.clone(), wish);
        answer
    }

    /// The origins that are to be asked now, and when the next one is. `still_wants` says who does.
    pub fn due(&self, now: Instant, still_wants: impl Fn(&Wisher) -> bool) -> (Vec<Origin>, Option<Instant>) {
        let mut known = self.known();
        known.wishes.retain(|wisher, _| still_wants(wisher));
        let Known { wishes, origins } = &mut *known;
        let wanted: HashSet<&Origin> = wishes
            .values()
            .filter_map(|wish| wish.origin.as_ref().ok())
            .collect();
        origins.retain(|origin, _| wanted.contains(origin));
        let mut due = vec![];
        for (origin, state) in origins.iter_mut().filter(|(_, state)| !state.is_busy) {
            if state.due <= now {
                state.is_busy = true;
                due.push(origin.clone());
            }
        }
        let waiting = origins.values().filter(|state| !state.is_busy);
        (due, waiting.map(|state| state.due).min())
    }

    /// The folders of which somebody lacks the files of a commit.
    pub fn lacking(&self, origin: &Origin, commit: &str) -> BTreeSet<String> {
        let known = self.known();
        let lacks = |wish: &&Wish| wish.last.as_ref().is_none_or(|last| last.commit != commit);
        let lacking = known.wishes_of(origin).map(|(_, wish)| wish).filter(lacks);
        lacking.map(|wish| wish.place.path.clone()).collect()
    }

    /// Notes an answer; whom it concerns.
    pub fn note(
        &self,
        origin: &Origin,
        seen: Result<Seen, Trouble>,
        at: Timestamp,
        now: Instant,
    ) -> Vec<Wisher> {
        let mut known = self.known();
        let interval = known.wishes_of(origin).map(|(_, wish)| wish.interval).min();
        let Known { wishes, origins } = &mut *known;
        let Some((state, interval)) = origins.get_mut(origin).zip(interval) else {
            return vec![];
        };
        state.is_busy = false;
        let is_first = !std::mem::replace(&mut state.is_asked, true);
        state.failures = if seen.is_err() { state.failures + 1 } else { 0 };
        state.due = now + jittered(pause(state.failures, interval));
        let trouble = seen.as_ref().err().cloned();
        let is_other = is_first || state.trouble != trouble;
        state.trouble = trouble;
        let mut concerned = vec![];
        for (wisher, wish) in wishes
            .iter_mut()
            .filter(|(_, wish)| wish.origin.as_ref() == Ok(origin))
        {
            let is_new = seen
                .as_ref()
                .is_ok_and(|seen| wish.take(seen, at, &mut state.due, now));
            if is_new || is_other {
                concerned.push(wisher.clone());
            }
        }
        drop(known);
        self.changed.notify_one();
        concerned
    }

    /// Waits until there is somebody to ask.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wish {
    /// Takes what was seen; whether it is new. What was not looked for yet is due now.
    fn take(&mut self, (commit, folders): &Seen, at: Timestamp, due: &mut Instant, now: Instant) -> bool {
        if self.last.as_ref().is_some_and(|last| last.commit == *commit) {
            return false;
        }
        let Some(files) = folders.get(&self.place.path) else {
            *due = now;
            return false;
        };
        self.last = Some(Arc::new(Fetched {
            commit: commit.clone(),
            at: Some(at),
            files: files.clone(),
        }));
        true
    }
}

impl Known {
    /// Somebody wants an origin: it is asked at once, unless it is asked already.
    fn want(&mut self, origin: Origin) {
        let now = Instant::now();
        let state = self.origins.entry(origin).or_insert(State {
            trouble: None,
            is_asked: false,
            failures: 0,
            due: now,
            is_busy: false,
        });
        // One that failed keeps its pause: many services must not ask for each other.
        if state.failures == 0 {
            state.due = now;
        }
    }

    fn answer(&self, wish: &Wish) -> Answer {
        let state = wish
            .origin
            .as_ref()
            .ok()
            .and_then(|origin| self.origins.get(origin));
        let of_state = state.and_then(|state| state.trouble.clone());
        Answer {
            last: wish.last.clone(),
            trouble: wish.origin.as_ref().err().cloned().or(of_state),
            is_asked: wish.origin.is_err() || state.is_some_and(|state| state.is_asked),
        }
    }

    fn wishes_of<'a>(&'a self, origin: &'a Origin) -> impl Iterator<Item = (&'a Wisher, &'a Wish)> {
        let wishes = self.wishes.iter();
        wishes.filter(move |(_, wish)| wish.origin.as_ref() == Ok(origin))
    }
}

/// How long to wait after so many failures in a row.
fn pause(failures: u32, interval: Duration) -> Duration {
    match failures.checked_sub(1) {
        None => interval,
        Some(more) => (AGAIN.min(interval) * 2_u32.pow(more.min(10))).min(LONGEST.max(interval)),
    }
}

/// A tenth more or less: what began together does not stay together.
fn jittered(pause: Duration) -> Duration {
    let chance = u32::try_from(RandomState::new().hash_one(0_u8) % 1000).unwrap_or_default();
    pause * 9 / 10 + pause / 5 * chance / 1000
}

#[cfg(test)]
mod tests;
