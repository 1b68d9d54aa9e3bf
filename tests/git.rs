//! Code from a real git server over HTTPS, with an operator as a process of its own and an API server without pods:
//! `dev/cluster/alone.sh` starts that one, and [`double`] plays a server of Zato. One after another; `make e2e` runs them.

// A story may be as long as it is.
#![allow(clippy::unwrap_used, clippy::too_many_lines, dead_code)]

#[path = "support/double.rs"]
mod double;
#[path = "support/git.rs"]
mod git;
#[path = "support/git_story.rs"]
mod git_story;
mod support;

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use git::{PASSWORD, Server, USER};
use git_story::{IDENTITY, Story, peak, push, secret};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use support::{code, condition, process, until_service_told};
use zato_operator::api::ZatoService;

/// Cloned, followed, pinned, and back by hand; without a write while nothing is pushed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_deployed() {
    let story = Story::begin("pushed").await;
    let repository = story.server.repository("a.git");
    repository.write("README.md", "no code");
    repository.write("tests/test_greeting.py", "this is not taken (");
    let first = push(&repository, "first");
    story.service("s", "git/a.git", json!({"ref": "main"})).await;
    let status = story.deployed("s", &first).await;
    let source = status.source.unwrap();
    assert_eq!((source.reference.as_str(), source.path), ("main", None));
    assert_eq!(source.url, story.server.url("git/a.git"));
    let old = status.revision.unwrap();
    story
        .space
        .until("the revision is kept with its commit", || async {
            let kept = story.status("s").await.revisions;
            kept.iter()
                .any(|kept| kept.revision == old && kept.commit.as_ref() == Some(&first))
        })
        .await;

    let version = story.settled("s").await;
    story.polled(2).await;
    assert_eq!(
        story.space.get::<ZatoService>("s").await.resource_version(),
        version
    );

    let second = push(&repository, "second");
    story.deployed("s", &second).await;
    // Other files of the same commit, or another commit of the same files.
    repository.write("README.md", "still no code");
    let third = repository.push();
    let status = story.deployed("s", &third).await;

    let back = json!({"spec": {"rollbackTo": old}});
    story.space.merge::<ZatoService>("s", &back).await.unwrap();
    until_service_told(
        &story.space,
        "s",
        "Ready",
        "Deployed",
        "rolled back by spec.rollbackTo",
    )
    .await;
    let rolled_back = story.status("s").await;
    assert_eq!((rolled_back.source, rolled_back.revision), (None, Some(old)));
    let forth = json!({"spec": {"rollbackTo": null}});
    story.space.merge::<ZatoService>("s", &forth).await.unwrap();
    assert_eq!(story.deployed("s", &third).await.revision, status.revision);
    story.end().await;
}

/// Whatever names a commit.
#[tokio::test(flavor = "multi_thread")]
async fn branches_tags_and_commits() {
    let story = Story::begin("refs").await;
    let repository = story.server.repository("a.git");
    let first = push(&repository, "first");
    repository.git(&["tag", "light"]);
    repository.git(&["tag", "--annotate", "--message", "a release", "heavy/v1"]);
    let second = push(&repository, "second");
    repository.git(&["branch", "both", &first]);
    repository.git(&["tag", "both"]);
    repository.git(&["push", "--quiet", "origin", "refs/heads/both", "refs/tags/both"]);
    for (name, reference, commit) in [
        ("branch", "main", &second),
        ("full-name", "refs/heads/main", &second),
        ("light", "light", &first),
        ("heavy", "heavy/v1", &first),
        ("commit", &first, &first),
        ("branch-of-both", "refs/heads/both", &first),
        ("tag-of-both", "refs/tags/both", &second),
    ] {
        story.service(name, "git/a.git", json!({"ref": reference})).await;
        story.fetched(name, commit).await;
    }
    story.service("default", "git/a.git", json!({})).await;
    story.fetched("default", &second).await;
    for (name, reference, words) in [
        ("none", "none", "ref none of https://localhost:"),
        (
            "unclear",
            "both",
            "is a branch and a tag: write refs/heads/both or refs/tags/both",
        ),
        (
            "no-commit",
            "0123456789012345678901234567890123456789",
            "commit 0123456789012345678901234567890123456789 of",
        ),
    ] {
        story.service(name, "git/a.git", json!({"ref": reference})).await;
        story.refused(name, "GitRefNotFound", words).await;
    }
    // An empty repository has no default branch.
    story.server.repository("empty.git");
    story.service("empty", "git/empty.git", json!({})).await;
    story
        .refused("empty", "GitRefNotFound", "the default branch of")
        .await;
    story.end().await;
}

