//! Worlds in a folder of their own, and what a test asks of them.

use std::time::Duration;

use firedrill_erlmcp::world::{
    DirectorClock, DirectorConfig, Instant, Mark, ReplicationConfig, Reply, Request, RunningWorld,
    SiteView, View, World, WorldConfig,
};
use firedrill_erlmcp::{SiteConfig, launch_world};
use serde_json::{Value, json};

use crate::client::{Directory, PROGRAM, Session};

/// A running world; its processes end before its directory goes.
pub struct Ground {
    pub running: RunningWorld,
    pub directory: Directory,
}

pub const LAG: Duration = Duration::from_millis(300);

/// Two sites, `a` and `b`, each of two nodes and two pods: the log of `a` is shipped to `b`, and a director watches.
pub fn two_sites(change: impl FnOnce(&mut WorldConfig)) -> Ground {
    let directory = Directory::new();
    let site = |name: &str, number: u8| {
        let mut config = SiteConfig::new(name, "");
        config.nodes = 2;
        config.pods = 2;
        config.addresses = [127, 10, number, 0].into();
        config.restart_delay = Duration::from_millis(50);
        config.health.interval = Duration::from_millis(100);
        config
    };
    let mut config = WorldConfig::new(vec![site("a", 1), site("b", 2)], &directory.0);
    config.replication = Some(ReplicationConfig {
        from: 0,
        to: 1,
        lag: LAG,
    });
    config.director = Some(DirectorConfig {
        probe: Duration::from_millis(100),
        timeout: Duration::from_millis(200),
        misses: 3,
        route_ttl: Duration::from_secs(1),
        automatic: true,
        name: "erlmcp.test".to_owned(),
        clock: DirectorClock::Monotonic,
    });
    change(&mut config);
    let running = launch_world(PROGRAM.as_ref(), &[], &config).unwrap();
    Ground { running, directory }
}

impl Ground {
    pub fn world(&self) -> &World {
        self.running.world()
    }

    pub fn view(&self) -> View {
        self.world().view().unwrap()
    }

    pub fn site(&self, name: &str) -> SiteView {
        self.view().site(name).unwrap().clone()
    }

    pub fn ask(&self, request: Request) -> Reply {
        let shown = format!("{request:?}");
        let reply = self.world().ask(&request);
        reply.unwrap_or_else(|error| panic!("{shown}: {error}"))
    }

    /// Why the world refuses.
    pub fn refusal(&self, request: Request) -> String {
        self.world().ask(&request).unwrap_err().to_string()
    }

    pub fn session(&self, site: &str) -> Session {
        Session::open(self.site(site).front)
    }

    pub fn marks(&self) -> Vec<Mark> {
        match self.ask(Request::Marks { since: 0 }) {
            Reply::Marks(marks) => marks,
            other => panic!("{other:?}"),
        }
    }

    pub fn mark(&self, wanted: Instant) -> Option<Mark> {
        self.marks().into_iter().find(|mark| mark.mark == wanted)
    }

    /// Looks until `seen` holds. The bound is for a test that would hang.
    pub fn until(&self, what: &str, mut seen: impl FnMut(&View) -> bool) {
        crate::limits::until(what, || seen(&self.view()));
    }
}

pub fn power(site: &str, on: bool) -> Request {
    Request::Power {
        site: site.to_owned(),
        on,
    }
}

/// Writes sequence `number` of the client; the acknowledgement, or the error.
pub fn put(session: &Session, client: &str, number: u64) -> Value {
    let arguments = json!({ "client": client, "sequence": number, "value": format!("{number}") });
    let answer = session.tool("ledger_put", arguments).json();
    match &answer["result"]["structuredContent"] {
        Value::Null => answer["error"].clone(),
        placed => placed.clone(),
    }
}

/// Positions of every record of the site.
pub fn positions(session: &Session) -> Vec<u64> {
    let arguments = json!({ "from": 1, "limit": 1000 });
    let page = session.tool("ledger_scan", arguments).json();
    let records = &page["result"]["structuredContent"]["records"];
    let records = records.as_array().unwrap_or_else(|| panic!("{page}"));
    records
        .iter()
        .map(|r| r["position"].as_u64().unwrap())
        .collect()
}
