//! Stories with pods: Zato's stand-in runs on the node, and is called as a user calls it, through the Service.
//! `make e2e` brings everything up.

// Helpers of tests are tests, too; a story may be as long as it is. Not every story uses every word.
#![allow(clippy::unwrap_used, clippy::too_many_lines, dead_code)]

mod support;

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use serde_json::{Value, json};
use support::way::Way;
use support::{
    Namespace, cluster, code, service, set_code, sql, start, until_other_pod, until_ready, until_service,
};
use zato_operator::api::{ZatoCluster, ZatoService};

async fn running(space: &Namespace) {
    until_ready(space, "True", "Running").await;
    until_service(space, "greeting", "Ready", |ready| ready.status == "True").await;
}

async fn pod(space: &Namespace) -> (Option<String>, i32) {
    let pod = space.get::<Pod>("c-server-0").await;
    let status = pod.status.clone().unwrap_or_default();
    let all = [status.container_statuses, status.init_container_statuses];
    (
        pod.uid(),
        all.into_iter()
            .flatten()
            .flatten()
            .map(|container| container.restart_count)
            .sum(),
    )
}

/// The main path: a service answers; edits answer without a restart, the last of two at once too; code that is not
/// Python, or that does not load, is told, and what was there goes on answering; nothing else is reachable.
#[tokio::test]
async fn a_service_follows_its_edits() {
    let space = start("edits", json!({})).await;
    running(&space).await;
    let way = Way::to(&space, "service/c", 11223).await;
    let before = pod(&space).await;
    space.until("the first answer", || way.answers("first")).await;

    set_code(&space, &code("other")).await;
    space.until("the edited answer", || way.answers("other")).await;
    for round in 0..3 {
        set_code(&space, &code(&format!("a{round}"))).await;
        set_code(&space, &code(&format!("b{round}"))).await;
        let last = format!("b{round}");
        space.until("the last of two edits", || way.answers(&last)).await;
    }

    for (bad, reason, place) in [
        ("def f(:\n", "SyntaxError", "greeting.py:1:7: "),
        (
            "x = 1\nimport no_such_module\n",
            "LoadFailed",
            "greeting.py: ModuleNotFoundError: ",
        ),
    ] {
        set_code(&space, bad).await;
        let told = until_service(&space, "greeting", "Ready", |c| c.reason == reason).await;
        assert!(told.message.starts_with(place), "{}", told.message);
        assert!(way.answers("b2").await);
    }
    set_code(&space, &code("mended")).await;
    space.until("the mended answer", || way.answers("mended")).await;
    running(&space).await;
    assert_eq!(pod(&space).await, before, "no other pod, no restarted container");

    for (path, status) in [
        ("/zato/ping", 200),
        ("/zato/admin/invoke", 404),
        ("/ide-deploy", 404),
        ("/zato/json/zato.service.invoke", 404),
        ("/zato//ping", 404),
        ("/zato/%70ing", 404),
        ("/zato/api/invoke/zato.server.get-list", 400),
        ("/zato/api/invoke/demo.my-service", 400),
    ] {
        assert_eq!(way.get(path).await.0, status, "{path}");
    }
    drop(way);
    space.delete().await;
}

/// What a user takes away answers no longer, and nothing else stops: a service that went from its file, one that went
/// with its object, and back again.
#[tokio::test]
async fn a_removed_service_is_refused() {
    let space = start("removal", json!({})).await;
    let named = |name: &str| code("other").replace("story.greeting", name);
    let two = named("story.one") + &named("story.two").replace("Greeting", "Second");
    space
        .create::<ZatoService>(&service("others", "c", &[("others.py", &two)]))
        .await
        .unwrap();
    running(&space).await;
    let way = Way::to(&space, "service/c", 11223).await;
    let status = async |name: &str| way.get(&format!("/zato/api/invoke/{name}")).await.0;
    for name in ["story.one", "story.two", "story.greeting"] {
        space.until(name, || async { status(name).await == 200 }).await;
    }
    let before = pod(&space).await;

    let patch = json!({"spec": {"source": {"inline": {"others.py": named("story.one")}}}});
    space.merge::<ZatoService>("others", &patch).await.unwrap();
    space
        .until("story.two is refused", || async {
            status("story.two").await == 400
        })
        .await;
    space.remove::<ZatoService>("greeting").await;
    space
        .until("story.greeting is refused", || async {
            status("story.greeting").await == 400
        })
        .await;
    assert_eq!(status("story.one").await, 200);

    let again = service("greeting", "c", &[("greeting.py", &code("again"))]);
    space.create::<ZatoService>(&again).await.unwrap();
    space.until("it answers again", || way.answers("again")).await;
    assert_eq!(status("story.two").await, 400);
    running(&space).await;
    assert_eq!(pod(&space).await, before, "no other pod, no restarted container");
    drop(way);
    space.delete().await;
}

