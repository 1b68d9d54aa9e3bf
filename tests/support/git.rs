//! A real git server: `git http-backend` behind lighttpd, with TLS, and with basic authentication below /git/private/; and the
//! objects with which a cluster takes code from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::{Value, json};
use tempfile::TempDir;
use zato_operator::api::ZatoService;

use super::support::{Namespace, process::free_port, until};

/// Who may read private repositories.
pub const USER: &str = "ada";
/// Their password.
pub const PASSWORD: &str = "token-of-ada-1234";

/// Where a server listens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    /// On this machine, for operators that are processes of it.
    Machine,
    /// On the node of dev/cluster, for pods.
    Node,
}

/// The node's address, which its pods reach.
const NODE: &str = "10.123.0.1";

/// A server. It ends when it is dropped.
pub struct Server {
    folder: TempDir,
    host: Host,
    port: u16,
    child: Option<Child>,
    /// Who signed its certificate, in PEM.
    pub authority: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A CA of its own, and a certificate that it signed: for `localhost`, 127.0.0.1 and the node.
fn certificates(folder: &Path) -> String {
    let openssl = |arguments: &str| {
        let words = arguments.split(' ');
        run(Command::new("openssl").current_dir(folder).args(words));
    };
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt",
    );
    openssl(
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=git -keyout server.key -out server.csr",
    );
    fs::write(
        folder.join("names"),
        format!("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:{NODE}\n"),
    )
    .unwrap();
    openssl(
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt",
    );
    fs::read_to_string(folder.join("ca.crt")).unwrap()
}

impl Server {
    /// Starts a server without repositories.
    pub async fn start() -> Self {
        Self::start_on(Host::Machine).await
    }

    /// The same for pods of the node.
    pub async fn start_for_pods() -> Self {
        Self::start_on(Host::Node).await
    }

    async fn start_on(host: Host) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["git/private", "www"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("www/page"), "<html>no git</html>").unwrap();
        fs::write(folder.path().join("users"), format!("{USER}:{PASSWORD}\n")).unwrap();
        let authority = certificates(folder.path());
        let port = free_port();
        fs::write(
            folder.path().join("lighttpd.conf"),
            configuration(folder.path(), host.address(), port),
        )
        .unwrap();
        let mut server = Self {
            folder,
            host,
            port,
            child: None,
            authority,
        };
        server.resume().await;
        server
    }

    /// Starts it again, on the same port.
    pub async fn resume(&mut self) {
        let child = self
            .host
            .command("/usr/sbin/lighttpd")
            .args(["-D", "-f"])
            .arg(self.folder.path().join("lighttpd.conf"))
            .stdin(Stdio::null())
            .spawn()
            .expect("lighttpd is there: run dev/e2e.sh");
        self.child = Some(child);
        let page = self.url("page");
        until("the git server", || async {
            let mut curl = self.host.command("curl");
            let arguments = ["--silent", "--insecure", "--fail", "--output", "/dev/null"];
            curl.args(arguments).arg(&page).status().unwrap().success()
        })
        .await;
    }

    /// Ends it; its repositories stay.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        let host = match self.host {
            Host::Machine => "localhost",
            Host::Node => NODE,
        };
        format!("https://{host}:{}/{path}", self.port)
    }

    /// A line for each request: the credentials, what was asked, and the status.
    pub fn requests(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }

    /// Makes an empty repository: its branch is "main".
    pub fn repository(&self, name: &str) -> Repository {
        let (bare, work) = (
            self.folder.path().join("git").join(name),
            self.folder.path().join("work").join(name),
        );
        fs::create_dir_all(&work).unwrap();
        run(Command::new("git")
            .args(["init", "--quiet", "--bare", "--initial-branch=main"])
            .arg(&bare));
        let repository = Repository { work, bare };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        let there = repository.bare.to_str().unwrap().to_owned();
        repository.git(&["remote", "add", "origin", &there]);
        repository
    }

    /// Makes the ConfigMap `ca` with who signed its certificate.
    pub async fn tell_authority(&self, space: &Namespace) {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"ca.crt": self.authority},
        });
        space.create::<ConfigMap>(&object).await.unwrap();
    }

    /// Makes a service of cluster "c" whose code is in a repository; `more` is of its git source.
    pub async fn service(&self, space: &Namespace, name: &str, path: &str, more: Value) {
        let mut git = json!({"url": self.url(path), "interval": "10s", "caConfigMapRef": {"name": "ca"}});
        git.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let object = json!({
            "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService", "metadata": {"name": name},
            "spec": {"clusterRef": {"name": "c"}, "source": {"git": git}},
        });
        space.create::<ZatoService>(&object).await.unwrap();
    }
}

