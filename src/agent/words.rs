//! What is told of a server in trouble, in words with a next step.
//!
//! Pure.

use std::path::Path;
use std::time::Duration;

use crate::exchange::IndexedFile;

/// A server that does not answer for so long is told.
const SILENT: Duration = Duration::from_secs(90);

/// What is told of a server that does not answer; nothing at first: to start takes its time.
pub fn silence(time: Duration) -> Option<String> {
    (time >= SILENT).then(|| {
        format!(
            "the server has not answered for {} s: read the log of its container, and undo the last change of spec.config or spec.image",
            SILENT.as_secs()
        )
    })
}

/// Python's error, and what answers meanwhile.
pub fn failed_file(file: &str, error: &str, entry: &IndexedFile, has_other: bool) -> String {
    let meanwhile = match (entry.services.is_empty(), has_other) {
        (true, _) => "",
        (false, true) => "; the version before goes on answering until the server restarts",
        (false, false) => "; its services do not answer",
    };
    format!("{file}: {error}{meanwhile}")
}

/// A service of `spec.expectedServices` that is not there.
pub fn missing_service(service: &str) -> String {
    format!(
        "service {service} of spec.expectedServices is not there: correct the list, or the name in the code"
    )
}

/// In words: `server 8` is the step and its exit code. What the command printed holds secrets and stays where it is.
pub fn failed_step(text: &str, create: &Path) -> String {
    let mut words = text.split_whitespace();
    let (step, code) = (words.next().unwrap_or("?"), words.next().unwrap_or("?"));
    if step == "volume" {
        return "the volume of the database is read-only, or has less than 16 MiB of free space (1 MiB when it holds a database): mend it, then delete the pod".into();
    }
    let known = match code {
        "5" => ": the directory is not empty",
        "8" => ": the database has no such cluster",
        "126" => ": user 1000 cannot run /opt/zato/current/bin/zato of the image",
        "127" => ": the image has no Zato in /opt/zato/current: check spec.image",
        _ => "",
    };
    let log = create.join(format!("{step}.log"));
    format!(
        "creating {step} failed with exit code {code}{known}; its output, with secrets, is in the agent's {}",
        log.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_told_after_a_while() {
        assert_eq!(silence(SILENT / 2), None);
        let told = silence(SILENT).unwrap();
        assert!(told.starts_with("the server has not answered for 90 s: read the log"));
        // The same at each round: a report is written when it differs.
        assert_eq!(silence(2 * SILENT), Some(told));
    }

    #[test]
    fn a_file_that_failed_is_told_with_what_answers_meanwhile() {
        let mut entry = IndexedFile::default();
        let told = |entry: &IndexedFile, has_other| failed_file("a.py", "NameError: x", entry, has_other);
        assert_eq!(told(&entry, false), "a.py: NameError: x");
        entry.services = ["s".to_owned()].into();
        assert!(
            told(&entry, true).ends_with("; the version before goes on answering until the server restarts")
        );
        assert!(told(&entry, false).ends_with("; its services do not answer"));
    }

    #[test]
    fn a_failed_step_is_told_in_words_and_without_its_output() {
        let told = |text: &str| failed_step(text, Path::new("/create"));
        assert!(told("volume 1").starts_with("the volume of the database is read-only"));
        assert!(told("database 127").contains("the image has no Zato"));
        assert!(told("database 126").contains("user 1000 cannot run"));
        let other = told("server 16");
        assert!(
            other.starts_with("creating server failed with exit code 16;")
                && other.ends_with("/create/server.log")
        );
    }
}
