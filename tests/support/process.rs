//! The operator as a process of this machine, against the API server that `dev/cluster/alone.sh` starts.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where the operator of an identity logs. Each start begins it anew.
pub fn log(identity: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/operator-{identity}.log"))
}

/// A running operator. Killed when it is dropped.
pub struct Process {
    child: Child,
    /// Where it serves /healthz and /metrics.
    pub port: u16,
}

impl Process {
    /// Starts an operator with a kubeconfig: the one that cargo built, or the program that OPERATOR names.
    pub fn start(kubeconfig: &Path, identity: &str) -> Self {
        Self::start_with(kubeconfig, identity, &[])
    }

    /// The same with more of its environment.
    pub fn start_with(kubeconfig: &Path, identity: &str, environment: &[(&str, &str)]) -> Self {
        let port = free_port();
        let log = log(identity);
        let built = || env!("CARGO_BIN_EXE_zato-operator").into();
        let child = Command::new(std::env::var_os("OPERATOR").unwrap_or_else(built))
            .arg("operator")
            .env("KUBECONFIG", kubeconfig)
            .env("POD_NAME", identity)
            .env("OPERATOR_IMAGE", "registry.local/zato-operator:dev")
            .env("DEFAULT_ZATO_IMAGE", "registry.local/zato-sim:dev")
            .env("HEALTH_ADDRESS", format!("127.0.0.1:{port}"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(log).unwrap())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Self { child, port }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([&format!("-{signal}"), &self.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// kill -9, and waits until it is gone.
    pub fn kill(&mut self) {
        // One that ended by itself is dead already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of 127.0.0.1 that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
