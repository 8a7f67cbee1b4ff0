//! What the world and the director tell a store to be, and what another store sends it.

use std::rc::Rc;

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde::Deserialize;

use super::commit::PutError;
use super::lies::Lies;
use super::shipping::{Last, Tail};
use super::standing::{Duty, Refusal, Refused, Standing};
use super::{Store, failed, refuse};
use crate::answer;
use crate::serve::Whole;

#[derive(Deserialize)]
struct Epoch {
    epoch: u64,
}

pub(super) async fn answer(store: &Rc<Store>, head: &Parts, body: Bytes) -> Response<Whole> {
    let path = head.uri.path();
    match (&head.method, path) {
        (&Method::GET, "/tail") => tail(store),
        (&Method::POST, "/replicate") => replicate(store, head.uri.query(), body).await,
        (&Method::POST, "/control/ship") => match serde_json::from_slice(&body) {
            Ok(order) => {
                store.shipper.order(order);
                last(Ok(store.committer.last()))
            }
            Err(error) => refuse(&error),
        },
        (&Method::POST, "/control/lies") => match serde_json::from_slice::<Lies>(&body) {
            Ok(lies) => {
                store.committer.hold(lies.ack_before_fsync);
                *store.lies.borrow_mut() = lies;
                last(Ok(store.committer.last()))
            }
            Err(error) => refuse(&error),
        },
        (&Method::POST, _) => match serde_json::from_slice::<Epoch>(&body) {
            Ok(Epoch { epoch }) => last(match path {
                "/empty" if store.committer.standing().duty == Duty::Standby => {
                    store.committer.empty().await
                }
                "/control/fence" => store.fence(epoch).await,
                "/control/promote" => promote(store, epoch).await,
                "/control/standby" => {
                    let duty = Duty::Standby;
                    store.committer.stand(Standing { duty, epoch }).await
                }
                _ => return answer::empty(StatusCode::NOT_FOUND),
            }),
            Err(error) => refuse(&error),
        },
        _ => answer::empty(StatusCode::NOT_FOUND),
    }
}

fn last(outcome: Result<u64, PutError>) -> Response<Whole> {
    match outcome {
        Ok(last) => answer::json(StatusCode::OK, &Last { last }),
        Err(error) => failed(&error),
    }
}

/// Whoever promotes says that the epoch is this store's: it need not ask any more.
async fn promote(store: &Store, epoch: u64) -> Result<u64, PutError> {
    let standing = store.committer.standing();
    if epoch < standing.epoch {
        return Err(PutError::Refused(Refusal {
            refused: Refused::OtherEpoch,
            epoch: standing.epoch,
            sent: Some(epoch),
        }));
    }
    let duty = Duty::Serving;
    let last = store.committer.stand(Standing { duty, epoch }).await?;
    store.certain.set(true);
    Ok(last)
}

fn tail(store: &Store) -> Response<Whole> {
    let last = store.committer.last();
    match store.committer.lines(last.max(1), last) {
        Ok(line) => answer::json(
            StatusCode::OK,
            &Tail {
                duty: store.committer.standing().duty,
                last,
                line: String::from_utf8_lossy(&line).into_owned(),
            },
        ),
        Err(error) => answer::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

async fn replicate(store: &Store, query: Option<&str>, lines: Bytes) -> Response<Whole> {
    let Some((from, epoch)) = query.and_then(parse) else {
        return answer::text(StatusCode::BAD_REQUEST, "say ?from=POSITION&epoch=EPOCH");
    };
    let standing = store.committer.standing();
    if standing.duty != Duty::Standby || epoch < standing.epoch {
        return answer::text(
            StatusCode::CONFLICT,
            "only a standby takes lines, and none of an older epoch",
        );
    }
    last(store.committer.take(from, lines).await)
}

fn parse(query: &str) -> Option<(u64, u64)> {
    let (from, epoch) = query.split_once('&')?;
    let from = from.strip_prefix("from=")?.parse().ok()?;
    let epoch = epoch.strip_prefix("epoch=")?.parse().ok()?;
    Some((from, epoch))
}
