//! The database of a Distributed cluster on a real PostgreSQL, which `dev/databases.sh` starts: what is looked at, begun, judged
//! and changed there, and every refusal. Zato's own commands are played by the tables that they make.

#![allow(clippy::unwrap_used)]

mod odb;

use odb::*;
use zato_operator::agent::database::{Found, TABLES, Wanted, begin, enter, look, settle};
use zato_operator::exchange::database::Cause;

#[tokio::test]
async fn a_creation_that_is_interrupted_anywhere_comes_to_the_same_end() {
    for count in [0, 1, 28, TABLES.len()] {
        let odb = Odb::new().await;
        assert_eq!(look(&odb.login, &wanted()).await.unwrap(), Found::Nothing);
        assert_eq!(odb.begin(&wanted()).await.unwrap(), Found::Nothing);
        odb.create_odb(count).await;
        if count == TABLES.len() {
            odb.run("INSERT INTO install_state VALUES (1); INSERT INTO alembic_version VALUES (1)")
                .await;
        }
        // Whoever comes next begins anew, as often as needed.
        for _ in 0..2 {
            assert_eq!(odb.begin(&wanted()).await.unwrap(), Found::Begun, "{count}");
            assert!(!odb.has("cluster").await && odb.has("zato_operator_creation").await);
        }
        odb.create_odb(TABLES.len()).await;
        odb.create_cluster("demo").await;
        assert_eq!(odb.begin(&wanted()).await.unwrap(), Found::Cluster(1));
        settle(&odb.login, &wanted(), SERVERS).await.unwrap();
        assert!(!odb.has("zato_operator_creation").await);
    }
}

#[tokio::test]
async fn what_zato_leaves_open_is_closed_as_often_as_asked() {
    let odb = Odb::complete().await;
    assert_eq!(odb.text("SHOW bytea_output").await, "hex");
    for _ in 0..2 {
        settle(&odb.login, &wanted(), SERVERS).await.unwrap();
        assert_eq!(odb.text("SHOW bytea_output").await, "escape");
        assert_eq!(
            odb.text("SELECT lb_host || ' ' || lb_port FROM cluster").await,
            "demo-servers.default.svc 17010"
        );
        assert_eq!(
            odb.text("SELECT string_agg(is_active::text, ' ' ORDER BY id) FROM http_soap")
                .await,
            "false true false"
        );
    }
    // Other users of the database keep their settings.
    let row = odb
        .administrator
        .query_one("SHOW bytea_output", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, String>(0), "hex");
}

