//! What is done about rows that differ.

use super::*;
use crate::exchange::{Index, IndexedService};

pub fn channel(path: &str, methods: &[&str], secret: Option<&str>) -> IndexedChannel {
    IndexedChannel {
        service: "a.one".into(),
        url_path: path.into(),
        methods: methods.iter().map(ToString::to_string).collect(),
        security: secret.map(|secret| IndexedSecurity {
            secret: secret.into(),
            ..IndexedSecurity::default()
        }),
        ..IndexedChannel::default()
    }
}

pub fn wanted(channels: &[(&str, IndexedChannel)]) -> Wanted {
    let owned = |(name, channel): &(&str, IndexedChannel)| ((*name).to_owned(), channel.clone());
    let service = IndexedService {
        channels: channels.iter().map(owned).collect(),
        ..IndexedService::default()
    };
    Wanted {
        index: Index::sealed([("s".to_owned(), service)].into()),
        files: BTreeMap::new(),
    }
}

pub fn loaded(state: LoadState) -> BTreeMap<String, ServiceReport> {
    let report = ServiceReport {
        state,
        ..ServiceReport::default()
    };
    [("s".to_owned(), report)].into()
}

/// As Zato answers: some of it as text.
fn row(id: i64, wanted: &WantedRow<'_>, security_id: Option<i64>) -> Row {
    Row {
        id,
        name: wanted.name.clone(),
        security_id,
        url_path: wanted.url_path.clone().into(),
        method: wanted.method.into(),
        service_name: wanted.service.into(),
        data_format: fields(wanted, &Value::Null)["data_format"].clone(),
        is_active: true.into(),
        merge_url_params_req: "True".into(),
        url_params_pri: "path-over-qs".into(),
        params_pri: "channel-params-over-msg".into(),
        http_accept: "*/*".into(),
        match_slash: false.into(),
        is_rate_limit_active: false.into(),
        rate_limit_def: "".into(),
        security_groups: json!([]),
    }
}

/// A channel waits for its service; one address is one row.
#[test]
fn rows_know_whether_their_service_is_there() {
    let wanted = wanted(&[
        ("one", channel("/a/{b}", &["GET"], None)),
        ("two", channel("/a/{c}", &["GET"], None)),
    ]);
    let early = |services| {
        wanted_rows(&wanted, &services)
            .iter()
            .map(|row| row.is_early)
            .collect::<Vec<_>>()
    };
    assert_eq!(early(loaded(LoadState::Loaded)), [false]);
    assert_eq!(early(loaded(LoadState::Failed)), [false]);
    assert_eq!(early(loaded(LoadState::Loading)), [true]);
    assert_eq!(early(BTreeMap::new()), [true]);
    assert_eq!(wanted_rows(&wanted, &BTreeMap::new())[0].place, ("s", "one"));
}

fn ids() -> BTreeMap<String, i64> {
    [("kubernetes basic auth client".to_owned(), 5)].into()
}

/// Zato takes the first of two that match by name.
#[test]
fn literal_paths_come_before_parameters() {
    let (literal, parameter) = (row_name("GET", "/a/b"), row_name("GET", "/a/{b}"));
    assert!(literal < parameter);
    assert_eq!(parameter, "kubernetes 01 GET /a/{}");
    assert_eq!(
        parameter,
        row_name("GET", "/a/{c}"),
        "how it is called makes no other path"
    );
}

/// Zato reads the dot of a path as any character, if nothing says otherwise.
#[test]
fn services_that_are_invoked_directly_have_a_row_each() {
    let direct = IndexedChannel {
        kind: ChannelKind::DirectInvocation,
        service: String::new(),
        ..channel("/zato/api/invoke/{service_name}", &[], Some("client"))
    };
    let mut wanted = wanted(&[("direct", direct)]);
    let file = crate::exchange::IndexedFile {
        services: ["a.b.c".to_owned(), "a.b-c".to_owned(), "a b".to_owned()].into(),
        ..crate::exchange::IndexedFile::default()
    };
    let version = wanted.index.services.get_mut("s").unwrap();
    version.files.insert("a.py".into(), file);
    version.expected = ["zato.service.invoke".to_owned()].into();
    let rows = wanted_rows(&wanted, &loaded(LoadState::Loaded));
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.name.as_str(), row.url_path.as_str(), row.service))
        .collect();
    assert_eq!(
        told,
        [
            ("kubernetes direct a.b-c", "/zato/api/invoke/a[.]b-c", "a.b-c"),
            ("kubernetes direct a.b.c", "/zato/api/invoke/a[.]b[.]c", "a.b.c"),
        ]
    );
    assert_eq!(fields(&rows[0], &Value::Null)["method"], "");
    assert_eq!(steps(&rows[..1], &[row(1, &rows[0], Some(5))], &ids()), []);
}

