//! Searches against targets that are computed: what they find, and that they end.

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;

fn settings() -> Settings {
    Settings {
        from: 200.0,
        least: 20.0,
        most: 1e6,
        precision: 0.05,
        repeats: 2,
        trials: 60,
        whole: false,
    }
}

/// How a search ended, what it believes, and what it tried.
struct Found {
    end: EndedBy,
    interval: (f64, f64),
    tried: Vec<f64>,
}

fn find(settings: Settings, mut target: impl FnMut(f64) -> Outcome) -> Found {
    let mut search = Search::new(settings);
    let mut tried = Vec::new();
    loop {
        match search.next() {
            Next::Try(level) => {
                tried.push(level);
                search.see(level, target(level));
            }
            Next::End(end) => {
                return Found {
                    end,
                    interval: search.belief.interval(),
                    tried,
                };
            }
        }
    }
}

fn verdict(met: bool) -> Outcome {
    if met { Outcome::Met } else { Outcome::Missed }
}

/// A target that answers by chance around its capacity, and whose trials lie with a chance.
fn noisy(capacity: f64, softness: f64, lies: f64, seed: u64) -> impl FnMut(f64) -> Outcome {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    move |level| {
        let met = match softness {
            0.0 => level <= capacity,
            softness => {
                let carried = 1.0 / (1.0 + (level / capacity).powf(1.0 / softness));
                random.random_bool(carried)
            }
        };
        let lie = random.random_bool(lies);
        verdict(met != lie)
    }
}

/// Of a hundred targets of all sizes, how many have their capacity within the interval that was found.
fn covered(softness: f64, lies: f64) -> usize {
    let holds = |seed: &u64| {
        let capacity = 60.0 * 150_f64.powf(*seed as f64 / 100.0);
        let found = find(settings(), noisy(capacity, softness, lies, *seed));
        let (lower, upper) = found.interval;
        (lower..=upper).contains(&capacity)
    };
    (0..100).filter(holds).count()
}

#[test]
fn the_interval_holds_the_capacity_of_sharp_noisy_and_lying_targets() {
    for (softness, lies) in [
        (0.0, 0.0),
        (0.01, 0.0),
        (0.03, 0.0),
        (0.0, 0.1),
        (0.02, 0.1),
    ] {
        let covered = covered(softness, lies);
        assert!(
            covered >= 90,
            "softness {softness}, lies {lies}: {covered} of 100"
        );
    }
}

#[test]
fn a_sharp_knee_is_found_finely_and_soon() {
    let found = find(settings(), noisy(3_210.0, 0.0, 0.0, 1));
    let (lower, upper) = found.interval;
    assert_eq!(found.end, EndedBy::Precision);
    assert!(
        lower <= 3_210.0 && 3_210.0 <= upper && upper / lower <= 1.05,
        "{lower} {upper}"
    );
    assert!(found.tried.len() <= 30, "{:?}", found.tried);
    assert_eq!(found.tried[..5], [200.0, 400.0, 800.0, 1600.0, 3200.0]);
}

#[test]
fn a_target_that_never_gives_way_is_tried_up_to_the_most() {
    let most = Settings {
        most: 5_000.0,
        ..settings()
    };
    let found = find(most, |_| Outcome::Met);
    assert_eq!(found.end, EndedBy::Most);
    assert_eq!(
        found.tried,
        [200.0, 400.0, 800.0, 1600.0, 3200.0, 5_000.0, 5_000.0]
    );
}

/// The capacity may lie far beyond what was allowed, whatever a hiccup says.
#[test]
fn a_hiccup_does_not_make_the_end_of_the_range_the_capacity() {
    for hiccup in 0..6 {
        let most = Settings {
            most: 1_000.0,
            ..settings()
        };
        let mut trials = 0..;
        let found = find(most, |_| verdict(trials.next() != Some(hiccup)));
        assert_eq!(found.end, EndedBy::Most, "{hiccup}: {:?}", found.tried);
    }
}

#[test]
fn a_target_that_meets_nothing_is_tried_down_to_the_least() {
    let found = find(settings(), |_| Outcome::Missed);
    assert_eq!(found.end, EndedBy::NothingMet);
    assert_eq!(found.tried.last(), Some(&20.0));
}

#[test]
fn a_generator_that_gives_way_first_ends_the_search_below_it() {
    let found = find(settings(), |level| {
        if level < 3_000.0 {
            Outcome::Met
        } else {
            Outcome::Untrusted
        }
    });
    assert_eq!(found.end, EndedBy::Generator);
    let highest = found
        .tried
        .iter()
        .copied()
        .filter(|level| *level < 3_000.0)
        .fold(0.0, f64::max);
    assert!(highest > 2_600.0, "{:?}", found.tried);
}

