//! The HTTP API of the server in this pod. Loopback only; what it answers may be hostile and is only compared.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::cluster::desired::ports;

/// A request takes longer only when something is wrong.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A name that no service has: only the answer to the password counts.
const NO_SERVICE: &str = "zato-operator.password-check";

/// Why the server could not be asked, or what it refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not answer.
    #[error("the server does not answer: {0}")]
    Http(#[from] reqwest::Error),
    /// It answers, but not as Zato 3.2 does.
    #[error("{service}: {why}")]
    Answer {
        /// The service that was called.
        service: String,
        /// What is wrong with the answer.
        why: String,
    },
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

/// The server in this pod.
pub struct Server {
    http: reqwest::Client,
    base: String,
    admin_invoke: String,
    pubapi: String,
}

impl Server {
    /// A client with the passwords of `admin.invoke` and `pubapi`.
    pub fn new(admin_invoke: String, pubapi: String) -> Self {
        let http = reqwest::Client::builder()
            .user_agent("zato-operator")
            .timeout(TIMEOUT)
            .no_proxy();
        Self {
            http: http.build().unwrap_or_default(),
            base: format!("http://127.0.0.1:{}", ports::SERVER),
            admin_invoke,
            pubapi,
        }
    }

    /// Whether it serves.
    pub async fn ping(&self) -> bool {
        let answer = self.http.get(format!("{}/zato/ping", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }

    /// The file from which the server loaded a service; none if it has no such service.
    pub async fn source(&self, service: &str) -> Result<Option<Source>, Error> {
        let payload = json!({"cluster_id": 1, "name": service});
        match self.invoke("zato.service.get-source-info", &payload).await {
            Ok(answer) => Ok(serde_json::from_value(answer).ok()),
            // That is how the server says that it lacks the service.
            Err(Error::Answer { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the server has a service, by its own account: the other answers do not tell an error from a lack.
    pub async fn is_deployed(&self, service: &str) -> Result<bool, Error> {
        let answer = self
            .invoke("zato.service.is-deployed", &json!({"name": service}))
            .await?;
        Ok(answer["is_deployed"] == true)
    }

    /// The names of all services that the database knows.
    pub async fn services(&self) -> Result<Vec<String>, Error> {
        let payload = json!({"cluster_id": 1, "query": ""});
        let list = self.invoke("zato.service.get-list", &payload).await?;
        let rows = list.as_array().into_iter().flatten();
        Ok(rows
            .filter_map(|row| row["name"].as_str())
            .map(Into::into)
            .collect())
    }

    /// Gives `pubapi` its password, if it has another one.
    pub async fn ensure_pubapi_password(&self) -> Result<(), Error> {
        let url = format!("{}/zato/api/invoke/{NO_SERVICE}", self.base);
        let answer = self
            .http
            .get(url)
            .basic_auth("pubapi", Some(&self.pubapi))
            .send()
            .await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(());
        }
        let list = self
            .invoke("zato.security.basic-auth.get-list", &json!({"cluster_id": 1}))
            .await?;
        let rows = list.as_array().into_iter().flatten();
        let id = rows
            .filter(|row| row["username"] == "pubapi" || row["name"] == "pubapi")
            .find_map(|row| row.get("id"));
        let Some(id) = id else {
            let why = "there is no user pubapi".to_owned();
            return Err(Error::Answer {
                service: "zato.security.basic-auth.get-list".into(),
                why,
            });
        };
        let payload = json!({"id": id, "password1": self.pubapi, "password2": self.pubapi});
        self.invoke("zato.security.basic-auth.change-password", &payload)
            .await
            .map(drop)
    }

    /// Calls an internal service and takes its answer out of its wrappers.
    async fn invoke(&self, service: &str, payload: &Value) -> Result<Value, Error> {
        let wrong = |why: String| Error::Answer {
            service: service.into(),
            why,
        };
        let body = json!({
            "name": service, "payload": STANDARD.encode(payload.to_string()),
            "channel": "invoke", "data_format": "json", "transport": null,
        });
        let request = self.http.post(format!("{}/zato/admin/invoke", self.base));
        let answer = request
            .basic_auth("admin.invoke", Some(&self.admin_invoke))
            .json(&body)
            .send()
            .await?;
        if answer.status() != StatusCode::OK {
            return Err(wrong(format!("HTTP {}", answer.status().as_u16())));
        }
        let envelope: Value = answer.json().await?;
        let Some(inner) = envelope["response"].as_str().filter(|inner| !inner.is_empty()) else {
            return Ok(Value::Null);
        };
        let inner = STANDARD.decode(inner).map_err(|error| wrong(error.to_string()))?;
        Ok(unwrap(
            serde_json::from_slice(&inner).map_err(|error| wrong(error.to_string()))?,
        ))
    }
}

/// Internal services put their answer into one element whose name ends with `_response`.
fn unwrap(answer: Value) -> Value {
    match answer {
        Value::Object(mut map) if map.len() == 1 && map.keys().all(|key| key.ends_with("_response")) => {
            let key = map.keys().next().cloned().unwrap_or_default();
            map.remove(&key).unwrap_or_default()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrapper_of_internal_services_is_taken_off() {
        assert_eq!(unwrap(json!({"zato_x_response": [1]})), json!([1]));
        assert_eq!(unwrap(json!({"name": "a"})), json!({"name": "a"}));
        assert_eq!(unwrap(json!([1])), json!([1]));
    }
}
