//! How far a command is that people wait for.
//!
//! Owns the bar on a terminal, and a line now and then elsewhere. Both go to stderr.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often it is told where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

/// Tells how far a command is.
pub struct Progress {
    bar: ProgressBar,
    unit: String,
    told: Mutex<Instant>,
}

impl Progress {
    /// In that unit, such as `rows`; on a terminal with `more` of indicatif's words after it.
    pub fn new(unit: &str, more: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        let template = format!("{{spinner}} {{msg}}: {{human_pos}} {unit}{more}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self {
            bar,
            unit: unit.to_owned(),
            told: Mutex::new(Instant::now()),
        }
    }

    /// So many of what.
    pub fn tell(&self, what: String, done: u64) {
        if !self.bar.is_hidden() {
            if self.bar.message() != what {
                self.bar.set_message(what);
                self.bar.reset();
            }
            self.bar.set_position(done);
            return;
        }
        let Ok(mut told) = self.told.lock() else { return };
        if told.elapsed() >= PAUSE {
            *told = Instant::now();
            eprintln!("{what}: {done} {}", self.unit);
        }
    }

    /// The bar goes; what follows is told in its place.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
