//! MySQL and MariaDB.
//!
//! Owns connections and what a database has. Must never tell what a server says of values.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, SslOpts};

use crate::convert::{Form, Target};
use crate::database::{Database, Kind, Server, Tls};
use crate::error::Error;
use crate::schema::check::{Found, limits};
use crate::schema::{TABLES, sql};
use crate::stream::SecurityDefinition;

pub mod dump;
pub mod restore;

fn error<'a>(database: &'a Database, doing: &'a str) -> impl Fn(mysql_async::Error) -> Error + 'a {
    move |why| database.error(doing, told(&why))
}

/// After COMMIT: a server that answers has taken everything back; without an answer nobody knows.
fn commit_error(database: &Database) -> impl Fn(mysql_async::Error) -> Error {
    move |why| match &why {
        // 1053: it shuts down; 1317, 1927: the query or the connection was killed.
        mysql_async::Error::Server(server) if ![1053, 1317, 1927].contains(&server.code) => {
            database.error("commit", told(&why))
        }
        _ => database.unknown(told(&why)),
    }
}

/// Its messages repeat values in quotes: those go, but for the names of keys and columns at their ends.
fn told(error: &mysql_async::Error) -> String {
    let mysql_async::Error::Server(server) = error else {
        return error.to_string();
    };
    format!(
        "{} (error {})",
        message(server.code, &server.message),
        server.code
    )
}

fn message(code: u16, message: &str) -> String {
    match code {
        // Who was refused, not for what.
        1044..=1049 => message.to_owned(),
        1062 => format!(
            "two rows are the same {}; texts that differ in case or accents alone are the same to a collation of the \
             table's: give its columns one that tells them apart (utf8mb4_bin), or rename one of the two",
            after(message, "for key")
        ),
        1264 | 1265 | 1292 | 1366 | 1406 => format!("a value does not fit {}", after(message, "for column")),
        _ => quoted_left_out(message),
    }
}

fn after<'a>(message: &'a str, word: &str) -> &'a str {
    message.rfind(word).map_or("", |at| &message[at..])
}

fn quoted_left_out(message: &str) -> String {
    let pieces = message.split('\'').enumerate();
    pieces
        .map(|(place, piece)| if place % 2 == 0 { piece } else { ".." })
        .collect()
}

async fn connect(database: &Database, server: &Server) -> Result<Conn, Error> {
    let mut options = OptsBuilder::default()
        .user(Some(&server.user))
        .pass(server.password.as_ref().map(|password| password.to_string()))
        .db_name(Some(&server.database))
        .prefer_socket(false);
    options = if server.host.starts_with('/') {
        options.socket(Some(&server.host))
    } else {
        options.ip_or_hostname(&server.host).tcp_port(server.port)
    };
    if let Tls::Verified(authorities) = &server.tls {
        let authorities = authorities
            .iter()
            .map(|path| path.clone().into())
            .collect::<Vec<_>>();
        let own = !authorities.is_empty();
        let tls = SslOpts::default()
            .with_root_certs(authorities)
            .with_disable_built_in_roots(own);
        options = options.ssl_opts(Some(tls));
    }
    let mut connection = Conn::new(options).await.map_err(error(database, "connect"))?;
    connection
        .query_drop("SET NAMES utf8mb4, SESSION time_zone = '+00:00'")
        .await
        .map_err(error(database, "connect"))?;
    Ok(connection)
}

const FOUND: &str = "SELECT table_name, column_name, data_type, character_maximum_length, character_octet_length, \
    datetime_precision, is_nullable = 'YES' FROM information_schema.columns \
    WHERE table_schema = DATABASE() AND table_name LIKE 'zato\\\\_sso\\\\_%' ORDER BY table_name, ordinal_position";

