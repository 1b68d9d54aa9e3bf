//! WebSocket channels in pods: who is given a session, what an edit does, and what is wrong. `make e2e` brings everything up.

// Helpers of tests are tests, too; a story may be as long as it is. Not every story uses every word.
#![allow(clippy::unwrap_used, clippy::too_many_lines, dead_code)]

mod support;

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use serde_json::{Value, json};
use support::way::Way;
use support::{Namespace, cluster, service, sql, until_other_pod, until_ready, until_service_told};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use zato_operator::api::{ZatoCluster, ZatoService};

const PORT: u16 = 7001;

/// A file of the example, for the cluster "c".
fn example(file: &str) -> Value {
    let path = format!("{}/examples/web-socket/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text.replace("clusterRef: {name: quotes}", "clusterRef: {name: c}")).unwrap()
}

async fn set_channel(space: &Namespace, name: &str, channel: &Value) {
    let channels = json!([{"name": "quotes", "webSocket": channel}]);
    let patch = json!({"spec": {"channels": channels}});
    space.merge::<ZatoService>(name, &patch).await.unwrap();
}

/// Waits until the service's document and the cluster's have the channel at an address.
async fn until_documented(space: &Namespace, url: &str) {
    let space = &space;
    space
        .until("both documents have the channel", || async {
            let service = space
                .get::<ZatoService>("quotes")
                .await
                .status
                .unwrap_or_default();
            let cluster = space.get::<ZatoCluster>("c").await.status.unwrap_or_default();
            for published in [service.openapi, cluster.openapi] {
                let Some(published) = published else { return false };
                let Some(map) = space.find::<ConfigMap>(&published.config_map).await else {
                    return false;
                };
                let document: Value = serde_json::from_str(&map.data.unwrap()["openapi.json"]).unwrap();
                if document["x-zato-web-sockets"][0]["urls"] != json!([url]) {
                    return false;
                }
            }
            true
        })
        .await;
}

/// A connection, and the token of its session.
struct Client {
    // Of its own: kubectl ends when a port of the pod is closed for a moment.
    _way: Way,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    token: String,
}

impl Client {
    /// Or the status of the handshake; 0 if there is no listener.
    async fn connect(space: &Namespace, port: u16, path: &str) -> Result<Self, u16> {
        let way = Way::to(space, "service/c", port).await;
        let url = format!("{}{path}", way.url().replace("http://", "ws://"));
        match connect_async(url).await {
            Ok((socket, _)) => Ok(Self {
                _way: way,
                socket,
                token: String::new(),
            }),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(_) => Err(0),
        }
    }

    /// The answer; none if there is none in some seconds, or the connection ended.
    async fn ask(&mut self, meta: Value, data: Value) -> Option<Value> {
        let mut message = json!({"meta": {"id": "1", "timestamp": "now"}, "data": data});
        for (name, value) in meta.as_object().unwrap() {
            message["meta"][name] = value.clone();
        }
        self.socket.send(Message::text(message.to_string())).await.ok()?;
        loop {
            let next = tokio::time::timeout(Duration::from_secs(5), self.socket.next());
            match next.await.ok()?? {
                Ok(Message::Text(text)) => return serde_json::from_str(&text).ok(),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                _ => return None,
            }
        }
    }

    /// The status of a session; none without an answer.
    async fn log_in(&mut self, username: &str, secret: &str) -> Option<u64> {
        let meta =
            json!({"action": "create-session", "client_id": "c", "username": username, "secret": secret});
        let answer = self.ask(meta, Value::Null).await?;
        answer["data"]["token"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut self.token);
        answer["meta"]["status"].as_u64()
    }

    /// What the service answers.
    async fn call(&mut self, data: Value) -> Option<Value> {
        let meta = json!({"action": "invoke-service", "token": self.token});
        Some(self.ask(meta, data).await?["data"].clone())
    }
}

/// The status of a session, or of the handshake; none without an answer.
async fn session(space: &Namespace, path: &str, secret: &str) -> Option<u64> {
    match Client::connect(space, PORT, path).await {
        Ok(mut client) => client.log_in("quote-client", secret).await,
        Err(status) => Some(status.into()),
    }
}

/// The example: who gets a session through the cluster's Service, an edit of the path that starts no pod anew, a new password, a
/// channel that somebody opens in the database, a definition that somebody deletes, another pod, and the end.
#[tokio::test]
async fn web_sockets_follow_their_spec() {
    let space = Namespace::new("web-sockets").await;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    space.create::<Secret>(&example("client.yaml")).await.unwrap();
    space
        .create::<ZatoService>(&example("service.yaml"))
        .await
        .unwrap();
    until_ready(&space, "True", "Running").await;
    let told = async |words: &str| {
        until_service_told(&space, "quotes", "ChannelsActive", "AllActive", words).await;
    };
    told("channel quotes answers").await;
    let url = async || {
        let status = space.get::<ZatoService>("quotes").await.status.unwrap();
        status.endpoints[0].url.clone()
    };
    let wanted = |path: &str| format!("ws://c.{}.svc:{PORT}{path}", space.name());
    assert_eq!(url().await, wanted("/quotes"));
    until_documented(&space, &wanted("/quotes")).await;
    let pod = space.get::<Pod>("c-server-0").await.metadata.uid;

    assert_eq!(session(&space, "/quotes", "wrong").await, Some(403));
    assert_eq!(session(&space, "/other", "change-me").await, Some(404));
    let mut client = Client::connect(&space, PORT, "/quotes").await.ok().unwrap();
    assert_eq!(client.log_in("quote-client", "change-me").await, Some(200));
    let answer = client.call(json!({"symbol": "ACME"})).await.unwrap();
    assert_eq!(answer, json!({"symbol": "ACME", "price": "17.5"}));

    // A new password is for new sessions.
    let patch = json!({"stringData": {"password": "new"}});
    space.merge::<Secret>("quote-client", &patch).await.unwrap();
    space
        .until("the new password gives a session", || async {
            session(&space, "/quotes", "new").await == Some(200)
        })
        .await;
    assert_eq!(session(&space, "/quotes", "change-me").await, Some(403));
    assert!(client.call(json!({"symbol": "ACME"})).await.is_some());

    // Another path: clients are cut off, and told.
    let mut channel = example("service.yaml")["spec"]["channels"][0]["webSocket"].clone();
    channel["path"] = "/v2/quotes".into();
    set_channel(&space, "quotes", &channel).await;
    space
        .until(
            "the new path gives a session, the old one is not there",
            || async {
                session(&space, "/v2/quotes", "new").await == Some(200)
                    && session(&space, "/quotes", "new").await == Some(404)
            },
        )
        .await;
    assert_eq!(client.call(json!({"symbol": "ACME"})).await, None);
    space
        .until("the new address is told", || async {
            url().await == wanted("/v2/quotes")
        })
        .await;
    told("channel quotes answers").await;
    until_documented(&space, &wanted("/v2/quotes")).await;
    let lost = "WebSocket :7001/quotes: OperationRemoved: service quote.get -> none";
    until_service_told(&space, "quotes", "Compatible", "BreakingChange", lost).await;

    // What somebody opens in Zato's database is closed again; nobody is given a session that must not have one.
    let row = "from channel_web_socket where name='kubernetes web-socket 7001'";
    sql(
        &space,
        "update channel_web_socket set security_id=null where name='kubernetes web-socket 7001'",
    );
    space
        .until("the channel is closed", || async {
            sql(&space, &format!("select security_id is null {row}")).trim() == "0"
        })
        .await;
    space
        .until("a session as before", || async {
            session(&space, "/v2/quotes", "new").await == Some(200)
        })
        .await;
    assert_eq!(session(&space, "/v2/quotes", "wrong").await, Some(403));
    sql(
        &space,
        "delete from sec_basic_auth where id in (select id from sec_base where name='kubernetes basic auth quote-client'); delete from sec_base where name='kubernetes basic auth quote-client'",
    );
    // Another pod starts with a row whose definition is not there, which Zato opens: from its first moment on nobody is let in.
    space.remove::<Pod>("c-server-0").await;
    until_other_pod(&space, pod.as_deref()).await;
    space
        .until("the new pod gives a session", || async {
            let wrong = session(&space, "/v2/quotes", "wrong").await;
            assert_ne!(wrong, Some(200), "everybody was let in");
            session(&space, "/v2/quotes", "new").await == Some(200)
        })
        .await;
    until_ready(&space, "True", "Running").await;

    // With the object everything goes.
    space.remove::<ZatoService>("quotes").await;
    space
        .until("no row of ours is left, and no port", || async {
            let text = "select (select count(*) from channel_web_socket) + (select count(*) from sec_base where name like 'kubernetes %')";
            let ports = space.get::<Service>("c").await.spec.unwrap().ports.unwrap();
            sql(&space, text).trim() == "0" && ports.len() == 1
        })
        .await;
    space.delete().await;
}

/// Each with its cause and the next step, and it recovers by itself. No pod starts anew for a port.
#[tokio::test]
async fn web_sockets_that_are_wrong_are_told() {
    let space = support::start("wrong-web-sockets", json!({})).await;
    let told = async |name: &str, reason: &str, words: &str| {
        until_service_told(&space, name, "ChannelsActive", reason, words).await;
    };
    let on = |service: &str, port: u16| json!({"service": service, "port": port, "path": "/w", "security": {"none": {}}});
    set_channel(&space, "greeting", &on("story.unknown", PORT)).await;
    let words = "service story.unknown is in no file of this ZatoService";
    told("greeting", "ChannelInvalid", words).await;
    set_channel(&space, "greeting", &on("story.greeting", PORT)).await;
    told("greeting", "AllActive", "channel quotes answers").await;
    let pod = space.get::<Pod>("c-server-0").await.metadata.uid;

    let code = support::code("other").replace("story.greeting", "story.other");
    let mut rival = service("rival", "c", &[("rival.py", &code)]);
    rival["spec"]["channels"] = json!([{"name": "second", "webSocket": on("story.other", PORT)}]);
    space.create::<ZatoService>(&rival).await.unwrap();
    let words = "port 7001 is that of channel quotes of ZatoService greeting, which comes first";
    told("rival", "PortTaken", words).await;
    let words = "channel second of ZatoService rival wants a port of them, too";
    told("greeting", "AllActive", words).await;
    set_channel(&space, "greeting", &on("story.greeting", 7002)).await;
    told("rival", "AllActive", "channel second answers").await;
    for (port, answer) in [(7002, "first"), (PORT, "other")] {
        let mut client = Client::connect(&space, port, "/w").await.ok().unwrap();
        assert_eq!(client.log_in("anybody", "anything").await, Some(200));
        let said = client.call(json!({})).await.unwrap();
        assert!(said.to_string().contains(answer), "{said}");
    }

    assert_eq!(space.get::<Pod>("c-server-0").await.metadata.uid, pod);
    space.delete().await;
}
