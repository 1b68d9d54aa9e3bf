//! Channels and the definitions of who may call them: in the server's database as the index says.
//!
//! Level-based: each look compares all that is ours with what is wanted. What has not our prefix is somebody else's and is
//! never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::code::Wanted;
use super::zato::{Definition, Error, Row, Server};
use crate::exchange::{
    ChannelReport, IndexedChannel, IndexedSecurity, LoadState, SecurityKind, ServiceReport,
};
use crate::openapi::model::without_names;

/// What the names of all that is ours begin with. Zato's lists leave out what begins with `zato`.
const PREFIX: &str = "kubernetes ";
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

/// One row that is wanted: a path and one method.
#[derive(Clone, Debug, PartialEq)]
struct WantedRow<'a> {
    name: String,
    method: &'a str,
    channel: &'a IndexedChannel,
    /// The `ZatoService` and the channel's name there.
    place: (&'a str, &'a str),
    /// Whether the files of the `ZatoService` are still being loaded.
    is_early: bool,
}

/// What a row needs.
#[derive(Debug, PartialEq)]
enum Step<'a> {
    Delete(&'a Row),
    Create(&'a WantedRow<'a>),
    Edit(&'a Row, &'a WantedRow<'a>),
}

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
        self.define(rows, server, &mut done).await?;
        let definitions = definitions(server).await?;
        let ids = definitions
            .iter()
            .map(|found| (found.name.clone(), found.id))
            .collect();
        let found = server.channels().await?;
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
            let stays_not = "it does not stay as it is written: who else changes it?";
            let changed = std::mem::take(&mut done.changed);
            done.failed
                .extend(changed.into_iter().map(|name| (name, stays_not.to_owned())));
            done.is_stuck = true;
        }
        // After the channels, and only when they are all as they should be: Zato deletes those of a definition with it.
        if done.is_settled() && done.failed.is_empty() {
            let is_free = |one: &Definition| !found.iter().any(|row| row.security_id == Some(one.id));
            let unused = definitions.into_iter().filter(is_free).collect();
            self.undefine(rows, unused, server, &mut done).await;
        }
        self.reports = reports(rows, &done);
        Ok(done)
    }

    /// Makes who may call.
    async fn define(
        &mut self,
        rows: &[WantedRow<'_>],
        server: &Server,
        done: &mut Done,
    ) -> Result<(), Error> {
        let (found, needed) = (definitions(server).await?, securities(rows));
        for (name, security) in needed.clone() {
            let current = found.iter().find(|found| found.name == name);
            let is_known = self.passwords.get(&name) == Some(&security.version);
            let is_same = current.is_some_and(|current| {
                current.is_active
                    && (security.kind == SecurityKind::ApiKey || current.username == security.username)
            });
            if is_known && is_same {
                continue;
            }
            let mut id = current.map(|current| current.id);
            // Zato has one definition for a user name.
            let has_it = |other: &&Definition| {
                (other.kind, &other.username) == (security.kind, &security.username) && other.name != name
            };
            let needs_it = security.kind == SecurityKind::BasicAuth;
            if let Some(other) = found.iter().find(has_it).filter(|_| needs_it) {
                self.passwords.remove(&other.name);
                if id.is_none() && !needed.contains_key(&other.name) {
                    // The Secret has another name now: what it was follows, channels and all.
                    id = Some(other.id);
                } else {
                    server.free_user_name(other).await?;
                }
            }
            let result = server.define(security, &name, id, is_same).await;
            if result.is_ok() {
                self.passwords.insert(name.clone(), security.version.clone());
            }
            done.note(&name, result);
        }
        Ok(())
    }

    /// Takes away what no channel needs any more, also none of somebody else.
    async fn undefine(
        &mut self,
        rows: &[WantedRow<'_>],
        unused: Vec<Definition>,
        server: &Server,
        done: &mut Done,
    ) {
        let needed = securities(rows);
        for found in unused.iter().filter(|found| !needed.contains_key(&found.name)) {
            self.passwords.remove(&found.name);
            done.note(&found.name, server.delete_definition(found).await);
        }
    }
}

/// Who may call, by the names of definitions.
fn securities<'a>(rows: &'a [WantedRow<'a>]) -> BTreeMap<String, &'a IndexedSecurity> {
    let securities = rows.iter().filter_map(|row| row.channel.security.as_ref());
    securities
        .map(|security| (definition(security), security))
        .collect()
}

/// Our definitions.
async fn definitions(server: &Server) -> Result<Vec<Definition>, Error> {
    let mut all = server.definitions(SecurityKind::BasicAuth).await?;
    all.extend(server.definitions(SecurityKind::ApiKey).await?);
    all.retain(|found| found.name.starts_with(PREFIX));
    Ok(all)
}

/// The name of a definition: one for each Secret and kind.
fn definition(security: &IndexedSecurity) -> String {
    let kind = match security.kind {
        SecurityKind::BasicAuth => "basic auth",
        SecurityKind::ApiKey => "API key",
    };
    format!("{PREFIX}{kind} {}", security.secret)
}

/// The rows of all channels. Of two with one address, which the operator may keep for a moment, the first counts.
fn wanted_rows<'a>(wanted: &'a Wanted, services: &BTreeMap<String, ServiceReport>) -> Vec<WantedRow<'a>> {
    let mut rows = BTreeMap::new();
    for (service, indexed) in &wanted.index.services {
        let state = services.get(service).map(|service| service.state);
        for (name, channel) in &indexed.channels {
            for method in &channel.methods {
                let row = WantedRow {
                    name: row_name(method, &channel.url_path),
                    method,
                    channel,
                    place: (service, name),
                    is_early: state.is_none_or(|state| state == LoadState::Loading),
                };
                rows.entry(row.name.clone()).or_insert(row);
            }
        }
    }
    rows.into_values().collect()
}

