//! When operations are due: fixed by the plan and the seed alone.
//!
//! A load is cut into [`STRIPES`]. Session j belongs to stripe `j mod 256`, and a thread owns whole
//! stripes, so that the number of threads changes nothing. The schedule of one stripe in one phase can
//! be computed without any other: it is an iterator of due times.
//!
//! Arrivals live on an axis on which the rate is one ("positions"); the shape's integral and its inverse
//! map time to positions and back. On that axis even spacing is the integers, uniform spacing is one point
//! in each unit, and Poisson is a sum of exponential steps.

use std::time::Duration;

use firedrill_scenarios::plan::{Arrivals, Shape, Spacing};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::clock::Nanos;

pub const STRIPES: u32 = 256;

/// A part of the timeline in which a load keeps one set of arrivals.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Index of the phase.
    pub phase: usize,
    /// Since the start of the timeline.
    pub start: Nanos,
    pub end: Nanos,
    /// The zero of the arrivals' own clock: the timeline's start, or the phase's where it has its own.
    pub zero: Nanos,
    /// How long the arrivals' own clock runs: what an open-ended ramp is stretched over.
    pub length: Nanos,
}

impl Segment {
    /// The only phase of a timeline, from its beginning to its end.
    pub fn whole(length: Nanos) -> Segment {
        Segment {
            phase: 0,
            start: 0,
            end: length,
            zero: 0,
            length,
        }
    }
}

/// What makes the random streams of a stripe its own.
#[derive(Clone, Copy, Debug)]
pub struct StripeKey {
    pub seed: u64,
    pub load: usize,
    pub stripe: u32,
    /// Sessions of the whole load.
    pub sessions: u32,
    /// Of all that all its streams have in common.
    root: u64,
}

impl StripeKey {
    pub fn new(seed: u64, load: usize, stripe: u32, sessions: u32) -> StripeKey {
        let hash = mix(seed ^ 0x6669_7265_6472_696c);
        let root = mix(mix(hash ^ load as u64) ^ u64::from(stripe));
        StripeKey {
            seed,
            load,
            stripe,
            sessions,
            root,
        }
    }

    /// How many of the load's sessions belong to the stripe.
    pub fn own_sessions(&self) -> u32 {
        (self.sessions + STRIPES - 1 - self.stripe) / STRIPES
    }

    /// A random stream of its own for each use, so that drawing more in one place moves nothing elsewhere.
    pub fn stream(&self, purpose: Purpose, number: u64) -> Xoshiro256PlusPlus {
        let hash = mix(mix(self.root ^ purpose as u64) ^ number);
        Xoshiro256PlusPlus::seed_from_u64(hash)
    }
}

/// What a random stream is for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Steps of a Poisson process; the number is the phase.
    Arrivals = 1,
    /// The place in its slot of a uniform arrival; the number is the arrival.
    Jitter = 2,
    /// Which flow an arrival starts, and what fills its templates; the number is the arrival.
    Content = 3,
    /// Think times of a session; the number is the session.
    Think = 4,
    /// When a session of a closed load begins; the number is the session.
    Start = 5,
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Uniform in `[0, 1)` with 53 bits.
pub fn unit(random: &mut impl Rng) -> f64 {
    (random.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Exponential with mean 1.
pub fn exponential(random: &mut impl Rng) -> f64 {
    -(1.0 - unit(random)).ln()
}

/// The due times of one stripe in one segment, ascending, in nanoseconds since the start of the timeline.
pub struct StripeSchedule {
    key: StripeKey,
    segment: Segment,
    course: Course,
}

enum Course {
    /// The stripe has no session, or the load no arrivals here.
    Nothing,
    Trace(std::vec::IntoIter<Nanos>),
    Even {
        shape: Shape,
        next: u64,
    },
    Uniform {
        shape: Shape,
        next: u64,
    },
    Poisson {
        shape: Shape,
        position: f64,
        random: Xoshiro256PlusPlus,
    },
}

impl StripeSchedule {
    pub fn new(key: StripeKey, segment: Segment, arrivals: &Arrivals) -> StripeSchedule {
        let course = if key.own_sessions() == 0 || segment.end <= segment.start {
            Course::Nothing
        } else {
            course(key, &segment, arrivals)
        };
        StripeSchedule {
            key,
            segment,
            course,
        }
    }

    pub fn phase(&self) -> usize {
        self.segment.phase
    }

    /// Ends the segment earlier than it was going to. What is due before stays as it was.
    pub fn cut(&mut self, end: Nanos) {
        self.segment.end = self.segment.end.min(end);
    }
}

fn course(key: StripeKey, segment: &Segment, arrivals: &Arrivals) -> Course {
    match arrivals {
        Arrivals::Trace { due, .. } => {
            let first = due.partition_point(|at| nanos(*at) + segment.zero < segment.start);
            let mut own = Vec::new();
            let mut next = first_own(key, first as u64);
            while let Some(at) = usize::try_from(next).ok().and_then(|index| due.get(index)) {
                own.push(nanos(*at) + segment.zero);
                next = first_own(key, next + 1);
            }
            Course::Trace(own.into_iter())
        }
        Arrivals::Shaped { shape, spacing } => {
            let begin = shape.cumulative(since_zero(segment, segment.start), length(segment));
            let shape = shape.clone();
            match spacing {
                // Both begin one slot early and skip what is due before the segment: rounding may put the
                // position of a border a hair to either side of an arrival.
                Spacing::Even => Course::Even {
                    shape,
                    next: first_own(key, begin.floor() as u64),
                },
                Spacing::Uniform => Course::Uniform {
                    shape,
                    next: first_own(key, begin.floor() as u64),
                },
                Spacing::Poisson => Course::Poisson {
                    shape,
                    position: begin,
                    random: key.stream(Purpose::Arrivals, segment.phase as u64),
                },
            }
        }
    }
}

fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX / 2)
}

