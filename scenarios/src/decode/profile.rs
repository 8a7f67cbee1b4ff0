//! What a target speaks: three ready profiles, and changes to them.

use super::fields::Fields;
use super::reader::Reader;
use crate::grammar::target;
use crate::plan::{Identity, Profile, ProtocolVersion};
use crate::text::tree::{Item, Node};

/// Methods of the operating procedure's service; the stand-in has all of them.
const SOP: [&str; 10] = [
    "ping",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
];

/// What erlmcp's code has beside these.
const ERLMCP: [&str; 15] = [
    "resources/subscribe",
    "resources/unsubscribe",
    "sampling/createMessage",
    "elicitation/create",
    "tasks/create",
    "tasks/list",
    "tasks/get",
    "tasks/result",
    "tasks/cancel",
    "tasks/update",
    "tasks/progress",
    "roots/list",
    "roots/add",
    "roots/remove",
    "requests/cancel",
];

impl Profile {
    /// erlmcp as the operating procedure describes it.
    pub fn sop() -> Profile {
        Profile {
            name: "sop".to_owned(),
            identity: Some(Identity::erlmcp()),
            methods: Some(SOP.map(str::to_owned).to_vec()),
            ..Profile::mcp()
        }
    }

    /// erlmcp as its code is: two versions of the protocol, and methods of its own.
    pub fn erlmcp() -> Profile {
        let methods = SOP.iter().chain(&ERLMCP).map(|method| (*method).to_owned());
        Profile {
            name: "erlmcp".to_owned(),
            identity: Some(Identity::erlmcp()),
            methods: Some(methods.collect()),
            ..Profile::mcp()
        }
    }

    /// Whether the target has the tools of the stand-in: it says who it is in the same way.
    pub(crate) fn is_erlmcp(&self) -> bool {
        self.identity == Some(Identity::erlmcp())
    }

    /// Any MCP server.
    pub fn mcp() -> Profile {
        Profile {
            name: "mcp".to_owned(),
            path: "/mcp".to_owned(),
            protocol: ProtocolVersion::V2025_11_25,
            methods: None,
            identity: None,
            session_lost: vec![404],
        }
    }
}

impl Identity {
    fn erlmcp() -> Identity {
        Identity {
            site: "x-erlmcp-site".to_owned(),
            epoch: Some("x-erlmcp-epoch".to_owned()),
        }
    }
}

/// A ready profile, and the versions of the protocol that it knows.
type Ready = (fn() -> Profile, &'static [ProtocolVersion]);

const READY: [(&str, Ready); 3] = [
    ("sop", (Profile::sop, &ProtocolVersion::ALL)),
    (
        "erlmcp",
        (
            Profile::erlmcp,
            &[ProtocolVersion::V2024_11_05, ProtocolVersion::V2025_11_25],
        ),
    ),
    ("mcp", (Profile::mcp, &ProtocolVersion::ALL)),
];

pub(crate) fn profile(reader: &Reader<'_>, item: &Item) -> Option<Profile> {
    if !matches!(item.node, Node::Map(_)) {
        return reader
            .word(item, "profiles", &READY)
            .map(|(ready, _)| ready());
    }
    let fields = Fields::open(reader, item, &target::PROFILE)?;
    let (ready, versions) = match fields.get("like") {
        Some(like) => reader.word(like, "profiles", &READY)?,
        None => READY[2].1,
    };
    let mut profile = ready();
    profile.name = match fields.get("name") {
        Some(name) => reader.name(name).unwrap_or_default(),
        None => "own".to_owned(),
    };
    if let Some(path) = fields.get("path").and_then(|item| read_path(reader, item)) {
        profile.path = path;
    }
    if let Some(version) = fields.get("protocol") {
        let known: Vec<_> = versions
            .iter()
            .map(|version| (version.as_str(), *version))
            .collect();
        if let Some(version) = reader.word(version, "versions of this profile", &known) {
            profile.protocol = version;
        }
    }
    if let Some(item) = fields.get("methods") {
        let methods = reader.list(item, "a list of methods").unwrap_or_default();
        profile.methods = Some(methods.iter().filter_map(|item| reader.tag(item)).collect());
    }
    if let Some(item) = fields.get("identity") {
        profile.identity = identity(reader, item);
    }
    if let Some(item) = fields.get("session_lost") {
        let statuses = reader
            .list(item, "a list of HTTP statuses")
            .unwrap_or_default();
        profile.session_lost = statuses
            .iter()
            .filter_map(|item| status(reader, item))
            .collect();
    }
    Some(profile)
}

fn identity(reader: &Reader<'_>, item: &Item) -> Option<Identity> {
    let fields = Fields::open(reader, item, &target::IDENTITY)?;
    let header = |item: &Item| {
        let name = reader.name(item)?;
        let fine = !name.contains('_');
        if !fine {
            let remedy = "write letters, digits and dashes: X-Site";
            reader.problem(item.place, format!("`{name}` is no header"), remedy);
        }
        fine.then(|| name.to_ascii_lowercase())
    };
    let epoch = fields.get("epoch").and_then(header);
    let site = fields.get("site").and_then(header)?;
    Some(Identity { site, epoch })
}

fn status(reader: &Reader<'_>, item: &Item) -> Option<u16> {
    let status = reader.count(item, 400)?;
    let fits = u16::try_from(status).ok().filter(|status| *status < 600);
    if fits.is_none() {
        reader.problem(
            item.place,
            format!("{status} is no HTTP status of an error"),
            "write 400 to 599",
        );
    }
    fits
}

/// An absolute path of a URL.
pub(crate) fn read_path(reader: &Reader<'_>, item: &Item) -> Option<String> {
    let text = reader.scalar(item, "a path")?;
    let odd = |c: char| c.is_whitespace() || c.is_control() || !c.is_ascii();
    if !text.starts_with('/') || text.contains(odd) {
        reader.problem(
            item.place,
            format!("`{text}` is no path"),
            "write /path, beginning with a slash",
        );
        return None;
    }
    Some(text.to_owned())
}
