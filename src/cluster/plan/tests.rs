//! What is planned of a cluster: names, keys, code, what becomes of earlier versions.

use super::*;
use crate::api::OpenApi;
use crate::api::zato_service::BreakingChangePolicy;
use crate::reconcile::child::JobState;
use crate::reconcile::engine::Settings;
use crate::service::source::Sourced;
use rstest::rstest;

pub(crate) fn cluster(spec: serde_json::Value) -> ZatoCluster {
    let object = serde_json::json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoCluster",
        "metadata": {"name": "demo", "namespace": "default", "uid": "uid-of-demo", "generation": 1}, "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

fn service(name: &str, file: &str, text: &str) -> Sourced {
    Sourced {
        name: name.into(),
        files: Ok([(file.to_owned(), text.to_owned())].into()),
        git: None,
        openapi: OpenApi::default(),
        expected: vec![],
        channels: vec![],
        jobs: vec![],
        read: k8s_openapi::jiff::Timestamp::UNIX_EPOCH,
        secrets: BTreeMap::new(),
        is_distributed: false,
    }
}

pub(crate) fn inputs(services: &[(&str, &str)]) -> Inputs {
    Inputs {
        settings: Settings {
            zato_image: "registry.local/zato:3.2".into(),
            agent_image: "registry.local/agent:1".into(),
            identity: "operator-0".into(),
            git: crate::service::git::Allowed::Everybody,
        },
        fingerprint: Fingerprint("0123456789abcdef".into()),
        services: services
            .iter()
            .map(|(name, text)| service(name, &format!("{name}.py"), text))
            .collect(),
        previous: Previous::default(),
        is_secret_labelled: true,
        servers: vec![Server::of("demo", 0)],
        refusal: None,
        claim: None,
        stateful_set: None,
        database: database::Found::default(),
        components: BTreeMap::new(),
        documents: vec![],
        kept: BTreeMap::new(),
        proven: std::collections::BTreeSet::new(),
        callables: BTreeMap::new(),
        startups: vec![],
    }
}

/// A cluster of several servers, whose Job is where `job` says.
pub(crate) fn distributed(servers: i32, job: Option<JobState>) -> Plan {
    let spec = serde_json::json!({
        "topology": "Distributed", "servers": {"replicas": servers}, "loadBalancer": {"replicas": 2},
        "database": {"postgresql": {"host": "pg.db.svc", "database": "zato", "credentialsSecretRef": {"name": "pg"}}},
    });
    let mut inputs = inputs(&[("accounts", "x = 1\n")]);
    let count = usize::try_from(servers.max(1)).unwrap();
    inputs.servers = (0..count).map(|ordinal| Server::of("demo", ordinal)).collect();
    let secret = serde_json::json!({
        "metadata": {"name": "pg", "resourceVersion": "7"}, "data": {"username": "dQ==", "password": "cA=="},
    });
    let secret = database::DatabaseSecret::of(serde_json::from_value(secret).unwrap());
    inputs.database = database::Found {
        secret: Some(secret.into()),
        job,
    };
    plan(&cluster(spec), inputs).unwrap()
}

/// A Job that did its work.
pub(crate) fn done() -> JobState {
    JobState {
        name: "demo-database-1".into(),
        uid: "u".into(),
        is_complete: true,
        ..JobState::default()
    }
}

pub(crate) fn plan_of(services: &[(&str, &str)]) -> Plan {
    plan(&cluster(serde_json::json!({})), inputs(services)).unwrap()
}

/// Of a cluster with this spec, where servers were told another plan's code last.
pub(crate) fn plan_after(spec: serde_json::Value, services: &[(&str, &str)], before: &Plan) -> Plan {
    let mut inputs = inputs(services);
    inputs.previous = Previous {
        index: before.index.clone(),
        shards: before.shards.clone(),
    };
    plan(&cluster(spec), inputs).unwrap()
}

/// The same with this policy for all services.
pub(crate) fn plan_with(services: &[(&str, &str)], before: &Plan, policy: BreakingChangePolicy) -> Plan {
    let mut inputs = inputs(services);
    inputs.previous = Previous {
        index: before.index.clone(),
        shards: before.shards.clone(),
    };
    for source in &mut inputs.services {
        source.openapi.breaking_change_policy = policy;
    }
    plan(&cluster(serde_json::json!({})), inputs).unwrap()
}

/// After another plan of which the server says this, with revisions that are kept.
pub(crate) fn plan_reported(
    services: &[(&str, &str)],
    before: &Plan,
    report: Option<Report>,
    kept: BTreeMap<String, BTreeMap<String, String>>,
) -> Plan {
    let mut inputs = inputs(services);
    inputs.previous = Previous {
        index: before.index.clone(),
        shards: before.shards.clone(),
    };
    inputs.servers[0].report = report;
    inputs.kept = kept;
    plan(&cluster(serde_json::json!({})), inputs).unwrap()
}

/// One service with open channels, whose methods are GET, after another plan.
pub(crate) fn plan_of_channels(
    text: &str,
    paths: &[&str],
    before: Option<&Plan>,
    policy: BreakingChangePolicy,
) -> Plan {
    let mut inputs = inputs(&[("s", text)]);
    if let Some(before) = before {
        inputs.previous = Previous {
            index: before.index.clone(),
            shards: before.shards.clone(),
        };
    }
    let channel = |path: &&str| {
        serde_json::from_value(serde_json::json!({"name": path.trim_start_matches('/'), "rest": {
            "service": "a.one", "urlPath": path, "methods": ["GET"], "security": {"none": {}},
        }}))
    };
    inputs.services[0].channels = paths.iter().map(|path| channel(path).unwrap()).collect();
    inputs.services[0].openapi.breaking_change_policy = policy;
    plan(&cluster(serde_json::json!({})), inputs).unwrap()
}

#[test]
fn without_any_image_the_field_is_named() {
    let mut inputs = inputs(&[]);
    inputs.settings.zato_image = String::new();
    let error = plan(&cluster(serde_json::json!({})), inputs).unwrap_err();
    assert!(error.to_string().starts_with("image: "), "{error}");
}

/// What is wrong with callables keeps everything as it is, but for a pod that must stop.
#[test]
fn a_cluster_with_wrong_callables_can_be_stopped() {
    let reference = serde_json::json!({"name": "gone", "key": "m.py"});
    let of = |stopped: bool| {
        let spec = serde_json::json!({"stopped": stopped, "startupCallables": [{"name": "m.f", "configMapKeyRef": reference}]});
        plan(&cluster(spec), inputs(&[]))
    };
    assert!(
        of(false)
            .unwrap_err()
            .to_string()
            .starts_with("ConfigMap gone of spec.startupCallables")
    );
    assert!(of(true).unwrap().startup.is_none());
}

#[test]
fn two_settings_that_zato_cannot_tell_apart_are_refused() {
    let settings = serde_json::json!({"a": {"b_c": "1"}, "a_b": {"c": "2"}});
    let spec = serde_json::json!({"config": {"server.conf": settings}});
    let error = plan(&cluster(spec), inputs(&[])).unwrap_err();
    assert!(error.to_string().starts_with("config.server.conf."), "{error}");
}

/// Somebody deleted the shard.
#[test]
fn a_version_whose_contents_are_gone_is_not_kept() {
    let mut before = plan_of(&[("s", "x = 1\n")]);
    before.shards.clear();
    let after = plan_after(serde_json::json!({}), &[("s", "(")], &before);
    assert!(after.index.services.is_empty());
    assert_eq!(after.transition, after.shards);
}

#[test]
fn an_invalid_service_keeps_its_previous_version() {
    let before = plan_of(&[("s", "x = 1\n")]);
    let after = plan_after(serde_json::json!({}), &[("s", "(")], &before);
    assert_eq!((after.index, after.shards), (before.index, before.shards));
    assert_eq!(after.revisions["s"], None);
}

/// The operator may end between the two writes.
#[test]
fn a_shard_that_is_ahead_of_its_index_is_the_previous_version() {
    let (before, ahead) = (plan_of(&[("s", "x = 1\n")]), plan_of(&[("s", "x = 2\n")]));
    let mut inputs = inputs(&[("s", "(")]);
    inputs.previous = Previous {
        index: before.index,
        shards: ahead.shards.clone(),
    };
    let after = plan(&cluster(serde_json::json!({})), inputs).unwrap();
    assert_eq!((after.index, after.shards), (ahead.index, ahead.shards));
}

/// The case that two services could block each other with: an older one is renamed and broken, a newer one takes
/// its file.
#[test]
fn a_kept_version_and_a_new_one_never_share_a_file() {
    let before = plan_of(&[("a", "x = 1\n")]);
    let mut inputs = inputs(&[]);
    inputs.services = vec![service("a", "a2.py", "("), service("b", "a.py", "x = 2\n")];
    inputs.previous = Previous {
        index: before.index.clone(),
        shards: before.shards.clone(),
    };
    let after = plan(&cluster(serde_json::json!({})), inputs).unwrap();
    assert_eq!((after.index, after.shards), (before.index, before.shards));
}

#[test]
fn an_invalid_service_without_a_previous_version_is_left_out() {
    let plan = plan_of(&[("good", "x = 1\n"), ("bad", "(")]);
    assert_eq!(plan.index.services.keys().collect::<Vec<_>>(), ["good"]);
    assert_eq!(plan.shards["demo-code-0"].keys().collect::<Vec<_>>(), ["good.py"]);
}

/// The operator may end after a file was moved to another shard, before it left its old one.
#[test]
fn of_two_contents_the_one_that_the_index_says_is_the_previous_one() {
    let before = plan_of(&[("s", "x = 1\n")]);
    let mut inputs = inputs(&[("s", "(")]);
    let moved = [("s.py".to_owned(), "x = 2\n".to_owned())].into();
    let mut shards = BTreeMap::from([("demo-code-".to_owned(), moved)]);
    shards.extend(before.shards.clone());
    inputs.previous = Previous {
        index: before.index.clone(),
        shards,
    };
    let after = plan(&cluster(serde_json::json!({})), inputs).unwrap();
    assert_eq!(after.index, before.index);
}

#[test]
fn a_claim_from_before_the_cluster_is_adopted() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let mut cluster = cluster(serde_json::json!({}));
    cluster.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(10)));
    for (created, adopted) in [
        (Some(9), Some(9)),
        (Some(10), None),
        (Some(11), None),
        (None, None),
    ] {
        let claim = Claim {
            created: created.map(at),
            ..Claim::default()
        };
        let inputs = Inputs {
            claim: Some(claim),
            ..inputs(&[])
        };
        assert_eq!(
            plan(&cluster, inputs).unwrap().adopted,
            adopted.map(at),
            "{created:?}"
        );
    }
    assert_eq!(plan(&cluster, inputs(&[])).unwrap().adopted, None);
}

