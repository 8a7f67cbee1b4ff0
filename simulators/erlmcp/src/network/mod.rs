//! The network between the others, where it can be disturbed: a way to each front door, to each store from the pods
//! of its site, and from store to store.
//!
//! ```text
//! passing   the bytes of one connection, as the shape of its link has it
//! ```

mod passing;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::role::{Announcement, Part, RoleError};
use crate::serve::{self, HangUp, Listener, Whole};
use crate::world::{Blocked, LinkShape};
use crate::{answer, clock};

const COMMAND_MAX: usize = 64 << 10;

/// What the network is told at its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NetworkPart {
    /// Where it takes commands.
    pub address: SocketAddr,
    pub links: Vec<LinkPart>,
}

/// One way. Several may have one name: they are disturbed together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LinkPart {
    pub name: String,
    /// Where the near end connects, and who is there in truth.
    pub near: SocketAddr,
    pub far: SocketAddr,
    pub shape: LinkShape,
}

/// All ways of this name have this shape from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reshape {
    pub name: String,
    pub shape: LinkShape,
}

impl Part for NetworkPart {
    async fn run(
        self,
        announce: impl FnOnce(Announcement),
        stop: watch::Receiver<bool>,
    ) -> Result<(), RoleError> {
        let listener = Listener::bind(self.address)?;
        let mut links = Vec::new();
        for part in self.links {
            let near = Listener::bind(part.near)?.into_tcp();
            let link = Rc::new(Link::new(&part));
            tokio::task::spawn_local(accept(near, part.far, link.clone()));
            links.push((part.name, link));
        }
        announce(Announcement::Listening {
            address: listener.address()?,
            control: None,
        });
        listener
            .serve(Rc::new(Network { links }), Rc::default(), stop)
            .await;
        Ok(())
    }
}

struct Network {
    links: Vec<(String, Rc<Link>)>,
}

impl serve::Handler for Network {
    type Body = Whole;

    async fn answer(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Whole>, HangUp> {
        let (head, body) = request.into_parts();
        let body = serve::read_body(body, COMMAND_MAX)
            .await
            .map_err(|_| HangUp)?;
        if (&head.method, head.uri.path()) != (&Method::POST, "/shape") {
            return Ok(answer::empty(StatusCode::NOT_FOUND));
        }
        Ok(match serde_json::from_slice::<Reshape>(&body) {
            Ok(order) => {
                let own = self.links.iter().filter(|(name, _)| *name == order.name);
                for (_, link) in own {
                    link.shape.send_replace(order.shape);
                }
                answer::empty(StatusCode::OK)
            }
            Err(error) => answer::text(StatusCode::BAD_REQUEST, error.to_string()),
        })
    }
}

/// A way, and what all of its connections share.
struct Link {
    shape: watch::Sender<LinkShape>,
    to_server: Direction,
    from_server: Direction,
}

/// One direction of a link.
struct Direction {
    /// The shapes that let nothing pass.
    blocked_by: [Blocked; 2],
    /// When what has a bandwidth has passed what came before.
    free: Cell<Instant>,
}

impl Link {
    fn new(part: &LinkPart) -> Link {
        let direction = |own| Direction {
            blocked_by: [own, Blocked::Both],
            free: Cell::new(clock::now()),
        };
        Link {
            shape: watch::Sender::new(part.shape),
            to_server: direction(Blocked::ToServer),
            from_server: direction(Blocked::FromServer),
        }
    }
}

impl Direction {
    fn passes(&self, shape: &LinkShape) -> bool {
        !self.blocked_by.contains(&shape.blocked)
    }

    /// When so many bytes have passed that come now: behind those of all other connections.
    fn pass(&self, bytes: usize, bandwidth: u64) -> Instant {
        let takes = Duration::from_secs_f64(bytes as f64 / bandwidth.max(1) as f64);
        let passed = self.free.get().max(clock::now()) + takes;
        self.free.set(passed);
        passed
    }
}

async fn accept(near: TcpListener, far: SocketAddr, link: Rc<Link>) {
    for number in 0.. {
        match near.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(passing::pass(stream, far, link.clone(), number));
            }
            // Out of descriptors, or a client that has gone again: neither is a reason to stop listening.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
