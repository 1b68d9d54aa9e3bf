//! The life of a cluster with a service: what a user does, and what there is after each step.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kube::api::DeleteParams;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use zato_operator::api::{ZatoCluster, ZatoService};

use super::double::Double;
use super::proxy::{Class, Fault, Plan, Proxy};
use super::snapshot;
use super::support::{Namespace, client, cluster, code, install_definitions, service, set_code, until};

/// Whether real pods run, on a node: FAULTS=node.
pub fn has_pods() -> bool {
    std::env::var("FAULTS").is_ok_and(|faults| faults == "node")
}

/// How long a step may take when it is disturbed.
fn limit() -> Duration {
    Duration::from_secs(if has_pods() { 150 } else { 60 })
}

/// An undisturbed step is over when nothing changes for so long.
fn quiet() -> Duration {
    Duration::from_millis(if has_pods() { 3000 } else { 2000 })
}

const OTHER_IMAGE: &str = "registry.local/zato-sim:other";

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    Edit,
    Stop,
    Start,
    SetImage,
    /// Data and keys stay.
    Delete,
    /// A cluster of the same name, with those.
    CreateAgain,
    DeleteAll,
}

const STEPS: [Step; 8] = [
    Step::Create,
    Step::Edit,
    Step::Stop,
    Step::Start,
    Step::SetImage,
    Step::Delete,
    Step::CreateAgain,
    Step::DeleteAll,
];

/// How it went undisturbed.
pub struct Reference {
    /// After each step.
    after: Vec<Value>,
    /// Requests of [`Class::Step`].
    pub steps: usize,
    /// Those of them that write a status.
    pub reports: usize,
    /// Requests of the agents.
    pub agents: usize,
    /// Requests of the edit alone, the agent's included.
    edit: usize,
}

impl Step {
    async fn act(self, space: &Namespace) {
        let set = async |spec: Value| {
            space
                .merge::<ZatoCluster>("c", &json!({"spec": spec}))
                .await
                .unwrap();
        };
        match self {
            Self::Create => {
                let greeting = service("greeting", "c", &[("greeting.py", &code("first"))]);
                space
                    .create::<ZatoCluster>(&cluster("c", json!({})))
                    .await
                    .unwrap();
                space.create::<ZatoService>(&greeting).await.unwrap();
            }
            Self::Edit => set_code(space, &code("second")).await,
            Self::Stop => set(json!({"stopped": true})).await,
            Self::Start => set(json!({"stopped": false})).await,
            Self::SetImage => set(json!({"image": OTHER_IMAGE})).await,
            Self::CreateAgain => {
                let spec = json!({"deletionPolicy": "Delete"});
                space.create::<ZatoCluster>(&cluster("c", spec)).await.unwrap();
            }
            Self::Delete | Self::DeleteAll => {
                let clusters = space.api::<ZatoCluster>();
                clusters.delete("c", &DeleteParams::background()).await.unwrap();
            }
        }
    }

    /// Whether it has the effect that it is there for, what other controllers do included.
    async fn is_done(self, space: &Namespace) -> bool {
        let found = snapshot::of(space).await;
        let told = |kind: &str| {
            let conditions = &found[kind][0]["status"]["conditions"];
            let generation = &found[kind][0]["status"]["observedGeneration"];
            (conditions[0]["reason"].clone(), generation.clone())
        };
        let pod = &found["Pod"][0];
        let (cluster, service, runs) = match self {
            Self::Delete | Self::DeleteAll => {
                // Documents are the service's, which stays.
                let is_empty = !found.to_string().contains("\"kind\":\"ZatoCluster\"");
                return is_empty
                    && found["ZatoCluster"][0].is_null()
                    && told("ZatoService").0 == "ClusterNotFound";
            }
            Self::Stop => ("Stopped", "Stopped", pod.is_null()),
            Self::SetImage => ("Running", "Deployed", pod["images"][0] == OTHER_IMAGE),
            _ => ("Running", "Deployed", !pod.is_null()),
        };
        let generation = space
            .find::<ZatoCluster>("c")
            .await
            .and_then(|c| c.metadata.generation);
        runs && told("ZatoCluster") == (cluster.into(), generation.into()) && told("ZatoService").0 == service
    }
}

/// A proxy with an operator, when the API server knows the kinds.
pub async fn proxy() -> Proxy {
    install_definitions().await;
    Proxy::start(client().await, "faults").await
}

/// The pods of a namespace, whose agents go through the proxy; none where real ones run, with agents of their own.
fn play(space: &Namespace, proxy: &Proxy) -> Option<Double> {
    let (way, kills) = proxy.agents();
    (!has_pods()).then(|| Double::start(space, way, kills))
}

