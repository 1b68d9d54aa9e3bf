//! Who has which name, what fits, and what is planned of one service.

mod channels;

use super::*;
use crate::api::OpenApi;
use crate::api::zato_service::BreakingChangePolicy;

fn service(name: &str, files: &[(&str, &str)]) -> Sourced {
    let owned = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
    Sourced {
        name: name.into(),
        files: Ok(files.iter().map(owned).collect()),
        openapi: OpenApi::default(),
        expected: vec![],
        channels: vec![],
        secrets: BTreeMap::new(),
    }
}

#[test]
fn the_older_of_two_services_keeps_the_file() {
    let services = [
        service("old", &[("a.py", "x = 1\n")]),
        service("new", &[("a.py", "x = 2\n"), ("b.py", "")]),
    ];
    let all = checked(&services, &Index::default());
    assert!(all[0].result.is_ok());
    let refusal = all[1].result.clone().unwrap_err();
    assert_eq!(
        refusal,
        Refusal::FileNameTaken {
            file: "a.py".into(),
            other: "old".into()
        }
    );
}

fn named(name: &str) -> String {
    format!("class A(Service):\n    name = '{name}'\n")
}

#[test]
fn the_older_of_two_services_keeps_the_service_name() {
    let (mine, other) = (named("api.x"), named("api.y"));
    let services = [
        service("old", &[("a.py", &mine)]),
        service("new", &[("b.py", &other), ("c.py", &mine)]),
    ];
    let all = checked(&services, &Index::default());
    assert!(all[0].result.is_ok());
    let refusal = all[1].result.clone().unwrap_err().to_string();
    assert_eq!(
        refusal,
        "c.py defines service api.x, which a.py of ZatoService old defines, too: rename one of them"
    );
    let twice = [service("s", &[("a.py", &mine), ("b.py", &mine)])];
    assert!(matches!(
        checked(&twice, &Index::default())[0].result,
        Err(Refusal::ServiceNameTaken { .. })
    ));
}

fn deployed(services: &[Sourced]) -> Index {
    let all = checked(services, &Index::default());
    Index::sealed(all.into_iter().map(|c| (c.name, c.result.unwrap())).collect())
}

/// Else a kept version and a new one would meet under one name, and no server could have both.
#[test]
fn what_is_deployed_keeps_its_names_until_it_is_replaced() {
    let text = named("api.x");
    let before = deployed(&[service("old", &[("a.py", &text)])]);
    let renamed_and_broken = service("old", &[("b.py", "(")]);
    for (file, text) in [("a.py", "x = 1\n"), ("c.py", text.as_str())] {
        let services = [renamed_and_broken.clone(), service("new", &[(file, text)])];
        assert!(checked(&services, &before)[1].result.is_err(), "{file}");
    }
    // An older service does not push a deployed one out either.
    let services = [
        service("older", &[("z.py", &text)]),
        service("old", &[("a.py", &text)]),
    ];
    let all = checked(&services, &before);
    assert!(all[0].result.is_err() && all[1].result.is_ok());
    // Once its owner has gone, or has another version deployed, the name is free.
    let new = [service("new", &[("a.py", &text)])];
    assert!(checked(&new, &before)[0].result.is_ok());
    let other = named("api.y");
    let moved = [
        service("old", &[("b.py", &other)]),
        service("new", &[("a.py", &text)]),
    ];
    assert!(checked(&moved, &before)[1].result.is_err());
    assert!(checked(&moved, &deployed(&moved[..1]))[1].result.is_ok());
}

#[test]
fn a_name_of_zatos_own_is_refused() {
    let text = named("zato.ping");
    let services = [service("s", &[("a.py", &text)])];
    assert!(matches!(
        checked(&services, &Index::default())[0].result,
        Err(Refusal::InternalName { .. })
    ));
}

#[test]
fn one_bad_file_refuses_the_whole_service() {
    let services = [service("s", &[("a.py", "x = 1\n"), ("b.py", "def (:\n")])];
    assert!(matches!(
        checked(&services, &Index::default())[0].result,
        Err(Refusal::Syntax(_))
    ));
}

