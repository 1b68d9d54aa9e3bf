//! What is planned of channels: by what servers have of them, and while a change is refused.

use serde_json::{Value, json};

use super::*;
use crate::exchange::{PartReport, RefusedRevision, ServiceReport};

fn code(name: &str) -> String {
    format!("from zato.server.service import Service\n\n{}", named(name))
}

/// Open channels of service `api.z`, under their paths.
fn with(paths: &[&str], text: &str) -> Sourced {
    let channel = |path: &&str| {
        let rest = json!({"service": "api.z", "urlPath": path, "methods": ["GET"], "security": {"none": {}}});
        serde_json::from_value(json!({"name": &path[1..], "rest": rest})).unwrap()
    };
    Sourced {
        channels: paths.iter().map(channel).collect(),
        ..service("mine", &[("books.py", text)])
    }
}

fn version(source: &Sourced) -> IndexedService {
    let all = checked(std::slice::from_ref(source), &Index::default());
    all[0].result.clone().unwrap()
}

/// A server that has the code, and says this of each channel.
fn report(version: &IndexedService, errors: &[(&str, Option<&str>)]) -> Report {
    let loaded = ServiceReport {
        revision: version.revision.clone(),
        state: LoadState::Loaded,
        error: None,
        ..ServiceReport::default()
    };
    let channel = |(name, error): &(&str, Option<&str>)| {
        let report = PartReport {
            revision: version.channels[*name].revision(),
            error: error.map(Into::into),
            ..PartReport::default()
        };
        ((*name).to_owned(), report)
    };
    Report {
        services: [("mine".to_owned(), loaded)].into(),
        channels: [("mine".to_owned(), errors.iter().map(channel).collect())].into(),
        ..Report::default()
    }
}

fn planned(source: &Sourced, deployed: &Index, report: Option<Report>) -> Plan {
    let object = json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "mine", "namespace": "n"},
        "spec": {"clusterRef": {"name": "c"}, "source": {"inline": {}}},
    });
    let object: ZatoService = serde_json::from_value(object).unwrap();
    let inputs = Inputs {
        cluster: Some(of_cluster(json!({}))),
        services: vec![source.clone()],
        deployed: deployed.clone(),
        revisions: vec![],
        documents: vec![],
        reports: vec![("c-server-0".into(), report)],
    };
    plan(&object, inputs)
}

fn paths(found: &Plan) -> Vec<String> {
    let (_, text) = found.documents.new.as_ref().unwrap();
    let document: Value = serde_json::from_str(text).unwrap();
    document["paths"].as_object().unwrap().keys().cloned().collect()
}

/// The document has what answers, and waits for what a server has not looked at yet.
#[test]
fn documents_have_the_channels_that_answer() {
    let source = with(&["/a", "/b"], &code("api.z"));
    let version = version(&source);
    let none = Index::default();
    let found = planned(
        &source,
        &none,
        Some(report(&version, &[("a", None), ("b", None)])),
    );
    assert_eq!(paths(&found), ["/a", "/b", "/zato/api/invoke/api.z"]);
    assert_eq!(found.address, "http://c.n.svc:11223");
    let told = |channel: &PlannedChannel| channel.revision().unwrap();
    let wanted: Vec<_> = version.channels.values().map(IndexedChannel::revision).collect();
    assert_eq!(found.channels.iter().map(told).collect::<Vec<_>>(), wanted);
    let found = planned(
        &source,
        &none,
        Some(report(&version, &[("a", None), ("b", Some("why"))])),
    );
    assert_eq!(paths(&found), ["/a", "/zato/api/invoke/api.z"]);
    let found = planned(&source, &none, Some(report(&version, &[("a", None)])));
    assert!(found.documents.is_waiting);
}

/// Who invokes services directly stands at each of them.
#[test]
fn documents_say_who_invokes_services_directly() {
    let direct = json!({"name": "direct", "directInvocation": {"security": {"none": {}}}});
    let source = Sourced {
        channels: vec![serde_json::from_value(direct).unwrap()],
        ..with(&[], &code("api.z"))
    };
    let version = version(&source);
    let found = planned(
        &source,
        &Index::default(),
        Some(report(&version, &[("direct", None)])),
    );
    let (_, text) = found.documents.new.as_ref().unwrap();
    let document: Value = serde_json::from_str(text).unwrap();
    let operation = &document["paths"]["/zato/api/invoke/api.z"]["post"];
    assert_eq!(operation["security"], json!([]));
    assert_eq!(operation["responses"]["401"], Value::Null);
    assert!(found.channels[0].problem.is_none());
    assert!(found.not_invoked.is_empty());
}

