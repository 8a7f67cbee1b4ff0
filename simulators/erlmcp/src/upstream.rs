//! Keep-alive connections to one server: the front door's to a pod, a pod's to the store.
//!
//! An idle connection is used again, the latest first. A request that provably never left because its connection
//! had been closed goes out once more on another one; any other failure is the caller's.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;

/// Connections that are kept while nobody uses them.
const IDLE_MAX: usize = 1_024;

#[derive(Debug, Error)]
pub(crate) enum UpstreamError {
    #[error("{0} cannot be reached: {1}")]
    Connect(SocketAddr, std::io::Error),
    #[error("{0} closed the connection: {1}")]
    Lost(SocketAddr, hyper::Error),
}

pub(crate) struct Upstream<B> {
    address: SocketAddr,
    idle: RefCell<Vec<SendRequest<B>>>,
}

impl<B> Upstream<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + 'static,
{
    pub(crate) fn new(address: SocketAddr) -> Rc<Upstream<B>> {
        Rc::new(Upstream {
            address,
            idle: RefCell::new(Vec::new()),
        })
    }

    /// Sends `request`, whose target is a path, and returns when the answer's head is there.
    pub(crate) async fn send(
        self: &Rc<Self>,
        mut request: Request<B>,
    ) -> Result<Response<Reply<B>>, UpstreamError> {
        while let Some(mut connection) = self.take_idle() {
            if connection.ready().await.is_err() {
                continue;
            }
            match connection.try_send_request(request).await {
                Ok(response) => return Ok(self.wrap(response, connection)),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(UpstreamError::Lost(self.address, failed.into_error())),
                },
            }
        }
        let mut connection = self.connect().await?;
        match connection.send_request(request).await {
            Ok(response) => Ok(self.wrap(response, connection)),
            Err(error) => Err(UpstreamError::Lost(self.address, error)),
        }
    }

    // A function of its own, so that the pool is not borrowed across an await.
    fn take_idle(&self) -> Option<SendRequest<B>> {
        self.idle.borrow_mut().pop()
    }

    async fn connect(&self) -> Result<SendRequest<B>, UpstreamError> {
        let failed = |error| UpstreamError::Connect(self.address, error);
        let stream = TcpStream::connect(self.address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| UpstreamError::Lost(self.address, error))?;
        tokio::task::spawn_local(async move {
            // Its errors reach the request that is under way.
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn wrap(
        self: &Rc<Self>,
        response: Response<Incoming>,
        connection: SendRequest<B>,
    ) -> Response<Reply<B>> {
        response.map(|body| Reply {
            body,
            ended: false,
            connection: Some(connection),
            pool: self.clone(),
        })
    }
}

/// The body of an answer. Its connection goes back to the pool when the body was read to its end, else it is closed.
pub(crate) struct Reply<B> {
    body: Incoming,
    ended: bool,
    connection: Option<SendRequest<B>>,
    pool: Rc<Upstream<B>>,
}

impl<B> Body for Reply<B> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) {
            self.ended = true;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Reply<B> {
    fn drop(&mut self) {
        let whole = self.ended || self.body.is_end_stream();
        if let Some(connection) = self.connection.take().filter(|_| whole) {
            let mut idle = self.pool.idle.borrow_mut();
            if idle.len() < IDLE_MAX {
                idle.push(connection);
            }
        }
    }
}
