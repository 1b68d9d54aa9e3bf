//! What callers send, from Secrets that are there, wrong, touched or gone.

use super::*;

#[rstest]
#[case(secret("true", &BASIC), "basicAuthSecretRef", "")]
#[case(secret("true", &[("apiKey", b"geheim")]), "apiKeySecretRef", "")]
#[case(secret("false", &BASIC), "basicAuthSecretRef", "Secret s: services may not use it: its owner allows it with `kubectl label --overwrite secret s zato.io/channel-credentials=true`")]
#[case(secret("true", &BASIC), "apiKeySecretRef", "Secret s: key apiKey is missing: add it")]
#[case(secret("true", &[("username", b"ann")]), "basicAuthSecretRef", "Secret s: key password is missing: add it")]
#[case(secret("true", &[("username", b"ann"), ("password", b"geheim\n")]), "basicAuthSecretRef", "Secret s: key password ends with a line break: write it with --from-literal")]
#[case(secret("true", &[("username", b""), ("password", b"geheim")]), "basicAuthSecretRef", "Secret s: key username must be 1 to 200 printable ASCII characters")]
#[case(secret("true", &[("username", b"a:b"), ("password", b"geheim")]), "basicAuthSecretRef", "Secret s: key username has a colon, which no user name can have: choose another one")]
#[case(secret("true", &[("username", b"ann"), ("password", b"\xff")]), "basicAuthSecretRef", "Secret s: key password must be 1 to 200 printable ASCII characters")]
fn secrets_that_cannot_be_used_are_told(
    #[case] secret: CallerSecret,
    #[case] field: &str,
    #[case] wanted: &str,
) {
    let channels = [("c", rest("/a", &["GET"], json!({field: {"name": "s"}})))];
    let all = claims(
        &[service("one", &channels, &[("s", Some(secret))])],
        &Index::default(),
    );
    let claim = &all["one"][0];
    assert_eq!(problems(&all["one"]), [wanted]);
    assert_eq!(claim.told.is_some(), wanted.is_empty());
    assert!(!format!("{all:?}").contains("geheim"));
}

