//! Requests to a git server: only by HTTPS, only to the host that a user named, within limits of time and size.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;

use super::{Origin, Trouble};
use crate::api::conditions::Reason;

mod authority;
mod cause;

use authority::roots;
use cause::{Cause, Failure, cause};

/// Some servers answer git alone.
const AGENT: &str = concat!("git/2.40 (zato-operator ", env!("CARGO_PKG_VERSION"), ")");
/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(20);
/// How often a server may lead to another path of itself.
const REDIRECTS: usize = 5;

/// Talks to one server.
#[derive(Debug)]
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    origin: Origin,
}

/// An answer that has begun.
#[derive(Debug)]
pub struct Answer {
    /// Where it is from: the server may have led there.
    pub url: String,
    body: Incoming,
}

impl Http {
    /// For a server.
    pub fn new(origin: &Origin) -> Result<Self, Trouble> {
        let roots = roots(origin.authority.as_deref())?;
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Trouble::new(Reason::GitUnreachable, format!("no TLS: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECTING));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            origin: origin.clone(),
        })
    }

    /// Asks for a resource. The server may lead to another one of itself.
    pub async fn get(&self, url: &str) -> Result<Answer, Trouble> {
        let mut url = url.to_owned();
        for _ in 0..=REDIRECTS {
            let response = self.send(Method::GET, &url, Bytes::new()).await?;
            if !response.status().is_redirection() {
                return self.answer(url, response);
            }
            let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let Some(next) = location.and_then(|location| led(&url, location)) else {
                break;
            };
            self.admit(&next)?;
            url = next;
        }
        Err(self.leads_elsewhere())
    }

    /// Sends a request of git.
    pub async fn post(&self, url: &str, body: String) -> Result<Answer, Trouble> {
        let response = self.send(Method::POST, url, body.into()).await?;
        if response.status().is_redirection() {
            return Err(self.leads_elsewhere());
        }
        self.answer(url.to_owned(), response)
    }

    async fn send(&self, method: Method, url: &str, body: Bytes) -> Result<Response<Incoming>, Trouble> {
        let sent = self
            .request(method, url, body)
            .map(|request| self.client.request(request));
        let response = match sent {
            Ok(sent) => match tokio::time::timeout(SILENCE, sent).await {
                Ok(response) => response.map_err(Failure::from),
                Err(_) => Err(Failure::Late),
            },
            Err(error) => Err(error.into()),
        };
        response.map_err(|failure| self.told(&failure))
    }

