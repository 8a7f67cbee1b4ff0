//! What a client of the era with sessions says: requests put together from parts made once.
//!
//! [`Dialect`] holds what all sessions of a run share; [`Heads`] what one session adds: its id and the
//! version agreed on. Sending an operation copies both and the body, and patches the length of the body into its
//! place; nothing is formatted anew but two numbers.

use std::net::SocketAddr;
use std::sync::Arc;

use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{ProtocolVersion, Target};

use super::http::Identity;

/// Answers to what is said beside operations are not larger than this.
pub const SIDE_ANSWER_LIMIT: u64 = 1 << 20;

/// The id of every `initialize`; operations count from 1.
pub const INITIALIZE_ID: u64 = 0;

const LENGTH: &[u8] = b"content-length: ";
/// Room for the length of a body: fixed, so that it can be patched in place.
const LENGTH_DIGITS: usize = 8;

/// What is said beside operations, once a session is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// `notifications/cancelled` for the request with this id.
    Cancel { id: u64 },
    /// Our answer to a request of the server; `id` is its JSON text.
    Reply { id: Vec<u8>, reply: Reply },
    /// The end of the session.
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `{}`, to a ping.
    Empty,
    /// We declare no capability, so there is nothing else that a server may ask.
    MethodNotFound,
}

/// What all sessions of a run have in common.
#[derive(Clone, Debug)]
pub struct Dialect {
    fixed: Arc<Fixed>,
    version: ProtocolVersion,
    operations: Vec<OperationText>,
    /// First index of each load's flow in `operations`.
    starts: Vec<Vec<usize>>,
    pub session_lost: Vec<u16>,
    /// Where answers say who they come from.
    pub identity: Option<Arc<Identity>>,
}

/// The beginnings of requests: `POST /mcp HTTP/1.1` and every header that is the same in all sessions.
#[derive(Debug)]
struct Fixed {
    post: Vec<u8>,
    delete: Vec<u8>,
}

/// The fixed text around an operation's id and parameters.
#[derive(Clone, Debug)]
pub struct OperationText {
    pub load: usize,
    /// Index of the operation in its load.
    pub operation: usize,
    after_id: Vec<u8>,
    has_params: bool,
    pub max_answer: u64,
}

/// How requests look from outside: what a target needs to know.
#[derive(Clone, Debug)]
pub struct Surface {
    /// Host and port as they stand in the `host` header.
    pub authority: String,
    pub path: String,
    /// Further headers, secrets resolved. Names and values have been checked to be one line of text.
    pub headers: Vec<(String, String)>,
}

impl Surface {
    /// Of a server at an address, which wants no headers of its own.
    pub fn plain(address: SocketAddr, path: &str) -> Surface {
        Surface {
            authority: address.to_string(),
            path: path.to_owned(),
            headers: Vec::new(),
        }
    }
}

/// The headers that name the site, where the profile knows them and the plan has sites.
fn identity(plan: &Plan) -> Option<Identity> {
    let names = plan.profile.identity.as_ref()?;
    let sites = match &plan.target {
        Target::Embedded(embedded) => embedded
            .sites
            .iter()
            .map(|site| site.name.clone())
            .collect(),
        Target::Endpoint(_) => return None,
    };
    Some(Identity {
        site: names.site.clone(),
        epoch: names.epoch.clone(),
        sites,
    })
}

impl Side {
    /// A session does not gather more than this: a server that asks without end is not answered without end.
    pub const MOST_WAITING: usize = 64;
}

impl Dialect {
    pub fn new(plan: &Plan, surface: &Surface) -> Dialect {
        let mut shared = String::new();
        for (name, value) in &surface.headers {
            shared.push_str(name);
            shared.push_str(": ");
            shared.push_str(value);
            shared.push_str("\r\n");
        }
        let line = |method: &str| {
            format!(
                "{method} {} HTTP/1.1\r\nhost: {}\r\n",
                surface.path, surface.authority
            )
        };
        let accept = "accept: application/json, text/event-stream\r\n";
        let post = format!(
            "{}{accept}content-type: application/json\r\n{shared}",
            line("POST")
        );
        let delete = format!("{}{accept}{shared}", line("DELETE"));
        let mut operations = Vec::new();
        let mut starts = Vec::new();
        for (load_index, load) in plan.loads.iter().enumerate() {
            let mut flows = Vec::new();
            for flow in &load.flows {
                flows.push(operations.len());
                for step in &flow.steps {
                    let definition = &load.operations[step.operation];
                    operations.push(OperationText::new(load_index, step.operation, definition));
                }
            }
            starts.push(flows);
        }
        Dialect {
            fixed: Arc::new(Fixed {
                post: post.into_bytes(),
                delete: delete.into_bytes(),
            }),
            version: plan.profile.protocol,
            operations,
            starts,
            session_lost: plan.profile.session_lost.clone(),
            identity: identity(plan).map(Arc::new),
        }
    }

    /// The index in `Plan::series`.
    pub fn series_of(&self, load: usize, flow: usize, step: usize) -> usize {
        self.starts[load][flow] + step
    }

    pub fn operation(&self, series: usize) -> &OperationText {
        &self.operations[series]
    }

    /// The heads with which a session is asked for.
    pub fn heads_before_session(&self) -> Heads {
        Heads::new(self, None, None)
    }

    /// The heads of a session that the server has opened.
    pub fn heads(&self, id: Option<&[u8]>, version: ProtocolVersion) -> Heads {
        Heads::new(self, id, Some(version))
    }

