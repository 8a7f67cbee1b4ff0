//! The world's process: everybody is started, `world.json` says where to ask, and requests are answered until the end.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::{Method, Request as HttpRequest, Response, StatusCode};
use tokio::sync::{Mutex, watch};

use super::carry_out;
use super::client::{self, Identity, WorldPart};
use super::failback::Asked;
use super::ground::Ground;
use super::request::{Reply, Request};
use crate::answer;
use crate::proc;
use crate::role::{Announcement, Part, RoleError};
use crate::serve::{self, HangUp, Listener, Whole};

const REQUEST_MAX: usize = 1 << 20;

impl Part for WorldPart {
    async fn run(
        self,
        announce: impl FnOnce(Announcement),
        stop: watch::Receiver<bool>,
    ) -> Result<(), RoleError> {
        let state = self.config.state.clone();
        if let Ok(other) = client::attach(&state) {
            return Err(RoleError::File {
                file: state.display().to_string(),
                reason: format!(
                    "the world of process {} lives in it: end that one first",
                    other.pid()
                ),
            });
        }
        let ground = Ground::lay(self).map_err(RoleError::World)?;
        ground
            .listen_for_ends()
            .map_err(RoleError::system("cannot listen for the end of processes"))?;
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = listener.address()?;
        if let Err(reason) = ground.start().await {
            ground.end().await;
            return Err(RoleError::World(reason));
        }
        let identity = Identity {
            pid: std::process::id(),
            started: proc::started(std::process::id()).unwrap_or_default(),
            control: address,
            token: token().map_err(RoleError::system("cannot draw a token"))?,
        };
        introduce(&state, &identity).map_err(RoleError::system(
            "cannot write the state folder's world.json",
        ))?;
        announce(Announcement::Listening {
            address,
            control: None,
        });
        let commands = Commands {
            authorization: format!("Bearer {}", identity.token),
            ground: ground.clone(),
            turn: Mutex::new(()),
        };
        listener.serve(Rc::new(commands), Rc::default(), stop).await;
        ground.end().await;
        Ok(())
    }
}

fn token() -> io::Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The file is whole from its first instant, and only for who started the world.
fn introduce(state: &Path, identity: &Identity) -> io::Result<()> {
    let new = state.join("world.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(&serde_json::to_vec(identity)?)?;
    file.sync_all()?;
    fs::rename(&new, state.join(client::FILE))
}

struct Commands {
    ground: Rc<Ground>,
    authorization: String,
    /// What changes something is done one after the other.
    turn: Mutex<()>,
}

impl serve::Handler for Commands {
    type Body = Whole;

    async fn answer(
        self: Rc<Self>,
        request: HttpRequest<Incoming>,
    ) -> Result<Response<Whole>, HangUp> {
        let (head, body) = request.into_parts();
        let said = head.headers.get(AUTHORIZATION).map(|said| said.as_bytes());
        if said != Some(self.authorization.as_bytes()) {
            return Ok(answer::text(
                StatusCode::UNAUTHORIZED,
                "the token of world.json is missing",
            ));
        }
        let body = serve::read_body(body, REQUEST_MAX)
            .await
            .map_err(|_| HangUp)?;
        if (&head.method, head.uri.path()) != (&Method::POST, "/ask") {
            return Ok(answer::empty(StatusCode::NOT_FOUND));
        }
        let request = match serde_json::from_slice::<Request>(&body) {
            Ok(request) => request,
            Err(error) => return Ok(answer::text(StatusCode::BAD_REQUEST, error.to_string())),
        };
        // What was begun is done, though whoever asked may have gone.
        let work = tokio::task::spawn_local(async move { self.carry_out(request).await });
        let outcome = work.await.map_err(|_| HangUp)?;
        Ok(match outcome {
            Ok(reply) => answer::json(StatusCode::OK, &reply),
            Err(reason) => answer::text(StatusCode::CONFLICT, reason),
        })
    }
}

impl Commands {
    async fn carry_out(&self, request: Request) -> Result<Reply, String> {
        let asked = Asked::now(&self.ground);
        let _turn = match request {
            // The one changes nothing, the other is about what others wait for.
            Request::View | Request::GiveUpFailBack => None,
            _ => Some(self.turn.lock().await),
        };
        carry_out::carry_out(&self.ground, request, asked).await
    }
}
