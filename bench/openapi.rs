//! The documents of 10,000 generated services: time and memory, beside Python's own parser on the same files in the same
//! run, which is the limit of a reader that would do nothing else. `make bench` runs it.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use zato_operator::openapi::document::{Settings, document};
use zato_operator::openapi::files;
use zato_operator::openapi::project::Project;
use zato_operator::openapi::read::{self, Selection};
use zato_operator::openapi::select::Patterns;

const FILES: usize = 1_000;
const SERVICES: usize = 10;
/// A run that needs more has lost its bound.
const MEMORY: u64 = 512 << 20;

const PARSE: &str = "import ast, pathlib, sys, time
begin = time.perf_counter()
count = sum(len(ast.parse(path.read_text()).body) for path in sorted(pathlib.Path(sys.argv[1]).rglob('*.py')))
print(time.perf_counter() - begin)
assert count";

fn main() {
    println!("services       files        document    python ast   memory of all so far");
    for share in [10, 1] {
        let folder = tempfile::tempdir().unwrap();
        let files = FILES / share;
        for number in 0..files {
            std::fs::write(folder.path().join(format!("module_{number}.py")), source(number)).unwrap();
        }
        let begin = Instant::now();
        let size = written(folder.path());
        let (own, python) = (begin.elapsed(), python(folder.path()));
        let memory = peak();
        println!(
            "{:>8} {files:>11} {:>13.2} s {:>11.2} s {:>12} MiB  ({} KiB of JSON)",
            files * SERVICES,
            own.as_secs_f64(),
            python.as_secs_f64(),
            memory >> 20,
            size >> 10
        );
        assert!(memory < MEMORY, "{memory} bytes");
    }
}

/// Reads all files, and says how long their document is.
fn written(folder: &Path) -> usize {
    let (found, failures) = files::find(&[PathBuf::from(folder)]);
    assert!(failures.is_empty());
    let modules = found.iter().map(|file| files::read(file).unwrap()).collect();
    let selection = Selection {
        include: Patterns::new(["*"]).unwrap(),
        tags: vec!["public".into()],
        ..Selection::default()
    };
    let api = read::api(&Project::new(modules), &selection);
    assert_eq!(api.services.len(), found.len() * SERVICES);
    serde_json::to_string(&document(&api, &Settings::default()))
        .unwrap()
        .len()
}

fn python(folder: &Path) -> Duration {
    let output = Command::new("python3")
        .args(["-c", PARSE])
        .arg(folder)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Duration::from_secs_f64(text.trim().parse().unwrap())
}

/// The most memory that this process has had.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// A file as people write them: models, inheritance within the file and from another one, docstrings, code.
fn source(number: usize) -> String {
    let mut text = String::from(
        "from zato.common.typing_ import list_, optional\nfrom zato.server.service import Int, Model, Service, dataclass\n",
    );
    if number > 0 {
        writeln!(text, "from module_{} import Base as Other", number - 1).unwrap();
    }
    text += "\n\n@dataclass(init=False)\nclass Row(Model):\n    row_id: int\n    # What it is called\n    name: str\n    parent: optional['Row']\n    tags: list_[str]\n";
    text += "\n\nclass Base(Service):\n    name = 'base.NUMBER'\n\n    class SimpleIO:\n        input_optional = 'page_size', '-x'\n";
    let base = if number > 0 { "Other" } else { "Base" };
    for service in 1..SERVICES {
        let body = if service % 2 == 0 {
            "    input = 'customer_id', '-is_active', Int('limit', default=5)\n    output = Row\n"
        } else {
            "    class SimpleIO(BASE.SimpleIO):\n        \"\"\"\n        * customer_id - Whose rows\n          they are\n        * rows - All of them\n        \"\"\"\n        input_required = 'customer_id', 'kind'\n        output_optional = 'rows', 'row_count'\n"
        };
        writeln!(
            text,
            "\n\nclass Service{service}({base}):\n    \"\"\" Does what number {service} does.\n\n    - And more\n    \"\"\"\n    name = 'api.n{number}.s{service}'\n\n{body}\n    def handle(self):\n        for row in self.request.input.get('rows', []):\n            if row['row_id'] > {service} and row['name'] != 'none':\n                self.logger.info('Row %s of %s', row, self.cid)\n                self.response.payload.rows = [dict(row, seen=True)]\n"
        )
        .unwrap();
    }
    text.replace("BASE", base).replace("NUMBER", &number.to_string())
}