/// While the new index is not there, the shards have what the old one names, too, as far as there is room.
#[test]
fn a_transition_holds_both_versions_while_they_fit() {
    let large = format!("x = '{}'\n", "#".repeat(150_000));
    let names: Vec<String> = (0..7).map(|n| format!("s{n}")).collect();
    let services: Vec<_> = names.iter().map(|name| (name.as_str(), large.as_str())).collect();
    // Six of them fill the first shard to nine tenths.
    let before = plan_of(&services[..6]);
    assert_eq!(before.shards.len(), 1);
    let services = [("tiny", "x = 1\n"), ("s6", &large)];
    let after = plan_after(serde_json::json!({}), &services, &before);
    assert_eq!(
        after.shards["demo-code-0"].keys().collect::<Vec<_>>(),
        ["s6.py", "tiny.py"]
    );
    let all: Vec<_> = after.transition["demo-code-0"]
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        all,
        ["s0.py", "s1.py", "s2.py", "s3.py", "s4.py", "s6.py", "tiny.py"]
    );
    assert_eq!(before.transition, before.shards, "nothing was there before");
}

/// By what the claim says, else by what the status says; without a claim there is no database.
#[test]
fn another_key_is_refused() {
    let claim = |made_with: Option<&str>| {
        let made_with = made_with.map(Into::into);
        Some(Claim {
            made_with,
            ..Claim::default()
        })
    };
    for (claim, told, is_right) in [
        (None, Some("other"), true),
        (claim(Some("0123456789abcdef")), Some("other"), true),
        (claim(Some("other")), Some("0123456789abcdef"), false),
        (claim(None), Some("other"), false),
        (claim(None), None, true),
    ] {
        let mut cluster = cluster(serde_json::json!({}));
        cluster.status = Some(crate::api::ZatoClusterStatus {
            key_fingerprint: told.map(Into::into),
            ..Default::default()
        });
        let inputs = Inputs { claim, ..inputs(&[]) };
        assert_eq!(plan(&cluster, inputs).is_ok(), is_right, "{told:?}");
    }
}

