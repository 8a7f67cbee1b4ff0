//! Axes: where a value lies, and what is written beside it.

use crate::numbers::{duration, significant};

/// One axis, with the values at its ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Axis {
    /// Seconds since the timeline's start.
    Time { from: f64, to: f64 },
    /// From zero.
    Linear { to: f64 },
    /// Shares from zero, as percentages.
    Share { to: f64 },
    /// Nanoseconds, by their logarithm.
    Duration { from: f64, to: f64 },
    /// Quantiles, by the logarithm of 1 / (1 - q): each nine is as wide as the one before.
    Nines { to: f64 },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    pub at: f64,
    pub label: String,
}

impl Axis {
    /// From zero to a round number at or above the greatest value.
    pub fn linear(values: impl IntoIterator<Item = f64>) -> Axis {
        Axis::Linear {
            to: round_up(greatest(values)),
        }
    }

    pub fn share(values: impl IntoIterator<Item = f64>) -> Axis {
        Axis::Share {
            to: round_up(greatest(values)).clamp(0.01, 1.0),
        }
    }

    /// Whole decades around the values, which are nanoseconds. What is not above zero is left out.
    pub fn duration(values: impl IntoIterator<Item = f64>) -> Axis {
        let logs = values
            .into_iter()
            .filter(|value| value.is_finite() && *value > 0.0)
            .map(|value| value.max(1.0).log10());
        let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), log| {
            (low.min(log), high.max(log))
        });
        if low > high {
            return Axis::Duration { from: 1e6, to: 1e8 };
        }
        let (low, high) = (low.floor(), high.ceil());
        Axis::Duration {
            from: 10_f64.powf(low),
            to: 10_f64.powf(high.max(low + 1.0)),
        }
    }

    /// Where the value lies between the ends, from 0 to 1 for what is between them.
    pub fn place(&self, value: f64) -> f64 {
        let place = match self {
            Axis::Time { from, to } => (value - from) / (to - from).max(1e-9),
            Axis::Linear { to } | Axis::Share { to } => value / to,
            Axis::Duration { from, to } => {
                (value.max(*from).log10() - from.log10()) / (to.log10() - from.log10())
            }
            Axis::Nines { to } => nines(value) / nines(*to),
        };
        if place.is_finite() {
            place.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    /// At most about so many values to mark, ascending.
    pub fn ticks(&self, most: usize) -> Vec<Tick> {
        match self {
            Axis::Time { from, to } => time_ticks(*from, *to, most),
            Axis::Linear { to } => linear_ticks(*to, most, |value| significant(value, 4)),
            Axis::Share { to } => linear_ticks(*to, most, |value| {
                format!("{} %", significant(value * 100.0, 3))
            }),
            Axis::Duration { from, to } => duration_ticks(*from, *to, most),
            Axis::Nines { to } => nines_ticks(*to, most),
        }
    }
}

fn greatest(values: impl IntoIterator<Item = f64>) -> f64 {
    values
        .into_iter()
        .filter(|value| value.is_finite())
        .fold(0.0, f64::max)
}

/// The next of 1, 1.5, 2, 3, 4, 5, 6, 8, 10 times a power of ten.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let step = steps
        .into_iter()
        .find(|step| step * power >= value * (1.0 - 1e-9));
    step.unwrap_or(10.0) * power
}

/// The number of nines: 0.9 is 1, 0.99 is 2.
fn nines(q: f64) -> f64 {
    -(1.0 - q).max(1e-12).log10()
}

fn linear_ticks(to: f64, most: usize, label: impl Fn(f64) -> String) -> Vec<Tick> {
    let least = to / most.max(1) as f64;
    let power = 10_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power);
    let count = (to / step * (1.0 + 1e-9)).floor() as usize;
    (0..=count)
        .map(|index| index as f64 * step)
        .map(|at| Tick {
            at,
            label: label(at),
        })
        .collect()
}

fn time_ticks(from: f64, to: f64, most: usize) -> Vec<Tick> {
    const STEPS: [f64; 21] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0,
        3600.0, 7200.0, 14_400.0, 21_600.0, 43_200.0, 86_400.0,
    ];
    let least = (to - from) / most.max(1) as f64;
    let step = STEPS.into_iter().find(|step| *step >= least * (1.0 - 1e-9));
    let step = step.unwrap_or_else(|| (least / 86_400.0).ceil() * 86_400.0);
    let (first, last) = (
        (from / step).ceil() as i64,
        (to / step * (1.0 + 1e-9)).floor() as i64,
    );
    let (unit, name) = match step {
        step if step < 60.0 && to <= 600.0 => (1.0, "s"),
        step if step < 3600.0 => (60.0, "min"),
        _ => (3600.0, "h"),
    };
    (first..=last)
        .map(|index| index as f64 * step)
        .map(|at| Tick {
            at,
            label: format!("{} {name}", significant(at / unit, 4)),
        })
        .collect()
}

