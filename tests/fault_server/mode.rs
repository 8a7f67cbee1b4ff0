//! What can go wrong with a call, and what it has to be counted as.

/// How a `tools/call` is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Ok,
    /// An event stream with a priming event, a comment and a progress notification before the result.
    OkStream,
    /// The same, a byte at a time.
    OkDribble,
    /// A JSON body in chunks with extensions and a trailer.
    OkChunked,
    /// A JSON body that ends with the connection.
    OkUntilClose,
    /// A request of the server (`ping`, with our own id) before the result.
    OkServerRequest,
    /// The same, and in the whole target each reply to it is answered with another request.
    AsksAgain,
    /// The stream stays open after the result.
    OkOpenStream,
    /// An array with a notification and the response, as 2025-03-26 allows.
    OkBatch,
    /// A large answer in writes that are no multiple of anything.
    OkLarge,
    /// `initialize` is answered with a body that ends with the connection.
    OpensUntilClose,
    /// `initialize` is answered with a stream in which the server asks something first.
    OpensAsking,
    /// `initialize` is answered with a stream that stays open.
    OpensOnOpenStream,
    /// No byte of an answer, ever.
    Hang,
    /// A head, and no body, ever.
    HeadOnly,
    /// An event stream of comments, without end.
    SilentStream,
    /// The connection is reset instead of an answer.
    Reset,
    /// The connection is closed instead of an answer.
    Eof,
    EofMidHead,
    EofMidBody,
    EofMidChunk,
    Html,
    BadRequest,
    Unauthorized,
    Forbidden,
    /// 404: the session is gone.
    NotFound,
    TooMany,
    ServerError,
    Unavailable,
    NotHttp,
    BadChunk,
    BadLength,
    BadJson,
    /// A body that ends before its JSON does, with the length that it has.
    CutJson,
    BadJsonrpc,
    WrongId,
    Duplicate,
    /// JSON where events should be.
    UnframedStream,
    /// The stream ends inside an event.
    CutStream,
    Oversize,
    OversizeStream,
    EmptyStream,
    EmptyBody,
    Accepted,
    ToolError,
    RpcError,
    /// The right shape, with another text than the one that was sent.
    WrongText,
    /// `initialize` is answered with a version that nobody speaks.
    WrongVersion,
    /// `initialize` is answered with 503.
    NoSession,
    /// The same, with a body that never ends.
    NoSessionNoEnd,
}

impl Mode {
    /// Every mode, its name, and the outcome of a call: with `Mode::Eof` on a connection that was used before.
    pub const ALL: [(Mode, &'static str, &'static str); 50] = [
        (Mode::Ok, "ok", "ok"),
        (Mode::OkStream, "ok-stream", "ok"),
        (Mode::OkDribble, "ok-dribble", "ok"),
        (Mode::OkChunked, "ok-chunked", "ok"),
        (Mode::OkUntilClose, "ok-until-close", "ok"),
        (Mode::OkServerRequest, "ok-server-request", "ok"),
        (Mode::AsksAgain, "asks-again", "ok"),
        (Mode::OkOpenStream, "ok-open-stream", "ok"),
        (Mode::OkBatch, "ok-batch", "ok"),
        (Mode::OkLarge, "ok-large", "ok"),
        (Mode::OpensUntilClose, "opens-until-close", "ok"),
        (Mode::OpensAsking, "opens-asking", "ok"),
        (Mode::OpensOnOpenStream, "opens-on-open-stream", "ok"),
        (Mode::Hang, "hang", "timeout.first_byte"),
        (Mode::HeadOnly, "head-only", "timeout.result"),
        (Mode::SilentStream, "silent-stream", "timeout.result"),
        (Mode::Reset, "reset", "transport.reset"),
        (Mode::Eof, "eof", "transport.stale_reuse"),
        (Mode::EofMidHead, "eof-mid-head", "transport.eof_mid_body"),
        (Mode::EofMidBody, "eof-mid-body", "transport.eof_mid_body"),
        (Mode::EofMidChunk, "eof-mid-chunk", "transport.eof_mid_body"),
        (Mode::Html, "html", "protocol.content_type"),
        (Mode::BadRequest, "bad-request", "http.400"),
        (Mode::Unauthorized, "unauthorized", "auth.401"),
        (Mode::Forbidden, "forbidden", "auth.403"),
        (Mode::NotFound, "not-found", "session_lost"),
        (Mode::TooMany, "too-many", "http.429"),
        (Mode::ServerError, "server-error", "http.500"),
        (Mode::Unavailable, "unavailable", "http.503"),
        (Mode::NotHttp, "not-http", "protocol.bad_http"),
        (Mode::BadChunk, "bad-chunk", "protocol.bad_http"),
        (Mode::BadLength, "bad-length", "protocol.bad_http"),
        (Mode::BadJson, "bad-json", "protocol.bad_json"),
        (Mode::CutJson, "cut-json", "protocol.bad_json"),
        (Mode::BadJsonrpc, "bad-jsonrpc", "protocol.bad_jsonrpc"),
        (Mode::WrongId, "wrong-id", "protocol.id_mismatch"),
        (Mode::Duplicate, "duplicate", "protocol.duplicate_response"),
        (
            Mode::UnframedStream,
            "unframed-stream",
            "protocol.sse_framing",
        ),
        (Mode::CutStream, "cut-stream", "protocol.sse_framing"),
        (Mode::Oversize, "oversize", "protocol.oversize"),
        (Mode::OversizeStream, "oversize-stream", "protocol.oversize"),
        (Mode::EmptyStream, "empty-stream", "never_answered"),
        (Mode::EmptyBody, "empty-body", "never_answered"),
        (Mode::Accepted, "accepted", "never_answered"),
        (Mode::ToolError, "tool-error", "tool_error"),
        (Mode::RpcError, "rpc-error", "rpc_error.-32603"),
        (Mode::WrongText, "wrong-text", "check_failed.0"),
        (
            Mode::WrongVersion,
            "wrong-version",
            "protocol.version_mismatch",
        ),
        (Mode::NoSession, "no-session", "http.503"),
        (Mode::NoSessionNoEnd, "no-session-no-end", "http.503"),
    ];

    pub fn named(name: &str) -> Option<Mode> {
        let entry = Mode::ALL.iter().find(|(_, own, _)| *own == name);
        entry.map(|(mode, _, _)| *mode)
    }

    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// What a call in this mode has to be counted as, when it is checked for the text that it sent.
    pub fn outcome(self) -> &'static str {
        self.entry().2
    }

    /// The session cannot be opened: no call comes to be sent, and only the path can choose the mode.
    pub fn breaks_opening(self) -> bool {
        matches!(
            self,
            Mode::WrongVersion | Mode::NoSession | Mode::NoSessionNoEnd
        )
    }

    fn entry(self) -> &'static (Mode, &'static str, &'static str) {
        let entry = Mode::ALL.iter().find(|(mode, _, _)| *mode == self);
        entry.expect("every mode is listed")
    }
}
