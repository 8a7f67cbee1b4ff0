//! Listening: accept, TLS, one hyper connection a task, and an orderly end.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;

use crate::patience::{Abrupt, Patient};
use crate::role::RoleError;

/// Deep enough for thousands of clients that connect in one instant; the kernel caps it.
const BACKLOG: u32 = 4_096;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// For a client that is not let in to hear why.
const GOODBYE: Duration = Duration::from_millis(250);

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer")]
pub(crate) struct HangUp;

pub(crate) trait Handler: 'static {
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + 'static;

    fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Self::Body>, HangUp>>;

    /// Connections beyond this are closed at once. Asked at each accept.
    fn connections_max(&self) -> u64 {
        u64::MAX
    }

    /// A client has connected. The error is what it is told before the connection is closed.
    fn connected(&self, _: IpAddr) -> Result<(), Bytes> {
        Ok(())
    }

    /// A connection that was let in has ended.
    fn left(&self, _: IpAddr) {}

    /// For how long an answer may wait for a client that does not take it.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// A client was not waited for any longer.
    fn gave_up(&self, _: IpAddr) {}
}

/// Open connections of one listener.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: Cell<u64>,
    closed: Notify,
    let_go: watch::Sender<LetGo>,
}

/// Which connections are let go: all of them, and those that were there before a renewal.
#[derive(Clone, Copy, Debug, Default)]
struct LetGo {
    all: bool,
    renewals: u64,
}

/// What TLS is spoken with, if it is. It may be renewed while connections last.
pub(crate) type Tls = Rc<RefCell<Option<TlsAcceptor>>>;

impl Connections {
    pub(crate) fn open(&self) -> u64 {
        self.open.get()
    }

    /// Idle connections are closed, others after the answer that is under way; new ones carry one request each.
    pub(crate) fn let_go(&self, on: bool) {
        self.let_go.send_modify(|let_go| let_go.all = on);
    }

    /// Connections that are there are closed as [`Connections::let_go`] does it; new ones stay.
    pub(crate) fn renew(&self) {
        self.let_go.send_modify(|let_go| let_go.renewals += 1);
    }
}

/// Who sent a request: an extension of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub IpAddr);

/// A client's connection, for as long as it lives.
struct Guest<H: Handler>(Rc<H>, IpAddr);

impl<H: Handler> Drop for Guest<H> {
    fn drop(&mut self) {
        self.0.left(self.1);
    }
}

/// Counts one connection for as long as it lives.
struct Connection(Rc<Connections>);

impl Connection {
    fn new(all: &Rc<Connections>) -> Connection {
        all.open.set(all.open.get() + 1);
        Connection(all.clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.closed.notify_waiters();
    }
}

pub(crate) struct Listener {
    tcp: TcpListener,
    tls: Tls,
}

impl Listener {
    pub(crate) fn bind(address: SocketAddr) -> Result<Listener, RoleError> {
        let listen = || {
            let socket = match address.ip() {
                IpAddr::V4(_) => TcpSocket::new_v4()?,
                IpAddr::V6(_) => TcpSocket::new_v6()?,
            };
            // So that a process that is started again gets the port of the one that was killed.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        let tcp = listen().map_err(|source| RoleError::Listen { address, source })?;
        Ok(Listener {
            tcp,
            tls: Tls::default(),
        })
    }

    pub(crate) fn with_tls(self, tls: Tls) -> Listener {
        Listener { tls, ..self }
    }

    /// For who does not speak HTTP.
    pub(crate) fn into_tcp(self) -> TcpListener {
        self.tcp
    }

    pub(crate) fn address(&self) -> Result<SocketAddr, RoleError> {
        self.tcp
            .local_addr()
            .map_err(RoleError::system("cannot read the listening address"))
    }

    /// Serves until `stop` is true; then takes no more connections, and returns when the last one has ended.
    pub(crate) async fn serve<H: Handler>(
        self,
        handler: Rc<H>,
        connections: Rc<Connections>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                accepted = self.tcp.accept() => accepted,
            };
            match accepted {
                Ok((stream, from)) if connections.open() < handler.connections_max() => {
                    let from = from.ip();
                    if let Err(words) = handler.connected(from) {
                        // With TLS there is nobody yet who could be told.
                        let words = self.tls.borrow().is_none().then_some(words);
                        tokio::task::spawn_local(turn_away(stream, words));
                        continue;
                    }
                    let connection = Connection::new(&connections);
                    let tls = self.tls.borrow().clone();
                    let guest = Guest(handler.clone(), from);
                    let stop = stop.clone();
                    tokio::task::spawn_local(async move {
                        converse(stream, tls, &guest, &connection.0, stop).await;
                    });
                }
                Ok((stream, _)) => drop(stream),
                // Out of descriptors, or a client that has gone again: neither is a reason to stop listening.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        drop(self.tcp);
        loop {
            let closed = connections.closed.notified();
            if connections.open() == 0 {
                break;
            }
            closed.await;
        }
    }
}

/// Tells a client why it is not let in. What it has sent is read for a moment, since closing before would destroy the
/// words on their way.
async fn turn_away(mut stream: TcpStream, words: Option<Bytes>) {
    use tokio::io::AsyncWriteExt;
    let Some(words) = words else { return };
    let say = async {
        stream.write_all(&words).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    // Whether it listens is its own affair.
    let _ = tokio::time::timeout(GOODBYE, say).await;
}

async fn converse<H: Handler>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    guest: &Guest<H>,
    connections: &Connections,
    stop: watch::Receiver<bool>,
) {
    // A connection that fails is the client's affair: it sees the end of it.
    let _ = stream.set_nodelay(true);
    match tls {
        None => exchange(stream, guest, connections, stop).await,
        Some(tls) => {
            let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream));
            if let Ok(Ok(stream)) = handshake.await {
                exchange(stream, guest, connections, stop).await;
            }
        }
    }
}

async fn exchange<H: Handler>(
    stream: impl AsyncRead + AsyncWrite + Abrupt + Unpin + 'static,
    guest: &Guest<H>,
    connections: &Connections,
    mut stop: watch::Receiver<bool>,
) {
    let mut let_go = connections.let_go.subscribe();
    let first = *let_go.borrow();
    let stays = !first.all;
    let goes = |now: &LetGo| now.all || now.renewals != first.renewals;
    let Guest(handler, from) = guest;
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(*from));
        handler.clone().answer(request)
    });
    let stream = Patient::new(stream, handler.patience(), || handler.gave_up(*from));
    let connection = http1::Builder::new()
        .keep_alive(stays)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
        _ = let_go.wait_for(goes), if stays => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// The body of an answer that is known when it begins.
pub(crate) type Whole = http_body_util::Full<Bytes>;

/// Reads a request's body into memory, up to `limit` bytes.
pub(crate) async fn read_body(body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    use http_body_util::{BodyExt, LengthLimitError, Limited};
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Err(_) => Err(BodyError::Lost),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    TooLarge,
    /// The client went away in the middle.
    Lost,
}