/// Makes credentials for an address; `label`: of the Secret.
pub async fn secret(space: &Namespace, name: &str, label: &str, password: &str, url: &str) {
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": {"zato.io/git-credentials": label}},
        "stringData": {"username": USER, "password": password, "url": url},
    });
    space.create::<Secret>(&object).await.unwrap();
}

impl Host {
    fn address(self) -> &'static str {
        match self {
            Self::Machine => "127.0.0.1",
            Self::Node => NODE,
        }
    }

    /// A program that runs there.
    fn command(self, program: &str) -> Command {
        if self == Self::Machine {
            return Command::new(program);
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/cluster/exec.sh");
        let mut command = Command::new(script);
        command.args(["--network", program]);
        command
    }
}

fn configuration(folder: &Path, address: &str, port: u16) -> String {
    let folder = folder.display();
    format!(
        r#"
server.modules = ("mod_openssl", "mod_auth", "mod_authn_file", "mod_setenv", "mod_redirect", "mod_alias", "mod_accesslog", "mod_cgi")
server.bind = "{address}"
server.port = {port}
server.document-root = "{folder}/www"
server.errorlog = "{folder}/error.log"
server.upload-dirs = ("{folder}")
accesslog.filename = "{folder}/access.log"
accesslog.format = "%{{Authorization}}i %r %s"
ssl.engine = "enable"
ssl.pemfile = "{folder}/server.crt"
ssl.privkey = "{folder}/server.key"
auth.backend = "plain"
auth.backend.plain.userfile = "{folder}/users"
url.redirect = (
  "^/moved/(.*)$" => "https://localhost:{port}/git/$1",
  "^/away/(.*)$" => "https://127.0.0.1:{port}/git/$1",
  "^/plain/(.*)$" => "http://localhost:{port}/git/$1"
)
$HTTP["url"] =~ "^/git/" {{
  alias.url = ("/git" => "/usr/lib/git-core/git-http-backend")
  cgi.assign = ("" => "")
  setenv.add-environment = ("GIT_PROJECT_ROOT" => "{folder}/git", "GIT_HTTP_EXPORT_ALL" => "1")
}}
$HTTP["url"] =~ "^/git/private/" {{
  auth.require = ("" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
}}
"#
    )
}

/// A repository on the server, and a copy to work in.
pub struct Repository {
    work: PathBuf,
    bare: PathBuf,
}

impl Repository {
    /// Runs git in the copy; what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        let person = |role: &str| [format!("GIT_{role}_NAME"), format!("GIT_{role}_EMAIL")];
        command.envs(
            person("AUTHOR")
                .into_iter()
                .chain(person("COMMITTER"))
                .map(|name| (name, "ada@example.com")),
        );
        let settings = [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ];
        run(command.current_dir(&self.work).envs(settings).args(arguments))
    }

    /// Writes a file.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.work.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The folder of the copy.
    pub fn folder(&self) -> &Path {
        &self.work
    }

    /// Commits all that was written, and pushes it; the commit.
    pub fn push(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "a change"]);
        self.git(&["push", "--quiet", "--force", "origin", "HEAD", "--tags"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A setting of the repository on the server.
    pub fn set(&self, name: &str, value: &str) {
        run(Command::new("git")
            .arg("-C")
            .arg(&self.bare)
            .args(["config", name, value]));
    }
}
