//! What the file says, and when it says something else.

use super::*;
use crate::exchange::Index;

fn channel(path: &str, seconds: u32) -> IndexedChannel {
    IndexedChannel {
        service: "a.one".into(),
        url_path: path.into(),
        methods: [METHOD.to_owned()].into(),
        cache_seconds: seconds,
        ..IndexedChannel::default()
    }
}

fn wanted(revision: &str, channels: &[IndexedChannel]) -> Wanted {
    let named = channels
        .iter()
        .map(|channel| (channel.url_path.clone(), channel.clone()));
    let version = IndexedService {
        revision: revision.into(),
        channels: named.collect(),
        ..IndexedService::default()
    };
    Wanted {
        index: Index::sealed([("s".to_owned(), version)].into()),
        files: BTreeMap::new(),
    }
}

fn reported(revision: &str, state: LoadState) -> BTreeMap<String, ServiceReport> {
    let report = ServiceReport {
        revision: revision.into(),
        state,
        ..ServiceReport::default()
    };
    [("s".to_owned(), report)].into()
}

fn text(cache: &mut Cache, wanted: &Wanted, services: &BTreeMap<String, ServiceReport>) -> Option<String> {
    cache.learn(wanted, services);
    cache.text()
}

#[test]
fn the_file_says_what_each_row_leads_to() {
    let mut cache = Cache::default();
    let soap = IndexedChannel {
        kind: ChannelKind::Soap,
        ..channel("/soap", 5)
    };
    let one = wanted("r", &[channel("/a/{b}", 30), channel("/open", 0), soap]);
    let text = text(&mut cache, &one, &BTreeMap::new()).unwrap();
    assert!(crate::python::check(FILE, &text).unwrap().contains(SERVICE));
    let cached = r#"\"kubernetes 01 GET /a/{}\":{\"code\":\"r\",\"seconds\":30,\"service\":\"a.one\"}"#;
    let open = r#"\"kubernetes 0 GET /open\":{\"code\":\"\",\"seconds\":0,\"service\":\"a.one\"}"#;
    assert!(text.contains(cached) && text.contains(open), "{text}");
    assert!(!text.contains("/soap"));
}

#[test]
fn no_channel_with_a_cache_no_file() {
    let mut cache = Cache::default();
    assert_eq!(
        text(&mut cache, &wanted("r", &[channel("/a", 0)]), &BTreeMap::new()),
        None
    );
    let folder = tempfile::tempdir().unwrap();
    cache.gate = cache.gate.inside(folder.path());
    let loaded = reported("r", LoadState::Loaded);
    cache.write(&wanted("r", &[channel("/b", 1)]), &loaded).unwrap();
    cache.clear();
    assert!(folder.path().join(FILE).exists());
    cache.forget();
    cache.write(&wanted("r", &[channel("/b", 0)]), &loaded).unwrap();
    assert!(folder.path().join(FILE).exists(), "rows go first");
    cache.clear();
    assert!(!folder.path().join(FILE).exists());
}

/// An answer of the old code must not be kept for the new one: not before it is there, not when it failed.
#[test]
fn it_changes_when_the_code_has_been_loaded() {
    let mut cache = Cache::default();
    let (old, new) = (
        wanted("r1", &[channel("/a", 9)]),
        wanted("r2", &[channel("/b", 9)]),
    );
    let loaded = reported("r1", LoadState::Loaded);
    let first = text(&mut cache, &old, &loaded);
    assert_eq!(
        text(&mut cache, &new, &loaded),
        first,
        "what is reported is the old one"
    );
    assert_eq!(text(&mut cache, &new, &reported("r2", LoadState::Loading)), first);
    assert_eq!(text(&mut cache, &new, &BTreeMap::new()), first);
    for state in [LoadState::Loaded, LoadState::Failed] {
        let now = text(&mut cache, &new, &reported("r2", state)).unwrap();
        assert!(
            now.contains("GET /b") && !now.contains("GET /a") && now.contains("r2"),
            "{now}"
        );
    }
    // An agent that starts writes all files before the server has any.
    assert_ne!(text(&mut Cache::default(), &new, &BTreeMap::new()), first);
    assert_eq!(
        text(&mut cache, &Wanted::default(), &reported("r2", LoadState::Loaded)),
        None
    );
}

/// What changes of others does not empty the cache of all.
#[test]
fn code_without_a_cache_does_not_count() {
    let mut cache = Cache::default();
    let with = |revision: &str| {
        let mut all = wanted("r", &[channel("/a", 9)]);
        let other = wanted(revision, &[channel("/open", 0)]);
        let (_, other) = other.index.services.into_iter().next().unwrap();
        all.index.services.insert("other".into(), other);
        all
    };
    let mut reports = reported("r", LoadState::Loaded);
    let first = text(&mut cache, &with("1"), &reports).unwrap();
    reports.extend(
        reported("2", LoadState::Loaded)
            .into_values()
            .map(|report| ("other".to_owned(), report)),
    );
    assert_eq!(text(&mut cache, &with("2"), &reports), Some(first));
}