    fn request(&self, method: Method, url: &str, body: Bytes) -> http::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(&method)
            .uri(url)
            .header(USER_AGENT, AGENT)
            .header("git-protocol", "version=2");
        if method == Method::POST {
            request = request
                .header(CONTENT_TYPE, "application/x-git-upload-pack-request")
                .header(ACCEPT, "application/x-git-upload-pack-result");
        }
        if let Some(login) = &self.origin.login {
            let text = BASE64.encode(format!("{}:{}", login.username, login.password.0));
            let mut value = HeaderValue::try_from(format!("Basic {text}"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.body(Full::new(body))
    }

    fn answer(&self, url: String, response: Response<Incoming>) -> Result<Answer, Trouble> {
        match response.status() {
            StatusCode::OK => Ok(Answer {
                url,
                body: response.into_body(),
            }),
            status => Err(self.refused(status)),
        }
    }

    /// The next piece of an answer; none: it is complete.
    pub async fn piece(&self, answer: &mut Answer) -> Result<Option<Bytes>, Trouble> {
        loop {
            let frame = match tokio::time::timeout(SILENCE, answer.body.frame()).await {
                Ok(frame) => frame.transpose().map_err(Failure::from),
                Err(_) => Err(Failure::Late),
            };
            match frame.map_err(|failure| self.told(&failure))? {
                None => return Ok(None),
                Some(frame) => {
                    // What is no data is about them.
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The whole of an answer.
    pub async fn bytes(&self, mut answer: Answer, limit: usize) -> Result<Vec<u8>, Trouble> {
        let mut found = vec![];
        while let Some(piece) = self.piece(&mut answer).await? {
            found.extend_from_slice(&piece);
            if found.len() > limit {
                let why = format!("answers with more than {limit} bytes: {CHECK}");
                return Err(self.trouble(Reason::GitRefused, &why));
            }
        }
        Ok(found)
    }

    /// Something about this server.
    pub fn trouble(&self, reason: Reason, why: &str) -> Trouble {
        Trouble::new(reason, format!("git server {} {why}", self.origin.host()))
    }

    fn refused(&self, status: StatusCode) -> Trouble {
        let why = match (status.as_u16(), &self.origin.login) {
            (401 | 403, Some(login)) => format!(
                "does not accept the credentials of Secret {} for {}: check its username and password",
                login.secret, self.origin.url
            ),
            (401 | 403, None) => format!(
                "wants credentials for {}: name a Secret with username and password in secretRef, or check the url",
                self.origin.url
            ),
            (404 | 410, _) => format!(
                "has no repository {}, or does not show it: check the url and the credentials",
                self.origin.url
            ),
            (code, _) if status.is_server_error() || code == 429 => {
                let why = format!("answers with status {code}: it is asked again");
                return self.trouble(Reason::GitUnreachable, &why);
            }
            (code, _) => format!("answers with status {code}: {CHECK}"),
        };
        self.trouble(Reason::GitRefused, &why)
    }

    /// Whether credentials may go where the server leads.
    fn admit(&self, next: &str) -> Result<(), Trouble> {
        let base = next.rsplit_once("/info/refs").map_or(next, |(base, _)| base);
        match &self.origin.login {
            Some(login) if !login.is_for(base) => {
                let why = format!(
                    "leads to an address for which Secret {} may not be used: write the address that it leads to, or have the owner change key url of the Secret",
                    login.secret
                );
                Err(self.trouble(Reason::GitRefused, &why))
            }
            _ => Ok(()),
        }
    }

    fn leads_elsewhere(&self) -> Trouble {
        let why = "leads to another host, or away from HTTPS: write the address that it leads to";
        self.trouble(Reason::GitRefused, why)
    }

    /// What went wrong, without words of the server.
    fn told(&self, failure: &Failure) -> Trouble {
        let is_connect = matches!(failure, Failure::Client(error) if error.is_connect());
        let why = match cause(failure) {
            Some(Cause::Certificate(what)) if self.origin.authority.is_some() => format!(
                "has a certificate that is not trusted ({what}), by the CA of caConfigMapRef: correct one of them"
            ),
            Some(Cause::Certificate(what)) => format!(
                "has a certificate that is not trusted ({what}): name the ConfigMap with its CA in caConfigMapRef"
            ),
            Some(Cause::Late) => "does not answer in time: it is asked again".into(),
            Some(Cause::Refused) => "refuses the connection: check the url; it is asked again".into(),
            Some(Cause::Name) => "is not found by its name: check the url; it is asked again".into(),
            None if is_connect => "cannot be reached: check the url; it is asked again".into(),
            None => "broke the connection off: it is asked again".into(),
        };
        self.trouble(Reason::GitUnreachable, &why)
    }
}

/// What to do about an answer that is none.
pub const CHECK: &str = "check that the url is that of a git repository";

/// Where a server leads, if that is itself.
fn led(from: &str, location: &str) -> Option<String> {
    let path = from
        .strip_prefix("https://")?
        .find('/')
        .map(|slash| slash + "https://".len())?;
    let server = &from[..path];
    let rest = location.strip_prefix(server).unwrap_or(location);
    // Two slashes would be another server.
    let is_path = rest.starts_with('/') && !rest.starts_with("//");
    is_path.then(|| format!("{server}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::super::login::tests::login;
    use super::*;
    use rstest::rstest;

    fn http(login: Option<super::super::login::Login>) -> Http {
        Http::new(&Origin {
            url: "https://git.example.com/a".into(),
            reference: "main".into(),
            login,
            authority: None,
        })
        .unwrap()
    }

    #[rstest]
    #[case(
        401,
        false,
        Reason::GitRefused,
        "wants credentials for https://git.example.com/a: name a Secret"
    )]
    #[case(
        403,
        true,
        Reason::GitRefused,
        "does not accept the credentials of Secret s for"
    )]
    #[case(
        404,
        false,
        Reason::GitRefused,
        "has no repository https://git.example.com/a,"
    )]
    #[case(400, false, Reason::GitRefused, "answers with status 400: check that")]
    #[case(503, false, Reason::GitUnreachable, "answers with status 503")]
    #[case(429, false, Reason::GitUnreachable, "answers with status 429")]
    fn a_status_is_told(
        #[case] status: u16,
        #[case] has_login: bool,
        #[case] reason: Reason,
        #[case] words: &str,
    ) {
        let told = http(has_login.then(login)).refused(StatusCode::from_u16(status).unwrap());
        assert_eq!(told.reason, reason);
        assert!(
            told.message.starts_with("git server git.example.com ") && told.message.contains(words),
            "{told}"
        );
        assert!(!told.message.contains("password-of-ada"), "{told}");
    }

    #[rstest]
    #[case("https://git.example.com/team/b.git/info/refs?service=git-upload-pack", true)]
    #[case("https://git.example.com/team/info/refs", true)]
    #[case("https://git.example.com/b.git/info/refs", false)]
    #[case("https://git.example.com/sign-in", false)]
    fn credentials_go_where_their_owner_allows(#[case] next: &str, #[case] is_so: bool) {
        assert!(http(None).admit(next).is_ok());
        let told = http(Some(login())).admit(next);
        assert_eq!(told.is_ok(), is_so);
        if let Err(told) = told {
            assert!(
                told.message
                    .contains("leads to an address for which Secret s may not be used"),
                "{told}"
            );
        }
    }

    #[rstest]
    #[case("/b/info", Some("https://h:1/b/info"))]
    #[case("https://h:1/b", Some("https://h:1/b"))]
    #[case("https://h:12/b", None)]
    #[case("https://h/b", None)]
    #[case("http://h:1/b", None)]
    #[case("//other/b", None)]
    #[case("https://h:1//other/b", None)]
    #[case("https://h:1@other/b", None)]
    #[case("b", None)]
    #[case("", None)]
    fn a_server_leads_to_itself_alone(#[case] location: &str, #[case] wanted: Option<&str>) {
        assert_eq!(led("https://h:1/a/info", location).as_deref(), wanted);
    }
}