/// A row's name tells what it is, so that it changes only with that. Zato takes the first one by name of several that match
/// a path: literal parts (0) come before parameters (1).
fn row_name(method: &str, path: &str) -> String {
    let plain = without_names(path);
    let order = plain
        .split('/')
        .skip(1)
        .map(|part| if part == "{}" { '1' } else { '0' });
    format!("{PREFIX}{} {method} {plain}", order.collect::<String>())
}

/// What there is to do, what goes first: a path must be free before it is taken.
fn steps<'a>(
    wanted: &'a [WantedRow<'a>],
    found: &'a [Row],
    definitions: &BTreeMap<String, i64>,
) -> Vec<Step<'a>> {
    let ours = found.iter().filter(|row| row.name.starts_with(PREFIX));
    let is_wanted = |row: &&Row| wanted.iter().any(|wanted| wanted.name == row.name);
    let mut steps: Vec<_> = ours
        .clone()
        .filter(|row| !is_wanted(row))
        .map(Step::Delete)
        .collect();
    for row in wanted {
        match ours.clone().find(|found| found.name == row.name) {
            None => steps.push(Step::Create(row)),
            Some(current) if !is_same(row, current, definitions) => steps.push(Step::Edit(current, row)),
            Some(_) => {}
        }
    }
    steps
}

/// The fields of a row. All of them are given always: Zato resets what an edit leaves out.
fn fields(row: &WantedRow<'_>, security_id: &Value) -> Value {
    json!({
        "cluster_id": 1, "name": row.name, "is_active": true, "is_internal": false, "connection": "channel",
        "transport": "plain_http", "url_path": row.channel.url_path, "method": row.method,
        "service": row.channel.service, "data_format": "json", "security_id": security_id,
        // One that says less is taken for another channel, but answers at the same place.
        "http_accept": "*/*",
        // Parameters of the path become input, and nothing that a caller sends can replace them.
        "merge_url_params_req": true, "url_params_pri": "path-over-qs", "params_pri": "channel-params-over-msg",
        "match_slash": false, "security_groups": [],
        "is_rate_limit_active": !row.channel.rate_limit.is_empty(), "rate_limit_type": "APPROXIMATE",
        "rate_limit_def": row.channel.rate_limit, "rate_limit_check_parent_def": false,
    })
}

fn is_same(row: &WantedRow<'_>, found: &Row, definitions: &BTreeMap<String, i64>) -> bool {
    let security = row.channel.security.as_ref();
    let security_id = security.and_then(|security| definitions.get(&definition(security)).copied());
    let plain = fields(row, &Value::Null);
    // Zato gives some of them back as text.
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
            .to_lowercase()
    };
    let compared = [
        ("url_path", &found.url_path),
        ("method", &found.method),
        ("service", &found.service_name),
        ("data_format", &found.data_format),
        ("is_active", &found.is_active),
        ("merge_url_params_req", &found.merge_url_params_req),
        ("url_params_pri", &found.url_params_pri),
        ("params_pri", &found.params_pri),
        ("http_accept", &found.http_accept),
        ("match_slash", &found.match_slash),
        ("is_rate_limit_active", &found.is_rate_limit_active),
        ("rate_limit_def", &found.rate_limit_def),
        ("security_groups", &found.security_groups),
    ];
    let same = |(name, found): &(&str, &Value)| text(&plain[*name]) == text(found);
    // A channel whose definition is missing would be open to everybody.
    security.is_some() == security_id.is_some()
        && found.security_id == security_id
        && compared.iter().all(same)
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
