//! What was broken, what the target says that came of it, and what was read back: which fault owns a mark, and which
//! one a read-back is about. Marks are told late, so that the answers are made when all is over. Pure.

use firedrill_evidence::ledger::{Pass, Promotion, Stop};
use firedrill_reports::recording::{Mark, ReadPlace};

use super::culprit::{Begun, Harm, culprit, owner};
use crate::clock::Nanos;
use crate::ledger::account::{Broken, Read};

#[derive(Debug, Default)]
pub struct History {
    /// Faults and failbacks, as they were begun.
    begun: Vec<Begun>,
    /// Every mark, as it was told.
    marks: Vec<(Nanos, Mark)>,
    promotions: Vec<Promotion>,
    reads: Vec<WasRead>,
    /// Restores of backups that are put to the test, as they were begun.
    tested: Vec<Tested>,
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
            shared_with: None,
        }
    }
}

impl History {
    pub fn begins(&mut self, own: Begun) {
        self.begun.push(own);
    }

    pub fn tests(&mut self, own: Tested) {
        self.tested.push(own);
    }

    /// Whether a backup was put to the test in this site before: what is restored there serves nobody.
    pub fn is_a_test(&self, at: Nanos, site: &str) -> bool {
        self.newest_test(at, site).is_some()
    }

    fn newest_test(&self, at: Nanos, site: &str) -> Option<&Tested> {
        let mut tested = self.tested.iter();
        tested.rfind(|own| own.into == site && own.began <= at)
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
        self.reads.push(WasRead {
            read,
            site,
            serving,
        });
    }

    /// What was read back, with the fault that it is about, and which sites were promoted when.
    pub fn accounts(&self) -> (Vec<Read>, &[Promotion]) {
        let reads = self.reads.iter().map(|own| match self.tested(own) {
            Some(tested) => Read {
                // What was written later is in no backup.
                passes: own.read.passes.map(|pass| Pass {
                    began: tested.began,
                    ..pass
                }),
                place: ReadPlace::Test,
                fault: Some(tested.stop()),
                ..own.read.clone()
            },
            None => {
                let place = self.place(own);
                Read {
                    place,
                    fault: self.broken(own, place),
                    ..own.read.clone()
                }
            }
        });
        (reads.collect(), &self.promotions)
    }

    /// The test that the site which was read is the place of: until clients are led there, since then it serves.
    fn tested(&self, own: &WasRead) -> Option<&Tested> {
        let until = own.read.passes[0].began;
        let test = self.newest_test(until, &own.read.site)?;
        let promoted = self
            .promotions
            .iter()
            .any(|other| Some(other.site) == own.site && (test.began..=until).contains(&other.at));
        (!promoted).then_some(test)
    }

    /// A site that clients were not led to is a standby while another one answers them.
    fn place(&self, own: &WasRead) -> ReadPlace {
        if self.tested(own).is_some() {
            return ReadPlace::Test;
        }
        let until = own.read.passes[0].began;
        let promoted = self.promotions.iter().rfind(|other| other.at <= until);
        let (Some(site), Some(serving)) = (own.site, own.serving) else {
            return ReadPlace::Serving;
        };
        match site == serving || promoted.is_some_and(|other| other.site == site) {
            true => ReadPlace::Serving,
            false => ReadPlace::Standby,
        }
    }

    /// The fault that a read-back is about. A standby says nothing of one that spares all data, nor of one whose clients
    /// another site has got meanwhile.
    fn broken(&self, read: &WasRead, place: ReadPlace) -> Option<Broken> {
        let [began, last] = read.read.passes.map(|pass| pass.began);
        let promoted: Vec<Nanos> = self.promotions.iter().map(|own| own.at).collect();
        let own = culprit(&self.begun, &promoted, last)?;
        let until = self.stopped(own, began);
        if place == ReadPlace::Standby && !self.tells(read, own, until) {
            return None;
        }
        Some(Broken {
            id: own.id.clone(),
            stop: Stop {
                t0: own.at,
                until,
                site: own.site.and_then(|site| u16::try_from(site).ok()),
            },
            shared_with: self.shares(own),
        })
    }

    /// Whether a site that serves nobody holds what is left after this fault.
    fn tells(&self, read: &WasRead, own: &Begun, until: Option<Nanos>) -> bool {
        let other_was_promoted = self
            .promotions
            .iter()
            .any(|promotion| promotion.at >= own.at);
        let is_hit = own
            .site
            .is_some_and(|site| read.site.map(usize::from) == Some(site));
        let may_lack = own.harm == Harm::Takes || until.is_some();
        may_lack && !is_hit && !other_was_promoted
    }

