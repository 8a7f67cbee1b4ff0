//! Each finding in words: the numbers that show it, what it means, what to do.

use super::{Finding, Signature};
use crate::numbers::{bytes, count, duration, share};

impl Finding {
    pub(super) fn of(signature: Signature) -> Finding {
        Finding {
            evidence: evidence(&signature),
            meaning: meaning(&signature).to_owned(),
            remedy: remedy(&signature).to_owned(),
            signature,
        }
    }

    /// What it is called.
    pub fn title(&self) -> &'static str {
        match self.signature {
            Signature::DelayedAck { .. } => "Nagle against delayed ACK",
            Signature::KeepAliveExchanges { .. } => "keep-alive limit by exchanges",
            Signature::KeepAliveIdle { .. } => "keep-alive limit by rest",
            Signature::PortsExhausted { .. } => "ports exhausted",
            Signature::InitializeDominates { .. } => "initialize dominates",
            Signature::MemoryGrowth { .. } => "memory grows with sessions",
        }
    }
}

fn evidence(signature: &Signature) -> String {
    match signature {
        Signature::DelayedAck {
            operation,
            samples,
            result_p50,
            within,
            head_p75,
        } => format!(
            "{operation}: the result comes {} after the first byte sent (p50 of {}), {} of them within 38 to 46 ms, while \
             three quarters of the heads were there within {}",
            duration(*result_p50),
            count(*samples),
            share(*within),
            duration(*head_p75)
        ),
        Signature::KeepAliveExchanges {
            exchanges,
            closes,
            of,
        } => format!(
            "{} of the {} connections that the target closed with an answer or right behind it had carried {} exchanges, \
             and none carried more",
            count(*closes),
            count(*of),
            count(*exchanges)
        ),
        Signature::KeepAliveIdle {
            rest_p10,
            rest_p50,
            rest_p90,
            closes,
        } => format!(
            "the target closed {} connections that had rested for {} (p10 {}, p90 {}), and none that had rested longer was \
             used again",
            count(*closes),
            duration(*rest_p50),
            duration(*rest_p10),
            duration(*rest_p90)
        ),
        Signature::PortsExhausted {
            failures,
            connections_opened,
            connections_max,
        } => format!(
            "{} connections could not be made (EADDRNOTAVAIL); {} were asked for, at most {} were open at once",
            count(*failures),
            count(*connections_opened),
            count(*connections_max)
        ),
        Signature::InitializeDominates {
            sessions,
            initialize_p50,
            operations,
            operation_p50,
            share: part,
        } => format!(
            "{} of the time spent waiting for the target went into opening {} sessions (p50 {}), the rest into {} \
             operations (p50 {})",
            share(*part),
            count(*sessions),
            duration(*initialize_p50),
            count(*operations),
            duration(*operation_p50)
        ),
        Signature::MemoryGrowth {
            series,
            sessions,
            bytes_before,
            bytes_after,
            bytes_per_session,
            explained,
        } => format!(
            "{series} went from {} to {} while {} sessions were opened: {} a session; their number explains {} of it",
            bytes(*bytes_before),
            bytes(*bytes_after),
            count(*sessions),
            bytes(*bytes_per_session),
            share(*explained)
        ),
    }
}

fn meaning(signature: &Signature) -> &'static str {
    match signature {
        Signature::DelayedAck { .. } => {
            "most likely the target writes its answer in pieces and does not set TCP_NODELAY: its kernel holds the second \
             piece back until our kernel acknowledges the first, which it delays by 40 ms"
        }
        Signature::KeepAliveExchanges { exchanges: 1, .. } => {
            "the target keeps no connection alive: each operation needs one of its own, and waits for it to be made"
        }
        Signature::KeepAliveExchanges { .. } => {
            "the target ends a connection after this number of requests; each end costs a new connection, and an operation \
             that was just being sent may be lost with it"
        }
        Signature::KeepAliveIdle { .. } => {
            "the target ends a connection that has rested for so long; a client that sends at that moment loses its \
             operation (transport.stale_reuse)"
        }
        Signature::PortsExhausted { .. } => {
            "this machine had no port left for another connection to the target: what failed for it says nothing of the \
             target, and the measurement is not trusted"
        }
        Signature::InitializeDominates { .. } => {
            "opening sessions is most of what was measured: the numbers of the operations say little of what the target can \
             do in sessions that last"
        }
        Signature::MemoryGrowth { .. } => {
            "memory that follows the number of sessions opened was not given back when they ended; what grows with \
             operations or with time looks the same where sessions are opened at a steady pace"
        }
    }
}

fn remedy(signature: &Signature) -> &'static str {
    match signature {
        Signature::DelayedAck { .. } => {
            "set TCP_NODELAY on the target's connections (axum: `tcp_nodelay(true)`), or have it write head and result at \
             once; a tool that takes 40 ms by itself looks the same when its head is streamed first"
        }
        Signature::KeepAliveExchanges { exchanges: 1, .. } => {
            "turn keep-alive on at the target, or at the proxy before it (`connection: close` turns it off)"
        }
        Signature::KeepAliveExchanges { .. } => {
            "raise the limit (Cowboy: max_keepalive, nginx: keepalive_requests) if connections cost more than they should; \
             clients have to expect it"
        }
        Signature::KeepAliveIdle { .. } => {
            "have clients give up connections earlier than the target does, or raise its limit (Cowboy: request_timeout, \
             nginx: keepalive_timeout, Node: keepAliveTimeout)"
        }
        Signature::PortsExhausted { .. } => {
            "widen /proc/sys/net/ipv4/ip_local_port_range, keep connections alive for longer, or load from more addresses"
        }
        Signature::InitializeDominates { .. } => {
            "give sessions a longer `lifetime` to measure operations, or look at what `initialize` costs the target"
        }
        Signature::MemoryGrowth { .. } => {
            "run again with `lifetime: run`: memory that still grows grows with operations; else look at what the target \
             keeps of a session that was ended, or left (`end: leak`, `end: drop`)"
        }
    }
}