#[test]
fn code_that_does_not_fit_is_refused_and_leaves_room_for_what_is_deployed() {
    let text = "#".repeat(200_000);
    let of = |name: &str, count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("{name}{n}.py")).collect();
        let files: Vec<_> = names.iter().map(|file| (file.as_str(), text.as_str())).collect();
        service(name, &files)
    };
    let services = [of("new", 3), of("deployed", 30)];
    let before = deployed(&services[1..]);
    let all = checked(&services, &before);
    assert!(matches!(all[0].result, Err(Refusal::TooMuchCode(..))));
    assert!(all[1].result.is_ok());
    assert!(
        checked(&services[..1], &before)[0].result.is_ok(),
        "its room is free again"
    );
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let refused = |bytes: u64| {
        let text = "#".repeat(usize::try_from(bytes).unwrap());
        let services = [service("s", &[("a.py", &text)])];
        checked(&services, &Index::default())[0].result.clone().err()
    };
    assert_eq!(refused(shards::FILE), None);
    assert_eq!(
        refused(shards::FILE + 1),
        Some(Refusal::FileTooLarge("a.py".into()))
    );
}

#[test]
fn the_file_of_the_agent_is_not_for_users() {
    let services = [service("s", &[(removal::FILE, "x = 1\n")])];
    let refusal = checked(&services, &Index::default())[0].result.clone().err();
    assert_eq!(refusal, Some(Refusal::ReservedFile(removal::FILE.into())));
}

#[test]
fn more_names_than_the_index_holds_are_refused() {
    let names: Vec<String> = (0..9_000).map(|n| format!("file_{n:04}.py")).collect();
    let files: Vec<_> = names.iter().map(|file| (file.as_str(), "")).collect();
    let services = [service("many", &files), service("one", &[("a.py", "x = 1\n")])];
    let all = checked(&services, &Index::default());
    assert!(matches!(all[0].result, Err(Refusal::TooManyNames(names, INDEX_BYTES)) if names > INDEX_BYTES));
    assert!(all[1].result.is_ok());
    let fewer = [service("many", &files[..5_000])];
    assert!(checked(&fewer, &Index::default())[0].result.is_ok());
}

#[test]
fn limits_are_what_still_fits() {
    let full = "#".repeat(200 * 1024);
    let rest = usize::try_from(shards::TOTAL).unwrap() - 30 * full.len();
    let fits = |rest: usize| {
        let names: Vec<String> = (0..31).map(|n| format!("file_{n:02}.py")).collect();
        let rest = "#".repeat(rest);
        let texts = std::iter::repeat_n(full.as_str(), 30).chain([rest.as_str()]);
        let files: Vec<_> = names.iter().map(String::as_str).zip(texts).collect();
        checked(&[service("s", &files)], &Index::default())[0]
            .result
            .is_ok()
    };
    assert!(fits(rest) && !fits(rest + 1));

    // Each character of a file's name is one of the index.
    let version = |longer: usize| {
        let name = |n: usize| format!("file_{n:04}{}.py", "x".repeat(if n == 0 { longer } else { 0 }));
        let names: Vec<String> = (0..5_000).map(name).collect();
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        service("s", &files)
    };
    let is_taken = |source: &Sourced| {
        checked(std::slice::from_ref(source), &Index::default())[0]
            .result
            .clone()
    };
    let room = INDEX_BYTES - length(&is_taken(&version(0)).unwrap());
    assert!(is_taken(&version(room)).is_ok() && is_taken(&version(room + 1)).is_err());
}

fn named_twice() -> String {
    named("api.x") + &named("api.y").replace("class A", "class B")
}

