//! Channels and the definitions of who may call them: in the server's database as the index says.
//!
//! Level-based: each look compares all that is ours with what is wanted. What has not our prefix is somebody else's and is
//! never touched.

mod files;
mod rows;
mod web_sockets;

use std::collections::{BTreeMap, BTreeSet};

use super::cache::Cache;
use super::code::Wanted;
use super::gate::State;
use super::look::{self, Done, Pace, Reports, Told};
use super::soap::Soap;
use super::zato::{Definition, Error, Row, Server};
use crate::exchange::{ChannelKind, IndexedSecurity, SecurityKind, ServiceReport};
use files::{hold_back, hold_back_cached};
pub use rows::{PREFIX, row_name};
use rows::{Step, WantedRow, definition, fields, securities, steps, wanted_rows};
use web_sockets::{WantedSocket, wanted_sockets};

/// All that is wanted.
struct All<'a> {
    rows: Vec<WantedRow<'a>>,
    sockets: Vec<WantedSocket<'a>>,
}

impl<'a> All<'a> {
    fn names(&self) -> impl Iterator<Item = String> {
        let rows = self.rows.iter().map(|row| &row.name);
        rows.chain(self.sockets.iter().map(|socket| &socket.name))
            .cloned()
    }

    /// Who may call.
    fn securities(&self) -> BTreeMap<String, &'a IndexedSecurity> {
        let rows = self.rows.iter().map(|row| row.channel);
        securities(rows.chain(self.sockets.iter().map(|socket| socket.channel)))
    }
}

/// Keeps the channels of one server's database.
#[derive(Default)]
pub struct Channels {
    pace: Pace,
    /// The version of the Secret from which each definition has its password: Zato does not tell passwords.
    passwords: BTreeMap<String, String>,
    /// Definitions that got their names, until every WebSocket row was written since.
    made: BTreeSet<String>,
    /// What channels for SOAP lead to.
    soap: Soap,
    /// What channels with a cache lead to.
    cache: Cache,
    reports: Reports,
    /// When to look at the files, while another server keeps the rows.
    files_pace: Pace,
    /// Why this server has not what rows lead to that another one keeps.
    missing: Option<String>,
}

impl Channels {
    /// The channels of each service.
    pub fn reports(&self) -> &Reports {
        &self.reports
    }

    /// Why this server cannot answer on channels that another one keeps.
    pub fn missing(&self) -> Option<String> {
        self.missing.clone()
    }

    /// The server starts anew: its database is looked at again.
    pub fn forget(&mut self) {
        self.pace.forget();
        self.files_pace.forget();
        self.soap.forget();
        self.cache.forget();
    }

    /// Writes what the server must have loaded before rows lead to it.
    pub fn prepare(
        &mut self,
        wanted: &Wanted,
        services: &BTreeMap<String, ServiceReport>,
    ) -> Result<(), super::Error> {
        self.soap.write(wanted)?;
        self.cache.write(wanted, services)
    }

    /// Writes what depends on the code that the server has by now.
    pub fn follow(
        &mut self,
        wanted: &Wanted,
        services: &BTreeMap<String, ServiceReport>,
    ) -> Result<(), super::Error> {
        self.cache.write(wanted, services)
    }

    /// Makes the database as the index says, each channel when its service is loaded; whether nothing is left to do now.
    pub async fn step(
        &mut self,
        wanted: &Wanted,
        services: &BTreeMap<String, ServiceReport>,
        server: &Server,
    ) -> bool {
        self.missing = None;
        let revision = &wanted.index.revision;
        if !self.pace.is_due(revision) {
            return self.pace.is_settled();
        }
        let mut all = All {
            rows: wanted_rows(wanted, services),
            sockets: wanted_sockets(wanted, services),
        };
        let result = self.look(wanted, &mut all, server).await;
        if let Some(error) = self
            .pace
            .conclude("channels", revision, all.names().count(), result)
        {
            self.reports = reports(&all, &Done::failed(all.names(), &error));
        }
        self.pace.is_settled()
    }

