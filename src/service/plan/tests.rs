//! What is planned of one service.

mod channels;

use super::super::check::indexed;
use super::super::check::tests::{named, service};
use super::super::source::Sourced;
use rstest::rstest;

use super::*;
use crate::api::zato_service::BreakingChangePolicy;
use crate::exchange::{Index, LoadState};

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
        files: Err(Refusal::ConfigMapNotFound("m".into())),
        ..service("mine", &[])
    };
    let good = service("mine", &[("books.py", "x = 1\n"), ("api.py", "x = 1\n")]);
    let planned = |own: Sourced, cluster: Option<serde_json::Value>| {
        let broken = service("other", &[("core.py", "(")]);
        let inputs = Inputs {
            cluster: cluster.map(of_cluster),
            services: vec![broken, own],
            deployed: Index::default(),
            revisions: vec![],
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

/// The name of the document that is made of service "mine", which imports from `file` of service "other", if one is.
fn document_of(
    file: &str,
    own: &str,
    loaded_text: &str,
    other: &str,
    deployed: &str,
) -> Option<(String, String)> {
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
        ..crate::exchange::ServiceReport::default()
    };
    let report = Report {
        services: BTreeMap::from([
            ("mine".into(), loaded("mine.py", loaded_text)),
            ("other".into(), loaded(file, deployed)),
        ]),
        ..Report::default()
    };
    let inputs = Inputs {
        cluster: None,
        services: vec![
            service("mine", &[("mine.py", own)]),
            service("other", &[(file, other)]),
        ],
        deployed: Index::sealed([("other".to_owned(), version(file, deployed))].into()),
        revisions: vec![],
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
            revisions: vec![],
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

/// What was put back is told for the revision that failed, and no longer.
#[test]
fn a_revision_that_was_put_back_is_told() {
    let object = serde_json::json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "mine"},
        "spec": {"clusterRef": {"name": "c"}, "source": {"inline": {}}},
    });
    let object: ZatoService = serde_json::from_value(object).unwrap();
    let refusal = |revision: &str| {
        let deployed = IndexedService {
            revision: "old".into(),
            failed: Some(crate::exchange::FailedRevision {
                revision: revision.to_owned(),
                error: "why".into(),
                ..crate::exchange::FailedRevision::default()
            }),
            ..IndexedService::default()
        };
        let inputs = Inputs {
            cluster: None,
            services: vec![service("mine", &[("mine.py", USER)])],
            deployed: Index::sealed([("mine".to_owned(), deployed)].into()),
            revisions: vec![],
            documents: vec![],
            reports: vec![],
        };
        plan(&object, inputs).refusal
    };
    let own = indexed([("mine.py", USER)].into_iter()).unwrap().revision;
    let told = "why; revision old takes its place: mend the code";
    assert_eq!(refusal(&own).unwrap().to_string(), told);
    assert_eq!(refusal("another"), None);
}

/// The files are kept when every server has them, and what is in use stays.
#[test]
fn a_revision_is_kept_when_servers_have_it() {
    let object = serde_json::json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "mine"},
        "spec": {"clusterRef": {"name": "c"}, "source": {"inline": {}}, "rollbackTo": "1"},
    });
    let object: ZatoService = serde_json::from_value(object).unwrap();
    let kept = |revision: usize| crate::api::KeptRevision {
        commit: None,
        revision: revision.to_string(),
        config_map: format!("mine-revision-{revision}"),
        kept: None,
    };
    let own = indexed([("mine.py", USER)].into_iter()).unwrap();
    let planned = |state: LoadState| {
        let loaded = crate::exchange::ServiceReport {
            revision: own.revision.clone(),
            state,
            ..crate::exchange::ServiceReport::default()
        };
        let report = Report {
            services: [("mine".to_owned(), loaded)].into(),
            ..Report::default()
        };
        let deployed = IndexedService {
            good: Some(crate::exchange::GoodRevision {
                revision: "2".into(),
                ..crate::exchange::GoodRevision::default()
            }),
            ..own.clone()
        };
        let inputs = Inputs {
            cluster: None,
            services: vec![service("mine", &[("mine.py", USER)])],
            deployed: Index::sealed([("mine".to_owned(), deployed)].into()),
            revisions: (1..=9).map(kept).collect(),
            documents: vec![],
            reports: vec![("c-server-0".into(), Some(report))],
        };
        plan(&object, inputs)
    };
    let loaded = planned(LoadState::Loaded);
    let (made, files) = loaded.revisions.new.clone().unwrap();
    assert_eq!((made.revision, files.len()), (own.revision.clone(), 1));
    let stay: Vec<_> = loaded
        .revisions
        .kept
        .iter()
        .map(|one| one.revision.as_str())
        .collect();
    assert_eq!(stay, ["9", "8", "7", "6", "5", "2", "1"]);
    assert!(loaded.is_rolled_back);
    assert_eq!(planned(LoadState::Loading).revisions.new, None);
}

