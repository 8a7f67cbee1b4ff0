//! What was broken, what the target says that came of it, and what was read back: which fault owns a mark, and which
//! one a read-back is about. Marks are told late, so that the answers are made when all is over. Pure.

use firedrill_evidence::ledger::{Pass, Promotion, Stop};
use firedrill_reports::recording::Mark;

use super::culprit::{Begun, Harm, culprit, owner};
use crate::clock::Nanos;
use crate::ledger::account::{Broken, Place, Read};

#[derive(Debug, Default)]
pub struct History {
    /// Faults and failbacks, as they were begun.
    begun: Vec<Begun>,
    /// Every mark, as it was told.
    marks: Vec<(Nanos, Mark)>,
    promotions: Vec<Promotion>,
    reads: Vec<WasRead>,
    /// The newest restore of a backup that is put to the test.
    tested: Option<Tested>,
}

/// A backup that was put into a site which it is not of: what is there has to be what was acknowledged until then.
#[derive(Debug)]
pub struct Tested {
    pub id: String,
    pub into: String,
    pub of: usize,
    pub began: Nanos,
}

/// A read-back, and the sites by their index.
#[derive(Debug)]
struct WasRead {
    read: Read,
    site: Option<u16>,
    /// The site that answered clients then, if that is known.
    serving: Option<u16>,
}

impl Tested {
    /// The backup may lack what was acknowledged shortly before it was asked for.
    fn stop(&self) -> Broken {
        Broken {
            id: self.id.clone(),
            stop: Stop {
                t0: self.began,
                until: Some(self.began),
                site: u16::try_from(self.of).ok(),
            },
        }
    }
}

impl History {
    pub fn begins(&mut self, own: Begun) {
        self.begun.push(own);
    }

    pub fn tests(&mut self, own: Tested) {
        self.tested = Some(own);
    }

    pub fn promotes(&mut self, own: Promotion) {
        self.promotions.push(own);
    }

    /// Takes a mark down, and says which fault it is owed to.
    pub fn mark(&mut self, at: Nanos, mark: Mark) -> Option<String> {
        let owner = self.owner(at, mark).map(|own| own.id.clone());
        self.marks.push((at, mark));
        owner
    }

    /// The newest that takes a site or data since clients were last led elsewhere, or else the newest of all.
    fn owner(&self, at: Nanos, mark: Mark) -> Option<&Begun> {
        let last = last_step(mark);
        let before = self
            .marks
            .iter()
            .filter(|(own, other)| *own < at && *other == last);
        let before = before.map(|(own, _)| *own).max().unwrap_or(0);
        let mut faults = self.begun.iter().filter(|own| own.harm != Harm::FailBack);
        owner(&self.begun, before, at).or_else(|| faults.rfind(|own| own.at <= at))
    }

    pub fn read(&mut self, read: Read, site: Option<u16>, serving: Option<u16>) {
        let tested = self.tested.as_ref().filter(|own| own.into == read.site);
        let read = match tested {
            None => read,
            Some(own) => Read {
                // What was written later is in no backup.
                passes: read.passes.map(|pass| Pass {
                    began: own.began,
                    ..pass
                }),
                place: Place::Test,
                fault: Some(own.stop()),
                ..read
            },
        };
        self.reads.push(WasRead {
            read,
            site,
            serving,
        });
    }

    /// What was read back, with the fault that it is about, and which sites were promoted when.
    pub fn accounts(&self) -> (Vec<Read>, &[Promotion]) {
        let reads = self.reads.iter().map(|own| match own.read.place {
            Place::Test => own.read.clone(),
            Place::Serving | Place::Standby => {
                let place = self.place(own);
                Read {
                    place,
                    fault: self.broken(own.read.passes.map(|pass| pass.began), place),
                    ..own.read.clone()
                }
            }
        });
        (reads.collect(), &self.promotions)
    }

    /// A site that clients were not led to is a standby while another one answers them.
    fn place(&self, own: &WasRead) -> Place {
        let until = own.read.passes[0].began;
        let promoted = self.promotions.iter().rfind(|other| other.at <= until);
        let (Some(site), Some(serving)) = (own.site, own.serving) else {
            return Place::Serving;
        };
        match site == serving || promoted.is_some_and(|other| other.site == site) {
            true => Place::Serving,
            false => Place::Standby,
        }
    }

    /// The fault that a read-back is about, whose passes began at these instants. What spares all data says nothing of a
    /// standby that lacks something.
    fn broken(&self, [began, last]: [Nanos; 2], place: Place) -> Option<Broken> {
        let promoted: Vec<Nanos> = self.promotions.iter().map(|own| own.at).collect();
        let own = culprit(&self.begun, &promoted, last)?;
        let until = self.stopped(own, began);
        if place == Place::Standby && own.harm == Harm::Spares && until.is_none() {
            return None;
        }
        Some(Broken {
            id: own.id.clone(),
            stop: Stop {
                t0: own.at,
                until,
                site: own.site.and_then(|site| u16::try_from(site).ok()),
            },
        })
    }

