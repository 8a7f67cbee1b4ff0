//! Sliding windows over buckets.

use std::ops::Range;
use std::time::Duration;

use crate::limit::{Finding, Limit, Share, judge_point};

/// A window's buckets, and what was found in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Indices of its buckets.
    pub buckets: Range<usize>,
    pub finding: Finding,
}

/// Every whole window of `length` over `count` buckets of `width`, a bucket apart. A length that is no multiple of
/// the width is rounded up.
pub fn windows(
    count: usize,
    width: Duration,
    length: Duration,
) -> impl Iterator<Item = Range<usize>> {
    let each = (length.as_secs_f64() / width.as_secs_f64().max(1e-9))
        .ceil()
        .max(1.0) as usize;
    (each..=count).map(move |end| end - each..end)
}

/// The window that decides: the worst verdict, and of those the greatest share; the first of equals.
/// `None` when no window is whole.
pub fn worst_window(
    buckets: &[Share],
    width: Duration,
    length: Duration,
    limit: Limit,
) -> Option<Window> {
    let mut worst: Option<Window> = None;
    for range in windows(buckets.len(), width, length) {
        let share = buckets[range.clone()].iter().copied().sum();
        let finding = judge_point(share, limit);
        if worst
            .as_ref()
            .is_none_or(|worst| weight(&finding) > weight(&worst.finding))
        {
            worst = Some(Window {
                buckets: range,
                finding,
            });
        }
    }
    worst
}

/// Comparable: the verdict first, then the share. A window in which nothing was due has no share.
fn weight(finding: &Finding) -> (crate::Verdict, u64, f64) {
    let share = finding.share.value();
    (
        finding.verdict,
        u64::from(share.is_some()),
        share.unwrap_or(0.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_worst_window_is_the_one_that_decides() {
        let mut buckets = vec![Share { bad: 0, of: 1000 }; 60];
        buckets[20] = Share { bad: 40, of: 1000 };
        buckets[21] = Share { bad: 40, of: 1000 };
        let worst = worst_window(&buckets, SECOND, 5 * SECOND, Limit::Below(0.01)).unwrap();
        assert_eq!(worst.buckets, 17..22, "the first that holds both");
        assert_eq!(worst.finding.share, Share { bad: 80, of: 5000 });
        assert_eq!(worst.finding.verdict, Verdict::Fail);
    }

    #[test]
    fn a_thin_window_is_no_pass() {
        let mut buckets = vec![Share { bad: 0, of: 1000 }; 10];
        buckets.extend([Share { bad: 0, of: 10 }; 10]);
        let worst = worst_window(&buckets, SECOND, 5 * SECOND, Limit::Below(0.01)).unwrap();
        assert_eq!(worst.finding.verdict, Verdict::Inconclusive);
        assert_eq!(
            worst_window(&buckets, SECOND, 30 * SECOND, Limit::Below(0.01)),
            None
        );
    }

    #[test]
    fn windows_round_up_to_whole_buckets() {
        let all: Vec<_> = windows(4, Duration::from_millis(400), SECOND).collect();
        assert_eq!(all, [0..3, 1..4]);
    }
}
