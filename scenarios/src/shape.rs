//! The rate of a load over time: its value, its integral and the integral's inverse.
//!
//! Time is seconds since the shape's start (of the timeline, or of the phase whose own it is). `length` is
//! the length of that span: what a ramp without `over` is stretched over. All shapes but the sine are made
//! of straight pieces, on which both directions have a closed form.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::plan::{Rate, Shape};

impl Shape {
    /// Arrivals a second at `t`. Zero before the start.
    pub fn rate_at(&self, t: f64, length: f64) -> f64 {
        if t < 0.0 {
            return 0.0;
        }
        if let Shape::Sine {
            mean,
            amplitude,
            period,
        } = self
        {
            return mean.0 + amplitude.0 * (TAU * t / period.as_secs_f64()).sin();
        }
        let (_, mut left) = self.whole_periods(t);
        for piece in self.pieces(length) {
            if left < piece.length {
                return piece.from + piece.slope() * left;
            }
            left -= piece.length;
        }
        0.0
    }

    /// Arrivals expected from the start up to `t`: the integral of the rate.
    pub fn cumulative(&self, t: f64, length: f64) -> f64 {
        if t <= 0.0 {
            return 0.0;
        }
        if let Shape::Sine {
            mean,
            amplitude,
            period,
        } = self
        {
            return sine_integral(*mean, *amplitude, *period, t);
        }
        let (periods, mut left) = self.whole_periods(t);
        let mut total = periods * self.period_area();
        for piece in self.pieces(length) {
            if left < piece.length {
                return total + piece.area(left);
            }
            total += piece.area(piece.length);
            left -= piece.length;
        }
        total
    }

    /// The instant at which [`Shape::cumulative`] passes `n`: the last one at which it is not above `n`, so
    /// that nothing is due while the rate is zero. Infinite when the integral never gets there.
    pub fn inverse(&self, n: f64, length: f64) -> f64 {
        let n = n.max(0.0);
        if let Shape::Sine {
            mean,
            amplitude,
            period,
        } = self
        {
            return sine_inverse(*mean, *amplitude, *period, n);
        }
        let mut start = 0.0;
        let mut left = n;
        if let Shape::Burst { every, .. } = self {
            let area = self.period_area();
            if area <= 0.0 {
                return f64::INFINITY;
            }
            let periods = (n / area).floor();
            start = periods * every.as_secs_f64();
            left = (n - periods * area).max(0.0);
        }
        for piece in self.pieces(length) {
            let area = piece.area(piece.length);
            if left < area {
                return start + piece.time_of(left);
            }
            left -= area;
            start += piece.length;
        }
        // Bursts: rounding put `n` at the end of a period. Everything else ends in a piece without end.
        start
    }

    /// How many whole periods of a burst lie before `t`, and what is left of `t`.
    fn whole_periods(&self, t: f64) -> (f64, f64) {
        match self {
            Shape::Burst { every, .. } => {
                let every = every.as_secs_f64();
                let periods = (t / every).floor();
                (periods, (t - periods * every).max(0.0))
            }
            Shape::Constant(_)
            | Shape::Ramp { .. }
            | Shape::Steps(_)
            | Shape::Spike { .. }
            | Shape::Sine { .. } => (0.0, t),
        }
    }

    /// Arrivals in one period of a burst; zero for what has no period.
    fn period_area(&self) -> f64 {
        match self {
            Shape::Burst { .. } => self.pieces(0.0).map(|piece| piece.area(piece.length)).sum(),
            Shape::Constant(_)
            | Shape::Ramp { .. }
            | Shape::Steps(_)
            | Shape::Spike { .. }
            | Shape::Sine { .. } => 0.0,
        }
    }

    fn pieces(&self, length: f64) -> impl Iterator<Item = Piece> {
        (0..).map_while(move |index| self.piece(index, length))
    }

