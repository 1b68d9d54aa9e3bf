//! PostgreSQL.
//!
//! Owns connections and what a database has. Must never tell what a server says of values: only its message, without the
//! detail that repeats them.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::convert::{Form, Target};
use crate::database::{Database, Kind, Server, Tls};
use crate::error::Error;
use crate::schema::check::{Found, limits};
use crate::schema::{TABLES, sql};
use crate::stream::SecurityDefinition;

pub mod dump;
pub mod restore;

/// What may be told of an error: class 22 repeats values, details always do.
fn error<'a>(database: &'a Database, doing: &'a str) -> impl Fn(tokio_postgres::Error) -> Error + 'a {
    move |why| database.error(doing, told(&why))
}

/// After COMMIT: a server that answers has taken everything back; without an answer nobody knows.
fn commit_error(database: &Database) -> impl Fn(tokio_postgres::Error) -> Error {
    move |why| {
        // A server that shuts down, or whose connection is ended, says so; it is no answer to COMMIT.
        let is_lost = why
            .code()
            .is_none_or(|code| code.code().starts_with("57P") || code.code().starts_with("08"));
        if is_lost {
            database.unknown(told(&why))
        } else {
            database.error("commit", told(&why))
        }
    }
}

fn told(error: &tokio_postgres::Error) -> String {
    let Some(server) = error.as_db_error() else {
        let cause = std::error::Error::source(error);
        return cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    };
    let code = server.code().code();
    let message = server.message();
    let message = if code.starts_with("22") {
        message.split([':', '"']).next().unwrap_or_default()
    } else {
        message
    };
    let table = server
        .table()
        .map(|table| format!(" in {table}"))
        .unwrap_or_default();
    format!("{}{table} (SQLSTATE {code})", message.trim_end())
}

/// A connection; its other half ends with it.
async fn connect(database: &Database, server: &Server) -> Result<Client, Error> {
    let mut config = Config::new();
    config
        .host(&server.host)
        .port(server.port)
        .user(&server.user)
        .dbname(&server.database)
        .application_name("zato-operator sso")
        .connect_timeout(std::time::Duration::from_secs(15));
    if let Some(password) = &server.password {
        config.password(password.as_bytes());
    }
    let failed = error(database, "connect");
    let client = match &server.tls {
        Tls::Disabled => {
            config.ssl_mode(tokio_postgres::config::SslMode::Disable);
            let (client, connection) = config.connect(NoTls).await.map_err(&failed)?;
            tokio::spawn(connection);
            client
        }
        Tls::Verified(authorities) => {
            config.ssl_mode(tokio_postgres::config::SslMode::Require);
            let connector = MakeRustlsConnect::new(tls(authorities.as_deref())?);
            let (client, connection) = config.connect(connector).await.map_err(&failed)?;
            tokio::spawn(connection);
            client
        }
    };
    let schema = server.schema.as_deref().filter(|schema| !schema.is_empty());
    let schema =
        schema.map(|schema| format!("SET search_path TO {};", sql::quoted(Kind::Postgresql, schema)));
    let settings = format!(
        "{} SET datestyle = 'ISO'; SET statement_timeout = 0; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = 0",
        schema.unwrap_or_default()
    );
    client.batch_execute(&settings).await.map_err(&failed)?;
    Ok(client)
}

fn tls(authorities: Option<&std::path::Path>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = authorities {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        let wrong = |why: &dyn std::fmt::Display| Error::Usage(format!("{}: {why}", file.display()));
        for certificate in CertificateDer::pem_file_iter(file).map_err(|why| wrong(&why))? {
            let certificate = certificate.map_err(|why| wrong(&why))?;
            roots.add(certificate).map_err(|why| wrong(&why))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        return Err(Error::Usage(
            "no authority is known that could vouch for the server: name a file (sslrootcert=FILE)".into(),
        ));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|why| Error::Usage(why.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

const FOUND: &str = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL), \
    CASE WHEN t.typname = 'varchar' AND a.atttypmod > 4 THEN a.atttypmod - 4 END, \
    CASE WHEN t.typname = 'timestamp' AND a.atttypmod >= 0 THEN a.atttypmod END, a.attnotnull \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid \
    WHERE c.relkind IN ('r', 'p') AND c.relname LIKE 'zato\\_sso\\_%' AND pg_table_is_visible(c.oid) \
    AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum";

/// The columns of all tables of single sign-on.
async fn found(client: &Client) -> Result<Vec<Found>, tokio_postgres::Error> {
    let number = |value: Option<i32>| value.and_then(|value| u64::try_from(value).ok());
    let rows = client.query(FOUND, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Found {
            table: row.get(0),
            column: row.get(1),
            type_name: row.get(2),
            characters: number(row.get(3)),
            bytes: None,
            fraction: number(row.get(4)),
            is_nullable: !row.get::<_, bool>(5),
        })
        .collect())
}

async fn has(client: &Client, relation: &str) -> Result<bool, tokio_postgres::Error> {
    let row = client
        .query_one("SELECT to_regclass($1) IS NOT NULL", &[&relation])
        .await?;
    Ok(row.get(0))
}

async fn definitions(client: &Client, query: &str) -> Result<Vec<SecurityDefinition>, tokio_postgres::Error> {
    if !has(client, "sec_base").await? {
        return Ok(Vec::new());
    }
    let rows = client.query(query, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| SecurityDefinition {
            id: row.get::<_, i32>(0).into(),
            name: row.get(1),
            sec_type: row.get(2),
        })
        .collect())
}

/// What a target is, and how many rows its tables have.
pub async fn target(database: &Database, server: &Server) -> Result<(Target, Vec<u64>), Error> {
    let failed = error(database, "look at its tables");
    let client = connect(database, server).await?;
    let found = found(&client).await.map_err(&failed)?;
    let mut differences = Vec::new();
    for table in &TABLES {
        if !has(&client, table.sequence).await.map_err(&failed)? {
            differences.push(format!("sequence {} is missing", table.sequence));
        }
    }
    let target = Target {
        kind: Kind::Postgresql,
        form: Form::Fields,
        limits: limits(database, &found, differences)?,
        definitions: definitions(&client, sql::DEFINITIONS).await.map_err(&failed)?,
    };
    Ok((target, counts(&client).await.map_err(failed)?))
}

async fn counts(client: &Client) -> Result<Vec<u64>, tokio_postgres::Error> {
    let mut counts = Vec::new();
    for table in &TABLES {
        let row = client
            .query_one(&sql::count(Kind::Postgresql, table), &[])
            .await?;
        counts.push(row.get::<_, i64>(0).unsigned_abs());
    }
    Ok(counts)
}