    /// The version of the answer, when it is one that we can speak.
    pub fn agree(&self, answered: &str) -> Option<ProtocolVersion> {
        ProtocolVersion::ALL
            .into_iter()
            .find(|version| version.as_str() == answered)
    }

    pub fn write_initialize(&self, heads: &Heads, out: &mut Vec<u8>) {
        let body = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{INITIALIZE_ID},\"method\":\"initialize\",\"params\":{{\"protocolVersion\":\"{}\",\
             \"capabilities\":{{}},\"clientInfo\":{{\"name\":\"firedrill\",\"version\":\"{}\"}}}}}}",
            self.version.as_str(),
            env!("CARGO_PKG_VERSION")
        );
        heads.write_post(out, |out| out.extend_from_slice(body.as_bytes()));
    }

    pub fn write_initialized(&self, heads: &Heads, out: &mut Vec<u8>) {
        let body = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
        heads.write_post(out, |out| out.extend_from_slice(body));
    }

    pub fn write_side(&self, heads: &Heads, side: &Side, out: &mut Vec<u8>) {
        match side {
            Side::Delete => heads.write_delete(out),
            Side::Cancel { id } => heads.write_post(out, |out| {
                out.extend_from_slice(
                    b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":",
                );
                out.extend_from_slice(itoa::Buffer::new().format(*id).as_bytes());
                out.extend_from_slice(b",\"reason\":\"deadline passed\"}}");
            }),
            Side::Reply { id, reply } => heads.write_post(out, |out| {
                out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
                out.extend_from_slice(id);
                out.extend_from_slice(match reply {
                    Reply::Empty => b",\"result\":{}}".as_slice(),
                    Reply::MethodNotFound => {
                        b",\"error\":{\"code\":-32601,\"message\":\"method not found\"}}"
                    }
                });
            }),
        }
    }
}

impl OperationText {
    /// Of a call that is no operation of a load.
    pub fn of(method: &str) -> OperationText {
        OperationText::with(0, 0, method, true, u64::MAX)
    }

    fn new(
        load: usize,
        operation: usize,
        definition: &firedrill_scenarios::plan::Operation,
    ) -> OperationText {
        let has_params = definition.params.is_some();
        OperationText::with(
            load,
            operation,
            &definition.method,
            has_params,
            definition.max_answer,
        )
    }

    fn with(
        load: usize,
        operation: usize,
        method: &str,
        has_params: bool,
        max_answer: u64,
    ) -> OperationText {
        // A JSON string of any text is text: this cannot fail.
        let method = serde_json::Value::from(method).to_string();
        let after_id = format!(
            ",\"method\":{method}{}",
            if has_params { ",\"params\":" } else { "" }
        );
        OperationText {
            load,
            operation,
            after_id: after_id.into_bytes(),
            has_params,
            max_answer,
        }
    }

    /// Appends the whole request.
    pub fn write(&self, heads: &Heads, id: u64, params: &[u8], out: &mut Vec<u8>) {
        heads.write_post(out, |out| {
            out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
            out.extend_from_slice(itoa::Buffer::new().format(id).as_bytes());
            out.extend_from_slice(&self.after_id);
            if self.has_params {
                out.extend_from_slice(params);
            }
            out.push(b'}');
        });
    }
}

/// The heads of one session's requests.
#[derive(Clone, Debug)]
pub struct Heads {
    fixed: Arc<Fixed>,
    /// The headers of this session.
    own: Box<[u8]>,
    has_id: bool,
}

impl Heads {
    fn new(dialect: &Dialect, id: Option<&[u8]>, version: Option<ProtocolVersion>) -> Heads {
        let mut session = Vec::new();
        if let Some(id) = id {
            session.extend_from_slice(b"mcp-session-id: ");
            session.extend_from_slice(id);
            session.extend_from_slice(b"\r\n");
        }
        if let Some(version) = version.filter(|version| version.has_header()) {
            session.extend_from_slice(b"mcp-protocol-version: ");
            session.extend_from_slice(version.as_str().as_bytes());
            session.extend_from_slice(b"\r\n");
        }
        Heads {
            fixed: dialect.fixed.clone(),
            own: session.into_boxed_slice(),
            has_id: id.is_some(),
        }
    }

    /// The first byte of the session's own headers, for who wants to have touched them.
    pub fn first(&self) -> u8 {
        self.own.first().copied().unwrap_or(0)
    }

    /// True when the server named the session, so that it can be ended by name.
    pub fn has_id(&self) -> bool {
        self.has_id
    }

    fn write_post(&self, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
        out.extend_from_slice(&self.fixed.post);
        out.extend_from_slice(&self.own);
        out.extend_from_slice(LENGTH);
        let digits = out.len();
        out.extend_from_slice(&[b'0'; LENGTH_DIGITS]);
        out.extend_from_slice(b"\r\n\r\n");
        let body_start = out.len();
        body(out);
        let length = out.len() - body_start;
        out[digits..digits + LENGTH_DIGITS].copy_from_slice(&digits_of(length));
    }

    fn write_delete(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.fixed.delete);
        out.extend_from_slice(&self.own);
        out.extend_from_slice(b"\r\n");
    }
}

/// None of them waits for another one.
fn digits_of(length: usize) -> [u8; LENGTH_DIGITS] {
    const PLACES: [usize; LENGTH_DIGITS] =
        [10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    PLACES.map(|place| b'0' + (length / place % 10) as u8)
}
