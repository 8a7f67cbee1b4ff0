//! Answers over HTTP that pods, store and front door have in common.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// The content type of the Prometheus text format.
pub(crate) const EXPOSITION: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// An answer with a body of the given type.
pub(crate) fn typed<B: From<Bytes>>(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response<B> {
    let mut response = Response::new(B::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

pub(crate) fn json<B: From<Bytes>>(status: StatusCode, value: &impl Serialize) -> Response<B> {
    match serde_json::to_vec(value) {
        Ok(body) => typed(status, JSON, body),
        Err(error) => typed(StatusCode::INTERNAL_SERVER_ERROR, TEXT, error.to_string()),
    }
}

pub(crate) fn text<B: From<Bytes>>(status: StatusCode, body: impl Into<Bytes>) -> Response<B> {
    typed(status, TEXT, body)
}

/// An answer without a body.
pub(crate) fn empty<B: From<Bytes>>(status: StatusCode) -> Response<B> {
    let mut response = Response::new(B::from(Bytes::new()));
    *response.status_mut() = status;
    response
}
