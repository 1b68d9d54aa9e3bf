//! What the schemas refuse and accept, on a real API server. No operator is needed.

// Helpers of tests are tests, too; a story may be as long as it is. Not every story uses every word.
#![allow(clippy::unwrap_used, clippy::too_many_lines, dead_code)]

mod support;

use serde_json::{Value, json};
use support::{Namespace, cluster, install_definitions, service};
use zato_operator::api::{ZatoCluster, ZatoService};

const GOOD: &str = "from zato.server.service import Service\n\nclass A(Service):\n    name = 'api.a'\n";

/// Every rule of the schemas refuses what it is there for, and says why.
#[tokio::test]
async fn the_schema_refuses() {
    install_definitions().await;
    let space = Namespace::new("refuse").await;
    let clusters = [
        (
            "a-name-that-is-much-too-long-for-the-children",
            json!({}),
            "at most 35 characters",
        ),
        ("1digit", json!({}), "must start with a letter"),
        (
            "ok",
            json!({"topology": "Distributed"}),
            "supported values: \"Quickstart\"",
        ),
        (
            "ok",
            json!({"database": {"sqlite": {"storage": {"size": "much"}}}}),
            "must be a quantity above zero",
        ),
        (
            "ok",
            json!({"database": {"sqlite": {"storage": {"size": "0"}}}}),
            "must be a quantity above zero",
        ),
        ("ok", json!({"imagePullPolicy": "Sometimes"}), "supported values"),
        (
            "ok",
            json!({"deletionPolicy": "Maybe"}),
            "supported values: \"Retain\", \"Delete\"",
        ),
        ("ok", json!({"image": ""}), "should be at least 1 chars"),
        ("ok", json!({"image": "not an image!"}), "should match"),
        (
            "ok",
            json!({"startupCallables": [{"name": "no_dot"}]}),
            "should match",
        ),
        (
            "ok",
            json!({"startupCallables": [{"name": "a.b.c", "configMapKeyRef": {"name": "a", "key": "b"}}]}),
            "has a module and a name in it",
        ),
        (
            "ok",
            json!({"startupCallables": [{"name": "a.b", "phases": ["Sometime"]}]}),
            "supported values: \"FSConfigOnly\"",
        ),
        (
            "ok",
            json!({"startupCallables": [{"name": "a.b", "phases": ["AfterStarted", "AfterStarted"]}]}),
            "Duplicate value",
        ),
        (
            "ok",
            json!({"startupCallables": [{"name": "a.b", "timeoutSeconds": 0}]}),
            "should be greater than or equal to 1",
        ),
        (
            "ok",
            json!({"startupCallables": [{"name": "a.b"}, {"name": "a.b"}]}),
            "Duplicate value",
        ),
        (
            "ok",
            json!({"config": {"pickup.conf": {"a": {"b": "c"}}}}),
            "files of spec.config are server.conf and sso.conf",
        ),
        // Also beside those that exist.
        (
            "ok",
            json!({"config": {"server.conf": {}, "sso.conf": {}, "pubsub.conf": {}}}),
            "files of spec.config are server.conf and sso.conf",
        ),
        (
            "ok",
            json!({"config": {"server.conf": {"misc": {"http_server_header": "a\nreturn_tracebacks = True"}}}}),
            "should match",
        ),
        (
            "ok",
            json!({"config": {"server.conf": {"main": {"token": "x"}}}}),
            "main.token, main.gunicorn_bind",
        ),
        (
            "ok",
            json!({"config": {"server.conf": {"odb": {"pool_size": "1"}}}}),
            "the operator owns",
        ),
        // The same settings, written in another way.
        (
            "ok",
            json!({"config": {"server.conf": {"main_gunicorn": {"bind": "x"}}}}),
            "the operator owns",
        ),
        (
            "ok",
            json!({"config": {"server.conf": {"preferred": {"address-address": "x"}, "preferred_address": {"x": "y"}}}}),
            "the operator owns",
        ),
        (
            "ok",
            json!({"config": {"sso.conf": {"main": {"a b": "x"}}}}),
            "sections are names of letters",
        ),
        (
            "ok",
            json!({"config": {"sso.conf": {"main": {"a": true}}}}),
            "must be of type string",
        ),
        (
            "ok",
            json!({"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}),
            "Duplicate value",
        ),
    ];
    for (name, spec, why) in clusters {
        let error = space
            .create::<ZatoCluster>(&cluster(name, spec))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
    let services = [
        (
            json!({"clusterRef": {"name": "c"}, "source": {"inline": {"not-python.txt": ""}}}),
            "must be a Python module name",
        ),
        (
            json!({"clusterRef": {"name": "c"}, "source": {"inline": {"../x.py": ""}}}),
            "must be a Python module name",
        ),
        (
            json!({"clusterRef": {"name": "c"}, "source": {"inline": {}}}),
            "should have at least 1 properties",
        ),
        (
            json!({"clusterRef": {"name": "c"}, "source": {}}),
            "exactly one of inline, configMaps and git",
        ),
        (
            json!({"clusterRef": {"name": "c"}, "source": {"inline": {"a.py": ""}, "configMaps": [{"name": "m"}]}}),
            "exactly one of inline, configMaps and git",
        ),
        (
            json!({"clusterRef": {"name": "c"}, "source": {"configMaps": []}}),
            "should have at least 1 items",
        ),
        (
            json!({"source": {"inline": {"a.py": ""}}}),
            "clusterRef: Required value",
        ),
        (
            json!({"clusterRef": {"name": "c"}, "source": {"inline": {"a.py": "#".repeat(150_000), "b.py": "#".repeat(60_000)}}}),
            "must not have more than 204800 characters",
        ),
        (
            json!({"clusterRef": {"name": "c"}, "source": {"inline": {"a.py": ""}}, "openapi": {"breakingChangePolicy": "Ignore"}}),
            "supported values: \"Warn\", \"Refuse\"",
        ),
        (
            json!({"clusterRef": {"name": "c"}, "source": {"inline": {"a.py": ""}}, "openapi": {"tags": []}}),
            "should have at least 1 items",
        ),
        (
            json!({"clusterRef": {"name": "c"}, "source": {"inline": {"a.py": ""}}, "openapi": {"tags": ["@public"]}}),
            "should match",
        ),
    ];
    for (spec, why) in services {
        let object = json!({"apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "s"}, "spec": spec});
        let error = space
            .create::<ZatoService>(&object)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{error}");
    }
    for (git, why) in refused_git() {
        let object = json!({"apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "s"},
            "spec": {"clusterRef": {"name": "c"}, "source": {"git": git}}});
        let error = space
            .create::<ZatoService>(&object)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{git}: {error}");
    }
    let long = service(&"s".repeat(201), "c", &[("a.py", "")]);
    let error = space.create::<ZatoService>(&long).await.unwrap_err().to_string();
    assert!(error.contains("at most 200 characters"), "{error}");
    space.delete().await;
}

/// Sources in git that the schema refuses, and why.
fn refused_git() -> Vec<(Value, &'static str)> {
    let of = |field: &str, value: Value| {
        let mut git = json!({"url": "https://git.example.com/a.git"});
        git[field] = value;
        git
    };
    let url = |url: &str| {
        (
            of("url", json!(url)),
            "url is https://host/path without user, password",
        )
    };
    let path = |path: &str| {
        (
            of("path", json!(path)),
            "path is a folder from the root of the repository",
        )
    };
    let interval = |interval: &str| {
        (
            of("interval", json!(interval)),
            "interval is hours, minutes and seconds",
        )
    };
    let reference = |name: &str, why| (of("ref", json!(name)), why);
    vec![
        (json!({}), "url: Required value"),
        url("http://git.example.com/a.git"),
        url("ssh://git@example.com/a.git"),
        url("git@git.example.com:team/a.git"),
        url("https://ada:token@git.example.com/a.git"),
        url("https://git.example.com"),
        url("https://git.example.com/a.git?b"),
        url("https://git.example.com/a.git#main"),
        url("https://git.example.com/team/../other/a.git"),
        url("https://git.example.com/team/%2e%2e/a.git"),
        url("https://GIT.example.com/a.git"),
        url("https://git.example.com/a.git\n"),
        path("/etc"),
        path("a//b"),
        path("a/../b"),
        path("./a"),
        path("a/"),
        interval("9s"),
        interval("25h"),
        interval("1d"),
        interval("0m0s"),
        interval("soon"),
        reference("-x", "should match"),
        reference("a b", "should match"),
        reference("a..b", "ref is a branch, a tag"),
        reference("a/", "ref is a branch, a tag"),
    ]
}

/// What is at the limit of each rule is accepted, and gets its defaults.
#[tokio::test]
async fn the_schema_accepts() {
    install_definitions().await;
    let space = Namespace::new("accept").await;
    let name = "a-name-of-thirty-five-characters-ok";
    assert_eq!(name.len(), 35);
    space
        .create::<ZatoCluster>(&cluster(name, json!({})))
        .await
        .unwrap();
    let found = space.get::<ZatoCluster>(name).await;
    assert_eq!(found.spec.database.sqlite, None);
    assert_eq!((found.spec.servers.replicas, found.spec.load_balancer.replicas), (1, 1));
    assert!(found.spec.scheduler.enabled && found.spec.dashboard.enabled);
    let spec = json!({
        "topology": "Quickstart", "image": "Registry.example.com:5000/a_b/zato:3.2-X@sha256:00", "imagePullPolicy": "Never", "imagePullSecrets": [{"name": "a"}, {"name": "b"}],
        "database": {"sqlite": {"storage": {"size": "1.5Gi", "storageClassName": "none-such"}}},
        "scheduler": {"enabled": false}, "dashboard": {"enabled": false},
        "paused": false, "stopped": true, "deletionPolicy": "Delete",
        "startupCallables": [
            {"name": "my_startup.f", "configMapKeyRef": {"name": "m", "key": "my_startup.py"}, "phases": ["FSConfigOnly", "AfterStarted"],
             "failurePolicy": "Ignore", "timeoutSeconds": 600},
            {"name": "package.module.Class"},
        ],
        "config": {"server.conf": {"misc": {"http_server_header": "Acme"}}, "sso.conf": {"signup": {"is_approval_needed": "False"}}},
    });
    space.create::<ZatoCluster>(&cluster("full", spec)).await.unwrap();
    space
        .create::<ZatoService>(&service("s", "full", &[("_a1.py", GOOD), ("b.py", "")]))
        .await
        .unwrap();
    let openapi = space.get::<ZatoService>("s").await.spec.openapi;
    assert_eq!(openapi.tags, ["public"]);
    let mut long = service(&"s".repeat(200), "full", &[("a.py", GOOD)]);
    long["spec"]["openapi"] = json!({"tags": ["public", "in-house"], "breakingChangePolicy": "Refuse"});
    space.create::<ZatoService>(&long).await.unwrap();
    for (name, git) in [
        ("least", json!({"url": "https://git.example.com/a"})),
        (
            "most",
            json!({"url": "https://git.example.com:8443/~ada/a_b+c/..git/.github", "ref": "refs/tags/v1.0@2#x", "path": "a b/..c",
                "secretRef": {"name": "s"}, "caConfigMapRef": {"name": "m"}, "interval": "24h"}),
        ),
    ] {
        let object = json!({"apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": name},
            "spec": {"clusterRef": {"name": "c"}, "source": {"git": git}}});
        space.create::<ZatoService>(&object).await.unwrap();
    }
    let git = space.get::<ZatoService>("least").await.spec.source.git.unwrap();
    assert_eq!((git.reference.as_str(), git.interval.as_str()), ("HEAD", "1m"));
    space.delete().await;
}

/// What cannot be changed is refused when it is set, changed or taken away.
#[tokio::test]
async fn immutable_fields_stay() {
    install_definitions().await;
    let space = Namespace::new("immutable").await;
    let size = |size: &str| json!({"database": {"sqlite": {"storage": {"size": size}}}});
    space
        .create::<ZatoCluster>(&cluster("c", size("1Gi")))
        .await
        .unwrap();
    space
        .create::<ZatoService>(&service("s", "c", &[("a.py", GOOD)]))
        .await
        .unwrap();
    let class = json!({"database": {"sqlite": {"storage": {"storageClassName": "other"}}}});
    for (patch, why) in [(class, "storageClassName is immutable")] {
        let patch = json!({"spec": patch});
        let error = space
            .merge::<ZatoCluster>("c", &patch)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{error}");
    }
    let patch = json!({"spec": {"clusterRef": {"name": "other"}}});
    let error = space
        .merge::<ZatoService>("s", &patch)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("clusterRef is immutable"), "{error}");
    space.delete().await;
}

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
        let error = space
            .create::<ZatoService>(&with(change.clone()))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(why), "{change}: {error}");
    }
    let mut two = with(json!({}));
    two["spec"]["channels"][0]["directInvocation"] = json!({"security": {"none": {}}});
    let error = space.create::<ZatoService>(&two).await.unwrap_err().to_string();
    assert!(error.contains("exactly one of rest"), "{error}");
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
        let error = space.create::<ZatoService>(&object).await.unwrap_err();
        assert!(error.to_string().contains(why), "{methods} {cache}: {error}");
    }
    space
        .create::<ZatoService>(&with(json!(["GET"]), seconds(5)))
        .await
        .unwrap();
    let patch = json!({"spec": {"channels": with(json!(["GET", "PUT"]), seconds(5))["spec"]["channels"]}});
    let error = space.merge::<ZatoService>("ok", &patch).await.unwrap_err();
    assert!(error.to_string().contains(get_alone), "{error}");
    space.delete().await;
}
