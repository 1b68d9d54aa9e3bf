//! What is wrong with channels, who has a path, and what becomes of a channel whose Secret is gone.

mod secrets;

use std::sync::Arc;

use rstest::rstest;
use serde_json::{Value, json};

use super::secret::{CallerSecret, is_sendable, secrets};
use super::wanted::of_rest;
use super::*;
use crate::api::{OpenApi, ZatoService};
use crate::exchange::{Hidden, IndexedFile, IndexedSecurity};

fn service(name: &str, channels: &[(&str, Value)], secrets: &[(&str, Option<CallerSecret>)]) -> Sourced {
    let channel = |(name, of_kind): &(&str, Value)| {
        let kinds = [("urlPath", "rest"), ("port", "webSocket")];
        let kind = kinds.iter().find(|(field, _)| of_kind.get(*field).is_some());
        let kind = kind.map_or("directInvocation", |(_, kind)| *kind);
        serde_json::from_value(json!({"name": name, kind: of_kind})).unwrap()
    };
    let secret =
        |(name, secret): &(&str, Option<CallerSecret>)| ((*name).to_owned(), secret.clone().map(Arc::new));
    Sourced {
        name: name.into(),
        files: Ok(BTreeMap::new()),
        git: None,
        openapi: OpenApi::default(),
        expected: vec![],
        channels: channels.iter().map(channel).collect(),
        jobs: vec![],
        read: k8s_openapi::jiff::Timestamp::UNIX_EPOCH,
        secrets: secrets.iter().map(secret).collect(),
        is_distributed: false,
    }
}

/// Each server opens the port for itself, and which of them has the right row is not known when it starts.
#[test]
fn a_distributed_cluster_has_no_web_sockets() {
    let socket = json!({"service": "a.one", "path": "/feed", "port": 7001, "security": {"none": {}}});
    let mut service = service("s", &[("feed", socket)], &[]);
    let problem = |service: &Sourced| {
        let found = claims(std::slice::from_ref(service), &Index::default());
        found["s"][0].problem.clone()
    };
    assert_eq!(problem(&service), None);
    service.is_distributed = true;
    let told = problem(&service).unwrap().to_string();
    assert!(told.contains("Quickstart"), "{told}");
}

fn rest(path: &str, methods: &[&str], security: Value) -> Value {
    json!({"service": "a.one", "urlPath": path, "methods": methods, "security": security})
}

fn open(path: &str) -> Value {
    rest(path, &["GET"], json!({"none": {}}))
}

fn secret(label: &str, keys: &[(&str, &[u8])]) -> CallerSecret {
    let data: BTreeMap<_, _> = keys
        .iter()
        .map(|(key, value)| ((*key).to_owned(), k8s_openapi::ByteString(value.to_vec())))
        .collect();
    let secret =
        json!({"metadata": {"resourceVersion": "7", "labels": {"zato.io/channel-credentials": label}}});
    let mut secret: k8s_openapi::api::core::v1::Secret = serde_json::from_value(secret).unwrap();
    secret.data = Some(data);
    CallerSecret::of(secret)
}

