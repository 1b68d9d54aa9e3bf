//! A PostgreSQL in a pod of a story's namespace: its Service, a Secret with its user, and SQL.

use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use serde_json::json;

use super::support::Namespace;

/// With what addresses of databases give a meaning to.
pub const PASSWORD: &str = "p@ss:w/rd?&=+ 100%";

/// It starts when the file `hold` is not there. Who runs psql in the pod needs no password.
const START: &str = r#"set -e
if [ ! -e /data/made ]; then
  printf %s "$PASSWORD" > /data/password
  initdb -D /data/postgresql -U zato --pwfile=/data/password --auth-local=trust --auth-host=scram-sha-256 -E UTF8 --locale=C.UTF-8
  echo "host all all all scram-sha-256" >> /data/postgresql/pg_hba.conf
  touch /data/made
fi
while [ -e /data/hold ]; do sleep 1; done
exec postgres -D /data/postgresql -h 0.0.0.0 -k /data -c fsync=off -c max_connections=200
"#;

/// Starts it as `pg`, and waits until it answers.
pub async fn start(space: &Namespace) {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "pg"},
        "spec": {"selector": {"app": "pg"}, "ports": [{"port": 5432}]},
    });
    space.create::<Service>(&service).await.unwrap();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pg", "labels": {"app": "pg"}},
        "spec": {
            "securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000},
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "postgresql", "image": "registry.local/postgresql:1", "command": ["sh", "-c", START],
                "env": [{"name": "PASSWORD", "value": PASSWORD}],
                // On a busy machine it takes a while: a pod that is not ready for a moment is cut off from its clients.
                "readinessProbe": {
                    "exec": {"command": ["pg_isready", "-h", "127.0.0.1", "-U", "zato"]},
                    "periodSeconds": 1, "timeoutSeconds": 20, "failureThreshold": 5,
                },
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }],
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
    });
    space.create::<Pod>(&pod).await.unwrap();
    until_answers(space, true).await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pg"},
        "stringData": {"username": "zato", "password": PASSWORD},
    });
    space.create::<Secret>(&secret).await.unwrap();
}

async fn until_answers(space: &Namespace, answers: bool) {
    space
        .until("the database answers, or not", || async {
            let status = space.get::<Pod>("pg").await.status.unwrap_or_default();
            let conditions = status.conditions.unwrap_or_default();
            let mut conditions = conditions.iter();
            conditions.any(|c| c.type_ == "Ready" && c.status == "True") == answers
        })
        .await;
}

/// Cuts off whoever is connected, and lets nobody in.
pub async fn stop(space: &Namespace) {
    let _ = space.try_exec(
        "pg",
        "postgresql",
        &["sh", "-c", "touch /data/hold && kill -INT 1"],
    );
    until_answers(space, false).await;
}

/// Starts it again, with its data.
pub async fn go_on(space: &Namespace) {
    // Its container may be about to start.
    space
        .until("the file is away", || async {
            space.try_exec("pg", "postgresql", &["rm", "/data/hold"]).is_ok()
        })
        .await;
    until_answers(space, true).await;
}

/// What a query of Zato's database gives, a row a line.
pub fn sql(space: &Namespace, text: &str) -> Vec<String> {
    let command = ["psql", "-h", "/data", "-U", "zato", "-At", "-c", text, "postgres"];
    let told = space.exec("pg", "postgresql", &command);
    told.lines().map(ToOwned::to_owned).collect()
}
