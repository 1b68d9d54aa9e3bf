//! Which rows are written, and which must not stay.

use super::*;
use crate::agent::channels::rows::tests::{channel, loaded, wanted};
use crate::exchange::ChannelKind;

fn web_socket(port: u16, secret: Option<&str>) -> IndexedChannel {
    IndexedChannel {
        kind: ChannelKind::WebSocket,
        web_socket: Some(IndexedWebSocket {
            port,
            ping_interval: 30,
            token_seconds: 3600,
        }),
        ..channel("/w", &[], secret)
    }
}

/// As Zato answers.
fn row(id: i64, wanted: &WantedSocket<'_>, security_id: Option<i64>) -> WebSocketRow {
    WebSocketRow {
        id,
        name: wanted.name.clone(),
        security_id: security_id.into(),
        security_name: wanted.channel.security.as_ref().map(definition),
        address: format!("ws://0.0.0.0:{}/w", wanted.socket.port).into(),
        service_name: "a.one".into(),
        is_active: true.into(),
        data_format: "json".into(),
        new_token_wait_time: 5.into(),
        token_ttl: 3600.into(),
        ping_interval: 30.into(),
        pings_missed_threshold: 2.into(),
    }
}

fn ids() -> BTreeMap<String, i64> {
    [("kubernetes basic auth client".to_owned(), 5)].into()
}

fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

/// They have no row of a REST channel; of two with one port the first counts.
#[test]
fn each_port_has_a_row() {
    let wanted = wanted(&[
        ("a", web_socket(7001, None)),
        ("b", web_socket(7001, None)),
        ("c", web_socket(7000, Some("client"))),
        ("rest", channel("/a", &["GET"], None)),
    ]);
    let sockets = wanted_sockets(&wanted, &loaded(LoadState::Loaded));
    let told: Vec<_> = sockets
        .iter()
        .map(|socket| (socket.name.as_str(), socket.place.1))
        .collect();
    assert_eq!(
        told,
        [
            ("kubernetes web-socket 7000", "c"),
            ("kubernetes web-socket 7001", "a")
        ]
    );
    let rows = super::super::rows::wanted_rows(&wanted, &loaded(LoadState::Loaded));
    assert_eq!(rows.len(), 1);
    let early = |services| wanted_sockets(&wanted, &services)[0].is_early;
    assert!(early(loaded(LoadState::Loading)) && early(BTreeMap::new()));
    assert!(!early(loaded(LoadState::Failed)));
}

#[test]
fn rows_become_what_is_wanted_and_others_are_left_alone() {
    let wanted = wanted(&[
        ("closed", web_socket(7000, Some("client"))),
        ("open", web_socket(7001, None)),
    ]);
    let sockets = wanted_sockets(&wanted, &loaded(LoadState::Loaded));
    let all = |found| steps(&sockets, found, &ids(), &none()).len();
    assert_eq!(all(&[]), 2);
    let mut found = vec![row(1, &sockets[0], Some(5)), row(2, &sockets[1], None)];
    let named = |id, name: &str| WebSocketRow {
        id,
        name: name.into(),
        ..WebSocketRow::default()
    };
    found.push(named(3, "of a user"));
    assert_eq!(all(&found), 0);
    found.push(named(4, "kubernetes web-socket 9000"));
    assert_eq!(
        steps(&sockets, &found, &ids(), &none()),
        [Step::Delete(&found[3])]
    );
    // It has its name anew, or is a new one with an old number: the server would not know it.
    let made = ids().into_keys().collect();
    assert_eq!(
        steps(&sockets, &found[..2], &ids(), &made),
        [Step::Edit(&found[0], &sockets[0])]
    );
}

/// Each field that somebody could change by hand, and above all who may call.
#[test]
fn every_difference_is_noticed() {
    let wanted = wanted(&[
        ("closed", web_socket(7000, Some("client"))),
        ("open", web_socket(7001, None)),
    ]);
    let sockets = wanted_sockets(&wanted, &loaded(LoadState::Loaded));
    let same = row(1, &sockets[0], Some(5));
    assert!(is_same(&sockets[0], &same, &ids()));
    let changes: [fn(&mut WebSocketRow); 13] = [
        |row| row.address = "ws://0.0.0.0:7000/x".into(),
        |row| row.service_name = "a.two".into(),
        |row| row.is_active = false.into(),
        |row| row.data_format = "xml".into(),
        |row| row.new_token_wait_time = 6.into(),
        |row| row.token_ttl = 6.into(),
        |row| row.ping_interval = "".into(),
        |row| row.pings_missed_threshold = 6.into(),
        |row| row.security_id = Value::Null,
        |row| row.security_id = 6.into(),
        |row| row.security_id = "ZATO_NONE".into(),
        |row| row.security_name = None,
        |row| row.security_name = Some("of a user".into()),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut other = same.clone();
        change(&mut other);
        assert!(!is_same(&sockets[0], &other, &ids()), "{number}");
    }
    assert!(!is_same(&sockets[0], &same, &BTreeMap::new()));
    let mut open = same;
    (open.security_id, open.security_name) = (Value::Null, None);
    assert!(!is_same(&sockets[0], &open, &BTreeMap::new()));
    let mut open = row(2, &sockets[1], None);
    assert!(is_same(&sockets[1], &open, &ids()));
    open.security_id = "ZATO_NONE".into();
    assert!(!is_same(&sockets[1], &open, &ids()));
}

/// A definition that went away just before its number was written.
#[test]
fn what_came_out_open_is_known() {
    let wanted = wanted(&[
        ("closed", web_socket(7000, Some("client"))),
        ("open", web_socket(7001, None)),
    ]);
    let sockets = wanted_sockets(&wanted, &loaded(LoadState::Loaded));
    let mut found = vec![row(1, &sockets[0], Some(5)), row(2, &sockets[1], None)];
    assert!(wrongly_open(&sockets, &found).is_empty());
    found[0].security_name = None;
    assert_eq!(wrongly_open(&sockets, &found), [(&sockets[0], &found[0])]);
}

/// What somebody made in Zato's dashboard is left alone, and told.
#[test]
fn channels_of_others_on_a_port_of_ours_are_known() {
    let wanted = wanted(&[("open", web_socket(7001, None))]);
    let sockets = wanted_sockets(&wanted, &loaded(LoadState::Loaded));
    let other = |name: &str, address: &str, is_active: bool| WebSocketRow {
        name: name.into(),
        address: address.into(),
        is_active: is_active.into(),
        ..WebSocketRow::default()
    };
    let found = [
        row(1, &sockets[0], None),
        other("elsewhere", "ws://0.0.0.0:7002/w", true),
        other("closed", "ws://0.0.0.0:7001/x", false),
        other("odd", "nonsense", true),
        other("of a user", "ws://0.0.0.0:7001/y", true),
    ];
    let told: Vec<_> = rivals(&sockets, &found).collect();
    assert_eq!(told, [(&sockets[0], &found[4])]);
}

/// What an edit leaves out Zato resets.
#[test]
fn all_fields_are_given() {
    let wanted = wanted(&[("closed", web_socket(7000, Some("client")))]);
    let sockets = wanted_sockets(&wanted, &loaded(LoadState::Loaded));
    insta::assert_json_snapshot!(fields(&sockets[0], &5.into()));
}
