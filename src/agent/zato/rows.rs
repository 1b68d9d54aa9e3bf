//! What Zato's lists have of channels, jobs and definitions of who may call. What only is compared has the type that Zato gave it.

use serde_json::Value;

use crate::exchange::SecurityKind;

/// A REST channel in the server's database.
#[derive(serde::Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct Row {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The number of its definition of who may call; none: everybody may.
    pub security_id: Option<i64>,
    /// Its path.
    pub url_path: Value,
    /// Its method.
    pub method: Value,
    /// Its service.
    pub service_name: Value,
    /// The format of messages.
    pub data_format: Value,
    /// Whether it answers.
    pub is_active: Value,
    /// Whether parameters become input.
    pub merge_url_params_req: Value,
    /// Whether the path comes before the query string.
    pub url_params_pri: Value,
    /// Whether both come before the body.
    pub params_pri: Value,
    /// The `Accept` header of requests that it is for.
    pub http_accept: Value,
    /// Whether a parameter can have a slash.
    pub match_slash: Value,
    /// Whether it answers only so many requests.
    pub is_rate_limit_active: Value,
    /// How many, in which time.
    pub rate_limit_def: Value,
    /// Others who may call.
    pub security_groups: Value,
}

/// A WebSocket channel in the server's database.
#[derive(serde::Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct WebSocketRow {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The number of its definition of who may call, which may have gone; none, or a text that others wrote: everybody may.
    pub security_id: Value,
    /// The name of that definition; none: there is no such definition.
    pub security_name: Option<String>,
    /// Protocol, host, port and path.
    pub address: Value,
    /// Its service.
    pub service_name: Value,
    /// Whether it answers.
    pub is_active: Value,
    /// The format of messages.
    pub data_format: Value,
    /// How long a client has for its first message.
    pub new_token_wait_time: Value,
    /// How long a token is good.
    pub token_ttl: Value,
    /// The time between two pings.
    pub ping_interval: Value,
    /// How many of them a client may miss.
    pub pings_missed_threshold: Value,
}

/// A job in the server's database. What may be a number, a text or nothing has the type that Zato gave it.
#[derive(serde::Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct JobRow {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Whether the scheduler runs it.
    pub is_active: bool,
    /// interval_based, cron_style or one_time.
    pub job_type: String,
    /// When it starts: UTC, without saying so.
    pub start_date: String,
    /// Its service.
    pub service_name: String,
    /// What the service gets.
    pub extra: String,
    /// Its interval.
    pub weeks: Value,
    /// Its interval.
    pub days: Value,
    /// Its interval.
    pub hours: Value,
    /// Its interval.
    pub minutes: Value,
    /// Its interval.
    pub seconds: Value,
    /// How often it runs in all.
    pub repeats: Value,
    /// When it runs, by the clock.
    pub cron_definition: Value,
}

/// A definition of who may call.
#[derive(serde::Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct Definition {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Whether it lets anybody in.
    pub is_active: bool,
    /// The user name, of basic authentication.
    pub username: String,
    /// What callers send.
    #[serde(skip)]
    pub kind: SecurityKind,
}

/// A server in the database of its cluster.
#[derive(serde::Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct ServerRow {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// From where the server loaded a service.
#[derive(serde::Deserialize, Debug)]
pub struct Source {
    /// The file.
    #[serde(rename = "source_path")]
    pub path: String,
    /// Its SHA-256, hexadecimal.
    #[serde(rename = "source_hash")]
    pub hash: String,
}
