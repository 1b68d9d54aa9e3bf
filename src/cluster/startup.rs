//! Pure: startup callables as the files that a server's pod mounts, and what agents note of them as what users see.
//!
//! The files are in a ConfigMap whose name is made from their contents: what a pod mounts never changes, and a change makes
//! another pod.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::api::ZatoCluster;
use crate::api::conditions::Reason;
use crate::api::startup::{ConfigMapKeyReference, FailurePolicy, StartupCallable, StartupPhase};
use crate::exchange::{CallableOutcome, CallableState, revision};
use crate::python;
use crate::reconcile::Error;
use crate::service::source::Content;

/// The module of ours that Zato calls.
pub const WRAPPER: &str = "zato_operator_startup";
const WRAPPER_TEXT: &str = include_str!("startup.py");
/// What it reads beside itself.
pub const LIST: &str = "callables.json";
/// All files of a ConfigMap, with room for what is around them.
const MOST_BYTES: usize = 900 * 1024;

/// All phases in their order, with Zato's own names (`zato-common/src/zato/common/api.py`, `SERVER_STARTUP`).
const PHASES: [(StartupPhase, &str); 5] = [
    (StartupPhase::FSConfigOnly, "fs-config-only"),
    (StartupPhase::ImplBeforeRun, "impl-before-run"),
    (StartupPhase::BeforePostFork, "before-post-fork"),
    (StartupPhase::InProcessFirst, "in-process-first"),
    (StartupPhase::AfterStarted, "after-started"),
];

/// What was read of the ConfigMaps that callables name; none: it does not exist.
pub type Contents = BTreeMap<String, Option<Arc<Content>>>;

/// The callables of a cluster, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Startup {
    /// In the order in which they are called.
    pub callables: Vec<Entry>,
    /// The sources that ConfigMaps have, by the names of their files.
    pub modules: BTreeMap<String, String>,
}

/// One callable, as the wrapper and the agent read it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its dotted name.
    pub name: String,
    /// Whether its module has a file of ours.
    pub has_file: bool,
    /// The phases in which it is called, by Zato's names.
    pub phases: Vec<String>,
    /// Whether the server may not serve without it.
    pub must_pass: bool,
    /// How many seconds it has in each phase.
    pub timeout: i32,
}

impl Entry {
    fn of(callable: &StartupCallable) -> Self {
        let wanted = &callable.phases;
        let phases = PHASES
            .iter()
            .filter(|(phase, _)| wanted.is_empty() || wanted.contains(phase));
        Self {
            name: callable.name.clone(),
            has_file: callable.config_map_key_ref.is_some(),
            phases: phases.map(|(_, name)| (*name).to_owned()).collect(),
            must_pass: callable.failure_policy == FailurePolicy::Fail,
            timeout: callable.timeout_seconds,
        }
    }
}

impl Startup {
    /// The files that a pod mounts, by their keys in the ConfigMap.
    pub fn files(&self) -> BTreeMap<String, String> {
        let list = serde_json::to_string(&self.callables).unwrap_or_default();
        let ours = [
            (format!("{WRAPPER}.py"), WRAPPER_TEXT.into()),
            (LIST.into(), list),
        ];
        ours.into_iter().chain(self.modules.clone()).collect()
    }

    /// What the ConfigMap's name ends with.
    pub fn hash(&self) -> String {
        let files = self.files();
        revision(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))[..10].to_owned()
    }

    /// How many seconds all of them may take.
    pub fn seconds(&self) -> i32 {
        let of = |entry: &Entry| entry.timeout * i32::try_from(entry.phases.len()).unwrap_or(1);
        self.callables.iter().map(of).sum()
    }
}

/// The names of the ConfigMaps that callables come from.
pub fn config_maps(cluster: &ZatoCluster) -> BTreeSet<&str> {
    let references = cluster.spec.startup_callables.iter();
    references
        .filter_map(|callable| Some(callable.config_map_key_ref.as_ref()?.name.as_str()))
        .collect()
}

