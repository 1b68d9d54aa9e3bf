//! Channels whose answers are kept.

use std::time::{Duration, Instant};

use zato_operator::agent::cache;
use zato_operator::cluster::desired::paths;

use super::*;

/// Says which call of it made the answer, by which code, and how often the server's own cache was asked for what it keeps there.
const CODE: &str = "import json

from zato.server.service import Service

VERSION = 'first'
CALLS = []

class Count(Service):
    name = 'story.count'
    input = '-item', '-status'

    def handle(self):
        CALLS.append(1)
        mine = self.cache.get_cache('builtin', 'default')
        if not mine.get('story'):
            mine.set('story', 'kept by ' + VERSION)
        if self.request.input.status:
            self.response.status_code = int(self.request.input.status)
        self.response.payload = json.dumps({'call': len(CALLS), 'version': VERSION, 'mine': mine.get('story')})
";

const SHORT: u32 = 2;

fn channels() -> Value {
    let channel = |name: &str, path: &str, security: Value, seconds: u32| {
        json!({"name": name, "rest": {"service": "story.count", "urlPath": path, "methods": ["GET"], "security": security,
            "cache": {"seconds": seconds}}})
    };
    let ann = json!({"basicAuthSecretRef": {"name": "account-client"}});
    json!([
        channel("long", "/long/{item}", ann, 600),
        channel("short", "/short", json!({"none": {}}), SHORT),
    ])
}

fn told(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| panic!("no answer of the service: {body}"))
}

/// An answer comes back to those who may call, until its time is over or there is new code; an edit takes the cache away while
/// callers call.
#[tokio::test]
async fn answers_are_kept_for_their_time() {
    let space = Namespace::new("cached").await;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    space.create::<Secret>(&example("client.yaml")).await.unwrap();
    let mut accounts = service("accounts", "c", &[("count.py", CODE)]);
    accounts["spec"]["channels"] = channels();
    space.create::<ZatoService>(&accounts).await.unwrap();
    until_ready(&space, "True", "Running").await;
    until_active(&space, "2 channels answer").await;

    let way = Way::to(&space, "service/c", 11223).await;
    let ann = ("account-client", "change-me");
    let (code, age, first) = way.aged("/long/a", ann).await;
    assert_eq!((code, age), (200, None), "{first}");
    let (code, age, again) = way.aged("/long/a", ann).await;
    assert_eq!((code, again.as_str()), (200, first.as_str()));
    assert!(age.is_some_and(|age| age.parse::<u32>().is_ok()));
    for path in ["/long/b", "/long/a?item=c&x=1", "/long/a?x=2"] {
        assert_ne!(way.call("GET", path, ANN).await.1, first, "{path}");
    }
    for login in [
        Login::Nobody,
        Login::Basic("account-client", "wrong"),
        Login::Basic("pubapi", way.password()),
    ] {
        assert_eq!(way.call("GET", "/long/a", login).await.0, 401, "{login:?}");
    }
    let error = async || way.call("GET", "/long/e?status=503", ANN).await;
    let (one, other) = (error().await, error().await);
    assert_eq!((one.0, other.0), (503, 503));
    assert_ne!(one.1, other.1, "an error was kept");

    let short = async || told(&way.call("GET", "/short", Login::Nobody).await.1)["call"].clone();
    let (began, kept) = (Instant::now(), short().await);
    space
        .until("an answer that is new", || async { short().await != kept })
        .await;
    let time = began.elapsed();
    assert!(
        time > Duration::from_millis(u64::from(SHORT) * 1000 - 100),
        "it was kept for {time:?}"
    );

    // New code: from the first answer that it makes none of the old one comes back, also to who asks for something else.
    let patch = json!({"spec": {"source": {"inline": {"count.py": CODE.replace("'first'", "'second'")}}}});
    space.merge::<ZatoService>("accounts", &patch).await.unwrap();
    let generation = space.get::<ZatoService>("accounts").await.metadata.generation;
    space
        .until("the new code answers", || async {
            told(&way.call("GET", "/long/a", ANN).await.1)["version"] == "second"
        })
        .await;
    let all_new = async || {
        for path in ["/long/a", "/long/b", "/long/a?x=2"] {
            let (code, answer) = way.call("GET", path, ANN).await;
            assert_eq!(
                (code, &told(&answer)["version"]),
                (200, &json!("second")),
                "{path}"
            );
        }
    };
    all_new().await;
    until_service(&space, "accounts", "Ready", |ready| {
        ready.status == "True" && ready.observed_generation == generation
    })
    .await;
    all_new().await;
    until_active(&space, "2 channels answer").await;
    let (_, _, fresh) = way.aged("/long/a", ann).await;
    assert_eq!(way.aged("/long/a", ann).await.2, fresh);
    assert_eq!(
        told(&fresh)["mine"],
        "kept by first",
        "what services keep themselves is theirs"
    );

    // Without a cache, while callers call.
    let files = || space.exec("c-server-0", "server", &["ls", paths::HOT]);
    assert!(files().contains(cache::FILE));
    let is_done = Arc::new(AtomicBool::new(false));
    let callers = tokio::spawn({
        let (way, is_done) = (Way::to(&space, "service/c", 11223).await, is_done.clone());
        async move {
            while !is_done.load(Ordering::Relaxed) {
                let (code, text) = way.call("GET", "/long/a", ANN).await;
                assert_eq!(code, 200, "{text}");
            }
        }
    });
    let mut plain = channels();
    for channel in plain.as_array_mut().unwrap() {
        channel["rest"].as_object_mut().unwrap().remove("cache");
    }
    set_channels(&space, "accounts", &plain).await;
    space
        .until("each call is answered anew", || async {
            let one = way.aged("/long/a", ann).await;
            one.1.is_none() && way.aged("/long/a", ann).await.2 != one.2
        })
        .await;
    space
        .until("the file is gone", || async {
            let files = files();
            !files.contains(cache::FILE) && files.contains("count.py")
        })
        .await;
    until_active(&space, "2 channels answer").await;
    // And with one again.
    set_channels(&space, "accounts", &channels()).await;
    space
        .until("answers are kept", || async {
            way.aged("/long/a", ann).await.1.is_some()
        })
        .await;
    is_done.store(true, Ordering::Relaxed);
    callers.await.unwrap();
    space.delete().await;
}
