//! A proxy between an operator with its agents and the API server: it starts the operator, counts what is asked for, and
//! does harm at one chosen request.
//!
//! What is counted is counted apart, so that the n-th of it is the same in every run: [`Class::Step`] is what reconciles
//! do, each read and write of one object, events included, and [`Class::Report`] those of them that write a status;
//! [`Class::List`] and [`Class::Watch`] are what fills the caches; [`Class::Agent`] is everything that agents ask for, who
//! come by another port. Requests for the Lease and for what the API server serves are not counted: how many there are is
//! a matter of time, and between them and the next step nothing is decided.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::stream::{self, WatchFault};
use super::support::process::{self, Process};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Step,
    Report,
    List,
    Watch,
    Agent,
}

/// What happens at the chosen request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// kill -9 of who asks; the API server never sees the request. Another operator or agent starts at once.
    KillBefore,
    /// kill -9 when the API server has answered; who asks never sees the answer.
    KillAfter,
    /// The API server does not see the request and this is the answer.
    Status(u16),
    /// The connection breaks before the API server sees the request.
    Reset,
    /// The connection breaks when the API server has answered.
    Lost,
    /// The request arrives late.
    Delay(Duration),
    /// The request goes through; all watches suffer.
    Watches(WatchFault),
}

/// One fault, at one request.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub class: Class,
    pub n: usize,
    pub fault: Fault,
}

/// A running proxy with its operator. Both end when it is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    accepts: [JoinHandle<()>; 2],
    gone: watch::Sender<bool>,
    agents: u16,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Operator,
    Agent,
}

struct Shared {
    upstream: Client,
    kubeconfig: PathBuf,
    identity: String,
    operator: Mutex<Option<Process>>,
    plan: Mutex<Option<Plan>>,
    namespace: Mutex<String>,
    counts: [AtomicUsize; 5],
    killed_agents: watch::Sender<usize>,
    writes: AtomicUsize,
    secrets: Arc<AtomicUsize>,
    fired: AtomicBool,
    watches: broadcast::Sender<WatchFault>,
}

/// The connection ends without an answer.
#[derive(Debug)]
struct BreakOff;

impl std::fmt::Display for BreakOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "broken off")
    }
}

impl std::error::Error for BreakOff {}