/// What servers report of these services, where they were told `index`.
fn reported(index: &Index, state: LoadState) -> Report {
    let of = |name: &String| {
        let report = crate::exchange::ServiceReport {
            revision: index.services[name].revision.clone(),
            state,
            error: None,
            ..crate::exchange::ServiceReport::default()
        };
        (name.clone(), report)
    };
    Report {
        index_revision: index.revision.clone(),
        services: index.services.keys().map(of).collect(),
        ..Report::default()
    }
}

/// One document of all services, with the tags of each, when servers have all of them.
#[test]
fn the_document_of_a_cluster_is_of_what_is_loaded() {
    let code = |name: &str| {
        format!(
            "from zato.server.service import Service\n\nclass A(Service):\n    \"\"\" First {name}.\n\n    @inner\n    Second {name}.\n    \"\"\"\n    name = 'api.{name}'\n"
        )
    };
    let (one, two) = (code("one"), code("two"));
    let services = [("one", one.as_str()), ("two", two.as_str()), ("bad", "(")];
    let index = plan_of(&services).index;
    let planned = |report: Option<Report>| {
        let mut inputs = inputs(&services);
        inputs.services[1].openapi.tags = vec!["inner".into()];
        inputs.servers[0].report = report;
        plan(&cluster(serde_json::json!({})), inputs).unwrap()
    };
    let found = planned(Some(reported(&index, LoadState::Loaded)));
    let (made, text) = found.documents.new.as_ref().unwrap();
    assert_eq!(made.config_map, "demo-openapi-all-1");
    for (said, is_there) in [("First one", true), ("Second one", false), ("Second two", true)] {
        assert_eq!(text.contains(said), is_there, "{said}: {text}");
    }
    let manifests = crate::cluster::desired::desired(&found);
    assert!(manifests.iter().any(|manifest| manifest.name == made.config_map));

    let older = Report {
        index_revision: "older".into(),
        ..reported(&index, LoadState::Loaded)
    };
    for report in [None, Some(older), Some(reported(&index, LoadState::Failed))] {
        assert_eq!(planned(report).documents, Publication::waiting(vec![]));
    }
}

