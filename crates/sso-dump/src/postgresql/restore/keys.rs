//! Foreign keys and sequences of the tables, while rows are written.
//!
//! Owns what is taken away and made again in the transaction. Must never leave a key out that was there, nor let a sequence
//! go back.

use tokio_postgres::{Client, Error, Row};

use crate::schema::{TABLES, sql};

/// Keys between the tables that are taken away until all rows are there.
pub(super) struct Keys(Vec<Key>);

struct Key {
    table: String,
    name: String,
    definition: String,
    comment: Option<String>,
}

/// Those among the tables alone: to take away one that leads elsewhere would lock a table that servers read. One that was never
/// looked at stays as it is.
const KEYS: &str = "SELECT c.conrelid::regclass::text, quote_ident(c.conname), pg_get_constraintdef(c.oid), \
    quote_literal(obj_description(c.oid, 'pg_constraint')) \
    FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0 AND c.convalidated \
    AND c.conrelid = ANY($1::text[]::regclass[]) AND c.confrelid = ANY($1::text[]::regclass[]) ORDER BY c.conrelid, c.conname";

/// Whether this user may take keys away: the one who made the tables, or who is of that role.
const OWNS: &str =
    "SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class WHERE oid = ANY($1::text[]::regclass[])";

/// Triggers that somebody else made wait for the end of the transaction: until then no key can be made.
const WAITS: &str = "SELECT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = ANY($1::text[]::regclass[]) AND tgdeferrable AND NOT tgisinternal)";

/// Tables of others whose rows would go with those that are deleted.
const OTHERS: &str = "SELECT DISTINCT c.conrelid::regclass::text FROM pg_constraint c WHERE c.contype = 'f' \
    AND c.confrelid = ANY($1::text[]::regclass[]) AND c.conrelid <> ALL($1::text[]::regclass[]) ORDER BY 1";

impl Keys {
    /// Takes them away: each row would be looked at by itself otherwise, one after another. None: it cannot be done
    /// here.
    pub(super) async fn take_away(client: &Client) -> Result<Option<Self>, Error> {
        let names = names();
        let owns: bool = client.query_one(OWNS, &[&names]).await?.get(0);
        let waits: bool = client.query_one(WAITS, &[&names]).await?.get(0);
        if !owns || waits {
            return Ok(None);
        }
        let rows = client.query(KEYS, &[&names]).await?;
        let keys: Vec<_> = rows.iter().map(key).collect();
        for Key { table, name, .. } in &keys {
            let statement = format!("ALTER TABLE {table} DROP CONSTRAINT {name}");
            client.batch_execute(&statement).await?;
        }
        Ok(Some(Self(keys)))
    }

    /// Makes them again, which looks at all rows at once.
    pub(super) async fn make_again(&self, client: &Client) -> Result<(), Error> {
        for key in &self.0 {
            let (table, name) = (&key.table, &key.name);
            let statement = format!("ALTER TABLE {table} ADD CONSTRAINT {name} {}", key.definition);
            client.batch_execute(&statement).await?;
            if let Some(comment) = &key.comment {
                let statement = format!("COMMENT ON CONSTRAINT {name} ON {table} IS {comment}");
                client.batch_execute(&statement).await?;
            }
        }
        Ok(())
    }
}

fn key(row: &Row) -> Key {
    Key {
        table: row.get(0),
        name: row.get(1),
        definition: row.get(2),
        comment: row.get(3),
    }
}

fn names() -> Vec<&'static str> {
    TABLES.iter().map(|table| table.name).collect()
}

/// Tables that refer to these, and are none of them.
pub(super) async fn others(client: &Client) -> Result<Vec<String>, Error> {
    let rows = client.query(OTHERS, &[&names()]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The sequences: whether they can be set as a part of the transaction.
pub(super) struct Sequences {
    is_owner: bool,
}

impl Sequences {
    /// Keeps everybody else from taking numbers until the end. In the order of who writes: first a number, then the row.
    pub(super) async fn lock(client: &Client) -> Result<Self, Error> {
        let names: Vec<_> = TABLES.iter().map(|table| table.sequence).collect();
        let is_owner = client.query_one(OWNS, &[&names]).await?.get(0);
        if is_owner {
            for table in &TABLES {
                let row = client.query_one(sql::SEQUENCE_CACHE, &[&table.sequence]).await?;
                // As it is: nothing else locks a sequence.
                let statement = format!("ALTER SEQUENCE {} CACHE {}", table.sequence, row.get::<_, i64>(0));
                client.batch_execute(&statement).await?;
            }
        }
        Ok(Self { is_owner })
    }

    /// The next numbers come after all ids that are there, and after all that were given away.
    pub(super) async fn set(&self, client: &Client) -> Result<(), Error> {
        for table in &TABLES {
            if !self.is_owner {
                // Not taken back when the transaction is: it is further ahead then, never back.
                client.batch_execute(&sql::set_sequence(table)).await?;
                continue;
            }
            if let Some(row) = client.query_opt(&sql::next_of_sequence(table), &[]).await? {
                let next: i64 = row.get(0);
                let statement = format!("ALTER SEQUENCE {} RESTART WITH {next}", table.sequence);
                client.batch_execute(&statement).await?;
            }
        }
        Ok(())
    }
}
