//! What the startup callables did, as the wrapper in the server noted it. The server's code can write there, too: what
//! cannot be read is nothing.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::{Error, code};
use crate::cluster::desired::paths;
use crate::cluster::startup::{Entry, LIST, passed};
use crate::exchange::{CallableOutcome, CallableState};

/// More than a start of a server notes. Of a longer file the end counts.
const MOST_BYTES: u64 = 256 * 1024;
/// More than the wrapper writes of one error.
const MOST_CHARACTERS: usize = 1200;

/// The callables of this pod.
pub struct Startup {
    callables: Vec<Entry>,
    file: PathBuf,
}

impl Startup {
    /// Those that are mounted; none if nothing is. A list that cannot be read is no empty one: the gate would open.
    pub fn mounted() -> Result<Self, Error> {
        let list = Path::new(paths::STARTUP).join("wrapper").join(LIST);
        let text = match fs::read_to_string(&list) {
            Err(error) if error.kind() == ErrorKind::NotFound => "[]".into(),
            read => read.map_err(|error| Error::file(&list, error))?,
        };
        let invalid = |error: serde_json::Error| Error::file(&list, error.into());
        Ok(Self {
            callables: serde_json::from_str(&text).map_err(invalid)?,
            file: Path::new(paths::STARTUP_STATE).join("outcomes"),
        })
    }

    /// What they did when the server started last. Until that start is over, also what failed in the one before, and first: a
    /// server that ends again and again would else be told as starting most of the time.
    pub fn outcomes(&self, is_over: bool) -> Vec<CallableOutcome> {
        if self.callables.is_empty() {
            return vec![];
        }
        let now = self.read(&self.file);
        if is_over {
            return now;
        }
        let before = self.read(&self.file.with_file_name("outcomes.before"));
        let has_ended = |outcome: &CallableOutcome| {
            let mut same = now.iter().filter(|known| is_same(known, outcome));
            same.any(|known| known.outcome != CallableState::Running)
        };
        let mut found: Vec<_> = before
            .into_iter()
            .filter_map(ended)
            .filter(|outcome| !has_ended(outcome))
            .collect();
        let is_told = |outcome: &CallableOutcome| found.iter().any(|failed| is_same(failed, outcome));
        let others: Vec<_> = now.iter().filter(|outcome| !is_told(outcome)).cloned().collect();
        found.extend(others);
        found
    }

    /// Whether those passed without which the server may not serve.
    pub fn is_passed(&self, outcomes: &[CallableOutcome]) -> bool {
        passed(&self.callables, outcomes, true)
    }

    /// The last line of each callable and phase, in the order of their first ones. Others are not ours.
    fn read(&self, file: &Path) -> Vec<CallableOutcome> {
        let expected: BTreeSet<(&str, &str)> = self
            .callables
            .iter()
            .flat_map(|entry| {
                entry
                    .phases
                    .iter()
                    .map(|phase| (entry.name.as_str(), phase.as_str()))
            })
            .collect();
        let mut found: Vec<CallableOutcome> = vec![];
        for line in end_of(file).unwrap_or_default().lines() {
            let Ok(mut outcome) = serde_json::from_str::<CallableOutcome>(line) else {
                continue;
            };
            if !expected.contains(&(outcome.name.as_str(), outcome.phase.as_str())) {
                continue;
            }
            if let Some(error) = &mut outcome.error {
                *error = error.chars().take(MOST_CHARACTERS).collect();
            }
            match found.iter_mut().find(|known| is_same(known, &outcome)) {
                Some(known) => *known = outcome,
                None => found.push(outcome),
            }
        }
        found
    }
}

