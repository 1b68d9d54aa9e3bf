//! Clusters on a database of their own.

use super::*;

pub fn postgresql(host: &str) -> Value {
    json!({"host": host, "database": "zato", "credentialsSecretRef": {"name": "pg"}})
}

/// Where a Distributed cluster has its data does not change; who logs in there, and how many servers run, does.
#[tokio::test]
async fn a_distributed_cluster_of_a_schema() {
    install_definitions().await;
    let space = Namespace::new("distributed-schema").await;
    let spec = json!({"topology": "Distributed", "database": {"postgresql": postgresql("pg")}});
    space.create::<ZatoCluster>(&cluster("d", spec)).await.unwrap();
    let of_database = |change: Value| json!({"spec": {"database": {"postgresql": change}}});
    for (patch, why) in [
        (
            of_database(json!({"host": "other"})),
            "which database a cluster has is immutable",
        ),
        (
            of_database(json!({"port": 5433})),
            "which database a cluster has is immutable",
        ),
        (
            of_database(json!({"database": "other"})),
            "which database a cluster has is immutable",
        ),
        (
            of_database(json!({"schema": "other"})),
            "which database a cluster has is immutable",
        ),
        (
            of_database(Value::Null),
            "which database a cluster has is immutable",
        ),
        (
            json!({"spec": {"topology": "Quickstart"}}),
            "topology is immutable",
        ),
    ] {
        change_is_refused::<ZatoCluster>(&space, "d", &patch, why).await;
    }
    let user = of_database(json!({"credentialsSecretRef": {"name": "other"}}));
    let scaled = json!({"spec": {"servers": {"replicas": 3}, "loadBalancer": {"replicas": 2}}});
    for patch in [user, scaled] {
        space.merge::<ZatoCluster>("d", &patch).await.unwrap();
    }
    let found = space.get::<ZatoCluster>("d").await.spec;
    let database = found.database.postgresql.unwrap();
    assert_eq!((database.port, found.servers.replicas), (5432, 3));
    space.delete().await;
}
