//! The database: wrong, another cluster's, gone for a time, with another password.

use super::*;

/// Nothing starts before the database can be used; each fault is told, without the password, and mended by its Secret alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_database_is_told() {
    let space = Namespace::new("database").await;
    space.create::<ZatoCluster>(&cluster("c", spec(1))).await.unwrap();
    let message = until_ready(&space, "False", "SecretNotFound").await;
    assert!(message.contains("Secret pg "), "{message}");
    postgresql::start(&space).await;
    let set = async |password: &str| {
        let secret = json!({"stringData": {"password": password}});
        space.merge::<Secret>("pg", &secret).await.unwrap();
    };
    set("with#inside").await;
    let message = until_ready(&space, "False", "CredentialsInvalid").await;
    assert!(
        message.contains("key password has a `#`") && !message.contains("with#inside"),
        "{message}"
    );
    set("wrong-one").await;
    let message = until_ready(&space, "False", "DatabaseRefused").await;
    assert!(
        message.contains("password authentication failed") && !message.contains("wrong-one"),
        "{message}"
    );
    assert_eq!(servers(&space).await.0, names(0));
    set(postgresql::PASSWORD).await;
    until_ready(&space, "True", "Running").await;

    // Its key is gone: another one would be of no use.
    space.remove::<Secret>("c-zato").await;
    until_ready(&space, "False", "KeyMissing").await;
    assert!(space.find::<Secret>("c-zato").await.is_none());
    space.delete().await;
}

/// Two clusters in one database would ruin each other.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_cluster_is_refused() {
    let space = Namespace::new("foreign").await;
    postgresql::start(&space).await;
    space
        .create::<ZatoCluster>(&cluster("other", spec(1)))
        .await
        .unwrap();
    space
        .until("the first cluster is in the database", || async {
            let found = space.get::<ZatoCluster>("other").await.status.unwrap_or_default();
            support::condition(&found.conditions, "DatabaseReady").is_some_and(|told| told.status == "True")
        })
        .await;
    space.create::<ZatoCluster>(&cluster("c", spec(1))).await.unwrap();
    let message = until_ready(&space, "False", "DatabaseForeign").await;
    assert!(message.contains("database of a cluster other"), "{message}");
    assert_eq!(sql(&space, "select name from cluster"), ["other"]);
    space.delete().await;
}

/// Servers go on without it, which is told, and follow what was changed when it is back; another password is taken over one
/// server after another.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_goes_and_comes_back() {
    let space = start("outage", 2).await;
    until_ready(&space, "True", "Running").await;
    service_is_on(&space, 2).await;
    let way = Way::to(&space, "service/c", 11223).await;
    postgresql::stop(&space).await;
    let message = until_ready(&space, "False", "DatabaseUnreachable").await;
    assert!(!message.contains(postgresql::PASSWORD), "{message}");
    assert!(way.answers("first").await);
    assert_eq!(way.call("GET", "/greeting", Login::Nobody).await.0, 200);
    set_code(&space, &code("secnd")).await;
    until_service(&space, "greeting", "Ready", |ready| {
        ready.status == "False" && ready.reason != "LoadFailed"
    })
    .await;
    postgresql::go_on(&space).await;
    until_ready(&space, "True", "Running").await;
    service_is_on(&space, 2).await;
    each_answers(&space, 2, "secnd").await;
    assert_eq!(servers(&space).await, (names(2), 0));
    drop(way);

    sql(&space, "alter role zato password 'another'");
    let secret = json!({"stringData": {"password": "another"}});
    space.merge::<Secret>("pg", &secret).await.unwrap();
    until_ready(&space, "False", "Starting").await;
    until_ready(&space, "True", "Running").await;
    each_answers(&space, 2, "secnd").await;
    space.delete().await;
}
