//! The way to the store, and the epoch that the pod believes in: it goes out with every write, and comes back with
//! every answer.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::header::HOST;
use hyper::{Method, Request, StatusCode};
use thiserror::Error;

use crate::serve::Whole;
use crate::store::EPOCH;
use crate::store::standing::{Refusal, Refused};
use crate::upstream::Upstream;

/// At the start the store may not be there yet.
const FIRST_PATIENCE: Duration = Duration::from_millis(200);

pub(super) struct Ledger {
    host: String,
    store: Rc<Upstream<Whole>>,
    timeout: Duration,
    epoch: Cell<u64>,
}

#[derive(Debug, Error)]
pub(super) enum LedgerError {
    /// There is no answer: a write may or may not have been kept.
    #[error("{0}")]
    Unknown(String),
    /// The write was certainly not kept: the store's disk is full.
    #[error("{0}")]
    NoRoom(String),
    /// The write was certainly not kept.
    #[error("{}", .0.message())]
    Refused(Refusal),
}

impl Ledger {
    pub(super) fn new(store: SocketAddr, timeout: Duration) -> Ledger {
        Ledger {
            host: store.to_string(),
            store: Upstream::new(store),
            timeout,
            epoch: Cell::new(0),
        }
    }

    /// The newest epoch that the store has spoken of; 0 before it has.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.get()
    }

    /// Learns the epoch before the first client comes, if the store is there.
    pub(super) async fn learn(&self) {
        let question = self.exchange(Method::GET, "/health", String::new());
        let _ = tokio::time::timeout(FIRST_PATIENCE, question).await;
    }

    /// Asks the store; JSON text both ways.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<String, LedgerError> {
        let believed = self.epoch.get();
        let answer = self.ask_once(method.clone(), path, body.clone()).await;
        match answer {
            // The epoch was the pod's own word, and it has just learned better.
            Err(LedgerError::Refused(ref refusal))
                if refusal.refused == Refused::OtherEpoch
                    && refusal.sent == Some(believed)
                    && refusal.epoch > believed
                    && !says_epoch(&body) =>
            {
                self.ask_once(method, path, body).await
            }
            answer => answer,
        }
    }

    async fn ask_once(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<String, LedgerError> {
        let exchange = self.exchange(method, path, body);
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(LedgerError::Unknown(format!(
                "the store did not answer within {:?}",
                self.timeout
            ))),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<String, LedgerError> {
        let unknown = |reason: String| LedgerError::Unknown(format!("the store: {reason}"));
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .body(Whole::from(body))
            .map_err(|error| unknown(error.to_string()))?;
        if self.epoch.get() > 0 {
            request.headers_mut().insert(EPOCH, self.epoch.get().into());
        }
        let response = self
            .store
            .send(request)
            .await
            .map_err(|error| unknown(error.to_string()))?;
        let status = response.status();
        let epoch = response.headers().get(EPOCH);
        if let Some(epoch) = epoch.and_then(|epoch| epoch.to_str().ok()?.parse().ok()) {
            self.epoch.set(epoch);
        }
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|error| unknown(error.to_string()))?
            .to_bytes();
        match status {
            StatusCode::OK => Ok(String::from_utf8_lossy(&body).into_owned()),
            StatusCode::CONFLICT => Err(match serde_json::from_slice(&body) {
                Ok(refusal) => LedgerError::Refused(refusal),
                Err(error) => unknown(error.to_string()),
            }),
            StatusCode::INSUFFICIENT_STORAGE => Err(LedgerError::NoRoom(
                String::from_utf8_lossy(&body).into_owned(),
            )),
            _ => Err(unknown(String::from_utf8_lossy(&body).into_owned())),
        }
    }
}

/// Whether a client named an epoch of its own.
fn says_epoch(body: &str) -> bool {
    serde_json::from_str::<crate::store::record::Write>(body)
        .is_ok_and(|write| write.epoch.is_some())
}
