//! What answers as Zato's server does, in unit tests.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Server;

type Answer = Arc<dyn Fn(&str, &Value) -> Option<Value> + Send + Sync>;

async fn invoke(State(answer): State<Answer>, body: String) -> Result<String, StatusCode> {
    let request: Value = serde_json::from_str(&body).unwrap();
    let payload = STANDARD.decode(request["payload"].as_str().unwrap()).unwrap();
    let payload = serde_json::from_slice(&payload).unwrap();
    let answer = answer(request["name"].as_str().unwrap(), &payload);
    let answer = answer.ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(json!({"response": STANDARD.encode(answer.to_string())}).to_string())
}

/// A server: what it answers to a service and its payload; none: an error.
pub async fn server(answer: impl Fn(&str, &Value) -> Option<Value> + Send + Sync + 'static) -> Server {
    let answer: Answer = Arc::new(answer);
    let router = axum::Router::new()
        .route("/zato/admin/invoke", post(invoke))
        .with_state(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Server::at(base)
}
