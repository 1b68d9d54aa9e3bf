//! What is put back, when, and until when.

use serde_json::json;

use super::*;
use crate::api::channels::Channel;
use crate::api::jobs::Job;
use crate::cluster::plan::tests::{cluster, inputs, plan_of, plan_reported};
use crate::cluster::plan::{Plan, plan};
use crate::service::source::Sourced;

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
        index_seen: plan.index.revision.clone(),
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

fn good_of(plan: &Plan) -> Option<&str> {
    Some(plan.index.services["s"].good.as_ref()?.revision.as_str())
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
        (text(&second), good_of(&second)),
        (bad.as_str(), Some(first.as_str()))
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
        (text(&fifth), &entry.failed, good_of(&fifth)),
        (mended.as_str(), &None, Some(first.as_str()))
    );
}

fn failed_of(plan: &Plan, report: &Report) -> Vec<(String, String)> {
    let servers = [Server {
        report: Some(report.clone()),
        ..Server::of("demo", 0)
    }];
    let found = super::failed(&plan.index, &servers);
    found
        .map(|(name, _, good)| (name.to_owned(), good.to_owned()))
        .collect()
}

/// Not before the server works on this index, not for another revision, and not where there was none before.
#[test]
fn a_failure_counts_when_nothing_is_on_its_way() {
    let (.., second) = bad_after_good();
    assert_eq!(failed_of(&second, &report(&second, LoadState::Loaded)), []);
    let mut early = report(&second, LoadState::Failed);
    early.index_seen = String::new();
    assert_eq!(failed_of(&second, &early), []);
    let mut other = report(&second, LoadState::Failed);
    other.services.get_mut("s").unwrap().revision = "other".into();
    assert_eq!(failed_of(&second, &other), []);
    let first = plan_of(&[("s", &code("a.one", "no_such_name"))]);
    assert_eq!(failed_of(&first, &report(&first, LoadState::Failed)), []);
    assert_eq!(super::failed(&second.index, &[]).count(), 0);
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
    assert_eq!(good_of(&third), Some(first.as_str()));
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

/// Service "s" as `change` makes it, after another plan of which the server says this. Kept is the code of "a.one".
fn planned(text: &str, before: Option<(&Plan, LoadState)>, change: impl FnOnce(&mut Sourced)) -> Plan {
    let mut inputs = inputs(&[("s", text)]);
    if let Some((before, state)) = before {
        inputs.previous.index = before.index.clone();
        inputs.previous.shards = before.shards.clone();
        inputs.servers[0].report = Some(report(before, state));
        inputs.kept = kept(&code("a.one", ""));
    }
    change(&mut inputs.services[0]);
    plan(&cluster(json!({})), inputs).unwrap()
}

/// A channel for GET and a job of an interval.
fn belongings(service: &str, path: &str, security: &serde_json::Value, interval: &str) -> (Channel, Job) {
    let rest = json!({"service": service, "urlPath": path, "methods": ["GET"], "security": security});
    let channel = json!({"name": path.trim_start_matches('/'), "rest": rest});
    let job = json!({"name": "j", "service": service, "interval": interval});
    (
        serde_json::from_value(channel).unwrap(),
        serde_json::from_value(job).unwrap(),
    )
}

/// What belongs to the revision that failed is not deployed, and what belonged to the one before stays; a channel that may not go
/// does not go meanwhile.
#[test]
fn channels_and_jobs_stay_with_their_services() {
    use crate::api::zato_service::BreakingChangePolicy::{Refuse, Warn};
    let open = json!({"none": {}});
    let with = |service: &'static str, paths: &'static [&'static str], policy| {
        let all: Vec<_> = paths
            .iter()
            .map(|path| belongings(service, path, &open, "1m"))
            .collect();
        move |source: &mut Sourced| {
            source.jobs = vec![all[0].1.clone()];
            source.channels = all.into_iter().map(|(channel, _)| channel).collect();
            source.openapi.breaking_change_policy = policy;
        }
    };
    let entry = |plan: &Plan| plan.index.services["s"].clone();
    let bad = code("a.one", "no_such_name") + &code("a.two", "").replace("class A", "class B");
    for (policy, left) in [(Warn, 1), (Refuse, 2)] {
        let first = planned(&code("a.one", ""), None, with("a.one", &["/a", "/b"], policy));
        let loaded = Some((&first, LoadState::Loaded));
        let second = planned(&bad, loaded, with("a.two", &["/a", "/b"], Warn));
        let failed = Some((&second, LoadState::Failed));
        let third = planned(&bad, failed, with("a.two", &["/a", "/b"], policy));
        assert_eq!(entry(&third).channels, entry(&first).channels);
        assert_eq!(entry(&third).jobs, entry(&first).jobs);
        let loaded = Some((&third, LoadState::Loaded));
        let fourth = planned(&bad, loaded, with("a.two", &["/a"], policy));
        assert_eq!(entry(&fourth).channels.len(), left, "{policy:?}");
        assert_eq!(entry(&fourth).jobs, entry(&first).jobs);
    }
    // So it is with a source that is not valid, whose version before is kept.
    let first = planned(&code("a.one", ""), None, with("a.one", &["/a", "/b"], Warn));
    let loaded = Some((&first, LoadState::Loaded));
    let broken = planned("(", loaded, with("a.two", &["/a"], Warn));
    assert_eq!(entry(&broken).channels["a"], entry(&first).channels["a"]);
    assert_eq!(
        (entry(&broken).channels.len(), entry(&broken).jobs),
        (1, entry(&first).jobs)
    );
}

/// Of a channel that was open and is to be closed with a Secret that is not there, and of a job whose time cannot be, nothing is
/// kept, as without a revision that fails.
#[test]
fn what_is_wrong_beside_is_not_kept() {
    let (open, closed) = (
        json!({"none": {}}),
        json!({"basicAuthSecretRef": {"name": "gone"}}),
    );
    let with = |security, interval| {
        let (channel, job) = belongings("a.one", "/a", security, interval);
        move |source: &mut Sourced| (source.channels, source.jobs) = (vec![channel], vec![job])
    };
    let bad = code("a.one", "no_such_name");
    let first = planned(&code("a.one", ""), None, with(&open, "1m"));
    let second = planned(&bad, Some((&first, LoadState::Loaded)), with(&open, "1m"));
    let third = planned(&bad, Some((&second, LoadState::Failed)), with(&closed, "999d"));
    let entry = &third.index.services["s"];
    assert!(entry.failed.is_some() && entry.channels.is_empty() && entry.jobs.is_empty());
}

/// An edit while the server starts anew: what it says now is no proof, what was kept is.
#[test]
fn what_is_kept_was_good() {
    let first = plan_of(&[("s", &code("a.one", ""))]);
    let edited = |proven: bool| {
        let mut inputs = inputs(&[("s", &code("a.one", "x = 1"))]);
        inputs.previous.index = first.index.clone();
        inputs.previous.shards = first.shards.clone();
        inputs.proven = proven.then(|| "s".to_owned()).into_iter().collect();
        plan(&cluster(json!({})), inputs).unwrap()
    };
    assert_eq!(good_of(&edited(false)), None);
    assert_eq!(
        good_of(&edited(true)),
        Some(first.index.services["s"].revision.as_str())
    );
}

/// Neither with what it wants, nor with what servers have of it while its source is broken.
#[test]
fn an_old_revision_does_not_meet_what_is_kept_of_another_service() {
    let (good, bad) = (code("a.one", ""), code("a.two", "no_such_name"));
    let first = plan_of(&[("s", &good)]);
    let loaded = Some(report(&first, LoadState::Loaded));
    let second = plan_reported(&[("s", &bad)], &first, loaded, BTreeMap::new());
    let third = plan_reported(&[("s", &bad), ("t", &good)], &second, None, BTreeMap::new());
    let failed = report(&third, LoadState::Failed);
    let fourth = plan_reported(&[("s", &bad), ("t", "(")], &third, Some(failed), kept(&good));
    assert_eq!(text(&fourth), bad);
    assert_eq!(fourth.shards["demo-code-0"]["t.py"], good);
}
