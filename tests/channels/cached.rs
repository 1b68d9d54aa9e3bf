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

async fn aged(way: &Way, path: &str) -> (u16, Option<String>, String) {
    way.aged(path, ("account-client", "change-me")).await
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
    who_may_call_gets_it_again(&way).await;
    errors_are_made_anew(&way).await;
    its_time_ends(&space, &way).await;
    new_code_answers(&space, &way).await;
    cache_goes_and_comes(&space, &way).await;
    space.delete().await;
}

async fn who_may_call_gets_it_again(way: &Way) {
    let began = Instant::now();
    let (code, age, first) = aged(way, "/long/a").await;
    assert_eq!((code, age), (200, None), "{first}");
    let (code, age, again) = aged(way, "/long/a").await;
    assert_eq!((code, again.as_str()), (200, first.as_str()));
    let age = age.unwrap().parse::<u64>().unwrap();
    assert!(age <= began.elapsed().as_secs(), "an age of {age} s");
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
}

async fn errors_are_made_anew(way: &Way) {
    let error = async || way.call("GET", "/long/e?status=503", ANN).await;
    let (one, other) = (error().await, error().await);
    assert_eq!((one.0, other.0), (503, 503));
    assert_ne!(one.1, other.1, "an error was kept");
}

async fn its_time_ends(space: &Namespace, way: &Way) {
    let short = async || told(&way.call("GET", "/short", Login::Nobody).await.1)["call"].clone();
    let (began, kept) = (Instant::now(), short().await);
    space
        .until("an answer that is new", || async { short().await != kept })
        .await;
    let time = began.elapsed();
    assert!(
        time >= Duration::from_secs(SHORT.into()),
        "it was kept for {time:?}"
    );
}

/// From the first answer that it makes none of the old one comes back, also to who asks for something else.
async fn new_code_answers(space: &Namespace, way: &Way) {
    let patch = json!({"spec": {"source": {"inline": {"count.py": CODE.replace("'first'", "'second'")}}}});
    space.merge::<ZatoService>("accounts", &patch).await.unwrap();
    let generation = space.get::<ZatoService>("accounts").await.metadata.generation;
    space
        .until("the new code answers", || async {
            told(&way.call("GET", "/long/a", ANN).await.1)["version"] == "second"
        })
        .await;
    all_are_new(way).await;
    until_service(space, "accounts", "Ready", |ready| {
        ready.status == "True" && ready.observed_generation == generation
    })
    .await;
    all_are_new(way).await;
    until_active(space, "2 channels answer").await;
    let (_, _, fresh) = aged(way, "/long/a").await;
    assert_eq!(aged(way, "/long/a").await.2, fresh);
    assert_eq!(
        told(&fresh)["mine"],
        "kept by first",
        "what services keep themselves is theirs"
    );
}

async fn all_are_new(way: &Way) {
    for path in ["/long/a", "/long/b", "/long/a?x=2"] {
        let (code, answer) = way.call("GET", path, ANN).await;
        let wanted = json!("second");
        assert_eq!((code, &told(&answer)["version"]), (200, &wanted), "{path}");
    }
}

/// While callers call: each of them gets an answer.
async fn cache_goes_and_comes(space: &Namespace, way: &Way) {
    let is_done = Arc::new(AtomicBool::new(false));
    let callers = tokio::spawn({
        let (way, is_done) = (Way::to(space, "service/c", 11223).await, is_done.clone());
        async move {
            while !is_done.load(Ordering::Relaxed) {
                let (code, text) = way.call("GET", "/long/a", ANN).await;
                assert_eq!(code, 200, "{text}");
            }
        }
    });
    without_cache(space, way).await;
    set_channels(space, "accounts", &channels()).await;
    space
        .until("answers are kept", || async {
            aged(way, "/long/a").await.1.is_some()
        })
        .await;
    is_done.store(true, Ordering::Relaxed);
    callers.await.unwrap();
}

async fn without_cache(space: &Namespace, way: &Way) {
    let files = || space.exec("c-server-0", "server", &["ls", paths::HOT]);
    assert!(files().contains(cache::FILE));
    let mut plain = channels();
    for channel in plain.as_array_mut().unwrap() {
        channel["rest"].as_object_mut().unwrap().remove("cache");
    }
    set_channels(space, "accounts", &plain).await;
    space
        .until("each call is answered anew", || async {
            let one = aged(way, "/long/a").await;
            one.1.is_none() && aged(way, "/long/a").await.2 != one.2
        })
        .await;
    space
        .until("the file is gone", || async {
            let files = files();
            !files.contains(cache::FILE) && files.contains("count.py")
        })
        .await;
    until_active(space, "2 channels answer").await;
}