/// Says that it runs, and answers 4 s later.
const SLOW: &str = "import time\nfrom zato.server.service import Service\n\nclass Slow(Service):\n    name = 'story.slow'\n\n    def handle(self):\n        open('/tmp/slow', 'w').close()\n        time.sleep(4)\n        self.response.payload = {'answer': 'slow'}\n";

/// A pod that is deleted answers what was asked before, ends within preStop + graceful_timeout + 10 s, and comes back
/// with its data and services.
#[tokio::test]
async fn a_deleted_pod_comes_back() {
    let space = start("comes-back", json!({})).await;
    running(&space).await;
    let (uid, _) = pod(&space).await;
    sql(
        &space,
        "create table story (word text); insert into story values ('kept')",
    );

    space
        .create::<ZatoService>(&service("slow", "c", &[("slow.py", SLOW)]))
        .await
        .unwrap();
    let way = Way::to(&space, "service/c", 11223).await;
    until_service(&space, "slow", "Ready", |ready| ready.status == "True").await;
    let slow = tokio::spawn(async move { way.get("/zato/api/invoke/story.slow").await });
    space
        .until("the slow request in flight", || async {
            space.exec("c-server-0", "server", &["sh", "-c", "ls /tmp/slow || true"]) == "/tmp/slow"
        })
        .await;

    // preStop 5, graceful_timeout 8, and 10 more; the kubelet ends what takes longer, as soon as it comes to it.
    let grace: i64 = 5 + 8 + 10;
    let spec = space.get::<Pod>("c-server-0").await.spec.unwrap();
    assert_eq!(spec.termination_grace_period_seconds, Some(grace));
    let begin = Instant::now();
    space.remove::<Pod>("c-server-0").await;
    space
        .until("another pod", || async {
            space
                .find::<Pod>("c-server-0")
                .await
                .is_some_and(|pod| pod.uid() != uid)
        })
        .await;
    let time = begin.elapsed();
    println!("another pod after {time:?}");
    assert!(time < Duration::from_secs(3 * grace.unsigned_abs()), "{time:?}");
    let (status, body) = slow.await.unwrap();
    assert_eq!(status, 200, "{body}");
    until_other_pod(&space, uid.as_deref()).await;
    running(&space).await;
    assert_eq!(sql(&space, "select word from story"), "kept");
    let way = Way::to(&space, "service/c", 11223).await;
    space.until("the answer", || way.answers("first")).await;
    drop(way);
    space.delete().await;
}

/// The operator is killed at several moments of a creation; the end is the same, and there is one key.
#[tokio::test]
async fn a_creation_survives_a_killed_operator() {
    let space = start("killed", json!({})).await;
    for child in ["c-zato", "c-agent"] {
        space
            .until(child, || async { space.find::<Secret>(child).await.is_some() })
            .await;
        support::operator::kill().await;
    }
    let key = space.get::<Secret>("c-zato").await.data;
    running(&space).await;
    assert_eq!(space.get::<Secret>("c-zato").await.data, key);
    let way = Way::to(&space, "service/c", 11223).await;
    space.until("the answer", || way.answers("first")).await;
    drop(way);
    space.delete().await;
}