/// Checks the callables; none: there are none.
pub fn startup(callables: &[StartupCallable], contents: &Contents) -> Result<Option<Startup>, Error> {
    let mut startup = Startup::default();
    let mut sources: BTreeMap<String, &ConfigMapKeyReference> = BTreeMap::new();
    for callable in callables {
        startup.callables.push(Entry::of(callable));
        let module = callable.name.split('.').next().unwrap_or_default();
        if module == WRAPPER {
            return Err(invalid(
                callable,
                "this module is the operator's: rename yours".into(),
            ));
        }
        let Some(reference) = &callable.config_map_key_ref else {
            continue;
        };
        let file = format!("{module}.py");
        if sources
            .insert(file.clone(), reference)
            .is_some_and(|other| other != reference)
        {
            return Err(invalid(
                callable,
                format!("module {module} comes from another key, too: rename one of the modules"),
            ));
        }
        let text = text(reference, contents)?;
        check(callable, reference, &file, &text)?;
        startup.modules.insert(file, text);
    }
    let bytes: usize = startup.modules.values().map(String::len).sum();
    if bytes > MOST_BYTES {
        return Err(Error::Invalid {
            field: "startupCallables".into(),
            why: format!(
                "their modules have {bytes} bytes, and {MOST_BYTES} fit: put large ones into the image"
            ),
        });
    }
    Ok((!callables.is_empty()).then_some(startup))
}

/// What can be told of a module before a server starts with it.
fn check(
    callable: &StartupCallable,
    reference: &ConfigMapKeyReference,
    file: &str,
    text: &str,
) -> Result<(), Error> {
    let key = &reference.key;
    if let Err(error) = python::parse(file, text) {
        let why = format!("has an error in key {key}: {error}: mend it");
        return Err(refused(reference, Reason::SyntaxError, why));
    }
    // A name that stands nowhere is made by nothing, but for what is imported without being named.
    let function = callable.name.rsplit('.').next().unwrap_or_default();
    let is_word = |character: char| character == '_' || character.is_alphanumeric();
    let is_there = text
        .split(|character| !is_word(character))
        .any(|word| word == function);
    if !is_there && !text.contains("import *") {
        let why = format!(
            "has no {function} in key {key}, which {} names: add it",
            callable.name
        );
        return Err(refused(reference, Reason::SourceInvalid, why));
    }
    Ok(())
}

fn refused(reference: &ConfigMapKeyReference, reason: Reason, why: String) -> Error {
    Error::ConfigMap {
        config_map: reference.name.clone(),
        field: "startupCallables".into(),
        why,
        reason,
    }
}

fn invalid(callable: &StartupCallable, why: String) -> Error {
    Error::Invalid {
        field: format!("startupCallables[{}]", callable.name),
        why,
    }
}

fn text(reference: &ConfigMapKeyReference, contents: &Contents) -> Result<String, Error> {
    let ConfigMapKeyReference { name, key } = reference;
    let refused = |reason, why| refused(reference, reason, why);
    let content = contents.get(name).cloned().flatten();
    let content =
        content.ok_or_else(|| refused(Reason::ConfigMapNotFound, "does not exist: create it".into()))?;
    if content.binary.contains(key) {
        let why = format!("has no text in UTF-8 in key {key}, which stands in binaryData: save it as UTF-8");
        return Err(refused(Reason::SourceInvalid, why));
    }
    let text = content.texts.get(key).cloned();
    text.ok_or_else(|| refused(Reason::ConfigMapNotFound, format!("has no key {key}: add it")))
}

/// The first failure of one that must pass, or of one that may fail.
pub fn failure<'a>(
    callables: &[Entry],
    outcomes: &'a [CallableOutcome],
    must_pass: bool,
) -> Option<&'a CallableOutcome> {
    let is_such = |outcome: &&CallableOutcome| {
        let entry = callables.iter().find(|entry| entry.name == outcome.name);
        outcome.outcome == CallableState::Failed && entry.is_some_and(|entry| entry.must_pass == must_pass)
    };
    outcomes.iter().find(is_such)
}

/// Whether each of them passed in each of its phases; those that may fail are left out on request.
pub fn passed(callables: &[Entry], outcomes: &[CallableOutcome], only_must_pass: bool) -> bool {
    let has_passed = |name: &str, phase: &str| {
        let mut found = outcomes
            .iter()
            .filter(|outcome| outcome.name == name && outcome.phase == phase);
        found.any(|outcome| outcome.outcome == CallableState::Passed)
    };
    callables
        .iter()
        .filter(|entry| entry.must_pass || !only_must_pass)
        .all(|entry| entry.phases.iter().all(|phase| has_passed(&entry.name, phase)))
}

/// The name that users give to a phase of Zato's.
pub fn phase(name: &str) -> String {
    let known = PHASES.iter().find(|(_, known)| *known == name);
    known.map_or_else(|| name.to_owned(), |(phase, _)| format!("{phase:?}"))
}

/// In words: the cause first.
pub fn told(outcome: &CallableOutcome) -> String {
    let error = outcome.error.as_deref().unwrap_or("it failed");
    format!(
        "{error} in startup callable {}, phase {}",
        outcome.name,
        phase(&outcome.phase)
    )
}

#[cfg(test)]
mod tests;
