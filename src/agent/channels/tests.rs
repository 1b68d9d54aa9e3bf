//! What is told of channels, and who has a user name.

use super::rows::tests::{channel, loaded, wanted};
use super::*;
use crate::exchange::{IndexedChannel, LoadState};

#[test]
fn what_was_changed_is_told_when_it_is_found_as_it_should_be() {
    let wanted = wanted(&[
        ("closed", channel("/c", &["GET"], Some("client"))),
        ("open", channel("/a", &["GET", "POST"], None)),
    ]);
    let rows = All {
        rows: wanted_rows(&wanted, &loaded(LoadState::Loaded)),
        sockets: vec![],
    };
    let done = |changed: &[&str], failed: &[&str]| Done {
        changed: changed.iter().map(ToString::to_string).collect(),
        failed: failed
            .iter()
            .map(|name| ((*name).to_owned(), "why".to_owned()))
            .collect(),
        ..Done::default()
    };
    let told = |done: &Done| {
        let reports = reports(&rows, done).remove("s").unwrap_or_default();
        let told = reports
            .into_iter()
            .map(|(name, report)| (name, report.error.unwrap_or_default()));
        told.collect::<Vec<_>>()
    };
    let all = |closed: &str, open: &str| {
        vec![
            ("closed".to_owned(), closed.to_owned()),
            ("open".to_owned(), open.to_owned()),
        ]
    };
    assert_eq!(told(&done(&[], &[])), all("", ""));
    assert_eq!(told(&done(&["kubernetes 0 POST /a"], &[])), all("", "")[..1]);
    assert_eq!(
        told(&done(&["kubernetes basic auth client"], &[])),
        all("", "")[1..]
    );
    assert_eq!(
        told(&done(&[], &["kubernetes 0 POST /a"])),
        all("", "POST /a: why")
    );
    assert_eq!(
        told(&done(
            &["kubernetes 0 GET /a"],
            &["kubernetes basic auth client", "kubernetes 0 POST /a"]
        )),
        all("GET /c: why", "POST /a: why")
    );
    assert!(reports(&rows, &done(&["kubernetes 0 GET /a", "kubernetes 0 GET /c"], &[])).is_empty());
}

/// What leads to a service that is not there would answer with an error.
#[test]
fn rows_for_soap_wait_for_what_they_lead_to() {
    let soap = crate::exchange::IndexedChannel {
        kind: ChannelKind::Soap,
        ..channel("/s", &["POST"], None)
    };
    let wanted = wanted(&[("rest", channel("/a", &["GET"], None)), ("soap", soap)]);
    let told = |state: &State| {
        let mut rows = wanted_rows(&wanted, &loaded(LoadState::Loaded));
        let mut done = Done::default();
        hold_back(&mut rows, state, |_| None, &mut done);
        let early: Vec<_> = rows.iter().map(|row| row.is_early).collect();
        let all = All {
            rows,
            sockets: vec![],
        };
        let error = reports(&all, &done).remove("s").unwrap().remove("soap");
        (early, error.map(|report| report.error))
    };
    assert_eq!(told(&State::Loaded), (vec![false, false], Some(None)));
    assert_eq!(told(&State::Loading), (vec![false, true], None));
    let why = Some(Some("POST /s: why".to_owned()));
    assert_eq!(told(&State::Failed("why".into())), (vec![false, true], why));
}

/// What leads to a service that is not there would answer with an error, and what it kept of old code is not to be told as new.
#[test]
fn rows_with_a_cache_wait_for_the_file_and_for_the_code() {
    let cached = IndexedChannel {
        cache_seconds: 5,
        ..channel("/c", &["GET"], None)
    };
    let wanted = wanted(&[("cached", cached), ("rest", channel("/a", &["GET"], None))]);
    let told = |load, state: &State| {
        let mut rows = wanted_rows(&wanted, &loaded(load));
        let mut done = Done::default();
        hold_back_cached(&mut rows, state, &mut done);
        let early: Vec<_> = rows.iter().map(|row| row.is_early).collect();
        let all = All {
            rows,
            sockets: vec![],
        };
        let error = reports(&all, &done).remove("s").unwrap().remove("cached");
        (early, error.map(|report| report.error))
    };
    assert_eq!(
        told(LoadState::Loaded, &State::Loaded),
        (vec![false, false], Some(None))
    );
    assert_eq!(
        told(LoadState::Loaded, &State::Loading),
        (vec![false, true], None)
    );
    assert_eq!(told(LoadState::Loading, &State::Loaded), (vec![true, true], None));
    let why = Some(Some("GET /c: why".to_owned()));
    assert_eq!(
        told(LoadState::Loaded, &State::Failed("why".into())),
        (vec![false, true], why)
    );
}

/// One definition of ours for a user name, by whatever Secret it came; API keys have none.
#[test]
fn a_user_name_has_one_holder() {
    let definition = |name: &str, username: &str, kind| Definition {
        name: name.into(),
        username: username.into(),
        kind,
        ..Definition::default()
    };
    let found = [
        definition("a", "ann", SecurityKind::BasicAuth),
        definition("b", "bob", SecurityKind::BasicAuth),
        definition("c", "", SecurityKind::ApiKey),
    ];
    let of = |username: &str, kind, name: &str| {
        let security = IndexedSecurity {
            username: username.into(),
            kind,
            ..IndexedSecurity::default()
        };
        holder(&security, name, &found).map(|found| found.name.clone())
    };
    assert_eq!(of("ann", SecurityKind::BasicAuth, "new").as_deref(), Some("a"));
    assert_eq!(of("ann", SecurityKind::BasicAuth, "a"), None);
    assert_eq!(of("eve", SecurityKind::BasicAuth, "new"), None);
    assert_eq!(of("", SecurityKind::ApiKey, "new"), None);
}

/// What is changed at each look is no progress.
#[test]
fn what_does_not_stay_is_told() {
    let mut done = Done::default();
    assert!(done.is_settled());
    done.note("x", Ok(()));
    done.give_up();
    assert!(!done.is_settled() && done.changed.is_empty());
    assert!(done.failed["x"].contains("does not stay"));
}

/// One service answers all of SOAP: a row that leads to it already may not change before that one knows what the path calls now.
#[test]
fn rows_wait_as_long_as_what_they_lead_to() {
    let soap = IndexedChannel {
        kind: ChannelKind::Soap,
        ..channel("/s", &["POST"], Some("client"))
    };
    let wanted = wanted(&[("rest", channel("/r", &["GET"], None)), ("soap", soap)]);
    for (state, is_early) in [(LoadState::Loading, true), (LoadState::Loaded, false)] {
        for row in wanted_rows(&wanted, &loaded(state)) {
            let found = |service: &str| Row {
                service_name: service.into(),
                ..Row::default()
            };
            let is_soap = row.channel.kind == ChannelKind::Soap;
            assert_eq!(
                waits(&row, &found(row.service)),
                is_early && is_soap,
                "{}",
                row.name
            );
            assert_eq!(waits(&row, &found("other")), is_early, "{}", row.name);
        }
    }
}

/// What a channel needs that this agent does not know stays.
#[test]
fn definitions_of_all_channels_are_needed() {
    let unknown = IndexedChannel {
        kind: ChannelKind::Unknown,
        ..channel("", &[], Some("newer"))
    };
    let wanted = wanted(&[("a", unknown), ("b", channel("/b", &["GET"], Some("client")))]);
    let names: Vec<_> = of_index(&wanted).collect();
    assert_eq!(
        names,
        ["kubernetes basic auth newer", "kubernetes basic auth client"]
    );
}
