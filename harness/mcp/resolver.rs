//! Names to addresses. Asked at each connect; answers are kept for their time to live and no longer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;

/// Belongs to one thread. The cache of the resolver inside honours the time to live of each record.
pub struct Resolver {
    name: String,
    inner: TokioResolver,
    /// The addresses of the newest answer.
    current: RefCell<BTreeSet<IpAddr>>,
    turn: Cell<usize>,
}

impl Resolver {
    /// Asks `server`, or the name servers of the system. Must be called inside the runtime that will use it.
    pub fn new(name: &str, server: Option<SocketAddr>) -> Result<Resolver, NetError> {
        let inner = match server {
            Some(server) => {
                let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                for connection in &mut connections {
                    connection.port = server.port();
                }
                let server = NameServerConfig::new(server.ip(), true, connections);
                let config = ResolverConfig::from_name_servers(vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
                    .build()?
            }
            None => TokioResolver::builder_tokio()?.build()?,
        };
        Ok(Resolver {
            name: name.to_owned(),
            inner,
            current: RefCell::new(BTreeSet::new()),
            turn: Cell::new(0),
        })
    }

    /// An address of the name, in turn where it has several; `None` when it has none now.
    pub async fn next_address(&self) -> Option<IpAddr> {
        self.refresh().await?;
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let current = self.current.borrow();
        current.iter().nth(turn % current.len().max(1)).copied()
    }

    /// Asks again, as far as the time to live of the last answer is over; `None` when there was no answer.
    pub async fn refresh(&self) -> Option<()> {
        let answer = self.inner.lookup_ip(self.name.as_str()).await.ok()?;
        self.current.replace(answer.iter().collect());
        Some(())
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The addresses of the newest answer; empty before the first one.
    pub fn current(&self) -> BTreeSet<IpAddr> {
        self.current.borrow().clone()
    }
}
