//! After Zato's commands: whether they had their effect, and what they leave open is closed. Repeatable, in one transaction.

use tokio_postgres::{Client, GenericClient};

use super::connection::{connect, quoted, told};
use super::login::Login;
use super::look::{Found, Wanted, foreign, found};
use super::tables::MARK;
use crate::exchange::database::{Cause, Trouble};

/// Channels through which `pubapi` could run any service and upload code.
const ADMINISTRATIVE_CHANNELS: &str =
    "UPDATE http_soap SET is_active = false WHERE url_path LIKE '/zato/json/%' AND is_active";

/// Judges what was created, and makes it as it has to be: `servers` is where the dashboard finds them.
pub async fn settle(login: &Login, wanted: &Wanted<'_>, servers: (&str, i32)) -> Result<(), Trouble> {
    let mut client = connect(login).await?;
    let id = created(&client, login, wanted).await?;
    settings(&client, login).await?;
    let failed = told(login);
    let transaction = client.transaction().await.map_err(&failed)?;
    let text = "UPDATE cluster SET lb_host = $1, lb_port = $2 WHERE id = $3 AND (lb_host, lb_port) IS DISTINCT FROM ($1, $2)";
    let (host, port) = servers;
    transaction
        .execute(text, &[&host, &port, &id])
        .await
        .map_err(&failed)?;
    transaction
        .execute(ADMINISTRATIVE_CHANNELS, &[])
        .await
        .map_err(&failed)?;
    // Nothing is half made any more.
    let text = format!("DROP TABLE IF EXISTS {MARK}");
    transaction.batch_execute(&text).await.map_err(&failed)?;
    transaction.commit().await.map_err(&failed)
}

/// Whether the cluster is there, and is this one.
pub async fn check(login: &Login, wanted: &Wanted<'_>) -> Result<(), Trouble> {
    let client = connect(login).await?;
    created(&client, login, wanted).await.map(drop)
}

/// Gives a server the token with which it finds its row when it starts.
pub async fn enter(login: &Login, wanted: &Wanted<'_>, server: &str, token: &str) -> Result<(), Trouble> {
    let mut client = connect(login).await?;
    let id = created(&client, login, wanted).await?;
    let failed = told(login);
    let transaction = client.transaction().await.map_err(&failed)?;
    let text = "UPDATE server SET token = $1 WHERE name = $2 AND cluster_id = $3";
    let changed = transaction
        .execute(text, &[&token, &server, &id])
        .await
        .map_err(&failed)?;
    if changed != 1 {
        let message = format!(
            "{} has {changed} servers of name {server}, not one: delete the pod, and its row is made anew",
            login.address
        );
        return Err(Trouble::new(Cause::CreationFailed, message));
    }
    transaction
        .execute(ADMINISTRATIVE_CHANNELS, &[])
        .await
        .map_err(&failed)?;
    transaction.commit().await.map_err(&failed)
}

/// The number of the cluster, which must be there.
async fn created(client: &Client, login: &Login, wanted: &Wanted<'_>) -> Result<i32, Trouble> {
    match found(client, login, wanted).await? {
        Found::Cluster(id) => Ok(id),
        Found::Nothing => Err(foreign(
            login,
            "has no table of Zato: its database Job creates them; did somebody drop them, or take the schema away?",
        )),
        Found::Begun | Found::Tables => Err(foreign(
            login,
            "has tables of Zato and no cluster in them: the database Job creates it; did somebody delete it?",
        )),
    }
}

/// What a session of this user must begin with. Zato's sessions are nobody's to change, so it is the user's own setting in
/// this database alone.
pub async fn settings(client: &Client, login: &Login) -> Result<(), Trouble> {
    // Else Zato writes the passwords of single sign-on in a form that it cannot read.
    set(client, login, "bytea_output", "escape", "escape").await?;
    let Some(schema) = login.schema() else {
        return Ok(());
    };
    if let Some(other) = own(client, login, "search_path")
        .await?
        .filter(|other| other != &quoted(schema) && other != schema)
    {
        let message = format!(
            "{}: the sessions of user {} begin in {other} (search_path), and not in schema {schema}: give each cluster a user of its own, or ALTER ROLE .. IN DATABASE .. RESET search_path",
            login.address, login.user
        );
        return Err(Trouble::new(Cause::DatabaseRefused, message));
    }
    set(client, login, "search_path", schema, &quoted(schema)).await
}

/// Sets it where a new session would not have it.
async fn set(client: &Client, login: &Login, name: &str, value: &str, text: &str) -> Result<(), Trouble> {
    let failed = told(login);
    let query = "SELECT reset_val FROM pg_settings WHERE name = $1";
    let row = client.query_one(query, &[&name]).await.map_err(&failed)?;
    let has: String = row.get(0);
    if has == value || has == text {
        return Ok(());
    }
    let row = client
        .query_one("SELECT session_user::text, current_database()::text", &[])
        .await;
    let row = row.map_err(&failed)?;
    let (user, database) = (quoted(row.get(0)), quoted(row.get(1)));
    let change = format!("ALTER ROLE {user} IN DATABASE {database} SET {name} TO {text}");
    client.batch_execute(&change).await.map_err(&failed)
}

/// The user's own setting in this database.
async fn own(client: &impl GenericClient, login: &Login, name: &str) -> Result<Option<String>, Trouble> {
    let text = "SELECT unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase \
        JOIN pg_roles r ON r.oid = s.setrole WHERE d.datname = current_database() AND r.rolname = session_user";
    let rows = client.query(text, &[]).await.map_err(told(login))?;
    let mut settings = rows.iter().filter_map(|row| {
        let (key, value) = row.get::<_, &str>(0).split_once('=')?;
        (key == name).then(|| value.to_owned())
    });
    Ok(settings.next())
}
