//! Channels and the definitions of who may call them: in the server's database as the index says.
//!
//! Level-based: each look compares all that is ours with what is wanted. What has not our prefix is somebody else's and is
//! never touched.

mod rows;

use std::collections::BTreeMap;

use super::code::Wanted;
use super::look::{self, Done, Pace, Reports, Told};
use super::soap::{Soap, State};
use super::zato::{Definition, Error, Row, Server};
use crate::exchange::{ChannelKind, IndexedSecurity, SecurityKind, ServiceReport};
pub use rows::PREFIX;
use rows::{Step, WantedRow, definition, fields, securities, steps, wanted_rows};

/// Keeps the channels of one server's database.
#[derive(Default)]
pub struct Channels {
    pace: Pace,
    /// The version of the Secret from which each definition has its password: Zato does not tell passwords.
    passwords: BTreeMap<String, String>,
    /// What channels for SOAP lead to.
    soap: Soap,
    reports: Reports,
}

impl Channels {
    /// The channels of each service.
    pub fn reports(&self) -> &Reports {
        &self.reports
    }

    /// The server starts anew: its database is looked at again.
    pub fn forget(&mut self) {
        self.pace.forget();
        self.soap.forget();
    }

    /// Writes what the server must have loaded before rows lead to it.
    pub fn prepare(&mut self, wanted: &Wanted) -> Result<(), super::Error> {
        self.soap.write(wanted)
    }

    /// Makes the database as the index says, each channel when its service is loaded; whether nothing is left to do now.
    pub async fn step(
        &mut self,
        wanted: &Wanted,
        services: &BTreeMap<String, ServiceReport>,
        server: &Server,
    ) -> bool {
        let revision = &wanted.index.revision;
        if !self.pace.is_due(revision) {
            return self.pace.is_settled();
        }
        let mut rows = wanted_rows(wanted, services);
        let result = self.look(wanted, &mut rows, server).await;
        if let Some(error) = self.pace.conclude("channels", revision, rows.len(), result) {
            let names = rows.iter().map(|row| row.name.clone());
            self.reports = reports(&rows, &Done::failed(names, &error));
        }
        self.pace.is_settled()
    }

