//! Before Zato's commands: a mark says that what comes is ours and not complete, and what a run before left is taken away.
//!
//! Zato's `create odb` commits each table, and cannot finish what another run has begun; `create cluster` commits once. So there
//! is no cluster, or all is there. Must never drop a table that has a row, nor touch anything without the mark.

use tokio_postgres::{Client, GenericClient, Transaction};

use super::connection::{connect, quoted, told};
use super::login::Login;
use super::look::{Found, Wanted, foreign, found};
use super::settle::settings;
use super::tables::{ALL, MARK, WITH_ROWS};
use crate::exchange::database::{Cause, Trouble};

/// Looks, and makes place for what is to be created. What was found.
pub async fn begin(login: &Login, wanted: &Wanted<'_>) -> Result<Found, Trouble> {
    let mut client = connect(login).await?;
    let found = found(&client, login, wanted).await?;
    // Zato's commands do not know the schema: the user's sessions have to begin in it.
    settings(&client, login).await?;
    match found {
        Found::Nothing => mark(&client, login, wanted).await?,
        Found::Begun => clear(&mut client, login).await?,
        Found::Tables | Found::Cluster(_) => {}
    }
    Ok(found)
}

async fn mark(client: &Client, login: &Login, wanted: &Wanted<'_>) -> Result<(), Trouble> {
    let name = wanted.cluster.replace('\'', "''");
    // One statement with its row: a mark without a name would be nobody's.
    let text = format!("CREATE TABLE {MARK} AS SELECT '{name}'::text AS cluster");
    client.batch_execute(&text).await.map_err(told(login))
}

/// Drops what was begun. The mark stays: it is begun again.
async fn clear(client: &mut Client, login: &Login) -> Result<(), Trouble> {
    let transaction = client.transaction().await.map_err(told(login))?;
    alone(&transaction, login).await?;
    let tables = begun(&transaction, login).await?;
    for table in &tables {
        if !WITH_ROWS.contains(&table.as_str()) && has_rows(&transaction, login, table).await? {
            let why = format!(
                "has rows in table {table}, although the creation of its cluster did not come to its end: look at them, and drop the tables if nobody needs them"
            );
            return Err(foreign(login, &why));
        }
    }
    if !tables.is_empty() {
        let names: Vec<_> = tables.iter().map(|table| quoted(table)).collect();
        let text = format!("DROP TABLE {}", names.join(", "));
        transaction.batch_execute(&text).await.map_err(told(login))?;
    }
    tracing::info!(
        tables = tables.len(),
        "a creation that did not come to its end begins anew"
    );
    transaction.commit().await.map_err(told(login))
}

/// Whether nobody of this cluster is at work: another creation whose end nobody waited for would lose its tables.
async fn alone(transaction: &Transaction<'_>, login: &Login) -> Result<(), Trouble> {
    let text = "SELECT string_agg(DISTINCT coalesce(nullif(application_name, ''), 'without a name'), ', ') FROM pg_stat_activity \
        WHERE datname = current_database() AND usename = session_user AND pid <> pg_backend_pid()";
    let row = transaction.query_one(text, &[]).await.map_err(told(login))?;
    let Some(others) = row.get::<_, Option<String>>(0) else {
        return Ok(());
    };
    let message = format!(
        "{}: user {} has other sessions there ({others}), perhaps of an earlier creation that still runs: it is tried again; end them if they stay",
        login.address, login.user
    );
    Err(Trouble::new(Cause::DatabaseUnreachable, message))
}

/// The tables in the schema where they are created.
async fn begun(client: &impl GenericClient, login: &Login) -> Result<Vec<String>, Trouble> {
    let text = "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace AND relname::text = ANY($1)";
    let rows = client
        .query(text, &[&ALL.as_slice()])
        .await
        .map_err(told(login))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn has_rows(client: &impl GenericClient, login: &Login, table: &str) -> Result<bool, Trouble> {
    let text = format!("SELECT EXISTS (SELECT FROM {})", quoted(table));
    let row = client.query_one(&text, &[]).await.map_err(told(login))?;
    Ok(row.get(0))
}
