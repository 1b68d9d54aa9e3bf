//! Pure: what a user sees of a cluster.

use k8s_openapi::api::apps::v1::StatefulSet;

use super::plan::Plan;
use super::trouble::Trouble;
use crate::api::conditions::{ConditionType, Reason};
use crate::api::zato_cluster::{Endpoints, ServerStatus, ServiceCounts};
use crate::api::{ZatoCluster, ZatoClusterStatus};
use crate::exchange::{LoadState, Phase, Report};
use crate::k8s::names;
use crate::reconcile::kind::{Outcome, Verdict};
use crate::service::assess::{condition, summary};

type Judged = (bool, Reason, String);

/// Concludes the status of one cluster.
pub fn assess(cluster: &ZatoCluster, outcome: Outcome<'_, Plan>) -> Verdict<ZatoClusterStatus> {
    let generation = cluster.metadata.generation;
    // What was true stays in view when nothing new is known; only Ready says why.
    let old = cluster.status.clone().unwrap_or_default();
    let mut status = match outcome {
        Outcome::Applied { plan } => applied(plan, generation),
        Outcome::Failed(error) => with_ready(old, (false, error.reason(), error.to_string()), generation),
    };
    status.observed_generation = generation;
    Verdict {
        status,
        recheck: None,
    }
}

/// What was said last, and that nothing is done.
pub fn paused(cluster: &ZatoCluster) -> ZatoClusterStatus {
    let mut old = cluster.status.clone().unwrap_or_default();
    old.observed_generation = cluster.metadata.generation;
    let ready = ConditionType::Ready.to_string();
    let was_ready = old
        .conditions
        .iter()
        .any(|c| c.type_ == ready && c.status == "True");
    let message = "nothing is done while spec.paused is true; the rest of this status is from before";
    with_ready(
        old,
        (was_ready, Reason::Paused, message.into()),
        cluster.metadata.generation,
    )
}

fn with_ready(mut status: ZatoClusterStatus, ready: Judged, generation: Option<i64>) -> ZatoClusterStatus {
    let (is_ready, reason, message) = ready;
    status.summary = summary(reason, &message);
    status
        .conditions
        .retain(|c| c.type_ != ConditionType::Ready.to_string());
    let ready = condition(ConditionType::Ready, is_ready, reason, message, generation);
    status.conditions.insert(0, ready);
    status
}

fn applied(plan: &Plan, generation: Option<i64>) -> ZatoClusterStatus {
    let (ready, services) = (is_ready(plan), services(plan));
    let counts = counts(plan);
    let as_condition =
        |kind, (status, reason, message): Judged| condition(kind, status, reason, message, generation);
    ZatoClusterStatus {
        observed_generation: generation,
        summary: summary(ready.1, &ready.2),
        conditions: vec![
            as_condition(ConditionType::Ready, ready),
            as_condition(ConditionType::ServicesLoaded, services),
            as_condition(ConditionType::DataAdopted, adopted(plan)),
        ],
        image: Some(plan.image.clone()),
        key_fingerprint: Some(plan.fingerprint.0.clone()),
        servers: vec![server(plan)],
        services: Some(counts),
        endpoints: Some(endpoints(plan)),
    }
}

fn adopted(plan: &Plan) -> Judged {
    let claim = names::data(&plan.name);
    match plan.adopted {
        Some(made) => (
            true,
            Reason::Adopted,
            format!(
                "volume claim {claim} is of {made}: data and keys of an earlier cluster of this name are used"
            ),
        ),
        None => (
            false,
            Reason::Fresh,
            format!("volume claim {claim} was made for this cluster"),
        ),
    }
}

fn is_ready(plan: &Plan) -> Judged {
    if plan.is_stopped {
        let message = "no pod runs, data and keys are kept: set spec.stopped to false to start it";
        return (false, Reason::Stopped, message.into());
    }
    let pod = names::server_pod(&plan.name, 0);
    if let Some(error) = plan.report.as_ref().and_then(|report| report.error.as_ref()) {
        let reason = if phase(plan) == Some(Phase::Creating) {
            Reason::CreationFailed
        } else {
            Reason::ServerFailed
        };
        return (false, reason, format!("pod {pod}: {error}"));
    }
    // Until its controller has seen it, a StatefulSet says no more than that it was made.
    let seen = plan.stateful_set.as_ref().filter(|set| is_seen(set));
    let Some(stateful_set) = seen else {
        return (false, Reason::Starting, "children are being created".into());
    };
    // First: a pod in trouble is never done with its change.
    if ready_replicas(stateful_set) == 0
        && let Some(Trouble { reason, message }) = &plan.trouble
    {
        return (false, *reason, format!("pod {pod}: {message}"));
    }
    if !plan.is_current() {
        return (false, Reason::Starting, format!("pod {pod} is being changed"));
    }
    if ready_replicas(stateful_set) == 0 {
        return (
            false,
            Reason::Starting,
            format!("pod {pod}: {}", doing(phase(plan))),
        );
    }
    (true, Reason::Running, "all components run".into())
}

