//! A PostgreSQL in a pod of a story's namespace: its Service, a Secret with its user, and SQL.

use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use serde_json::json;

use super::Namespace;

/// With what addresses of databases give a meaning to.
pub const PASSWORD: &str = "p@ss:w/rd?&=+ 100%";

const START: &str = r#"set -e
printf %s "$PASSWORD" > /data/password
initdb -D /data/postgresql -U zato --pwfile=/data/password -A scram-sha-256 -E UTF8 --locale=C.UTF-8
echo "host all all all scram-sha-256" >> /data/postgresql/pg_hba.conf
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
                "readinessProbe": {"exec": {"command": ["pg_isready", "-h", "127.0.0.1", "-U", "zato"]}, "periodSeconds": 1},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }],
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
    });
    space.create::<Pod>(&pod).await.unwrap();
    space
        .until("the database answers", || async {
            let status = space.get::<Pod>("pg").await.status.unwrap_or_default();
            let conditions = status.conditions.unwrap_or_default();
            conditions
                .iter()
                .any(|c| c.type_ == "Ready" && c.status == "True")
        })
        .await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pg"},
        "stringData": {"username": "zato", "password": PASSWORD},
    });
    space.create::<Secret>(&secret).await.unwrap();
}

/// What a query of Zato's database gives, a row a line.
pub fn sql(space: &Namespace, text: &str) -> Vec<String> {
    let password = format!("PGPASSWORD={PASSWORD}");
    let command = [
        "env",
        &password,
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "zato",
        "-At",
        "-c",
        text,
        "postgres",
    ];
    let told = space.exec("pg", "postgresql", &command);
    told.lines().map(ToOwned::to_owned).collect()
}
