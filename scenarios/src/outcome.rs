//! The closed set of outcomes. Every operation that was due ends in exactly one of them.
//!
//! The names (`connect.refused`, `http.503`, `rpc_error.-32601`) are what scenarios, recordings and
//! reports use; `Display` and `FromStr` are inverse to each other.

use std::fmt;
use std::str::FromStr;

/// How one operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The result with the operation's id came, and every check on it held.
    Ok,
    /// The operation was due and never left us.
    NotSent(NotSent),
    /// No connection could be made for it.
    Connect(ConnectFailure),
    /// The TLS handshake failed.
    Tls(TlsFailure),
    /// The connection broke under it.
    Transport(TransportFailure),
    /// No result within the operation's deadline, which counts from the due time.
    Timeout(TimeoutStage),
    /// An HTTP status that is not 2xx and has no class of its own.
    Http(u16),
    /// 401 or 403.
    Auth(u16),
    /// The server no longer knows the session.
    SessionLost,
    /// The server broke the protocol.
    Protocol(ProtocolFault),
    /// A JSON-RPC error with this code that was not expected.
    RpcError(i64),
    /// A result with `isError: true` that was not expected.
    ToolError,
    /// The right shape and the wrong answer: the index of the first check that did not hold.
    CheckFailed(u16),
    /// The answer ended cleanly and held no result.
    NeverAnswered,
}

/// Why an operation that was due was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotSent {
    /// As many operations as `max_in_flight` allows were waiting for the target.
    InFlightLimit,
    /// We were too late to send it before its deadline: our fault.
    Generator,
    /// Its session could not be opened, or had ended.
    NoSession,
    /// The run ended first.
    Shutdown,
}

/// Why no connection was made. The `Local*` ones are ours and make the measurement untrusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectFailure {
    Refused,
    Timeout,
    Reset,
    Dns,
    Unreachable,
    /// No local port was free (EADDRNOTAVAIL).
    LocalPorts,
    /// No file descriptor was free (EMFILE, ENFILE).
    LocalFds,
    /// Any other failure of the operating system.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsFailure {
    /// The peer sent an alert.
    Alert,
    /// We do not accept the peer's certificate.
    Verify,
    Timeout,
    /// Not TLS, or broken TLS.
    Handshake,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransportFailure {
    Reset,
    /// A fresh connection was closed before the first byte of an answer.
    EofBeforeResponse,
    /// The answer broke off inside its head or body.
    EofMidBody,
    /// A connection that had served before was closed before the first byte: a keep-alive race.
    StaleReuse,
    Other,
}

/// What had been reached when the deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeoutStage {
    /// Waiting for a connection, or for the session to open.
    Connect,
    /// The request was sent and no byte came back.
    FirstByte,
    /// An answer had begun, and the result was not in it yet.
    Result,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolFault {
    /// Not HTTP/1.1, or broken framing.
    BadHttp,
    BadJson,
    /// JSON, and no JSON-RPC 2.0 message.
    BadJsonrpc,
    /// A 2xx answer that is neither JSON nor an event stream.
    ContentType,
    /// A response with an id that is not ours.
    IdMismatch,
    /// A second response to the same id.
    DuplicateResponse,
    SseFraming,
    /// Larger than the operation's limit.
    Oversize,
    /// The server insists on a protocol version that we did not ask for.
    VersionMismatch,
}

impl Outcome {
    pub fn is_ok(self) -> bool {
        self == Outcome::Ok
    }

    /// True when the operation never left us.
    pub fn is_not_sent(self) -> bool {
        matches!(self, Outcome::NotSent(_))
    }

    /// True when the cause lies with the generator or its machine, so that the measurement is untrusted.
    pub fn is_ours(self) -> bool {
        matches!(
            self,
            Outcome::NotSent(NotSent::Generator)
                | Outcome::Connect(ConnectFailure::LocalPorts | ConnectFailure::LocalFds)
        )
    }

