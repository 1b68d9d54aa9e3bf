//! A file of ours in the server's folder, and the service in it to which rows of channels lead.
//!
//! Never knows what the file says, nor who needs it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::zato::{self, Server};
use super::{Error, code, loading};
use crate::cluster::desired::paths;
use crate::exchange::hash;

/// How often the file is written before it is told that the server does not load it.
const TRIES: u32 = 5;

/// What the server has of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// The present one, or none is wanted.
    Loaded,
    /// Not yet.
    Loading,
    /// Nothing that could be used, for this reason.
    Failed(String),
}

/// Keeps one file.
pub struct Gate {
    folder: PathBuf,
    file: &'static str,
    service: &'static str,
    /// What it does, in words.
    does: &'static str,
    written: Option<Instant>,
    tries: u32,
}

impl Gate {
    /// One that knows nothing yet; `does`: what the service does, after "which".
    pub fn new(file: &'static str, service: &'static str, does: &'static str) -> Self {
        Self {
            folder: Path::new(paths::HOT).into(),
            file,
            service,
            does,
            written: None,
            tries: 0,
        }
    }

    /// In another folder.
    #[cfg(test)]
    #[must_use]
    pub fn inside(mut self, folder: &Path) -> Self {
        self.folder = folder.into();
        self
    }

    /// The server starts anew, with the file.
    pub fn forget(&mut self) {
        (self.written, self.tries) = (None, 0);
    }

    /// Writes the file if it is needed and not as it should be. `text`: what it must say; none: it is not needed.
    pub fn write(&mut self, text: Option<&str>) -> Result<(), Error> {
        let path = self.folder.join(self.file);
        let Some(text) = text.filter(|text| code::read(&path).as_deref() != Some(text)) else {
            return Ok(());
        };
        code::replace(&path, text)?;
        (self.written, self.tries) = (Some(Instant::now()), 0);
        Ok(())
    }

    /// Asks the server. A file that it may have missed is written again.
    pub async fn state(&mut self, text: Option<&str>, server: &Server) -> Result<State, zato::Error> {
        let Some(text) = text else {
            return Ok(State::Loaded);
        };
        let source = server.source(self.service).await?;
        let has_other = source.is_some();
        if source.is_some_and(|source| source.hash == hash(text.as_bytes())) {
            self.tries = 0;
            return Ok(State::Loaded);
        }
        // Without its database a server says that it has no source: what it has loaded is not written again.
        let is_late = self.written.get_or_insert_with(Instant::now).elapsed() > loading::SEEN;
        if is_late && (has_other || !server.is_deployed(self.service).await?) {
            self.write_again(text);
        }
        let (file, does) = (self.file, self.does);
        Ok(if self.tries > TRIES {
            State::Failed(format!(
                "the server does not load {file}, which {does}: its log says why"
            ))
        } else {
            State::Loading
        })
    }

    /// Takes the file away: after the rows that lead to it.
    pub fn clear(&self) {
        if let Err(error) = code::remove(&self.folder.join(self.file)) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, file = self.file, "a file of ours stays");
        }
    }

    fn write_again(&mut self, text: &str) {
        tracing::info!(file = self.file, "not loaded yet: written once more");
        if let Err(error) = code::replace(&self.folder.join(self.file), text) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, file = self.file, "a file of ours could not be written");
        }
        self.written = Some(Instant::now());
        self.tries += 1;
    }
}

/// A file that says in one line what it is told: that line, with the JSON.
pub fn filled(source: &str, line: &str, told: &serde_json::Value) -> String {
    // A text in JSON is one in Python, too.
    let literal = serde_json::Value::from(told.to_string()).to_string();
    source.replacen(line, &format!("TABLE = json.loads({literal})"), 1)
}

/// The line of such a file before it is told anything.
pub const UNTOLD: &str = "TABLE = json.loads('{}')";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agent::zato::double;

    /// It is there while somebody needs it, and goes when it is told to.
    #[test]
    fn a_file_comes_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.py");
        let mut gate = Gate::new("x.py", "x", "does nothing").inside(folder.path());
        gate.write(None).unwrap();
        assert!(!path.exists());
        gate.write(Some("1")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1");
        std::fs::write(&path, "changed").unwrap();
        gate.write(Some("1")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1");
        gate.write(None).unwrap();
        assert!(path.exists(), "rows go first");
        gate.clear();
        gate.clear();
        assert!(!path.exists());
    }

    /// One that the server may have missed is written again, and one that it has is not: without its database it tells no source.
    #[tokio::test]
    async fn what_is_deployed_is_not_written_again() {
        for (is_deployed, tries) in [(true, 0), (false, 1)] {
            let folder = tempfile::tempdir().unwrap();
            let mut gate = Gate::new("x.py", "x", "does nothing").inside(folder.path());
            gate.written = Instant::now().checked_sub(2 * loading::SEEN);
            let server = double::server(move |service, _| {
                (service == "zato.service.is-deployed").then(|| json!({"is_deployed": is_deployed}))
            })
            .await;
            assert_eq!(gate.state(Some("1"), &server).await.unwrap(), State::Loading);
            assert_eq!(gate.tries, tries);
        }
    }

    /// Whatever stands in it.
    #[test]
    fn what_a_file_is_told_is_one_line_of_python() {
        let told = serde_json::json!({"a": "'\"\\\n"});
        let text = filled(&format!("import json\n{UNTOLD}\n"), UNTOLD, &told);
        assert_eq!(text.lines().count(), 2);
        assert!(crate::python::check("x.py", &text).is_ok());
    }
}
