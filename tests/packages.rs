//! The file that lets Python find modules in packages, in a Python of its own. The server's part, which is to run a file that
//! changed, is played by a few lines.

// Helpers of tests are tests, too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use zato_operator::agent::packages;

/// Files, each as the server's own loading of it, and packages in folders, as one story of several changes.
struct Story {
    folder: tempfile::TempDir,
    steps: String,
}

impl Story {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        for name in ["hot", "packages"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let load = "def load(name, text):\n    path = ROOT + '/hot/' + name + '.py'\n    module = types.ModuleType(name)\n    module.__file__ = path\n    sys.modules[name] = module\n    exec(compile(text, path, 'exec'), module.__dict__)\n\n";
        Self {
            steps: format!(
                "import sys, types, os, json\nsys.dont_write_bytecode = True\nROOT = {root:?}\n{load}"
            ),
            folder,
        }
    }

    /// Other contents of packages.
    fn packages(&mut self, files: &[(&str, &str)]) -> &mut Self {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let files: BTreeMap<_, _> = files.iter().map(owned).collect();
        let place = self.folder.path().join(format!("step{}", self.steps.len()));
        fs::create_dir(&place).unwrap();
        packages::write(&place, &files).unwrap();
        let root = self.folder.path().display().to_string();
        let text = packages::deployed(&files).unwrap();
        let text = text.replace("'/packages'", &format!("'{root}/packages'"));
        let text = text.replace("'/hot/'", &format!("'{root}/hot/'"));
        let place = place.display();
        let step = format!(
            "os.rename(ROOT + '/packages', ROOT + '/old{0}')\nos.rename('{place}', ROOT + '/packages')\nload('common_zato_operator_packages', {text:?})\n",
            self.steps.len()
        );
        self.steps += &step;
        self
    }

    /// Other Python.
    fn python(&mut self, text: &str) -> &mut Self {
        self.steps += text;
        self.steps.push('\n');
        self
    }

    fn says(&self) -> String {
        let output = Command::new("python3")
            .args(["-c", &self.steps])
            .output()
            .unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }
}

#[test]
fn a_change_is_imported_anew() {
    let mut story = Story::new();
    let deep = ("kit.eu.prices.py", "from kit.rates import RATE\n");
    story
        .packages(&[("kit.rates.py", "RATE = 1\n"), deep])
        .python("import kit.eu.prices\nprint(kit.eu.prices.RATE)")
        .packages(&[("kit.rates.py", "RATE = 2\n"), deep])
        .python("import kit.eu.prices\nprint(kit.eu.prices.RATE)");
    assert_eq!(story.says(), "1\n2\n");
}

/// A file that is divided into a package of its name, which Python would take for the module that it knows.
#[test]
fn a_module_becomes_a_package() {
    let mut story = Story::new();
    story
        .python("load('shop', 'RATE = 1')\nimport shop\nprint(shop.RATE)")
        .packages(&[("shop.rates.py", "RATE = 2\n")])
        .python("from shop.rates import RATE\nprint(RATE)");
    assert_eq!(story.says(), "1\n2\n");
}

/// What breaks off in the middle leaves parts behind.
#[test]
fn a_package_that_fails_keeps_no_other_from_being_found() {
    let mut story = Story::new();
    story
        .packages(&[
            ("kit.__init__.py", "import kit.eu.prices\nraise ValueError('no')\n"),
            ("kit.eu.prices.py", "X = 1\n"),
            ("other.x.py", "Y = 1\n"),
        ])
        .python("import other.x\nprint(other.x.Y)\ntry:\n    import kit\nexcept ValueError as error:\n    print(error)")
        .packages(&[("kit.eu.prices.py", "X = 2\n"), ("other.x.py", "Y = 2\n")])
        .python("import other.x, kit.eu.prices\nprint(other.x.Y, kit.eu.prices.X)");
    assert_eq!(story.says(), "1\nno\n2 2\n");
}

/// Packages of the image stay, whatever they are like.
#[test]
fn what_is_not_ours_is_left_alone() {
    let mut story = Story::new();
    let odd =
        "class Odd(types.ModuleType):\n    def __getattr__(self, name):\n        raise RuntimeError(name)\n";
    story
        .python(&format!(
            "{odd}sys.modules['odd'] = Odd('odd')\nimport json.decoder\nbefore = json.decoder"
        ))
        .packages(&[("kit.rates.py", "RATE = 1\n"), ("json.extra.py", "X = 1\n")])
        .python("import json.decoder\nprint(before is json.decoder, 'odd' in sys.modules)");
    assert_eq!(story.says(), "True True\n");
}

#[test]
fn without_packages_there_is_no_file() {
    assert_eq!(
        packages::deployed(&BTreeMap::from([("a.py".to_owned(), String::new())])),
        None
    );
    assert!(
        Path::new(packages::FILE)
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("common")
    );
}
