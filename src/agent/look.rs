//! How often something in Zato's database is looked at, and what came of a look.
//!
//! Knows nothing of what is looked at but names.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::zato::Error;
use crate::exchange::PartReport;

/// Between two looks while something is on its way. The server follows its database in a quarter of a second.
const SOON: Duration = Duration::from_millis(500);
/// Between two looks while nothing is: for changes that others make in the database.
const LATER: Duration = Duration::from_secs(10);
/// Between two looks while there is nothing of ours.
const RARELY: Duration = Duration::from_hours(1);
/// So many looks in a row may find something to do; then it is told.
const TRIES: u32 = 20;

/// By service, and by the name of what belongs to it.
pub type Reports = BTreeMap<String, BTreeMap<String, PartReport>>;

/// When to look again.
#[derive(Default)]
pub struct Pace {
    /// The revision of the index at the last look, and when the next one is due.
    looked: Option<(String, Instant)>,
    is_settled: bool,
    /// Looks in a row after which something was left to do.
    tries: u32,
}

impl Pace {
    /// Whether it is time, or the index is another one.
    pub fn is_due(&self, revision: &str) -> bool {
        let is_due = |(seen, next): &(String, Instant)| seen != revision || *next <= Instant::now();
        self.looked.as_ref().is_none_or(is_due)
    }

    /// Whether the last look left nothing to do.
    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Whether something is left to do for too long.
    pub fn is_too_long(&self) -> bool {
        self.tries > TRIES
    }

    /// The server starts anew: its database is looked at again.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// After a look at `what`, of which so much is `wanted`. An error that lasts is for everything that is wanted.
    pub fn conclude(
        &mut self,
        what: &str,
        revision: &str,
        wanted: usize,
        result: Result<Done, Error>,
    ) -> Option<String> {
        self.is_settled = result.as_ref().is_ok_and(Done::is_settled);
        self.tries = match &result {
            Ok(done) if done.is_settled() => 0,
            // It waits for what is on its way.
            Ok(done) if done.changed.is_empty() && !done.is_stuck => self.tries,
            _ => self.tries.saturating_add(1),
        };
        let pause = match &result {
            Ok(done) if self.is_settled && wanted == 0 && done.failed.is_empty() => RARELY,
            Ok(_) if !self.is_settled && !self.is_too_long() => SOON,
            _ => LATER,
        };
        self.looked = Some((revision.to_owned(), Instant::now() + pause));
        let error = result.err()?;
        tracing::warn!(
            what,
            error = &error as &dyn std::error::Error,
            "could not be looked at: tried again"
        );
        self.is_too_long().then(|| error.to_string())
    }
}

/// What a look did, by names.
#[derive(Default)]
pub struct Done {
    /// What was changed.
    pub changed: BTreeSet<String>,
    /// What could not be changed, and why.
    pub failed: BTreeMap<String, String>,
    /// What waits for something else.
    pub early: BTreeSet<String>,
    /// Whether something that nobody is told of could not be done.
    pub is_stuck: bool,
}

impl Done {
    /// Nothing could be done for any of these names.
    pub fn failed(names: impl Iterator<Item = String>, error: &str) -> Self {
        Self {
            failed: names.map(|name| (name, error.to_owned())).collect(),
            ..Self::default()
        }
    }

    /// Whether nothing is left to do.
    pub fn is_settled(&self) -> bool {
        self.changed.is_empty() && self.early.is_empty() && !self.is_stuck
    }

    /// What is changed at each look is told as what it is.
    pub fn give_up(&mut self) {
        let stays_not = "it does not stay as it is written: who else changes it?";
        let changed = std::mem::take(&mut self.changed).into_iter();
        self.failed
            .extend(changed.map(|name| (name, stays_not.to_owned())));
        self.is_stuck = true;
    }

    /// What became of a change.
    pub fn note(&mut self, name: &str, result: Result<(), Error>) {
        match result {
            Ok(()) => drop(self.changed.insert(name.to_owned())),
            Err(error) => drop(self.failed.insert(name.to_owned(), error.to_string())),
        }
    }
}