/// Credentials are sent only where their owner lets them be sent, and told nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn private_repositories() {
    let story = Story::begin("private").await;
    let repository = story.server.repository("private/a.git");
    let commit = push(&repository, "first");
    let path = "git/private/a.git";
    story.service("s", path, json!({"ref": "main"})).await;
    story
        .refused("s", "GitRefused", "wants credentials for https://localhost:")
        .await;
    story.change("s", json!({"secretRef": {"name": "later"}})).await;
    story
        .refused("s", "SecretNotFound", "Secret later of spec.source.git.secretRef")
        .await;
    let own = story.server.url("git/private/");
    secret(&story.space, "unlabelled", "false", "never-sent", &own).await;
    secret(
        &story.space,
        "other",
        "true",
        "never-sent",
        "https://git.example.com/",
    )
    .await;
    secret(
        &story.space,
        "other-folder",
        "true",
        "never-sent",
        &story.server.url("git/private/b"),
    )
    .await;
    for (name, words) in [
        (
            "unlabelled",
            "kubectl label --overwrite secret unlabelled zato.io/git-credentials=true",
        ),
        ("other", "lets it be used for https://git.example.com/ alone"),
        ("other-folder", "git/private/b alone"),
    ] {
        story.change("s", json!({"secretRef": {"name": name}})).await;
        story.refused("s", "SecretInvalid", words).await;
    }
    secret(&story.space, "wrong", "true", "wrong-token-5678", &own).await;
    story.change("s", json!({"secretRef": {"name": "wrong"}})).await;
    story
        .refused(
            "s",
            "GitRefused",
            "does not accept the credentials of Secret wrong",
        )
        .await;
    // One that comes later is noticed.
    story.change("s", json!({"secretRef": {"name": "later"}})).await;
    story.refused("s", "SecretNotFound", "Secret later").await;
    secret(&story.space, "later", "true", PASSWORD, &own).await;
    story.deployed("s", &commit).await;
    let header = |password: &str| format!("Basic {}", BASE64.encode(format!("{USER}:{password}")));
    // The server writes its log a little later.
    story
        .space
        .until("the credentials in the log", || async {
            let requests = story.server.requests();
            let wanted = header(PASSWORD);
            requests
                .iter()
                .any(|line| line.starts_with(&wanted) && line.contains("POST"))
        })
        .await;
    let sent = [header(PASSWORD), header("wrong-token-5678"), "- ".to_owned()];
    for line in story.server.requests() {
        assert!(sent.iter().any(|sent| line.starts_with(sent)), "{line}");
    }

    let events = story
        .space
        .api::<Event>()
        .list(&ListParams::default())
        .await
        .unwrap();
    let services = story
        .space
        .api::<ZatoService>()
        .list(&ListParams::default())
        .await
        .unwrap();
    let log = std::fs::read_to_string(process::log(IDENTITY)).unwrap();
    let told = log + &serde_json::to_string(&(events.items, services.items)).unwrap();
    for secret in [PASSWORD, "wrong-token-5678", "Basic "] {
        assert!(!told.contains(secret), "{secret}");
    }
    story.end().await;
}

