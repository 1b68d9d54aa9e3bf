//! The keys and passwords of a cluster: made once, then only read.
//!
//! They are never logged, never applied over and never made anew while a database exists that needs them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::api::{ApiResource, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};

use crate::exchange::short_hash;
use crate::k8s::{labels, names};
use crate::reconcile::Error;
use crate::reconcile::child::{Child, Content};
use crate::reconcile::engine::Context;
use crate::reconcile::error::Holder;

/// The Fernet key that encrypts secrets in the database.
pub const KEY1: &str = "key1";
/// Signs Zato's own web tokens.
pub const JWT_SECRET: &str = "jwtSecret";
/// The password of Zato's user `admin.invoke`.
pub const ADMIN_INVOKE_PASSWORD: &str = "adminInvokePassword";
/// The password of Zato's user `pubapi`, which calls services through `/zato/api/invoke/`.
pub const PUBAPI_PASSWORD: &str = "pubapiPassword";
/// The password of the dashboard's user `admin`.
pub const DASHBOARD_PASSWORD: &str = "dashboardPassword";
/// The password with which servers call the scheduler.
pub const SCHEDULER_PASSWORD: &str = "schedulerPassword";
/// Makes the servers' tokens.
pub const TOKEN_SALT: &str = "tokenSalt";

const KEYS: [&str; 7] = [
    KEY1,
    JWT_SECRET,
    ADMIN_INVOKE_PASSWORD,
    PUBAPI_PASSWORD,
    DASHBOARD_PASSWORD,
    SCHEDULER_PASSWORD,
    TOKEN_SALT,
];

/// What of the credentials the operator may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub String);

/// Looks at the Secret, or makes it when neither it nor a database exists.
pub async fn ensure(
    namespace: &str,
    cluster: &str,
    uid: &str,
    database: Kept,
    context: &Context,
) -> Result<Fingerprint, Error> {
    let name = names::credentials(cluster);
    let cached = context
        .stores
        .child(&ApiResource::erase::<Secret>(&()), namespace, &name);
    if let Some(Child {
        content: Content::Credentials(checked),
        cluster: owner,
        controller,
        is_deleted,
        ..
    }) = cached
    {
        // Of a deleted cluster of this name, and about to go with it: no database may be made with these keys.
        if is_deleted || controller.is_some_and(|controller| controller != uid) {
            return Err(Error::Foreign {
                kind: "Secret".into(),
                name,
            });
        }
        return judge(checked, owner.as_ref(), cluster);
    }
    // Not in the cache: new, or made by hand without our labels.
    let api = Api::<Secret>::namespaced(context.client.clone(), namespace);
    let holder = match database {
        Kept::OnClaim => has_claim(namespace, cluster, context)
            .await?
            .then(|| Holder::Claim(names::data(cluster))),
        Kept::Outside { is_made } => is_made.then_some(Holder::Server),
    };
    let secret = match holder {
        Some(holder) => api
            .get_opt(&name)
            .await?
            .ok_or(Error::KeyMissing { holder, secret: name })?,
        None => create(&api, cluster).await?,
    };
    judge(check(&secret), secret.labels().get(labels::INSTANCE), cluster)
}

/// Where the database is that keys decrypt.
#[derive(Clone, Copy, Debug)]
pub enum Kept {
    /// In a file on a volume: it may exist when the claim does.
    OnClaim,
    /// In a server of others.
    Outside {
        /// Whether it was told that it exists.
        is_made: bool,
    },
}

/// Whether a database may exist. One without our labels is in no cache: this is the only read of a new cluster.
async fn has_claim(namespace: &str, cluster: &str, context: &Context) -> Result<bool, Error> {
    let claim = names::data(cluster);
    let kind = ApiResource::erase::<PersistentVolumeClaim>(&());
    if context.stores.child(&kind, namespace, &claim).is_some() {
        return Ok(true);
    }
    let claims = Api::<PersistentVolumeClaim>::namespaced(context.client.clone(), namespace);
    Ok(claims.get_metadata_opt(&claim).await?.is_some())
}

async fn create(api: &Api<Secret>, cluster: &str) -> Result<Secret, Error> {
    let params = PostParams {
        field_manager: Some(labels::MANAGER.into()),
        ..PostParams::default()
    };
    match api.create(&params, &generate(cluster)).await {
        // Somebody was faster, or made it by hand: theirs counts.
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            Ok(api.get(&names::credentials(cluster)).await?)
        }
        created => Ok(created?),
    }
}