fn is_seen(stateful_set: &StatefulSet) -> bool {
    let status = stateful_set.status.as_ref();
    status.is_some_and(|status| status.observed_generation.is_some())
}

fn ready_replicas(stateful_set: &StatefulSet) -> i32 {
    stateful_set
        .status
        .as_ref()
        .and_then(|status| status.ready_replicas)
        .unwrap_or_default()
}

fn phase(plan: &Plan) -> Option<Phase> {
    plan.report.as_ref().map(|report| report.phase)
}

fn doing(phase: Option<Phase>) -> &'static str {
    match phase {
        None => "is being scheduled",
        Some(Phase::Preparing) => "writes configuration and code",
        Some(Phase::Creating) => "creates Zato's environment",
        Some(Phase::Starting) => "waits for the server to answer",
        Some(Phase::Loading) => "loads services",
        Some(Phase::Serving) => "waits for scheduler and dashboard",
    }
}

fn is_loaded(report: &Report, service: &str, revision: &str) -> bool {
    let found = report.services.get(service);
    found.is_some_and(|found| found.state == LoadState::Loaded && found.revision == revision)
}

fn counts(plan: &Plan) -> ServiceCounts {
    let current = |(name, revision): &(&String, &Option<String>)| match (revision, &plan.report) {
        (Some(revision), Some(report)) => is_loaded(report, name, revision),
        _ => false,
    };
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let (total, loaded) = (
        count(plan.revisions.len()),
        count(plan.revisions.iter().filter(current).count()),
    );
    ServiceCounts {
        total,
        loaded,
        summary: format!("{loaded}/{total}"),
    }
}

fn services(plan: &Plan) -> Judged {
    let counts = counts(plan);
    if counts.loaded == counts.total {
        return (
            true,
            Reason::AllLoaded,
            format!("{} of {} services are loaded", counts.loaded, counts.total),
        );
    }
    let invalid = plan
        .revisions
        .iter()
        .filter(|(_, revision)| revision.is_none())
        .map(|(name, _)| name.as_str());
    let reported = plan.report.iter().flat_map(|report| &report.services);
    let failed = reported
        .filter(|(_, report)| report.state == LoadState::Failed)
        .map(|(name, _)| name.as_str());
    let mut names: Vec<&str> = invalid.chain(failed).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return (
            false,
            Reason::Loading,
            format!("{} of {} services are loaded", counts.loaded, counts.total),
        );
    }
    let more = names.len().saturating_sub(5);
    let listed = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    (
        false,
        Reason::SomeFailed,
        format!("not loaded: {listed}{rest}; see each ZatoService"),
    )
}

fn server(plan: &Plan) -> ServerStatus {
    let report = plan.report.as_ref();
    ServerStatus {
        name: names::server_pod(&plan.name, 0),
        ready: plan
            .stateful_set
            .as_ref()
            .is_some_and(|set| plan.is_current() && ready_replicas(set) > 0),
        phase: report.map(|report| format!("{:?}", report.phase)),
        revision: report
            .map(|r| r.index_revision.clone())
            .filter(|revision| !revision.is_empty()),
        last_error: report.and_then(|report| report.error.clone()),
    }
}

