//! What a spec asks for, and what an answer means.

use super::*;
use rstest::rstest;

#[rstest]
#[case("10s", 10)]
#[case("1m", 60)]
#[case("1h30m", 5400)]
// What a schema of before let through.
#[case("1s", 10)]
#[case("nonsense", 60)]
fn intervals_are_read(#[case] text: &str, #[case] seconds: u64) {
    assert_eq!(interval(text).as_secs(), seconds);
}

#[rstest]
#[case(true, &[""], "https://git.example.com/a", true)]
#[case(true, &["git.example.com"], "https://git.example.com/a", true)]
#[case(true, &["git.example.com"], "https://git.example.com:8443/a", true)]
#[case(true, &["git.example.com"], "https://other.example.com/a", false)]
#[case(true, &["*.example.com"], "https://git.example.com/a", true)]
#[case(true, &["*.example.com"], "https://example.com/a", false)]
#[case(true, &["*.example.com"], "https://git.example.com.evil.org/a", false)]
#[case(true, &["*"], "https://git.example.com/a", false)]
#[case(false, &[], "https://git.example.com/a", false)]
fn only_allowed_servers_are_asked(
    #[case] is_enabled: bool,
    #[case] hosts: &[&str],
    #[case] url: &str,
    #[case] is_allowed: bool,
) {
    let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
    let told = allowed(&Allowed::of(is_enabled, hosts), url);
    assert_eq!(told.is_ok(), is_allowed, "{told:?}");
    if let Err(trouble) = told {
        assert_eq!(trouble.reason, Reason::GitNotAllowed);
        assert!(
            trouble
                .message
                .contains("who installed the operator allows it with git."),
            "{trouble}"
        );
    }
}

#[test]
fn a_ca_has_a_limit() {
    let fits = "x".repeat(65_536);
    assert_eq!(authority("c", Some(&fits)), Ok(fits.as_str()));
    let large = fits.clone() + "x";
    for (text, words) in [
        (Some(large.as_str()), "has more than 65536 bytes in ca.crt"),
        (None, "does not exist, or has no key ca.crt: create it"),
    ] {
        let told = authority("c", text).unwrap_err().message;
        let begin = "ConfigMap c of spec.source.git.caConfigMapRef ";
        assert!(told.starts_with(&format!("{begin}{words}")), "{told}");
    }
}

const COMMIT: &str = "1111111111111111111111111111111111111111";

fn of(spec: serde_json::Value, status: serde_json::Value) -> ZatoService {
    serde_json::from_value(serde_json::json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "s"}, "status": status,
        "spec": {"clusterRef": {"name": "c"}, "source": {"git": spec}},
    }))
    .unwrap()
}

/// Only what the status says of this very place can be what is deployed.
#[test]
fn what_is_pinned_is_of_the_same_place() {
    let spec = serde_json::json!({"url": "https://h/a", "ref": "main", "path": "p"});
    let status = |place: serde_json::Value| {
        let mut source = serde_json::json!({"url": "https://h/a", "ref": "main", "path": "p", "commit": COMMIT, "revision": "r"});
        source
            .as_object_mut()
            .unwrap()
            .extend(place.as_object().unwrap().clone());
        serde_json::json!({"revision": "later", "source": source})
    };
    let pinned = |status| {
        let service = of(spec.clone(), status);
        pinned(&service, &place(wanted(&service).unwrap()))
    };
    let same = status(serde_json::json!({}));
    assert_eq!(pinned(same.clone()), Some((COMMIT.into(), None, "r".into())));
    for other in [
        serde_json::json!({"url": "https://h/b"}),
        serde_json::json!({"ref": "v1"}),
        serde_json::json!({"path": null}),
    ] {
        assert_eq!(pinned(status(other)), None);
    }
    // An operator of before did not tell it.
    let mut without = same;
    without["source"]["revision"].take();
    assert_eq!(pinned(without), None);
    assert_eq!(pinned(serde_json::json!({})), None);
}

#[test]
fn a_revision_of_before_needs_no_server() {
    let mut service = of(serde_json::json!({"url": "https://h/a"}), serde_json::json!({}));
    let spec = wanted(&service).unwrap();
    assert_eq!((spec.reference.as_str(), spec.interval.as_str()), ("HEAD", "1m"));
    service.spec.rollback_to = Some("r".into());
    assert!(wanted(&service).is_none());
}

#[test]
fn an_answer_is_told() {
    let place = Place {
        url: "https://h/a".into(),
        reference: "main".into(),
        path: String::new(),
    };
    let trouble = Trouble::new(Reason::GitUnreachable, "down");
    let fetched = |files| {
        Some(std::sync::Arc::new(Fetched {
            commit: COMMIT.into(),
            at: None,
            files,
        }))
    };
    let wrong = Trouble::new(Reason::GitSourceInvalid, "no file");
    let files = BTreeMap::from([("a.py".to_owned(), String::new())]);
    let good = fetched(Ok(files.into()));
    let of = |last: &Option<_>, trouble: Option<&Trouble>| {
        let answer = Answer {
            last: last.clone(),
            trouble: trouble.cloned(),
            is_asked: true,
        };
        let (files, told) = told(&place, &answer);
        (files.err(), told.source.map(|source| source.commit), told.trouble)
    };
    let commit = Some(COMMIT.to_owned());
    assert_eq!(of(&None, None), (Some(Refusal::GitPending), None, None));
    let refused = Some(Refusal::GitUnfetched(trouble.clone()));
    assert_eq!(of(&None, Some(&trouble)), (refused, None, Some(trouble.clone())));
    assert_eq!(of(&good, None), (None, commit.clone(), None));
    // What was fetched goes on being served.
    assert_eq!(of(&good, Some(&trouble)), (None, commit, Some(trouble)));
    let bad = of(&fetched(Err(wrong.clone())), None);
    assert_eq!(bad, (Some(Refusal::Git(wrong.clone())), None, Some(wrong)));
}
