//! Hostile clients: the kernel's table of sockets, and what a front door has counted.

use std::net::{Ipv4Addr, SocketAddr};

use firedrill_erlmcp::control::{self, ClientView};

use crate::fault::pinned::Sight;
use crate::fault::sockets::{self, Socket};

/// False for what is no traffic.
pub(super) fn sees(sight: &Sight) -> Result<bool, String> {
    match sight {
        Sight::Sockets { from, to } => {
            Ok(sockets::between(&table()?, *from, *to).any(|own| own.established))
        }
        Sight::NoSockets { from, to } => {
            let all = table()?;
            let ends = sockets::between(&all, *from, *to);
            let mut both = ends.chain(sockets::held(&all, *from, *to));
            Ok(both.all(|own| own.over))
        }
        Sight::Unread { from, to } => {
            Ok(sockets::between(&table()?, *from, *to).any(|own| own.unsent > 0))
        }
        Sight::Client {
            counts,
            from,
            messages,
            connections,
        } => {
            let enough =
                |own: ClientView| own.messages >= *messages && own.connections >= *connections;
            Ok(client(*counts, *from)?.is_some_and(enough))
        }
        _ => Ok(false),
    }
}

fn table() -> Result<Vec<Socket>, String> {
    sockets::all().map_err(|error| error.to_string())
}

/// What a front door has counted of one client.
fn client(counts: SocketAddr, from: Ipv4Addr) -> Result<Option<ClientView>, String> {
    let all = control::clients(counts).map_err(|error| error.to_string())?;
    Ok(all.into_iter().find(|own| own.address == from.to_string()))
}
