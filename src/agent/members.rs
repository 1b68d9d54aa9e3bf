//! Rows of servers that are gone for good: every change of configuration would call them.
//!
//! Level-based: each look compares all rows with the servers that are wanted. Must never delete a row that is not of the
//! cluster's own names, nor the one of the server that it asks.

use std::collections::BTreeSet;

use super::look::{Done, Pace};
use super::zato::{Error, Server};

/// Keeps the rows of servers in one cluster.
#[derive(Default)]
pub struct Members {
    pace: Pace,
}

impl Members {
    /// The server starts anew: its database is looked at again.
    pub fn forget(&mut self) {
        self.pace.forget();
    }

    /// Removes what is not wanted, through the server in this pod, `own`, when it is time to look; whether nothing is left to do.
    pub async fn step(
        &mut self,
        cluster: &str,
        own: &str,
        wanted: &BTreeSet<String>,
        server: &Server,
    ) -> bool {
        // Others are wanted: it is time at once.
        let names: Vec<_> = wanted.iter().map(String::as_str).collect();
        let key = names.join(" ");
        if self.pace.is_due(&key) {
            let result = remove(server, cluster, own, wanted).await;
            self.pace
                .conclude("the rows of removed servers", &key, wanted.len(), result);
        }
        self.pace.is_settled()
    }
}

/// Deletes the rows of this cluster's servers that are not wanted, through the server in this pod, `own`.
pub async fn remove(
    server: &Server,
    cluster: &str,
    own: &str,
    wanted: &BTreeSet<String>,
) -> Result<Done, Error> {
    let mut done = Done::default();
    for row in server.servers().await? {
        if row.name == own || wanted.contains(&row.name) || !is_of(cluster, &row.name) {
            continue;
        }
        tracing::info!(
            server = row.name,
            id = row.id,
            "the row of a removed server is deleted"
        );
        let result = server.delete_server(row.id).await;
        if let Err(error) = &result {
            tracing::warn!(
                server = row.name,
                error = error as &dyn std::error::Error,
                "its row stays: tried again"
            );
        }
        done.is_stuck |= result.is_err();
        done.note(&row.name, result);
    }
    Ok(done)
}

/// Whether a name is one that the cluster's StatefulSet gives.
fn is_of(cluster: &str, name: &str) -> bool {
    let ordinal = name
        .strip_prefix(cluster)
        .and_then(|rest| rest.strip_prefix("-server-"));
    // Written as a StatefulSet does: others are of somebody else.
    ordinal.is_some_and(|text| {
        text.parse::<u32>()
            .is_ok_and(|ordinal| ordinal.to_string() == text)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;
    use crate::agent::zato::double;

    #[test]
    fn names_of_a_stateful_set() {
        for name in ["demo-server-0", "demo-server-12"] {
            assert!(is_of("demo", name), "{name}");
        }
        for name in [
            "demo-server-",
            "demo-server-01",
            "demo-server-+1",
            "demo-server-x",
            "demo2-server-0",
            "server1",
            "other-demo-server-0",
        ] {
            assert!(!is_of("demo", name), "{name}");
        }
    }

    type Rows = Arc<Mutex<Vec<(i64, &'static str)>>>;

    /// Row 4 cannot be deleted.
    async fn server(rows: Rows) -> Server {
        double::server(move |service, payload| {
            let mut rows = rows.lock().unwrap();
            if service == "zato.server.get-list" {
                let list: Vec<_> = rows
                    .iter()
                    .map(|(id, name)| json!({"id": id, "name": name, "up_status": "running"}))
                    .collect();
                return Some(json!({"zato_server_get_list_response": list}));
            }
            assert_eq!(service, "zato.server.delete");
            if payload["id"] == 4 {
                return None;
            }
            rows.retain(|(id, _)| payload["id"] != *id);
            Some(json!({}))
        })
        .await
    }

    #[tokio::test]
    async fn what_is_not_wanted_goes_and_nothing_else() {
        let names = [
            (1, "demo-server-0"),
            (2, "demo-server-1"),
            (3, "demo-server-7"),
            (5, "other-server-3"),
            (6, "by-hand"),
        ];
        let rows: Rows = Arc::new(Mutex::new(names.into()));
        let server = server(rows.clone()).await;
        // The keeper is not in the list: it is about to go itself.
        let wanted = BTreeSet::from(["demo-server-1".to_owned()]);
        let done = remove(&server, "demo", "demo-server-0", &wanted).await.unwrap();
        assert_eq!(done.changed, ["demo-server-7".to_owned()].into());
        let done = remove(&server, "demo", "demo-server-0", &wanted).await.unwrap();
        assert!(done.is_settled());
        let left: Vec<_> = rows.lock().unwrap().iter().map(|(id, _)| *id).collect();
        assert_eq!(left, [1, 2, 5, 6]);
    }

    #[tokio::test]
    async fn what_cannot_be_deleted_is_tried_again_and_keeps_nothing_else() {
        let rows: Rows = Arc::new(Mutex::new(vec![(4, "demo-server-4"), (5, "demo-server-5")]));
        let server = server(rows.clone()).await;
        let mut members = Members::default();
        assert!(
            !members
                .step("demo", "demo-server-0", &BTreeSet::new(), &server)
                .await
        );
        assert_eq!(*rows.lock().unwrap(), [(4, "demo-server-4")]);
    }
}
