//! WebSocket channels in the server's database as the index says.
//!
//! Every edit cuts clients off, so that nothing is edited that is as it should be. A row without a definition, or with one that
//! has gone, lets everybody in, at once or when the server starts anew: what is to be closed must never be left so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::rows::{PREFIX, definition};
use crate::agent::code::Wanted;
use crate::agent::look::Done;
use crate::agent::zato::{Error, Server, WebSocketRow};
use crate::exchange::{IndexedChannel, IndexedWebSocket, LoadState, ServiceReport};

/// Seconds that a client has for its first message.
const FIRST_MESSAGE: u32 = 5;
/// After so many pings without an answer a client is cut off.
const PINGS_MISSED: u32 = 2;

/// One row that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedSocket<'a> {
    /// Its name.
    pub name: String,
    /// What the index says.
    pub channel: &'a IndexedChannel,
    /// The port, and times.
    pub socket: IndexedWebSocket,
    /// The `ZatoService` and the channel's name there.
    pub place: (&'a str, &'a str),
    /// Whether the files of the `ZatoService` are still being loaded.
    pub is_early: bool,
}

/// What a row needs.
#[derive(Debug, PartialEq)]
enum Step<'a> {
    /// Nobody wants it.
    Delete(&'a WebSocketRow),
    /// It lacks.
    Create(&'a WantedSocket<'a>),
    /// It is otherwise.
    Edit(&'a WebSocketRow, &'a WantedSocket<'a>),
}

impl<'a> Step<'a> {
    fn written(&self) -> Option<&'a WantedSocket<'a>> {
        match self {
            Self::Delete(_) => None,
            Self::Create(socket) | Self::Edit(_, socket) => Some(socket),
        }
    }
}

/// The rows of all WebSocket channels. Of two with one port, which the operator may keep for a moment, the first counts.
pub fn wanted_sockets<'a>(
    wanted: &'a Wanted,
    services: &BTreeMap<String, ServiceReport>,
) -> Vec<WantedSocket<'a>> {
    let mut sockets = BTreeMap::new();
    for (owner, indexed) in &wanted.index.services {
        let state = services.get(owner).map(|service| service.state);
        let is_early = state.is_none_or(|state| state == LoadState::Loading);
        for (name, channel) in &indexed.channels {
            let Some(socket) = channel.web_socket else {
                continue;
            };
            let wanted = WantedSocket {
                name: format!("{PREFIX}web-socket {}", socket.port),
                channel,
                socket,
                place: (owner, name),
                is_early,
            };
            sockets.entry(socket.port).or_insert(wanted);
        }
    }
    sockets.into_values().collect()
}

/// Makes the rows as they are wanted. `definitions`: ours, by name. `made`: those of them that got their name just now.
pub async fn write(
    wanted: &[WantedSocket<'_>],
    found: &[WebSocketRow],
    definitions: &BTreeMap<String, i64>,
    made: &BTreeSet<String>,
    server: &Server,
    done: &mut Done,
) -> Result<(), Error> {
    let steps = steps(wanted, found, definitions, made);
    let is_closed = |step: &Step<'_>| {
        step.written()
            .is_some_and(|socket| socket.channel.security.is_some())
    };
    let is_verified = steps.iter().any(is_closed);
    for step in &steps {
        match step {
            Step::Delete(row) => {
                let result = server.delete_web_socket(row.id).await;
                done.is_stuck |= result.is_err();
                done.note(&row.name, result);
            }
            // Its service may not be there yet.
            Step::Create(socket) if socket.is_early => drop(done.early.insert(socket.name.clone())),
            Step::Edit(row, socket) if socket.is_early && row.service_name != socket.channel.service => {
                done.early.insert(socket.name.clone());
            }
            Step::Create(socket) => {
                done.note(&socket.name, write_one(socket, None, definitions, server).await);
            }
            Step::Edit(row, socket) => {
                done.note(
                    &socket.name,
                    write_one(socket, Some(row), definitions, server).await,
                );
            }
        }
    }
    if is_verified {
        verify(wanted, server, done).await?;
    }
    for (socket, other) in rivals(wanted, found) {
        let why = format!(
            "channel {:?}, which is not of the operator, has the port, too: give it another one",
            other.name
        );
        done.failed.insert(socket.name.clone(), why);
    }
    Ok(())
}

/// A definition that went away in between has opened the channel, or it waits for its service and was open before: better
/// away than open.
async fn verify(wanted: &[WantedSocket<'_>], server: &Server, done: &mut Done) -> Result<(), Error> {
    let found = server.web_sockets().await?;
    for (socket, row) in wrongly_open(wanted, &found) {
        server.delete_web_socket(row.id).await?;
        if done.early.contains(&socket.name) {
            continue;
        }
        let missing = socket
            .channel
            .security
            .as_ref()
            .map(definition)
            .unwrap_or_default();
        done.note(&socket.name, Err(Error::Missing(missing)));
        done.is_stuck = true;
    }
    Ok(())
}

/// Channels of others on a port of ours: of two listeners a client reaches one by chance.
fn rivals<'a>(
    wanted: &'a [WantedSocket<'a>],
    found: &'a [WebSocketRow],
) -> impl Iterator<Item = (&'a WantedSocket<'a>, &'a WebSocketRow)> {
    let port = |row: &WebSocketRow| row.address.as_str()?.parse::<http::Uri>().ok()?.port_u16();
    let others = found
        .iter()
        .filter(|row| !row.name.starts_with(PREFIX) && row.is_active == true);
    others.filter_map(move |row| {
        let number = port(row)?;
        Some((wanted.iter().find(|socket| socket.socket.port == number)?, row))
    })
}