/// Runs the script of the init container again and again, each time killed before its next command, and then once
/// undisturbed; prints what there is after that, once for each way.
const CRASHES: &str = r#"
script=$1 at=0 killed=137
while [ "$killed" = 137 ]; do
  at=$((at + 1))
  rm -rf /opt/zato/data/* /opt/zato/env/* /create/done /create/failed
  trap='n=0; trap "n=\$((n + 1)); [ \$n -lt '$at' ] || kill -KILL \$\$" DEBUG; '
  bash -T -c "$trap$script" >/dev/null 2>&1
  killed=$?
  [ "$killed" = 0 ] || sh -c "$script" || echo "killed before command $at: the next run fails with $?"
  rows=$(sqlite3 /opt/zato/data/zato.db 'select (select count(*) from cluster), (select count(*) from server where name like "crash%")')
  echo "$rows" $(ls /opt/zato/data) $(cd /opt/zato/env && ls */.complete) $(ls /create/done)
done | sort | uniq -c
"#;

/// What creates Zato's environment ends the same wherever it was killed before.
#[tokio::test]
async fn a_creation_survives_a_crash_before_any_command() {
    let space = Namespace::new("crash").await;
    // The pod of the cluster itself is of no use here.
    space
        .create::<ZatoCluster>(&cluster(
            "c",
            json!({"database": {"sqlite": {"storage": {"storageClassName": "none"}}}}),
        ))
        .await
        .unwrap();
    space.there::<StatefulSet>("c-server").await;
    let mut script = String::new();
    support::spare_pod(&space, "crash", |spec| {
        let steps = spec["initContainers"].as_array().unwrap().clone();
        let mut create = steps[1].clone();
        script = create["command"][2].as_str().unwrap().to_owned();
        create["command"] = json!(["sleep", "infinity"]);
        spec["initContainers"] = json!([steps[0]]);
        spec["containers"] = json!([create]);
        spec["terminationGracePeriodSeconds"] = 0.into();
    })
    .await;
    let ends = space.exec("crash", "create", &["bash", "-c", CRASHES, "crashes", &script]);
    let (count, end) = ends.split_once(' ').unwrap();
    assert_eq!(
        end, "1|1 zato.db dashboard/.complete scheduler/.complete server/.complete /create/done",
        "all ends are the same: {ends}"
    );
    assert!(
        count.parse::<u32>().unwrap() > 30,
        "the script has more commands: {ends}"
    );
    space.delete().await;
}

/// The example with the folders of Zato's blueprint, which import one another.
async fn blueprint(space: &Namespace) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/blueprint");
    for text in support::manifests(std::path::Path::new(folder)) {
        let text = text.replace("name: demo", "name: c");
        if text.contains("kind: ZatoService") {
            let object: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
            space.create::<ZatoService>(&object).await.unwrap();
        } else {
            space.apply(&serde_saphyr::from_str(&text).unwrap()).await;
        }
    }
    until_service(space, "project", "Ready", |ready| ready.status == "True").await;
}

/// Modules in packages, which Zato does not deploy: they are imported, also by one another, and a change of one alone counts.
async fn packages(space: &Namespace, way: &Way) {
    let user = "from kit.eu.prices import gross\nfrom zato.server.service import Service\n\nclass Price(Service):\n    name = 'kit.price'\n\n    def handle(self):\n        self.response.payload = {'price': gross(10)}\n";
    let prices = "from kit.rates import RATE\n\ndef gross(net):\n    return net * RATE\n";
    let files = [
        ("afirst_user.py", user),
        ("kit.eu.prices.py", prices),
        ("kit.rates.py", "RATE = 2\n"),
    ];
    let object = service("kit", "c", &files);
    space.create::<ZatoService>(&object).await.unwrap();
    until_service(space, "kit", "Ready", |ready| ready.status == "True").await;
    let price = async || way.get("/zato/api/invoke/kit.price").await.1;
    assert_eq!(price().await, "{\"price\": 20}");
    let change = async |files: Value| {
        let patch = json!({"spec": {"source": {"inline": files}}});
        let changed = space.merge::<ZatoService>("kit", &patch).await.unwrap();
        changed.metadata.generation
    };
    for (rate, wanted) in [
        ("RATE = 3\n", "{\"price\": 30}"),
        ("RATE = 2.4\n", "{\"price\": 24.0}"),
    ] {
        let changed = change(json!({"kit.rates.py": rate})).await;
        until_service(space, "kit", "Ready", |ready| {
            ready.status == "True" && ready.observed_generation == changed
        })
        .await;
        assert_eq!(price().await, wanted);
    }
    change(json!({"kit.extra.py": user})).await;
    let wrong = "kit.extra.py has service class Price: Zato deploys no services that are in packages";
    support::until_service_told(space, "kit", "Ready", "SourceInvalid", wrong).await;
    change(json!({"kit.extra.py": null, "kit.py": "x = 1\n"})).await;
    let twice = "kit.eu.prices.py cannot be beside kit.py of ZatoService kit: one is a module where the other has a package";
    support::until_service_told(space, "kit", "Ready", "FileNameTaken", twice).await;
    let changed = change(json!({"kit.py": null, "kit.rates.py": "RATE = 2\n", "kit.eu.prices.py": prices.replace("net * RATE", "net * RATE + 4")})).await;
    until_service(space, "kit", "Ready", |ready| {
        ready.status == "True" && ready.observed_generation == changed
    })
    .await;
    assert_eq!(price().await, "{\"price\": 24}");
}

