//! Pure: may a changed service be deployed, by what it breaks for its callers?

use super::inputs::Inputs;
use super::plan::{Texts, text};
use crate::documents;
use crate::exchange::{IndexedFile, IndexedService, RefusedRevision, hash};
use crate::service::check::Checked;

/// What becomes of a valid version.
pub enum Judged {
    /// It is deployed.
    Deployed(Box<IndexedService>),
    /// It breaks callers and must not.
    Refused(RefusedRevision),
}

/// How much of the index may be about changes.
const TOLD_BYTES: usize = 80_000;

/// Looks at services one after another; each is judged as a change of those before it.
pub struct Gate<'a> {
    inputs: &'a Inputs,
    services: &'a [Checked<'a>],
    /// All code as it is deployed, changed by the services that were judged; none: it was not needed yet.
    deployed: Option<Texts>,
    /// Whether all changes together break nothing: then none of them has to be looked at alone.
    is_harmless: bool,
    /// The bytes that were told.
    told: usize,
}

impl<'a> Gate<'a> {
    /// Before the first service.
    pub fn new(inputs: &'a Inputs, services: &'a [Checked<'a>]) -> Self {
        Self {
            inputs,
            services,
            deployed: None,
            is_harmless: false,
            told: 0,
        }
    }

    /// The next service; none: it is not valid.
    pub fn judge(&mut self, service: &Checked<'_>) -> Option<Judged> {
        let mut version = service.result.clone().ok()?;
        let Some(old) = self.inputs.previous.index.services.get(&service.name) else {
            // Nobody calls what was never there.
            return Some(Judged::Deployed(version.into()));
        };
        let of_channels =
            documents::channel_breaks(&old.resolved(&old.channels), &version.resolved(&version.channels));
        if old.revision == version.revision {
            if !of_channels.is_empty() {
                return Some(self.conclude(service, version, of_channels));
            }
            // What the last change of the code broke is as it was.
            version.breaks = self.within_bounds(old.breaks.clone());
            version.is_unjudged = old.is_unjudged;
            return Some(Judged::Deployed(version.into()));
        }
        if !is_whole(old, self.inputs) {
            // An operator was interrupted between the contents and the index, or somebody deleted the contents.
            version.is_unjudged = true;
            return Some(self.conclude(service, version, of_channels));
        }
        let before = self.before();
        if self.is_harmless {
            return Some(self.conclude(service, version, of_channels));
        }
        let after = changed(before.clone(), old, service);
        let mut breaks = documents::breaks(&before, &after);
        breaks.extend(of_channels);
        let judged = self.conclude(service, version, breaks);
        if matches!(judged, Judged::Deployed(_)) {
            self.deployed = Some(after);
        }
        Some(judged)
    }

    fn conclude(
        &mut self,
        service: &Checked<'_>,
        mut version: IndexedService,
        breaks: Vec<String>,
    ) -> Judged {
        let breaks = self.within_bounds(breaks);
        if !breaks.is_empty() && service.must_not_break() {
            return Judged::Refused(RefusedRevision {
                revision: version.revision,
                breaks,
            });
        }
        version.breaks = breaks;
        Judged::Deployed(version.into())
    }

    /// All code, and what all changes together do to it.
    fn before(&mut self) -> Texts {
        if let Some(deployed) = &self.deployed {
            return deployed.clone();
        }
        let known = &self.inputs.previous.index.services;
        let mut before = deployed(self.inputs);
        // What is new may be imported by what changes.
        for service in self
            .services
            .iter()
            .filter(|service| !known.contains_key(&service.name))
        {
            before.extend(owned(service.texts()));
        }
        let after = self.services.iter().fold(before.clone(), |texts, service| {
            match (known.get(&service.name), &service.result) {
                (Some(old), Ok(_)) => changed(texts, old, service),
                _ => texts,
            }
        });
        self.is_harmless = documents::breaks(&before, &after).is_empty();
        self.deployed = Some(before.clone());
        before
    }

    fn within_bounds(&mut self, breaks: Vec<String>) -> Vec<String> {
        self.told += breaks.iter().map(String::len).sum::<usize>();
        if self.told <= TOLD_BYTES || breaks.is_empty() {
            return breaks;
        }
        vec!["more changes of other services are told: this one has no room".into()]
    }
}

fn owned<'a>(texts: impl Iterator<Item = (&'a str, &'a str)>) -> impl Iterator<Item = (String, String)> {
    texts.map(|(file, text)| (file.to_owned(), text.to_owned()))
}

/// The code after a service's files took the place of those that it has now.
fn changed(mut texts: Texts, old: &IndexedService, service: &Checked<'_>) -> Texts {
    texts.retain(|file, _| !old.files.contains_key(file));
    texts.extend(owned(service.texts()));
    texts
}

/// Whether the contents of all files of a version are there.
fn is_whole(version: &IndexedService, inputs: &Inputs) -> bool {
    let exact = |(file, entry): (&String, &IndexedFile)| {
        let found = text(file, entry, &inputs.previous);
        found.is_some_and(|text| hash(text.as_bytes()) == entry.sha256)
    };
    version.files.iter().all(exact)
}