/// A commit whose files cannot be taken leaves what was there, and says which file.
#[tokio::test(flavor = "multi_thread")]
async fn commits_that_are_wrong_are_told() {
    let story = Story::begin("wrong").await;
    let repository = story.server.repository("a.git");
    let place = "services/my greetings/";
    let file = |name: &str| format!("{place}{name}");
    repository.write(&file("greeting.py"), code("first"));
    let first = repository.push();
    story
        .service("s", "git/a.git", json!({"path": "services/my greetings"}))
        .await;
    let good = story.deployed("s", &first).await;
    let folder = repository.folder().join(place);
    for (name, content, words) in [
        ("my-module.py", "", "my-module.py is no Python module name"),
        (
            "large.py",
            &*"#".repeat(204_801),
            "large.py has more than 204800 bytes: divide it",
        ),
        ("binary.py", "", "binary.py is no text in UTF-8"),
        ("link.py", "", "link.py is a symbolic link"),
    ] {
        match name {
            "link.py" => std::os::unix::fs::symlink("greeting.py", folder.join(name)).unwrap(),
            "binary.py" => repository.write(&file(name), [0xff, 0xfe]),
            _ => repository.write(&file(name), content),
        }
        let commit = repository.push();
        let message = story.refused("s", "GitSourceInvalid", words).await;
        assert!(message.starts_with(&format!("commit {commit} of ")), "{message}");
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    let ready = until_service_told(&story.space, "s", "Ready", "GitSourceInvalid", "").await;
    assert!(
        ready
            .message
            .ends_with("; the previous version goes on answering"),
        "{}",
        ready.message
    );
    let status = story.status("s").await;
    assert_eq!(status.source.unwrap().commit, first);
    assert_eq!(status.servers[0].revision, good.revision);
    // Wrong Python is told as from everywhere.
    repository.write(&file("greeting.py"), "(");
    repository.push();
    until_service_told(&story.space, "s", "Ready", "SyntaxError", "greeting.py:1:").await;
    assert_eq!(story.status("s").await.source.unwrap().commit, first);
    repository.write(&file("greeting.py"), code("second"));
    let second = repository.push();
    story.deployed("s", &second).await;
    story
        .service("nowhere", "git/a.git", json!({"path": "none"}))
        .await;
    story
        .refused("nowhere", "GitSourceInvalid", "path none does not exist")
        .await;
    story
        .service("empty", "git/a.git", json!({"path": "services"}))
        .await;
    story
        .refused("empty", "GitSourceInvalid", "path services has no file *.py")
        .await;
    story.end().await;
}

/// A repository has a limit; what the server can leave out does not count. However large: little of it is in memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_too_large() {
    let story = Story::begin("large").await;
    let repository = story.server.repository("a.git");
    let mut noise = vec![0; 65 << 20];
    getrandom::fill(&mut noise).unwrap();
    repository.write("data.bin", &noise);
    push(&repository, "first");
    story.service("s", "git/a.git", json!({})).await;
    story
        .refused(
            "s",
            "GitSourceInvalid",
            "it has more than 64 MiB: use a smaller repository",
        )
        .await;
    repository.write("data.bin", &noise[..40 << 20]);
    // Few bytes on the way, and many when they are unpacked.
    repository.write("zeros.bin", vec![0; 500 << 20]);
    let second = push(&repository, "second");
    story.deployed("s", &second).await;
    repository.write("data.bin", &noise);
    let third = push(&repository, "third");
    let words = format!("commit {third} of ");
    // It is asked for again, and what is deployed stays.
    until_service_told(&story.space, "s", "SourceFetched", "GitSourceInvalid", &words).await;
    repository.set("uploadpack.allowFilter", "true");
    story.change("s", json!({"ref": "main"})).await;
    story.deployed("s", &third).await;
    // Packs are read as they come, and files of them are let go: it never held a whole one.
    let peak = peak(&story.operator);
    assert!(peak < 64 << 10, "{peak} kB of memory");
    story.end().await;
}

/// What stands in examples/ is enough.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_is_deployed() {
    let story = Story::begin("example").await;
    let repository = story.server.repository("private/services.git");
    repository.write("invoices/invoices.py", code("paid"));
    let commit = repository.push();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/git");
    for text in support::manifests(&folder) {
        let own = text
            .replace("https://git.example.com/team/", &story.server.url("git/private/"))
            .replace("username: deployer", &format!("username: {USER}"))
            .replace("password: change-me", &format!("password: {PASSWORD}"))
            .replace("name: demo", "name: c")
            .replace("interval: 1m", "caConfigMapRef: {name: ca}");
        let object: Value = serde_saphyr::from_str(&own).unwrap();
        if object["kind"] == "Secret" {
            story.space.create::<Secret>(&object).await.unwrap();
        } else {
            story.space.create::<ZatoService>(&object).await.unwrap();
        }
    }
    story.deployed("invoices", &commit).await;
    story.end().await;
}

