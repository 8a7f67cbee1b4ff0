//! A connection whose client has to take what it is sent: writes that wait too long end it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;

/// A connection that can be ended at once: what was not taken is thrown away, and the client is told by a reset.
pub(crate) trait Abrupt {
    fn throw_away(&self);
}

impl Abrupt for TcpStream {
    fn throw_away(&self) {
        // Where it cannot be set, the end comes behind what is still to be sent.
        let _ = rustix::net::sockopt::set_socket_linger(self, Some(Duration::ZERO));
    }
}

impl Abrupt for TlsStream<TcpStream> {
    fn throw_away(&self) {
        self.get_ref().0.throw_away();
    }
}

pub(crate) struct Patient<S, F> {
    stream: S,
    /// Without it a write waits for as long as the client wants.
    patience: Option<Duration>,
    waits: Option<Pin<Box<Sleep>>>,
    /// Told once, when patience is over.
    lost: Option<F>,
}

impl<S: Abrupt, F: FnOnce()> Patient<S, F> {
    pub(crate) fn new(stream: S, patience: Option<Duration>, lost: F) -> Patient<S, F> {
        Patient {
            stream,
            patience,
            waits: None,
            lost: Some(lost),
        }
    }

    /// What came of a write; one that waits does so for a limited time.
    fn limited<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let (Poll::Pending, Some(patience)) = (&written, self.patience) else {
            self.waits = None;
            return written;
        };
        let waits = self.waits.get_or_insert_with(|| Box::pin(sleep(patience)));
        if waits.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        if let Some(lost) = self.lost.take() {
            self.stream.throw_away();
            lost();
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin, F: Unpin> AsyncRead for Patient<S, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Abrupt + Unpin, F: FnOnce() + Unpin> AsyncWrite for Patient<S, F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.limited(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.limited(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