    /// The straight pieces in their order; the last one has no end, except in a burst, where they are a period.
    fn piece(&self, index: usize, length: f64) -> Option<Piece> {
        let flat = |rate: &Rate, length: f64| {
            Some(Piece {
                length,
                from: rate.0,
                to: rate.0,
            })
        };
        let seconds = Duration::as_secs_f64;
        match (self, index) {
            (Shape::Constant(rate), 0) => flat(rate, f64::INFINITY),
            (Shape::Ramp { from, to, over }, 0) => Some(Piece {
                length: over.as_ref().map_or(length, seconds),
                from: from.0,
                to: to.0,
            }),
            (Shape::Ramp { to, .. }, 1) => flat(to, f64::INFINITY),
            (Shape::Steps(steps), _) => {
                let (rate, length) = steps.get(index)?;
                let last = index + 1 == steps.len();
                flat(rate, if last { f64::INFINITY } else { seconds(length) })
            }
            (Shape::Spike { base, at, .. }, 0) => flat(base, seconds(at)),
            (Shape::Spike { peak, length, .. }, 1) => flat(peak, seconds(length)),
            (Shape::Spike { base, .. }, 2) => flat(base, f64::INFINITY),
            (Shape::Burst { peak, length, .. }, 0) => flat(peak, seconds(length)),
            (
                Shape::Burst {
                    base,
                    every,
                    length,
                    ..
                },
                1,
            ) => flat(base, seconds(every) - seconds(length)),
            (
                Shape::Constant(_)
                | Shape::Ramp { .. }
                | Shape::Spike { .. }
                | Shape::Burst { .. }
                | Shape::Sine { .. },
                _,
            ) => None,
        }
    }
}

/// A straight line from one rate to another; `from == to` where the length is infinite.
struct Piece {
    length: f64,
    from: f64,
    to: f64,
}

impl Piece {
    fn slope(&self) -> f64 {
        if self.from == self.to || self.length <= 0.0 {
            0.0
        } else {
            (self.to - self.from) / self.length
        }
    }

    fn area(&self, t: f64) -> f64 {
        // Written apart because no rate for an infinite time is nothing, and not NaN.
        if self.from == 0.0 && self.to == 0.0 {
            return 0.0;
        }
        if t.is_infinite() {
            return f64::INFINITY;
        }
        self.from * t + 0.5 * self.slope() * t * t
    }

    /// Where the area reaches `area`, which is less than the whole. The form of the quadratic's root that
    /// cancels nothing, for rising and falling lines alike.
    fn time_of(&self, area: f64) -> f64 {
        let slope = self.slope();
        if slope == 0.0 {
            return area / self.from;
        }
        let end = (self.from * self.from + 2.0 * slope * area).max(0.0).sqrt();
        if area == 0.0 {
            0.0
        } else {
            (2.0 * area / (self.from + end)).min(self.length)
        }
    }
}

fn sine_integral(mean: Rate, amplitude: Rate, period: Duration, t: f64) -> f64 {
    let period = period.as_secs_f64();
    mean.0 * t + amplitude.0 * period / TAU * (1.0 - (TAU * t / period).cos())
}

/// The integral over a whole period is `mean * period`; within a period, Newton's steps are kept inside a
/// bracket and replaced by bisection wherever they would leave it (where the rate touches zero).
fn sine_inverse(mean: Rate, amplitude: Rate, period: Duration, n: f64) -> f64 {
    if mean.0 <= 0.0 {
        return f64::INFINITY;
    }
    let seconds = period.as_secs_f64();
    let periods = (n / (mean.0 * seconds)).floor();
    let wanted = (n - periods * mean.0 * seconds).max(0.0);
    let (mut low, mut high) = (0.0, seconds);
    let mut t = wanted / mean.0;
    for _ in 0..80 {
        let error = sine_integral(mean, amplitude, period, t) - wanted;
        if error > 0.0 {
            high = t;
        } else {
            low = t;
        }
        if high - low <= f64::EPSILON * seconds {
            break;
        }
        let rate = mean.0 + amplitude.0 * (TAU * t / seconds).sin();
        let step = t - error / rate;
        let next = if step > low && step < high {
            step
        } else {
            0.5 * (low + high)
        };
        if next == t {
            break;
        }
        t = next;
    }
    periods * seconds + t
}