#[tokio::test]
async fn a_server_gets_its_token_and_no_other_server_does() {
    let odb = Odb::complete().await;
    for token in ["a".repeat(32), "b".repeat(32), "b".repeat(32)] {
        enter(&odb.login, &wanted(), "demo-server-1", &token)
            .await
            .unwrap();
        assert_eq!(
            odb.text("SELECT string_agg(token, ' ' ORDER BY id) FROM server")
                .await,
            format!("token-0 {token}")
        );
    }
    assert_eq!(
        odb.text("SELECT string_agg(is_active::text, ' ' ORDER BY id) FROM http_soap")
            .await,
        "false true false"
    );
    let trouble = enter(&odb.login, &wanted(), "demo-server-7", "t")
        .await
        .unwrap_err();
    assert_eq!(trouble.cause, Cause::CreationFailed);
    assert!(
        trouble.message.contains("0 servers of name demo-server-7"),
        "{trouble}"
    );
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_in_the_servers_own_words() {
    let odb = Odb::new().await;
    odb.administrator.batch_execute("DO $$ BEGIN CREATE ROLE guarded LOGIN PASSWORD 'other'; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$").await.unwrap();
    let name = odb.login.address.name.clone();
    for (user, database, words) in [
        (
            "guarded",
            name.as_str(),
            "password authentication failed for user \"guarded\" (SQLSTATE 28P01)",
        ),
        (
            "nobody-here",
            name.as_str(),
            "role \"nobody-here\" does not exist",
        ),
        ("secure", name.as_str(), "the server wants TLS"),
        (
            "zato",
            "nowhere",
            "database \"nowhere\" does not exist (SQLSTATE 3D000): create the database",
        ),
    ] {
        let (cause, message) = refused(&login(user, database), &wanted()).await;
        assert_eq!(cause, Cause::DatabaseRefused, "{message}");
        assert!(
            message.contains(words) && message.starts_with(&format!("{database} on 127.0.0.1:")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_told_with_its_address() {
    let mut login = login("zato", "odb");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    login.address.port = free.local_addr().unwrap().port();
    drop(free);
    let (cause, message) = refused(&login, &wanted()).await;
    assert_eq!(cause, Cause::DatabaseUnreachable);
    assert!(
        message.contains("does not answer")
            && message.contains("refused")
            && message.contains("spec.database.postgresql"),
        "{message}"
    );
    login.address.host = "no-such-host.invalid".into();
    let (cause, message) = refused(&login, &wanted()).await;
    assert_eq!(cause, Cause::DatabaseUnreachable, "{message}");
}

#[tokio::test]
async fn rights_that_lack_are_named() {
    let odb = Odb::new().await;
    let user = odb.login.user.clone();
    odb.administrator
        .batch_execute(&format!("CREATE ROLE {user}_guest LOGIN"))
        .await
        .unwrap();
    let guest = login(&format!("{user}_guest"), &user);
    let (cause, message) = refused(&guest, &wanted()).await;
    assert_eq!(cause, Cause::DatabaseRefused);
    assert!(
        message.ends_with(&format!("GRANT CREATE ON SCHEMA \"public\" TO \"{user}_guest\"")),
        "{message}"
    );

    odb.create_odb(TABLES.len()).await;
    odb.create_cluster("demo").await;
    let grant = format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}_guest; REVOKE UPDATE, DELETE ON job FROM {user}_guest"
    );
    odb.run(&grant).await;
    let (cause, message) = refused(&guest, &wanted()).await;
    assert_eq!(cause, Cause::DatabaseRefused);
    assert!(
        message.contains("lacks the right to UPDATE, DELETE in table job"),
        "{message}"
    );
    odb.run(&format!("GRANT UPDATE, DELETE ON job TO {user}_guest"))
        .await;
    settle(&guest, &wanted(), SERVERS).await.unwrap();
}

#[tokio::test]
async fn what_is_of_others_is_refused_and_stays() {
    let odb = Odb::complete().await;
    let other = Wanted {
        cluster: "another",
        ..wanted()
    };
    let (cause, message) = odb.refused(&other).await;
    assert_eq!(cause, Cause::DatabaseForeign);
    assert!(
        message.contains("is the database of a cluster demo, and not of another"),
        "{message}"
    );
    odb.run("INSERT INTO cluster VALUES (2, 'second', 'x', 1)").await;
    let (cause, message) = odb.refused(&wanted()).await;
    assert_eq!(cause, Cause::DatabaseForeign);
    assert!(message.contains("has 2 clusters (demo, second)"), "{message}");

    // Half of the tables, and nothing that says whose they are.
    let odb = Odb::new().await;
    odb.create_odb(7).await;
    let (cause, message) = odb.refused(&wanted()).await;
    assert_eq!(cause, Cause::DatabaseForeign);
    assert!(
        message.contains("has 7 of the 90 tables of Zato and no cluster"),
        "{message}"
    );

    // Another program's.
    let odb = Odb::new().await;
    odb.run("CREATE TABLE cluster (number integer); CREATE TABLE job (x integer)")
        .await;
    let (cause, message) = odb.refused(&wanted()).await;
    assert_eq!(cause, Cause::DatabaseForeign);
    assert!(message.contains("column \"id\" does not exist"), "{message}");
    assert!(odb.has("job").await);

    // One that is being made for another.
    let odb = Odb::new().await;
    begin(
        &odb.login,
        &Wanted {
            cluster: "o'ther",
            ..wanted()
        },
    )
    .await
    .unwrap();
    let (cause, message) = odb.refused(&wanted()).await;
    assert_eq!(cause, Cause::DatabaseForeign);
    assert!(
        message.contains("is being made the database of a cluster o'ther"),
        "{message}"
    );
}

/// Somebody ran `zato create odb` by hand.
#[tokio::test]
async fn tables_without_a_cluster_get_one() {
    let odb = Odb::new().await;
    odb.create_odb(TABLES.len()).await;
    assert_eq!(look(&odb.login, &wanted()).await.unwrap(), Found::Tables);
    assert_eq!(odb.begin(&wanted()).await.unwrap(), Found::Tables);
    let trouble = settle(&odb.login, &wanted(), SERVERS).await.unwrap_err();
    assert_eq!(trouble.cause, Cause::DatabaseForeign, "{trouble}");
    odb.create_cluster("demo").await;
    settle(&odb.login, &wanted(), SERVERS).await.unwrap();
}

#[tokio::test]
async fn rows_are_never_dropped() {
    let odb = Odb::new().await;
    odb.begin(&wanted()).await.unwrap();
    odb.create_odb(40).await;
    odb.run("INSERT INTO aws_s3 VALUES (1)").await;
    let trouble = odb.begin(&wanted()).await.unwrap_err();
    assert_eq!(trouble.cause, Cause::DatabaseForeign);
    assert!(trouble.message.contains("has rows in table aws_s3"), "{trouble}");
    assert!(odb.has("aws_s3").await && odb.has("cluster").await);
    // A table of somebody else has no part in it.
    odb.run("DELETE FROM aws_s3; CREATE TABLE ours (x integer)").await;
    assert_eq!(odb.begin(&wanted()).await.unwrap(), Found::Begun);
    assert!(!odb.has("aws_s3").await && odb.has("ours").await);
}

#[tokio::test]
async fn a_creation_that_still_runs_keeps_its_tables() {
    let odb = Odb::new().await;
    odb.begin(&wanted()).await.unwrap();
    odb.create_odb(10).await;
    let running = connect(&odb.login.user, &odb.login.address.name).await;
    let trouble = begin(&odb.login, &wanted()).await.unwrap_err();
    assert_eq!(trouble.cause, Cause::DatabaseUnreachable, "{trouble}");
    assert!(odb.has("cluster").await);
    drop(running);
}

#[tokio::test]
async fn another_key_or_password_is_told_before_anything_is_written() {
    let odb = Odb::complete().await;
    for (key1, admin_invoke, words) in [
        (OTHER_KEY, "admin", "key1 does not open the password of pubapi"),
        ("short", "admin", "is not a Fernet key"),
        (
            KEY,
            "other",
            "adminInvokePassword is not the password of admin.invoke",
        ),
    ] {
        let (cause, message) = odb
            .refused(&Wanted {
                key1,
                admin_invoke,
                ..wanted()
            })
            .await;
        assert_eq!(cause, Cause::KeyChanged);
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(odb.text("SHOW bytea_output").await, "hex");
    assert_eq!(odb.text("SELECT lb_host FROM cluster").await, "127.0.0.1");
    odb.run("DELETE FROM sec_base WHERE name = 'pubapi'").await;
    let (cause, message) = odb.refused(&wanted()).await;
    assert_eq!(cause, Cause::DatabaseForeign);
    assert!(message.contains("without any encrypted password"), "{message}");
}

#[tokio::test]
async fn tables_are_in_the_schema_of_the_spec() {
    let mut odb = Odb::new().await;
    odb.login.address.schema = Some("My schema".into());
    let (cause, message) = odb.refused(&wanted()).await;
    assert_eq!(cause, Cause::DatabaseRefused);
    assert!(
        message.contains("CREATE SCHEMA \"My schema\" AUTHORIZATION"),
        "{message}"
    );

    odb.run("CREATE SCHEMA \"My schema\"").await;
    assert_eq!(odb.begin(&wanted()).await.unwrap(), Found::Nothing);
    // Zato's commands know no schema, and work there all the same.
    odb.create_odb(TABLES.len()).await;
    odb.create_cluster("demo").await;
    assert!(odb.has("\"My schema\".cluster").await && !odb.has("public.cluster").await);
    for _ in 0..2 {
        settle(&odb.login, &wanted(), SERVERS).await.unwrap();
        assert_eq!(odb.text("SHOW search_path").await, "\"My schema\"");
    }
    // A second cluster with the same user would take the first one's tables away from it.
    odb.run("CREATE SCHEMA second").await;
    odb.login.address.schema = Some("second".into());
    let trouble = odb.begin(&wanted()).await.unwrap_err();
    assert_eq!(trouble.cause, Cause::DatabaseRefused);
    assert!(
        trouble.message.contains("give each cluster a user of its own"),
        "{trouble}"
    );
    assert_eq!(odb.text("SHOW search_path").await, "\"My schema\"");
}