    /// When a site was promoted, a backup restored, or writes stopped, between the fault and the read-back.
    fn stopped(&self, own: &Begun, read: Nanos) -> Option<Nanos> {
        let ends = |mark: Mark| match mark {
            Mark::WritesStopped | Mark::Fenced => own.corrupts,
            Mark::Promoted => !own.corrupts,
            Mark::Restored => true,
            _ => false,
        };
        let stops = self.marks.iter().filter(|(at, mark)| {
            let since_the_fault = *at >= own.at && *at <= read;
            since_the_fault && ends(*mark)
        });
        stops.map(|(at, _)| *at).min()
    }
}

/// The mark that ends what this one is a part of: a failover ends when clients are led elsewhere, anything else with
/// itself.
fn last_step(mark: Mark) -> Mark {
    match mark {
        Mark::Detected
        | Mark::Decided
        | Mark::Fenced
        | Mark::WritesStopped
        | Mark::FailoverBegun
        | Mark::Promoted
        | Mark::RouteSwitched => Mark::RouteSwitched,
        Mark::RouteExpired
        | Mark::FirstAnswer
        | Mark::FirstSuccess
        | Mark::Restored
        | Mark::DataVerified
        | Mark::CaughtUp
        | Mark::FailbackBegun
        | Mark::FailbackAnswer => mark,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(begun: &[(&str, Nanos, Harm)]) -> History {
        let mut history = History::default();
        for (id, at, harm) in begun {
            history.begins(Begun {
                id: (*id).to_owned(),
                at: *at,
                harm: *harm,
                corrupts: false,
                site: None,
            });
        }
        history
    }

    #[test]
    fn a_mark_is_owed_to_what_moved_clients_and_not_to_what_was_begun_last() {
        use Mark::{Detected, FirstAnswer, Promoted, Restored, RouteSwitched};
        let mut own = history(&[
            ("site", 10, Harm::Takes),
            ("pod", 12, Harm::Spares),
            ("slow", 30, Harm::Spares),
            ("data", 50, Harm::Takes),
            ("back", 70, Harm::FailBack),
        ]);
        let told = [
            (9, Detected, None),
            (11, Detected, Some("site")),
            (13, Promoted, Some("site")),
            (14, RouteSwitched, Some("site")),
            (15, FirstAnswer, Some("site")),
            // Clients were led away from the lost site already.
            (31, Detected, Some("slow")),
            (32, RouteSwitched, Some("slow")),
            (33, FirstAnswer, Some("slow")),
            (55, Restored, Some("data")),
            (75, Promoted, Some("data")),
        ];
        for (at, mark, expected) in told {
            assert_eq!(own.mark(at, mark).as_deref(), expected, "{mark:?} at {at}");
        }
    }

    fn placed(own: &History) -> Vec<(Place, Option<String>)> {
        let (reads, _) = own.accounts();
        let told = |read: Read| (read.place, read.fault.map(|fault| fault.id));
        reads.into_iter().map(told).collect()
    }

    #[test]
    fn what_a_standby_lacks_is_no_work_of_what_spares_the_data() {
        let pass = Pass {
            began: 100,
            complete: true,
        };
        let read = || Read {
            id: "own".to_owned(),
            site: "dr".to_owned(),
            passes: [pass; 2],
            stored: 0,
            place: Place::Serving,
            fault: None,
        };
        let read_of_dr = |mut own: History, serving: Option<u16>, promoted: Option<Nanos>| {
            own.read(read(), Some(1), serving);
            if let Some(at) = promoted {
                own.mark(at, Mark::Promoted);
                own.promotes(Promotion {
                    at,
                    site: 1,
                    epoch: 2,
                });
            }
            placed(&own)
        };
        let cut = || history(&[("cut", 10, Harm::Spares)]);
        let lost = || history(&[("lost", 10, Harm::Takes)]);
        let about = |fault: &str| Some(fault.to_owned());
        assert_eq!(read_of_dr(cut(), Some(0), None), [(Place::Standby, None)]);
        assert_eq!(
            read_of_dr(lost(), Some(0), None),
            [(Place::Standby, about("lost"))]
        );
        // It serves, or nobody says who does, or it was promoted and no client has come yet.
        for (serving, promoted) in [(Some(1), None), (None, None), (Some(0), Some(20))] {
            assert_eq!(
                read_of_dr(cut(), serving, promoted),
                [(Place::Serving, about("cut"))],
                "{serving:?} {promoted:?}"
            );
        }
    }
}
