//! Pure: credentials for git servers, from Secrets whose owners let services use them for some repositories.
//!
//! Who may write ZatoServices names the server: without the owner's word any Secret of the namespace could be sent anywhere.

use std::hash::{Hash, Hasher};

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::Trouble;
use crate::api::conditions::Reason;
use crate::exchange::Hidden;
use crate::k8s::labels;

/// The key with the user's name.
const USERNAME: &str = "username";
/// The key with the password or token.
const PASSWORD: &str = "password";
/// The key with the beginning of the addresses for which it may be used.
const URL: &str = "url";

/// What is sent to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The Secret that it is from.
    pub secret: String,
    /// The beginning of the addresses for which its owner lets it be used.
    pub scope: String,
    /// The user.
    pub username: String,
    /// The password or token.
    pub password: Hidden,
}

impl Hash for Login {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Nothing is made from a password that is not needed.
        (&self.secret, &self.username).hash(state);
    }
}

impl Login {
    /// Whether it may be sent to an address to which a server led: one in other words could be read as another one.
    pub fn is_for(&self, url: &str) -> bool {
        let is_plain = |part: &str| part != "." && part != ".." && !part.contains(['%', '\\', ';']);
        let path = url.split('?').next().unwrap_or_default();
        path.split('/').all(is_plain) && covers(&self.scope, path)
    }
}

/// What a Secret says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitSecret {
    is_allowed: bool,
    url: Option<String>,
    username: Option<String>,
    password: Option<Hidden>,
}

impl GitSecret {
    /// From a Secret. What its owner does not let services use is not kept in memory.
    pub fn of(secret: Secret) -> Self {
        let is_allowed = secret
            .labels()
            .get(labels::GIT_CREDENTIALS)
            .is_some_and(|value| value == "true");
        if !is_allowed {
            return Self::default();
        }
        let mut data = secret.data.unwrap_or_default();
        let mut text = |key: &str| {
            data.remove(key)
                .and_then(|value| String::from_utf8(value.0).ok())
                // A line break at the end is from `--from-file`, and no part of a token.
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .filter(|text| !text.is_empty() && !text.contains(char::is_control))
        };
        Self {
            is_allowed,
            url: text(URL),
            username: text(USERNAME),
            password: text(PASSWORD).map(Hidden),
        }
    }

    /// What may be sent for a repository.
    pub fn login(&self, name: &str, url: &str) -> Result<Login, Trouble> {
        let invalid = |why: String| Trouble::new(Reason::SecretInvalid, format!("Secret {name}: {why}"));
        if !self.is_allowed {
            let label = labels::GIT_CREDENTIALS;
            return Err(invalid(format!(
                "services may not use it for git: its owner allows it with `kubectl label --overwrite secret {name} {label}=true`"
            )));
        }
        let missing = |key: &str, what: &str| invalid(format!("key {key} is missing or no text: add {what}"));
        let allowed = self.url.as_ref().ok_or_else(|| {
            missing(
                URL,
                "the address for which it may be used, such as https://git.example.com/team/",
            )
        })?;
        if !covers(allowed, url) {
            return Err(invalid(format!(
                "its owner lets it be used for {allowed} alone, and not for {url}: change its key {URL}, or take another Secret"
            )));
        }
        let username = self
            .username
            .clone()
            .ok_or_else(|| missing(USERNAME, "the user"))?;
        if username.contains(':') {
            return Err(invalid(format!(
                "key {USERNAME} has a colon, which no user name can have"
            )));
        }
        Ok(Login {
            secret: name.to_owned(),
            scope: allowed.clone(),
            username,
            password: self
                .password
                .clone()
                .ok_or_else(|| missing(PASSWORD, "the password or token"))?,
        })
    }
}

