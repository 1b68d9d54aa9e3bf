//! The command `apispec`: files in, documents out.
//!
//! Owns its options, what it tells, and the folder that it writes. Never deletes what it did not write itself.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use k8s_openapi::jiff::Timestamp;

use super::document::{Settings, document};
use super::facts;
use super::files::{self, Found};
use super::model::Api;
use super::names;
use super::postman;
use super::project::Project;
use super::read::{self, Selection};
use super::schema;
use super::select::Patterns;
use super::wsdl;

/// The options, as `zato apispec` has them where it has them.
#[derive(clap::Args, Debug)]
pub struct Apispec {
    /// Python files, and folders with them.
    #[arg(required = true, value_name = "DIR|FILE")]
    sources: Vec<PathBuf>,
    /// Where the documents are written. Default: a new folder `apispec.<time>`.
    #[arg(long, value_name = "OUT")]
    dir: Option<PathBuf>,
    /// Write into --dir also if it exists, instead of what an earlier run wrote there.
    #[arg(long)]
    delete_dir: bool,
    /// Patterns of services to take, with commas: * ? [abc] [!abc].
    #[arg(long, value_delimiter = ',', default_value = "*")]
    include: Vec<String>,
    /// Patterns of services to leave out, with commas.
    #[arg(long, value_delimiter = ',', default_values = facts::INTERNAL)]
    exclude: Vec<String>,
    /// Take Zato's own services, too.
    #[arg(long)]
    with_internal: bool,
    /// Tags of docstrings whose text is taken, with commas.
    #[arg(long, value_delimiter = ',', default_value = "public")]
    tags: Vec<String>,
    /// Paths by which services are invoked, with commas.
    #[arg(long, value_delimiter = ',', default_value = facts::INVOKE_PATH, value_parser = invoke_path)]
    api_invoke_path: Vec<String>,
    /// Format of the document.
    #[arg(long, value_enum, default_value = "yaml")]
    format: Format,
    /// Version of OpenAPI.
    #[arg(long = "version", value_enum, default_value = "3.1")]
    openapi: Version,
    /// Where the services answer, such as https://api.example.com. Can be repeated.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    server: Vec<String>,
    /// Patterns of services, with commas, of which a WSDL is written, too.
    #[arg(long, value_delimiter = ',', value_name = "PATTERN")]
    wsdl: Vec<String>,
    /// The path of the SOAP channel that the WSDL names.
    #[arg(long, default_value = "/zato/soap")]
    soap_path: String,
    /// The namespace of the WSDL.
    #[arg(long, default_value = "urn:zato:services")]
    wsdl_namespace: String,
    /// Write a Postman collection, too.
    #[arg(long)]
    postman: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Json,
    Yaml,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Version {
    #[value(name = "3.1")]
    V31,
    #[value(name = "3.0")]
    V30,
}

/// Names of files that a run may write.
const WRITTEN: [&str; 4] = ["openapi.json", "openapi.yaml", "services.wsdl", "postman.json"];

/// After how long progress is told, and how often.
const PROGRESS: Duration = Duration::from_secs(1);

/// Why nothing is written.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("a pattern is too long: {0}")]
    Pattern(#[from] regex::Error),
    #[error("{path}: {source}")]
    Io {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{0} exists: --delete-dir writes into it")]
    Exists(String),
    #[error("{0} has {1}, which apispec did not write: nothing is deleted")]
    Foreign(String, String),
    #[error("the document cannot be written: {0}")]
    Format(String),
}

impl Apispec {
    /// Reads, writes, and tells what was wrong. Whether all of it went well.
    pub fn run(&self) -> bool {
        let mut errors = io::stderr().lock();
        match self.write(&mut errors) {
            Ok(complete) => complete,
            Err(failure) => {
                // Nobody is left to tell when stderr is closed.
                let _ = writeln!(errors, "error: {failure}");
                false
            }
        }
    }

    fn write(&self, tell: &mut impl Write) -> Result<bool, Failure> {
        let selection = self.selection()?;
        let folder = self.folder();
        // Before the work: a long one should not end in vain.
        prepare(&folder, self.delete_dir)?;
        let (api, unreadable) = self.api(&selection, tell);
        let mut say = |line: String| {
            let _ = writeln!(tell, "{line}");
        };
        api.warnings
            .iter()
            .for_each(|warning| say(format!("warning: {warning}")));
        for (name, text) in self.documents(&api, &mut say)? {
            let path = folder.join(name);
            let failed = |source| Failure::Io {
                path: path.display().to_string(),
                source,
            };
            std::fs::write(&path, text).map_err(failed)?;
            say(format!("{}: {} services", path.display(), api.services.len()));
        }
        if unreadable > 0 {
            say(format!("error: {unreadable} files or folders could not be read"));
        }
        if api.services.is_empty() {
            say("error: no service was found".into());
        }
        Ok(unreadable == 0 && !api.services.is_empty())
    }

    fn selection(&self) -> Result<Selection, Failure> {
        let is_taken = |pattern: &&String| !(self.with_internal && facts::INTERNAL.contains(&pattern.trim()));
        let mut exclude: Vec<&str> = self.exclude.iter().filter(is_taken).map(String::as_str).collect();
        // As Zato does it: an --exclude of one's own does not let its services in.
        if !self.with_internal {
            exclude.push(facts::INTERNAL[0]);
        }
        Ok(Selection {
            include: Patterns::new(self.include.iter().map(String::as_str))?,
            exclude: Patterns::new(exclude)?,
            tags: self
                .tags
                .iter()
                .map(|tag| tag.trim().trim_start_matches('@').to_owned())
                .collect(),
        })
    }

    fn folder(&self) -> PathBuf {
        let fresh = || PathBuf::from(format!("apispec.{}", names::safe(&Timestamp::now().to_string())));
        self.dir.clone().unwrap_or_else(fresh)
    }

    /// The services of all files, and how many files could not be read.
    fn api(&self, selection: &Selection, tell: &mut impl Write) -> (Api, usize) {
        let (found, mut failures) = files::find(&self.sources);
        let mut modules = Vec::new();
        let mut progress = Progress::new(found.len());
        for file in &found {
            progress.next(file, tell);
            match files::read(file) {
                Ok(module) => modules.push(module),
                Err(failure) => failures.push(failure),
            }
        }
        for failure in &failures {
            let _ = writeln!(tell, "error: {failure}");
        }
        (read::api(&Project::new(modules), selection), failures.len())
    }

    /// What is written, by the names of the files.
    fn documents(
        &self,
        api: &Api,
        say: &mut impl FnMut(String),
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut documents = vec![self.document(api)?];
        // Without an address of its own the server that Zato listens at.
        let server = self
            .server
            .first()
            .map_or("http://127.0.0.1:17010", String::as_str)
            .trim_end_matches('/');
        if !self.wsdl.is_empty() {
            let patterns = Patterns::new(self.wsdl.iter().map(String::as_str))?;
            let settings = wsdl::Settings {
                namespace: self.wsdl_namespace.clone(),
                address: format!("{server}{}", self.soap_path),
            };
            let written = wsdl::wsdl(api, &settings, |name| patterns.matches(name));
            let (text, problems) = written.map_err(|error| Failure::Format(error.to_string()))?;
            for problem in problems {
                say(format!("warning: {problem}"));
            }
            documents.push((WRITTEN[2], text));
        }
        if self.postman {
            let path = self
                .api_invoke_path
                .first()
                .map_or(facts::INVOKE_PATH, String::as_str);
            documents.push((
                WRITTEN[3],
                format!("{:#}\n", postman::collection(api, server, path)),
            ));
        }
        Ok(documents)
    }

    fn document(&self, api: &Api) -> Result<(&'static str, String), Failure> {
        let settings = Settings {
            version: match self.openapi {
                Version::V31 => schema::Version::V31,
                Version::V30 => schema::Version::V30,
            },
            servers: self.server.clone(),
            paths: self.api_invoke_path.clone(),
        };
        let document = document(api, &settings);
        match self.format {
            Format::Json => serde_json::to_string_pretty(&document)
                .map(|text| (WRITTEN[0], text + "\n"))
                .map_err(|error| Failure::Format(error.to_string())),
            Format::Yaml => serde_saphyr::to_string(&document)
                .map(|text| (WRITTEN[1], text))
                .map_err(|error| Failure::Format(error.to_string())),
        }
    }
}

/// A path that a service's name can be put into.
fn invoke_path(text: &str) -> Result<String, String> {
    let text = text.trim();
    let rest = text.replacen("{service_name}", "", 1);
    if !text.starts_with('/') || rest == text || rest.contains(['{', '}', '?', '#']) {
        return Err("a path such as /zato/api/invoke/{service_name}".into());
    }
    Ok(text.into())
}

/// Makes the folder, or empties it of what an earlier run wrote.
fn prepare(folder: &Path, may_exist: bool) -> Result<(), Failure> {
    let path = folder.display().to_string();
    let failed = |source| Failure::Io {
        path: path.clone(),
        source,
    };
    if !folder.exists() {
        return std::fs::create_dir_all(folder).map_err(failed);
    }
    if !may_exist {
        return Err(Failure::Exists(path));
    }
    let entries: Vec<_> = folder.read_dir().and_then(Iterator::collect).map_err(failed)?;
    let foreign = entries
        .iter()
        .find(|entry| !WRITTEN.iter().any(|name| entry.file_name() == **name));
    if let Some(entry) = foreign {
        return Err(Failure::Foreign(path, entry.file_name().display().to_string()));
    }
    entries
        .iter()
        .try_for_each(|entry| std::fs::remove_file(entry.path()))
        .map_err(failed)
}

/// Tells how far a long run is: each second on a terminal, each ten elsewhere.
struct Progress {
    all: usize,
    done: usize,
    told: Instant,
    pause: Duration,
}

impl Progress {
    fn new(all: usize) -> Self {
        let pause = if io::stderr().is_terminal() {
            PROGRESS
        } else {
            PROGRESS * 10
        };
        Self {
            all,
            done: 0,
            told: Instant::now(),
            pause,
        }
    }

    fn next(&mut self, file: &Found, tell: &mut impl Write) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use rstest::rstest;
    use std::fs;

    #[derive(Parser)]
    #[command(disable_version_flag = true)]
    struct Line {
        #[command(flatten)]
        apispec: Apispec,
    }

    const SERVICE: &str = "from zato.server.service import Service\nclass A(Service):\n    name = 'api.a'\n    input = 'x_id'\n    def handle(self): pass\n";

    /// Runs with `{}` as the folder of the files; what was told, whether it went well, and the document.
    fn run(root: &Path, options: &[&str]) -> (String, bool, String) {
        let out = root.join("out");
        let mut line = vec!["apispec".to_owned(), root.join("in").display().to_string()];
        line.extend(["--dir".into(), out.display().to_string()]);
        line.extend(options.iter().map(ToString::to_string));
        let apispec = Line::parse_from(line).apispec;
        let mut told = Vec::new();
        let result = apispec.write(&mut told);
        let mut told = String::from_utf8(told).unwrap();
        if let Err(failure) = &result {
            told += &failure.to_string();
        }
        let written = WRITTEN
            .iter()
            .find_map(|name| fs::read_to_string(out.join(name)).ok());
        (told, result.unwrap_or(false), written.unwrap_or_default())
    }

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, contents) in files {
            let path = root.path().join("in").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
        root
    }

    #[rstest]
    #[case::syntax("bad.py", b"x = 1\nclass A(:\n".to_vec(), "bad.py:2:")]
    #[case::null("bad.py", b"x = 1\ny = '\0'\n".to_vec(), "bad.py:2:1: source code cannot contain null bytes")]
    #[case::encoding("bad.py", b"x = 1\n\n# \xff\n".to_vec(), "bad.py:3: not UTF-8")]
    #[case::nesting("bad.py", b"(".repeat(100_000), "bad.py:1:1: too many nested parentheses")]
    #[case::chain("bad.py", b"x = 1".iter().copied().chain(b"+1".repeat(100_000)).collect(), "nested too deep")]
    #[case::size("bad.py", b"#".repeat(9 << 20), "bad.py:1: larger than 8 MiB")]
    #[case::newer("bad.py", b"type X = int\n".to_vec(), "bad.py:1:1:")]
    fn what_cannot_be_read_is_told_and_the_rest_is_done(
        #[case] name: &str,
        #[case] contents: Vec<u8>,
        #[case] expected: &str,
    ) {
        let root = folder(&[("good.py", SERVICE.as_bytes()), (name, &contents)]);
        let (told, well, document) = run(root.path(), &[]);
        assert!(told.contains(expected), "{told}");
        assert!(!well && document.contains("api.a"), "{told} {document}");
    }

    #[test]
    fn loops_pipes_and_missing_files_are_told() {
        let root = folder(&[("good.py", SERVICE.as_bytes())]);
        let inside = root.path().join("in");
        std::os::unix::fs::symlink(&inside, inside.join("again")).unwrap();
        std::os::unix::fs::symlink("nowhere", inside.join("gone.py")).unwrap();
        let pipe = inside.join("pipe.py");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(pipe)
                .status()
                .unwrap()
                .success()
        );
        let (told, well, document) = run(root.path(), &[]);
        for expected in [
            "a link back to",
            "gone.py:1: ",
            "pipe.py:1: not a regular file",
            "3 files or folders",
        ] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
        assert!(!well && document.contains("api.a"), "{told}");
    }

