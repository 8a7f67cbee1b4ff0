//! The bytes of one connection, as the shape of its link has it.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};

use super::{Direction, Link};
use crate::clock;
use crate::world::LinkShape;

const CHUNK: usize = 16 << 10;
/// Chunks that are on their way. Who sends more waits, as for a full window.
const WINDOW: usize = 64;
/// A bandwidth is kept in steps of this time.
const STEP: Duration = Duration::from_millis(20);

/// Bytes that arrive at their time; none is the end.
struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
}

pub(super) async fn pass(mut near: TcpStream, far: SocketAddr, link: Rc<Link>, number: u64) {
    let mut shape = link.shape.subscribe();
    let connection = async {
        let mut far = TcpStream::connect(far).await?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = far.split();
        let to_server = flow(near_read, far_write, &link, &link.to_server, 2 * number);
        let from_server = flow(
            far_read,
            near_write,
            &link,
            &link.from_server,
            2 * number + 1,
        );
        tokio::try_join!(to_server, from_server).map(drop)
    };
    let ended = tokio::select! {
        biased;
        _ = shape.wait_for(|shape| shape.reset) => Err(io::ErrorKind::ConnectionReset.into()),
        ended = connection => ended,
    };
    if ended.is_err() {
        // What is closed with this is reset: as it would be by who is not there.
        let _ = set_socket_linger(&near, Some(Duration::ZERO));
    }
}

/// One direction, until its end.
async fn flow(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    link: &Link,
    direction: &Direction,
    seed: u64,
) -> io::Result<()> {
    let (sent, coming) = mpsc::channel(WINDOW);
    let read = take(from, sent, link, seed);
    let write = give(to, coming, link.shape.subscribe(), direction);
    tokio::try_join!(read, write).map(drop)
}

async fn take(
    mut from: ReadHalf<'_>,
    sent: mpsc::Sender<Chunk>,
    link: &Link,
    seed: u64,
) -> io::Result<()> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut buffer = vec![0; CHUNK];
    let mut last = clock::now();
    loop {
        let count = from.read(&mut buffer).await?;
        let LinkShape { delay, jitter, .. } = *link.shape.borrow();
        // Nothing overtakes what came before it.
        last = last.max(clock::now() + delay + jitter.mul_f64(random.random::<f64>()));
        let chunk = Chunk {
            due: last,
            bytes: buffer[..count].to_vec(),
        };
        if sent.send(chunk).await.is_err() || count == 0 {
            return Ok(());
        }
    }
}

async fn give(
    mut to: WriteHalf<'_>,
    mut coming: mpsc::Receiver<Chunk>,
    mut shape: watch::Receiver<LinkShape>,
    direction: &Direction,
) -> io::Result<()> {
    while let Some(Chunk { due, bytes }) = coming.recv().await {
        tokio::time::sleep_until(due.into()).await;
        // The sender lives as long as the link.
        let _ = shape.wait_for(|shape| direction.passes(shape)).await;
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        let bandwidth = shape.borrow().bandwidth;
        let Some(bandwidth) = bandwidth else {
            to.write_all(&bytes).await?;
            continue;
        };
        let step = (bandwidth as f64 * STEP.as_secs_f64()).max(1.0) as usize;
        for piece in bytes.chunks(step) {
            let passed = direction.pass(piece.len(), bandwidth);
            tokio::time::sleep_until(passed.into()).await;
            to.write_all(piece).await?;
        }
    }
    Ok(())
}
