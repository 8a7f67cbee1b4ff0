//! EADDRNOTAVAIL is the kernel's own word that no port was free: one is enough, and no other failure is a sign of it.

use super::Signature;
use crate::recording::Totals;

pub fn seen(totals: &Totals) -> Option<Signature> {
    (totals.no_ports > 0).then_some(Signature::PortsExhausted {
        failures: totals.no_ports,
        connections_opened: totals.connections_opened,
        connections_max: totals.connections_max,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_word_is_enough_and_many_connections_alone_are_not() {
        let busy = Totals {
            connections_opened: 1_000_000,
            connections_max: 28_000,
            ..Totals::default()
        };
        assert_eq!(seen(&busy), None);
        let found = seen(&Totals {
            no_ports: 1,
            ..busy
        });
        assert!(
            matches!(found, Some(Signature::PortsExhausted { failures: 1, .. })),
            "{found:?}"
        );
    }
}
