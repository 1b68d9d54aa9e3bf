//! Channels: their ports and paths, and their caches.

use super::*;

/// What a port and a path of a WebSocket channel can be, and what is filled in.
#[tokio::test]
async fn web_sockets_of_a_schema() {
    install_definitions().await;
    let space = Namespace::new("web-sockets").await;
    let with = |change: Value| {
        let mut channel =
            json!({"service": "api.a", "port": 7001, "path": "/a/b-c", "security": {"none": {}}});
        for (field, value) in change.as_object().unwrap() {
            channel[field] = value.clone();
        }
        let mut object = service("ok", "c", &[("a.py", GOOD)]);
        object["spec"]["channels"] = json!([{"name": "c", "webSocket": channel}]);
        object
    };
    for (change, why) in [
        (json!({"port": 80}), "should be greater than or equal to 1024"),
        (json!({"port": 65536}), "should be less than or equal to 65535"),
        (
            json!({"port": 11223}),
            "are ports of Zato and of the operator: choose another port",
        ),
        (
            json!({"port": 17060}),
            "are ports of Zato and of the operator: choose another port",
        ),
        (json!({"path": "a"}), "path begins with a slash"),
        (json!({"path": "/"}), "path begins with a slash"),
        (json!({"path": "/a/"}), "path begins with a slash"),
        (json!({"path": "/a/{id}"}), "a WebSocket has no parameters"),
        (
            json!({"security": {"apiKeySecretRef": {"name": "s"}}}),
            "use basicAuthSecretRef",
        ),
        (json!({"security": {}}), "exactly one of"),
        (
            json!({"pingIntervalSeconds": 1}),
            "should be greater than or equal to 5",
        ),
        (
            json!({"tokenSeconds": 1}),
            "should be greater than or equal to 60",
        ),
    ] {
        is_refused::<ZatoService>(&space, &with(change), why).await;
    }
    let mut two = with(json!({}));
    two["spec"]["channels"][0]["directInvocation"] = json!({"security": {"none": {}}});
    is_refused::<ZatoService>(&space, &two, "exactly one of rest").await;
    space.create::<ZatoService>(&with(json!({}))).await.unwrap();
    let made = space.get::<ZatoService>("ok").await.spec.channels[0]
        .web_socket
        .clone()
        .unwrap();
    assert_eq!((made.ping_interval_seconds, made.token_seconds), (30, 3600));
    space.delete().await;
}

/// A cache is for reading alone, and for a time that somebody can wait for.
#[tokio::test]
async fn caches_of_a_schema() {
    install_definitions().await;
    let space = Namespace::new("caches").await;
    let with = |methods: Value, cache: Value| {
        let rest = json!({"service": "api.a", "urlPath": "/a", "methods": methods, "security": {"none": {}}, "cache": cache});
        let mut object = service("ok", "c", &[("a.py", GOOD)]);
        object["spec"]["channels"] = json!([{"name": "c", "rest": rest}]);
        object
    };
    let seconds = |seconds: i32| json!({"seconds": seconds});
    let get_alone = "a cache is for channels whose only method is GET";
    for (methods, cache, why) in [
        (json!(["GET", "POST"]), seconds(5), get_alone),
        (json!(["POST"]), seconds(5), get_alone),
        (json!(["GET"]), seconds(0), "should be greater than or equal to 1"),
        (
            json!(["GET"]),
            seconds(86_401),
            "should be less than or equal to 86400",
        ),
        (json!(["GET"]), json!({}), "seconds"),
    ] {
        let object = with(methods.clone(), cache.clone());
        is_refused::<ZatoService>(&space, &object, why).await;
    }
    space
        .create::<ZatoService>(&with(json!(["GET"]), seconds(5)))
        .await
        .unwrap();
    let patch = json!({"spec": {"channels": with(json!(["GET", "PUT"]), seconds(5))["spec"]["channels"]}});
    change_is_refused::<ZatoService>(&space, "ok", &patch, get_alone).await;
    space.delete().await;
}
