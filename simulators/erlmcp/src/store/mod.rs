//! The store: the ledger's records in a log on disk, over HTTP.
//!
//! ```text
//! record    one record, its checksum, its line in the log
//! log       the file: recovery at the start, appending, reading back
//! commit    group commit: a write lives in memory until the fsync that covers it, and is acknowledged then
//! held      writes that are acknowledged too early, by a store that is told to be wrong
//! standing  whether it takes writes, and in which epoch
//! learn     what the director says about that
//! shipping  its lines to another store
//! backups   copies of the log, here and off the site
//! lies      being wrong about what is stored
//! commands  what the world and the director tell it to be
//! ```

pub(crate) mod backups;
mod commands;
mod commit;
mod held;
mod learn;
pub(crate) mod lies;
mod log;
pub(crate) mod record;
pub(crate) mod shipping;
pub(crate) mod standing;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::header::HeaderName;
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::answer;
use crate::role::{Announcement, Part, RoleError};
use crate::serve::{self, BodyError, Connections, HangUp, Listener, Whole};
use backups::Schedule;
use commit::{Committer, PutError};
use lies::Lies;
use record::Write;
use shipping::{Shipper, Shipping};
use standing::{Duty, Refusal, Refused, Standing, StandingFile};

/// A record holds at most what the largest message of erlmcp holds, and shipping sends some hundred records.
const BODY_MAX: usize = 64 << 20;
const PAGE_DEFAULT: u64 = 100;
const PAGE_MAX: u64 = 1_000;

/// Every answer of a store carries its epoch.
pub(crate) const EPOCH: HeaderName = HeaderName::from_static("x-erlmcp-epoch");

/// What the store is told at its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoreConfig {
    pub site: String,
    pub address: SocketAddr,
    /// Made when it does not exist.
    pub directory: PathBuf,
    /// What it is when the directory does not say.
    pub epoch: u64,
    #[serde(default = "serving")]
    pub duty: Duty,
    /// Who knows whom the epoch was given to. The store takes no write before it has been asked.
    #[serde(default)]
    pub director: Option<SocketAddr>,
    #[serde(default)]
    pub shipping: Option<Shipping>,
    #[serde(default)]
    pub backups: Option<Schedule>,
    #[serde(default)]
    pub lies: Lies,
    /// It looks whether what it wrote had room.
    #[serde(default = "bounded")]
    pub bounded: bool,
}

fn serving() -> Duty {
    Duty::Serving
}

fn bounded() -> bool {
    true
}

impl Part for StoreConfig {
    async fn run(
        self,
        announce: impl FnOnce(Announcement),
        stop: watch::Receiver<bool>,
    ) -> Result<(), RoleError> {
        let (log, recovered) = log::Log::open(&self.directory)?;
        let file = StandingFile::of(&self.directory);
        let standing = file.open(Standing {
            duty: self.duty,
            epoch: self.epoch,
        })?;
        let shipper = Shipper::new(self.shipping, log.index.last());
        // A file that may not grow is an error of the write, as a full disk is, and not the end of the process.
        let room = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        let _handled = signal(room).map_err(RoleError::system("cannot take SIGXFSZ"))?;
        let committer = Committer::start(log, standing, file, self.bounded)?;
        committer.hold(self.lies.ack_before_fsync);
        let listener = Listener::bind(self.address)?;
        let address = listener.address()?;
        let store = Rc::new(Store {
            certain: Cell::new(self.director.is_none()),
            lies: RefCell::new(self.lies.clone()),
            config: self,
            committer,
            recovered,
            shipper,
        });
        if store.config.director.is_some() {
            learn::once(&store).await;
            tokio::task::spawn_local(learn::run(store.clone()));
        }
        tokio::task::spawn_local(shipping::run(store.clone()));
        if let Some(schedule) = store.config.backups.clone() {
            tokio::task::spawn_local(backups::run(store.clone(), schedule));
        }
        announce(Announcement::Listening {
            address,
            control: None,
        });
        listener
            .serve(store, Rc::new(Connections::default()), stop)
            .await;
        Ok(())
    }
}

struct Store {
    config: StoreConfig,
    committer: Committer,
    recovered: log::Recovered,
    shipper: Shipper,
    /// Whether it is known who may serve.
    certain: Cell<bool>,
    lies: RefCell<Lies>,
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
        let mut response = match (&head.method, head.uri.path()) {
            (&Method::POST, "/put") => match serde_json::from_slice(&body) {
                Ok(write) => self.put(write, head.headers.get(EPOCH)).await,
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
            _ => commands::answer(&self, &head, body).await,
        };
        let epoch = self.committer.standing().epoch.into();
        response.headers_mut().insert(EPOCH, epoch);
        Ok(response)
    }
}

fn refuse(error: &serde_json::Error) -> Response<Whole> {
    answer::text(StatusCode::BAD_REQUEST, error.to_string())
}

/// What went wrong with a write, or with a command that waits for the disk.
fn failed(error: &PutError) -> Response<Whole> {
    match error {
        PutError::Full => answer::text(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        PutError::NoRoom(_) => answer::text(StatusCode::INSUFFICIENT_STORAGE, error.to_string()),
        PutError::Disk(_) => answer::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        PutError::Refused(refusal) => answer::json(StatusCode::CONFLICT, refusal),
    }
}

impl Store {
    /// The epoch in the arguments is the client's word, the one in the header the pod's.
    async fn put(
        &self,
        mut write: Write,
        header: Option<&hyper::header::HeaderValue>,
    ) -> Response<Whole> {
        let believed = || header?.to_str().ok()?.parse().ok();
        write.epoch = write.epoch.or_else(believed);
        if !self.certain.get() {
            return failed(&PutError::Refused(Refusal {
                refused: Refused::Uncertain,
                epoch: self.committer.standing().epoch,
                sent: write.epoch,
            }));
        }
        match self.committer.put(write).await {
            Ok(placed) => answer::json(StatusCode::OK, &placed),
            Err(error) => failed(&error),
        }
    }

    fn get(&self, key: &Key) -> Response<Whole> {
        match self
            .committer
            .get(&key.client, key.sequence, &self.lies.borrow())
        {
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
        match self.committer.scan(from, limit, &self.lies.borrow()) {
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
        let standing = self.committer.standing();
        let oldest = self.committer.oldest_waiting();
        let body = json!({
            "status": if broken.is_none() { "healthy" } else { "unhealthy" },
            "site": self.config.site,
            "epoch": standing.epoch,
            "duty": standing.duty,
            "last": self.committer.last(),
            "recovered": self.recovered,
            "shipped": self.shipper.confirmed(),
            "agreed": self.shipper.agrees(),
            "oldest_unshipped_ns": oldest,
            "reason": broken,
        });
        answer::json(status, &body)
    }

    /// After this epoch was given to another store.
    async fn fence(&self, epoch: u64) -> Result<u64, PutError> {
        let standing = self.committer.standing().fenced(epoch);
        self.committer.stand(standing).await
    }
}