fn of_cluster(spec: serde_json::Value) -> ZatoCluster {
    let object = serde_json::json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoCluster", "metadata": {"name": "c"}, "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

#[test]
fn a_service_is_planned_by_what_is_its_own() {
    let object = serde_json::json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "mine"},
        "spec": {"clusterRef": {"name": "c"}, "source": {"inline": {}}},
    });
    let object: ZatoService = serde_json::from_value(object).unwrap();
    let missing = Sourced {
        name: "mine".into(),
        files: Err(Refusal::ConfigMapNotFound("m".into())),
        openapi: OpenApi::default(),
        expected: vec![],
        channels: vec![],
        secrets: BTreeMap::new(),
    };
    let good = service("mine", &[("books.py", "x = 1\n"), ("api.py", "x = 1\n")]);
    let planned = |own: Sourced, cluster: Option<serde_json::Value>| {
        let broken = service("other", &[("core.py", "(")]);
        let inputs = Inputs {
            cluster: cluster.map(of_cluster),
            services: vec![broken, own],
            deployed: Index::default(),
            documents: vec![],
            reports: vec![("c-server-0".into(), None)],
        };
        plan(&object, inputs)
    };
    let found = planned(good.clone(), Some(serde_json::json!({})));
    let files = good.files.as_ref().unwrap();
    assert_eq!(found.revision, Some(revision(texts(files))));
    assert_eq!(
        (found.unsafe_names, found.refusal),
        (vec!["api.py".to_owned()], None)
    );
    assert_eq!((found.cluster, found.reports.len()), (ClusterState::Active, 1));
    assert_eq!((found.cluster_name.as_str(), found.named), ("c", 0));
    let two = service(
        "mine",
        &[("books.py", &(named_twice())), ("more.py", &named("api.z"))],
    );
    assert_eq!(planned(two, Some(serde_json::json!({}))).named, 3);

    let found = planned(missing, None);
    assert_eq!(found.refusal, Some(Refusal::ConfigMapNotFound("m".into())));
    assert_eq!(
        (found.revision, found.unsafe_names, found.cluster),
        (None, vec![], ClusterState::Missing)
    );
    for (spec, state) in [
        (
            serde_json::json!({"paused": true, "stopped": true}),
            ClusterState::Paused,
        ),
        (serde_json::json!({"stopped": true}), ClusterState::Stopped),
    ] {
        assert_eq!(planned(good.clone(), Some(spec)).cluster, state);
    }
}

const MODEL: &str = "from dataclasses import dataclass\nfrom zato.server.service import Model\n\n@dataclass\nclass M(Model):\n    a: int\n";
const USER: &str = "from zato.server.service import Service\nfrom books import M\n\nclass A(Service):\n    name = 'api.a'\n    input = M\n";

/// The name of the document that is made of service "mine", which imports from service "other", if one is.
fn document_of(own: &str, loaded_text: &str, other: &str, deployed: &str) -> Option<(String, String)> {
    let object = serde_json::json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "mine", "namespace": "n"},
        "spec": {"clusterRef": {"name": "c"}, "source": {"inline": {}}},
    });
    let object: ZatoService = serde_json::from_value(object).unwrap();
    let version = |file: &str, text: &str| indexed([(file, text)].into_iter()).unwrap();
    let loaded = |file: &str, text: &str| crate::exchange::ServiceReport {
        revision: version(file, text).revision,
        state: LoadState::Loaded,
        error: None,
    };
    let report = Report {
        services: BTreeMap::from([
            ("mine".into(), loaded("mine.py", loaded_text)),
            ("other".into(), loaded("books.py", deployed)),
        ]),
        ..Report::default()
    };
    let inputs = Inputs {
        cluster: None,
        services: vec![
            service("mine", &[("mine.py", own)]),
            service("other", &[("books.py", other)]),
        ],
        deployed: Index::sealed([("other".to_owned(), version("books.py", deployed))].into()),
        documents: vec![],
        reports: vec![("c-server-0".into(), Some(report)), ("c-server-1".into(), None)],
    };
    let (made, text) = plan(&object, inputs).documents.new?;
    Some((made.config_map, text))
}