fn length(segment: &Segment) -> f64 {
    segment.length as f64 / 1e9
}

fn since_zero(segment: &Segment, at: Nanos) -> f64 {
    at.saturating_sub(segment.zero) as f64 / 1e9
}

fn due_at(segment: &Segment, shape: &Shape, position: f64) -> Nanos {
    segment
        .zero
        .saturating_add((shape.inverse(position, length(segment)) * 1e9).round() as Nanos)
}

/// The first arrival at or after `from` that is the stripe's own. Arrivals take the sessions in turn, and
/// arrival i belongs to the stripe of session `i mod sessions`.
fn first_own(key: StripeKey, from: u64) -> u64 {
    let sessions = u64::from(key.sessions);
    let (round, within) = (from / sessions, from % sessions);
    // Own sessions are stripe, stripe + 256, ...: the first at or after `within`, else the next round's first.
    let stripe = u64::from(key.stripe);
    let steps = within.saturating_sub(stripe).div_ceil(u64::from(STRIPES));
    let candidate = stripe + steps * u64::from(STRIPES);
    if candidate < sessions {
        round * sessions + candidate
    } else {
        (round + 1) * sessions + stripe
    }
}

impl Iterator for StripeSchedule {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        let due = match &mut self.course {
            Course::Nothing => return None,
            Course::Trace(own) => own.next()?,
            Course::Even { shape, next } => loop {
                let at = due_at(&self.segment, shape, *next as f64);
                *next = first_own(self.key, *next + 1);
                if at >= self.segment.start {
                    break at;
                }
            },
            Course::Uniform { shape, next } => loop {
                let place = unit(&mut self.key.stream(Purpose::Jitter, *next));
                let at = due_at(&self.segment, shape, *next as f64 + place);
                *next = first_own(self.key, *next + 1);
                if at >= self.segment.start {
                    break at;
                }
            },
            Course::Poisson {
                shape,
                position,
                random,
            } => {
                let share = f64::from(self.key.sessions) / f64::from(self.key.own_sessions());
                *position += exponential(random) * share;
                due_at(&self.segment, shape, *position).max(self.segment.start)
            }
        };
        if due >= self.segment.end {
            self.course = Course::Nothing;
            return None;
        }
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill_scenarios::plan::Rate;
    use proptest::prelude::*;

    const SECOND: Nanos = 1_000_000_000;

    fn all(seed: u64, sessions: u32, length: Nanos, arrivals: &Arrivals) -> Vec<Nanos> {
        let segment = Segment::whole(length);
        let mut due: Vec<Nanos> = (0..STRIPES)
            .flat_map(|stripe| {
                let key = StripeKey::new(seed, 0, stripe, sessions);
                StripeSchedule::new(key, segment.clone(), arrivals)
            })
            .collect();
        due.sort_unstable();
        due
    }

    fn shaped(shape: Shape, spacing: Spacing) -> Arrivals {
        Arrivals::Shaped { shape, spacing }
    }

    fn any_shape() -> impl Strategy<Value = Shape> {
        let rate = || (1.0..400.0f64).prop_map(Rate);
        let time = || (100u64..4000).prop_map(Duration::from_millis);
        prop_oneof![
            rate().prop_map(Shape::Constant),
            (rate(), rate(), prop::option::of(time())).prop_map(|(from, to, over)| Shape::Ramp {
                from,
                to,
                over
            }),
            prop::collection::vec((rate(), time()), 1..5).prop_map(Shape::Steps),
            (rate(), rate(), time(), time()).prop_map(|(base, peak, at, length)| Shape::Spike {
                base,
                peak,
                at,
                length
            }),
            (rate(), rate(), time(), time()).prop_map(|(base, peak, one, other)| Shape::Burst {
                base,
                peak,
                every: one + other,
                length: one,
            }),
            (rate(), 0.0..1.0f64, time()).prop_map(|(mean, share, period)| Shape::Sine {
                mean,
                amplitude: Rate(mean.0 * share),
                period,
            }),
        ]
    }

