//! Pure: may a changed service be deployed, by what it breaks for its callers?

use std::collections::BTreeMap;

use super::inputs::Inputs;
use super::plan::{Texts, text};
use crate::api::zato_service::BreakingChangePolicy;
use crate::documents;
use crate::exchange::{IndexedService, RefusedRevision};
use crate::service::plan::Checked;

/// What becomes of a valid version.
pub enum Judged {
    /// It is deployed.
    Deployed(IndexedService),
    /// It breaks callers and must not.
    Refused(RefusedRevision),
}

/// Looks at services one after another; each is judged as a change of those before it.
pub struct Gate<'a> {
    inputs: &'a Inputs,
    /// All code that is deployed; none: it was not needed yet.
    deployed: Option<Texts>,
}

impl<'a> Gate<'a> {
    /// Before the first service.
    pub fn new(inputs: &'a Inputs) -> Self {
        Self {
            inputs,
            deployed: None,
        }
    }

    /// The next service; none: it is not valid.
    pub fn judge(&mut self, service: &Checked<'_>) -> Option<Judged> {
        let mut version = service.result.clone().ok()?;
        let Some(old) = self.inputs.previous.index.services.get(&service.name) else {
            // Nobody calls what was never there.
            return Some(Judged::Deployed(version));
        };
        if old.revision == version.revision {
            version.breaks.clone_from(&old.breaks);
            return Some(Judged::Deployed(version));
        }
        let before = self.deployed.get_or_insert_with(|| deployed(self.inputs));
        let mut after = before.clone();
        after.retain(|file, _| !old.files.contains_key(file));
        after.extend(
            service
                .texts()
                .map(|(file, text)| (file.to_owned(), text.to_owned())),
        );
        let breaks = documents::breaks(before, &after);
        if !breaks.is_empty() && self.must_not_break(&service.name) {
            return Some(Judged::Refused(RefusedRevision {
                revision: version.revision,
                breaks,
            }));
        }
        self.deployed = Some(after);
        version.breaks = breaks;
        Some(Judged::Deployed(version))
    }

    fn must_not_break(&self, service: &str) -> bool {
        let mut sources = self.inputs.services.iter();
        sources.any(|source| {
            source.name == service && source.openapi.breaking_change_policy == BreakingChangePolicy::Refuse
        })
    }
}

/// The contents of all files that the servers were told.
fn deployed(inputs: &Inputs) -> Texts {
    let before = &inputs.previous;
    let found = before.index.files();
    let texts: BTreeMap<_, _> = found
        .filter_map(|(_, file, entry)| Some((file.to_owned(), text(file, entry, before)?.to_owned())))
        .collect();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::plan::Plan;
    use crate::cluster::plan::tests::{plan_of, plan_with};
    use rstest::rstest;

    const ONE: &str =
        "from zato.server.service import Service\n\nclass A(Service):\n    name = 'a.one'\n    input = 'x'\n";

    fn breaking() -> String {
        ONE.replace("'x'", "'x', 'y'")
    }

    fn told() -> Vec<String> {
        vec!["a.one: RequiredInputAdded: y: none -> required string".into()]
    }

    fn after(before: &Plan, text: &str, policy: BreakingChangePolicy) -> Plan {
        plan_with(&[("s", text)], before, policy)
    }

    /// With either policy: what is deployed, what it broke, what was refused.
    #[rstest]
    #[case::warned(BreakingChangePolicy::Warn, true)]
    #[case::refused(BreakingChangePolicy::Refuse, false)]
    fn a_change_that_breaks_callers(#[case] policy: BreakingChangePolicy, #[case] deployed: bool) {
        let before = plan_of(&[("s", ONE)]);
        let plan = after(&before, &breaking(), policy);
        let (entry, text) = (&plan.index.services["s"], &plan.shards["demo-code-0"]["s.py"]);
        assert_eq!(*text == breaking(), deployed);
        assert_eq!(entry.breaks, if deployed { told() } else { vec![] });
        let refused = RefusedRevision {
            revision: plan_of(&[("s", &breaking())]).index.services["s"]
                .revision
                .clone(),
            breaks: told(),
        };
        assert_eq!(entry.refused, (!deployed).then_some(refused));
    }

    #[test]
    fn what_is_told_stays_until_the_next_change() {
        let broken = after(&plan_of(&[("s", ONE)]), &breaking(), BreakingChangePolicy::Warn);
        let same = after(&broken, &breaking(), BreakingChangePolicy::Warn);
        assert_eq!(same.index, broken.index);
        // An invalid version keeps the old one with what it broke.
        let invalid = after(&broken, "(", BreakingChangePolicy::Warn);
        assert_eq!(invalid.index, broken.index);
        let back = after(&broken, ONE, BreakingChangePolicy::Refuse);
        assert_eq!(back.index.services["s"].breaks, Vec::<String>::new());
    }

    #[test]
    fn a_refusal_ends_with_the_change_or_with_the_policy() {
        let before = plan_of(&[("s", ONE)]);
        let refused = after(&before, &breaking(), BreakingChangePolicy::Refuse);
        let back = after(&refused, ONE, BreakingChangePolicy::Refuse);
        assert_eq!(back.index, before.index);
        let allowed = after(&refused, &breaking(), BreakingChangePolicy::Warn);
        assert_eq!(allowed.index.services["s"].breaks, told());
        assert_eq!(allowed.index.services["s"].refused, None);
    }

    /// A service that is refused does not keep a later one from being compared with what is deployed.
    #[test]
    fn each_change_is_judged_for_itself() {
        let other = ONE.replace("a.one", "b.one");
        let before = plan_of(&[("s", ONE), ("t", &other)]);
        let compatible = other.replace("'x'", "'x', '-z'");
        let plan = plan_with(
            &[("s", &breaking()), ("t", &compatible)],
            &before,
            BreakingChangePolicy::Refuse,
        );
        assert!(plan.index.services["s"].refused.is_some());
        assert_eq!(plan.index.services["t"].refused, None);
        assert_eq!(plan.shards["demo-code-0"]["t.py"], compatible);
    }

    /// What other services import is part of their contract.
    #[test]
    fn a_model_in_a_file_of_another_service_counts() {
        let model = "from dataclasses import dataclass\nfrom zato.common.typing_ import *\nfrom zato.server.service import Model\n\n@dataclass\nclass M(Model):\n    a: int\n";
        let user = "from zato.server.service import Service\nfrom m import M\n\nclass A(Service):\n    name = 'a.one'\n    input = M\n";
        let before = plan_of(&[("m", model), ("u", user)]);
        let changed = format!("{model}    b: int\n");
        let plan = plan_with(
            &[("m", &changed), ("u", user)],
            &before,
            BreakingChangePolicy::Refuse,
        );
        let refused = plan.index.services["m"].refused.as_ref().unwrap();
        assert_eq!(
            refused.breaks,
            ["a.one: RequiredInputAdded: b: none -> required integer"]
        );
        assert_eq!(plan.shards["demo-code-0"]["m.py"], model);
    }
}
