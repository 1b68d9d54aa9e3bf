//! Throw-away databases on the servers that dev/databases.sh starts.

use std::sync::atomic::{AtomicU32, Ordering};

use mysql_async::prelude::Queryable;
use sso_dump::database::{Database, Kind, Server};
use sso_dump::error::Error;
use sso_dump::schema::{TABLES, Type, sql};

/// The URL of a server, as the script says it.
fn url(kind: Kind) -> String {
    let name = match kind {
        Kind::Postgresql => "ZATO_SSO_TEST_POSTGRESQL",
        _ => "ZATO_SSO_TEST_MYSQL",
    };
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run these tests with dev/databases.sh"))
}

fn at(kind: Kind, database: &str) -> Database {
    Database::from_url(&format!("{}/{database}", url(kind)), None).unwrap()
}

fn server(database: &Database) -> &Server {
    match database {
        Database::Postgresql(server) | Database::Mysql(server) => server,
        Database::Sqlite(_) => panic!("no server"),
    }
}

/// The same database as a user sees it who comes in with TLS only; `parameters`: of the URL.
pub fn secure(database: &Database, kind: Kind, parameters: &str) -> Result<Database, Error> {
    let server = server(database);
    let scheme = url(kind).split(':').next().unwrap_or_default().to_owned();
    let url = format!(
        "{scheme}://secure@localhost:{}/{}?{parameters}",
        server.port, server.database
    );
    Database::from_url(&url, Some("geheim".to_owned().into()))
}

/// A new, empty database with the tables of Zato.
pub async fn create(kind: Kind) -> Database {
    let database = create_bare(kind).await;
    for statement in sql::create(kind) {
        execute(&database, &statement).await;
    }
    for statement in super::others()
        .split(';')
        .filter(|statement| !statement.trim().is_empty())
    {
        execute(&database, statement).await;
    }
    database
}

/// A new database without tables.
pub async fn create_bare(kind: Kind) -> Database {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let (main, encoding) = match kind {
        Kind::Postgresql => ("postgres", " ENCODING 'UTF8' TEMPLATE template0"),
        _ => ("mysql", " CHARACTER SET utf8mb4"),
    };
    execute(&at(kind, main), &format!("CREATE DATABASE {name}{encoding}")).await;
    at(kind, &name)
}

/// Runs statements.
pub async fn execute(database: &Database, statement: &str) {
    let told = |why: &dyn std::fmt::Debug| panic!("{statement}: {why:?}");
    if let Database::Postgresql(_) = database {
        let client = postgresql(database).await;
        client
            .batch_execute(statement)
            .await
            .unwrap_or_else(|why| told(&why));
        return;
    }
    let mut connection = mysql(database).await;
    connection
        .query_drop(statement)
        .await
        .unwrap_or_else(|why| told(&why));
    connection.disconnect().await.unwrap();
}

/// A connection that stays open.
pub async fn postgresql(database: &Database) -> tokio_postgres::Client {
    let server = server(database);
    let mut config = tokio_postgres::Config::new();
    config
        .host(&server.host)
        .port(server.port)
        .user(&server.user)
        .dbname(&server.database);
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A connection that stays open.
pub async fn mysql(database: &Database) -> mysql_async::Conn {
    let server = server(database);
    let options = mysql_async::OptsBuilder::default()
        .ip_or_hostname(&server.host)
        .tcp_port(server.port)
        .user(Some(&server.user))
        .db_name(Some(&server.database))
        .prefer_socket(false);
    mysql_async::Conn::new(options).await.unwrap()
}

/// One text a cell.
pub type Cells = Vec<Vec<Option<String>>>;

/// The outcome of a query, as text.
pub async fn query(database: &Database, query: &str) -> Cells {
    match database {
        Database::Postgresql(_) => {
            let messages = postgresql(database).await.simple_query(query).await.unwrap();
            let row = |message: &tokio_postgres::SimpleQueryMessage| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
                }
                _ => None,
            };
            messages.iter().filter_map(row).collect()
        }
        Database::Mysql(_) => {
            let mut connection = mysql(database).await;
            let rows: Vec<mysql_async::Row> = connection.query(query).await.unwrap();
            connection.disconnect().await.unwrap();
            rows.into_iter()
                .map(|row| row.unwrap().into_iter().map(mysql_async::from_value).collect())
                .collect()
        }
        Database::Sqlite(path) => {
            let connection = rusqlite::Connection::open(path).unwrap();
            let mut statement = connection.prepare(query).unwrap();
            let count = statement.column_count();
            let cell = |row: &rusqlite::Row<'_>, at: usize| match row.get_ref(at).unwrap() {
                rusqlite::types::ValueRef::Null => None,
                rusqlite::types::ValueRef::Integer(number) => Some(number.to_string()),
                other => Some(String::from_utf8(other.as_bytes().unwrap().to_vec()).unwrap()),
            };
            let rows = statement.query_map([], |row| Ok((0..count).map(|at| cell(row, at)).collect()));
            rows.unwrap().map(Result::unwrap).collect()
        }
    }
}

/// Everything in the seven tables, as the databases' own drivers read it: booleans as 0 and 1, dates with or without the
/// fraction of a second.
pub async fn contents(database: &Database, has_fractions: bool) -> Vec<Cells> {
    let mut all = Vec::new();
    for table in &TABLES {
        let mut rows = query(database, &sql::select(database.kind(), table)).await;
        for row in &mut rows {
            for (column, cell) in table.columns.iter().zip(row) {
                let Some(text) = cell else { continue };
                match column.kind {
                    Type::Boolean => *text = text.replace('t', "1").replace('f', "0"),
                    Type::Timestamp => {
                        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
                        *text = if has_fractions {
                            format!("{seconds}.{fraction:0<6}")
                        } else {
                            seconds.to_owned()
                        };
                    }
                    _ => {}
                }
            }
        }
        all.push(rows);
    }
    all
}
