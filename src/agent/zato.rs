//! The HTTP API of the server in this pod. Loopback only; what it answers may be hostile and is only compared.

mod cause;
#[cfg(test)]
pub mod double;
mod rows;
mod servers;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cluster::desired::ports;
use crate::exchange::{IndexedSecurity, SecurityKind};
use cause::cause;
pub use rows::{Definition, JobRow, Row, ServerRow, Source, WebSocketRow};

/// A request takes longer only when something is wrong.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The scheduler does little for a request. One that does not answer must not keep the agent from its other work.
const SCHEDULER_TIMEOUT: Duration = Duration::from_secs(2);
/// A name that no service has: only the answer to the password counts.
const NO_SERVICE: &str = "zato-operator.password-check";

/// Why the server could not be asked, or what it refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not answer.
    #[error("the server does not answer: {0}")]
    Http(#[from] reqwest::Error),
    /// The scheduler does not answer.
    #[error(
        "Zato's scheduler does not answer ({0}): see the log of container scheduler; deleting the pod starts it anew"
    )]
    Scheduler(#[source] reqwest::Error),
    /// What a request needs is not there.
    #[error(
        "{0} is not in the server's database: it is made again; if this stays, see who deletes it in the dashboard"
    )]
    Missing(String),
    /// It answers, but not as Zato 3.2 does.
    #[error("{service}: {why}")]
    Answer {
        /// The service that was called.
        service: String,
        /// What is wrong with the answer.
        why: String,
    },
}

/// The server in this pod.
pub struct Server {
    http: reqwest::Client,
    base: String,
    admin_invoke: String,
    pubapi: String,
    /// Where the scheduler answers, without a scheme.
    scheduler: String,
}

impl Server {
    /// A client with the passwords of `admin.invoke` and `pubapi`.
    pub fn new(admin_invoke: String, pubapi: String, scheduler: Option<String>) -> Self {
        let http = reqwest::Client::builder()
            .user_agent("zato-operator")
            .timeout(TIMEOUT)
            .no_proxy();
        Self {
            http: http.build().unwrap_or_default(),
            base: format!("http://127.0.0.1:{}", ports::SERVER),
            admin_invoke,
            pubapi,
            scheduler: scheduler.unwrap_or_default(),
        }
    }