/// A document says what servers have: not before they have it, and not while they have other models than the source, in a file
/// or in a package.
#[rstest]
#[case("books.py", "books")]
#[case("books.of.all.py", "books.of.all")]
fn a_document_is_of_what_is_loaded(#[case] file: &str, #[case] module: &str) {
    let user = USER.replace("from books import", &format!("from {module} import"));
    let of = |own: &str, loaded: &str, other: &str| document_of(file, own, loaded, other, MODEL);
    let (name, text) = of(&user, &user, MODEL).unwrap();
    assert_eq!(name, "mine-openapi-1");
    assert!(
        text.contains("http://c.n.svc:11223") && text.contains("\"a\":{\"type\":\"integer\""),
        "{text}"
    );
    let edited = format!("{user}    output = M\n");
    assert_eq!(of(&edited, &user, MODEL), None);
    let newer = format!("{MODEL}    b: int\n");
    assert_eq!(of(&user, &user, &newer), None);
    assert_eq!(of(&user, &user, "("), None);
    // Nobody imports from it.
    let alone = user
        .replace(&format!("from {module} import M\n"), "")
        .replace("input = M", "input = 'x'");
    assert!(of(&alone, &alone, "(").is_some());
    assert_eq!(of("(", &user, MODEL), None);
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

/// A revision that is kept says its commit, and what is deployed is known by it.
#[test]
fn a_revision_has_a_commit() {
    let object = serde_json::json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "mine"},
        "spec": {"clusterRef": {"name": "c"}, "source": {"git": {"url": "https://h/a"}}},
    });
    let object: ZatoService = serde_json::from_value(object).unwrap();
    let mut own = service("mine", &[("mine.py", USER)]);
    let source = serde_json::json!({"url": "https://h/a", "ref": "main", "commit": "new"});
    own.git = Some(Told {
        source: serde_json::from_value(source).ok(),
        trouble: None,
        is_asked: true,
    });
    let version = indexed([("mine.py", USER)].into_iter()).unwrap();
    let loaded = crate::exchange::ServiceReport {
        revision: version.revision.clone(),
        state: LoadState::Loaded,
        ..crate::exchange::ServiceReport::default()
    };
    let report = Report {
        services: [("mine".to_owned(), loaded)].into(),
        ..Report::default()
    };
    let old = IndexedService {
        revision: "old".into(),
        ..IndexedService::default()
    };
    let planned = |deployed: Option<&IndexedService>| {
        let inputs = Inputs {
            cluster: Some(of_cluster(serde_json::json!({}))),
            services: vec![own.clone()],
            deployed: Index::sealed(
                deployed
                    .map(|it| ("mine".to_owned(), it.clone()))
                    .into_iter()
                    .collect(),
            ),
            revisions: vec![crate::api::KeptRevision {
                commit: Some("before".into()),
                revision: "old".into(),
                config_map: "mine-revision-old".into(),
                kept: None,
            }],
            documents: vec![],
            reports: vec![("c-server-0".into(), Some(report.clone()))],
        };
        plan(&object, inputs)
    };
    let found = planned(Some(&old));
    assert_eq!(found.commit.as_deref(), Some("before"));
    let (kept, _) = found.revisions.new.clone().unwrap();
    assert_eq!(kept.commit.as_deref(), Some("new"));
    let annotations = found.revisions.manifest("c").unwrap().body["metadata"]["annotations"].clone();
    assert_eq!(annotations["zato.io/commit"], "new");
    assert_eq!(planned(None).commit, None);
}