/// Rows that let everybody in, or will after the next start, and must not.
fn wrongly_open<'a>(
    wanted: &'a [WantedSocket<'a>],
    found: &'a [WebSocketRow],
) -> Vec<(&'a WantedSocket<'a>, &'a WebSocketRow)> {
    let row_of = |socket: &&'a WantedSocket<'a>| found.iter().find(|row| row.name == socket.name);
    let pairs = wanted
        .iter()
        .filter_map(|socket| Some((socket, row_of(&socket)?)));
    pairs
        .filter(|(socket, row)| socket.channel.security.is_some() && row.security_name.is_none())
        .collect()
}

async fn write_one(
    socket: &WantedSocket<'_>,
    found: Option<&WebSocketRow>,
    definitions: &BTreeMap<String, i64>,
    server: &Server,
) -> Result<(), Error> {
    let security_id = match socket.channel.security.as_ref().map(definition) {
        None => Value::Null,
        Some(name) => {
            let Some(id) = definitions.get(&name) else {
                // Better away than open.
                if let Some(found) = found {
                    server.delete_web_socket(found.id).await?;
                }
                return Err(Error::Missing(name));
            };
            (*id).into()
        }
    };
    let fields = fields(socket, &security_id);
    server.write_web_socket(found.map(|found| found.id), fields).await
}

/// What there is to do, what goes first: a port must be free before it is taken.
fn steps<'a>(
    wanted: &'a [WantedSocket<'a>],
    found: &'a [WebSocketRow],
    definitions: &BTreeMap<String, i64>,
    made: &BTreeSet<String>,
) -> Vec<Step<'a>> {
    let ours = found.iter().filter(|row| row.name.starts_with(PREFIX));
    let is_wanted = |row: &&WebSocketRow| wanted.iter().any(|wanted| wanted.name == row.name);
    let gone = ours.clone().filter(|row| !is_wanted(row));
    let mut steps: Vec<_> = gone.map(Step::Delete).collect();
    for socket in wanted {
        // The server finds definitions by their names: after another one gave its name or its number nobody gets a session.
        let is_made = socket
            .channel
            .security
            .as_ref()
            .is_some_and(|security| made.contains(&definition(security)));
        match ours.clone().find(|found| found.name == socket.name) {
            None => steps.push(Step::Create(socket)),
            Some(current) if is_made || !is_same(socket, current, definitions) => {
                steps.push(Step::Edit(current, socket));
            }
            Some(_) => {}
        }
    }
    steps
}

/// The fields of a row. All of them are given always: Zato resets what an edit leaves out, and opens the channel.
fn fields(socket: &WantedSocket<'_>, security_id: &Value) -> Value {
    json!({
        "cluster_id": 1, "name": socket.name, "is_active": true, "is_internal": false,
        "address": format!("ws://0.0.0.0:{}{}", socket.socket.port, socket.channel.url_path),
        "service_name": socket.channel.service, "data_format": "json",
        // By its number: a name that no definition has is taken, and opens the channel.
        "security_id": security_id,
        "new_token_wait_time": FIRST_MESSAGE, "token_ttl": socket.socket.token_seconds,
        "ping_interval": socket.socket.ping_interval, "pings_missed_threshold": PINGS_MISSED,
    })
}

fn is_same(socket: &WantedSocket<'_>, found: &WebSocketRow, definitions: &BTreeMap<String, i64>) -> bool {
    let name = socket.channel.security.as_ref().map(definition);
    let id = name.as_ref().map(|name| definitions.get(name).copied());
    let plain = fields(socket, &Value::Null);
    // Zato may give numbers back as text.
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let compared = [
        ("address", &found.address),
        ("service_name", &found.service_name),
        ("is_active", &found.is_active),
        ("data_format", &found.data_format),
        ("new_token_wait_time", &found.new_token_wait_time),
        ("token_ttl", &found.token_ttl),
        ("ping_interval", &found.ping_interval),
        ("pings_missed_threshold", &found.pings_missed_threshold),
    ];
    let same = |(name, found): &(&str, &Value)| text(&plain[*name]) == text(found);
    let is_guarded = match id {
        None => found.security_id.is_null(),
        // The row of a definition that has gone keeps its number, but has no name.
        Some(id) => id.is_some() && found.security_id.as_i64() == id && found.security_name == name,
    };
    is_guarded && compared.iter().all(same)
}

#[cfg(test)]
mod tests;
