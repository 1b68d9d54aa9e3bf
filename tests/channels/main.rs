//! Channels in pods: their addresses, who may call, and what is wrong with them. `make e2e` brings everything up.

// Helpers of tests are tests, too; a story may be as long as it is. Not every story uses every word.
#![allow(clippy::unwrap_used, clippy::too_many_lines, dead_code)]

mod cached;
mod direct;
mod soap;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::api::core::v1::{Pod, Secret};
use serde_json::{Value, json};
use support::way::{Login, Way};
use support::{
    Namespace, cluster, service, sql, until_other_pod, until_ready, until_service, until_service_told,
};
use zato_operator::api::{ZatoCluster, ZatoService};

/// A file of the example, for the cluster "c".
fn example(file: &str) -> Value {
    example_of("channels", file)
}

fn example_of(folder: &str, file: &str) -> Value {
    let path = format!("{}/examples/{folder}/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(
        &text
            .replace("clusterRef: {name: bank}", "clusterRef: {name: c}")
            .replace("clusterRef: {name: order-desk}", "clusterRef: {name: c}")
            .replace("  name: bank\n", "  name: accounts\n"),
    )
    .unwrap()
}

async fn set_channels(space: &Namespace, name: &str, channels: &Value) {
    let patch = json!({"spec": {"channels": channels}});
    space.merge::<ZatoService>(name, &patch).await.unwrap();
}

async fn until_active(space: &Namespace, words: &str) {
    until_service_told(space, "accounts", "ChannelsActive", "AllActive", words).await;
}

fn open(name: &str, path: &str) -> Value {
    json!({"name": name, "rest": {"service": "story.greeting", "urlPath": path, "methods": ["GET"], "security": {"none": {}}}})
}

const ANN: Login = Login::Basic("account-client", "change-me");

