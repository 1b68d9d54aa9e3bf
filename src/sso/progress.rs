//! How far a command is, and how it is stopped.

use std::io;
use std::process;
use std::sync::Arc;

use sso_dump::stream::{self, Control};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::progress::Progress;

/// The exit code of a process that was stopped.
const STOPPED: i32 = 130;

/// What tells how far it is.
pub struct Told {
    /// For the work.
    pub control: Control,
    progress: Arc<Progress>,
}

impl Told {
    /// The bar goes; what follows is told in its place.
    pub fn finish(&self) {
        self.progress.finish();
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Tells how far it is, from now on.
pub fn told(control: Control) -> Told {
    let progress = Arc::new(Progress::new("rows", ", {per_sec}, {elapsed}"));
    let shown = progress.clone();
    let tell = move |now: stream::Progress| shown.tell(format!("{} {}", now.step, now.table), now.rows);
    Told {
        control: Control {
            progress: Some(Arc::new(tell)),
            ..control
        },
        progress,
    }
}

/// The first signal stops the work, which leaves everything as it was; the second one does not wait for that.
pub fn stop_on_signal(stop: CancellationToken) -> io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        for is_last in [false, true] {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            if is_last {
                process::exit(STOPPED);
            }
            stop.cancel();
        }
    });
    Ok(())
}
