//! In which order files are loaded again, and when not.

use rstest::rstest;

use super::*;

/// A server of which the time is told in units of [`SEEN`], and which says at once what it looked at.
struct Story {
    importers: Importers,
    wanted: Wanted,
    errors: Errors,
    start: Instant,
}

impl Story {
    fn new(files: &[(&str, &str)]) -> Self {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let wanted = Wanted {
            files: files.iter().map(owned).collect(),
            ..Wanted::default()
        };
        let mut importers = Importers::default();
        importers.of(&wanted);
        Self {
            importers,
            wanted,
            errors: Errors::new(),
            start: Instant::now(),
        }
    }

    fn at(&self, time: u32) -> Instant {
        self.start + time * SEEN
    }

    fn change(&mut self, files: &[&str], time: u32) {
        let names: Vec<_> = files.iter().map(ToString::to_string).collect();
        let now = self.at(time);
        self.importers.changed(&names, now);
        for name in &names {
            self.importers.seen(name);
        }
    }

    fn take(&mut self, time: u32) -> String {
        let taken = self.importers.take(&self.errors, self.at(time));
        for name in &taken {
            self.importers.seen(name);
        }
        taken.join(" ")
    }

    fn takes(&mut self, times: std::ops::Range<u32>) -> Vec<String> {
        times.map(|time| self.take(time)).collect()
    }
}

/// First what imports it, when the server has seen it, then what imports that; in the end nothing waits.
#[test]
fn a_chain_is_loaded_again_in_its_order() {
    let mut story = Story::new(&[
        ("a.py", "import b"),
        ("b.py", "import c"),
        ("c.py", ""),
        ("d.py", ""),
    ]);
    story.change(&["c.py"], 0);
    assert!(story.importers.is_due("b.py", &story.errors) && story.importers.is_due("a.py", &story.errors));
    assert!(!story.importers.is_due("d.py", &story.errors));
    assert_eq!(story.takes(0..4), ["", "b.py", "a.py", ""]);
    assert!(!story.importers.is_due("a.py", &story.errors) && !story.importers.is_again("a.py"));
}

/// Whichever the server loaded first: both ends of an edge may have changed at once.
#[rstest]
#[case(&["b.py", "c.py"])]
#[case(&["a.py", "b.py", "c.py"])]
#[case(&["a.py", "c.py"])]
fn what_changes_together_is_loaded_again_in_its_order(#[case] changed: &[&str]) {
    let mut story = Story::new(&[("a.py", "import b"), ("b.py", "import c"), ("c.py", "")]);
    story.change(changed, 0);
    assert_eq!(story.takes(0..4), ["", "b.py", "a.py", ""]);
}

/// A server that says nothing gets its time.
#[test]
fn what_was_not_seen_is_waited_for() {
    let mut story = Story::new(&[("a.py", "import b"), ("b.py", "")]);
    let now = story.at(0);
    story.importers.changed(&["b.py".into()], now);
    assert_eq!(story.takes(0..6), ["", "", "", "", "", "a.py"]);
}

/// What cannot be loaded is kept from those that import it: they go on with what they have. When it is mended they follow.
#[test]
fn a_file_that_fails_is_loaded_by_nobody() {
    let mut story = Story::new(&[("a.py", "import b"), ("b.py", "import c"), ("c.py", "")]);
    story.change(&["c.py"], 0);
    story.errors.insert("c.py".into(), "why".into());
    assert_eq!(story.takes(0..9), [""; 9]);
    assert!(
        !story.importers.is_due("a.py", &story.errors),
        "nothing is on its way"
    );
    story.errors.clear();
    story.change(&["c.py"], 10);
    assert_eq!(story.takes(10..14), ["", "b.py", "a.py", ""]);
    // In the middle of a chain.
    story.change(&["c.py"], 20);
    assert_eq!(story.takes(20..22), ["", "b.py"]);
    story.errors.insert("b.py".into(), "why".into());
    assert_eq!(story.takes(22..29), [""; 7]);
}

/// Each once for a change; the next change begins anew.
#[test]
fn a_circle_comes_to_an_end() {
    let mut story = Story::new(&[("a.py", "import b"), ("b.py", "import a"), ("c.py", "import a")]);
    for begin in [0, 20] {
        story.change(&["a.py"], begin);
        let taken = story.takes(begin..begin + 6);
        assert_eq!(taken, ["", "a.py", "b.py c.py", "", "", ""]);
    }
}

/// A change in a package: first the file that lets Python forget it, then what imports it; and so with what a package imports.
#[test]
fn packages_are_loaded_again_as_one() {
    let mut story = Story::new(&[
        ("a.py", "from kit.tools import f"),
        ("b.py", "import kit"),
        ("c.py", "import kitchen"),
        ("kit.tools.py", "import base\nfrom . import rates"),
        ("kit.rates.py", "import kit.tools"),
        ("base.py", ""),
        (packages::FILE, ""),
    ]);
    story.change(&["base.py"], 0);
    assert_eq!(story.takes(0..4), ["", packages::FILE, "a.py b.py", ""]);
}

/// An agent that was killed may have written a file without those that import it.
#[test]
fn after_an_agent_was_killed_everything_that_imports_is_loaded_again() {
    let mut story = Story::new(&[("a.py", "import b"), ("b.py", ""), ("c.py", "import json")]);
    let now = story.at(0);
    story.importers.doubt(now);
    assert_eq!(story.takes(0..3), ["", "a.py", ""]);
}

#[test]
fn what_is_gone_is_not_waited_for() {
    let mut story = Story::new(&[("a.py", "import b"), ("b.py", "")]);
    story.change(&["b.py"], 0);
    story.wanted.files.remove("a.py");
    story.wanted.index.revision = "next".into();
    story.importers.of(&story.wanted.clone());
    assert_eq!(story.takes(0..3), [""; 3]);
}

/// One that is written once more begins anew.
#[test]
fn a_retry_takes_its_time() {
    let mut story = Story::new(&[("a.py", "import b"), ("b.py", "")]);
    story.change(&["b.py"], 0);
    let now = story.at(1);
    story.importers.rewritten("b.py", now);
    assert_eq!(story.takes(1..2), [""]);
    story.importers.seen("b.py");
    assert_eq!(story.takes(2..4), ["a.py", ""]);
}