/// The contents of all files that the servers were told.
fn deployed(inputs: &Inputs) -> Texts {
    let before = &inputs.previous;
    let found = before.index.files();
    found
        .filter_map(|(_, file, entry)| Some((file.to_owned(), text(file, entry, before)?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::zato_service::BreakingChangePolicy;
    use crate::cluster::plan::Plan;
    use crate::cluster::plan::tests::{plan_of, plan_of_channels, plan_with};
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

    /// A channel that goes is a change of callers, alone and beside one of the code; what is refused leaves it.
    #[test]
    fn channels_are_judged_with_the_code() {
        use BreakingChangePolicy::{Refuse, Warn};
        let before = plan_of_channels(ONE, &["/a", "/b"], None, Refuse);
        let (of_code, of_channel) = (
            told(),
            "GET /b: OperationRemoved: service a.one -> none".to_owned(),
        );
        let entry = |plan: &Plan| plan.index.services["s"].clone();
        let warned = entry(&plan_of_channels(ONE, &["/a"], Some(&before), Warn));
        assert_eq!(
            (warned.breaks, warned.channels.len()),
            (vec![of_channel.clone()], 1)
        );
        let refused = entry(&plan_of_channels(ONE, &["/a"], Some(&before), Refuse));
        assert_eq!(refused.refused.unwrap().breaks, std::slice::from_ref(&of_channel));
        assert_eq!(refused.channels, entry(&before).channels);
        let both = entry(&plan_of_channels(&breaking(), &["/a"], Some(&before), Warn));
        assert_eq!(both.breaks, [of_code[0].clone(), of_channel.clone()]);
        // Harmless code beside it changes nothing of that.
        let comment = format!("{ONE}# more\n");
        let beside = entry(&plan_of_channels(&comment, &["/a"], Some(&before), Refuse));
        assert_eq!(beside.refused.unwrap().breaks, [of_channel]);
        let added = entry(&plan_of_channels(ONE, &["/a", "/b", "/c"], Some(&before), Refuse));
        assert_eq!((added.refused, added.channels.len()), (None, 3));
        // Code that is not valid keeps what its channels need.
        let broken = entry(&plan_of_channels("(", &["/a", "/c"], Some(&before), Refuse));
        assert_eq!(broken.channels, entry(&before).channels, "none goes with Refuse");
        let broken = entry(&plan_of_channels("(", &["/a", "/c"], Some(&before), Warn));
        assert_eq!(broken.channels.keys().collect::<Vec<_>>(), ["a", "c"]);
        // A channel more says nothing about the code's last change.
        let told_before = plan_of_channels(&breaking(), &["/a", "/b"], Some(&before), Warn);
        let more = entry(&plan_of_channels(
            &breaking(),
            &["/a", "/b", "/c"],
            Some(&told_before),
            Warn,
        ));
        assert_eq!(more.breaks, told());
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

    /// An operator that ended between shard and index: what a change broke cannot be told any more, and is not denied.
    #[test]
    fn what_cannot_be_compared_is_told_as_such() {
        let mut before = plan_of(&[("s", ONE)]);
        before.shards = plan_of(&[("s", &breaking())]).shards;
        for policy in [BreakingChangePolicy::Warn, BreakingChangePolicy::Refuse] {
            let plan = after(&before, &breaking(), policy);
            assert!(plan.index.services["s"].is_unjudged);
            // And it is not forgotten.
            let same = after(&plan, &breaking(), policy);
            assert!(same.index.services["s"].is_unjudged);
        }
    }

    /// A model that moves into a service of its own breaks nothing; nor does what one change takes and another one gives.
    #[test]
    fn changes_that_come_together_are_judged_together() {
        let head = "from dataclasses import dataclass\nfrom zato.server.service import Model, Service\n";
        let model = "@dataclass\nclass M(Model):\n    a: int\n";
        let user = "class A(Service):\n    name = 'a.one'\n    output = M\n";
        let before = plan_of(&[("u", &format!("{head}{model}{user}"))]);
        let moved = format!("from m import M\n{head}{user}");
        let models = format!("{head}{model}");
        for services in [[("m", &models), ("u", &moved)], [("u", &moved), ("m", &models)]] {
            let services = services.map(|(name, text)| (name, text.as_str()));
            let plan = plan_with(&services, &before, BreakingChangePolicy::Refuse);
            let entry = &plan.index.services["u"];
            assert_eq!((&entry.breaks, &entry.refused), (&vec![], &None));
        }
    }

    #[test]
    fn what_is_told_fits_into_the_index() {
        let code = |n: usize, input: &str| ONE.replace("a.one", &format!("a.s{n}")).replace("'x'", input);
        let names: Vec<_> = (0..100).map(|n| (format!("s{n}"), code(n, "'x'"))).collect();
        let inputs: String = (0..30)
            .map(|n| format!("'y_{n}_{}', ", "x".repeat(300)))
            .collect();
        let changed: Vec<_> = (0..100).map(|n| (format!("s{n}"), code(n, &inputs))).collect();
        let of = |all: &'static [(String, String)]| {
            all.iter()
                .map(|(n, t)| (n.as_str(), t.as_str()))
                .collect::<Vec<_>>()
        };
        let before = plan_of(&of(names.leak()));
        let plan = after_all(&before, &of(changed.leak()));
        let size = serde_json::to_string(&plan.index).unwrap().len();
        assert!(size < 120_000, "{size}");
        assert!(
            plan.index
                .services
                .values()
                .all(|service| !service.breaks.is_empty())
        );
    }

    fn after_all(before: &Plan, services: &[(&str, &str)]) -> Plan {
        plan_with(services, before, BreakingChangePolicy::Warn)
    }
}
