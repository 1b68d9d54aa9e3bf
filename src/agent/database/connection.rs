//! Connections, and what is told of errors.
//!
//! Owns the way from an error of the driver to a [`Cause`]. Must never tell the detail of a server's error, which repeats
//! values.

use std::time::Duration;

use tokio_postgres::error::DbError;
use tokio_postgres::{Client, Config, NoTls};

use super::login::Login;
use crate::exchange::database::{Cause, Trouble};

/// A server that needs longer to let somebody in is as good as gone.
const CONNECTING: Duration = Duration::from_secs(15);

/// Statements are short; one that waits for a lock of others ends, and is tried again.
const SETTINGS: &str = "SET statement_timeout = '30s'; SET lock_timeout = '20s'; SET idle_in_transaction_session_timeout = '60s'";

/// A connection in the schema of the cluster.
pub async fn connect(login: &Login) -> Result<Client, Trouble> {
    let address = &login.address;
    let mut config = Config::new();
    config
        .host(&address.host)
        .port(address.port)
        .user(&login.user)
        .dbname(&address.name)
        .password(login.password.as_bytes())
        .application_name("zato-operator agent")
        .connect_timeout(CONNECTING);
    let connected = tokio::time::timeout(CONNECTING, config.connect(NoTls)).await;
    let (client, connection) = match connected {
        Ok(Ok(pair)) => pair,
        Ok(Err(error)) => return Err(trouble(login, &error)),
        Err(_) => {
            let message = format!(
                "{address} does not answer within {} s: {NO_ANSWER}",
                CONNECTING.as_secs()
            );
            return Err(Trouble::new(Cause::DatabaseUnreachable, message));
        }
    };
    // It ends with the client, and what it ends with the client's requests end with, too.
    tokio::spawn(connection);
    let schema = login
        .schema()
        .map(|schema| format!("; SET search_path TO {}", quoted(schema)));
    let settings = format!("{SETTINGS}{}", schema.unwrap_or_default());
    client.batch_execute(&settings).await.map_err(told(login))?;
    Ok(client)
}

/// A name as SQL has it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// For `map_err`.
pub fn told(login: &Login) -> impl Fn(tokio_postgres::Error) -> Trouble {
    move |error| trouble(login, &error)
}

const NO_ANSWER: &str = "check host and port in spec.database.postgresql, and that network policies let the pods of the cluster through";

fn trouble(login: &Login, error: &tokio_postgres::Error) -> Trouble {
    let address = &login.address;
    if let Some(server) = error.as_db_error() {
        let (cause, next) = judged(server);
        let code = server.code().code();
        let message = format!(
            "{address} answers: {} (SQLSTATE {code}): {next}",
            server.message()
        );
        return Trouble::new(cause, message);
    }
    // The texts of the driver: what it cannot do, and what the network did not.
    let text = chain(error);
    if text.contains("authentication") {
        let message =
            format!("{address}: {text}: PostgreSQL must ask for a password by scram-sha-256 or md5");
        return Trouble::new(Cause::DatabaseRefused, message);
    }
    let message = format!("{address} does not answer: {text}: {NO_ANSWER}");
    Trouble::new(Cause::DatabaseUnreachable, message)
}

/// With its causes.
fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let inner = error.to_string();
        if !text.ends_with(&inner) {
            text = format!("{text}: {inner}");
        }
        source = error.source();
    }
    text
}

/// What a refusal is, and what to do about it.
fn judged(error: &DbError) -> (Cause, &'static str) {
    let code = error.code().code();
    let is_plain = error.message().contains("no encryption") || error.message().contains("SSL off");
    match (&code[..2], code) {
        // Starting up, shutting down, no connections left.
        ("57" | "53" | "08", _) => (Cause::DatabaseUnreachable, "it is tried again"),
        ("28", _) if is_plain => (
            Cause::DatabaseRefused,
            "the server wants TLS, or does not let these pods in: change its pg_hba.conf",
        ),
        ("28", _) => (
            Cause::DatabaseRefused,
            "correct user and password in the Secret that spec.database.postgresql.credentialsSecretRef names, or the server's pg_hba.conf",
        ),
        (_, "3D000") => (
            Cause::DatabaseRefused,
            "create the database, or correct spec.database.postgresql.database",
        ),
        (_, "42501") => (Cause::DatabaseRefused, "grant the user that right"),
        // A lock that others hold, a deadlock, a serialization failure.
        ("55" | "40", _) => (Cause::DatabaseUnreachable, "it is tried again"),
        // Tables and columns that Zato's have and these have not.
        ("42", _) => (
            Cause::DatabaseForeign,
            "its tables are not those of Zato 3.2: name another database or schema",
        ),
        _ => (Cause::DatabaseRefused, "see the log of the server"),
    }
}
