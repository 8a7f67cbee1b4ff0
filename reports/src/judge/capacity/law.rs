//! Throughput against concurrency: the universal scalability law through all trials that can be trusted.

use firedrill_evidence::{LEAST_POINTS, Point, Scalability};

use super::decided;
use crate::numbers::{rate, share, significant};
use crate::result::{Fitted, Residual, Trial};

/// A ceiling that is so many times higher than all that was seen is no more than a straight line's noise.
const FAR: f64 = 3.0;

pub fn fitted(trials: &[Trial]) -> Fitted {
    let seen: Vec<(u32, Point)> = decided(trials).filter_map(point).collect();
    let points: Vec<Point> = seen.iter().map(|(_, point)| *point).collect();
    let law = Scalability::fit(&points);
    let residuals = seen.iter().map(|(trial, point)| {
        let fitted = law
            .as_ref()
            .ok()
            .map(|law| rounded(law.throughput(point.concurrency)));
        Residual {
            trial: *trial,
            concurrency: point.concurrency,
            throughput: point.throughput,
            fitted,
            residual: fitted.map(|fitted| rounded(point.throughput - fitted)),
        }
    });
    let seen_most = points.iter().map(|own| own.concurrency).fold(0.0, f64::max);
    let highest = points.iter().map(|own| own.throughput).fold(0.0, f64::max);
    let good = law.ok().filter(Scalability::describes);
    let near = |most: &f64| *most <= FAR * highest;
    let knee = good.as_ref().and_then(Scalability::knee);
    Fitted {
        law: law.as_ref().ok().copied(),
        knee: knee.map(rounded),
        peak: good
            .zip(knee)
            .map(|(law, knee)| rounded(law.throughput(knee))),
        extrapolated: knee.is_some_and(|knee| knee > seen_most),
        asymptote: good
            .as_ref()
            .and_then(Scalability::asymptote)
            .filter(near)
            .map(rounded),
        reason: match law {
            Err(few) => format!(
                "{} different concurrencies are too few for three parameters: {LEAST_POINTS} are needed",
                few.different
            ),
            Ok(law) => in_words(&law, seen_most, highest),
        },
        points: residuals.collect(),
    }
}

fn point(own: &Trial) -> Option<(u32, Point)> {
    let point = Point {
        concurrency: own.concurrency.filter(|own| *own > 0.0)?,
        throughput: own.completed_per_second.filter(|own| *own > 0.0)?,
    };
    Some((own.number, point))
}

fn in_words(law: &Scalability, seen_most: f64, highest: f64) -> String {
    let explained = share(law.r_squared.max(0.0));
    if !law.describes() {
        return format!(
            "the law does not describe these trials: it explains {explained} of their variance, so no knee is told"
        );
    }
    let fit = format!("R² {}", significant(law.r_squared, 4));
    match (
        law.knee(),
        law.asymptote().filter(|most| *most <= FAR * highest),
    ) {
        (Some(knee), _) => {
            let beyond = match knee > seen_most {
                true => ", which is beyond every concurrency that was seen",
                false => "",
            };
            let peak = rate(law.throughput(knee));
            format!(
                "the knee is at {} under way with {peak}{beyond} ({fit})",
                significant(knee, 3)
            )
        }
        (None, Some(most)) => format!("no peak: throughput comes near to {} ({fit})", rate(most)),
        (None, None) => {
            format!("throughput grows with every operation under way: no knee in sight ({fit})")
        }
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