    /// One at another address, for tests.
    #[cfg(test)]
    pub fn at(base: String) -> Self {
        Self {
            base,
            ..Self::new("admin".into(), "pubapi".into(), None)
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

    /// All REST channels that are no part of Zato.
    pub async fn channels(&self) -> Result<Vec<Row>, Error> {
        let service = "zato.http-soap.get-list";
        let payload = json!({"cluster_id": 1, "connection": "channel", "transport": "plain_http"});
        rows(service, self.invoke(service, &payload).await?)
    }

    /// Makes a REST channel, or changes the one of that number.
    pub async fn write_channel(&self, id: Option<i64>, mut fields: Value) -> Result<(), Error> {
        let service = match id {
            None => "zato.http-soap.create",
            Some(id) => {
                fields["id"] = id.into();
                "zato.http-soap.edit"
            }
        };
        self.invoke(service, &fields).await.map(drop)
    }

    /// Deletes a REST channel.
    pub async fn delete_channel(&self, id: i64) -> Result<(), Error> {
        self.invoke("zato.http-soap.delete", &json!({"id": id}))
            .await
            .map(drop)
    }

    /// All WebSocket channels.
    pub async fn web_sockets(&self) -> Result<Vec<WebSocketRow>, Error> {
        let service = "zato.channel.web-socket.get-list";
        rows(service, self.invoke(service, &json!({"cluster_id": 1})).await?)
    }

    /// Makes a WebSocket channel, or changes the one of that number, which cuts its clients off.
    pub async fn write_web_socket(&self, id: Option<i64>, mut fields: Value) -> Result<(), Error> {
        let service = match id {
            None => "zato.channel.web-socket.create",
            Some(id) => {
                fields["id"] = id.into();
                "zato.channel.web-socket.edit"
            }
        };
        self.invoke(service, &fields).await.map(drop)
    }

    /// Deletes a WebSocket channel.
    pub async fn delete_web_socket(&self, id: i64) -> Result<(), Error> {
        self.invoke("zato.channel.web-socket.delete", &json!({"id": id}))
            .await
            .map(drop)
    }

    /// All jobs.
    pub async fn jobs(&self) -> Result<Vec<JobRow>, Error> {
        let service = "zato.scheduler.job.get-list";
        rows(service, self.invoke(service, &json!({"cluster_id": 1})).await?)
    }

    /// Makes a job, or changes the one of that number.
    pub async fn write_job(&self, id: Option<i64>, mut fields: Value) -> Result<(), Error> {
        let service = match id {
            None => "zato.scheduler.job.create",
            Some(id) => {
                fields["id"] = id.into();
                "zato.scheduler.job.edit"
            }
        };
        self.invoke(service, &fields).await.map(drop)
    }

    /// Deletes a job.
    pub async fn delete_job(&self, id: i64) -> Result<(), Error> {
        self.invoke("zato.scheduler.job.delete", &json!({"id": id}))
            .await
            .map(drop)
    }

    /// Whether the scheduler answers. It does when it has read its jobs.
    pub async fn ask_scheduler(&self) -> Result<(), Error> {
        let url = format!("http://{}/", self.scheduler);
        let request = self.http.get(url).timeout(SCHEDULER_TIMEOUT);
        request.send().await.map(drop).map_err(Error::Scheduler)
    }

    /// All definitions of a kind.
    pub async fn definitions(&self, kind: SecurityKind) -> Result<Vec<Definition>, Error> {
        let service = format!("{}.get-list", definitions(kind));
        let mut found: Vec<Definition> =
            rows(&service, self.invoke(&service, &json!({"cluster_id": 1})).await?)?;
        for definition in &mut found {
            definition.kind = kind;
        }
        Ok(found)
    }

    /// Makes a definition, or makes the one of that number as it should be, and gives it its password.
    pub async fn define(
        &self,
        security: &IndexedSecurity,
        name: &str,
        id: Option<i64>,
        is_same: bool,
    ) -> Result<(), Error> {
        let family = definitions(security.kind);
        let mut fields = json!({"cluster_id": 1, "name": name, "is_active": true});
        if security.kind == SecurityKind::BasicAuth {
            fields["username"] = security.username.clone().into();
            fields["realm"] = "zato".into();
        }
        let id = match id {
            None => self.invoke(&format!("{family}.create"), &fields).await?["id"].clone(),
            Some(id) if is_same => id.into(),
            Some(id) => {
                fields["id"] = id.into();
                self.invoke(&format!("{family}.edit"), &fields).await?;
                id.into()
            }
        };
        let password = &security.password.0;
        let payload = json!({"id": id, "password1": password, "password2": password});
        self.invoke(&format!("{family}.change-password"), &payload)
            .await
            .map(drop)
    }

    /// Lets another definition have the user name of this one.
    pub async fn free_user_name(&self, definition: &Definition) -> Result<(), Error> {
        let fields = json!({
            "cluster_id": 1, "id": definition.id, "name": definition.name, "is_active": true, "realm": "zato",
            "username": format!("moved from {}", definition.name),
        });
        self.invoke("zato.security.basic-auth.edit", &fields)
            .await
            .map(drop)
    }

    /// Deletes a definition. Zato deletes the channels that need it, too.
    pub async fn delete_definition(&self, definition: &Definition) -> Result<(), Error> {
        let service = format!("{}.delete", definitions(definition.kind));
        self.invoke(&service, &json!({"id": definition.id}))
            .await
            .map(drop)
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
            let status = answer.status().as_u16();
            let cause = cause(&answer.text().await.unwrap_or_default());
            return Err(wrong(format!("HTTP {status}{cause}")));
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

/// The family of services for definitions of a kind.
fn definitions(kind: SecurityKind) -> &'static str {
    match kind {
        SecurityKind::BasicAuth => "zato.security.basic-auth",
        SecurityKind::ApiKey => "zato.security.apikey",
    }
}

fn rows<T: DeserializeOwned>(service: &str, list: Value) -> Result<Vec<T>, Error> {
    // No answer at all is an empty list.
    let list = if list.is_null() { json!([]) } else { list };
    serde_json::from_value(list).map_err(|error| Error::Answer {
        service: service.into(),
        why: error.to_string(),
    })
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
