//! After creation and before the server: checks by their effect what Zato's commands did, puts the server's token in
//! step with the database, and closes what Zato leaves open. Repeatable: each start of the pod does it again.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::creation::Credentials;
use super::database::{self, Address, Login};
use super::{Error, Identity, channels};
use crate::cluster::desired::paths;
use crate::exchange::hash;

/// Channels through which `pubapi` could run any service and upload code.
const ADMINISTRATIVE_CHANNELS: &str = "UPDATE http_soap SET is_active = 0 WHERE url_path LIKE '/zato/json/%'";
/// WebSocket channels of ours: the server would listen as the database says, which may be older than the spec, or open where a
/// definition of who may call has gone. The agent makes them as they should be when the server answers.
const WEB_SOCKETS: &str = "UPDATE channel_web_socket SET is_active = 0 WHERE name LIKE ?1";
/// A service of Zato that calls home.
const CHECK_UPDATES: &str = "zato.updates.check-updates";

/// The key of the scheduler with which it takes its jobs from the database when it starts.
const FROM_DATABASE: &str = "server_prefer_odb_config";

/// Hardens the components of this pod.
pub async fn run() -> Result<(), Error> {
    let folder = Path::new(paths::ENVIRONMENT);
    match Address::from_environment()? {
        None => quickstart(folder),
        Some(address) => distributed(folder, &address).await,
    }
}

fn variable(name: &'static str) -> Result<String, Error> {
    std::env::var(name).map_err(|_| Error::Environment(name))
}

fn quickstart(folder: &Path) -> Result<(), Error> {
    let (server, salt) = (variable("POD_NAME")?, variable("TOKEN_SALT")?);
    sqlite(Path::new(paths::DATA), &server, &format!("{server}.{salt}"))?;
    directory(&folder.join("server"))?;
    let scheduler_folder = folder.join("scheduler");
    // The cluster may have none.
    if scheduler_folder.exists() {
        scheduler(&scheduler_folder)?;
    }
    Ok(())
}

/// The components of one pod of several. WebSocket channels are left as they are: other servers serve meanwhile.
async fn distributed(folder: &Path, address: &Address) -> Result<(), Error> {
    let identity = Identity::from_environment()?;
    if identity.has("server") {
        let login = Login::read(address, Path::new(paths::DATABASE))?;
        let credentials = Credentials::read(Path::new(paths::CREDENTIALS))?;
        let wanted = credentials.wanted(&identity.cluster);
        let token = token(&identity.pod, &variable("TOKEN_SALT")?);
        database::enter(&login, &wanted, &identity.pod, &token).await?;
        directory(&folder.join("server"))?;
        own_token(&folder.join("server"), &token)?;
    }
    if identity.has("scheduler") {
        scheduler(&folder.join("scheduler"))?;
    }
    let dashboard = folder.join("dashboard/config/repo/web-admin.conf");
    if identity.has("dashboard") && !dashboard.exists() {
        return Err(Error::Effect(format!("there is no {}", dashboard.display())));
    }
    Ok(())
}

/// The token of a server: as long as Zato's own, because the column of PostgreSQL holds no longer one.
pub fn token(server: &str, salt: &str) -> String {
    hash(format!("{server}.{salt}").as_bytes())[..32].to_owned()
}

/// Zato's command gave the server another token.
fn own_token(server: &Path, token: &str) -> Result<(), Error> {
    let path = server.join("config/repo/server.conf");
    replace(&path, "token", token)
}

/// The value of a key that must be there once.
fn replace(path: &Path, key: &str, value: &str) -> Result<(), Error> {
    let mut count = 0;
    rewrite(path, |line| {
        if line.split('=').next().is_none_or(|name| name.trim() != key) {
            return Some(line.to_owned());
        }
        count += 1;
        Some(format!("{key}={value}"))
    })?;
    let wrong = || {
        Error::Effect(format!(
            "{} has {count} lines with {key}, not one",
            path.display()
        ))
    };
    (count == 1).then_some(()).ok_or_else(wrong)
}

fn sqlite(folder: &Path, server: &str, token: &str) -> Result<(), Error> {
    // Without the flag that creates: an empty database must never come to life here.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut database = Connection::open_with_flags(folder.join("zato.db"), flags)?;
    let transaction = database.transaction()?;
    let clusters: i64 = transaction.query_row("SELECT count(*) FROM cluster", [], |row| row.get(0))?;
    if clusters != 1 {
        return Err(Error::Effect(format!(
            "the database has {clusters} clusters, not one"
        )));
    }
    let changed = transaction.execute("UPDATE server SET token = ?1 WHERE name = ?2", [token, server])?;
    if changed != 1 {
        return Err(Error::Effect(format!(
            "the database has {changed} servers of name {server}, not one"
        )));
    }
    transaction.execute(ADMINISTRATIVE_CHANNELS, [])?;
    transaction.execute(WEB_SOCKETS, [format!("{}%", channels::PREFIX)])?;
    Ok(transaction.commit()?)
}

fn directory(server: &Path) -> Result<(), Error> {
    // Zato's command puts its demonstration service into both.
    for folder in ["pickup/incoming/services", "work/hot-deploy/current"] {
        let demo = server.join(folder).join("demo.py");
        match fs::remove_file(&demo) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file(&demo, error));
            }
            _ => {}
        }
    }
    rewrite(&server.join("config/repo/server.conf"), |line| {
        (!line.trim_start().starts_with(CHECK_UPDATES)).then(|| line.to_owned())
    })
}

