//! The API server's audit log: who asked for what, and when.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

/// A request that ended, or a watch that began.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    stage: String,
    /// get, list, watch, create, update, patch, delete, deletecollection.
    pub verb: String,
    user: User,
    #[serde(default)]
    pub object_ref: Object,
    #[serde(default)]
    response_status: Status,
    #[serde(rename = "requestReceivedTimestamp")]
    pub begin: Timestamp,
    #[serde(rename = "stageTimestamp")]
    pub end: Timestamp,
}

#[derive(Deserialize, Debug)]
struct User {
    username: String,
}

#[derive(Deserialize, Debug, Default)]
struct Status {
    #[serde(default)]
    code: u16,
}

/// What a request was about.
#[derive(Deserialize, Debug, Default)]
#[serde(default)]
pub struct Object {
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
}

/// Requests by what they cost.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub children: usize,
    pub status: usize,
    pub events: usize,
    pub lease: usize,
    pub gets: usize,
    pub lists: usize,
    pub watches: usize,
}

impl Request {
    /// By the service account of this name.
    pub fn is_by(&self, account: &str) -> bool {
        self.user.username == format!("system:serviceaccount:default:{account}")
    }

    /// Whether it made a child.
    pub fn made_child(&self) -> bool {
        self.response_status.code == 201
            && self.object_ref.subresource.is_empty()
            && !matches!(
                self.object_ref.resource.as_str(),
                "zatoclusters" | "events" | "leases" | "pods"
            )
    }
}

impl Tally {
    /// Counts the requests of a service account.
    pub fn of(requests: &[Request], account: &str) -> Self {
        let mut tally = Self::default();
        for request in requests.iter().filter(|request| request.is_by(account)) {
            *tally.place(request) += 1;
        }
        tally
    }

    fn place(&mut self, request: &Request) -> &mut usize {
        match (
            request.object_ref.resource.as_str(),
            request.object_ref.subresource.as_str(),
            request.verb.as_str(),
        ) {
            ("leases", ..) => &mut self.lease,
            (_, _, "get") => &mut self.gets,
            (_, _, "list") => &mut self.lists,
            (_, _, "watch") => &mut self.watches,
            ("events", ..) => &mut self.events,
            (_, "status", _) => &mut self.status,
            _ => &mut self.children,
        }
    }

    /// Writes that are not of the lease.
    pub fn writes(&self) -> usize {
        self.children + self.status + self.events
    }

    /// Reads beyond those that fill and keep the caches.
    pub fn reads(&self) -> usize {
        self.gets
    }
}

/// The log from some place on.
pub struct Audit {
    file: BufReader<File>,
}

impl Audit {
    pub fn open(path: PathBuf) -> Self {
        let mut file = File::open(path).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        Self {
            file: BufReader::new(file),
        }
    }

    /// What was logged since the last call.
    pub fn requests(&mut self) -> Vec<Request> {
        let mut requests = vec![];
        let mut line = String::new();
        while self.file.read_line(&mut line).unwrap() > 0 {
            if !line.ends_with('\n') {
                // Half a line: the next call takes it.
                self.file
                    .seek_relative(-i64::try_from(line.len()).unwrap())
                    .unwrap();
                break;
            }
            let request: Request = serde_json::from_str(&line).unwrap();
            line.clear();
            let counts = if request.verb == "watch" {
                "ResponseStarted"
            } else {
                "ResponseComplete"
            };
            if request.stage == counts {
                requests.push(request);
            }
        }
        requests
    }

    /// Waits until a service account has asked for nothing but its lease for two seconds; all requests until then.
    pub async fn settled(&mut self, account: &str) -> Vec<Request> {
        let (mut all, mut last) = (vec![], Instant::now());
        let begin = last;
        while last.elapsed() < Duration::from_secs(2) {
            assert!(
                begin.elapsed() < Duration::from_mins(5),
                "{account} does not come to rest"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
            let requests = self.requests();
            let busy = |request: &Request| {
                request.is_by(account) && !matches!(request.object_ref.resource.as_str(), "leases")
            };
            if requests.iter().any(busy) {
                last = Instant::now();
            }
            all.extend(requests);
        }
        all
    }
}
