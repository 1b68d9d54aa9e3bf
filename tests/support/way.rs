//! The way from this machine to a Zato of the node: `kubectl port-forward`, and the password of `pubapi`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;

use super::Namespace;

/// What a caller sends.
#[derive(Clone, Copy, Debug)]
pub enum Login<'a> {
    Nobody,
    Basic(&'a str, &'a str),
    Key(&'a str),
}

/// An open way.
pub struct Way {
    forward: Child,
    // kubectl ends when it cannot say that it forwards.
    _output: BufReader<ChildStdout>,
    http: reqwest::Client,
    port: u16,
    password: String,
}

impl Drop for Way {
    fn drop(&mut self) {
        let _ = self.forward.kill();
        let _ = self.forward.wait();
    }
}

impl Way {
    /// To a Service or pod of the cluster "c", such as `service/c`.
    pub async fn to(space: &Namespace, target: &str, port: u16) -> Self {
        let mut forward = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(super::kubeconfig())
            .args([
                "--namespace",
                space.name(),
                "port-forward",
                target,
                &format!(":{port}"),
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl is on PATH: run make e2e");
        let mut line = String::new();
        let mut output = BufReader::new(forward.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let port = line
            .split("127.0.0.1:")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .unwrap_or_default();
        let port = port
            .parse()
            .unwrap_or_else(|_| panic!("kubectl port-forward said {line:?}"));
        let secret = space.get::<Secret>("c-zato").await.data.unwrap();
        Self {
            forward,
            _output: output,
            http: reqwest::Client::new(),
            port,
            password: String::from_utf8(secret["pubapiPassword"].0.clone()).unwrap(),
        }
    }

    /// The address on this machine.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The password of `pubapi`.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Status and body.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let url = format!("{}{path}", self.url());
        let login = STANDARD.encode(format!("pubapi:{}", self.password));
        let answer = self
            .http
            .get(url)
            .header("Authorization", format!("Basic {login}"))
            .send()
            .await;
        let Ok(answer) = answer else {
            return (0, String::new());
        };
        (answer.status().as_u16(), answer.text().await.unwrap_or_default())
    }

    /// Status, the header `Age` and body of a GET of a channel.
    pub async fn aged(&self, path: &str, login: (&str, &str)) -> (u16, Option<String>, String) {
        let request = self.http.get(format!("{}{path}", self.url()));
        let Ok(answer) = request.basic_auth(login.0, Some(login.1)).send().await else {
            return (0, None, String::new());
        };
        let age = answer
            .headers()
            .get("Age")
            .map(|age| age.to_str().unwrap().to_owned());
        (
            answer.status().as_u16(),
            age,
            answer.text().await.unwrap_or_default(),
        )
    }

    /// Status and body of a call of a channel.
    pub async fn call(&self, method: &str, path: &str, login: Login<'_>) -> (u16, String) {
        let url = format!("{}{path}", self.url());
        let request = self.http.request(method.parse().unwrap(), url);
        let request = match login {
            Login::Nobody => request,
            Login::Basic(name, password) => request.basic_auth(name, Some(password)),
            Login::Key(key) => request.header("X-API-Key", key),
        };
        let Ok(answer) = request.send().await else {
            return (0, String::new());
        };
        (answer.status().as_u16(), answer.text().await.unwrap_or_default())
    }

    /// Status, content type and body of a call of a channel with a text.
    pub async fn post(&self, path: &str, login: (&str, &str), text: String) -> (u16, String, String) {
        let request = self.http.post(format!("{}{path}", self.url()));
        let request = request.basic_auth(login.0, Some(login.1)).body(text);
        let Ok(answer) = request.header("Content-Type", "text/xml").send().await else {
            return (0, String::new(), String::new());
        };
        let kind = answer.headers().get("Content-Type");
        let kind = kind
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        (
            answer.status().as_u16(),
            kind,
            answer.text().await.unwrap_or_default(),
        )
    }

    /// Whether the service of [`super::code`] gives this answer.
    pub async fn answers(&self, what: &str) -> bool {
        let (status, body) = self.get("/zato/api/invoke/story.greeting").await;
        status == 200
            && serde_json::from_str::<serde_json::Value>(&body).is_ok_and(|body| body["answer"] == what)
    }
}