fn git_is_down() -> crate::service::refusal::Refusal {
    let down = crate::git::Trouble::new(crate::api::conditions::Reason::GitUnreachable, "down");
    crate::service::refusal::Refusal::GitUnfetched(down)
}

/// A git server that was not asked yet, or does not answer, changes nothing, whatever became of the revision that is not known
/// now. `of_new`: what servers are to have of a service that was never deployed.
#[rstest]
#[case::not_asked(crate::service::refusal::Refusal::GitPending, Some(String::new()))]
#[case::down(git_is_down(), None)]
fn what_is_not_known_yet_stays(
    #[case] refusal: crate::service::refusal::Refusal,
    #[case] of_new: Option<String>,
) {
    use crate::exchange::{FailedRevision, RefusedRevision};
    let mut before = plan_of(&[("s", "x = 1\n"), ("t", "y = 1\n")]);
    let index = &mut before.index;
    index.services.get_mut("s").unwrap().failed = Some(FailedRevision {
        revision: "later".into(),
        ..FailedRevision::default()
    });
    index.services.get_mut("t").unwrap().refused = Some(RefusedRevision {
        revision: "later".into(),
        breaks: vec![],
    });
    let mut inputs = inputs(&[("s", ""), ("t", ""), ("new", "")]);
    for source in &mut inputs.services {
        source.files = Err(refusal.clone());
    }
    inputs.previous = Previous {
        index: before.index.clone(),
        shards: before.shards.clone(),
    };
    let found = plan(&cluster(serde_json::json!({})), inputs).unwrap();
    assert_eq!(found.index.services, before.index.services);
    assert_eq!(found.shards, before.shards);
    // What no server has is on its way, and no failure.
    let told = |name: &str| found.revisions[name].clone();
    assert_eq!((told("s"), told("new")), (None, of_new));
}

