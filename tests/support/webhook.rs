//! An admission webhook that refuses whatever it is asked about.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use http::{Request, Response};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use k8s_openapi::ByteString;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A running webhook. It ends when it is dropped.
pub struct Webhook {
    /// Where it listens.
    pub address: SocketAddr,
    /// The certificate by which the API server knows it.
    pub authority: ByteString,
    task: JoinHandle<()>,
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Webhook {
    /// Listens, and refuses with these words.
    pub async fn start(words: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (key, certificate) = (folder.path().join("key"), folder.path().join("certificate"));
        let made = Command::new("openssl")
            .args(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=webhook"
                    .split(' '),
            )
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(
            vec![CertificateDer::from_pem_file(&certificate).unwrap()],
            PrivateKeyDer::from_pem_file(&key).unwrap(),
        );
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            authority: ByteString(std::fs::read(&certificate).unwrap()),
            task: tokio::spawn(listen(
                listener,
                TlsAcceptor::from(Arc::new(config.unwrap())),
                words,
            )),
        }
    }
}

async fn listen(listener: TcpListener, tls: TlsAcceptor, words: &'static str) {
    while let Ok((stream, _)) = listener.accept().await {
        let tls = tls.clone();
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else {
                return;
            };
            let answer = service_fn(async |request| refuse(request, words).await);
            // An error is a connection that the API server closed.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

async fn refuse(
    request: Request<hyper::body::Incoming>,
    words: &'static str,
) -> Result<Response<Body>, axum::Error> {
    let body = to_bytes(Body::new(request.into_body()), usize::MAX).await?;
    let review: Value = serde_json::from_slice(&body).map_err(axum::Error::new)?;
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": {"uid": review["request"]["uid"], "allowed": false, "status": {"message": words}},
    });
    Ok(Response::new(Body::from(answer.to_string())))
}