    async fn look(&mut self, wanted: &Wanted, all: &mut All<'_>, server: &Server) -> Result<Done, Error> {
        let mut done = Done::default();
        let state = self.soap.state(wanted, server).await?;
        let left_out = |owner: &str| self.soap.left_out(wanted, owner);
        hold_back(&mut all.rows, &state, left_out, &mut done);
        hold_back_cached(&mut all.rows, &self.cache.state(server).await?, &mut done);
        let all = &*all;
        let mut definitions = definitions(server).await?;
        let needed = all.securities();
        let known: BTreeSet<_> = definitions.iter().map(|found| found.name.clone()).collect();
        self.define(&needed, &definitions, server, &mut done).await;
        if !done.changed.is_empty() {
            definitions = self::definitions(server).await?;
        }
        let made = needed.keys().filter(|name| !known.contains(*name));
        self.made.extend(made.cloned());
        let ids = definitions
            .iter()
            .map(|found| (found.name.clone(), found.id))
            .collect();
        let (found, sockets) = (server.channels().await?, server.web_sockets().await?);
        write_rows(&all.rows, &found, &ids, server, &mut done).await;
        // What has failed is not on its way.
        done.early.retain(|name| !done.failed.contains_key(name));
        web_sockets::write(&all.sockets, &sockets, &ids, &self.made, server, &mut done).await?;
        let is_open = |name: &String| done.failed.contains_key(name) || done.early.contains(name);
        if !all.sockets.iter().any(|socket| is_open(&socket.name)) {
            self.made.clear();
        }
        if self.pace.is_too_long() {
            done.give_up();
        }
        // After the channels, and only when they are all as they should be: Zato deletes those of a definition with it, or opens
        // them.
        if done.is_settled() && done.failed.is_empty() {
            let of_sockets = sockets.iter().filter_map(|row| row.security_id.as_i64());
            let used = found.iter().filter_map(|row| row.security_id).chain(of_sockets);
            let used: BTreeSet<_> = used.collect();
            // Also of channels that only a newer agent knows: Zato would open or delete them.
            let named: BTreeSet<_> = of_index(wanted).collect();
            let is_used = |one: &&Definition| named.contains(&one.name) || used.contains(&one.id);
            for unused in definitions.iter().filter(|one| !is_used(one)) {
                self.passwords.remove(&unused.name);
                done.note(&unused.name, server.delete_definition(unused).await);
            }
            self.soap.clear(wanted);
            self.cache.clear();
        }
        self.reports = reports(all, &done);
        Ok(done)
    }

    /// Makes who may call.
    async fn define(
        &mut self,
        needed: &BTreeMap<String, &IndexedSecurity>,
        found: &[Definition],
        server: &Server,
        done: &mut Done,
    ) {
        for (name, security) in needed {
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
}

/// The definitions that channels of the index need, whatever their kind.
fn of_index(wanted: &Wanted) -> impl Iterator<Item = String> {
    let services = wanted.index.services.values();
    let channels = services.flat_map(|service| service.channels.values());
    channels.filter_map(|channel| channel.security.as_ref().map(definition))
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

/// Makes the rows of REST channels as they are wanted.
async fn write_rows(
    rows: &[WantedRow<'_>],
    found: &[Row],
    ids: &BTreeMap<String, i64>,
    server: &Server,
    done: &mut Done,
) {
    for step in steps(rows, found, ids) {
        match step {
            Step::Delete(row) => {
                let result = server.delete_channel(row.id).await;
                done.is_stuck |= result.is_err();
                done.note(&row.name, result);
            }
            // Its service may not be there yet.
            Step::Create(row) if row.is_early => drop(done.early.insert(row.name.clone())),
            Step::Edit(found, row) if waits(row, found) => {
                done.early.insert(row.name.clone());
                // What is to be closed does not stay open meanwhile.
                if row.channel.security.is_some() && found.security_id.is_none() {
                    done.is_stuck |= server.delete_channel(found.id).await.is_err();
                }
            }
            Step::Create(row) => done.note(&row.name, write(row, None, ids, server).await),
            Step::Edit(found, row) => done.note(&row.name, write(row, Some(found.id), ids, server).await),
        }
    }
}

/// Whether a row stays as it is until what it leads to is there. Those for SOAP lead to one service, which must have read first what
/// each path calls.
fn waits(row: &WantedRow<'_>, found: &Row) -> bool {
    row.is_early && (found.service_name != row.service || row.channel.kind == ChannelKind::Soap)
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

fn reports(all: &All<'_>, done: &Done) -> Reports {
    let rows = all.rows.iter().map(|row| {
        let label = format!("{} {}: ", row.method, row.url_path);
        (row.channel, row.place, &row.name, label.trim_start().to_owned())
    });
    let sockets = all.sockets.iter();
    let sockets = sockets.map(|socket| (socket.channel, socket.place, &socket.name, String::new()));
    let of_definition = |security: &IndexedSecurity| definition(security);
    let all: Vec<_> = rows
        .chain(sockets)
        .map(|one| {
            (
                one.0.security.as_ref().map(of_definition).unwrap_or_default(),
                one,
            )
        })
        .collect();
    let told = all
        .iter()
        .map(|(definition, (channel, place, name, label))| Told {
            place: *place,
            names: vec![definition, name],
            revision: channel.revision(),
            label: label.clone(),
        });
    look::reports(told, done)
}

#[cfg(test)]
mod tests;