impl Proxy {
    /// Listens, and starts an operator that knows no other way.
    pub async fn start(upstream: Client, identity: &str) -> Self {
        let (listener, port) = listen().await;
        let (listener_of_agents, agents) = listen().await;
        let kubeconfig =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/proxy-{identity}.kubeconfig"));
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "nobody"}}],
            "users": [{"name": "nobody", "user": {}}],
        });
        std::fs::write(&kubeconfig, config.to_string()).unwrap();
        let shared = Arc::new(Shared {
            upstream,
            kubeconfig,
            identity: identity.into(),
            operator: Mutex::default(),
            plan: Mutex::default(),
            namespace: Mutex::default(),
            counts: Default::default(),
            killed_agents: watch::Sender::default(),
            writes: AtomicUsize::default(),
            secrets: Arc::default(),
            fired: AtomicBool::default(),
            watches: broadcast::channel(16).0,
        });
        let gone = watch::Sender::new(false);
        let accept = |listener, side| tokio::spawn(accept(listener, side, gone.subscribe(), shared.clone()));
        let accepts = [
            accept(listener, Side::Operator),
            accept(listener_of_agents, Side::Agent),
        ];
        shared.restart_operator();
        Self {
            shared,
            accepts,
            gone,
            agents,
        }
    }

    /// The way of agents to the API server, and the account of how often they must die.
    pub fn agents(&self) -> (Client, watch::Receiver<usize>) {
        let address = format!("http://127.0.0.1:{}", self.agents).parse().unwrap();
        let client = Client::try_from(kube::Config::new(address)).unwrap();
        (client, self.shared.killed_agents.subscribe())
    }

    /// Chooses a fault, and counts from zero: steps in one namespace alone, others are on their way out.
    pub fn arm(&self, plan: Option<Plan>, namespace: &str) {
        *self.shared.plan.lock().unwrap() = plan;
        *self.shared.namespace.lock().unwrap() = format!("/namespaces/{namespace}/");
        self.shared.fired.store(false, Ordering::SeqCst);
        for count in &self.shared.counts {
            count.store(0, Ordering::SeqCst);
        }
    }

    /// Requests of a class since [`Self::arm`].
    pub fn count(&self, class: Class) -> usize {
        self.shared.counts[class as usize].load(Ordering::SeqCst)
    }

    /// Everything of the operator that changes something, but for the Lease, since the proxy started.
    pub fn writes(&self) -> usize {
        self.shared.writes.load(Ordering::SeqCst)
    }

    /// Secrets that the operator created, but for those that it applies, since the proxy started.
    pub fn secrets(&self) -> usize {
        self.shared.secrets.load(Ordering::SeqCst)
    }

    /// Whether the chosen request came.
    pub fn has_fired(&self) -> bool {
        self.shared.fired.load(Ordering::SeqCst)
    }

    /// kill -9, and another operator of the same name.
    pub fn restart_operator(&self) {
        self.shared.restart_operator();
    }

    /// The operator's process, if it runs.
    pub fn operator(&self) -> Option<u32> {
        let mut operator = self.shared.operator.lock().unwrap();
        operator
            .as_mut()
            .and_then(|process| process.runs().then(|| process.id()))
    }

    /// Lines of the operator's log since it started.
    pub fn said(&self) -> usize {
        let log = process::log(&self.shared.identity);
        std::fs::read_to_string(log).unwrap().lines().count()
    }

    /// Breaks all connections and lets no new one live, or ends that.
    pub fn set_gone(&self, gone: bool) {
        self.gone.send_replace(gone);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.iter().for_each(JoinHandle::abort);
        // The operator first: it would complain about the proxy.
        self.shared.operator.lock().unwrap().take();
        let _ = std::fs::remove_file(&self.shared.kubeconfig);
    }
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn accept(listener: TcpListener, side: Side, mut gone: watch::Receiver<bool>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                if *gone.borrow() {
                    // As a port on which nobody listens.
                    let _ = stream.set_zero_linger();
                } else {
                    connections.spawn(serve(stream, side, shared.clone()));
                }
            }
            _ = gone.changed() => connections.abort_all(),
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, side: Side, shared: Arc<Shared>) {
    let answer = service_fn(move |request| answer(request, side, shared.clone()));
    // An error is a broken connection: what this is about.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    side: Side,
    shared: Arc<Shared>,
) -> Result<Response<Body>, BreakOff> {
    let is_watch = request
        .uri()
        .query()
        .is_some_and(|query| query.contains("watch=true"));
    match shared.count(&request, side, is_watch) {
        None => shared.forward(request, is_watch).await,
        Some(Fault::KillBefore) => {
            shared.kill(side);
            Err(BreakOff)
        }
        Some(Fault::KillAfter) => {
            let _ = shared.forward(request, is_watch).await;
            shared.kill(side);
            Err(BreakOff)
        }
        Some(Fault::Status(code)) => Ok(refusal(request.method(), code)),
        Some(Fault::Reset) => Err(BreakOff),
        Some(Fault::Lost) => {
            let _ = shared.forward(request, is_watch).await;
            Err(BreakOff)
        }
        Some(Fault::Delay(time)) => {
            tokio::time::sleep(time).await;
            shared.forward(request, is_watch).await
        }
        Some(Fault::Watches(fault)) => {
            // No watch may be open at this moment.
            let _ = shared.watches.send(fault);
            shared.forward(request, is_watch).await
        }
    }
}

impl Shared {
    fn restart_operator(&self) {
        let mut operator = self.operator.lock().unwrap();
        // Dropping it kills it, and waits for its end.
        operator.take();
        *operator = Some(Process::start(&self.kubeconfig, &self.identity));
    }