/// What is told of one thing that is wanted.
pub struct Told<'a> {
    /// The `ZatoService` and the name there.
    pub place: (&'a str, &'a str),
    /// The names by which a look knows it and what it needs: an error of the first counts.
    pub names: Vec<&'a str>,
    /// The revision that the report is about.
    pub revision: String,
    /// What comes before an error.
    pub label: String,
}

/// One report for each place. What was changed is told when the next look finds it as it should be.
pub fn reports<'a>(all: impl Iterator<Item = Told<'a>>, done: &Done) -> Reports {
    let mut reports = Reports::new();
    let mut changed = BTreeSet::new();
    for told in all {
        let is_on_its_way = |name: &&str| done.changed.contains(*name) || done.early.contains(*name);
        if told.names.iter().any(is_on_its_way) {
            changed.insert(told.place);
        }
        let (service, name) = told.place;
        let of_service = reports.entry(service.to_owned()).or_default();
        let report = of_service.entry(name.to_owned()).or_insert_with(|| PartReport {
            revision: told.revision,
            ..PartReport::default()
        });
        if let Some(error) = told.names.iter().find_map(|name| done.failed.get(*name)) {
            report
                .error
                .get_or_insert_with(|| format!("{}{error}", told.label));
        }
    }
    for (service, name) in changed {
        if let Some(of_service) = reports.get_mut(service) {
            of_service.retain(|other, report| other != name || report.error.is_some());
        }
    }
    reports.retain(|_, of_service| !of_service.is_empty());
    reports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(changed: &[&str], early: &[&str], is_stuck: bool) -> Done {
        let names = |all: &[&str]| all.iter().map(ToString::to_string).collect();
        Done {
            changed: names(changed),
            early: names(early),
            is_stuck,
            ..Done::default()
        }
    }

    /// How soon the next look is due, in words.
    fn next(pace: &Pace) -> &'static str {
        let (_, next) = pace.looked.clone().unwrap();
        match next.saturating_duration_since(Instant::now()) {
            pause if pause <= SOON => "soon",
            pause if pause <= LATER => "later",
            _ => "rarely",
        }
    }

    #[test]
    fn a_look_follows_what_was_found() {
        let mut pace = Pace::default();
        assert!(pace.is_due("r") && !pace.is_settled());
        assert_eq!(pace.conclude("x", "r", 0, Ok(Done::default())), None);
        assert_eq!((pace.is_settled(), next(&pace)), (true, "rarely"));
        assert!(!pace.is_due("r") && pace.is_due("another"));
        pace.conclude("x", "r", 1, Ok(Done::default()));
        assert_eq!((pace.is_settled(), next(&pace)), (true, "later"));
        pace.conclude("x", "r", 1, Ok(done(&["a"], &[], false)));
        assert_eq!((pace.is_settled(), next(&pace)), (false, "soon"));
        pace.forget();
        assert!(pace.is_due("r"));
    }

    /// What never ends is told; what only waits for something else is not.
    #[test]
    fn what_is_changed_again_and_again_is_too_long() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.conclude("x", "r", 1, Ok(done(&[], &["a"], false)));
        }
        assert!(!pace.is_too_long() && !pace.is_settled());
        for _ in 0..=TRIES {
            assert!(!pace.is_too_long());
            pace.conclude("x", "r", 1, Ok(done(&["a"], &[], false)));
        }
        assert!(pace.is_too_long());
        assert_eq!(next(&pace), "later");
        let mut last = done(&["a"], &[], false);
        last.give_up();
        assert!(last.failed["a"].starts_with("it does not stay") && last.changed.is_empty());
        pace.conclude("x", "r", 1, Ok(Done::default()));
        assert!(!pace.is_too_long());
    }

    #[test]
    fn an_error_that_lasts_is_told() {
        let mut pace = Pace::default();
        let mut fail = || pace.conclude("x", "r", 1, Err(Error::Missing("it".into())));
        for _ in 0..TRIES {
            assert_eq!(fail(), None);
        }
        assert_eq!(
            fail().as_deref(),
            Some(
                "it is not in the server's database: it is made again; if this stays, see who deletes it in the dashboard"
            )
        );
        assert_eq!(next(&pace), "later");
    }
}
