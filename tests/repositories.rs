//! Code from a real git server over HTTPS, with the operator and the servers of Zato in pods. `make e2e` brings everything up;
//! `git.rs` has what needs no pods.

// Helpers of tests are tests, too; a story may be as long as it is. Not every story uses every word.
#![allow(clippy::unwrap_used, clippy::too_many_lines, dead_code)]

#[path = "support/git.rs"]
mod git;
mod support;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use git::{PASSWORD, Repository, Server, USER};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
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

/// The server's CA and who may read: what the operator's pod needs to fetch.
async fn prepare(space: &Namespace, server: &Server) {
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    let authority = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"ca.crt": server.authority}});
    space.create::<ConfigMap>(&authority).await.unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "reader", "labels": {"zato.io/git-credentials": "true"}},
        "stringData": {"username": USER, "password": PASSWORD, "url": server.url("git/private/")},
    });
    space.create::<Secret>(&secret).await.unwrap();
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
    let source = json!({
        "url": server.url("git/private/shop.git"), "ref": "main", "path": "shop", "interval": "10s",
        "secretRef": {"name": "reader"}, "caConfigMapRef": {"name": "ca"},
    });
    let shop = json!({
        "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": "shop"},
        "spec": {"clusterRef": {"name": "c"}, "source": {"git": source}},
    });
    space.create::<ZatoService>(&shop).await.unwrap();
    until_ready(&space, "True", "Running").await;
    until_service_told(&space, "shop", "SourceFetched", "Fetched", &first).await;
    until_service_told(&space, "shop", "Ready", "Deployed", "").await;
    let way = Way::to(&space, "service/c", 11223).await;
    assert!(
        way.answers("first!").await,
        "{:?}",
        way.get("/zato/api/invoke/story.greeting").await
    );
    let source = status(&space).await.source.unwrap();
    assert_eq!(
        (source.commit.as_str(), source.path.as_deref()),
        (first.as_str(), Some("shop"))
    );
    let header = format!("Basic {}", BASE64.encode(format!("{USER}:{PASSWORD}")));
    let accepted = |line: &String| line.starts_with(&header) && line.ends_with(" 200");
    assert!(server.requests().iter().any(accepted));

    for (sign, answer) in [("!", "second"), ("?", "second")] {
        let commit = write(&repository, sign, answer);
        space
            .until("the pushed code answers", || async {
                way.answers(&format!("{answer}{sign}")).await
            })
            .await;
        space
            .until("the status has the commit of it", || async {
                let status = status(&space).await;
                let is_it = status.source.is_some_and(|source| source.commit == commit);
                let kept = status
                    .revisions
                    .iter()
                    .find(|kept| kept.commit.as_ref() == Some(&commit));
                is_it && kept.is_some_and(|kept| Some(&kept.revision) == status.revision.as_ref())
            })
            .await;
    }

    server.stop();
    until_service_told(&space, "shop", "SourceFetched", "GitUnreachable", "").await;
    assert!(way.answers("second?").await);
    until_service_told(&space, "shop", "Ready", "Deployed", "").await;
    server.resume().await;
    let back = write(&repository, "?", "third");
    space
        .until("what was pushed meanwhile answers", || async {
            way.answers("third?").await
        })
        .await;
    until_service_told(&space, "shop", "SourceFetched", "Fetched", &back).await;
    space.delete().await;
}
