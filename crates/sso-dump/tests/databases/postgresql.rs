//! What a restore takes away from PostgreSQL and makes again, and what others see meanwhile.

use sso_dump::database::{Database, Kind};
use sso_dump::error::Error;
use sso_dump::restore;
use sso_dump::schema::TABLES;

use super::support::servers::{Cells, contents, create, execute, postgresql, query};
use super::support::*;
use super::{filled, is_empty};

fn replacing(bytes: &[u8]) -> restore::Options {
    let read = sso_dump::archive::read::read(
        bytes,
        &sso_dump::archive::seal::Identities::default(),
        &mut sso_dump::archive::read::Ignore,
    );
    restore::Options {
        replace_existing: Some(read.unwrap().manifest.header.snapshot),
        ..restore::Options::default()
    }
}

/// All keys, indexes and triggers, with what they are.
async fn makings(database: &Database) -> Cells {
    let all = "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || coalesce(obj_description(oid, 'pg_constraint'), '') \
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
        UNION ALL SELECT tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1";
    query(database, all).await
}

/// One that somebody made anew, otherwise than Zato does, stays so.
#[test]
fn keys_are_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = archive(&filled(Kind::Sqlite, folder.path(), 10), options()).unwrap();
    let to = wait(create(Kind::Postgresql));
    wait(execute(
        &to,
        "ALTER TABLE zato_sso_session DROP CONSTRAINT zato_sso_session_user_id_fkey;
         ALTER TABLE zato_sso_session ADD CONSTRAINT \"of a \"\"user\"\"\" FOREIGN KEY (user_id) REFERENCES zato_sso_user (id) \
             ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED;
         COMMENT ON CONSTRAINT \"of a \"\"user\"\"\" ON zato_sso_session IS 'it''s ours'",
    ));
    let before = wait(makings(&to));
    assert!(before.len() > 30);
    restore(&bytes, &to, restore::Options::default()).unwrap();
    assert_eq!(wait(makings(&to)), before);
    restore(&bytes, &to, replacing(&bytes)).unwrap();
    assert_eq!(wait(makings(&to)), before);
    let orphan = "INSERT INTO zato_sso_user_group VALUES (9, NULL, 1, 99)";
    let refused = wait(async { postgresql(&to).await.batch_execute(orphan).await });
    assert!(refused.is_err_and(|why| why.code().is_some_and(|code| code.code() == "23503")));
}

/// A user who may write rows and nothing else: keys stay where they are, and all comes out the same.
#[test]
fn who_does_not_own_the_tables_restores_them_too() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = archive(&filled(Kind::Sqlite, folder.path(), 10), options()).unwrap();
    let (to, expected) = (wait(create(Kind::Postgresql)), wait(create(Kind::Postgresql)));
    let Database::Postgresql(mut server) = to.clone() else {
        unreachable!()
    };
    server.user = format!("writer_{}", server.database);
    server.password = Some("geheim".to_owned().into());
    wait(execute(
        &to,
        &format!(
            "CREATE ROLE {0} LOGIN PASSWORD 'geheim'; GRANT ALL ON ALL TABLES IN SCHEMA public TO {0}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {0}",
            server.user
        ),
    ));
    let before = wait(makings(&to));
    let writer = Database::Postgresql(server);
    for options in [restore::Options::default(), replacing(&bytes)] {
        restore(&bytes, &writer, options).unwrap();
    }
    restore(&bytes, &expected, restore::Options::default()).unwrap();
    assert_eq!(wait(contents(&to, true)), wait(contents(&expected, true)));
    assert_eq!(wait(makings(&to)), before);
    assert_eq!(wait(sequences(&to)), wait(sequences(&expected)));
}

/// The number that each would give next.
async fn sequences(database: &Database) -> Vec<i64> {
    let mut all = Vec::new();
    for table in &TABLES {
        let next = format!(
            "SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END FROM {}",
            table.sequence
        );
        all.push(
            query(database, &next).await[0][0]
                .as_deref()
                .unwrap()
                .parse()
                .unwrap(),
        );
    }
    all
}

/// A number that was given away is never given again, and a restore that fails gives none away.
#[test]
fn sequences_are_a_part_of_the_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = archive(&filled(Kind::Sqlite, folder.path(), 10), options()).unwrap();
    let to = wait(create(Kind::Postgresql));
    let ahead = "SELECT setval('zato_sso_group_id_seq', 500), nextval('zato_sso_ug_seq')";
    wait(execute(&to, ahead));
    let before = wait(sequences(&to));
    wait(execute(
        &to,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';
         CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON zato_sso_group DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()",
    ));
    assert!(matches!(
        restore(&bytes, &to, restore::Options::default()),
        Err(Error::Database { .. })
    ));
    assert!(wait(is_empty(&to)));
    assert_eq!(wait(sequences(&to)), before);
    wait(execute(&to, "DROP TRIGGER at_commit ON zato_sso_group"));
    restore(&bytes, &to, restore::Options::default()).unwrap();
    let after = wait(sequences(&to));
    assert_eq!(after, [41, 501, 5, 41, 1001, before[5], before[6]]);
}

/// A reader of another program, whose snapshot is older than a restore and who has locked nothing, sees what was there.
#[test]
fn older_snapshots_see_the_rows_of_before() {
    let folder = tempfile::tempdir().unwrap();
    let to = filled(Kind::Postgresql, folder.path(), 10);
    let (_, bytes) = archive(&to, options()).unwrap();
    wait(execute(&to, "UPDATE zato_sso_group SET source = 'before'"));
    wait(async {
        let reader = postgresql(&to).await;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM cluster";
        reader.batch_execute(begin).await.unwrap();
        let (target, bytes) = (to.clone(), bytes.clone());
        let options = replacing(&bytes);
        let restoring = std::thread::spawn(move || restore(&bytes, &target, options));
        restoring.join().unwrap().unwrap();
        for (table, condition, rows) in [
            ("user", "true", 14),
            ("group", "source = 'before'", 4),
            ("session", "true", 14),
        ] {
            let count = format!("SELECT count(*) FROM zato_sso_{table} WHERE {condition}");
            let row = reader.query_one(&count, &[]).await.unwrap();
            assert_eq!(row.get::<_, i64>(0), rows, "{table}");
        }
    });
    let now = wait(query(
        &to,
        "SELECT count(*) FROM zato_sso_group WHERE source = 'before'",
    ));
    assert_eq!(now[0][0].as_deref(), Some("0"));
}

/// Tables that nobody knows and that refer to users: their rows would go, too.
#[test]
fn rows_that_others_refer_to_are_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let to = filled(Kind::Postgresql, folder.path(), 10);
    let (_, bytes) = archive(&to, options()).unwrap();
    wait(execute(
        &to,
        "CREATE TABLE badge (user_id INTEGER REFERENCES zato_sso_user (id) ON DELETE CASCADE); INSERT INTO badge VALUES (1)",
    ));
    let before = wait(contents(&to, true));
    let error = restore(&bytes, &to, replacing(&bytes)).unwrap_err();
    assert!(error.to_string().contains("refer to them: badge"), "{error}");
    assert_eq!(wait(contents(&to, true)), before);
    assert_eq!(
        wait(query(&to, "SELECT count(*) FROM badge"))[0][0].as_deref(),
        Some("1")
    );
}
