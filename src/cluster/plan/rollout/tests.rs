//! Who has a pod, and who loses it next.

use super::*;
use crate::cluster::plan::tests::{distributed, done};
use crate::exchange::Report;

/// Nothing starts before the tables are there, and the first server starts alone until it serves.
#[test]
fn servers_start_one_after_another() {
    let started = |plan: &Plan| plan.started();
    assert_eq!(started(&distributed(3, None)), 0);
    let mut plan = distributed(3, Some(done()));
    assert_eq!(started(&plan), 1);
    let set = |replicas: i32| {
        let set = serde_json::json!({"status": {"observedGeneration": 1, "replicas": replicas}});
        serde_json::from_value(set).ok()
    };
    plan.stateful_set = set(1);
    plan.servers[0].report = Some(Report::default());
    assert_eq!(started(&plan), 1);
    plan.servers[0].report.as_mut().unwrap().phase = Phase::Serving;
    assert_eq!(started(&plan), 3);
    // All of them are in trouble, or the first one is being replaced: none is taken away for that.
    plan.servers[0].report = None;
    plan.servers[1].pod = Some(PodState::default());
    for count in [3, 1] {
        plan.stateful_set = set(count);
        assert_eq!(started(&plan), 3);
    }
    // Servers that run are not stopped while a new Job looks at the database.
    let database = plan.database.as_mut().unwrap();
    (database.job, database.is_made) = (None, true);
    assert_eq!(started(&plan), 3);
    plan.replicas = 0;
    assert_eq!(started(&plan), 0);
}

/// One that does not work first, else the last one, and only while all others work.
#[test]
fn pods_of_an_older_template_go_one_by_one() {
    let pod = |revision: &str, is_ready: bool| {
        Some(PodState {
            revision: revision.into(),
            is_ready,
            ..PodState::default()
        })
    };
    let replaced = |pods: [Option<PodState>; 3]| {
        let mut plan = distributed(3, Some(done()));
        plan.stateful_set = stateful_set(4, 3);
        for (server, pod) in plan.servers.iter_mut().zip(pods) {
            server.pod = pod;
        }
        plan.replaced().map(|(server, _)| server.name.clone())
    };
    let name = |ordinal: usize| Some(format!("demo-server-{ordinal}"));
    let (old, new) = (|ready| pod("old", ready), |ready| pod("new", ready));
    for (pods, found) in [
        ([new(true), new(true), new(true)], None),
        ([old(true), old(true), old(true)], name(2)),
        ([old(true), old(true), new(true)], name(1)),
        ([old(true), old(true), new(false)], None),
        ([old(true), old(false), old(true)], name(1)),
        // It may be busy: the new one says that the template does not work.
        ([old(true), old(false), new(false)], None),
        ([old(true), old(true), None], None),
        ([old(true), new(true), new(true)], name(0)),
    ] {
        assert_eq!(replaced(pods.clone()), found, "{pods:?}");
    }
}

fn stateful_set(replicas: i32, ready: i32) -> Option<StatefulSet> {
    let set = serde_json::json!({
        "metadata": {"generation": 1},
        "status": {"observedGeneration": 1, "replicas": replicas, "readyReplicas": ready, "updateRevision": "new"},
    });
    serde_json::from_value(set).ok()
}
