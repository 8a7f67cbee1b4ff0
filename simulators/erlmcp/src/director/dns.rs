//! Where clients go, as DNS says it: an A record for one name over UDP, and nothing else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use tokio::net::UdpSocket;

use super::Director;
use crate::clock;
use crate::role::RoleError;

/// Longer than any query for a name.
const QUERY_MAX: usize = 1_024;
const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;
const NAME_ERROR: u8 = 3;

pub(super) async fn bind(address: SocketAddr) -> Result<UdpSocket, RoleError> {
    UdpSocket::bind(address)
        .await
        .map_err(|source| RoleError::Listen { address, source })
}

pub(super) async fn serve(director: Rc<Director>, socket: UdpSocket) {
    let ttl = u32::try_from(director.part.config.route_ttl.as_secs()).unwrap_or(u32::MAX);
    let mut query = [0; QUERY_MAX];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut query).await else {
            continue;
        };
        let route = director.state().route;
        let Ok(site) = director.site(&route) else {
            continue;
        };
        let IpAddr::V4(address) = site.clients.ip() else {
            continue;
        };
        if let Some(answer) = answer(&query[..length], &director.part.config.name, address, ttl) {
            // A resolver asks for IPv6 at every connect, since that there is none may not be kept: nobody is told
            // a route by it.
            if answer.has_address {
                director.told_at.set(clock::now());
            }
            // Who asked asks again.
            let _ = socket.send_to(&answer.message, from).await;
        }
    }
}

struct Answer {
    message: Vec<u8>,
    /// Who asked knows where to go now.
    has_address: bool,
}

/// The answer to a query; `None` for what is none.
fn answer(query: &[u8], name: &str, address: Ipv4Addr, ttl: u32) -> Option<Answer> {
    let asked = Question::read(query)?;
    let is_known = asked.name.eq_ignore_ascii_case(name.trim_end_matches('.'));
    let has_address = is_known && asked.kind == TYPE_A && asked.class == CLASS_IN;
    let mut message = Vec::with_capacity(asked.end + 16);
    message.extend_from_slice(&query[..2]);
    // An authoritative response; recursion is desired if the query says so, and not available.
    message.push(0x84 | (query[2] & 0x01));
    message.push(if is_known { 0 } else { NAME_ERROR });
    message.extend_from_slice(&[0, 1, 0, u8::from(has_address), 0, 0, 0, 0]);
    message.extend_from_slice(&query[HEADER..asked.end]);
    if has_address {
        // The name is where the question has it.
        message.extend_from_slice(&[0xc0, HEADER as u8, 0, TYPE_A as u8, 0, CLASS_IN as u8]);
        message.extend_from_slice(&ttl.to_be_bytes());
        message.extend_from_slice(&[0, 4]);
        message.extend_from_slice(&address.octets());
    }
    Some(Answer {
        message,
        has_address,
    })
}

struct Question {
    name: String,
    kind: u16,
    class: u16,
    /// Where it ends in the query.
    end: usize,
}

impl Question {
    /// The only question of a query.
    fn read(query: &[u8]) -> Option<Question> {
        let is_query = query.get(2)? & 0xf8 == 0;
        if !is_query || query.get(4..6)? != [0, 1] {
            return None;
        }
        let mut labels = Vec::new();
        let mut at = HEADER;
        loop {
            let length = usize::from(*query.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            // A longer one is a pointer, which no first name can have.
            if length > 63 {
                return None;
            }
            labels.push(String::from_utf8_lossy(query.get(at..at + length)?));
            at += length;
        }
        let number = |at: usize| Some(u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]));
        Some(Question {
            name: labels.join("."),
            kind: number(at)?,
            class: number(at + 2)?,
            end: at + 4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, kind: u8) -> Vec<u8> {
        let mut query = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(label.len() as u8);
            query.extend_from_slice(label.as_bytes());
        }
        query.extend_from_slice(&[0, 0, kind, 0, 1]);
        query
    }

    fn ask(query: &[u8]) -> Option<Answer> {
        answer(query, "erlmcp.test", Ipv4Addr::new(127, 2, 0, 1), 2)
    }

    #[test]
    fn the_name_has_an_address_with_a_time_to_live() {
        let query = query("ERLMCP.test", 1);
        let answer = ask(&query).unwrap();
        assert!(answer.has_address);
        let answer = answer.message;
        assert_eq!(answer[..12], [7, 9, 0x85, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(answer[12..query.len()], query[12..]);
        let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 2, 0, 4, 127, 2, 0, 1];
        assert_eq!(answer[query.len()..], record);
    }

    #[test]
    fn other_types_have_no_record_and_other_names_do_not_exist() {
        let empty = ask(&query("erlmcp.test", 28)).unwrap();
        assert_eq!((empty.message[3], empty.message[7]), (0, 0));
        assert!(!empty.has_address, "nobody was told where to go");
        let unknown = ask(&query("other.test", 1)).unwrap();
        assert_eq!((unknown.message[3], unknown.message[7]), (NAME_ERROR, 0));
        assert!(!unknown.has_address);
    }

    #[test]
    fn what_is_no_query_is_not_answered() {
        let whole = query("erlmcp.test", 1);
        for length in 0..whole.len() {
            assert!(ask(&whole[..length]).is_none(), "{length}");
        }
        let mut response = whole.clone();
        response[2] |= 0x80;
        assert!(ask(&response).is_none());
    }
}