/// Zato makes a name where none stands, and the load balancer lets not every name pass: they stay as they were, and it is told.
#[test]
fn services_that_no_client_of_its_own_invokes_are_known() {
    let direct = json!({"name": "direct", "directInvocation": {"security": {"none": {}}}});
    let text = format!(
        "{}\nclass Unnamed(Service):\n    pass\n\n{}",
        code("api.z"),
        named("a b").replace("class A", "class B")
    );
    let source = Sourced {
        channels: vec![serde_json::from_value(direct).unwrap()],
        ..with(&[], &text)
    };
    let found = planned(
        &source,
        &Index::default(),
        Some(report(&version(&source), &[("direct", None)])),
    );
    let (_, text) = found.documents.new.as_ref().unwrap();
    let document: Value = serde_json::from_str(text).unwrap();
    let access =
        |name: &str| document["paths"][format!("/zato/api/invoke/{name}")]["post"]["security"].clone();
    assert_eq!(
        (access("api.z"), access("books.unnamed")),
        (json!([]), Value::Null)
    );
    let names = |source: &Sourced| planned(source, &Index::default(), None).not_invoked;
    assert_eq!(
        names(&source),
        ["a b".to_owned(), "books.unnamed".to_owned()].into()
    );
    let expecting = Sourced {
        expected: vec!["by.code".into()],
        ..source.clone()
    };
    assert!(names(&expecting).contains("by.code"));
    let without = Sourced {
        channels: vec![],
        ..source
    };
    assert!(names(&without).is_empty());
}

/// Beside the document lies what callers of SOAP are told, of the services that the channel calls.
#[test]
fn a_channel_for_soap_has_a_wsdl() {
    let soap = json!({"name": "soap", "soap": {"urlPath": "/s", "security": {"none": {}}}});
    let source = Sourced {
        channels: vec![serde_json::from_value(soap).unwrap()],
        ..with(&[], &code("api.z"))
    };
    let version = version(&source);
    let found = planned(
        &source,
        &Index::default(),
        Some(report(&version, &[("soap", None)])),
    );
    let text = found.documents.wsdl.as_ref().unwrap();
    assert!(
        text.contains("location=\"http://c.n.svc:11223/s\"") && text.contains("api.zRequest"),
        "{text}"
    );
    assert_eq!(paths(&found), ["/zato/api/invoke/api.z"]);
    let failed = planned(
        &source,
        &Index::default(),
        Some(report(&version, &[("soap", Some("why"))])),
    );
    assert_eq!(failed.documents.wsdl, None);
}

/// The channel that stays is told, the new one is not made.
#[test]
fn a_change_that_is_refused_leaves_channels() {
    let mut source = with(&["/a", "/b"], &code("api.z"));
    source.openapi.breaking_change_policy = BreakingChangePolicy::Refuse;
    let version = version(&source);
    let refused = IndexedService {
        refused: Some(RefusedRevision {
            revision: version.revision.clone(),
            breaks: vec!["x".into()],
        }),
        channels: [("a".to_owned(), version.channels["a"].clone())].into(),
        ..version.bare()
    };
    let deployed = Index::sealed([("mine".to_owned(), refused)].into());
    let found = planned(&source, &deployed, None);
    let told = found.channels.iter().map(|channel| channel.revision().is_some());
    assert_eq!(told.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_channel_of_no_service_is_not_told() {
    let found = planned(&with(&["/a"], &code("api.other")), &Index::default(), None);
    assert_eq!(found.channels[0].revision(), None);
    assert!(matches!(
        found.channels[0].problem,
        Some(Problem::ServiceNotFound(_))
    ));
}

/// Its service may be in the files that are refused: who looks for it looks at `Ready`.
#[test]
fn a_channel_of_refused_code_says_so() {
    let found = planned(&with(&["/a"], "class ("), &Index::default(), None);
    let problem = found.channels[0].problem.clone();
    assert_eq!(problem, Some(Problem::Refused(Reason::SyntaxError)));
}