/// What is deployed goes on without its server, also over a restart of the operator.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down() {
    let mut story = Story::begin("down").await;
    let repository = story.server.repository("a.git");
    let first = push(&repository, "first");
    story.service("s", "git/a.git", json!({"ref": "main"})).await;
    let before = story.deployed("s", &first).await;
    let ready = condition(&before.conditions, "Ready").unwrap();
    story.settled("s").await;
    let index = story.index().await;

    story.server.stop();
    until_service_told(
        &story.space,
        "s",
        "SourceFetched",
        "GitUnreachable",
        "refuses the connection",
    )
    .await;
    let down = story.status("s").await;
    assert_eq!(condition(&down.conditions, "Ready"), Some(ready.clone()));
    story.restart();
    // One that was never fetched shows that the new operator has asked.
    story
        .service("new", "git/a.git", json!({"ref": "main", "path": "new"}))
        .await;
    let told = story
        .refused("new", "GitUnreachable", "git server localhost:")
        .await;
    assert!(told.contains("check the url"), "{told}");
    let after = story.status("s").await;
    assert_eq!((after.source, after.revision), (down.source, down.revision));
    assert_eq!(condition(&after.conditions, "Ready"), Some(ready));
    assert_eq!(
        condition(&after.conditions, "SourceFetched"),
        condition(&down.conditions, "SourceFetched")
    );
    assert_eq!(story.index().await, index);

    story.server.resume().await;
    story.fetched("s", &first).await;
    let second = push(&repository, "second");
    story.deployed("s", &second).await;

    // A restart beside a server that answers: nothing less is said, and nothing is sent anew.
    let version = story.settled("s").await;
    story.restart();
    story.polled(2).await;
    assert_eq!(
        story.space.get::<ZatoService>("s").await.resource_version(),
        version
    );
    story.end().await;
}

/// Only a server that proves who it is, by a CA that the spec names.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_checked() {
    let story = Story::begin("certificates").await;
    let commit = push(&story.server.repository("a.git"), "first");
    story
        .service("s", "git/a.git", json!({"caConfigMapRef": null}))
        .await;
    let words = "has a certificate that is not trusted (nobody who is trusted signed it)";
    story.refused("s", "GitUnreachable", words).await;
    story
        .change("s", json!({"caConfigMapRef": {"name": "other"}}))
        .await;
    story
        .refused(
            "s",
            "ConfigMapNotFound",
            "ConfigMap other of spec.source.git.caConfigMapRef",
        )
        .await;
    let other = Server::start().await;
    let authority = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}, "data": {"ca.crt": other.authority}});
    story.space.create::<ConfigMap>(&authority).await.unwrap();
    story.refused("s", "GitUnreachable", words).await;
    let data = json!({"data": {"ca.crt": "nonsense"}});
    story.space.merge::<ConfigMap>("other", &data).await.unwrap();
    story
        .refused("s", "GitSourceInvalid", "has no certificate in PEM")
        .await;
    let data = json!({"data": {"ca.crt": story.server.authority}});
    story.space.merge::<ConfigMap>("other", &data).await.unwrap();
    story.deployed("s", &commit).await;
    story.end().await;
}

/// A server may lead to another path of itself, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn redirects_stay_on_the_host() {
    let story = Story::begin("redirects").await;
    let commit = push(&story.server.repository("a.git"), "first");
    story.service("moved", "moved/a.git", json!({})).await;
    story.deployed("moved", &commit).await;
    let words = "leads to another host, or away from HTTPS: write the address that it leads to";
    for path in ["away", "plain"] {
        story.service(path, &format!("{path}/a.git"), json!({})).await;
        story.refused(path, "GitRefused", words).await;
    }
    story.service("page", "page", json!({})).await;
    story
        .refused("page", "GitRefused", "does not answer as one of git does")
        .await;
    story.service("missing", "git/none.git", json!({})).await;
    story.refused("missing", "GitRefused", "has no repository").await;
    story.end().await;
}

/// Who installs the operator says which servers it asks.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_allowed() {
    let story = Story::begin_with(
        "allowed",
        &[("GIT_ALLOWED_HOSTS", "git.example.com,*.example.org")],
    )
    .await;
    push(&story.server.repository("a.git"), "first");
    story.service("s", "git/a.git", json!({})).await;
    story
        .refused(
            "s",
            "GitNotAllowed",
            "git server localhost: this operator may not ask it",
        )
        .await;
    assert!(story.server.requests().is_empty());
    story.end().await;
}