/// The end of a file, which may begin in the middle of a line.
fn end_of(path: &Path) -> Option<String> {
    let (mut file, length) = code::open(path)?;
    file.seek(SeekFrom::Start(length.saturating_sub(MOST_BYTES)))
        .ok()?;
    let mut bytes = vec![];
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_same(one: &CallableOutcome, other: &CallableOutcome) -> bool {
    one.name == other.name && one.phase == other.phase
}

/// What a start that is over says: one that never came back took the server with it.
fn ended(outcome: CallableOutcome) -> Option<CallableOutcome> {
    match outcome.outcome {
        CallableState::Passed => None,
        CallableState::Failed => Some(outcome),
        CallableState::Running => Some(CallableOutcome {
            outcome: CallableState::Failed,
            error: Some("the server ended while it ran".into()),
            ..outcome
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = r#"{"name":"m.a","phase":"fs-config-only","outcome":"Passed","milliseconds":3}"#;
    const FAILED: &str =
        r#"{"name":"m.a","phase":"fs-config-only","outcome":"Failed","error":"ValueError: x (m.py:2)"}"#;
    const RUNNING: &str = r#"{"name":"m.a","phase":"fs-config-only","outcome":"Running"}"#;

    fn startup(file: PathBuf) -> Startup {
        let entry = |name: &str| Entry {
            name: name.into(),
            has_file: true,
            phases: vec!["fs-config-only".into()],
            must_pass: true,
            timeout: 60,
        };
        Startup {
            callables: vec![entry("m.a")],
            file,
        }
    }

    /// Outcome and error of the only callable, after these lines of this start and of the one before.
    fn told(now: &[&str], before: &[&str], is_over: bool) -> (Option<CallableState>, Option<String>, bool) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("outcomes");
        fs::write(&file, now.join("\n")).unwrap();
        fs::write(folder.path().join("outcomes.before"), before.join("\n")).unwrap();
        let startup = startup(file);
        let mut outcomes = startup.outcomes(is_over);
        let is_passed = startup.is_passed(&outcomes);
        assert!(outcomes.len() <= 1);
        let last = outcomes.pop();
        (
            last.as_ref().map(|last| last.outcome),
            last.and_then(|last| last.error),
            is_passed,
        )
    }

    #[test]
    fn the_last_line_of_a_callable_counts() {
        assert_eq!(told(&[], &[], false), (None, None, false));
        assert_eq!(
            told(&[RUNNING], &[], false),
            (Some(CallableState::Running), None, false)
        );
        assert_eq!(
            told(&[RUNNING, PASSED], &[], false),
            (Some(CallableState::Passed), None, true)
        );
        assert_eq!(
            told(&[RUNNING, "{half", FAILED], &[], false).0,
            Some(CallableState::Failed)
        );
    }

    #[test]
    fn a_failure_is_told_until_the_next_start_is_past_it() {
        let error = Some("ValueError: x (m.py:2)".to_owned());
        let failed = (Some(CallableState::Failed), error, false);
        assert_eq!(told(&[], &[RUNNING, FAILED], false), failed);
        assert_eq!(told(&[RUNNING], &[RUNNING, FAILED], false), failed);
        assert_eq!(
            told(&[RUNNING, PASSED], &[FAILED], false),
            (Some(CallableState::Passed), None, true)
        );
        // A server that serves has nothing to do with the start before its own.
        assert_eq!(told(&[RUNNING], &[FAILED], true).0, Some(CallableState::Running));
    }

    #[test]
    fn a_callable_that_took_the_server_with_it_has_failed() {
        let (outcome, error, _) = told(&[], &[RUNNING], false);
        assert_eq!(outcome, Some(CallableState::Failed));
        assert_eq!(error.as_deref(), Some("the server ended while it ran"));
        assert_eq!(told(&[], &[PASSED], false).0, None);
    }

    #[test]
    fn what_the_server_wrote_there_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        let startup = startup(file.clone());
        let long = FAILED.replace("ValueError", &"x".repeat(5000));
        let huge = format!(r#"{{"name":"{}"}}"#, "x".repeat(2_000_000));
        let others = r#"{"name":"m.b","phase":"fs-config-only"}"#;
        fs::write(&file, format!("{huge}\n[]\nnull\n{others}\n{long}")).unwrap();
        let found = startup.read(&file);
        assert_eq!(
            (found.len(), found[0].error.as_ref().unwrap().len()),
            (1, MOST_CHARACTERS)
        );
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(startup.read(&link), []);
    }

    #[test]
    fn without_callables_nothing_is_waited_for() {
        let startup = Startup::mounted().unwrap();
        assert!(startup.is_passed(&startup.outcomes(false)));
    }
}
