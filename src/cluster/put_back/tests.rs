//! What is put back, when, and until when.

use super::*;
use crate::cluster::plan::Plan;
use crate::cluster::plan::tests::{plan_of, plan_reported};

fn code(service: &str, more: &str) -> String {
    format!(
        "from zato.server.service import Service\n\nclass A(Service):\n    name = '{service}'\n\n{more}\n"
    )
}

fn report(plan: &Plan, state: LoadState) -> Report {
    let service = ServiceReport {
        revision: plan.index.services["s"].revision.clone(),
        state,
        error: (state == LoadState::Failed).then(|| "s.py: NameError".to_owned()),
        ..ServiceReport::default()
    };
    Report {
        index_revision: plan.index.revision.clone(),
        services: [("s".to_owned(), service)].into(),
        ..Report::default()
    }
}

fn kept(text: &str) -> BTreeMap<String, Texts> {
    let files = Texts::from([("s.py".to_owned(), text.to_owned())]);
    [("s".to_owned(), files)].into()
}

fn text(plan: &Plan) -> &str {
    &plan.shards["demo-code-0"]["s.py"]
}

/// A good revision, and the one after it, which the server cannot load.
fn bad_after_good() -> (String, String, Plan) {
    let (good, bad) = (code("a.one", ""), code("a.one", "no_such_name"));
    let first = plan_of(&[("s", &good)]);
    let loaded = Some(report(&first, LoadState::Loaded));
    let second = plan_reported(&[("s", &bad)], &first, loaded, BTreeMap::new());
    (good, bad, second)
}

#[test]
fn what_failed_gives_its_place_back() {
    let (good, bad, second) = bad_after_good();
    let first = plan_of(&[("s", &good)]).index.services["s"].revision.clone();
    assert_eq!(
        (text(&second), second.index.services["s"].good.as_ref()),
        (bad.as_str(), Some(&first))
    );
    let failed = report(&second, LoadState::Failed);
    let found: Vec<_> = failed_of(&second, &failed);
    assert_eq!(found, [("s".to_owned(), first.clone())]);
    let third = plan_reported(&[("s", &bad)], &second, Some(failed), kept(&good));
    assert_eq!(text(&third), good);
    let entry = &third.index.services["s"];
    assert_eq!(entry.revision, first);
    let told = entry.failed.as_ref().unwrap();
    assert_eq!(told.revision, second.index.services["s"].revision);
    assert_eq!(told.error, "s.py: NameError");
    assert_eq!(third.revisions["s"], None, "it is not what its spec wants");
    // It stays so, whatever the server says of it.
    let fourth = plan_reported(
        &[("s", &bad)],
        &third,
        Some(report(&third, LoadState::Loaded)),
        BTreeMap::new(),
    );
    assert_eq!(fourth.index, third.index);
    assert_eq!(text(&fourth), good);
    // A mended file ends it, and what was put back is good still.
    let mended = code("a.one", "x = 1");
    let fifth = plan_reported(
        &[("s", &mended)],
        &third,
        Some(report(&third, LoadState::Loaded)),
        BTreeMap::new(),
    );
    let entry = &fifth.index.services["s"];
    assert_eq!(
        (text(&fifth), &entry.failed, entry.good.as_ref()),
        (mended.as_str(), &None, Some(&first))
    );
}

fn failed_of(plan: &Plan, report: &Report) -> Vec<(String, String)> {
    let found = super::failed(&plan.index, Some(report));
    found
        .map(|(name, _, good)| (name.to_owned(), good.to_owned()))
        .collect()
}

/// Not before the server is done with this index, not for another revision, and not where there was none before.
#[test]
fn a_failure_counts_when_nothing_is_on_its_way() {
    let (.., second) = bad_after_good();
    assert_eq!(failed_of(&second, &report(&second, LoadState::Loaded)), []);
    let mut early = report(&second, LoadState::Failed);
    early.index_revision = String::new();
    assert_eq!(failed_of(&second, &early), []);
    let mut other = report(&second, LoadState::Failed);
    other.services.get_mut("s").unwrap().revision = "other".into();
    assert_eq!(failed_of(&second, &other), []);
    let first = plan_of(&[("s", &code("a.one", "no_such_name"))]);
    assert_eq!(failed_of(&first, &report(&first, LoadState::Failed)), []);
    assert_eq!(super::failed(&second.index, None).count(), 0);
}

/// What it failed for may be there by now.
#[test]
fn it_is_tried_again_with_other_services() {
    let (good, bad, second) = bad_after_good();
    let failed = report(&second, LoadState::Failed);
    let third = plan_reported(&[("s", &bad)], &second, Some(failed), kept(&good));
    let other = code("b.one", "");
    let fourth = plan_reported(&[("s", &bad), ("t", &other)], &third, None, BTreeMap::new());
    assert_eq!(
        (text(&fourth), &fourth.index.services["s"].failed),
        (bad.as_str(), &None)
    );
    // And put back once more.
    assert!(fourth.index.services["s"].good.is_some());
    let failed = report(&fourth, LoadState::Failed);
    let fifth = plan_reported(&[("s", &bad), ("t", &other)], &fourth, Some(failed), kept(&good));
    assert_eq!(text(&fifth), good);
    assert_ne!(
        fifth.index.services["s"].failed.as_ref().unwrap().others,
        third.index.services["s"].failed.as_ref().unwrap().others
    );
}

/// An edit that comes before the one before was loaded leaves the last good one.
#[test]
fn the_last_good_one_is_remembered() {
    let (good, _, second) = bad_after_good();
    let first = plan_of(&[("s", &good)]).index.services["s"].revision.clone();
    let third = plan_reported(&[("s", &code("a.one", "other"))], &second, None, BTreeMap::new());
    assert_eq!(third.index.services["s"].good.as_ref(), Some(&first));
    // Back by hand: it is no revision to go back to from itself.
    let back = plan_reported(&[("s", &good)], &third, None, BTreeMap::new());
    assert_eq!(back.index.services["s"].good, None);
}

/// Another service has the name by now: two of one name would be worse.
#[test]
fn an_old_revision_does_not_meet_another_service() {
    let (good, bad) = (code("a.one", ""), code("a.two", "no_such_name"));
    let first = plan_of(&[("s", &good)]);
    let loaded = Some(report(&first, LoadState::Loaded));
    let second = plan_reported(&[("s", &bad)], &first, loaded, BTreeMap::new());
    let failed = report(&second, LoadState::Failed);
    let third = plan_reported(&[("s", &bad), ("t", &good)], &second, Some(failed), kept(&good));
    assert_eq!(text(&third), bad);
    assert_eq!(third.shards["demo-code-0"]["t.py"], good);
}
