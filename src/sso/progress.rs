//! How far a command is, and how it is stopped.
//!
//! Owns the bar on a terminal, and a line now and then elsewhere.

use std::io::{self, IsTerminal};
use std::process;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use sso_dump::stream::{Control, Progress};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How often it is told where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

/// The exit code of a process that was stopped.
const STOPPED: i32 = 130;

/// What tells how far it is.
pub struct Told {
    /// For the work.
    pub control: Control,
    bar: ProgressBar,
}

impl Told {
    /// The bar goes; what follows is told in its place.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Tells how far it is, from now on.
pub fn told(control: Control) -> Told {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}: {human_pos} rows, {per_sec}, {elapsed}")
    {
        bar.set_style(style);
    }
    let (shown, is_terminal) = (bar.clone(), io::stderr().is_terminal());
    let last = Mutex::new((Instant::now(), ""));
    let progress = move |progress: Progress| {
        let what = format!("{} {}", progress.step, progress.table);
        if is_terminal {
            if shown.message() != what {
                shown.set_message(what);
                shown.reset();
            }
            shown.set_position(progress.rows);
            return;
        }
        let Ok(mut last) = last.lock() else { return };
        if last.0.elapsed() >= PAUSE {
            *last = (Instant::now(), progress.table);
            eprintln!("{what}: {} rows", progress.rows);
        }
    };
    Told {
        control: Control {
            progress: Some(Arc::new(progress)),
            ..control
        },
        bar,
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
