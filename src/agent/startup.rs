//! What the startup callables did, as the wrapper in the server noted it. The server's code can write there, too: what
//! cannot be read is nothing.

use std::fs;
use std::path::{Path, PathBuf};

use super::code;
use crate::cluster::desired::paths;
use crate::cluster::startup::{Entry, LIST, passed};
use crate::exchange::{CallableOutcome, CallableState};

/// More callables and phases than there can be.
const MOST: usize = 200;
/// More than the wrapper writes of one error.
const MOST_CHARACTERS: usize = 1200;

/// The callables of this pod.
pub struct Startup {
    callables: Vec<Entry>,
    file: PathBuf,
}

impl Startup {
    /// Those that are mounted; none if nothing is.
    pub fn mounted() -> Self {
        let list = Path::new(paths::STARTUP).join("wrapper").join(LIST);
        let text = fs::read_to_string(list).unwrap_or_default();
        Self {
            callables: serde_json::from_str(&text).unwrap_or_default(),
            file: Path::new(paths::STARTUP_STATE).join("outcomes"),
        }
    }

    /// What they did when the server started last. Until that start is over, also what failed in the one before: a server
    /// that ends again and again would else be told as starting most of the time.
    pub fn outcomes(&self, is_serving: bool) -> Vec<CallableOutcome> {
        if self.callables.is_empty() {
            return vec![];
        }
        let mut found = read(&self.file);
        if !is_serving {
            let before = read(&self.file.with_file_name("outcomes.before"));
            let is_known = |outcome: &CallableOutcome| {
                let mut same = found.iter().filter(|known| is_same(known, outcome));
                same.any(|known| known.outcome != CallableState::Running)
            };
            let failed: Vec<_> = before
                .into_iter()
                .filter_map(ended)
                .filter(|outcome| !is_known(outcome))
                .collect();
            found.retain(|known| !failed.iter().any(|outcome| is_same(known, outcome)));
            found.extend(failed);
        }
        found
    }

    /// Whether those passed without which the server may not serve.
    pub fn is_passed(&self, outcomes: &[CallableOutcome]) -> bool {
        passed(&self.callables, outcomes, true)
    }
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

/// The last line of each callable and phase, in the order of their first ones.
fn read(file: &Path) -> Vec<CallableOutcome> {
    let mut found: Vec<CallableOutcome> = vec![];
    for line in code::read(file).unwrap_or_default().lines() {
        let Ok(mut outcome) = serde_json::from_str::<CallableOutcome>(line) else {
            continue;
        };
        if let Some(error) = &mut outcome.error {
            *error = error.chars().take(MOST_CHARACTERS).collect();
        }
        if let Some(known) = found.iter_mut().find(|known| is_same(known, &outcome)) {
            *known = outcome;
        } else if found.len() < MOST {
            found.push(outcome);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = r#"{"name":"m.a","phase":"fs-config-only","outcome":"Passed","milliseconds":3}"#;
    const FAILED: &str =
        r#"{"name":"m.a","phase":"fs-config-only","outcome":"Failed","error":"ValueError: x (m.py:2)"}"#;
    const RUNNING: &str = r#"{"name":"m.a","phase":"fs-config-only","outcome":"Running"}"#;

    /// Outcome and error of the only callable, after these lines of this start and of the one before.
    fn told(
        now: &[&str],
        before: &[&str],
        is_serving: bool,
    ) -> (Option<CallableState>, Option<String>, bool) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("outcomes");
        fs::write(&file, now.join("\n")).unwrap();
        fs::write(folder.path().join("outcomes.before"), before.join("\n")).unwrap();
        let callables = vec![Entry {
            name: "m.a".into(),
            has_file: true,
            phases: vec!["fs-config-only".into(), "in-process-other".into()],
            must_pass: true,
            timeout: 60,
        }];
        let startup = Startup { callables, file };
        let mut outcomes = startup.outcomes(is_serving);
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
        let long = format!(r#"{{"name":"m.a","error":"{}"}}"#, "x".repeat(5000));
        let many: Vec<String> = (0..1000)
            .map(|number| format!(r#"{{"name":"m.{number}"}}"#))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, format!("{long}\n[]\nnull\n{}", many.join("\n"))).unwrap();
        let found = read(&file);
        assert_eq!(
            (found.len(), found[0].error.as_ref().unwrap().len()),
            (MOST, MOST_CHARACTERS)
        );
    }
}
