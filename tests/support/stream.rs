//! Harm to a watch: what the API server tells is late, old, or over.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures::StreamExt;
use tokio::sync::{broadcast, mpsc};

/// How long a watch says nothing, or lies.
const TROUBLE: Duration = Duration::from_millis(1500);
/// How many events back the past begins.
const PAST: usize = 6;
const EXPIRED: &str = "{\"type\":\"ERROR\",\"object\":{\"apiVersion\":\"v1\",\"kind\":\"Status\",\"metadata\":{},\"status\":\"Failure\",\"reason\":\"Expired\",\"message\":\"too old resource version\",\"code\":410}}\n";

/// What a watch suffers. After each of them the operator opens it anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchFault {
    /// What it knows is too old: it must list.
    Gone,
    /// Events are missing for a while, until the connection breaks.
    Silent,
    /// Events are missing for a while, and then it is told that what it knows is too old.
    SilentAndGone,
    /// An API server that is behind: events of the past come once more, and no others until the connection breaks.
    Stale,
}

/// The events of a watch, until a fault.
pub fn told(upstream: Body, faults: broadcast::Receiver<WatchFault>) -> Body {
    let (to, from) = mpsc::channel(16);
    tokio::spawn(tell(upstream.into_data_stream(), faults, to));
    Body::from_stream(futures::stream::unfold(from, |mut from| async {
        from.recv()
            .await
            .map(|line| (Ok::<_, std::io::Error>(line), from))
    }))
}

async fn tell(
    mut upstream: BodyDataStream,
    mut faults: broadcast::Receiver<WatchFault>,
    to: mpsc::Sender<String>,
) {
    let (mut rest, mut past) = (vec![], vec![]);
    let fault = loop {
        let chunk = tokio::select! {
            chunk = upstream.next() => chunk,
            Ok(fault) = faults.recv() => break fault,
            () = to.closed() => return,
        };
        let Some(Ok(chunk)) = chunk else { return };
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8(rest.drain(..=end).collect()).unwrap();
            if !line.starts_with("{\"type\":\"BOOKMARK\"") {
                past.push(line.clone());
            }
            if to.send(line).await.is_err() {
                return;
            }
        }
    };
    suffer(fault, past, &to).await;
}

/// The end of a watch.
async fn suffer(fault: WatchFault, past: Vec<String>, to: &mpsc::Sender<String>) {
    if fault == WatchFault::Stale {
        let begin = past.len().saturating_sub(PAST);
        // Half of them: what came last has not happened yet.
        let old = past[begin..].iter().take((past.len() - begin).div_ceil(2));
        for line in old {
            let _ = to.send(line.clone()).await;
        }
    }
    if fault != WatchFault::Gone {
        tokio::time::sleep(TROUBLE).await;
    }
    if matches!(fault, WatchFault::Gone | WatchFault::SilentAndGone) {
        let _ = to.send(EXPIRED.into()).await;
    }
}
