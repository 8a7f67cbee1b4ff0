//! How far back the surviving data reaches.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::merge::Merge;
use super::tally::{Anomaly, Fate, Found, Tally};
use super::{Attempt, ReadBack, Row};

/// What ends the acknowledgements that a fault may take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub t0: u64,
    /// When another site was promoted, a backup was restored, or writes were stopped. Without any of them, `t0`.
    pub until: Option<u64>,
    /// The site that failed; `None` where whoever acknowledges is meant.
    pub site: Option<u16>,
}

/// The last acknowledgements before everything was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last {
    /// t_stop: the last acknowledgement, or `t0` when that is later.
    pub stop: u64,
    /// The longest time without an acknowledgement among the last ones, up to the stop: how finely loss is seen.
    pub resolution: u64,
    /// The first acknowledgement of all; none when there is none before the stop.
    pub first: Option<u64>,
}

/// So many acknowledgements before the stop say how finely loss is seen.
const LAST: usize = 64;

/// Looks through all attempts, in any order.
pub fn last_acknowledgements<E>(
    attempts: impl Iterator<Item = Result<Attempt, E>>,
    stop: &Stop,
) -> Result<Last, E> {
    let until = stop.until.unwrap_or(stop.t0).max(stop.t0);
    let mut newest: BinaryHeap<Reverse<u64>> = BinaryHeap::with_capacity(LAST + 1);
    let mut first: Option<u64> = None;
    for attempt in attempts {
        let attempt = attempt?;
        let by_it = stop.site.is_none_or(|site| site == attempt.site);
        let Some(at) = attempt.acknowledged.filter(|at| by_it && *at <= until) else {
            continue;
        };
        first = Some(first.map_or(at, |first| first.min(at)));
        newest.push(Reverse(at));
        if newest.len() > LAST {
            newest.pop();
        }
    }
    let mut newest: Vec<u64> = newest.into_iter().map(|Reverse(at)| at).collect();
    newest.sort_unstable();
    let at = newest.last().map_or(stop.t0, |last| stop.t0.max(*last));
    newest.push(at);
    let gaps = newest.windows(2).map(|pair| pair[1] - pair[0]);
    Ok(Last {
        stop: at,
        resolution: gaps.max().unwrap_or(0),
        first,
    })
}

/// The recovery point R: the newest surviving write with no lost one acknowledged before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub t_stop: u64,
    /// When R was acknowledged; none when nothing survived.
    pub recovered_to: Option<u64>,
    pub oldest_lost: Option<u64>,
    /// `t_stop - ack(R)`; from the first acknowledgement where nothing survived.
    pub rpo: u64,
    /// `t_stop - ack(oldest lost)`.
    pub rpo_lower: Option<u64>,
    pub resolution: u64,
    /// Lost writes that are older than a surviving one.
    pub holes: u64,
}

/// The second pass over the same attempts and rows. `tell` hears of every hole. None without an acknowledgement
/// before the stop; then there are no holes either.
pub fn point<E>(
    attempts: impl Iterator<Item = Result<Attempt, E>>,
    rows: [impl Iterator<Item = Result<Row, E>>; 2],
    read_back: &ReadBack,
    tally: &Tally,
    last: &Last,
    mut tell: impl FnMut(Found),
) -> Result<Option<Point>, E> {
    let Some(first) = last.first else {
        return Ok(None);
    };
    let oldest_lost = tally.oldest_lost.filter(|at| *at <= last.stop);
    let mut recovered_to: Option<u64> = None;
    let mut holes = 0;
    for key in Merge::new(attempts, rows) {
        let key = key?;
        match Fate::of(&key, read_back) {
            Fate::Kept { at, .. } => {
                let before_the_loss = oldest_lost.is_none_or(|lost| at < lost);
                if at <= last.stop && before_the_loss {
                    recovered_to = recovered_to.max(Some(at));
                }
            }
            Fate::Lost { at } if tally.newest_survivor_sent.is_some_and(|sent| at < sent) => {
                holes += 1;
                tell(Found {
                    anomaly: Anomaly::Hole,
                    client: key.client,
                    sequence: key.sequence,
                    attempt: key.attempt,
                });
            }
            Fate::Lost { .. }
            | Fate::Foreign
            | Fate::Unexpected
            | Fate::Later
            | Fate::Refused
            | Fate::Indeterminate { .. }
            | Fate::LostBefore
            | Fate::LostAfterStop
            | Fate::Behind
            | Fate::SplitBrain
            | Fate::Unread => {}
        }
    }
    Ok(Some(Point {
        t_stop: last.stop,
        recovered_to,
        oldest_lost,
        rpo: last.stop - recovered_to.unwrap_or(first).min(last.stop),
        rpo_lower: oldest_lost.map(|lost| last.stop - lost),
        resolution: last.resolution,
        holes,
    }))
}