/// An envelope comes to our service as it was sent; a channel that was REST before keeps its row.
#[test]
fn a_path_for_soap_leads_to_our_service() {
    let soap = IndexedChannel {
        kind: ChannelKind::Soap,
        service: String::new(),
        ..channel("/soap/a", &["POST"], None)
    };
    let soap = wanted(&[("soap", soap)]);
    let rows = wanted_rows(&soap, &loaded(LoadState::Loaded));
    let told = (rows[0].name.as_str(), rows[0].method, rows[0].service);
    assert_eq!(
        (rows.len(), told),
        (1, ("kubernetes 00 POST /soap/a", "POST", "zato-operator.soap"))
    );
    assert_eq!(fields(&rows[0], &Value::Null)["data_format"], "");
    assert_eq!(steps(&rows, &[row(1, &rows[0], None)], &ids()), []);
    let rest = wanted(&[("rest", channel("/soap/a", &["POST"], None))]);
    let before = [row(1, &wanted_rows(&rest, &loaded(LoadState::Loaded))[0], None)];
    assert!(matches!(steps(&rows, &before, &ids())[..], [Step::Edit(..)]));
}

/// A row keeps its name with a cache and without, and only its service changes.
#[test]
fn a_channel_with_a_cache_leads_to_our_service() {
    let with = |cache_seconds: u32| {
        let cached = IndexedChannel {
            cache_seconds,
            ..channel("/a/{b}", &["GET"], Some("client"))
        };
        wanted(&[("cached", cached)])
    };
    let (cached, plain) = (with(5), with(0));
    let row_of = |wanted| wanted_rows(wanted, &loaded(LoadState::Loaded)).remove(0);
    let (cached, plain) = (row_of(&cached), row_of(&plain));
    assert_eq!((cached.service, plain.service), ("zato-operator.cache", "a.one"));
    assert_eq!(cached.name, plain.name);
    let (before, cached) = ([row(1, &plain, Some(5))], [cached]);
    assert!(matches!(steps(&cached, &before, &ids())[..], [Step::Edit(..)]));
    assert_eq!(steps(&cached, &[row(1, &cached[0], Some(5))], &ids()), []);
}

#[test]
fn rows_become_what_is_wanted_and_others_are_left_alone() {
    let wanted = wanted(&[
        ("open", channel("/a/{b}", &["GET", "POST"], None)),
        ("closed", channel("/c", &["GET"], Some("client"))),
    ]);
    let rows = wanted_rows(&wanted, &loaded(LoadState::Loaded));
    let ids = ids();
    assert_eq!(
        steps(&rows, &[], &ids),
        rows.iter().map(Step::Create).collect::<Vec<_>>()
    );
    let mut found: Vec<_> = rows
        .iter()
        .zip(1..)
        .map(|(wanted, id)| row(id, wanted, wanted.channel.security.as_ref().map(|_| 5)))
        .collect();
    found.push(Row {
        id: 8,
        name: "of a user".into(),
        ..Row::default()
    });
    assert_eq!(steps(&rows, &found, &ids), []);
    found.push(Row {
        id: 9,
        name: "kubernetes 0 GET /gone".into(),
        ..Row::default()
    });
    let mut other = found.clone();
    other[1].is_active = false.into();
    assert_eq!(
        steps(&rows, &other, &ids),
        [Step::Delete(&other[4]), Step::Edit(&other[1], &rows[1])]
    );
}

/// Each field that somebody could change by hand, and above all who may call.
#[test]
fn every_difference_is_noticed() {
    let wanted = wanted(&[("closed", channel("/c", &["GET"], Some("client")))]);
    let rows = wanted_rows(&wanted, &loaded(LoadState::Loaded));
    let same = row(1, &rows[0], Some(5));
    assert!(is_same(&rows[0], &same, &ids()));
    let changes: [fn(&mut Row); 15] = [
        |row| row.url_path = "/d".into(),
        |row| row.method = "POST".into(),
        |row| row.service_name = "a.two".into(),
        |row| row.data_format = "".into(),
        |row| row.is_active = false.into(),
        |row| row.merge_url_params_req = "False".into(),
        |row| row.url_params_pri = "qs-over-path".into(),
        |row| row.params_pri = "".into(),
        |row| row.http_accept = "".into(),
        |row| row.match_slash = true.into(),
        |row| row.is_rate_limit_active = true.into(),
        |row| row.rate_limit_def = "*=1/m".into(),
        |row| row.security_groups = json!([1]),
        |row| row.security_id = None,
        |row| row.security_id = Some(6),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut other = same.clone();
        change(&mut other);
        assert!(!is_same(&rows[0], &other, &ids()), "{number}");
    }
    let mut open = same;
    open.security_id = None;
    assert!(
        !is_same(&rows[0], &open, &BTreeMap::new()),
        "a definition that is missing opens nothing"
    );
}
