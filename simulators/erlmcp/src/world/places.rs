//! Addresses and ports. Every process has its place from the beginning, so that everybody can be told where
//! everybody is, and whoever is started again is found where it was.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

/// Attempts to find a port that is free on several addresses.
const ATTEMPTS: u32 = 100;

/// Places that are kept for the world. A socket that is bound and does not listen keeps others from being given the
/// port, and lets the process have it that the port is for, since both say that they share the address.
#[derive(Default)]
pub(super) struct Places {
    kept: RefCell<Vec<OwnedFd>>,
}

impl Places {
    pub(super) fn keep(&self, address: Ipv4Addr) -> Result<SocketAddr, String> {
        let (socket, at) = take((address, 0).into()).map_err(|error| refusal(address, &error))?;
        self.kept.borrow_mut().push(socket);
        Ok(at)
    }

    /// One port on all addresses: clients keep the port when they are sent elsewhere.
    pub(super) fn keep_all(&self, addresses: &[Ipv4Addr]) -> Result<Vec<SocketAddr>, String> {
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            match take_all(addresses) {
                Ok(taken) => {
                    let (sockets, places): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
                    self.kept.borrow_mut().extend(sockets);
                    return Ok(places);
                }
                Err(error) => why = error.to_string(),
            }
        }
        Err(format!("no port is free on all of {addresses:?}: {why}"))
    }
}

fn refusal(address: Ipv4Addr, error: &io::Error) -> String {
    format!("no port can be had on {address}: {error}")
}

fn take_all(addresses: &[Ipv4Addr]) -> io::Result<Vec<(OwnedFd, SocketAddr)>> {
    let mut port = 0;
    let mut taken = Vec::new();
    for &address in addresses {
        let (socket, at) = take((address, port).into())?;
        port = at.port();
        taken.push((socket, at));
    }
    Ok(taken)
}

fn take(address: SocketAddr) -> io::Result<(OwnedFd, SocketAddr)> {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    let at = SocketAddr::try_from(getsockname(&socket)?)
        .map_err(|_| io::Error::other("the kernel named no address"))?;
    Ok((socket, at))
}

/// The `offset`-th address of a site.
pub(super) fn address(base: Ipv4Addr, offset: u32) -> Result<Ipv4Addr, String> {
    u32::from(base)
        .checked_add(offset)
        .map(Ipv4Addr::from)
        .filter(|address| IpAddr::from(*address).is_loopback())
        .ok_or_else(|| format!("addresses from {base} on leave 127.0.0.0/8"))
}