    async fn look(
        &mut self,
        wanted: &Wanted,
        rows: &mut [WantedRow<'_>],
        server: &Server,
    ) -> Result<Done, Error> {
        let mut done = Done::default();
        hold_back(rows, &self.soap.state(wanted, server).await?, &mut done);
        let rows = &*rows;
        let mut definitions = definitions(server).await?;
        self.define(rows, &definitions, server, &mut done).await;
        if !done.changed.is_empty() {
            definitions = self::definitions(server).await?;
        }
        let ids = definitions.iter().map(|found| (found.name.clone(), found.id));
        let (ids, found) = (ids.collect(), server.channels().await?);
        for step in steps(rows, &found, &ids) {
            match step {
                Step::Delete(row) => {
                    let result = server.delete_channel(row.id).await;
                    done.is_stuck |= result.is_err();
                    done.note(&row.name, result);
                }
                // Its service may not be there yet.
                Step::Create(row) if row.is_early => drop(done.early.insert(row.name.clone())),
                Step::Edit(found, row) if row.is_early && found.service_name != row.service => {
                    done.early.insert(row.name.clone());
                }
                Step::Create(row) => done.note(&row.name, write(row, None, &ids, server).await),
                Step::Edit(found, row) => {
                    done.note(&row.name, write(row, Some(found.id), &ids, server).await);
                }
            }
        }
        if self.pace.is_too_long() {
            done.give_up();
        }
        // After the channels, and only when they are all as they should be: Zato deletes those of a definition with it.
        if done.is_settled() && done.failed.is_empty() {
            self.undefine(rows, &definitions, &found, server, &mut done).await;
            self.soap.clear(wanted);
        }
        self.reports = reports(rows, &done);
        Ok(done)
    }

    /// Makes who may call.
    async fn define(
        &mut self,
        rows: &[WantedRow<'_>],
        found: &[Definition],
        server: &Server,
        done: &mut Done,
    ) {
        let needed = securities(rows);
        for (name, security) in &needed {
            let current = found.iter().find(|found| found.name == *name);
            let is_known = self.passwords.get(name) == Some(&security.version);
            let is_same = current.is_some_and(|current| {
                current.is_active
                    && (security.kind == SecurityKind::ApiKey || current.username == security.username)
            });
            if is_known && is_same {
                continue;
            }
            let mut id = current.map(|current| current.id);
            let mut result = Ok(());
            if let Some(other) = holder(security, name, found) {
                self.passwords.remove(&other.name);
                if id.is_none() && !needed.contains_key(&other.name) {
                    // The Secret has another name now: what it was follows, channels and all.
                    id = Some(other.id);
                } else {
                    result = server.free_user_name(other).await;
                }
            }
            if result.is_ok() {
                result = server.define(security, name, id, is_same).await;
            }
            if result.is_ok() {
                self.passwords.insert(name.clone(), security.version.clone());
            }
            done.note(name, result);
        }
    }

    /// Takes away what no channel needs any more, also none of somebody else.
    async fn undefine(
        &mut self,
        rows: &[WantedRow<'_>],
        definitions: &[Definition],
        found: &[Row],
        server: &Server,
        done: &mut Done,
    ) {
        let needed = securities(rows);
        let is_used = |one: &Definition| {
            needed.contains_key(&one.name) || found.iter().any(|row| row.security_id == Some(one.id))
        };
        for unused in definitions.iter().filter(|one| !is_used(one)) {
            self.passwords.remove(&unused.name);
            done.note(&unused.name, server.delete_definition(unused).await);
        }
    }
}

/// Rows for SOAP wait until the server has what they lead to.
fn hold_back(rows: &mut [WantedRow<'_>], state: &State, done: &mut Done) {
    let of_soap = |row: &&mut WantedRow<'_>| row.channel.kind == ChannelKind::Soap && *state != State::Loaded;
    for row in rows.iter_mut().filter(of_soap) {
        row.is_early = true;
        done.early.insert(row.name.clone());
        if let State::Failed(why) = state {
            done.failed.insert(row.name.clone(), why.clone());
        }
    }
}

/// Another definition that has the user name: Zato has one for each.
fn holder<'a>(security: &IndexedSecurity, name: &str, found: &'a [Definition]) -> Option<&'a Definition> {
    let has_it = |other: &&Definition| {
        (other.kind, &other.username) == (security.kind, &security.username) && other.name != name
    };
    // Zato makes one up for each key.
    let is_basic = security.kind == SecurityKind::BasicAuth;
    found.iter().find(has_it).filter(|_| is_basic)
}

/// Our definitions.
async fn definitions(server: &Server) -> Result<Vec<Definition>, Error> {
    let mut all = server.definitions(SecurityKind::BasicAuth).await?;
    all.extend(server.definitions(SecurityKind::ApiKey).await?);
    all.retain(|found| found.name.starts_with(PREFIX));
    Ok(all)
}

async fn write(
    row: &WantedRow<'_>,
    id: Option<i64>,
    definitions: &BTreeMap<String, i64>,
    server: &Server,
) -> Result<(), Error> {
    let security_id = match &row.channel.security {
        None => "ZATO_NONE".into(),
        // Never open because something is missing.
        Some(security) => match definitions.get(&definition(security)) {
            Some(id) => (*id).into(),
            None => return Err(Error::Missing(definition(security))),
        },
    };
    server.write_channel(id, fields(row, &security_id)).await
}

fn reports(rows: &[WantedRow<'_>], done: &Done) -> Reports {
    let definitions: Vec<_> = rows
        .iter()
        .map(|row| row.channel.security.as_ref().map(definition).unwrap_or_default())
        .collect();
    let told = rows.iter().zip(&definitions).map(|(row, definition)| Told {
        place: row.place,
        names: vec![definition, &row.name],
        revision: row.channel.revision(),
        label: format!("{} {}: ", row.method, row.url_path)
            .trim_start()
            .to_owned(),
    });
    look::reports(told, done)
}

#[cfg(test)]
mod tests;
