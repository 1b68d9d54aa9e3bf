//! Code from a real git server over HTTPS, with the operator and the servers of Zato in pods. `make e2e` brings everything up;
//! `git.rs` has what needs no pods.

// Helpers of tests are tests, too. Not every story uses every word.
#![allow(clippy::unwrap_used, dead_code)]

#[path = "support/git.rs"]
mod git;
mod support;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use git::{PASSWORD, Repository, Server, USER, secret};
use serde_json::json;
use support::way::Way;
use support::{Namespace, cluster, until_ready, until_service_told};
use zato_operator::api::{ZatoCluster, ZatoService, ZatoServiceStatus};

/// A service whose answer is that of a module in a package, with the sign of its own.
fn write(repository: &Repository, sign: &str, answer: &str) -> String {
    repository.write("README.md", "no code");
    repository.write("shop/kit/__init__.py", "");
    repository.write("shop/kit/words.py", format!("ANSWER = '{answer}'\n"));
    repository.write(
        "shop/greeting.py",
        format!(
            "from zato.server.service import Service\n\nfrom kit.words import ANSWER\n\nclass Greeting(Service):\n    \
             name = 'story.greeting'\n\n    def handle(self):\n        self.response.payload = {{'answer': ANSWER + '{sign}'}}\n"
        ),
    );
    repository.push()
}

async fn status(space: &Namespace) -> ZatoServiceStatus {
    let found = space.get::<ZatoService>("shop").await;
    found.status.unwrap_or_default()
}

/// Cluster "c" with a service whose code is in a private repository, and all that the operator's pod needs to fetch it.
async fn prepare(space: &Namespace, server: &Server) {
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    server.tell_authority(space).await;
    secret(space, "reader", "true", PASSWORD, &server.url("git/private/")).await;
    let more = json!({"ref": "main", "path": "shop", "secretRef": {"name": "reader"}});
    server.service(space, "shop", "git/private/shop.git", more).await;
}

/// A private repository: what is pushed answers through the cluster's Service, a package with it, and the status names the commit.
/// A server that is down takes nothing away.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_answers() {
    let (mut server, space) = (
        Server::start_for_pods().await,
        Namespace::new("repositories").await,
    );
    let repository = server.repository("private/shop.git");
    let first = write(&repository, "!", "first");
    prepare(&space, &server).await;
    until_ready(&space, "True", "Running").await;
    until_service_told(&space, "shop", "SourceFetched", "Fetched", &first).await;
    until_service_told(&space, "shop", "Ready", "Deployed", "").await;
    let way = Way::to(&space, "service/c", 11223).await;
    first_answers(&space, &server, &way, &first).await;
    for (sign, answer) in [("!", "second"), ("?", "second")] {
        pushed_answers(&space, &repository, &way, (sign, answer)).await;
    }
    outage_takes_nothing_away(&space, &mut server, &repository, &way).await;
    space.delete().await;
}

/// The code of the first commit, fetched with the credentials.
async fn first_answers(space: &Namespace, server: &Server, way: &Way, commit: &str) {
    assert!(
        way.answers("first!").await,
        "{:?}",
        way.get("/zato/api/invoke/story.greeting").await
    );
    let source = status(space).await.source.unwrap();
    assert_eq!(
        (source.commit.as_str(), source.path.as_deref()),
        (commit, Some("shop"))
    );
    let header = format!("Basic {}", BASE64.encode(format!("{USER}:{PASSWORD}")));
    // The server writes its log a little later.
    space
        .until("the credentials in the log", || async {
            let requests = server.requests();
            requests
                .iter()
                .any(|line| line.starts_with(&header) && line.ends_with(" 200"))
        })
        .await;
}

/// Another sign is a change of the service's own file, another answer one of the package.
async fn pushed_answers(space: &Namespace, repository: &Repository, way: &Way, (sign, answer): (&str, &str)) {
    let commit = write(repository, sign, answer);
    space
        .until("the pushed code answers", || async {
            way.answers(&format!("{answer}{sign}")).await
        })
        .await;
    space
        .until("the status has the commit of it", || async {
            let status = status(space).await;
            let is_it = status.source.is_some_and(|source| source.commit == commit);
            let kept = status
                .revisions
                .iter()
                .find(|kept| kept.commit.as_ref() == Some(&commit));
            is_it && kept.is_some_and(|kept| Some(&kept.revision) == status.revision.as_ref())
        })
        .await;
}

async fn outage_takes_nothing_away(
    space: &Namespace,
    server: &mut Server,
    repository: &Repository,
    way: &Way,
) {
    server.stop();
    until_service_told(space, "shop", "SourceFetched", "GitUnreachable", "").await;
    assert!(way.answers("second?").await);
    until_service_told(space, "shop", "Ready", "Deployed", "").await;
    server.resume().await;
    let back = write(repository, "?", "third");
    space
        .until("what was pushed meanwhile answers", || async {
            way.answers("third?").await
        })
        .await;
    until_service_told(space, "shop", "SourceFetched", "Fetched", &back).await;
}