/// Whether an address is the allowed one, or below it: `/team` does not allow `/team-of-others`.
fn covers(allowed: &str, url: &str) -> bool {
    let below = |text: &str| text.trim_end_matches('/').to_owned() + "/";
    // A beginning such as `https://git` would be one of many servers.
    let has_host = allowed
        .strip_prefix("https://")
        .is_some_and(|rest| !rest.trim_matches('/').is_empty());
    has_host && below(url).starts_with(&below(allowed))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use rstest::rstest;

    pub fn login() -> Login {
        Login {
            scope: "https://git.example.com/team/".into(),
            secret: "s".into(),
            username: "ada".into(),
            password: Hidden("password-of-ada".into()),
        }
    }

    fn secret(label: &str, keys: &[(&str, &str)]) -> GitSecret {
        let mut secret = Secret::default();
        secret.metadata.labels = Some([(labels::GIT_CREDENTIALS.to_owned(), label.to_owned())].into());
        let keys = keys
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
        secret.data = Some(keys.collect());
        GitSecret::of(secret)
    }

    #[rstest]
    #[case("https://git.example.com/team/a.git", true)]
    #[case("https://git.example.com/team/b", true)]
    #[case("https://git.example.com/other/a.git", false)]
    #[case("https://git.example.com/team/../other/a.git", false)]
    #[case("https://git.example.com/team/%2e%2e/other/a.git", false)]
    #[case("https://git.example.com?/team/a.git", false)]
    fn a_server_leads_credentials_only_where_the_owner_allows(#[case] url: &str, #[case] is_so: bool) {
        assert_eq!(login().is_for(url), is_so);
    }

    const ALL: [(&str, &str); 3] = [
        ("username", "ada"),
        ("password", "password-of-ada\n"),
        ("url", "https://git.example.com/team/"),
    ];

    #[rstest]
    #[case("true", &ALL, "https://git.example.com/team/a.git", None)]
    #[case("false", &ALL, "https://git.example.com/team/a.git", Some("kubectl label --overwrite secret s zato.io/git-credentials=true"))]
    #[case("true", &ALL, "https://evil.example.com/team/a.git", Some("lets it be used for https://git.example.com/team/ alone"))]
    #[case("true", &ALL[..2], "https://git.example.com/team/a.git", Some("key url is missing"))]
    #[case("true", &ALL[1..], "https://git.example.com/team/a.git", Some("key username is missing"))]
    #[case("true", &[ALL[0], ALL[2]], "https://git.example.com/team/a.git", Some("key password is missing"))]
    #[case("true", &[("username", "a:b"), ALL[1], ALL[2]], "https://git.example.com/team/a.git", Some("has a colon"))]
    fn an_owner_says_for_what_a_secret_may_be_used(
        #[case] label: &str,
        #[case] keys: &[(&str, &str)],
        #[case] url: &str,
        #[case] refused: Option<&str>,
    ) {
        let secret = secret(label, keys);
        assert!(!format!("{secret:?}").contains("password-of-ada"));
        match (secret.login("s", url), refused) {
            (Ok(found), None) => assert_eq!(found, login()),
            (Err(trouble), Some(words)) => {
                assert_eq!(trouble.reason, Reason::SecretInvalid);
                assert!(trouble.message.contains(words), "{trouble}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case("https://git.example.com", "https://git.example.com/a", true)]
    #[case("https://git.example.com/", "https://git.example.com/a", true)]
    #[case("https://git.example.com/a.git", "https://git.example.com/a.git", true)]
    #[case("https://git.example.com/a", "https://git.example.com/a.git", false)]
    #[case(
        "https://git.example.com/team",
        "https://git.example.com/team-of-others/a",
        false
    )]
    #[case("https://git.example.com", "https://git.example.com.evil.org/a", false)]
    #[case("https://git.example.com", "https://git.example.com:444/a", false)]
    #[case("https://", "https://git.example.com/a", false)]
    #[case("", "https://git.example.com/a", false)]
    #[case("http://git.example.com", "https://git.example.com/a", false)]
    fn an_address_covers_what_is_below_it(#[case] allowed: &str, #[case] url: &str, #[case] is_so: bool) {
        assert_eq!(covers(allowed, url), is_so);
    }
}