/// Told for the revision that was refused, and while its spec says so.
#[test]
fn a_refused_change_is_told() {
    let refused = |revision: &str, policy: BreakingChangePolicy| {
        let mut source = service("mine", &[("mine.py", USER)]);
        source.openapi.breaking_change_policy = policy;
        let object = serde_json::json!({
            "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "mine"},
            "spec": {"clusterRef": {"name": "c"}, "source": {"inline": {}}},
        });
        let deployed = IndexedService {
            refused: Some(crate::exchange::RefusedRevision {
                revision: revision.to_owned(),
                breaks: vec!["a".into()],
            }),
            ..IndexedService::default()
        };
        let inputs = Inputs {
            cluster: None,
            services: vec![source],
            deployed: Index::sealed([("mine".to_owned(), deployed)].into()),
            documents: vec![],
            reports: vec![],
        };
        plan(&serde_json::from_value(object).unwrap(), inputs).refusal
    };
    let own = indexed([("mine.py", USER)].into_iter()).unwrap().revision;
    assert_eq!(
        refused(&own, BreakingChangePolicy::Refuse),
        Some(Refusal::BreakingChange(vec!["a".into()]))
    );
    assert_eq!(refused(&own, BreakingChangePolicy::Warn), None);
    assert_eq!(refused("another", BreakingChangePolicy::Refuse), None);
}

/// A document says what servers have: not before they have it, and not while they have other models than the source.
#[test]
fn a_document_is_of_what_is_loaded() {
    let (name, text) = document_of(USER, USER, MODEL, MODEL).unwrap();
    assert_eq!(name, "mine-openapi-1");
    assert!(
        text.contains("http://c.n.svc:11223") && text.contains("\"a\":{\"type\":\"integer\""),
        "{text}"
    );
    let edited = format!("{USER}    output = M\n");
    assert_eq!(document_of(&edited, USER, MODEL, MODEL), None);
    let newer = format!("{MODEL}    b: int\n");
    assert_eq!(document_of(USER, USER, &newer, MODEL), None);
    assert_eq!(document_of(USER, USER, "(", MODEL), None);
    // Nobody imports from it.
    let alone = USER
        .replace("from books import M\n", "")
        .replace("input = M", "input = 'x'");
    assert!(document_of(&alone, &alone, "(", MODEL).is_some());
    assert_eq!(document_of("(", USER, MODEL, MODEL), None);
}

#[test]
fn names_that_zato_takes_for_its_own_are_found() {
    assert!(
        ["api.py", "x.py", "demo.py"]
            .iter()
            .all(|file| touches_zato(file))
    );
    assert!(
        ["accounts.py", "orders.py", "my_models.py"]
            .iter()
            .all(|file| !touches_zato(file))
    );
}

/// What its `Ready` says decides whether a change can come.
#[test]
fn a_cluster_that_takes_no_change_is_blocked() {
    let of = |spec: serde_json::Value, reason: &str| {
        let condition = serde_json::json!({"type": "Ready", "status": "False", "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let object = serde_json::json!({"apiVersion": "zato.io/v1alpha1", "kind": "ZatoCluster", "metadata": {"name": "c"},
            "spec": spec, "status": {"conditions": [condition]}});
        ClusterState::of(Some(&serde_json::from_value(object).unwrap()))
    };
    assert_eq!(ClusterState::of(None), ClusterState::Missing);
    for (reason, state) in [
        ("Running", ClusterState::Active),
        ("CallableFailed", ClusterState::Active),
        ("ConfigMapNotFound", ClusterState::Blocked),
        ("SyntaxError", ClusterState::Blocked),
        ("KeyMissing", ClusterState::Blocked),
        ("ResizeRefused", ClusterState::Active),
    ] {
        assert_eq!(of(serde_json::json!({}), reason), state, "{reason}");
    }
    assert_eq!(
        of(serde_json::json!({"stopped": true}), "SyntaxError"),
        ClusterState::Stopped
    );
    assert_eq!(
        of(serde_json::json!({"paused": true}), "SyntaxError"),
        ClusterState::Paused
    );
}