/// A silent probe is no fault of the generator, but one trial of the three in which it was late makes it one.
#[test]
fn a_probe_that_is_silent_above_a_level_ends_the_search_and_the_generator_is_not_blamed() {
    let ended = |trials: u32, silent: fn(usize) -> bool| {
        let mut search = Search::new(Settings {
            trials,
            ..settings()
        });
        loop {
            match search.next() {
                Next::Try(level) if level < 3_000.0 => search.see(level, Outcome::Met),
                Next::Try(level) if silent(search.tried.len()) => search.see_silence(level),
                Next::Try(level) => search.see(level, Outcome::Untrusted),
                Next::End(end) => return end,
            }
        }
    };
    assert_eq!(ended(60, |_| true), EndedBy::Probe);
    assert_eq!(ended(8, |_| true), EndedBy::Probe, "no trials are left");
    assert_eq!(ended(60, |trial| trial % 3 != 0), EndedBy::Generator);
}

#[test]
fn few_trials_end_with_the_generator_when_it_gave_way_and_the_target_did_not() {
    let few = Settings {
        from: 3_000.0,
        trials: 4,
        ..settings()
    };
    let found = find(few, |level| {
        if level < 3_000.0 {
            Outcome::Met
        } else {
            Outcome::Untrusted
        }
    });
    assert_eq!((found.end, found.tried.len()), (EndedBy::Generator, 4));
}

#[test]
fn a_capacity_between_what_was_met_and_what_cannot_be_measured_is_found() {
    let found = find(settings(), |level| match level {
        level if level > 3_000.0 => Outcome::Untrusted,
        level => verdict(level <= 1_900.0),
    });
    assert_eq!(found.end, EndedBy::Precision);
    let (lower, upper) = found.interval;
    assert!(lower <= 1_900.0 && 1_900.0 <= upper, "{lower} {upper}");
}

/// One moment of the machine is no limit of the generator.
#[test]
fn a_trial_that_cannot_be_trusted_is_made_again() {
    let mut count = 0;
    let found = find(settings(), |level| {
        count += 1;
        if count % 4 == 0 {
            Outcome::Untrusted
        } else {
            verdict(level <= 1_000.0)
        }
    });
    assert_eq!(found.end, EndedBy::Precision);
    assert!(found.interval.0 <= 1_000.0 && 1_000.0 <= found.interval.1);
}

#[test]
fn too_few_operations_are_met_with_more_load_and_then_told() {
    let found = find(settings(), |level| {
        if level < 700.0 {
            Outcome::TooLittle
        } else {
            verdict(level <= 2_000.0)
        }
    });
    assert_eq!(found.end, EndedBy::Precision);
    let most = Settings {
        most: 5_000.0,
        ..settings()
    };
    assert_eq!(find(most, |_| Outcome::TooLittle).end, EndedBy::TooLittle);
}

#[test]
fn sessions_are_whole_and_few_of_them_are_known_to_one() {
    let sessions = Settings {
        from: 1.0,
        least: 1.0,
        most: 10_000.0,
        whole: true,
        ..settings()
    };
    for capacity in [3.0, 8.0, 40.0, 333.0] {
        let found = find(sessions, noisy(capacity, 0.0, 0.0, 1));
        let (lower, upper) = found.interval;
        assert_eq!(
            found.end,
            EndedBy::Precision,
            "{capacity}: {:?}",
            found.tried
        );
        assert!(
            lower < capacity + 1.0 && capacity <= upper,
            "{capacity}: {lower} {upper}"
        );
        assert!(
            found.tried.iter().all(|level| level.fract() == 0.0),
            "{:?}",
            found.tried
        );
    }
}

proptest! {
    #[test]
    fn whatever_happens_it_stays_within_its_bounds(
        outcomes in prop::collection::vec(0..4u8, 60),
        trials in 1..60u32,
        repeats in 1..5u32,
        whole in any::<bool>(),
    ) {
        let bounds = Settings { trials, repeats, whole, ..settings() };
        let mut outcomes = outcomes.into_iter();
        let found = find(bounds, |_| match outcomes.next().unwrap_or(0) {
            0 => Outcome::Met,
            1 => Outcome::Missed,
            2 => Outcome::Untrusted,
            _ => Outcome::TooLittle,
        });
        prop_assert!(found.tried.len() <= trials as usize);
        prop_assert!(found.tried.iter().all(|level| (bounds.least..=bounds.most).contains(level)), "{:?}", found.tried);
        let doubled = found.tried.windows(2).all(|pair| pair[1] <= found.tried[0].max(2.02 * pair.iter().copied().fold(0.0, f64::max)));
        prop_assert!(doubled, "{:?}", found.tried);
    }

    /// More trials never make it end later than it would have with fewer, but for the budget itself.
    #[test]
    fn a_larger_budget_is_used_only_when_it_is_needed(seed in any::<u64>(), fewer in 1..60u32, more in 0..60u32) {
        let tried = |trials| find(Settings { trials, ..settings() }, noisy(777.0, 0.02, 0.05, seed)).tried;
        let (short, long) = (tried(fewer), tried(fewer + more));
        prop_assert!(short.len() <= long.len() && long[..short.len()] == short[..]);
    }
}