/// The columns of all tables of single sign-on.
async fn found(connection: &mut Conn) -> mysql_async::Result<Vec<Found>> {
    type Column = (
        String,
        String,
        String,
        Option<u64>,
        Option<u64>,
        Option<u64>,
        bool,
    );
    let one = |(table, column, type_name, characters, octets, fraction, is_nullable): Column| {
        // The length of a TEXT is one of bytes, that of a VARCHAR one of characters.
        let is_varchar = type_name.eq_ignore_ascii_case("varchar");
        Found {
            table,
            column,
            type_name,
            characters: characters.filter(|_| is_varchar),
            bytes: octets.filter(|_| !is_varchar),
            fraction,
            is_nullable,
        }
    };
    connection.query_map(FOUND, one).await
}

async fn has_table(connection: &mut Conn, name: &str) -> mysql_async::Result<bool> {
    let query =
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?";
    let count: Option<u64> = connection.exec_first(query, (name,)).await?;
    Ok(count.unwrap_or_default() > 0)
}

async fn definitions(connection: &mut Conn, query: &str) -> mysql_async::Result<Vec<SecurityDefinition>> {
    if !has_table(connection, "sec_base").await? {
        return Ok(Vec::new());
    }
    let one = |(id, name, sec_type)| SecurityDefinition { id, name, sec_type };
    connection.query_map(query, one).await
}

/// What a target is, and how many rows its tables have.
pub async fn target(database: &Database, server: &Server) -> Result<(Target, Vec<u64>), Error> {
    let failed = error(database, "look at its tables");
    let mut connection = connect(database, server).await?;
    let found = found(&mut connection).await.map_err(&failed)?;
    let differences = engines(&mut connection).await.map_err(&failed)?;
    let takes_files: Option<bool> = connection
        .query_first("SELECT @@local_infile")
        .await
        .map_err(&failed)?;
    let target = Target {
        kind: Kind::Mysql,
        // Half as much work for the server, but it may be switched off.
        form: if takes_files.unwrap_or_default() {
            Form::Fields
        } else {
            Form::Tuples
        },
        limits: limits(database, &found, differences)?,
        definitions: definitions(&mut connection, sql::DEFINITIONS)
            .await
            .map_err(&failed)?,
    };
    let counts = counts(&mut connection).await.map_err(failed)?;
    let _ = connection.disconnect().await;
    Ok((target, counts))
}

/// Without transactions there is no all or nothing.
async fn engines(connection: &mut Conn) -> mysql_async::Result<Vec<String>> {
    let query = "SELECT table_name, engine FROM information_schema.tables WHERE table_schema = DATABASE() \
        AND table_name LIKE 'zato\\\\_sso\\\\_%' AND engine <> 'InnoDB'";
    connection
        .query_map(query, |(table, engine): (String, String)| {
            format!("table {table} is of engine {engine}, not InnoDB")
        })
        .await
}

async fn counts(connection: &mut Conn) -> mysql_async::Result<Vec<u64>> {
    let mut counts = Vec::new();
    for table in &TABLES {
        let count: Option<u64> = connection.query_first(sql::count(Kind::Mysql, table)).await?;
        counts.push(count.unwrap_or_default());
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what a server says to COMMIT tells that the rows are not there.
    #[test]
    fn a_commit_without_an_answer_is_unknown() {
        let database = Database::from_url("mysql://u@localhost/d", None).unwrap();
        let server = |code| {
            mysql_async::Error::Server(mysql_async::ServerError {
                code,
                message: "m".into(),
                state: "HY000".into(),
            })
        };
        let failed = commit_error(&database);
        assert!(matches!(failed(server(1180)), Error::Database { .. }));
        let lost = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        for why in [server(1927), server(1053), mysql_async::Error::from(lost)] {
            let error = failed(why);
            assert!(matches!(&error, Error::Unknown { .. }), "{error}");
            assert!(
                error
                    .to_string()
                    .contains("sso diff ARCHIVE mysql://u@localhost:3306/d")
            );
        }
    }
}
