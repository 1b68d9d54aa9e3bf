//! Reads from the server's log which files it looked at, which of them could not be loaded, and why.
//!
//! The log is written by code that users deploy: it is opened without following links, and read in bounded pieces.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::code;

/// Bytes that are read at once, and kept of an unfinished entry.
const PIECE: u64 = 256 * 1024;
const MARK: &str = "Could not load source, file_name:`";

/// What begins a line about a file that was deployed: Zato has no other word for it, even where it found nothing in the file.
const DEPLOYED: &str = "hot-deploy.create";
/// The bytes of an unfinished line that are kept.
const LINE: usize = 16 * 1024;

/// A reader that goes on where it stopped.
pub struct Log {
    path: PathBuf,
    position: u64,
    rest: String,
    line: String,
    seen: BTreeSet<String>,
}

impl Log {
    /// A log of which only what comes from now on is read: an error that stands there may be of a file that is another one by
    /// now, and what fails fails again.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            position: code::open(path).map_or(0, |(_, length)| length),
            rest: String::new(),
            line: String::new(),
            seen: BTreeSet::new(),
        }
    }

    /// The files that the server looked at, up to the last call of [`Self::errors`]. Each is told once.
    pub fn seen(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.seen)
    }

    /// The newest error of each file since the last call, by file name.
    pub fn errors(&mut self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        // A log that is not there yet has no errors.
        while let Some(piece) = self.piece() {
            self.note_lines(&piece);
            self.rest.push_str(&piece);
            let keep = take(&self.rest, &mut found);
            self.rest = self.rest.split_off(keep);
        }
        found
    }

    fn note_lines(&mut self, piece: &str) {
        self.line.push_str(piece);
        let end = self.line.rfind('\n').map_or(0, |end| end + 1);
        let rest = self.line.split_off(end);
        let lines = std::mem::replace(&mut self.line, rest);
        self.seen.extend(lines.lines().filter_map(deployed));
        if self.line.len() > LINE {
            self.line.clear();
        }
    }

    fn piece(&mut self) -> Option<String> {
        let (mut file, length) = code::open(&self.path)?;
        if length < self.position {
            // Rotated.
            (self.position, self.rest) = (0, String::new());
        }
        file.seek(SeekFrom::Start(self.position)).ok()?;
        let mut bytes = vec![];
        file.take(PIECE).read_to_end(&mut bytes).ok()?;
        self.position += bytes.len() as u64;
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The file of a line such as "Deployed 1 service from `/hot/a.py` -> [..]".
fn deployed(line: &str) -> Option<String> {
    let (_, text) = line.split_once(DEPLOYED)?;
    let quoted = text.split('`').nth(1)?;
    let name = quoted.rsplit('/').next()?;
    name.strip_suffix(".py").map(|_| name.to_owned())
}

/// Takes the finished entries out of `text`; returns where the unfinished rest begins.
fn take(text: &str, found: &mut BTreeMap<String, String>) -> usize {
    let mut position = 0;
    while let Some(begin) = text[position..].find(MARK).map(|at| position + at) {
        let entry = &text[begin + MARK.len()..];
        let (Some(name_end), Some(body)) = (entry.find('`'), entry.find("e:`")) else {
            return bounded(text, begin);
        };
        let body_begin = body + "e:`".len();
        let Some(length) = entry[body_begin..]
            .find("\n`")
            .or_else(|| entry[body_begin..].find("`\n"))
        else {
            return bounded(text, begin);
        };
        let file = entry[..name_end]
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        found.insert(file, cause(&entry[body_begin..body_begin + length]));
        position = begin + MARK.len() + body_begin + length;
    }
    // The mark itself may be cut in two.
    bounded(text, text.len().saturating_sub(MARK.len()).max(position))
}

fn bounded(text: &str, begin: usize) -> usize {
    let least = text
        .len()
        .saturating_sub(usize::try_from(PIECE).unwrap_or_default());
    (begin.max(least)..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len())
}

/// The last line of a traceback, with the last line number that it names.
fn cause(traceback: &str) -> String {
    let last = traceback
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())
        .unwrap_or("no reason given");
    let last: String = last.chars().take(500).collect();
    let place = traceback
        .lines()
        .rev()
        .find_map(|line| line.split(", line ").nth(1));
    match place.map(|place| place.chars().take_while(char::is_ascii_digit).collect::<String>()) {
        Some(line) if !line.is_empty() => format!("{last} (line {line})"),
        _ => last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const ENTRY: &str = "2026 - ERROR - 1:x - zato.server.service.store:0 - Could not load source, file_name:`/hot/bad.py`, e:`Traceback (most recent call last):\n  File \"/hot/bad.py\", line 3, in <module>\n    import nothing\nModuleNotFoundError: No module named 'nothing'\n`\n2026 - INFO - No services nor models were deployed from module `bad.py`\n";

    #[test]
    fn an_entry_is_read_however_it_is_cut() {
        for cut in 1..ENTRY.len() - 1 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("server.log");
            let mut log = Log::new(&path);
            assert!(log.errors().is_empty());
            let mut file = std::fs::File::create(&path).unwrap();
            file.write_all(&ENTRY.as_bytes()[..cut]).unwrap();
            let mut errors = log.errors();
            file.write_all(&ENTRY.as_bytes()[cut..]).unwrap();
            errors.extend(log.errors());
            assert_eq!(
                errors["bad.py"], "ModuleNotFoundError: No module named 'nothing' (line 3)",
                "cut at {cut}"
            );
        }
    }

    /// As Zato writes it, and as its stand-in does.
    #[test]
    fn files_that_the_server_looked_at_are_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        let mut log = Log::new(&path);
        let text = "2026 - INFO - 1:D - zato.hot-deploy.create:0 - Deployed 1 service from `/hot/shop.py` -> ['shop.rate']\n\
            2026 - INFO - 1:D - zato.hot-deploy.create:0 - No services nor models were deployed from module `last.py`\n\
            2026 - INFO - 1:D - zato_rest:0 - REST cha `/hot/other.py`\n\
            2026 - INFO - 1:D - zato.hot-deploy.create:0 - Deployed 1 service from `/hot/cut";
        std::fs::write(&path, text).unwrap();
        log.errors();
        assert_eq!(log.seen(), ["last.py".to_owned(), "shop.py".to_owned()].into());
        assert_eq!(log.seen(), BTreeSet::new());
        std::fs::write(&path, format!("{text}.py`\n")).unwrap();
        log.errors();
        assert_eq!(log.seen(), ["cut.py".to_owned()].into());
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("target"), ENTRY).unwrap();
        let path = folder.path().join("server.log");
        let mut log = Log::new(&path);
        std::os::unix::fs::symlink(folder.path().join("target"), &path).unwrap();
        assert!(log.errors().is_empty());
    }

    #[test]
    fn what_stands_there_already_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        std::fs::write(&path, ENTRY).unwrap();
        let mut log = Log::new(&path);
        assert!(log.errors().is_empty());
        std::fs::write(&path, format!("{ENTRY}{}", ENTRY.replace("bad.py", "new.py"))).unwrap();
        assert_eq!(log.errors().keys().collect::<Vec<_>>(), ["new.py"]);
    }

    #[test]
    fn a_rotated_log_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        let mut log = Log::new(&path);
        std::fs::write(&path, "x".repeat(10_000)).unwrap();
        assert!(log.errors().is_empty());
        std::fs::write(&path, ENTRY).unwrap();
        assert_eq!(log.errors().len(), 1);
    }
}