    /// The first fault that may have taken something too, and after which no serving site was read before this one.
    fn shares(&self, own: &Begun) -> Option<String> {
        let reads = self.reads.iter();
        let serving = reads.filter(|read| self.place(read) == ReadPlace::Serving);
        let began = serving.map(|read| read.read.passes[1].began);
        let since = began.filter(|began| *began < own.at).max().unwrap_or(0);
        let may_have_taken = |other: &&Begun| match other.harm {
            Harm::Takes => true,
            Harm::Spares => self.stopped(other, own.at).is_some(),
            Harm::Idle | Harm::FailBack => false,
        };
        let mut earlier = self
            .begun
            .iter()
            .filter(|other| other.at >= since && other.at < own.at);
        earlier.find(may_have_taken).map(|other| other.id.clone())
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
        | Mark::FailoverFailed
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

    fn one(id: &str, at: Nanos) -> Read {
        let pass = Pass {
            began: at,
            complete: true,
        };
        Read {
            id: id.to_owned(),
            site: "any".to_owned(),
            passes: [pass; 2],
            stored: 0,
            foreign: 0,
            place: ReadPlace::Serving,
            fault: None,
        }
    }

    #[test]
    fn the_site_that_was_left_says_nothing_of_what_was_lost_with_it() {
        let mut own = History::default();
        own.begins(Begun {
            id: "lost".to_owned(),
            at: 10,
            harm: Harm::Takes,
            corrupts: false,
            site: Some(0),
        });
        own.mark(20, Mark::Promoted);
        own.promotes(Promotion {
            at: 20,
            site: 1,
            epoch: 2,
        });
        own.read(one("left", 100), Some(0), Some(1));
        own.read(one("serves", 100), Some(1), Some(1));
        let expected = [
            (ReadPlace::Standby, None),
            (ReadPlace::Serving, Some("lost".to_owned())),
        ];
        assert_eq!(placed(&own), expected);
    }

    #[test]
    fn a_test_site_that_clients_are_led_to_is_a_test_no_more() {
        let mut own = history(&[("disaster", 10, Harm::Takes)]);
        own.tests(Tested {
            id: "cloud".to_owned(),
            into: "any".to_owned(),
            of: 0,
            began: 20,
        });
        assert!(own.is_a_test(25, "any") && !own.is_a_test(15, "any"));
        own.read(one("copy", 30), Some(2), Some(0));
        own.mark(40, Mark::Promoted);
        own.promotes(Promotion {
            at: 40,
            site: 2,
            epoch: 2,
        });
        own.read(one("last", 50), Some(2), Some(2));
        let about = |fault: &str| Some(fault.to_owned());
        let expected = [
            (ReadPlace::Test, about("cloud")),
            (ReadPlace::Serving, about("disaster")),
        ];
        assert_eq!(placed(&own), expected);
    }

    #[test]
    fn two_faults_without_a_read_back_between_them_share_what_is_lost() {
        let shared = |between: Option<Nanos>| {
            let mut own = history(&[
                ("first", 10, Harm::Takes),
                ("slow", 20, Harm::Spares),
                ("second", 50, Harm::Takes),
            ]);
            if let Some(at) = between {
                own.read(one("between", at), Some(0), Some(0));
            }
            own.read(one("after", 100), Some(0), Some(0));
            let (reads, _) = own.accounts();
            reads
                .last()
                .and_then(|read| read.fault.clone()?.shared_with)
        };
        assert_eq!(shared(None).as_deref(), Some("first"));
        assert_eq!(shared(Some(30)), None);
        assert_eq!(shared(Some(15)), None, "what spares data takes none");
        assert_eq!(shared(Some(60)).as_deref(), Some("first"));
    }

    fn placed(own: &History) -> Vec<(ReadPlace, Option<String>)> {
        let (reads, _) = own.accounts();
        let told = |read: Read| (read.place, read.fault.map(|fault| fault.id));
        reads.into_iter().map(told).collect()
    }

    #[test]
    fn what_a_standby_lacks_is_no_work_of_what_spares_the_data() {
        let read = || one("own", 100);
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
        assert_eq!(
            read_of_dr(cut(), Some(0), None),
            [(ReadPlace::Standby, None)]
        );
        assert_eq!(
            read_of_dr(lost(), Some(0), None),
            [(ReadPlace::Standby, about("lost"))]
        );
        // It serves, or nobody says who does, or it was promoted and no client has come yet.
        for (serving, promoted) in [(Some(1), None), (None, None), (Some(0), Some(20))] {
            assert_eq!(
                read_of_dr(cut(), serving, promoted),
                [(ReadPlace::Serving, about("cut"))],
                "{serving:?} {promoted:?}"
            );
        }
    }
}