    #[test]
    fn a_mounted_config_map_is_read_once() {
        let root = folder(&[("..2026/a.py", SERVICE.as_bytes())]);
        let inside = root.path().join("in");
        std::os::unix::fs::symlink("..2026", inside.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/a.py", inside.join("a.py")).unwrap();
        let (told, well, _) = run(root.path(), &[]);
        assert!(
            well && told.contains("1 services") && !told.contains("warning"),
            "{told}"
        );
    }

    #[test]
    fn an_existing_folder_is_emptied_only_of_what_apispec_wrote() {
        let root = folder(&[("a.py", SERVICE.as_bytes())]);
        assert!(run(root.path(), &["--format", "json"]).1);
        let (told, well, document) = run(root.path(), &[]);
        assert!(
            !well && told.contains("exists") && document.starts_with('{'),
            "{told}"
        );
        let (told, well, document) = run(root.path(), &["--delete-dir"]);
        assert!(
            well && document.starts_with("openapi: \"3.1.0\""),
            "{told} {document}"
        );
        fs::write(root.path().join("out/mine.txt"), "").unwrap();
        let (told, well, _) = run(root.path(), &["--delete-dir"]);
        assert!(!well && told.contains("mine.txt"), "{told}");
        assert!(root.path().join("out/mine.txt").exists());
    }

    #[rstest]
    #[case(&[], true)]
    #[case(&["--include", "api.*"], true)]
    #[case(&["--include", "x.*, api.?"], true)]
    #[case(&["--include", "x.*"], false)]
    #[case(&["--exclude", "api.*"], false)]
    #[case(&["--exclude", "zato.*"], true)]
    fn services_are_chosen_by_patterns(#[case] options: &[&str], #[case] expected: bool) {
        let root = folder(&[("a.py", SERVICE.as_bytes())]);
        let (told, well, document) = run(root.path(), options);
        assert_eq!((well, document.contains("api.a")), (expected, expected), "{told}");
    }

    #[rstest]
    #[case(&[], "", false)]
    #[case(&["--with-internal"], "", true)]
    // With an --exclude of one's own Zato leaves out zato.* alone.
    #[case(&["--exclude", "x"], "zato.", false)]
    #[case(&["--exclude", "x"], "helpers.", true)]
    fn internal_services_are_left_out(
        #[case] options: &[&str],
        #[case] prefix: &str,
        #[case] expected: bool,
    ) {
        let prefix = if prefix.is_empty() { "zato." } else { prefix };
        let root = folder(&[("a.py", SERVICE.replace("api.", prefix).as_bytes())]);
        assert_eq!(run(root.path(), options).1, expected);
    }

    #[rstest]
    #[case("/a/{service_name}", true)]
    #[case("a/{service_name}", false)]
    #[case("/a", false)]
    #[case("/{b}/{service_name}", false)]
    fn a_path_must_take_the_name_and_nothing_else(#[case] path: &str, #[case] expected: bool) {
        assert_eq!(invoke_path(path).is_ok(), expected);
    }

    #[test]
    fn a_wsdl_and_a_collection_are_written_when_asked_for() {
        let root = folder(&[("a.py", SERVICE.as_bytes())]);
        assert!(
            run(
                root.path(),
                &["--wsdl", "api.*", "--postman", "--server", "https://x/"]
            )
            .1
        );
        let read = |name: &str| fs::read_to_string(root.path().join("out").join(name)).unwrap();
        assert!(read("services.wsdl").contains("location=\"https://x/zato/soap\""));
        assert!(read("postman.json").contains("\"value\": \"https://x\""));
    }

    #[test]
    fn the_options_reach_the_document() {
        let root = folder(&[("a.py", SERVICE.as_bytes())]);
        let options = [
            "--format",
            "json",
            "--version",
            "3.0",
            "--server",
            "https://x",
            "--api-invoke-path",
            "/q/{service_name}",
        ];
        let (_, well, document) = run(root.path(), &options);
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert!(well);
        assert_eq!(document["openapi"], "3.0.3");
        assert_eq!(document["servers"][0]["url"], "https://x");
        assert_eq!(
            document["paths"]["/q/api.a"]["post"]["operationId"],
            "post__q_api_a"
        );
    }
}
