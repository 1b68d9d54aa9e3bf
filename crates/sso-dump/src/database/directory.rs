//! The directory of a Zato server: its server.conf says which database, its secrets.conf which keys.

use std::path::Path;

use zeroize::Zeroizing;

use super::{Database, Kind, Place, Server};
use crate::error::Error;
use crate::secrets::{Secrets, value};

/// The database of a Zato server, from its server.conf, and its keys.
pub(super) fn place(path: &Path, password: Option<Zeroizing<String>>) -> Result<Place, Error> {
    let read = |name: &str| {
        let path = path.join(name);
        std::fs::read_to_string(&path)
            .map(Zeroizing::new)
            .map_err(Error::io(path.display().to_string()))
    };
    let config = read("config/repo/server.conf")?;
    let secrets = Secrets::parse(
        read("config/repo/secrets.conf")?,
        &path.join("config/repo/secrets.conf").display().to_string(),
    )?;
    let entry = |key: &str| value(&config, "odb", key).unwrap_or_default();
    let engine = entry("engine");
    let name = entry("db_name");
    let wrong = |what: &str| Error::Usage(format!("{}: [odb] has no {what}", path.display()));
    let database = if engine.starts_with("sqlite") {
        // A relative one is relative to the server.
        Database::Sqlite(path.join(name.as_str()))
    } else {
        let kind = match engine.split('+').next().unwrap_or_default() {
            "postgresql" => Kind::Postgresql,
            "mysql" => Kind::Mysql,
            _ => return Err(wrong("engine that is known")),
        };
        let port = match entry("port").as_str() {
            "" => None,
            port => Some(port.parse().map_err(|_| wrong("port that is a number"))?),
        };
        let password = password.or_else(|| secrets.entry("server_conf.odb.password"));
        let user = (entry("username").to_string(), password);
        Server::new(kind, (entry("host").to_string(), port), user, name.to_string()).of(kind)
    };
    let info = read(".zato-info").ok();
    let info = info.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    Ok(Place {
        database,
        secrets: Some(secrets),
        zato_version: info.and_then(|info| info["version"].as_str().map(str::to_owned)),
    })
}
