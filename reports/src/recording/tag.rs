//! What a histogram of the latency log is of.

use std::fmt;
use std::str::FromStr;

/// Tag of a histogram in `latency.hlog`: `phase:series:ok:response` and so on; `phase` is that of the due time.
/// A series has `response`, `service` and `head`.
/// Generator times (`Measure::Lateness`, `Measure::Waiting`) are over all series of a phase: `phase:*:all:lateness`.
/// Session opening and ending are `phase:*:ok:initialize` and so on.
/// In names, `%`, `:`, `,` and white space are written as `%XX`, since they mean something in a tag or in the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// `-` before the timeline has started.
    pub phase: String,
    /// `*` where it is of no series.
    pub series: String,
    pub group: Group,
    pub measure: Measure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Ok,
    Failed,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// result - due.
    Response,
    /// result - first byte sent.
    Service,
    /// dispatched - due: our fault.
    Lateness,
    /// sent - dispatched: no free connection, the target's fault.
    Waiting,
    /// First byte of the answer's head - first byte sent.
    Head,
    /// Opening a connection, TLS included.
    Connect,
    /// `initialize` and `notifications/initialized`.
    Initialize,
    /// DELETE of a session.
    Delete,
}

impl Measure {
    pub const ALL: [Measure; 8] = [
        Measure::Response,
        Measure::Service,
        Measure::Lateness,
        Measure::Waiting,
        Measure::Head,
        Measure::Connect,
        Measure::Initialize,
        Measure::Delete,
    ];
}

impl Group {
    pub const ALL: [Group; 3] = [Group::Ok, Group::Failed, Group::All];
}

impl fmt::Display for Group {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Group::Ok => "ok",
            Group::Failed => "failed",
            Group::All => "all",
        })
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Measure::Response => "response",
            Measure::Service => "service",
            Measure::Lateness => "lateness",
            Measure::Waiting => "waiting",
            Measure::Head => "head",
            Measure::Connect => "connect",
            Measure::Initialize => "initialize",
            Measure::Delete => "delete",
        })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (phase, series) = (escaped(&self.phase), escaped(&self.series));
        write!(out, "{phase}:{series}:{}:{}", self.group, self.measure)
    }
}

fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '%' | ':' | ',') || character.is_whitespace() {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                text.push_str(&format!("%{byte:02X}"));
            }
        } else {
            text.push(character);
        }
    }
    text
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// The text is no tag of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no tag of a latency log")]
pub struct UnknownTag(pub String);

impl FromStr for Tag {
    type Err = UnknownTag;

    fn from_str(text: &str) -> Result<Tag, UnknownTag> {
        parse(text).ok_or_else(|| UnknownTag(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Tag> {
    let parts: Vec<&str> = text.split(':').collect();
    let [phase, series, group, measure] = parts.as_slice() else {
        return None;
    };
    Some(Tag {
        phase: unescaped(phase)?,
        series: unescaped(series)?,
        group: *Group::ALL
            .iter()
            .find(|known| known.to_string() == *group)?,
        measure: *Measure::ALL
            .iter()
            .find(|known| known.to_string() == *measure)?,
    })
}
