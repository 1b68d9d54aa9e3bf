//! Pure: the rows of Zato's database that are wanted, and what is to be done about those that are there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::agent::code::Wanted;
use crate::agent::zato::Row;
use crate::agent::{cache, soap};
use crate::exchange::{
    ChannelKind, IndexedChannel, IndexedSecurity, IndexedService, LoadState, SecurityKind, ServiceReport,
};
use crate::openapi::names::without_names;

/// What the names of all that is ours begin with. Zato's lists leave out what begins with `zato`.
pub const PREFIX: &str = "kubernetes ";
/// One row that is wanted: a path, and one method or all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedRow<'a> {
    /// Its name.
    pub name: String,
    /// The method; empty: all of them.
    pub method: &'a str,
    /// The path, with parameters in braces.
    pub url_path: String,
    /// The service.
    pub service: &'a str,
    /// What the index says.
    pub channel: &'a IndexedChannel,
    /// The `ZatoService` and the channel's name there.
    pub place: (&'a str, &'a str),
    /// Whether the files of the `ZatoService` are still being loaded.
    pub is_early: bool,
}

/// What a row needs.
#[derive(Debug, PartialEq)]
pub enum Step<'a> {
    /// Nobody wants it.
    Delete(&'a Row),
    /// It lacks.
    Create(&'a WantedRow<'a>),
    /// It is otherwise.
    Edit(&'a Row, &'a WantedRow<'a>),
}

/// Who may call, by the names of definitions.
pub fn securities<'a>(
    channels: impl Iterator<Item = &'a IndexedChannel>,
) -> BTreeMap<String, &'a IndexedSecurity> {
    let securities = channels.filter_map(|channel| channel.security.as_ref());
    securities
        .map(|security| (definition(security), security))
        .collect()
}

/// The name of a definition: one for each Secret and kind.
pub fn definition(security: &IndexedSecurity) -> String {
    let kind = match security.kind {
        SecurityKind::BasicAuth => "basic auth",
        SecurityKind::ApiKey => "API key",
    };
    format!("{PREFIX}{kind} {}", security.secret)
}

/// The rows of all channels. Of two with one address, which the operator may keep for a moment, the first counts.
pub fn wanted_rows<'a>(wanted: &'a Wanted, services: &BTreeMap<String, ServiceReport>) -> Vec<WantedRow<'a>> {
    let mut rows = BTreeMap::new();
    for (owner, indexed) in &wanted.index.services {
        let state = services.get(owner).map(|service| service.state);
        let is_early = state.is_none_or(|state| state == LoadState::Loading);
        for (name, channel) in &indexed.channels {
            for (name_of_row, method, url_path, service) in addresses(channel, indexed) {
                let row = WantedRow {
                    name: name_of_row,
                    method,
                    url_path,
                    service,
                    channel,
                    place: (owner, name),
                    is_early,
                };
                rows.entry(row.name.clone()).or_insert(row);
            }
        }
    }
    rows.into_values().collect()
}

/// Where a channel answers: the row's name, method, path and service.
fn addresses<'a>(
    channel: &'a IndexedChannel,
    version: &'a IndexedService,
) -> Vec<(String, &'a str, String, &'a str)> {
    let path = &channel.url_path;
    match channel.kind {
        ChannelKind::Rest => {
            let methods = channel.methods.iter();
            let service = if cache::is_cached(channel) {
                cache::SERVICE
            } else {
                channel.service.as_str()
            };
            let of = |method: &'a String| (row_name(method, path), method.as_str(), path.clone(), service);
            methods.map(of).collect()
        }
        ChannelKind::Soap => vec![(row_name("POST", path), "POST", path.clone(), soap::SERVICE)],
        ChannelKind::DirectInvocation => {
            let of = |service: &'a String| {
                // Zato reads a path as a regular expression, in which a dot is any character.
                let own = path.replace("{service_name}", &service.replace('.', "[.]"));
                (format!("{PREFIX}direct {service}"), "", own, service.as_str())
            };
            version.invoked().map(of).collect()
        }
        // It has rows of another kind, or nobody knows which.
        ChannelKind::WebSocket | ChannelKind::Unknown => vec![],
    }
}

/// A row's name tells what it is, so that it changes only with that. Zato takes the first one by name of several that match
/// a path: literal parts (0) come before parameters (1).
pub fn row_name(method: &str, path: &str) -> String {
    let plain = without_names(path);
    let order = plain
        .split('/')
        .skip(1)
        .map(|part| if part == "{}" { '1' } else { '0' });
    format!("{PREFIX}{} {method} {plain}", order.collect::<String>())
}

/// What there is to do, what goes first: a path must be free before it is taken.
pub fn steps<'a>(
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
pub fn fields(row: &WantedRow<'_>, security_id: &Value) -> Value {
    // An envelope stays as it was sent.
    let data_format = if row.channel.kind == ChannelKind::Soap {
        ""
    } else {
        "json"
    };
    json!({
        "cluster_id": 1, "name": row.name, "is_active": true, "is_internal": false, "connection": "channel",
        "transport": "plain_http", "url_path": row.url_path, "method": row.method,
        "service": row.service, "data_format": data_format, "security_id": security_id,
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

#[cfg(test)]
pub mod tests;
