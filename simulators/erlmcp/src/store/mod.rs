//! The store: the ledger's records in a log on disk, over HTTP.
//!
//! ```text
//! record    one record, its checksum, its line in the log
//! log       the file: recovery at the start, appending, reading back
//! commit    group commit: a write lives in memory until the fsync that covers it, and is acknowledged then
//! ```

mod commit;
mod log;
mod record;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use crate::answer;
use crate::role::{Announcement, Part, RoleError};
use crate::serve::{self, BodyError, Connections, HangUp, Listener, Whole};
use commit::{Committer, PutError};
use record::Write;

/// A record holds at most what the largest message of erlmcp holds.
const BODY_MAX: usize = 16 << 20;
const PAGE_DEFAULT: u64 = 100;
const PAGE_MAX: u64 = 1_000;

/// What the store is told at its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoreConfig {
    pub site: String,
    pub address: SocketAddr,
    /// Made when it does not exist.
    pub directory: PathBuf,
    pub epoch: u64,
}

impl Part for StoreConfig {
    async fn run(
        self,
        announce: impl FnOnce(Announcement),
        stop: watch::Receiver<bool>,
    ) -> Result<(), RoleError> {
        let (log, recovered) = log::Log::open(&self.directory)?;
        let committer = Committer::start(log, self.epoch)?;
        let listener = Listener::bind(self.address)?;
        announce(Announcement::Listening {
            address: listener.address()?,
            control: None,
        });
        let store = Store {
            config: self,
            committer,
            recovered,
        };
        listener
            .serve(Rc::new(store), Rc::new(Connections::default()), stop)
            .await;
        Ok(())
    }
}

struct Store {
    config: StoreConfig,
    committer: Committer,
    recovered: log::Recovered,
}

#[derive(Deserialize)]
struct Key {
    client: String,
    sequence: u64,
}

#[derive(Deserialize)]
struct Page {
    from: Option<u64>,
    limit: Option<u64>,
}

impl serve::Handler for Store {
    type Body = Whole;

    async fn answer(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Whole>, HangUp> {
        let (head, body) = request.into_parts();
        let body = match serve::read_body(body, BODY_MAX).await {
            Ok(body) => body,
            Err(BodyError::TooLarge) => return Ok(answer::empty(StatusCode::PAYLOAD_TOO_LARGE)),
            Err(BodyError::Lost) => return Err(HangUp),
        };
        Ok(match (&head.method, head.uri.path()) {
            (&Method::POST, "/put") => match serde_json::from_slice(&body) {
                Ok(write) => self.put(write).await,
                Err(error) => refuse(&error),
            },
            (&Method::POST, "/get") => match serde_json::from_slice(&body) {
                Ok(key) => self.get(&key),
                Err(error) => refuse(&error),
            },
            (&Method::POST, "/scan") => match serde_json::from_slice(&body) {
                Ok(page) => self.scan(&page),
                Err(error) => refuse(&error),
            },
            (&Method::GET, "/health") => self.health(),
            _ => answer::empty(StatusCode::NOT_FOUND),
        })
    }
}

fn refuse(error: &serde_json::Error) -> Response<Whole> {
    answer::text(StatusCode::BAD_REQUEST, error.to_string())
}

impl Store {
    async fn put(&self, write: Write) -> Response<Whole> {
        match self.committer.put(write).await {
            Ok(placed) => answer::json(StatusCode::OK, &placed),
            Err(error @ PutError::Full) => {
                answer::text(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
            Err(error @ PutError::Disk(_)) => {
                answer::text(StatusCode::INSUFFICIENT_STORAGE, error.to_string())
            }
        }
    }

    fn get(&self, key: &Key) -> Response<Whole> {
        match self.committer.get(&key.client, key.sequence) {
            Ok(Some(record)) => answer::typed(
                StatusCode::OK,
                answer::JSON,
                format!(r#"{{"found":true,"record":{record}}}"#),
            ),
            Ok(None) => answer::json(StatusCode::OK, &json!({ "found": false })),
            Err(error) => answer::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }

    fn scan(&self, page: &Page) -> Response<Whole> {
        let from = page.from.unwrap_or(1).max(1);
        let limit = page.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
        match self.committer.scan(from, limit) {
            Ok((records, next)) => answer::typed(
                StatusCode::OK,
                answer::JSON,
                format!(
                    r#"{{"records":[{}],"next":{},"last":{}}}"#,
                    records.join(","),
                    next.map_or_else(|| "null".to_owned(), |next| next.to_string()),
                    self.committer.last(),
                ),
            ),
            Err(error) => answer::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }

    fn health(&self) -> Response<Whole> {
        let broken = self.committer.broken();
        let status = match broken {
            None => StatusCode::OK,
            Some(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let body = json!({
            "status": if broken.is_none() { "healthy" } else { "unhealthy" },
            "site": self.config.site,
            "epoch": self.config.epoch,
            "last": self.committer.last(),
            "recovered": self.recovered,
            "reason": broken,
        });
        answer::json(status, &body)
    }
}