    /// The class without its detail: `connect` for `connect.refused`.
    pub fn class(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::NotSent(_) => "not_sent",
            Outcome::Connect(_) => "connect",
            Outcome::Tls(_) => "tls",
            Outcome::Transport(_) => "transport",
            Outcome::Timeout(_) => "timeout",
            Outcome::Http(_) => "http",
            Outcome::Auth(_) => "auth",
            Outcome::SessionLost => "session_lost",
            Outcome::Protocol(_) => "protocol",
            Outcome::RpcError(_) => "rpc_error",
            Outcome::ToolError => "tool_error",
            Outcome::CheckFailed(_) => "check_failed",
            Outcome::NeverAnswered => "never_answered",
        }
    }

    /// The names of all classes, in the order of the taxonomy.
    pub const CLASSES: [&'static str; 14] = [
        "ok",
        "not_sent",
        "connect",
        "tls",
        "transport",
        "timeout",
        "http",
        "auth",
        "session_lost",
        "protocol",
        "rpc_error",
        "tool_error",
        "check_failed",
        "never_answered",
    ];

    /// Every outcome that has a fixed word for its detail. Those with a number (`http.503`) are not listed.
    pub const WORDED: [(Outcome, &'static str); 34] = {
        use Outcome::{Connect, NotSent as Unsent, Protocol, Timeout, Tls, Transport};
        [
            (Outcome::Ok, "ok"),
            (Unsent(NotSent::InFlightLimit), "not_sent.in_flight_limit"),
            (Unsent(NotSent::Generator), "not_sent.generator"),
            (Unsent(NotSent::NoSession), "not_sent.no_session"),
            (Unsent(NotSent::Shutdown), "not_sent.shutdown"),
            (Connect(ConnectFailure::Refused), "connect.refused"),
            (Connect(ConnectFailure::Timeout), "connect.timeout"),
            (Connect(ConnectFailure::Reset), "connect.reset"),
            (Connect(ConnectFailure::Dns), "connect.dns"),
            (Connect(ConnectFailure::Unreachable), "connect.unreachable"),
            (Connect(ConnectFailure::LocalPorts), "connect.local_ports"),
            (Connect(ConnectFailure::LocalFds), "connect.local_fds"),
            (Connect(ConnectFailure::Other), "connect.other"),
            (Tls(TlsFailure::Alert), "tls.alert"),
            (Tls(TlsFailure::Verify), "tls.verify"),
            (Tls(TlsFailure::Timeout), "tls.timeout"),
            (Tls(TlsFailure::Handshake), "tls.handshake"),
            (Transport(TransportFailure::Reset), "transport.reset"),
            (
                Transport(TransportFailure::EofBeforeResponse),
                "transport.eof_before_response",
            ),
            (
                Transport(TransportFailure::EofMidBody),
                "transport.eof_mid_body",
            ),
            (
                Transport(TransportFailure::StaleReuse),
                "transport.stale_reuse",
            ),
            (Transport(TransportFailure::Other), "transport.other"),
            (Timeout(TimeoutStage::Connect), "timeout.connect"),
            (Timeout(TimeoutStage::FirstByte), "timeout.first_byte"),
            (Timeout(TimeoutStage::Result), "timeout.result"),
            (Protocol(ProtocolFault::BadHttp), "protocol.bad_http"),
            (Protocol(ProtocolFault::BadJson), "protocol.bad_json"),
            (Protocol(ProtocolFault::BadJsonrpc), "protocol.bad_jsonrpc"),
            (
                Protocol(ProtocolFault::ContentType),
                "protocol.content_type",
            ),
            (Protocol(ProtocolFault::IdMismatch), "protocol.id_mismatch"),
            (
                Protocol(ProtocolFault::DuplicateResponse),
                "protocol.duplicate_response",
            ),
            (Protocol(ProtocolFault::SseFraming), "protocol.sse_framing"),
            (Protocol(ProtocolFault::Oversize), "protocol.oversize"),
            (
                Protocol(ProtocolFault::VersionMismatch),
                "protocol.version_mismatch",
            ),
        ]
    };
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Http(status) => write!(out, "http.{status}"),
            Outcome::Auth(status) => write!(out, "auth.{status}"),
            Outcome::RpcError(code) => write!(out, "rpc_error.{code}"),
            Outcome::CheckFailed(index) => write!(out, "check_failed.{index}"),
            Outcome::SessionLost | Outcome::ToolError | Outcome::NeverAnswered => {
                out.write_str(self.class())
            }
            worded => {
                let known = Outcome::WORDED
                    .iter()
                    .find(|(outcome, _)| outcome == worded);
                out.write_str(known.map_or(worded.class(), |(_, word)| word))
            }
        }
    }
}

/// The text is the name of no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no outcome")]
pub struct UnknownOutcome(pub String);

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(text: &str) -> Result<Outcome, UnknownOutcome> {
        let unknown = || UnknownOutcome(text.to_owned());
        if let Some((outcome, _)) = Outcome::WORDED.iter().find(|(_, word)| *word == text) {
            return Ok(*outcome);
        }
        match text {
            "session_lost" => return Ok(Outcome::SessionLost),
            "tool_error" => return Ok(Outcome::ToolError),
            "never_answered" => return Ok(Outcome::NeverAnswered),
            _ => {}
        }
        let (class, detail) = text.split_once('.').ok_or_else(unknown)?;
        match class {
            "http" => detail.parse().map(Outcome::Http).map_err(|_| unknown()),
            "auth" => detail.parse().map(Outcome::Auth).map_err(|_| unknown()),
            "rpc_error" => detail.parse().map(Outcome::RpcError).map_err(|_| unknown()),
            "check_failed" => detail
                .parse()
                .map(Outcome::CheckFailed)
                .map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_itself() {
        let numbered = [
            Outcome::Http(503),
            Outcome::Auth(401),
            Outcome::RpcError(-32601),
            Outcome::CheckFailed(2),
            Outcome::SessionLost,
            Outcome::ToolError,
            Outcome::NeverAnswered,
        ];
        let worded = Outcome::WORDED.iter().map(|(outcome, _)| *outcome);
        for outcome in worded.chain(numbered) {
            assert_eq!(outcome.to_string().parse(), Ok(outcome));
            assert!(Outcome::CLASSES.contains(&outcome.class()));
        }
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert!("connect.refusd".parse::<Outcome>().is_err());
        assert!("http.ok".parse::<Outcome>().is_err());
    }
}