#[test]
fn the_secrets_of_a_service_are_known() {
    let channel = |name: &str, security: Value| json!({"name": name, "rest": rest("/a", &["GET"], security)});
    let object = json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "s"},
        "spec": {"clusterRef": {"name": "c"}, "source": {"inline": {}}, "channels": [
            channel("a", json!({"basicAuthSecretRef": {"name": "one"}})),
            channel("b", json!({"none": {}})),
            channel("c", json!({"apiKeySecretRef": {"name": "two"}})),
        ]},
    });
    let object: ZatoService = serde_json::from_value(object).unwrap();
    assert_eq!(secrets(&object).collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn the_limits_of_what_callers_send() {
    assert!(is_sendable(&"a".repeat(200)) && is_sendable(" ~"));
    assert!(!is_sendable(&"a".repeat(201)) && !is_sendable("\u{7f}") && !is_sendable("é"));
}

/// Zato has one password for a user name, and users of its own.
#[test]
fn a_user_name_is_of_one_secret() {
    let by = |name: &str, path: &str| rest(path, &["GET"], json!({"basicAuthSecretRef": {"name": name}}));
    let with = |username: &'static [u8]| Some(secret("true", &[("username", username), ("password", b"x")]));
    let channels = [
        ("one", by("a", "/1")),
        ("two", by("b", "/2")),
        ("same", by("a", "/3")),
        ("own", by("c", "/4")),
    ];
    let secrets = [("a", with(b"ann")), ("b", with(b"ann")), ("c", with(b"pubapi"))];
    let all = claims(&[service("s", &channels, &secrets)], &Index::default());
    assert_eq!(
        problems(&all["s"]),
        [
            "",
            "Secret b: its user name is also that of Secret a: use one of them, or another name",
            "",
            "Secret c: key username is pubapi, a user of Zato's own: choose another name"
        ]
    );
}

/// What its owner does not let services use is not even kept in memory.
#[test]
fn a_secret_without_the_label_is_not_read() {
    assert!(secret("", &BASIC).keys.is_empty());
}

/// A Secret that is deleted by mistake takes no address away and opens none.
#[test]
fn a_channel_whose_secret_is_gone_stays_as_it_was() {
    let channels = [(
        "c",
        rest("/new", &["GET"], json!({"basicAuthSecretRef": {"name": "s"}})),
    )];
    let old = IndexedChannel {
        service: "a.one".into(),
        url_path: "/old".into(),
        security: Some(IndexedSecurity::default()),
        ..IndexedChannel::default()
    };
    let mut deployed = version(&["a.one"]);
    deployed.channels.insert("c".into(), old.clone());
    let deployed = Index::sealed([("one".to_owned(), deployed)].into());
    let gone = claims(&[service("one", &channels, &[("s", None)])], &deployed);
    assert_eq!(gone["one"][0].told, Some(old.clone()));
    assert!(gone["one"][0].is_kept());
    assert_eq!(problems(&gone["one"]), ["Secret s does not exist: create it"]);
    let wrong = secret("true", &[]);
    let wrong = claims(&[service("one", &channels, &[("s", Some(wrong))])], &deployed);
    assert!(wrong["one"][0].is_kept());
    assert_eq!(
        problems(&wrong["one"]),
        ["Secret s: key username is missing: add it"]
    );
    let first = claims(&[service("one", &channels, &[("s", None)])], &Index::default());
    assert_eq!(first["one"][0].told, None);
    assert_eq!(
        told(&gone["one"], &version(&["a.one"])),
        [("c".to_owned(), old)].into()
    );
    assert_eq!(told(&gone["one"], &version(&["a.two"])), BTreeMap::new());
}

/// Else somebody else's password would take the place of the one that still works.
#[test]
fn a_user_name_stays_with_the_secret_that_is_gone() {
    let by = |secret: &str, path: &str| rest(path, &["GET"], json!({"basicAuthSecretRef": {"name": secret}}));
    let (first, second) = ([("c", by("k1", "/ka"))], [("c", by("k2", "/kb"))]);
    let services = |k1: Option<CallerSecret>| {
        [
            service("ka", &first, &[("k1", k1)]),
            service("kb", &second, &[("k2", Some(secret("true", &BASIC)))]),
        ]
    };
    let before = claims(&services(Some(secret("true", &BASIC))), &Index::default());
    let mut deployed = version(&["a.one"]);
    deployed
        .channels
        .insert("c".into(), before["ka"][0].told.clone().unwrap());
    let deployed = Index::sealed([("ka".to_owned(), deployed)].into());
    let taken = "Secret k2: its user name is also that of Secret k1: use one of them, or another name";
    assert_eq!(problems(&before["kb"]), [taken]);
    let gone = claims(&services(None), &deployed);
    assert!(gone["ka"][0].is_kept());
    assert_eq!(problems(&gone["kb"]), [taken]);
}

/// A new password counts for every channel of its Secret, also for one that stays because its change is refused; what is
/// known of a Secret that cannot be read does not.
#[test]
fn a_new_password_counts_everywhere() {
    let with = |secret: &str, password: &str| IndexedChannel {
        security: Some(IndexedSecurity {
            secret: secret.into(),
            password: Hidden(password.into()),
            ..IndexedSecurity::default()
        }),
        ..IndexedChannel::default()
    };
    let mut all = claims(&[service("one", &[("c", open("/new"))], &[])], &Index::default());
    let claim = &mut all.get_mut("one").unwrap()[0];
    claim.told = Some(with("s", "new"));
    let rotated = |claim: &Claim, was: IndexedChannel| {
        let version = IndexedService {
            channels: [("kept".to_owned(), was)].into(),
            ..IndexedService::default()
        };
        let mut services = BTreeMap::from([("other".to_owned(), version)]);
        rotate(&mut services, std::iter::once(claim));
        services["other"].channels["kept"].clone()
    };
    assert_eq!(rotated(claim, with("s", "old")), with("s", "new"));
    assert_eq!(rotated(claim, with("t", "old")), with("t", "old"));
    assert_eq!(
        rotated(claim, IndexedChannel::default()),
        IndexedChannel::default()
    );
    claim.problem = Some(Problem::SecretNotFound("s".into()));
    assert_eq!(rotated(claim, with("s", "old")), with("s", "old"));
}

/// A Secret that was only touched makes no change, and one that is to be closed is not kept open.
#[test]
fn secrets_that_are_touched_and_channels_that_are_closed() {
    let by = || {
        [(
            "c",
            rest("/a", &["GET"], json!({"basicAuthSecretRef": {"name": "s"}})),
        )]
    };
    let old = |security| {
        let channel = IndexedChannel {
            service: "a.one".into(),
            security,
            ..IndexedChannel::default()
        };
        let version = IndexedService {
            channels: [("c".to_owned(), channel)].into(),
            ..IndexedService::default()
        };
        Index::sealed([("one".to_owned(), version)].into())
    };
    let known = IndexedSecurity {
        secret: "s".into(),
        version: "5".into(),
        username: "ann".into(),
        password: Hidden("geheim".into()),
        ..IndexedSecurity::default()
    };
    let told = |found: Option<CallerSecret>, security| {
        let all = claims(&[service("one", &by(), &[("s", found)])], &old(security));
        all["one"][0].told.as_ref().and_then(|told| told.security.clone())
    };
    let touched = Some(secret("true", &BASIC));
    assert_eq!(told(touched.clone(), Some(known.clone())).unwrap().version, "5");
    let other = IndexedSecurity {
        password: Hidden("other".into()),
        ..known
    };
    assert_eq!(told(touched, Some(other)).unwrap().version, "7");
    let all = claims(&[service("one", &by(), &[("s", None)])], &old(None));
    assert_eq!(all["one"][0].told, None, "it was open and must be closed");
}