    proptest! {
        #[test]
        fn every_shape_gives_its_count_and_every_stripe_ascends(
            shape in any_shape(), seed: u64, sessions in 1u32..600, uniform: bool
        ) {
            let length = 5 * SECOND;
            let expected = shape.cumulative(5.0, 5.0);
            let spacing = if uniform { Spacing::Uniform } else { Spacing::Even };
            let arrivals = shaped(shape, spacing);
            for stripe in [0, 1, 17, 255] {
                let key = StripeKey::new(seed, 0, stripe, sessions);
                let segment = Segment::whole(length);
                let own: Vec<Nanos> = StripeSchedule::new(key, segment, &arrivals).collect();
                prop_assert!(own.is_sorted());
                prop_assert!(own.is_empty() || stripe < sessions);
            }
            let due = all(seed, sessions, length, &arrivals);
            prop_assert!((due.len() as f64 - expected).abs() <= 1.0, "{} for {expected}", due.len());
            prop_assert!(due.iter().all(|at| *at < length));
        }

        #[test]
        fn even_arrivals_follow_the_integral(shape in any_shape(), sessions in 1u32..300) {
            let due = all(1, sessions, 5 * SECOND, &shaped(shape.clone(), Spacing::Even));
            for (index, at) in due.iter().enumerate() {
                let position = shape.cumulative(*at as f64 / 1e9, 5.0);
                prop_assert!((position - index as f64).abs() < 1e-3, "{position} for {index}");
            }
        }

        #[test]
        fn cutting_a_phase_in_two_moves_nothing(
            shape in any_shape(), seed: u64, sessions in 1u32..300, cut in 1u64..4999, uniform: bool
        ) {
            let spacing = if uniform { Spacing::Uniform } else { Spacing::Even };
            let arrivals = shaped(shape, spacing);
            let length = 5 * SECOND;
            let whole = all(seed, sessions, length, &arrivals);
            let cut = cut * 1_000_000;
            let mut parts: Vec<Nanos> = [(0, 0, cut), (1, cut, length)]
                .into_iter()
                .flat_map(|(phase, start, end)| {
                    let segment = Segment { phase, start, end, zero: 0, length };
                    let arrivals = &arrivals;
                    (0..STRIPES).flat_map(move |stripe| {
                        let key = StripeKey::new(seed, 0, stripe, sessions);
                        StripeSchedule::new(key, segment.clone(), arrivals)
                    })
                })
                .collect();
            parts.sort_unstable();
            prop_assert_eq!(parts, whole);
        }
    }

    /// Counts in windows of a Poisson process have a variance equal to their mean; dispersion near 1
    /// with 500 windows has a standard deviation of sqrt(2/499) = 0.063.
    #[test]
    fn poisson_has_the_rate_and_the_dispersion_of_a_poisson_process() {
        for (seed, sessions) in [(1, 1), (2, 50), (3, 256), (4, 1000)] {
            let arrivals = shaped(Shape::Constant(Rate(200.0)), Spacing::Poisson);
            let due = all(seed, sessions, 50 * SECOND, &arrivals);
            let mut windows = [0f64; 500];
            for at in &due {
                windows[(at / 100_000_000) as usize] += 1.0;
            }
            let mean = windows.iter().sum::<f64>() / 500.0;
            let variance = windows
                .iter()
                .map(|count| (count - mean).powi(2))
                .sum::<f64>()
                / 499.0;
            assert!(
                (due.len() as f64 - 10_000.0).abs() < 400.0,
                "{} arrivals",
                due.len()
            );
            assert!(
                (variance / mean - 1.0).abs() < 0.3,
                "dispersion {}",
                variance / mean
            );
        }
    }

    #[test]
    fn a_seed_fixes_the_schedule_and_another_one_changes_it() {
        for spacing in [Spacing::Poisson, Spacing::Uniform] {
            let arrivals = shaped(Shape::Constant(Rate(300.0)), spacing);
            let first = all(7, 40, 3 * SECOND, &arrivals);
            assert_eq!(first, all(7, 40, 3 * SECOND, &arrivals));
            assert_ne!(first, all(8, 40, 3 * SECOND, &arrivals));
        }
    }

    #[test]
    fn a_trace_is_replayed_as_it_is() {
        let due: Vec<Duration> = [0, 5, 5, 900, 2500].map(Duration::from_millis).to_vec();
        let arrivals = Arrivals::Trace {
            file: "t".to_owned(),
            due,
        };
        let expected: Vec<Nanos> = [0u64, 5, 5, 900].iter().map(|ms| ms * 1_000_000).collect();
        assert_eq!(all(1, 3, 2 * SECOND, &arrivals), expected);
    }
}