fn judge(
    checked: Result<Fingerprint, String>,
    owner: Option<&String>,
    cluster: &str,
) -> Result<Fingerprint, Error> {
    let secret = names::credentials(cluster);
    if owner.is_some_and(|owner| owner != cluster) {
        return Err(Error::Foreign {
            kind: "Secret".into(),
            name: secret,
        });
    }
    checked.map_err(|why| Error::Credentials { secret, why })
}

/// The fingerprint of usable credentials, or which key is wrong and why. Never a value.
pub fn check(secret: &Secret) -> Result<Fingerprint, String> {
    for key in KEYS {
        let value = secret
            .data
            .as_ref()
            .and_then(|data| data.get(key))
            .map(|value| value.0.as_slice());
        let text = value
            .and_then(|value| std::str::from_utf8(value).ok())
            .unwrap_or_default();
        if let Some(why) = refused(text) {
            return Err(format!("key {key} {why}"));
        }
    }
    let key1 = secret
        .data
        .as_ref()
        .and_then(|data| data.get(KEY1))
        .map(|value| value.0.clone())
        .unwrap_or_default();
    if URL_SAFE.decode(&key1).ok().is_none_or(|raw| raw.len() != 32) {
        return Err("key1 is not a Fernet key (32 bytes in URL-safe base64): put the old one back".into());
    }
    Ok(Fingerprint(short_hash(&key1)))
}

/// Why Zato could not work with a value.
fn refused(text: &str) -> Option<&'static str> {
    match text {
        "" => Some("is missing or empty: put it back"),
        // They go into files of one `key=value` a line.
        _ if text.chars().any(char::is_control) => Some("must be one line of text"),
        // Zato takes such values for the name of an environment variable, or for an encrypted value.
        _ if text.starts_with('$') || text.starts_with("zato.secf.") => {
            Some("must not start with $ or zato.secf.: choose another value")
        }
        _ => None,
    }
}

fn generate(cluster: &str) -> Secret {
    let mut data: BTreeMap<String, ByteString> = KEYS
        .iter()
        .map(|key| ((*key).to_owned(), ByteString(password().into_bytes())))
        .collect();
    data.insert(
        KEY1.into(),
        ByteString(URL_SAFE.encode(random::<32>()).into_bytes()),
    );
    Secret {
        metadata: ObjectMeta {
            name: Some(names::credentials(cluster)),
            labels: Some(labels::child(cluster, labels::CREDENTIALS)),
            ..ObjectMeta::default()
        },
        data: Some(data),
        ..Secret::default()
    }
}

/// 32 letters and digits: some of Zato's commands strip other characters.
fn password() -> String {
    let text = STANDARD.encode(random::<48>());
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(32)
        .collect()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without random numbers there must be no key at all.
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    bytes
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn secret(cluster: &str) -> Secret {
        generate(cluster)
    }

    #[test]
    fn generated_credentials_pass_the_check() {
        let secret = generate("demo");
        assert_eq!(check(&secret).unwrap().0.len(), 16);
        assert_ne!(check(&generate("demo")).unwrap(), check(&secret).unwrap());
    }

    #[test]
    fn a_missing_or_malformed_key_is_named() {
        for (key, value) in [
            (JWT_SECRET, ""),
            (PUBAPI_PASSWORD, "a\nb"),
            (PUBAPI_PASSWORD, "$HOME"),
            (KEY1, "short"),
        ] {
            let mut secret = generate("demo");
            let data = secret.data.as_mut().unwrap();
            data.insert(key.into(), ByteString(value.into()));
            assert!(check(&secret).unwrap_err().contains(key));
        }
    }

    #[test]
    fn the_secret_of_another_cluster_is_refused() {
        let fingerprint = || Ok(Fingerprint("f".into()));
        let judged = |owner: Option<&str>| judge(fingerprint(), owner.map(Into::into).as_ref(), "demo");
        assert!(matches!(judged(Some("other")), Err(Error::Foreign { .. })));
        assert!(judged(Some("demo")).is_ok() && judged(None).is_ok());
    }
}
