//! Channels and the definitions of who may call them: in the server's database as the index says.
//!
//! Level-based: each look compares all that is ours with what is wanted. What has not our prefix is somebody else's and is
//! never touched.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::code::Wanted;
use super::zato::{Definition, Error, Row, Server};
use crate::exchange::{ChannelReport, IndexedSecurity, SecurityKind, ServiceReport};
use rows::{PREFIX, Step, WantedRow, definition, fields, securities, steps, wanted_rows};

/// Between two looks while something is on its way. The server follows its database in a quarter of a second.
const SOON: Duration = Duration::from_millis(500);
/// Between two looks while nothing is: for changes that others make in the database.
const LATER: Duration = Duration::from_secs(10);
/// Between two looks while there is nothing of ours.
const RARELY: Duration = Duration::from_hours(1);
/// So many looks in a row may find something to do; then it is told.
const TRIES: u32 = 20;

/// Keeps the channels of one server's database.
#[derive(Default)]
pub struct Channels {
    /// The revision of the index at the last look, and when the next one is due.
    looked: Option<(String, Instant)>,
    is_settled: bool,
    /// Looks in a row after which something was left to do.
    tries: u32,
    /// The version of the Secret from which each definition has its password: Zato does not tell passwords.
    passwords: BTreeMap<String, String>,
    reports: Reports,
}

/// By service and channel.
type Reports = BTreeMap<String, BTreeMap<String, ChannelReport>>;

/// What a look did, by the names of rows and definitions.
#[derive(Default)]
struct Done {
    changed: BTreeSet<String>,
    failed: BTreeMap<String, String>,
    /// Rows that wait for their service.
    early: BTreeSet<String>,
    /// Whether something that nobody is told of could not be done.
    is_stuck: bool,
}

impl Done {
    fn is_settled(&self) -> bool {
        self.changed.is_empty() && self.early.is_empty() && !self.is_stuck
    }

    /// What is changed at each look is told as what it is.
    fn give_up(&mut self) {
        let stays_not = "it does not stay as it is written: who else changes it?";
        let changed = std::mem::take(&mut self.changed).into_iter();
        self.failed
            .extend(changed.map(|name| (name, stays_not.to_owned())));
        self.is_stuck = true;
    }

    fn note(&mut self, name: &str, result: Result<(), Error>) {
        match result {
            Ok(()) => drop(self.changed.insert(name.to_owned())),
            Err(error) => drop(self.failed.insert(name.to_owned(), error.to_string())),
        }
    }
}

impl Channels {
    /// The channels of each service.
    pub fn reports(&self) -> &Reports {
        &self.reports
    }

    /// The server starts anew: its database is looked at again.
    pub fn forget(&mut self) {
        self.looked = None;
        self.is_settled = false;
        self.tries = 0;
    }

    /// Makes the database as the index says, each channel when its service is loaded; whether nothing is left to do now.
    pub async fn step(
        &mut self,
        wanted: &Wanted,
        services: &BTreeMap<String, ServiceReport>,
        server: &Server,
    ) -> bool {
        let revision = &wanted.index.revision;
        let is_due = |(seen, next): &(String, Instant)| seen != revision || *next <= Instant::now();
        if !self.looked.as_ref().is_none_or(is_due) {
            return self.is_settled;
        }
        let rows = wanted_rows(wanted, services);
        let done = self.look(&rows, server).await;
        self.is_settled = done.as_ref().is_ok_and(Done::is_settled);
        self.tries = if self.is_settled {
            0
        } else {
            self.tries.saturating_add(1)
        };
        let pause = match &done {
            Ok(done) if self.is_settled && rows.is_empty() && done.failed.is_empty() => RARELY,
            Ok(_) if !self.is_settled && self.tries <= TRIES => SOON,
            _ => LATER,
        };
        self.looked = Some((revision.clone(), Instant::now() + pause));
        if let Err(error) = done {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "channels could not be looked at: tried again"
            );
            if self.tries > TRIES {
                let failed = rows.iter().map(|row| (row.name.clone(), error.to_string()));
                let done = Done {
                    failed: failed.collect(),
                    ..Done::default()
                };
                self.reports = reports(&rows, &done);
            }
        }
        self.is_settled
    }

    async fn look(&mut self, rows: &[WantedRow<'_>], server: &Server) -> Result<Done, Error> {
        let mut done = Done::default();
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
                Step::Edit(found, row) if row.is_early && found.service_name != row.channel.service => {
                    done.early.insert(row.name.clone());
                }
                Step::Create(row) => done.note(&row.name, write(row, None, &ids, server).await),
                Step::Edit(found, row) => {
                    done.note(&row.name, write(row, Some(found.id), &ids, server).await);
                }
            }
        }
        if self.tries > TRIES {
            done.give_up();
        }
        // After the channels, and only when they are all as they should be: Zato deletes those of a definition with it.
        if done.is_settled() && done.failed.is_empty() {
            self.undefine(rows, &definitions, &found, server, &mut done).await;
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

/// One report for each channel. What was changed is told when the next look finds it as it should be.
fn reports(rows: &[WantedRow<'_>], done: &Done) -> Reports {
    let mut reports = Reports::new();
    let mut changed = BTreeSet::new();
    for row in rows {
        let definition = row.channel.security.as_ref().map(definition).unwrap_or_default();
        if [&row.name, &definition]
            .iter()
            .any(|name| done.changed.contains(*name) || done.early.contains(*name))
        {
            changed.insert(row.place);
        }
        let error = done.failed.get(&definition).or(done.failed.get(&row.name));
        let (service, channel) = row.place;
        let of_service = reports.entry(service.to_owned()).or_default();
        let report = of_service
            .entry(channel.to_owned())
            .or_insert_with(|| ChannelReport {
                revision: row.channel.revision(),
                error: None,
            });
        if let Some(error) = error {
            report
                .error
                .get_or_insert_with(|| format!("{} {}: {error}", row.method, row.channel.url_path));
        }
    }
    for (service, channel) in changed {
        if let Some(of_service) = reports.get_mut(service) {
            of_service.retain(|name, report| name != channel || report.error.is_some());
        }
    }
    reports.retain(|_, of_service| !of_service.is_empty());
    reports
}

#[cfg(test)]
mod tests;
