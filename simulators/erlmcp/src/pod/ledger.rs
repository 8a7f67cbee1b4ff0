//! The way to the store.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{Method, Request, StatusCode};

use crate::serve::Whole;
use crate::upstream::Upstream;

pub(super) struct Ledger {
    host: String,
    store: Rc<Upstream<Whole>>,
    timeout: Duration,
}

impl Ledger {
    pub(super) fn new(store: SocketAddr, timeout: Duration) -> Ledger {
        Ledger {
            host: store.to_string(),
            store: Upstream::new(store),
            timeout,
        }
    }

    /// Asks the store; JSON text both ways. The error says why there is no answer: then a write may or may not
    /// have been kept.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<String, String> {
        let exchange = self.exchange(method, path, body);
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(format!(
                "the store did not answer within {:?}",
                self.timeout
            )),
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: String) -> Result<String, String> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, &self.host)
            .body(Whole::from(body))
            .map_err(|error| error.to_string())?;
        let response = self
            .store
            .send(request)
            .await
            .map_err(|e| format!("the store: {e}"))?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|e| format!("the store: {e}"))?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        match status {
            StatusCode::OK => Ok(text),
            _ => Err(format!("the store: {text}")),
        }
    }
}
