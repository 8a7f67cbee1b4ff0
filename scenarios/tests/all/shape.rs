//! The integral of a load's rate and its inverse, over shapes of every kind.

use std::time::Duration;

use firedrill_scenarios::plan::{Rate, Shape};
use proptest::prelude::*;

const LENGTH: f64 = 90.0;

fn rate() -> impl Strategy<Value = Rate> {
    prop_oneof![1 => Just(Rate(0.0)), 8 => (0.01..5000.0).prop_map(Rate)]
}

fn time() -> impl Strategy<Value = Duration> {
    (1u64..60_000).prop_map(Duration::from_millis)
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        rate().prop_map(Shape::Constant),
        (rate(), rate(), proptest::option::of(time())).prop_map(|(from, to, over)| Shape::Ramp {
            from,
            to,
            over
        }),
        proptest::collection::vec((rate(), time()), 1..6).prop_map(Shape::Steps),
        (rate(), rate(), time(), time()).prop_map(|(base, peak, at, length)| Shape::Spike {
            base,
            peak,
            at,
            length
        }),
        (rate(), rate(), time(), time()).prop_map(|(base, peak, every, length)| Shape::Burst {
            base,
            peak,
            every: every + length,
            length
        }),
        (rate(), 0.0..=1.0, time()).prop_map(|(mean, share, period)| Shape::Sine {
            mean,
            amplitude: Rate(mean.0 * share),
            period
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_inverse_undoes_the_integral(shape in shape(), share in 0.0..1.0) {
        let n = shape.cumulative(150.0, LENGTH) * share;
        let t = shape.inverse(n, LENGTH);
        if t.is_finite() {
            let again = shape.cumulative(t, LENGTH);
            prop_assert!((again - n).abs() <= 1e-6 * n.max(1.0), "{n} -> {t} -> {again}");
        } else {
            // Nothing comes any more after `n`.
            let all = shape.cumulative(1e6, LENGTH);
            prop_assert!(all <= n * (1.0 + 1e-9), "{all} > {n}");
        }
    }

    #[test]
    fn both_directions_never_fall(shape in shape(), a in 0.0..200.0, b in 0.0..200.0) {
        let (early, late) = if a < b { (a, b) } else { (b, a) };
        let slack = 1e-9 * shape.cumulative(late, LENGTH).max(1.0);
        prop_assert!(
            shape.cumulative(early, LENGTH) <= shape.cumulative(late, LENGTH) + slack
        );
        prop_assert!(shape.inverse(early, LENGTH) <= shape.inverse(late, LENGTH) + 1e-6);
    }

    /// Nothing is due while the rate is zero: just after the instant of any arrival the rate is above zero.
    #[test]
    fn arrivals_lie_where_there_is_a_rate(
        low in 1.0..100.0,
        gap in 1u64..20_000,
        arrival in 0u64..50,
    ) {
        let shape = Shape::Steps(vec![
            (Rate(0.0), Duration::from_millis(gap)),
            (Rate(low), Duration::from_millis(gap)),
            (Rate(0.0), Duration::from_millis(gap)),
            (Rate(low), Duration::from_secs(1)),
        ]);
        let t = shape.inverse(arrival as f64, LENGTH);
        prop_assert!(t >= Duration::from_millis(gap).as_secs_f64());
        prop_assert!(shape.rate_at(t + 1e-9, LENGTH) > 0.0);
    }

    #[test]
    fn the_integral_is_that_of_the_rate(shape in shape(), end in 0.1..150.0) {
        let steps = 20_000;
        let width = end / f64::from(steps);
        let sum: f64 = (0..steps)
            .map(|step| shape.rate_at((f64::from(step) + 0.5) * width, LENGTH) * width)
            .sum();
        let integral = shape.cumulative(end, LENGTH);
        // A jump inside a step of the sum costs at most its height times the width; a burst may jump often.
        prop_assert!((sum - integral).abs() <= 0.01 * integral + 5000.0 * width * 4.0);
    }
}

#[test]
fn known_values() {
    let ramp = Shape::Ramp {
        from: Rate(0.0),
        to: Rate(100.0),
        over: None,
    };
    assert_eq!(ramp.cumulative(10.0, 10.0), 500.0);
    assert_eq!(ramp.cumulative(11.0, 10.0), 600.0);
    assert_eq!(ramp.inverse(125.0, 10.0), 5.0);
    assert_eq!(ramp.rate_at(5.0, 10.0), 50.0);

    let burst = Shape::Burst {
        base: Rate(0.0),
        peak: Rate(10.0),
        every: Duration::from_secs(10),
        length: Duration::from_secs(2),
    };
    assert_eq!(burst.cumulative(25.0, 60.0), 60.0);
    assert_eq!(burst.inverse(20.0, 60.0), 10.0);
    assert_eq!(burst.inverse(35.0, 60.0), 11.5);
    assert_eq!(burst.rate_at(11.5, 60.0), 10.0);
    assert_eq!(burst.rate_at(12.5, 60.0), 0.0);

    let sine = Shape::Sine {
        mean: Rate(100.0),
        amplitude: Rate(100.0),
        period: Duration::from_secs(60),
    };
    assert!((sine.cumulative(60.0, 60.0) - 6000.0).abs() < 1e-6);
    assert!(Shape::Constant(Rate(0.0)).inverse(0.0, 10.0).is_infinite());
}
