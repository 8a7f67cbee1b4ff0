//! What a thread hands over once a second.

use super::{Course, Histograms, INTERVAL, Worker};
use crate::clock::Nanos;
use crate::load::report::{Flush, FromWorker};

impl Worker {
    pub(super) fn flush_if_due(&mut self, now: Nanos) {
        // A bucket is closed when all that was due in it has been dispatched.
        let behind = self.stripes.next().is_some_and(|due| due < self.next_flush);
        if now >= self.next_flush && !behind {
            self.flush(self.next_flush);
            while self.next_flush <= now {
                self.next_flush += INTERVAL;
            }
        }
    }

    /// Hands over everything counted until `at`.
    pub(super) fn flush(&mut self, at: Nanos) {
        if let Some(pen) = &mut self.pen {
            pen.hand_over();
        }
        let empty = self
            .spare
            .take()
            .unwrap_or_else(|| Histograms::new(&self.job.layout));
        let histograms = std::mem::replace(&mut self.tally.histograms, empty);
        let since_zero = match self.course {
            // Nothing becomes due any more: the bucket that is under way is as complete as the others.
            Course::Over => Nanos::MAX,
            _ => at.saturating_sub(self.course.zero().unwrap_or(at)),
        };
        let mut closed = std::mem::take(&mut self.closed);
        self.tally.buckets.close(since_zero, &mut closed);
        let flush = Flush {
            thread: self.job.thread,
            at,
            histograms,
            closed,
            oldest_open: self.tally.buckets.oldest_open(since_zero),
            held: self.beat.tell(),
            in_flight: self.in_flight.iter().sum(),
            connections: self.connections.len() as u32,
            opened: std::mem::take(&mut self.totals.opened_since_flush),
            socket_errors: std::mem::take(&mut self.totals.socket_errors_since_flush),
            lost: std::mem::take(&mut self.totals.lost_since_flush),
            answered: std::mem::take(&mut self.answered),
            sticky: self.sticky_connections(),
            addresses: self.current_addresses(),
        };
        self.tell(FromWorker::Flush(flush));
        self.look_up_again();
    }
}
