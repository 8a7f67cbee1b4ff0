//! A hostile client: where it comes from, whom it bothers, and how others see that.

use std::net::{Ipv4Addr, SocketAddr};

use firedrill_erlmcp::Role;
use firedrill_erlmcp::world::SiteView;
use firedrill_scenarios::plan::{FaultKind, Manner, Target};
use rand::RngExt as _;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::made::Made;
use super::{ResolveError, Scene};
use crate::fault::hostile::{Attack, Errand};
use crate::fault::pinned::{Change, Reversal, Sight, Step, Undo};

/// Sites and the load have other addresses of loopback.
const NETWORK: [u8; 2] = [127, 77];

pub(super) fn hostile(
    scene: &Scene<'_>,
    id: &str,
    site: &SiteView,
    manner: Manner,
    random: &mut Xoshiro256PlusPlus,
) -> Result<(String, Made), ResolveError> {
    let mut front = site.processes.iter().filter(|own| own.role == Role::Front);
    let counts = front.find_map(|front| front.control);
    let counts = counts.ok_or_else(|| ResolveError::NoVictim {
        site: site.name.clone(),
        what: "front door",
        name: "any".to_owned(),
        known: "none that runs".to_owned(),
    })?;
    let from = address(random);
    let rate = match manner {
        Manner::MessageFlood(flood) => scene.plan.flood_rate(flood),
        Manner::InvalidPayload { .. }
        | Manner::LargePayload { .. }
        | Manner::ConnectionLeak { .. }
        | Manner::SlowConsumer { .. } => 0.0,
    };
    let attack = Attack {
        fault: id.to_owned(),
        from,
        to: site.front,
        path: scene.plan.profile.path.clone(),
        errand: Errand::Harm(manner),
        rate,
    };
    let on = format!("{} from {from}", site.name);
    let effects = effects(&attack, manner, counts);
    let step = Step {
        what: format!("{} to {on}", in_words(&attack, manner)),
        undo: Undo {
            change: Reversal::EndAttack {
                fault: id.to_owned(),
            },
            ends: vec![
                Sight::NoSockets {
                    from,
                    to: site.front,
                },
                Sight::SiteReady(site.name.clone()),
            ],
        },
        change: Change::Attack(attack),
    };
    Ok((on, (vec![step], effects)))
}

/// An address of its own for a client of ours.
pub(super) fn address(random: &mut Xoshiro256PlusPlus) -> Ipv4Addr {
    let [a, b] = NETWORK;
    let mut byte = || random.random_range(1..=250);
    Ipv4Addr::new(a, b, byte(), byte())
}

/// Somebody who hears how the target refuses what this fault makes it refuse. `None` for what is refused to its own
/// client, and for what nobody refuses.
pub fn witness(
    scene: &Scene<'_>,
    id: &str,
    kind: &FaultKind,
    random: &mut Xoshiro256PlusPlus,
) -> Option<Attack> {
    kind.refusal()?;
    let site = match (kind, &scene.plan.target) {
        (FaultKind::Hostile { .. }, _) | (_, Target::Endpoint(_)) => None,
        // It speaks no TLS.
        (_, Target::Embedded(embedded)) => kind.site().filter(|_| !embedded.tls),
    };
    let site = scene.site(site?).ok()?;
    Some(Attack {
        fault: id.to_owned(),
        from: address(random),
        to: site.front,
        path: scene.plan.profile.path.clone(),
        errand: Errand::Witness,
        rate: 0.0,
    })
}

fn in_words(attack: &Attack, manner: Manner) -> String {
    match manner {
        Manner::MessageFlood(_) => format!("send {:.0} messages a second", attack.rate),
        Manner::InvalidPayload { rate } => {
            format!("send what is no message {rate:.0} times a second")
        }
        Manner::LargePayload { size } => format!("send bodies of {size} bytes"),
        Manner::ConnectionLeak { connections } => {
            format!("open {connections} connections and close none")
        }
        Manner::SlowConsumer { readers, .. } => {
            format!("ask on {readers} connections and read nothing")
        }
    }
}

/// The front door's own counts, and the kernel's table of sockets.
fn effects(attack: &Attack, manner: Manner, counts: SocketAddr) -> Vec<Sight> {
    let (from, to) = (attack.from, attack.to);
    let counted = |messages, connections| Sight::Client {
        counts,
        from,
        messages,
        connections,
    };
    match manner {
        // As many as half a second brings.
        Manner::MessageFlood(_) => vec![counted((attack.rate * 0.5) as u64, 1)],
        Manner::InvalidPayload { .. } | Manner::LargePayload { .. } => vec![counted(1, 1)],
        Manner::ConnectionLeak { connections } => vec![
            Sight::Sockets { from, to },
            counted(1, u64::from(connections) / 2),
        ],
        Manner::SlowConsumer { .. } => vec![Sight::Unread { from, to }, counted(2, 1)],
    }
}