/// What was made is made, whatever a new Job has to look at; what is wrong with the way in keeps no pod from being stopped.
#[test]
fn a_database_that_was_made_stays_so() {
    let database = serde_json::json!({"postgresql": {"host": "h", "database": "d", "credentialsSecretRef": {"name": "pg"}}});
    let spec = serde_json::json!({"topology": "Distributed", "database": database, "stopped": true});
    let mut cluster = cluster(spec);
    let is_made = |cluster: &ZatoCluster| plan(cluster, inputs(&[])).unwrap().database.unwrap().is_made;
    assert!(!is_made(&cluster));
    let status = serde_json::json!({"keyFingerprint": "0123456789abcdef"});
    cluster.status = serde_json::from_value(status).ok();
    assert!(is_made(&cluster));
}

#[test]
fn what_all_servers_share_is_one_servers_work() {
    let plan = distributed(2, Some(done()));
    assert_eq!(plan.index.keeper, "demo-server-0");
    let servers: Vec<_> = plan.index.servers.iter().map(String::as_str).collect();
    assert_eq!(servers, ["demo-server-0", "demo-server-1"]);
    let alone = plan_of(&[]);
    assert_eq!((alone.index.keeper.as_str(), alone.index.servers.len()), ("", 0));
}

/// Another key than the one that was told with the tables, a Secret that is not there, or is of no use.
#[test]
fn what_is_wrong_with_the_way_into_the_database() {
    let spec = |cluster: &mut ZatoCluster, fingerprint: Option<&str>| {
        let status = serde_json::json!({"keyFingerprint": fingerprint});
        cluster.status = serde_json::from_value(status).ok();
    };
    let database = serde_json::json!({"postgresql": {"host": "h", "database": "d", "credentialsSecretRef": {"name": "pg"}}});
    let mut cluster = cluster(serde_json::json!({"topology": "Distributed", "database": database}));
    let error = |cluster: &ZatoCluster| plan(cluster, inputs(&[])).unwrap_err();
    assert!(matches!(error(&cluster), Error::DatabaseSecretNotFound { secret } if secret == "pg"));
    spec(&mut cluster, Some("another"));
    assert!(matches!(error(&cluster), Error::KeyChanged { made_with, .. } if made_with == "another"));
    spec(&mut cluster, Some("0123456789abcdef"));
    assert!(matches!(error(&cluster), Error::DatabaseSecretNotFound { .. }));
}
