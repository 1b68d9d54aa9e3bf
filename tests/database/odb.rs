//! A database of its own for each test, what Zato's commands make there, and what every refusal has in common.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};
use zato_operator::agent::database::{Address, Found, Login, TABLES, Wanted, begin, enter, look, settle};
use zato_operator::exchange::database::{Cause, Trouble};

/// The key and a token of it from the specification of Fernet.
pub const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
pub const TOKEN: &str =
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
pub const OTHER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// Everybody's.
pub const PASSWORD: &str = "geheim";
pub const SERVERS: (&str, i32) = ("demo-servers.default.svc", 17010);
/// How long the sessions of a client that was dropped may stay.
const LIMIT: Duration = Duration::from_secs(30);

/// The columns that Zato's tables have and that count here.
pub const COLUMNS: [(&str, &str); 4] = [
    (
        "cluster",
        "id integer PRIMARY KEY, name varchar(200) NOT NULL UNIQUE, lb_host varchar(200) NOT NULL, lb_port integer NOT NULL",
    ),
    (
        "server",
        "id integer PRIMARY KEY, name varchar(200) NOT NULL, token varchar(32) NOT NULL, cluster_id integer NOT NULL REFERENCES cluster",
    ),
    (
        "http_soap",
        "id integer PRIMARY KEY, url_path varchar(200), is_active boolean NOT NULL, cluster_id integer NOT NULL REFERENCES cluster",
    ),
    (
        "sec_base",
        "id integer PRIMARY KEY, name varchar(200) NOT NULL, username varchar(200), password varchar(1000), cluster_id integer NOT NULL REFERENCES cluster",
    ),
];

/// A database of its own, with a user of its own that owns it.
pub struct Odb {
    pub login: Login,
    pub administrator: Client,
}

pub async fn connect(user: &str, database: &str) -> Client {
    let url = std::env::var("ZATO_SSO_TEST_POSTGRESQL").expect("run this through dev/databases.sh");
    let mut config: Config = url.parse().unwrap();
    config.user(user).password(PASSWORD).dbname(database);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Odb {
    pub async fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "odb_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let administrator = connect("zato", "postgres").await;
        administrator
            .batch_execute(&format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"))
            .await
            .unwrap();
        administrator
            .batch_execute(&format!("CREATE DATABASE {name} OWNER {name}"))
            .await
            .unwrap();
        Self {
            login: login(&name, &name),
            administrator: connect("zato", &name).await,
        }
    }

    pub async fn run(&self, text: &str) {
        connect(&self.login.user, &self.login.address.name)
            .await
            .batch_execute(text)
            .await
            .unwrap();
    }

    /// What a query of a new session of the user answers, as text.
    pub async fn text(&self, query: &str) -> String {
        let client = connect(&self.login.user, &self.login.address.name).await;
        client.query_one(query, &[]).await.unwrap().get(0)
    }

    /// What `zato create odb` makes, or the first tables of it.
    pub async fn create_odb(&self, count: usize) {
        let ordered = COLUMNS
            .iter()
            .map(|(name, columns)| format!("CREATE TABLE {name} ({columns})"));
        let others = TABLES
            .iter()
            .filter(|name| COLUMNS.iter().all(|(column, _)| column != *name));
        let others = others.map(|name| format!("CREATE TABLE {name} (id integer)"));
        let text: Vec<_> = ordered.chain(others).take(count).collect();
        self.run(&text.join("; ")).await;
    }

    /// What `zato create cluster` and `create server` make.
    pub async fn create_cluster(&self, name: &str) {
        self.run(&format!(
            "INSERT INTO cluster VALUES (1, '{name}', '127.0.0.1', 11223);
             INSERT INTO server VALUES (1, 'demo-server-0', 'token-0', 1), (2, 'demo-server-1', 'token-1', 1);
             INSERT INTO http_soap VALUES (1, '/zato/json/zato.service.invoke', true, 1), (2, '/zato/ping', true, 1), (3, '/zato/json/x', false, 1);
             INSERT INTO sec_base VALUES (1, 'admin.invoke', 'admin.invoke', 'admin', 1), (2, 'pubapi', 'pubapi', 'zato.secf.{TOKEN}', 1), (3, 'without', NULL, NULL, 1);"
        ))
        .await;
    }

    pub async fn complete() -> Self {
        let odb = Self::new().await;
        odb.create_odb(TABLES.len()).await;
        odb.create_cluster("demo").await;
        odb
    }

    pub async fn refused(&self, wanted: &Wanted<'_>) -> (Cause, String) {
        refused(&self.login, wanted).await
    }

    /// As a pod of its own: when the sessions of others before it are gone.
    pub async fn begin(&self, wanted: &Wanted<'_>) -> Result<Found, Trouble> {
        let is_alone = tokio::time::timeout(LIMIT, self.until_alone()).await.is_ok();
        let user = &self.login.user;
        assert!(
            is_alone,
            "sessions of user {user} from before are there after {LIMIT:?}"
        );
        begin(&self.login, wanted).await
    }

    async fn until_alone(&self) {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1";
        while self
            .administrator
            .query_one(query, &[&self.login.user])
            .await
            .unwrap()
            .get::<_, i64>(0)
            > 0
        {
            tokio::task::yield_now().await;
        }
    }

    pub async fn has(&self, table: &str) -> bool {
        self.text(&format!("SELECT (to_regclass('{table}') IS NOT NULL)::text"))
            .await
            == "true"
    }
}

pub fn login(user: &str, database: &str) -> Login {
    let url: Config = std::env::var("ZATO_SSO_TEST_POSTGRESQL")
        .unwrap()
        .parse()
        .unwrap();
    Login {
        address: Address {
            host: "127.0.0.1".into(),
            port: url.get_ports()[0],
            name: database.into(),
            schema: None,
        },
        user: user.into(),
        password: PASSWORD.to_owned().into(),
    }
}

pub fn wanted() -> Wanted<'static> {
    Wanted {
        cluster: "demo",
        key1: KEY,
        admin_invoke: "admin",
    }
}

/// The trouble of every way into the database: it is the same, and has no password.
pub async fn refused(login: &Login, wanted: &Wanted<'_>) -> (Cause, String) {
    let trouble = look(login, wanted).await.unwrap_err();
    assert_eq!(begin(login, wanted).await.unwrap_err(), trouble);
    assert_eq!(
        settle(login, wanted, SERVERS).await.unwrap_err().cause,
        trouble.cause
    );
    assert_eq!(
        enter(login, wanted, "demo-server-0", "t")
            .await
            .unwrap_err()
            .cause,
        trouble.cause
    );
    let text = trouble.to_string();
    assert!(
        !text.contains(PASSWORD) && !text.contains(KEY) && !text.contains(TOKEN),
        "{text}"
    );
    (trouble.cause, trouble.message)
}
