//! What the schemas refuse.

use super::distributed::postgresql;
use super::*;

/// What is refused, and the words that say why.
type Refused = Vec<(Value, &'static str)>;

/// Every rule of the schemas refuses what it is there for, and says why.
#[tokio::test]
async fn the_schema_refuses() {
    install_definitions().await;
    let space = Namespace::new("refuse").await;
    let long = "a-name-that-is-much-too-long-for-the-children";
    for (name, why) in [
        (long, "at most 35 characters"),
        ("1digit", "must start with a letter"),
    ] {
        is_refused::<ZatoCluster>(&space, &cluster(name, json!({})), why).await;
    }
    for (spec, why) in [topologies(), callables(), settings()].concat() {
        is_refused::<ZatoCluster>(&space, &cluster("ok", spec), why).await;
    }
    for (spec, why) in [services(), repositories()].concat() {
        let object = json!({"apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "s"}, "spec": spec});
        is_refused::<ZatoService>(&space, &object, why).await;
    }
    let long = service(&"s".repeat(201), "c", &[("a.py", "")]);
    is_refused::<ZatoService>(&space, &long, "at most 200 characters").await;
    space.delete().await;
}

/// Databases, servers, images and ports of a cluster.
fn topologies() -> Refused {
    vec![
        (
            json!({"topology": "Elsewhere"}),
            "supported values: \"Quickstart\", \"Distributed\"",
        ),
        (json!({"topology": "Distributed"}), "needs database.postgresql"),
        (
            json!({"database": {"postgresql": postgresql("pg")}}),
            "a Quickstart cluster keeps its data in SQLite",
        ),
        (
            json!({"topology": "Distributed", "database": {"postgresql": postgresql("pg"), "sqlite": {}}}),
            "at most one of sqlite and postgresql",
        ),
        (
            json!({"topology": "Distributed", "database": {"postgresql": postgresql("-pg")}}),
            "should match",
        ),
        (
            json!({"servers": {"replicas": 2}}),
            "a Quickstart cluster has one server, or none",
        ),
        (json!({"loadBalancer": {"replicas": 2}}), "is in its one pod"),
        (
            json!({"topology": "Distributed", "servers": {"replicas": 21}, "database": {"postgresql": postgresql("pg")}}),
            "should be less than or equal to 20",
        ),
        (
            json!({"database": {"sqlite": {"storage": {"size": "much"}}}}),
            "must be a quantity above zero",
        ),
        (
            json!({"database": {"sqlite": {"storage": {"size": "0"}}}}),
            "must be a quantity above zero",
        ),
        (json!({"imagePullPolicy": "Sometimes"}), "supported values"),
        (
            json!({"deletionPolicy": "Maybe"}),
            "supported values: \"Retain\", \"Delete\"",
        ),
        (json!({"image": ""}), "should be at least 1 chars"),
        (json!({"image": "not an image!"}), "should match"),
    ]
}

/// Startup callables.
fn callables() -> Refused {
    vec![
        (json!({"startupCallables": [{"name": "no_dot"}]}), "should match"),
        (
            json!({"startupCallables": [{"name": "a.b.c", "configMapKeyRef": {"name": "a", "key": "b"}}]}),
            "has a module and a name in it",
        ),
        (
            json!({"startupCallables": [{"name": "a.b", "phases": ["Sometime"]}]}),
            "supported values: \"FSConfigOnly\"",
        ),
        (
            json!({"startupCallables": [{"name": "a.b", "phases": ["AfterStarted", "AfterStarted"]}]}),
            "Duplicate value",
        ),
        (
            json!({"startupCallables": [{"name": "a.b", "timeoutSeconds": 0}]}),
            "should be greater than or equal to 1",
        ),
        (
            json!({"startupCallables": [{"name": "a.b"}, {"name": "a.b"}]}),
            "Duplicate value",
        ),
    ]
}

/// Files of settings, and what the operator owns in them.
fn settings() -> Refused {
    vec![
        (
            json!({"config": {"pickup.conf": {"a": {"b": "c"}}}}),
            "files of spec.config are server.conf and sso.conf",
        ),
        // Also beside those that exist.
        (
            json!({"config": {"server.conf": {}, "sso.conf": {}, "pubsub.conf": {}}}),
            "files of spec.config are server.conf and sso.conf",
        ),
        (
            json!({"config": {"server.conf": {"misc": {"http_server_header": "a\nreturn_tracebacks = True"}}}}),
            "should match",
        ),
        (
            json!({"config": {"server.conf": {"main": {"token": "x"}}}}),
            "main.token, main.gunicorn_bind",
        ),
        (
            json!({"config": {"server.conf": {"odb": {"pool_size": "1"}}}}),
            "the operator owns",
        ),
        // The same settings, written in another way.
        (
            json!({"config": {"server.conf": {"main_gunicorn": {"bind": "x"}}}}),
            "the operator owns",
        ),
        (
            json!({"config": {"server.conf": {"preferred": {"address-address": "x"}, "preferred_address": {"x": "y"}}}}),
            "the operator owns",
        ),
        (
            json!({"config": {"sso.conf": {"main": {"a b": "x"}}}}),
            "sections are names of letters",
        ),
        (
            json!({"config": {"sso.conf": {"main": {"a": true}}}}),
            "must be of type string",
        ),
        (
            json!({"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}),
            "Duplicate value",
        ),
    ]
}

/// Services.
fn services() -> Refused {
    vec![
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
    ]
}

/// Sources in git that the schema refuses, and why.
fn repositories() -> Refused {
    let of = |field: &str, value: Value| {
        let mut git = json!({"url": "https://git.example.com/a.git"});
        git[field] = value;
        json!({"clusterRef": {"name": "c"}, "source": {"git": git}})
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
        (
            json!({"clusterRef": {"name": "c"}, "source": {"git": {}}}),
            "url: Required value",
        ),
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