    fn kill(&self, side: Side) {
        match side {
            Side::Operator => self.restart_operator(),
            Side::Agent => self.killed_agents.send_modify(|times| *times += 1),
        }
    }

    /// Counts a request; the fault that it suffers.
    fn count(&self, request: &Request<Incoming>, side: Side, is_watch: bool) -> Option<Fault> {
        let path = request.uri().path();
        if path.starts_with("/apis/coordination.k8s.io/") || path.starts_with("/openapi/") {
            return None;
        }
        if request.method() != Method::GET {
            self.writes.fetch_add(1, Ordering::SeqCst);
        }
        let classes: &[Class] = match path.contains("/namespaces/") {
            true if !path.contains(self.namespace.lock().unwrap().as_str()) => &[],
            true if side == Side::Agent => &[Class::Agent],
            true if path.ends_with("/status") => &[Class::Step, Class::Report],
            true => &[Class::Step],
            false if is_watch => &[Class::Watch],
            false => &[Class::List],
        };
        let plan = *self.plan.lock().unwrap();
        let mut is_chosen = false;
        for class in classes {
            let n = self.counts[*class as usize].fetch_add(1, Ordering::SeqCst) + 1;
            is_chosen |= plan.is_some_and(|plan| (plan.class, plan.n) == (*class, n));
        }
        let is_first = is_chosen && !self.fired.swap(true, Ordering::SeqCst);
        plan.filter(|_| is_first).map(|plan| plan.fault)
    }

    /// With the credentials of the proxy.
    async fn forward(&self, request: Request<Incoming>, is_watch: bool) -> Result<Response<Body>, BreakOff> {
        let (mut head, body) = request.into_parts();
        head.headers.remove(header::HOST);
        let body = axum::body::to_bytes(Body::new(body), usize::MAX)
            .await
            .map_err(|_| BreakOff)?;
        let is_creation = head.method == Method::POST && head.uri.path().ends_with("/secrets");
        let request = Request::from_parts(head, kube::client::Body::from(body));
        let (upstream, secrets) = (self.upstream.clone(), self.secrets.clone());
        // What was sent takes effect, whether or not who sent it lives to see that.
        let sent = tokio::spawn(async move {
            let answer = upstream.send(request).await;
            let is_created = answer
                .as_ref()
                .is_ok_and(|answer| answer.status() == StatusCode::CREATED);
            secrets.fetch_add((is_creation && is_created).into(), Ordering::SeqCst);
            answer
        });
        let answer = sent.await.unwrap().map_err(|_| BreakOff)?;
        let (mut head, body) = answer.into_parts();
        for hop in [
            header::CONNECTION,
            header::TRANSFER_ENCODING,
            HeaderName::from_static("keep-alive"),
        ] {
            head.headers.remove(hop);
        }
        let body = Body::new(body);
        let body = if is_watch && head.status == StatusCode::OK {
            stream::told(body, self.watches.subscribe())
        } else {
            body
        };
        Ok(Response::from_parts(head, body))
    }
}

/// What an API server answers. To a creation 409 means that the name is taken.
fn refusal(method: &Method, code: u16) -> Response<Body> {
    let reason = match (code, method) {
        (409, &Method::POST) => "AlreadyExists",
        (409, _) => "Conflict",
        (410, _) => "Expired",
        (429, _) => "TooManyRequests",
        (503, _) => "ServiceUnavailable",
        _ => "InternalError",
    };
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "reason": reason, "code": code,
        "message": format!("the proxy says {reason}"),
    });
    let answer = Response::builder()
        .status(code)
        .header(header::CONTENT_TYPE, "application/json");
    let answer = if code == 429 {
        answer.header(header::RETRY_AFTER, "1")
    } else {
        answer
    };
    answer.body(Body::from(status.to_string())).unwrap()
}
