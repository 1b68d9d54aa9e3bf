//! What is in a database, and whether this cluster can use it. Only reads.

use sso_dump::secrets::Secrets;
use tokio_postgres::Client;
use zeroize::Zeroizing;

use super::connection::{connect, quoted, told};
use super::login::Login;
use super::tables::{ALL, MARK};
use crate::exchange::database::{Cause, Trouble};

/// The oldest PostgreSQL that is let in. 15 is what the tests have; what Zato's drivers need is older than this one.
const OLDEST: i32 = 120_000;
/// What Zato puts before a value that is encrypted with `key1`.
const ENCRYPTED: &str = "zato.secf.";

/// What must be in the database of a cluster.
pub struct Wanted<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// The key of all secrets.
    pub key1: &'a str,
    /// The password of `admin.invoke`, which the database has in clear text until a server starts.
    pub admin_invoke: &'a str,
}

/// What is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// No table of Zato.
    Nothing,
    /// What was begun for this cluster and did not come to its end.
    Begun,
    /// All tables, and no cluster in them.
    Tables,
    /// This cluster, by its number.
    Cluster(i32),
}

/// A table of Zato's names that the user can see.
struct Table {
    name: String,
    /// A right that the user lacks.
    lacks: Option<String>,
}

/// Looks. A trouble is what a person must do something about.
pub async fn look(login: &Login, wanted: &Wanted<'_>) -> Result<Found, Trouble> {
    let client = connect(login).await?;
    found(&client, login, wanted).await
}

/// The same over a connection that is there.
pub async fn found(client: &Client, login: &Login, wanted: &Wanted<'_>) -> Result<Found, Trouble> {
    version(client, login).await?;
    let tables = tables(client, login).await?;
    let has = |name: &str| tables.iter().any(|table| table.name == name);
    let count = tables.iter().filter(|table| table.name != MARK).count();
    if has("cluster")
        && let Some(id) = cluster(client, login, wanted, &tables).await?
    {
        secrets(client, login, wanted, id).await?;
        return Ok(Found::Cluster(id));
    }
    may_create(client, login).await?;
    if has(MARK) {
        mine(client, login, wanted).await?;
        return Ok(Found::Begun);
    }
    match count {
        0 => Ok(Found::Nothing),
        _ if count == ALL.len() => Ok(Found::Tables),
        _ => Err(half(login, &tables)),
    }
}

async fn version(client: &Client, login: &Login) -> Result<(), Trouble> {
    let text = "SELECT current_setting('server_version_num')::int, current_setting('server_version')";
    let row = client.query_one(text, &[]).await.map_err(told(login))?;
    if row.get::<_, i32>(0) >= OLDEST {
        return Ok(());
    }
    let message = format!(
        "{} is PostgreSQL {}: use version {} or later",
        login.address,
        row.get::<_, String>(1),
        OLDEST / 10_000
    );
    Err(Trouble::new(Cause::DatabaseRefused, message))
}

const TABLES: &str = "SELECT relname::text, concat_ws(', ', \
    CASE WHEN NOT has_table_privilege(oid, 'SELECT') THEN 'SELECT' END, \
    CASE WHEN NOT has_table_privilege(oid, 'INSERT') THEN 'INSERT' END, \
    CASE WHEN NOT has_table_privilege(oid, 'UPDATE') THEN 'UPDATE' END, \
    CASE WHEN NOT has_table_privilege(oid, 'DELETE') THEN 'DELETE' END) \
    FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_table_is_visible(oid) AND relname::text = ANY($1) \
    ORDER BY relname";

async fn tables(client: &Client, login: &Login) -> Result<Vec<Table>, Trouble> {
    let names: Vec<&str> = ALL.into_iter().chain([MARK]).collect();
    let rows = client.query(TABLES, &[&names]).await.map_err(told(login))?;
    Ok(rows
        .iter()
        .map(|row| Table {
            name: row.get(0),
            lacks: Some(row.get(1)).filter(|lacks: &String| !lacks.is_empty()),
        })
        .collect())
}

/// Whether the user may create tables where they would go.
async fn may_create(client: &Client, login: &Login) -> Result<(), Trouble> {
    let text =
        "SELECT current_schema()::text, has_schema_privilege(current_schema(), 'CREATE'), current_user::text";
    let row = client.query_one(text, &[]).await.map_err(told(login))?;
    let (schema, may): (Option<String>, Option<bool>) = (row.get(0), row.get(1));
    let user = quoted(row.get(2));
    let address = &login.address;
    let message = match (schema, may) {
        (Some(_), Some(true)) => return Ok(()),
        (Some(schema), _) => {
            let schema = quoted(&schema);
            format!(
                "{address}: user {user} may not create tables in schema {schema}: GRANT CREATE ON SCHEMA {schema} TO {user}"
            )
        }
        (None, _) => {
            let schema = quoted(login.schema().unwrap_or("public"));
            format!(
                "{address}: there is no schema {schema} that user {user} may use: CREATE SCHEMA {schema} AUTHORIZATION {user}"
            )
        }
    };
    Err(Trouble::new(Cause::DatabaseRefused, message))
}