fn asked(proxy: &Proxy) -> usize {
    proxy.count(Class::Step) + proxy.count(Class::Agent)
}

/// The undisturbed story, told once.
pub async fn reference(proxy: &Proxy) -> &'static Reference {
    static TOLD: OnceCell<Reference> = OnceCell::const_new();
    TOLD.get_or_init(async || {
        let space = Namespace::new("undisturbed").await;
        proxy.arm(None, space.name());
        let double = play(&space, proxy);
        let (mut after, mut counts) = (vec![], vec![]);
        for step in STEPS {
            step.act(&space).await;
            after.push(settled(&space, proxy, step).await);
            counts.push(asked(proxy));
        }
        let reference = Reference {
            after,
            steps: proxy.count(Class::Step),
            reports: proxy.count(Class::Report),
            agents: proxy.count(Class::Agent),
            edit: counts[1] - counts[0],
        };
        drop(double);
        space.delete().await;
        // What differs by chance alone is not compared: else nothing below means anything.
        tell(proxy, &reference, None).await;
        reference
    })
    .await
}

/// What there is when a step is done and nothing changes any more.
async fn settled(space: &Namespace, proxy: &Proxy, step: Step) -> Value {
    until(&format!("{step:?}"), || step.is_done(space)).await;
    loop {
        let before = (proxy.writes(), snapshot::of(space).await);
        tokio::time::sleep(quiet()).await;
        if before == (proxy.writes(), snapshot::of(space).await) {
            return before.1;
        }
    }
}

/// Tells the story; after each step there must be what there was when nothing disturbed it.
pub async fn tell(proxy: &Proxy, reference: &Reference, plan: Option<Plan>) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let (made, before) = (proxy.secrets(), proxy.operator());
    let what = plan.map_or("undisturbed".to_owned(), |plan| format!("{plan:?}"));
    let space = Namespace::new(&format!("story-{number}")).await;
    let double = play(&space, proxy);
    proxy.arm(plan, space.name());
    // Caches are filled once.
    let has_other = plan.is_some_and(|plan| matches!(plan.class, Class::List | Class::Watch));
    if has_other {
        proxy.restart_operator();
    }
    let mut was_past = false;
    for (step, wanted) in STEPS.into_iter().zip(&reference.after) {
        step.act(&space).await;
        until_same(&space, wanted, &format!("{what}, {step:?}"), limit()).await;
        // What follows a step that ended as it should is told at another request.
        let is_past = proxy.has_fired();
        if is_past && was_past {
            break;
        }
        was_past = is_past;
    }
    assert_eq!(proxy.secrets() - made, 1, "{what}: keys are made once");
    let is_killed = plan.is_some_and(|plan| matches!(plan.fault, Fault::KillBefore | Fault::KillAfter));
    let (after, may_differ) = (proxy.operator(), has_other || is_killed);
    assert!(
        after.is_some() && (after == before || may_differ),
        "{what}: the operator ended"
    );
    drop(double);
    space.delete().await;
}

/// The beginning of the story: the operator loses the API server, for longer than its lease counts, while a user edits.
/// It goes on as the same process, does what it would have done anyway, and says little.
pub async fn outlive(proxy: &Proxy, reference: &Reference, time: Duration) {
    let space = Namespace::new("gone").await;
    let double = play(&space, proxy);
    proxy.arm(None, space.name());
    Step::Create.act(&space).await;
    settled(&space, proxy, Step::Create).await;
    let (operator, said) = (proxy.operator(), proxy.said());
    proxy.set_gone(true);
    Step::Edit.act(&space).await;
    tokio::time::sleep(time).await;
    proxy.arm(None, space.name());
    proxy.set_gone(false);
    // The watches are opened again after up to 30 s.
    until_same(&space, &reference.after[1], "gone", 2 * limit()).await;
    settled(&space, proxy, Step::Edit).await;
    let (asked, said) = (asked(proxy), proxy.said() - said);
    println!("gone for {time:?}: {asked} requests of the edit, {said} lines of log");
    assert!(
        operator.is_some() && proxy.operator() == operator,
        "the operator ended"
    );
    assert!(
        asked <= 2 * reference.edit,
        "{asked} requests instead of {}",
        reference.edit
    );
    assert!(said < 200, "{said} lines of log");
    drop(double);
    space.delete().await;
}

async fn until_same(space: &Namespace, wanted: &Value, what: &str, limit: Duration) {
    let begin = Instant::now();
    loop {
        let found = snapshot::of(space).await;
        if found == *wanted {
            return;
        }
        let difference = || snapshot::difference(wanted, &found);
        assert!(
            begin.elapsed() < limit,
            "{what} ended otherwise:\n{}",
            difference()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