fn endpoints(plan: &Plan) -> Endpoints {
    let url = |service: String, port: i32| format!("http://{service}.{}.svc:{port}", plan.namespace);
    let dashboard = plan
        .has_dashboard
        .then(|| url(names::dashboard(&plan.name), super::desired::ports::DASHBOARD));
    Endpoints {
        api: url(names::api(&plan.name), super::desired::ports::API),
        dashboard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::plan::tests::plan_of;
    use rstest::rstest;

    /// With the pod's revision and the one that is wanted.
    fn set(plan: &mut Plan, ready: i32, revision: &str, update: &str) {
        plan.pod = Some(crate::reconcile::child::PodState {
            revision: revision.into(),
            trouble: plan.trouble.clone(),
            ..Default::default()
        });
        plan.stateful_set = Some(stateful_set(ready, update));
    }

    fn stateful_set(ready: i32, update: &str) -> StatefulSet {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "demo-server", "generation": 1}, "spec": {"selector": {}, "serviceName": "", "template": {}},
            "status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": ready, "updateRevision": update},
        }))
        .unwrap()
    }

    fn report(phase: Phase, error: Option<&str>) -> Report {
        Report {
            phase,
            error: error.map(Into::into),
            ..Report::default()
        }
    }

    #[rstest]
    #[case(None, None, false, Reason::Starting, "children are being created")]
    #[case(
        Some((0, "a", "a")),
        None,
        false,
        Reason::Starting,
        "pod demo-server-0: is being scheduled"
    )]
    #[case(
        Some((0, "a", "a")),
        Some(report(Phase::Preparing, None)),
        false,
        Reason::Starting,
        "pod demo-server-0: writes configuration and code"
    )]
    #[case(
        Some((0, "a", "a")),
        Some(report(Phase::Creating, None)),
        false,
        Reason::Starting,
        "pod demo-server-0: creates Zato's environment"
    )]
    #[case(
        Some((0, "a", "a")),
        Some(report(Phase::Starting, None)),
        false,
        Reason::Starting,
        "pod demo-server-0: waits for the server to answer"
    )]
    #[case(
        Some((0, "a", "a")),
        Some(report(Phase::Loading, None)),
        false,
        Reason::Starting,
        "pod demo-server-0: loads services"
    )]
    #[case(
        Some((0, "a", "a")),
        Some(report(Phase::Serving, None)),
        false,
        Reason::Starting,
        "pod demo-server-0: waits for scheduler and dashboard"
    )]
    #[case(
        Some((1, "a", "b")),
        Some(report(Phase::Serving, None)),
        false,
        Reason::Starting,
        "pod demo-server-0 is being changed"
    )]
    #[case(
        Some((1, "a", "a")),
        Some(report(Phase::Serving, None)),
        true,
        Reason::Running,
        "all components run"
    )]
    #[case(
        Some((0, "a", "a")),
        Some(report(Phase::Creating, Some("x"))),
        false,
        Reason::CreationFailed,
        "pod demo-server-0: x"
    )]
    #[case(
        Some((1, "a", "a")),
        Some(report(Phase::Serving, Some("x"))),
        false,
        Reason::ServerFailed,
        "pod demo-server-0: x"
    )]
    fn truth_table(
        #[case] pod: Option<(i32, &str, &str)>,
        #[case] report: Option<Report>,
        #[case] ready: bool,
        #[case] reason: Reason,
        #[case] message: &str,
    ) {
        let mut plan = plan_of(&[]);
        plan.report = report;
        if let Some((ready, revision, update)) = pod {
            set(&mut plan, ready, revision, update);
        }
        assert_eq!(is_ready(&plan), (ready, reason, message.to_owned()));
        assert_eq!(server(&plan).ready, pod.is_some_and(|pod| pod == (1, "a", "a")));
    }

    /// A StatefulSet that its controller has not looked at has nothing to say of pods.
    #[test]
    fn a_new_stateful_set_counts_when_its_controller_has_seen_it() {
        let mut plan = plan_of(&[]);
        set(&mut plan, 0, "a", "a");
        let unseen = plan.stateful_set.as_mut().unwrap();
        unseen.status.as_mut().unwrap().observed_generation = None;
        assert_eq!(is_ready(&plan).2, "children are being created");
    }

    #[test]
    fn a_server_is_told_with_what_it_reports() {
        let mut plan = plan_of(&[]);
        assert_eq!(server(&plan).phase, None);
        plan.report = Some(report(Phase::Serving, Some("x")));
        let told = server(&plan);
        assert_eq!(
            (told.phase.as_deref(), told.revision, told.last_error.as_deref()),
            (Some("Serving"), None, Some("x"))
        );
        plan.report.as_mut().unwrap().index_revision = "r".into();
        assert_eq!(server(&plan).revision.as_deref(), Some("r"));
    }

    #[test]
    fn trouble_of_the_pod_is_told_until_it_is_ready() {
        let mut plan = plan_of(&[]);
        let message = "image x cannot be pulled".to_owned();
        plan.trouble = Some(Trouble {
            reason: Reason::ImagePullFailed,
            message,
        });
        set(&mut plan, 0, "a", "b");
        assert!(!adopted(&plan).0);
        let (ready, reason, message) = is_ready(&plan);
        assert_eq!(
            (ready, reason, message.as_str()),
            (
                false,
                Reason::ImagePullFailed,
                "pod demo-server-0: image x cannot be pulled"
            )
        );
        set(&mut plan, 1, "a", "a");
        assert_eq!(is_ready(&plan).1, Reason::Running);
        plan.is_stopped = true;
        assert_eq!(is_ready(&plan).1, Reason::Stopped);
    }

    #[test]
    fn a_paused_cluster_keeps_what_was_said_last() {
        let mut cluster = crate::cluster::plan::tests::cluster(serde_json::json!({"paused": true}));
        assert_eq!(paused(&cluster).conditions[0].status, "False");
        let waiting = assess(&cluster, Outcome::Applied { plan: &plan_of(&[]) }).status;
        assert_eq!(waiting.conditions[1].status, "True");
        cluster.status = Some(waiting);
        assert_eq!(paused(&cluster).conditions[0].status, "False");
        let mut plan = plan_of(&[]);
        set(&mut plan, 1, "a", "a");
        let before = assess(&cluster, Outcome::Applied { plan: &plan }).status;
        cluster.status = Some(before.clone());
        let after = paused(&cluster);
        let ready = &after.conditions[0];
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "Paused"));
        assert_eq!(
            (after.servers, &after.conditions[1..]),
            (before.servers, &before.conditions[1..])
        );
    }

    /// What stands in the object, and what stays of it when a step fails.
    #[test]
    fn whole_statuses() {
        let mut cluster = crate::cluster::plan::tests::cluster(serde_json::json!({}));
        let mut plan = plan_of(&[("s", "x = 1\n")]);
        plan.adopted = Some(k8s_openapi::jiff::Timestamp::UNIX_EPOCH);
        let revision = plan.revisions["s"].clone().unwrap();
        plan.report = Some(Report {
            phase: Phase::Serving,
            index_revision: plan.index.revision.clone(),
            ..reported(&[("s", &revision, LoadState::Loaded)])
        });
        set(&mut plan, 1, "a", "a");
        let runs = assess(&cluster, Outcome::Applied { plan: &plan }).status;
        cluster.status = Some(runs.clone());
        let error = crate::reconcile::Error::Credentials {
            secret: "demo-zato".into(),
            why: "key key1 is missing".into(),
        };
        let failed = assess(&cluster, Outcome::Failed(&error)).status;
        insta::assert_yaml_snapshot!([runs, failed]);
    }

    #[test]
    fn services_are_counted_by_their_current_revision() {
        let mut plan = plan_of(&[("good", "x = 1\n"), ("bad", "(")]);
        assert_eq!(counts(&plan).summary, "0/2");
        assert_eq!(
            services(&plan),
            (
                false,
                Reason::SomeFailed,
                "not loaded: bad; see each ZatoService".into()
            )
        );
        let now = plan.revisions["good"].clone().unwrap();
        for (revision, state, loaded) in [
            (now.as_str(), LoadState::Loaded, 1),
            (now.as_str(), LoadState::Loading, 0),
            (now.as_str(), LoadState::Failed, 0),
            ("older", LoadState::Loaded, 0),
        ] {
            plan.report = Some(reported(&[("good", revision, state)]));
            assert_eq!(counts(&plan).loaded, loaded, "{revision} {state:?}");
        }
    }

    fn reported(services: &[(&str, &str, LoadState)]) -> Report {
        let of = |(name, revision, state): &(&str, &str, LoadState)| {
            let service = crate::exchange::ServiceReport {
                revision: (*revision).into(),
                state: *state,
                error: None,
            };
            ((*name).to_owned(), service)
        };
        Report {
            services: services.iter().map(of).collect(),
            ..Report::default()
        }
    }

    #[test]
    fn what_failed_is_named_and_what_is_on_its_way_is_not() {
        use LoadState::{Failed, Loaded, Loading};
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut plan = plan_of(&names.map(|name| (name, "x = 1\n")));
        let mut told = |states: [LoadState; 6]| {
            let revisions = plan.revisions.clone();
            let now = |name: &str| revisions[name].as_deref().unwrap_or_default();
            let services: Vec<_> = names.iter().zip(states).map(|(n, s)| (*n, now(n), s)).collect();
            plan.report = Some(reported(&services));
            let (is_loaded, reason, message) = super::services(&plan);
            assert_eq!(is_loaded, reason == Reason::AllLoaded);
            message
        };
        assert_eq!(told([Loaded; 6]), "6 of 6 services are loaded");
        assert_eq!(
            told([Loaded, Loaded, Loaded, Loaded, Loaded, Loading]),
            "5 of 6 services are loaded"
        );
        assert_eq!(
            told([Loaded, Failed, Failed, Failed, Failed, Failed]),
            "not loaded: b, c, d, e, f; see each ZatoService"
        );
        assert_eq!(
            told([Failed; 6]),
            "not loaded: a, b, c, d, e and 1 more; see each ZatoService"
        );
    }
}
