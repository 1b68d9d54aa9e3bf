//! How far a long run is, told now and then.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::files::Found;

/// After how long progress is told, and how often.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells how far a long run is: each second on a terminal, each ten elsewhere.
pub struct Progress {
    all: usize,
    done: usize,
    told: Instant,
    pause: Duration,
}

impl Progress {
    /// Of so many files.
    pub fn new(all: usize) -> Self {
        let pause = if io::stderr().is_terminal() {
            PAUSE
        } else {
            PAUSE * 10
        };
        Self {
            all,
            done: 0,
            told: Instant::now(),
            pause,
        }
    }

    /// Before the next file.
    pub fn next(&mut self, file: &Found, tell: &mut impl Write) {
        if self.told.elapsed() >= self.pause {
            self.told = Instant::now();
            let _ = writeln!(
                tell,
                "{} of {} files read, now {}",
                self.done,
                self.all,
                file.path.display()
            );
        }
        self.done += 1;
    }
}