/// Files come at once, and the one that imports is loaded before the one that it imports, which Zato does not mend by itself;
/// so at the start of a server, too.
#[tokio::test]
async fn files_that_import_one_another() {
    let space = Namespace::new("imports").await;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    until_ready(&space, "True", "Running").await;
    let shop = "from zlast import rate\nfrom zato.server.service import Service\n\nclass Shop(Service):\n    name = 'shop.rate'\n\n    def handle(self):\n        self.response.payload = {'rate': rate()}\n";
    let last = "def rate():\n    return 7\n";
    space
        .create::<ZatoService>(&service("shop", "c", &[("afirst.py", shop), ("zlast.py", last)]))
        .await
        .unwrap();
    until_service(&space, "shop", "Ready", |ready| ready.status == "True").await;
    let way = Way::to(&space, "service/c", 11223).await;
    let answer = async || way.get("/zato/api/invoke/shop.rate").await;
    assert_eq!(answer().await, (200, "{\"rate\": 7}".to_owned()));
    // A name that the other file has only from this change on.
    let more = json!({"spec": {"source": {"inline": {
        "afirst.py": shop.replace("rate()", "double()").replace("import rate", "import double"), "zlast.py": format!("{last}\ndef double():\n    return 14\n"),
    }}}});
    space.merge::<ZatoService>("shop", &more).await.unwrap();
    until_service(&space, "shop", "Ready", |ready| ready.status == "True").await;
    space
        .until("the changed answer", || async {
            answer().await.1 == "{\"rate\": 14}"
        })
        .await;
    // A change of the imported file alone, of which Zato tells nobody: it counts when the service is Ready again.
    let alone = json!({"spec": {"source": {"inline": {"zlast.py": format!("{last}\ndef double():\n    return 15\n")}}}});
    let changed = space
        .merge::<ZatoService>("shop", &alone)
        .await
        .unwrap()
        .metadata
        .generation;
    until_service(&space, "shop", "Ready", |ready| {
        ready.status == "True" && ready.observed_generation == changed
    })
    .await;
    assert_eq!(answer().await, (200, "{\"rate\": 15}".to_owned()));
    packages(&space, &way).await;
    blueprint(&space).await;
    let account = async |way: &Way| way.get("/zato/api/invoke/project.account.get?account_id=2").await;
    let bob = (200, "{\"account_id\": 2, \"owner\": \"Bob\"}".to_owned());
    assert_eq!(account(&way).await, bob);
    drop(way);

    let (uid, _) = pod(&space).await;
    space.remove::<Pod>("c-server-0").await;
    until_other_pod(&space, uid.as_deref()).await;
    until_ready(&space, "True", "Running").await;
    until_service(&space, "shop", "Ready", |ready| ready.status == "True").await;
    until_service(&space, "project", "Ready", |ready| ready.status == "True").await;
    let way = Way::to(&space, "service/c", 11223).await;
    space
        .until("the answer of the new pod", || async {
            way.get("/zato/api/invoke/shop.rate").await.1 == "{\"rate\": 15}"
        })
        .await;
    assert_eq!(account(&way).await, bob);
    assert_eq!(
        way.get("/zato/api/invoke/kit.price").await,
        (200, "{\"price\": 24}".to_owned())
    );
    drop(way);
    space.delete().await;
}
