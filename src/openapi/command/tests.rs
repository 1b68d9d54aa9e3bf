//! The command on real folders: what it reads, tells and writes.

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
fn internal_services_are_left_out(#[case] options: &[&str], #[case] prefix: &str, #[case] expected: bool) {
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

#[rstest]
#[case(&["--server", "https://api.example.com/v1"], true)]
#[case(&["--server", "http://127.0.0.1:17010"], true)]
#[case(&["--server", "api.example.com"], false)]
#[case(&["--server", "ftp://api.example.com"], false)]
#[case(&["--server", "https://api.example.com?x=1"], false)]
#[case(&["--server", ""], false)]
#[case(&["--wsdl", "*", "--soap-path", "/soap/a"], true)]
#[case(&["--wsdl", "*", "--soap-path", "soap"], false)]
#[case(&["--wsdl", "*", "--soap-path", "/soap?x"], false)]
#[case(&["--wsdl", "*", "--soap-path", "/a b"], false)]
#[case(&["--wsdl", "*", "--wsdl-namespace", "https://example.com/ns"], true)]
#[case(&["--wsdl", "*", "--wsdl-namespace", "urn:a b"], false)]
#[case(&["--wsdl", "*", "--wsdl-namespace", "<a:>"], false)]
#[case(&["--wsdl", "*", "--wsdl-namespace", ""], false)]
fn addresses_are_checked_before_the_work(#[case] options: &[&str], #[case] expected: bool) {
    let line = ["apispec", "in"].iter().chain(options);
    assert_eq!(Line::try_parse_from(line).is_ok(), expected);
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
fn what_breaks_callers_of_the_version_before_is_an_error() {
    let root = folder(&[("a.py", SERVICE.as_bytes())]);
    let before = root.path().join("before");
    fs::create_dir(&before).unwrap();
    let since = |text: &str| {
        fs::write(before.join("a.py"), text).unwrap();
        run(
            root.path(),
            &["--delete-dir", "--since", before.to_str().unwrap()],
        )
    };
    let (told, well, _) = since(SERVICE);
    assert!(well && !told.contains("breaks"), "{told}");
    let (told, well, document) = since(&SERVICE.replace("'x_id'", "'-x_id', 'y'"));
    assert!(
        told.contains(
            "error: breaks callers: api.a: InputBecameRequired: x_id: optional integer -> required integer"
        ),
        "{told}"
    );
    assert!(!well && document.contains("api.a"), "it is written all the same");
    let (told, well, _) = since("x = 1\n");
    assert!(
        !well && told.contains("no service was found in --since"),
        "{told}"
    );
    let (told, well, _) = since("class A(:\n");
    assert!(
        !well && told.contains("1 files or folders could not be read"),
        "{told}"
    );
}

#[rstest]
#[case(&["--wsdl", "x.*"], "warning: --wsdl matches no service")]
#[case(&["--wsdl", "api.*"], "services.wsdl is written")]
fn a_pattern_that_matches_nothing_is_told(#[case] options: &[&str], #[case] expected: &str) {
    let root = folder(&[("a.py", SERVICE.as_bytes())]);
    let (told, ..) = run(root.path(), options);
    assert_eq!(
        told.contains("matches no service"),
        expected.starts_with("warning")
    );
    assert!(told.contains(expected), "{told}");
}

#[rstest]
#[case("--soap-path")]
#[case("--wsdl-namespace")]
fn an_option_of_the_wsdl_needs_it(#[case] option: &str) {
    let line = |more: &[&str]| Line::try_parse_from([&["apispec", "in", option, "/a:x"], more].concat());
    assert!(line(&[]).is_err() && line(&["--wsdl", "*"]).is_ok());
}

#[test]
fn a_warning_of_a_service_that_is_left_out_is_not_told() {
    let nameless = "from zato.server.service import Service\nclass B(Service):\n    def handle(self): pass\n";
    let root = folder(&[("a.py", SERVICE.as_bytes()), ("b.py", nameless.as_bytes())]);
    assert!(run(root.path(), &[]).0.contains("B has no name"));
    let (told, well, _) = run(root.path(), &["--delete-dir", "--include", "api.*"]);
    assert!(well && !told.contains("has no name"), "{told}");
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