/// The example, and all that can happen to it: who may call and who not, what an address looks like, a new password while
/// callers call, changes that somebody makes in Zato's database, an edit, another pod, and the end.
#[tokio::test]
async fn channels_follow_their_spec() {
    let space = Namespace::new("channels").await;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    for file in ["client.yaml", "key.yaml"] {
        space.create::<Secret>(&example(file)).await.unwrap();
    }
    space
        .create::<ZatoService>(&example("service.yaml"))
        .await
        .unwrap();
    until_ready(&space, "True", "Running").await;
    until_active(&space, "3 channels answer").await;
    until_service(&space, "accounts", "Ready", |ready| ready.status == "True").await;
    let status = space.get::<ZatoService>("accounts").await.status.unwrap();
    let url = format!("http://c.{}.svc:11223/account/{{account_id}}", space.name());
    assert_eq!(
        (
            status.endpoints[0].url.as_str(),
            status.endpoints[0].state.as_str()
        ),
        (url.as_str(), "Active")
    );

    let way = Way::to(&space, "service/c", 11223).await;
    for (method, path, login, wanted) in [
        ("GET", "/account/7", ANN, 200),
        ("GET", "/account/7?account_id=8", ANN, 200),
        ("GET", "/account/7", Login::Nobody, 401),
        ("GET", "/account/7", Login::Basic("account-client", "wrong"), 401),
        ("GET", "/account/7", Login::Basic("pubapi", way.password()), 401),
        ("POST", "/account/7", ANN, 404),
        ("GET", "/account/7/", ANN, 404),
        ("GET", "/account/7/8", ANN, 404),
        ("GET", "//account/7", ANN, 404),
        ("GET", "/%61ccount/7", ANN, 404),
        ("GET", "/report", Login::Key("change-me-too"), 200),
        ("POST", "/report", Login::Key("change-me-too"), 200),
        ("POST", "/report", Login::Key("wrong"), 401),
        ("POST", "/report", ANN, 401),
        ("GET", "/status", Login::Nobody, 200),
        ("GET", "/zato/admin/invoke", ANN, 404),
        // Zato looks for a path behind three colons, wherever they stand.
        ("GET", "/x:::/status", Login::Nobody, 404),
        ("POST", "/zatox:::/zato/admin/invoke", ANN, 404),
        ("POST", "/x%3A%3A%3A/ide-deploy", ANN, 404),
    ] {
        let (status, body) = way.call(method, path, login).await;
        assert_eq!(status, wanted, "{method} {path} {login:?}: {body}");
    }
    // A client that leaves dots as they are.
    let dotted = format!("{}/account/../account/7", way.url());
    let arguments = [
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "--path-as-is",
        "-u",
        "account-client:change-me",
    ];
    let curl = std::process::Command::new("curl")
        .args(arguments)
        .arg(dotted)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(curl.stdout).unwrap(), "404");
    let account = async |path: &str| -> Value {
        let (_, body) = way.call("GET", path, ANN).await;
        serde_json::from_str(&body).unwrap()
    };
    assert_eq!(account("/account/7").await["account_id"], 7);
    // Nothing that a caller sends replaces a part of the path.
    assert_eq!(account("/account/7?account_id=8").await["account_id"], 7);

    // A new password: at every moment the old or the new one works, and nobody gets in without.
    let is_done = Arc::new(AtomicBool::new(false));
    let callers = tokio::spawn({
        let (way, is_done) = (Way::to(&space, "service/c", 11223).await, is_done.clone());
        async move {
            let mut calls = 0;
            while !is_done.load(Ordering::Relaxed) {
                let old = way.call("GET", "/account/7", ANN).await.0;
                let new = way
                    .call("GET", "/account/7", Login::Basic("account-client", "new"))
                    .await
                    .0;
                let nobody = way.call("GET", "/account/7", Login::Nobody).await.0;
                // It may change between the two calls.
                let again = way.call("GET", "/account/7", ANN).await.0;
                assert!(
                    [old, new, again].contains(&200) && nobody == 401,
                    "{old} {new} {again} {nobody}"
                );
                calls += 1;
            }
            calls
        }
    });
    let patch = json!({"stringData": {"password": "new"}});
    space.merge::<Secret>("account-client", &patch).await.unwrap();
    let ann = Login::Basic("account-client", "new");
    space
        .until("the new password works, the old one does not", || async {
            way.call("GET", "/account/7", ann).await.0 == 200
                && way.call("GET", "/account/7", ANN).await.0 == 401
        })
        .await;
    is_done.store(true, Ordering::Relaxed);
    assert!(callers.await.unwrap() > 0);

    // The same user in a Secret of another name.
    let mut renamed = example("client.yaml");
    renamed["metadata"]["name"] = "account-client-2".into();
    renamed["stringData"]["password"] = "newer".into();
    space.create::<Secret>(&renamed).await.unwrap();
    let mut channels = example("service.yaml")["spec"]["channels"].clone();
    channels[0]["rest"]["security"] = json!({"basicAuthSecretRef": {"name": "account-client-2"}});
    set_channels(&space, "accounts", &channels).await;
    let ann = Login::Basic("account-client", "newer");
    space
        .until("the password of the other Secret works", || async {
            way.call("GET", "/account/7", ann).await.0 == 200
        })
        .await;
    until_active(&space, "3 channels answer").await;

    // What somebody changes in Zato's database is put back.
    let row = "from http_soap where url_path='/account/{account_id}'";
    sql(
        &space,
        "update http_soap set security_id=null, is_active=0 where url_path='/account/{account_id}'",
    );
    space
        .until("the channel is as it was", || async {
            sql(
                &space,
                &format!("select is_active || ' ' || (security_id is null) {row}"),
            )
            .trim()
                == "1 0"
        })
        .await;

    // An edit: another path and a method more; a channel less, and what only it needed.
    channels.as_array_mut().unwrap().remove(1);
    channels[0]["rest"]["urlPath"] = "/v2/account/{account_id}".into();
    channels[0]["rest"]["methods"] = json!(["GET", "PUT"]);
    set_channels(&space, "accounts", &channels).await;
    space
        .until("the new path answers, the old one does not", || async {
            way.call("PUT", "/v2/account/7", ann).await.0 == 200
                && way.call("GET", "/account/7", ann).await.0 == 404
        })
        .await;
    until_active(&space, "2 channels answer").await;
    space
        .until("the removed channel does not answer", || async {
            way.call("GET", "/report", Login::Key("change-me-too")).await.0 == 404
        })
        .await;
    space
        .until("the key is gone", || async {
            sql(
                &space,
                "select count(*) from sec_base where name like 'kubernetes API key%'",
            )
            .trim()
                == "0"
        })
        .await;

    // Another pod has all of it.
    let old = space.get::<Pod>("c-server-0").await.metadata.uid;
    space.remove::<Pod>("c-server-0").await;
    until_other_pod(&space, old.as_deref()).await;
    until_ready(&space, "True", "Running").await;
    let way = Way::to(&space, "service/c", 11223).await;
    space
        .until("the channel answers on the new pod", || async {
            way.call("GET", "/v2/account/7", ann).await.0 == 200
        })
        .await;

    // With the object everything goes.
    space.remove::<ZatoService>("accounts").await;
    space
        .until("no row of ours is left", || async {
            let text = "select (select count(*) from http_soap where name like 'kubernetes %') + (select count(*) from sec_base where name like 'kubernetes %')";
            sql(&space, text).trim() == "0"
        })
        .await;
    // The server follows its database a moment later.
    space
        .until("the channel does not answer", || async {
            way.call("GET", "/v2/account/7", ann).await.0 == 404
        })
        .await;
    space.delete().await;
}