fn duration_ticks(from: f64, to: f64, most: usize) -> Vec<Tick> {
    let (low, high) = (from.log10().round() as i32, to.log10().round() as i32);
    let decades = (high - low).max(1) as usize;
    let within: &[f64] = match most / decades {
        0 | 1 => &[1.0],
        2 => &[1.0, 3.0],
        _ => &[1.0, 2.0, 5.0],
    };
    let stride = decades.div_ceil(most.max(1)) as i32;
    let mut ticks = Vec::new();
    for decade in (low..=high).filter(|decade| (decade - low) % stride == 0) {
        for step in within {
            let at = step * 10_f64.powi(decade);
            if at <= to * (1.0 + 1e-9) {
                ticks.push(Tick {
                    at,
                    label: duration(at.round() as u64),
                });
            }
        }
    }
    ticks
}

fn nines_ticks(to: f64, most: usize) -> Vec<Tick> {
    let mut values = vec![0.0];
    let whole = nines(to).round() as i32;
    let stride = (whole.max(1) as usize).div_ceil(most.max(2) - 1) as i32;
    // The half is a good landmark, where there is room for it.
    if (whole as usize) * 3 <= most * 2 {
        values.push(0.5);
    }
    values.extend(
        (1..=whole)
            .filter(|nine| nine % stride == 0)
            .map(|nine| 1.0 - 10_f64.powi(-nine)),
    );
    values
        .into_iter()
        .map(|at| Tick {
            at,
            label: format!("{} %", significant(at * 100.0, 12)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Axis> {
        let mut axes = vec![
            Axis::linear([]),
            Axis::share([]),
            Axis::duration([]),
            Axis::duration([0.0, f64::NAN]),
            Axis::Time { from: 0.0, to: 0.0 },
        ];
        for exponent in -3..12 {
            let value = 3.7 * 10_f64.powi(exponent);
            axes.push(Axis::linear([value]));
            axes.push(Axis::share([value]));
            axes.push(Axis::duration([value, value * 40.0]));
            axes.push(Axis::Time {
                from: 0.0,
                to: value,
            });
        }
        axes.extend((1..9).map(|nine| Axis::Nines {
            to: 1.0 - 10_f64.powi(-nine),
        }));
        axes
    }

    #[test]
    fn ticks_ascend_stay_inside_and_are_not_many() {
        for axis in all() {
            for most in [2, 4, 8] {
                let ticks = axis.ticks(most);
                assert!(ticks.len() <= 2 * most + 2, "{axis:?}: {}", ticks.len());
                for pair in ticks.windows(2) {
                    assert!(
                        pair[0].at < pair[1].at && pair[0].label != pair[1].label,
                        "{axis:?} {pair:?}"
                    );
                }
                for tick in &ticks {
                    let place = axis.place(tick.at);
                    assert!((0.0..=1.0).contains(&place), "{axis:?} {tick:?}");
                }
            }
        }
    }

    #[test]
    fn places_grow_with_values_and_are_never_outside() {
        for axis in all() {
            let values = [
                f64::NAN,
                -1.0,
                0.0,
                1e-3,
                0.5,
                0.99,
                1.0,
                37.0,
                1e6,
                1e9,
                f64::INFINITY,
            ];
            let places: Vec<f64> = values.iter().map(|value| axis.place(*value)).collect();
            assert!(
                places.iter().all(|place| (0.0..=1.0).contains(place)),
                "{axis:?} {places:?}"
            );
            assert!(
                places[1..10].windows(2).all(|pair| pair[0] <= pair[1]),
                "{axis:?} {places:?}"
            );
        }
    }

    #[test]
    fn labels_are_what_people_write() {
        let labels = |axis: Axis, most| -> Vec<String> {
            axis.ticks(most)
                .into_iter()
                .map(|tick| tick.label)
                .collect()
        };
        assert_eq!(
            labels(
                Axis::Time {
                    from: 0.0,
                    to: 35.0
                },
                8
            ),
            ["0 s", "5 s", "10 s", "15 s", "20 s", "25 s", "30 s", "35 s"]
        );
        assert_eq!(
            labels(
                Axis::Time {
                    from: 0.0,
                    to: 3600.0
                },
                4
            ),
            ["0 min", "15 min", "30 min", "45 min", "60 min"]
        );
        assert_eq!(
            labels(Axis::duration([2e6, 8e7]), 4),
            ["1 ms", "3 ms", "10 ms", "30 ms", "100 ms"]
        );
        assert_eq!(
            labels(Axis::Nines { to: 0.999 }, 6),
            ["0 %", "50 %", "90 %", "99 %", "99.9 %"]
        );
        assert_eq!(
            labels(Axis::share([0.31]), 4),
            ["0 %", "10 %", "20 %", "30 %", "40 %"]
        );
    }
}