/// The number of the one cluster; none: there is no cluster yet.
async fn cluster(
    client: &Client,
    login: &Login,
    wanted: &Wanted<'_>,
    tables: &[Table],
) -> Result<Option<i32>, Trouble> {
    if let Some((table, right)) = tables
        .iter()
        .find_map(|table| Some((&table.name, table.lacks.as_ref()?)))
    {
        let user = quoted(&login.user);
        let message = format!(
            "{}: user {user} lacks the right to {right} in table {table}: give the user the rights of the tables' owner",
            login.address
        );
        return Err(Trouble::new(Cause::DatabaseRefused, message));
    }
    let rows = client
        .query("SELECT id, name::text FROM cluster ORDER BY id", &[])
        .await;
    let rows = rows.map_err(told(login))?;
    let names: Vec<String> = rows.iter().map(|row| row.get(1)).collect();
    match names.as_slice() {
        [] => Ok(None),
        [name] if name == wanted.cluster => Ok(rows.first().map(|row| row.get(0))),
        [name] => Err(foreign(
            login,
            &format!(
                "is the database of a cluster {name}, and not of {}: name another database, or give the ZatoCluster that name",
                wanted.cluster
            ),
        )),
        names => Err(foreign(
            login,
            &format!(
                "has {} clusters ({}), and Zato's components take any of them: name a database of its own",
                names.len(),
                names.join(", ")
            ),
        )),
    }
}

/// Whether what is encrypted there opens with this cluster's key.
async fn secrets(client: &Client, login: &Login, wanted: &Wanted<'_>, id: i32) -> Result<(), Trouble> {
    let text = "SELECT name::text, coalesce(username, '')::text, coalesce(password, '')::text FROM sec_base WHERE cluster_id = $1 ORDER BY id";
    let rows = client.query(text, &[&id]).await.map_err(told(login))?;
    let key = Secrets::from_key(wanted.key1, "the cluster's Secret")
        .map_err(|error| Trouble::new(Cause::KeyChanged, error.to_string()))?;
    let mut tokens = 0;
    for row in &rows {
        let (name, username, password): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let mut clear = Zeroizing::new(password.to_owned());
        if let Some(token) = password.strip_prefix(ENCRYPTED) {
            tokens += 1;
            let what = format!("key1 does not open the password of {name}");
            clear = key
                .open(token)
                .ok_or_else(|| changed(login, wanted, &what, "with another key"))?;
        }
        if username == "admin.invoke" && clear.as_str() != wanted.admin_invoke {
            let what = "adminInvokePassword is not the password of admin.invoke";
            return Err(changed(login, wanted, what, "with another password"));
        }
    }
    if tokens == 0 {
        // Zato makes several with each cluster.
        return Err(foreign(
            login,
            "has a cluster without any encrypted password, which is no work of Zato 3.2: name another database",
        ));
    }
    Ok(())
}

fn changed(login: &Login, wanted: &Wanted<'_>, what: &str, how: &str) -> Trouble {
    let message = format!(
        "{}: {what} in cluster {}, which was made {how}: put the Secret back that belongs to this database, or name an empty database",
        login.address, wanted.cluster
    );
    Trouble::new(Cause::KeyChanged, message)
}

pub fn foreign(login: &Login, why: &str) -> Trouble {
    Trouble::new(Cause::DatabaseForeign, format!("{} {why}", login.address))
}

/// Whether what was begun was begun for this cluster.
async fn mine(client: &Client, login: &Login, wanted: &Wanted<'_>) -> Result<(), Trouble> {
    let rows = client.query(&format!("SELECT cluster FROM {MARK}"), &[]).await;
    let rows = rows.map_err(told(login))?;
    let others = rows.iter().map(|row| row.get::<_, String>(0));
    let other = others.into_iter().find(|name| name != wanted.cluster);
    other.map_or(Ok(()), |name| {
        Err(foreign(
            login,
            &format!("is being made the database of a cluster {name}: name another database"),
        ))
    })
}

/// Some of Zato's tables: of a command that was interrupted, or of another program. Who made them is not guessed.
fn half(login: &Login, tables: &[Table]) -> Trouble {
    let names = tables.iter().take(3).map(|table| table.name.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    let why = format!(
        "has {} of the {} tables of Zato and no cluster ({names}, ..): another program has such tables, or a `zato create odb` did not come to its end: drop them if nobody needs them, or name another database or schema",
        tables.len(),
        ALL.len()
    );
    foreign(login, &why)
}