/// Services that must be there: one that code names is found on the server, one that is missing is told until the list or the
/// code is mended.
#[tokio::test]
async fn expected_services_are_verified() {
    let space = support::start("expected", json!({})).await;
    let named = "from zato.server.service import Service\n\nNAME = 'story.' + 'named'\n\nclass Named(Service):\n    name = NAME\n\n    def handle(self):\n        pass\n";
    let mut object = service("named", "c", &[("named.py", named)]);
    object["spec"]["expectedServices"] = json!(["story.named"]);
    space.create::<ZatoService>(&object).await.unwrap();
    until_service_told(&space, "named", "Ready", "Deployed", "").await;
    let expect = async |names: Value| {
        let patch = json!({"spec": {"expectedServices": names}});
        space.merge::<ZatoService>("named", &patch).await.unwrap();
    };
    expect(json!(["story.named", "story.other"])).await;
    until_service_told(
        &space,
        "named",
        "Ready",
        "LoadFailed",
        "service story.other of spec.expectedServices is not there",
    )
    .await;
    expect(json!(["story.named"])).await;
    until_service_told(&space, "named", "Ready", "Deployed", "").await;
    space.delete().await;
}

/// Each with its cause and the next step, and it recovers by itself; the rest of the service works meanwhile.
#[tokio::test]
async fn channels_that_are_wrong_are_told() {
    let space = support::start("wrong-channels", json!({})).await;
    let told = async |name: &str, reason: &str, words: &str| {
        until_service_told(&space, name, "ChannelsActive", reason, words).await;
    };
    let with = |secret: &str| {
        json!([{"name": "closed", "rest": {"service": "story.greeting", "urlPath": "/greeting", "methods": ["GET"],
            "security": {"basicAuthSecretRef": {"name": secret}}}}])
    };
    set_channels(&space, "greeting", &with("client")).await;
    told(
        "greeting",
        "SecretNotFound",
        "channel closed: Secret client does not exist: create it",
    )
    .await;
    until_service_told(&space, "greeting", "Ready", "SecretNotFound", "client").await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "client"}, "stringData": {"username": "ann"}});
    space.create::<Secret>(&secret).await.unwrap();
    told(
        "greeting",
        "SecretInvalid",
        "kubectl label --overwrite secret client zato.io/channel-credentials=true",
    )
    .await;
    let label = json!({"metadata": {"labels": {"zato.io/channel-credentials": "true"}}});
    space.merge::<Secret>("client", &label).await.unwrap();
    told("greeting", "SecretInvalid", "key password is missing").await;
    let password = json!({"stringData": {"password": "x"}});
    space.merge::<Secret>("client", &password).await.unwrap();
    told("greeting", "AllActive", "channel closed answers").await;
    until_service_told(&space, "greeting", "Ready", "Deployed", "").await;

    // A Secret that is deleted takes no address away.
    space.remove::<Secret>("client").await;
    told(
        "greeting",
        "SecretNotFound",
        "until then the channel stays as it was",
    )
    .await;
    let way = Way::to(&space, "service/c", 11223).await;
    assert_eq!(
        way.call("GET", "/greeting", Login::Basic("ann", "x")).await.0,
        200
    );

    // A service that is in no file, and a path of an older object, which both are told.
    let mut unknown = open("other", "/other");
    unknown["rest"]["service"] = "story.unknown".into();
    set_channels(&space, "greeting", &json!([unknown])).await;
    told(
        "greeting",
        "ChannelInvalid",
        "service story.unknown is in no file of this ZatoService",
    )
    .await;
    set_channels(&space, "greeting", &json!([open("first", "/a/{id}")])).await;
    told("greeting", "AllActive", "channel first answers").await;
    let code = support::code("other").replace("story.greeting", "story.other");
    let mut rival = service("rival", "c", &[("rival.py", &code)]);
    let mut channel = open("second", "/a/{name}");
    channel["rest"]["service"] = "story.other".into();
    rival["spec"]["channels"] = json!([channel]);
    space.create::<ZatoService>(&rival).await.unwrap();
    told(
        "rival",
        "PathTaken",
        "GET /a/{name} is channel first of ZatoService greeting",
    )
    .await;
    told(
        "greeting",
        "AllActive",
        "channel second of ZatoService rival wants a path of them, too",
    )
    .await;
    set_channels(&space, "greeting", &json!([])).await;
    told("rival", "AllActive", "channel second answers").await;
    space.delete().await;
}
