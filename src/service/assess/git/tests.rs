//! What the status says of git.

use super::super::tests::planned;
use super::*;
use crate::api::ZatoService;
use crate::git::Trouble;
use crate::reconcile::kind::Outcome;
use crate::service::git::Told;
use rstest::rstest;

const NEW: &str = "2222222222222222222222222222222222222222";
const OLD: &str = "1111111111111111111111111111111111111111";

fn source(commit: &str) -> FetchedSource {
    FetchedSource {
        url: "https://h/a".into(),
        reference: "main".into(),
        path: None,
        commit: commit.into(),
        revision: Some(format!("revision of {commit}")),
        fetched: None,
    }
}

fn down() -> Trouble {
    Trouble::new(Reason::GitUnreachable, "git server h is down")
}

fn plan(commit: Option<&str>, trouble: Option<Trouble>, is_asked: bool, refusal: Option<Refusal>) -> Plan {
    Plan {
        git: Some(Told {
            source: commit.map(source),
            trouble,
            is_asked,
        }),
        refusal,
        ..planned()
    }
}

fn before() -> Condition {
    let said = "what was told before".to_owned();
    condition(ConditionType::SourceFetched, true, Reason::Fetched, said, Some(1))
}

#[rstest]
#[case::fetched(
    plan(Some(NEW), None, true, None),
    "True",
    "Fetched",
    "commit 2222222222222222222222222222222222222222 of main of https://h/a"
)]
#[case::down(
    plan(Some(NEW), Some(down()), true, None),
    "False",
    "GitUnreachable",
    "git server h is down"
)]
#[case::never_fetched(
    plan(None, Some(down()), true, Some(Refusal::Git(down()))),
    "False",
    "GitUnreachable",
    "git server h is down"
)]
#[case::not_asked(plan(Some(NEW), None, false, None), "True", "Fetched", "what was told before")]
#[case::waiting(
    plan(None, None, false, Some(Refusal::GitPending)),
    "True",
    "Fetched",
    "what was told before"
)]
fn truth_table_of_git(#[case] plan: Plan, #[case] status: &str, #[case] reason: &str, #[case] message: &str) {
    let told = fetched(&plan, &[before()], Some(1)).unwrap();
    assert_eq!(
        (told.status.as_str(), told.reason.as_str(), told.message.as_str()),
        (status, reason, message)
    );
    let first = fetched(
        &Plan {
            git: plan.git.map(|git| Told {
                is_asked: false,
                ..git
            }),
            ..planned()
        },
        &[],
        Some(1),
    );
    let is_pending = reason == "Fetched" && first.as_ref().unwrap().reason == "GitFetching";
    assert!(is_pending || first.unwrap().reason == reason);
    assert_eq!(fetched(&planned(), &[before()], Some(1)), None);
}

/// What is refused leaves the commit that is deployed.
#[test]
fn the_commit_that_is_deployed_is_told() {
    let of =
        |plan: Plan, old: Option<&str>| super::source(&plan, old.map(source)).map(|source| source.commit);
    // With the revision of these very files; what stays keeps its own.
    let revision = |refusal| {
        let plan = Plan {
            revision: Some("new".into()),
            ..plan(Some(NEW), None, true, refusal)
        };
        super::source(&plan, Some(source(OLD))).and_then(|source| source.revision)
    };
    assert_eq!(revision(None), Some("new".into()));
    assert_eq!(
        revision(Some(Refusal::GitPending)),
        Some(format!("revision of {OLD}"))
    );
    assert_eq!(of(plan(Some(NEW), None, true, None), Some(OLD)), Some(NEW.into()));
    let wrong = || Some(Refusal::EmptyConfigMap("stands for any".into()));
    assert_eq!(
        of(plan(Some(NEW), None, true, wrong()), Some(OLD)),
        Some(OLD.into())
    );
    assert_eq!(of(plan(Some(NEW), None, true, wrong()), None), None);
    // The new one was deployed, and gave its place back.
    let back = Plan {
        commit: Some(OLD.into()),
        ..plan(Some(NEW), None, true, wrong())
    };
    assert_eq!(of(back, Some(NEW)), Some(OLD.into()));
    assert_eq!(of(planned(), Some(OLD)), None);
}

/// An operator that starts says nothing less than the one before.
#[test]
fn while_nothing_is_known_nothing_changes() {
    let object = serde_json::json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "s", "generation": 2},
        "spec": {"clusterRef": {"name": "demo"}, "source": {"git": {"url": "https://h/a"}}},
    });
    let mut service: ZatoService = serde_json::from_value(object).unwrap();
    let pending = || plan(None, None, false, Some(Refusal::GitPending));
    let of =
        |service: &ZatoService| super::super::assess(service, Outcome::Applied { plan: &pending() }).status;
    let first = of(&service);
    assert_eq!(
        (first.conditions[0].reason.as_str(), first.summary.as_str()),
        ("GitFetching", "the commit is being fetched")
    );
    let told = ZatoServiceStatus {
        observed_generation: Some(2),
        revision: Some("r".into()),
        conditions: vec![before()],
        source: Some(source(OLD)),
        ..ZatoServiceStatus::default()
    };
    service.status = Some(told.clone());
    assert_eq!(of(&service), told);
    // Another spec is another matter.
    service.metadata.generation = Some(3);
    assert_eq!(of(&service).conditions[0].reason, "GitFetching");
}
