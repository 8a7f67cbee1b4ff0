//! What each outcome means, in a sentence.

use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{
    ConnectFailure, NotSent, ProtocolFault, TimeoutStage, TlsFailure, TransportFailure,
};

pub fn of_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "the result with its id came, and every check on it held",
        Outcome::NotSent(why) => not_sent(why),
        Outcome::Connect(why) => connect(why),
        Outcome::Tls(TlsFailure::Alert) => "the target broke the TLS handshake off with an alert",
        Outcome::Tls(TlsFailure::Verify) => "the target's certificate is not one that we accept",
        Outcome::Tls(TlsFailure::Timeout) => "the TLS handshake did not end in time",
        Outcome::Tls(TlsFailure::Handshake) => "the target does not speak TLS, or breaks it",
        Outcome::Transport(why) => transport(why),
        Outcome::Timeout(TimeoutStage::Connect) => {
            "its time was over while it waited for a connection or a session"
        }
        Outcome::Timeout(TimeoutStage::FirstByte) => {
            "it was sent, and no byte of an answer came in time"
        }
        Outcome::Timeout(TimeoutStage::Result) => {
            "an answer began, and its result did not come in time"
        }
        Outcome::Http(_) => "the answer's HTTP status is no success",
        Outcome::Auth(_) => "the target did not accept our credentials",
        Outcome::SessionLost => "the target no longer knew the session",
        Outcome::Protocol(why) => protocol(why),
        Outcome::RpcError(_) => "the answer is a JSON-RPC error with this code",
        Outcome::ToolError => "the tool answered, and said that it failed (isError)",
        Outcome::CheckFailed(_) => {
            "the answer came, and it is the wrong one: the check of this number did not hold"
        }
        Outcome::NeverAnswered => "the answer ended cleanly and held no result",
    }
}

fn not_sent(why: NotSent) -> &'static str {
    match why {
        NotSent::InFlightLimit => {
            "as many operations as max_in_flight allows were waiting for the target"
        }
        NotSent::Generator => "firedrill was too late to send it: our fault",
        NotSent::NoSession => "its session could not be opened, or had ended",
        NotSent::Shutdown => "the run was ended before it was sent, or answered: it is not judged",
    }
}

fn connect(why: ConnectFailure) -> &'static str {
    match why {
        ConnectFailure::Refused => "the target refused the connection",
        ConnectFailure::Timeout => "the target did not take the connection in time",
        ConnectFailure::Reset => "the target reset the connection before it was made",
        ConnectFailure::Dns => "the target's name has no address",
        ConnectFailure::Unreachable => "there is no way to the target's address",
        ConnectFailure::LocalPorts => "no port was free on our machine: our fault",
        ConnectFailure::LocalFds => "no file descriptor was free in firedrill: our fault",
        ConnectFailure::Other => "the operating system could not make the connection",
    }
}

fn transport(why: TransportFailure) -> &'static str {
    match why {
        TransportFailure::Reset => "the connection was reset under it",
        TransportFailure::EofBeforeResponse => "the connection was closed before an answer began",
        TransportFailure::EofMidBody => "the connection was closed inside the answer",
        TransportFailure::StaleReuse => "a kept connection was closed as it was used again",
        TransportFailure::Other => "the connection broke under it",
    }
}

fn protocol(why: ProtocolFault) -> &'static str {
    match why {
        ProtocolFault::BadHttp => "the answer is no HTTP/1.1, or its framing is broken",
        ProtocolFault::BadJson => "the answer is no JSON",
        ProtocolFault::BadJsonrpc => "the answer is JSON, and no JSON-RPC 2.0 message",
        ProtocolFault::ContentType => "the answer is neither JSON nor an event stream",
        ProtocolFault::IdMismatch => "the answer carries an id that is not ours",
        ProtocolFault::DuplicateResponse => "a second answer came for the same id",
        ProtocolFault::SseFraming => "the event stream is broken",
        ProtocolFault::Oversize => "the answer is larger than the operation allows",
        ProtocolFault::VersionMismatch => {
            "the target insists on a protocol version that we did not ask for"
        }
    }
}
