//! The maps below `target:`.

use super::continuity::{BACKUPS, DIRECTOR, REPLICATION};
use super::resource::BOUNDS;
use super::{Kind, What, key};

pub(crate) static TARGET: Kind = Kind {
    name: "target",
    about: "What is driven: `sites` for stand-in sites, `endpoint` for an MCP server that runs already.",
    keys: &[
        key(
            "sites",
            What::Named(&What::Map(&SITE)),
            Some("{primary: {nodes: 1, pods: 2}}"),
            "Stand-in erlmcp sites by name: real processes on loopback, started and stopped by the run. \
             Load goes to the first.",
        ),
        key(
            "replication",
            What::Map(&REPLICATION),
            None,
            "The log of one site's store is shipped to another's. Without it no site has a copy of another's data.",
        ),
        key(
            "director",
            What::Map(&DIRECTOR),
            None,
            "Watches the serving site from outside all sites, and moves clients to the replica when it is lost.",
        ),
        key(
            "backups",
            What::Map(&BACKUPS),
            None,
            "Full copies of the serving store, kept at its site and copied off it.",
        ),
        key(
            "endpoint",
            What::Pattern("^https?://\\S+$"),
            None,
            "URL of an MCP server that runs already: http://host:port or https://host/path. \
             Without a path, the profile's is used.",
        ),
        key(
            "profile",
            What::OneOf(&[What::Words(&PROFILES), What::Map(&PROFILE)]),
            None,
            "What the target speaks: `sop` (as the operating procedure describes erlmcp; the default of sites), \
             `erlmcp` (as its code is), `mcp` (any server; the default of endpoints), or a profile of your own.",
        ),
        key(
            "tls",
            What::OneOf(&[What::Flag, What::Map(&TLS)]),
            None,
            "Sites: `true` lets their front doors speak TLS. Endpoint: files and names for TLS.",
        ),
        key(
            "headers",
            What::Named(&What::OneOf(&[What::Text, What::Map(&SECRET)])),
            None,
            "Headers of every request to the endpoint; a value can be a secret.",
        ),
        key(
            "bearer",
            What::Map(&SECRET),
            None,
            "Where the endpoint's bearer token is found. It is never written to the recording.",
        ),
        key(
            "allow_host",
            What::OneOf(&[What::Text, What::List(&What::Text)]),
            None,
            "Hosts beside loopback that load may be sent to, and probes.",
        ),
        key(
            "resolver",
            What::Pattern("^[0-9a-fA-F:.\\[\\]]+$"),
            None,
            "Address of the name server to ask instead of the system's: 10.0.0.2 or 10.0.0.2:53.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[],
};

pub(crate) static PROFILES: [&str; 3] = ["sop", "erlmcp", "mcp"];

pub(crate) static SITE: Kind = Kind {
    name: "site",
    about: "A stand-in erlmcp site.",
    keys: &[
        key("nodes", What::Count(1), Some("1"), "Nodes of the site."),
        key(
            "pods",
            What::Count(1),
            Some("2"),
            "Pods of the whole site, spread over its nodes in turn; 200 at most.",
        ),
        key(
            "disruption_budget",
            What::Count(0),
            Some("1"),
            "Pods that may be missing at once for reasons that can wait: an eviction beyond it is refused.",
        ),
        key(
            "restart_delay",
            What::Duration,
            Some("500ms"),
            "From the end of a process that should run until it is started again.",
        ),
        key(
            "labels",
            What::Named(&What::Named(&What::Name)),
            None,
            "Labels of pods, by the pod's name, for faults to choose by: { primary-1: { role: canary } }.",
        ),
        key(
            "behaviour",
            What::Map(&BEHAVIOUR),
            None,
            "How each pod behaves.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[],
};

pub(crate) static BEHAVIOUR: Kind = Kind {
    name: "behaviour",
    about: "How each pod of a stand-in site behaves.",
    keys: &[
        key(
            "service_time",
            What::OneOf(&[What::Duration, What::Map(&SERVICE_TIME)]),
            Some("{lognormal: {median: 2ms, p99: 20ms}}"),
            "Time that an operation takes beside its own work: fixed, or drawn from a distribution.",
        ),
        key(
            "error_rate",
            What::Share,
            Some("0 %"),
            "Share of tools/call that end in a JSON-RPC error.",
        ),
        key(
            "capacity",
            What::Count(1),
            Some("64"),
            "Operations that a pod works on at once.",
        ),
        key(
            "queue",
            What::Count(0),
            Some("256"),
            "Operations that wait for capacity; one more is refused.",
        ),
        key(
            "connections",
            What::Count(1),
            Some("1000"),
            "Connections that a pod is made for; metrics report use against it.",
        ),
        key(
            "sessions",
            What::Count(1),
            Some("10000"),
            "Sessions that a pod keeps; one more is refused.",
        ),
        key(
            "session_memory",
            What::Size,
            Some("16KiB"),
            "Memory that a pod holds for each session.",
        ),
        key(
            "bounds",
            What::Map(&BOUNDS),
            None,
            "What is refused before it harms others.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[],
};

pub(crate) static SERVICE_TIME: Kind = Kind {
    name: "service_time",
    about: "How long the work of one operation takes.",
    keys: &[
        key("fixed", What::Duration, None, "Always the same."),
        key(
            "exponential",
            What::Duration,
            None,
            "Exponential with this mean.",
        ),
        key(
            "uniform",
            What::Pair(&What::Duration),
            None,
            "Anywhere between two durations: [1ms, 3ms].",
        ),
        key(
            "lognormal",
            What::Map(&LOGNORMAL),
            None,
            "Log-normal: a long tail, as real services have.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &["fixed", "exponential", "uniform", "lognormal"],
};

pub(crate) static LOGNORMAL: Kind = Kind {
    name: "lognormal",
    about: "A log-normal distribution, given by two of its quantiles.",
    keys: &[
        key(
            "median",
            What::Duration,
            None,
            "Half of all values are below it.",
        ),
        key(
            "p99",
            What::Duration,
            None,
            "99 % of all values are below it.",
        ),
    ],
    required: &["median", "p99"],
    instead: &[],
    one_of: &[],
};

pub(crate) static TLS: Kind = Kind {
    name: "tls",
    about: "TLS towards an https endpoint.",
    keys: &[
        key(
            "ca",
            What::Text,
            None,
            "PEM file of the authorities to trust instead of the system's.",
        ),
        key(
            "client_cert",
            What::Text,
            None,
            "PEM file of a client certificate; `client_key` goes with it.",
        ),
        key(
            "client_key",
            What::Text,
            None,
            "PEM file of the client certificate's key.",
        ),
        key(
            "server_name",
            What::Text,
            None,
            "Name to verify, when it is not the URL's host.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[],
};

pub(crate) static SECRET: Kind = Kind {
    name: "secret",
    about: "Where a secret is found. The plan and the recording never hold the secret itself.",
    keys: &[
        key(
            "env",
            What::Text,
            None,
            "Name of the environment variable that holds it.",
        ),
        key("file", What::Text, None, "File that holds it."),
    ],
    required: &[],
    instead: &[],
    one_of: &["env", "file"],
};

pub(crate) static PROFILE: Kind = Kind {
    name: "profile",
    about: "What a target speaks, where no ready profile fits.",
    keys: &[
        key(
            "like",
            What::Words(&PROFILES),
            Some("mcp"),
            "The profile that all other keys change.",
        ),
        key("name", What::Name, Some("own"), "What reports call it."),
        key(
            "path",
            What::Pattern("^/\\S*$"),
            Some("/mcp"),
            "Path of the MCP endpoint.",
        ),
        key(
            "protocol",
            What::Words(&VERSIONS),
            Some("2025-11-25"),
            "Version of the protocol that sessions ask for.",
        ),
        key(
            "methods",
            What::List(&What::OperationName),
            None,
            "Methods that exist; an operation with another one is an error of the scenario.",
        ),
        key(
            "identity",
            What::Map(&IDENTITY),
            None,
            "Headers of answers that say who answered; `sop` and `erlmcp` have those of the stand-in.",
        ),
        key(
            "session_lost",
            What::List(&What::Count(400)),
            Some("[404]"),
            "HTTP statuses that mean that the session is gone.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[],
};

pub(crate) static IDENTITY: Kind = Kind {
    name: "identity",
    about: "Names of headers.",
    keys: &[
        key(
            "site",
            What::Pattern("^[A-Za-z0-9-]+$"),
            None,
            "Holds the name of the site that answered.",
        ),
        key(
            "epoch",
            What::Pattern("^[A-Za-z0-9-]+$"),
            None,
            "Holds the epoch in which the site serves: a number that grows with every promotion.",
        ),
    ],
    required: &["site"],
    instead: &[],
    one_of: &[],
};

pub(crate) static VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
