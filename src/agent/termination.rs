//! What an agent that fails leaves behind for the operator: the termination message of its container.
//!
//! Owns that file. Must never write what a command printed: only errors of ours, which hold no password.

use std::path::Path;

use super::Error;
use crate::exchange::database::line;

/// Where the kubelet takes it from.
const MESSAGE: &str = "/dev/termination-log";

/// Writes the error there.
pub fn tell(error: &Error) {
    write(Path::new(MESSAGE), error);
}

fn write(path: &Path, error: &Error) {
    // Outside of a pod there is no such file, and the error is in the log.
    let written = std::fs::OpenOptions::new().write(true).truncate(true).open(path);
    let written = written
        .and_then(|mut file| std::io::Write::write_all(&mut file, line(&error.to_string()).as_bytes()));
    if let Err(why) = written {
        tracing::debug!(error = &why as &dyn std::error::Error, "no termination message");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::database::{Cause, Trouble};

    #[test]
    fn the_last_error_is_all_that_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("message");
        let trouble = Trouble::new(Cause::KeyChanged, "two\nlines");
        write(&path, &Error::Trouble(trouble.clone()));
        assert!(!path.exists());
        std::fs::write(&path, "an earlier, longer message of the same container").unwrap();
        write(&path, &Error::Trouble(trouble));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "KeyChanged: two lines");
    }
}
