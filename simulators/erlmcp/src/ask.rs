//! One question to another process of the world, on a connection of its own and for a limited time.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Method, Request, StatusCode};

use crate::serve::Whole;
use crate::upstream::Upstream;

pub(crate) async fn get(at: SocketAddr, path: &str, patience: Duration) -> Result<Bytes, String> {
    ask(Method::GET, at, path, Bytes::new(), patience).await
}

pub(crate) async fn post(
    at: SocketAddr,
    path: &str,
    body: Bytes,
    patience: Duration,
) -> Result<Bytes, String> {
    ask(Method::POST, at, path, body, patience).await
}

/// The body of a 200; anything else is an error in words.
async fn ask(
    method: Method,
    at: SocketAddr,
    path: &str,
    body: Bytes,
    patience: Duration,
) -> Result<Bytes, String> {
    let exchange = async {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, at.to_string())
            .header(hyper::header::CONNECTION, "close")
            .body(Whole::new(body))
            .map_err(|error| error.to_string())?;
        let connection = Upstream::new(at);
        let response = connection.send(request).await.map_err(|e| e.to_string())?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|e| e.to_string())?
            .to_bytes();
        match status {
            StatusCode::OK => Ok(body),
            _ => Err(format!(
                "{at}{path}: {status} {}",
                String::from_utf8_lossy(&body)
            )),
        }
    };
    tokio::time::timeout(patience, exchange)
        .await
        .unwrap_or_else(|_| Err(format!("{at}{path}: no answer within {patience:?}")))
}