fn problems(claims: &[Claim]) -> Vec<String> {
    let told = |claim: &Claim| {
        claim
            .problem
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    claims.iter().map(told).collect()
}

fn version(services: &[&str]) -> IndexedService {
    let file = IndexedFile {
        services: services.iter().map(ToString::to_string).collect(),
        ..IndexedFile::default()
    };
    IndexedService {
        files: [("a.py".to_owned(), file)].into(),
        ..IndexedService::default()
    }
}

const BASIC: [(&str, &[u8]); 2] = [("username", b"ann"), ("password", b"geheim")];

#[test]
fn limits_are_written_as_zato_reads_them() {
    for (per, wanted) in [("Minute", "*=3/m"), ("Hour", "*=3/h"), ("Day", "*=3/d")] {
        let mut limited = open("/a");
        limited["rateLimit"] = json!({"requests": 3, "per": per});
        let all = claims(&[service("s", &[("c", limited)], &[])], &Index::default());
        assert_eq!(all["s"][0].told.as_ref().unwrap().rate_limit, wanted);
    }
}

#[test]
fn a_cache_is_told_in_seconds() {
    let mut cached = open("/a");
    cached["cache"] = json!({"seconds": 30});
    let channels = [("cached", cached), ("plain", open("/b"))];
    let all = claims(&[service("s", &channels, &[])], &Index::default());
    let seconds = all["s"]
        .iter()
        .map(|claim| claim.told.as_ref().unwrap().cache_seconds);
    assert_eq!(seconds.collect::<Vec<_>>(), [30, 0]);
}

#[test]
fn the_older_of_two_has_the_path() {
    let services = [
        service(
            "old",
            &[("first", open("/a/{id}")), ("twice", open("/a/{other}"))],
            &[],
        ),
        service(
            "new",
            &[
                ("second", rest("/a/{x}", &["POST", "GET"], json!({"none": {}}))),
                ("free", open("/a/x")),
            ],
            &[],
        ),
    ];
    let all = claims(&services, &Index::default());
    let told = |service: &str, index: usize| all[service][index].problem.as_ref().map(ToString::to_string);
    assert_eq!((told("old", 0), told("new", 1)), (None, None));
    assert_eq!(
        told("old", 1).unwrap(),
        "GET /a/{other} is channel first of ZatoService old, which comes first: choose another path"
    );
    assert_eq!(
        told("new", 0).unwrap(),
        "GET /a/{x} is channel first of ZatoService old, which comes first: choose another path"
    );
    assert_eq!(
        all["old"][0].rivals,
        [
            "channel twice of ZatoService old",
            "channel second of ZatoService new"
        ]
    );
    assert!(all["new"][0].told.is_none());
}

/// A path is one text in a cluster, with each parameter once; and a channel that nobody closed is not open by mistake.
#[test]
fn channels_that_contradict_are_told() {
    let post = rest("/a/{other}", &["POST"], json!({"none": {}}));
    let channels = [
        ("one", open("/a/{id}")),
        ("two", post),
        ("twice", open("/b/{id}/{id}")),
        ("unknown", rest("/c", &["GET"], json!({"somethingNew": {}}))),
    ];
    let all = claims(&[service("s", &channels, &[])], &Index::default());
    assert_eq!(
        problems(&all["s"]),
        [
            "",
            "urlPath /a/{other} and /a/{id} differ in the names of parameters alone: use the same ones",
            "urlPath /b/{id}/{id} has parameter {id} twice: rename one of them",
            "security says nothing that this operator knows",
        ]
    );
    assert!(all["s"][1..].iter().all(|claim| claim.told.is_none()));
}

/// What is kept because a change was refused, or because a Secret is gone, keeps its path from others.
#[test]
fn what_stays_keeps_its_path() {
    let kept = of_rest(&serde_json::from_value(open("/old")).unwrap());
    let deployed = |refused: bool| {
        let version = IndexedService {
            channels: [("c".to_owned(), kept.clone())].into(),
            refused: refused.then(crate::exchange::RefusedRevision::default),
            ..IndexedService::default()
        };
        Index::sealed([("moves".to_owned(), version)].into())
    };
    let services = [
        service("wants", &[("x", open("/old"))], &[]),
        service("moves", &[("c", open("/new"))], &[]),
    ];
    let told = |refused| claims(&services, &deployed(refused))["wants"][0].problem.clone();
    assert_eq!(told(false), None);
    assert!(matches!(told(true), Some(Problem::PathTaken { owner, .. }) if owner == "moves"));
}

#[test]
fn only_what_a_server_took_answers() {
    let channels = BTreeMap::from([
        ("good".to_owned(), IndexedChannel::default()),
        ("bad".to_owned(), IndexedChannel::default()),
    ]);
    let told = |error: Option<&str>, revision: String| crate::exchange::PartReport {
        revision,
        error: error.map(Into::into),
        ..crate::exchange::PartReport::default()
    };
    let now = IndexedChannel::default().revision();
    let report = |bad: Option<crate::exchange::PartReport>| {
        let mut of_service = BTreeMap::from([("good".to_owned(), told(None, now.clone()))]);
        of_service.extend(bad.map(|bad| ("bad".to_owned(), bad)));
        Report {
            channels: [("s".to_owned(), of_service)].into(),
            ..Report::default()
        }
    };
    let names =
        |report: &Report| active("s", &channels, report).map(|active| active.into_keys().collect::<Vec<_>>());
    assert_eq!(
        names(&report(Some(told(None, now.clone())))).unwrap(),
        ["bad", "good"]
    );
    assert_eq!(
        names(&report(Some(told(Some("why"), now.clone())))).unwrap(),
        ["good"]
    );
    assert_eq!(names(&report(Some(told(None, "old".into())))), None);
    assert_eq!(names(&report(None)), None);
    assert_eq!(
        active("s", &BTreeMap::new(), &Report::default()),
        Some(BTreeMap::new())
    );
}

#[test]
fn a_channel_needs_a_service_of_its_own_object() {
    let all = claims(&[service("one", &[("c", open("/a"))], &[])], &Index::default());
    let claim = &all["one"][0];
    assert_eq!(claim.problem_with(Some(&version(&["a.one"]))), None);
    let told = claim.problem_with(Some(&version(&["a.two"]))).unwrap();
    assert_eq!(
        told.to_string(),
        "service a.one is in no file of this ZatoService: correct the name, or add the service, with `name = 'a.one'` in its class"
    );
    assert_eq!(
        claim.problem_with(None).map(|problem| problem.reason()),
        Some(Reason::ChannelInvalid)
    );
}

/// All services of the object at once, by the name of each; only one channel of it can say who calls them.
#[test]
fn services_are_invoked_directly() {
    let direct = || json!({"security": {"basicAuthSecretRef": {"name": "s"}}, "rateLimit": {"requests": 3, "per": "Day"}});
    let services = [
        service(
            "one",
            &[("c", direct()), ("again", direct())],
            &[("s", Some(secret("true", &BASIC)))],
        ),
        service("two", &[("c", direct())], &[("s", Some(secret("true", &BASIC)))]),
    ];
    let all = claims(&services, &Index::default());
    let taken = "any method of /zato/api/invoke/{service_name} is channel c of ZatoService one, which comes first: choose another path";
    assert_eq!(problems(&all["one"]), ["", taken]);
    assert_eq!(problems(&all["two"]), [""]);
    let claim = &all["one"][0];
    let told = claim.told.as_ref().unwrap();
    assert_eq!(told.security.as_ref().unwrap().username, "ann");
    assert_eq!((told.methods.len(), told.rate_limit.as_str()), (0, "*=3/d"));
    assert_eq!(claim.problem_with(Some(&version(&["any"]))), None);
    assert_eq!(claim.problem_with(Some(&version(&[]))), Some(Problem::NoService));
    // One that cannot be called so takes the channel from no other; what only is expected may be another's, or Zato's own.
    for odd in ["a.[b]", "a b", "a..b", ".a", "é"] {
        assert_eq!(claim.problem_with(Some(&version(&["a.one", odd]))), None, "{odd}");
        assert_eq!(
            claim.problem_with(Some(&version(&[odd]))),
            Some(Problem::NoService),
            "{odd}"
        );
    }
    let expected = IndexedService {
        expected: ["zato.service.invoke".to_owned()].into(),
        ..version(&[])
    };
    assert_eq!(claim.problem_with(Some(&expected)), Some(Problem::NoService));
}

fn soap(path: &str, services: &[&str]) -> Channel {
    let mut soap = json!({"urlPath": path, "security": {"none": {}}});
    if !services.is_empty() {
        soap["services"] = json!(services);
    }
    serde_json::from_value(json!({"name": "soap", "soap": soap})).unwrap()
}

/// Some services of the object or all of them, at a path that is nobody else's.
#[test]
fn services_are_called_by_soap() {
    let mut one = service("one", &[], &[]);
    one.channels = vec![soap("/s", &["a.one", "a.two"])];
    let rest = rest("/s", &["POST"], json!({"none": {}}));
    let all = claims(&[one, service("two", &[("c", rest)], &[])], &Index::default());
    let claim = &all["one"][0];
    assert_eq!(problems(&all["one"]), [""]);
    assert!(problems(&all["two"])[0].starts_with("POST /s is channel soap of ZatoService one"));
    let told = claim.told.as_ref().unwrap();
    assert_eq!((told.kind, told.services.len()), (ChannelKind::Soap, 2));
    assert_eq!(
        claim.problem_with(Some(&version(&["a.one", "a.two", "a.three"]))),
        None
    );
    let missing = Some(Problem::ServiceNotFound("a.two".into()));
    assert_eq!(claim.problem_with(Some(&version(&["a.one"]))), missing);
    let mut every = service("every", &[], &[]);
    every.channels = vec![soap("/t", &[])];
    let claim = claims(&[every], &Index::default())
        .remove("every")
        .unwrap()
        .remove(0);
    assert_eq!(claim.problem_with(Some(&version(&["b.one"]))), None);
    assert_eq!(claim.problem_with(Some(&version(&[]))), Some(Problem::NoService));
    let version = version(&["b.one", "b.two"]);
    let called = |channel| version.called(channel).map(String::as_str).collect::<Vec<_>>();
    assert_eq!(called(claim.told.as_ref().unwrap()), ["b.one", "b.two"]);
}

/// One port is one channel's in a cluster; what stays because its Secret is gone keeps the port.
#[test]
fn the_older_of_two_has_the_port() {
    let on = |port: u16, path: &str, security: Value| json!({"service": "a.one", "port": port, "path": path, "security": security});
    let by = |field: &str| json!({field: {"name": "s"}});
    let services = |found: Option<CallerSecret>| {
        let old = [
            ("first", on(7001, "/w", by("basicAuthSecretRef"))),
            ("rest", open("/w")),
            ("key", on(7003, "/w", by("apiKeySecretRef"))),
        ];
        let new = [
            ("second", on(7000, "/x", json!({"none": {}}))),
            ("third", on(7002, "/w", json!({"none": {}}))),
        ];
        [service("old", &old, &[("s", found)]), service("new", &new, &[])]
    };
    let mut kept = web_socket::wanted(&serde_json::from_value(on(7000, "/w", json!({}))).unwrap()).0;
    kept.security = Some(IndexedSecurity::default());
    let version = IndexedService {
        channels: [("first".to_owned(), kept)].into(),
        ..version(&["a.one"])
    };
    let deployed = Index::sealed([("old".to_owned(), version)].into());
    let key = "Zato gives nobody a session on a WebSocket that an API key closes: use basicAuthSecretRef";
    let all = claims(&services(Some(secret("true", &BASIC))), &deployed);
    assert_eq!(
        (problems(&all["old"]), problems(&all["new"])),
        (
            vec![String::new(), String::new(), key.into()],
            vec![String::new(), String::new()]
        )
    );
    let told = all["old"][0].told.as_ref().unwrap();
    let socket = told.web_socket.unwrap();
    assert_eq!(
        (socket.port, socket.ping_interval, socket.token_seconds),
        (7001, 30, 3600)
    );
    assert_eq!((told.methods.len(), told.service.as_str()), (0, "a.one"));
    assert_eq!(
        all["old"][0].problem_with(None),
        Some(Problem::ServiceNotFound("a.one".into()))
    );
    let all = claims(&services(None), &deployed);
    let taken =
        "port 7000 is that of channel first of ZatoService old, which comes first: choose another port";
    assert_eq!(problems(&all["new"]), [taken, ""]);
    assert_eq!(all["old"][0].rivals, ["channel second of ZatoService new"]);
    assert!(all["new"][0].told.is_none());
}

/// A channel of a newer schema than this operator's.
#[test]
fn a_channel_of_an_unknown_kind_is_not_made() {
    let channel = serde_json::from_value(json!({"name": "c", "somethingNew": {}})).unwrap();
    let mut source = service("s", &[], &[]);
    source.channels = vec![channel];
    let all = claims(&[source], &Index::default());
    assert_eq!(
        problems(&all["s"]),
        ["it says no address that this operator knows"]
    );
    assert_eq!(all["s"][0].told, None);
}

#[rstest]
#[case(Problem::NoService, Reason::ChannelInvalid)]
#[case(Problem::ServiceNotFound("s".into()), Reason::ChannelInvalid)]
#[case(Problem::Invalid("x".into()), Reason::ChannelInvalid)]
#[case(Problem::Refused(Reason::BreakingChange), Reason::BreakingChange)]
#[case(
    Problem::PathTaken { method: "GET".into(), path: "/a".into(), channel: "c".into(), owner: "o".into() },
    Reason::PathTaken
)]
#[case(
    Problem::PortTaken { port: "7000".into(), channel: "c".into(), owner: "o".into() },
    Reason::PortTaken
)]
#[case(Problem::SecretNotFound("s".into()), Reason::SecretNotFound)]
#[case(Problem::SecretInvalid { secret: "s".into(), why: "w".into() }, Reason::SecretInvalid)]
fn reasons(#[case] problem: Problem, #[case] reason: Reason) {
    assert_eq!(problem.reason(), reason);
}