/// A scheduler that starts anew and does not read the database runs no job that was there before.
fn scheduler(folder: &Path) -> Result<(), Error> {
    replace(&folder.join("config/repo/scheduler.conf"), FROM_DATABASE, "True")
}

/// Each line of a file as `change` wants it, or without it.
fn rewrite(path: &Path, change: impl FnMut(&str) -> Option<String>) -> Result<(), Error> {
    let text = fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
    let kept: Vec<String> = text.lines().filter_map(change).collect();
    let new = path.with_extension("new");
    fs::write(&new, kept.join("\n") + "\n").map_err(|error| Error::file(&new, error))?;
    // It has passwords.
    let permissions = fs::metadata(path)
        .map_err(|error| Error::file(path, error))?
        .permissions();
    fs::set_permissions(&new, permissions).map_err(|error| Error::file(&new, error))?;
    fs::rename(&new, path).map_err(|error| Error::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zato(folder: &Path) -> Connection {
        let database = Connection::open(folder.join("zato.db")).unwrap();
        database
            .execute_batch(
                "CREATE TABLE cluster (id INTEGER, name TEXT); CREATE TABLE server (name TEXT, token TEXT);
                 CREATE TABLE http_soap (url_path TEXT, is_active BOOLEAN); CREATE TABLE sec_base (id INTEGER);
                 CREATE TABLE channel_web_socket (name TEXT, is_active BOOLEAN, security_id INTEGER);
                 INSERT INTO sec_base VALUES (5);
                 INSERT INTO channel_web_socket VALUES ('kubernetes gone', 1, 6), ('kubernetes there', 1, 5),
                    ('kubernetes open', 1, NULL), ('of a user', 1, 6);
                 INSERT INTO cluster VALUES (1, 'demo'); INSERT INTO server VALUES ('s-0', 'old'), ('s-1', 'other');
                 INSERT INTO http_soap VALUES ('/zato/json/zato.service.invoke', 1), ('/zato/ping', 1);",
            )
            .unwrap();
        database
    }

    #[test]
    fn token_and_channels_are_set_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let connection = zato(folder.path());
        for _ in 0..2 {
            sqlite(folder.path(), "s-0", "s-0.salt").unwrap();
        }
        let text = |sql: &str| {
            connection
                .query_row(sql, [], |row| row.get::<_, String>(0))
                .unwrap()
        };
        assert_eq!(text("SELECT group_concat(token) FROM server"), "s-0.salt,other");
        assert_eq!(text("SELECT group_concat(is_active) FROM http_soap"), "0,1");
        assert_eq!(
            text("SELECT group_concat(is_active) FROM channel_web_socket"),
            "0,0,0,1"
        );
    }

    #[test]
    fn a_database_without_the_server_or_no_database_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            sqlite(folder.path(), "s-0", "t"),
            Err(Error::Database(_))
        ));
        assert!(!folder.path().join("zato.db").exists());
        zato(folder.path());
        assert!(matches!(
            sqlite(folder.path(), "nobody", "t"),
            Err(Error::Effect(_))
        ));
    }

    #[test]
    fn the_scheduler_takes_its_jobs_from_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let scheduler_folder = folder.path().join("scheduler");
        let conf = scheduler_folder.join("config/repo");
        fs::create_dir_all(&conf).unwrap();
        let path = conf.join("scheduler.conf");
        fs::write(&path, "[server]\nserver_prefer_odb_config=False\n[odb]\nx=1\n").unwrap();
        for _ in 0..2 {
            scheduler(&scheduler_folder).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text, "[server]\nserver_prefer_odb_config=True\n[odb]\nx=1\n");
        }
        fs::write(&path, "[server]\n").unwrap();
        assert!(matches!(scheduler(&scheduler_folder), Err(Error::Effect(_))));
    }

    #[test]
    fn a_server_of_several_gets_a_token_that_postgresql_can_hold() {
        let (name, salt) = ("a-cluster-with-quite-a-long-name-server-12", "s".repeat(32));
        let own = token(name, &salt);
        assert_eq!((own.len(), &own), (32, &token(name, &salt)));
        assert_ne!(own, token("other-server-12", &salt));
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("config/repo");
        fs::create_dir_all(&conf).unwrap();
        let path = conf.join("server.conf");
        fs::write(
            &path,
            "[main]\ntoken=zato+secret://zato.server_conf.main.token\ntoken_x=1\n",
        )
        .unwrap();
        for _ in 0..2 {
            own_token(folder.path(), &own).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text, format!("[main]\ntoken={own}\ntoken_x=1\n"));
        }
        fs::write(&path, "token=1\ntoken=2\n").unwrap();
        assert!(matches!(own_token(folder.path(), &own), Err(Error::Effect(_))));
    }

    #[test]
    fn demo_and_update_check_go() {
        let folder = tempfile::tempdir().unwrap();
        let (pickup, conf) = (
            folder.path().join("pickup/incoming/services"),
            folder.path().join("config/repo"),
        );
        fs::create_dir_all(&pickup).unwrap();
        fs::create_dir_all(&conf).unwrap();
        fs::write(pickup.join("demo.py"), "x").unwrap();
        fs::write(
            conf.join("server.conf"),
            "[a]\nzato.updates.check-updates=\nzato.other=1\n",
        )
        .unwrap();
        for _ in 0..2 {
            directory(folder.path()).unwrap();
        }
        assert!(!pickup.join("demo.py").exists());
        assert_eq!(
            fs::read_to_string(conf.join("server.conf")).unwrap(),
            "[a]\nzato.other=1\n"
        );
    }
}
