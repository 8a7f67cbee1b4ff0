//! What becomes due, and when: stripes merged by due time, flows drawn, templates rendered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use firedrill_scenarios::outcome::NotSent;
use firedrill_scenarios::plan::{self, Arrivals, Drive, Flow, LedgerUse, Lifetime};
use firedrill_scenarios::template::{Values, WriteKey};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::agenda::Task;
use super::operation::{Stage, WriteNumber};
use super::schedule::{Purpose, Segment, StripeKey, StripeSchedule, unit};
use super::sessions::Slot;
use super::think;
use super::worker::{Course, Worker};
use crate::clock::Nanos;
use crate::ledger::Clients;
use crate::ledger::pen::Pen;

/// Arrivals that are started before orders and answers are looked at again: a rate that this machine cannot make
/// must not keep it from being told to stop.
const MOST_AT_ONCE: usize = 4096;

/// The thread's stripes with sessions, and the next arrival of each.
#[derive(Default)]
pub struct Stripes {
    all: Vec<Stripe>,
    heap: BinaryHeap<Reverse<(Nanos, usize)>>,
}

pub struct Stripe {
    pub key: StripeKey,
    /// Indices of its slots on this thread, in the order of their sessions.
    slots: Vec<usize>,
    /// Arrivals so far.
    count: u64,
    /// Schedules of the segments to come, the next one last, each with its phase.
    schedules: Vec<StripeSchedule>,
}

impl Stripes {
    pub fn new(slots: &[Slot]) -> Stripes {
        let mut all: Vec<Stripe> = Vec::new();
        for (index, slot) in slots.iter().enumerate() {
            let own = |stripe: &&mut Stripe| {
                (stripe.key.load, stripe.key.stripe) == (slot.key.load, slot.key.stripe)
            };
            match all.iter_mut().find(own) {
                Some(stripe) => stripe.slots.push(index),
                None => all.push(Stripe {
                    key: slot.key,
                    slots: vec![index],
                    count: 0,
                    schedules: Vec::new(),
                }),
            }
        }
        Stripes {
            all,
            heap: BinaryHeap::new(),
        }
    }

    /// When the next arrival is due, on the clock.
    pub fn next(&self) -> Option<Nanos> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    pub fn clear(&mut self) {
        self.heap.clear();
    }

    /// Puts the stripe's next arrival into the heap.
    fn refill(&mut self, index: usize, zero: Nanos) {
        let stripe = &mut self.all[index];
        while let Some(schedule) = stripe.schedules.last_mut() {
            if let Some(due) = schedule.next() {
                self.heap.push(Reverse((zero + due, index)));
                return;
            }
            stripe.schedules.pop();
        }
    }
}

impl Worker {
    /// Begins the schedules of open loads and the cycles of closed ones.
    pub fn start_stripes(&mut self, zero: Nanos) {
        let plan = self.plan.clone();
        for index in 0..self.stripes.all.len() {
            let stripe = &mut self.stripes.all[index];
            let load = &plan.loads[stripe.key.load];
            let Drive::Open(arrivals) = &load.drive else {
                continue;
            };
            stripe.schedules = schedules(&plan, stripe.key, arrivals, &self.segments);
            self.stripes.refill(index, zero);
        }
        for slot in 0..self.slots.len() {
            let own = &self.slots[slot];
            if let Drive::Closed { think } = &plan.loads[own.load].drive {
                let first = zero + think::before_first(think, own.key, own.session);
                self.agenda.add(first, Task::Cycle { slot });
            }
        }
    }

    /// Follows a new division of the time to come. The segment that is under way may only become shorter, so that
    /// what is due before its end stays as it was; everything after it is computed anew.
    pub fn recut(&mut self, segments: Vec<Segment>, now: Nanos) {
        let Course::Running { zero } = self.course else {
            return;
        };
        let plan = self.plan.clone();
        self.segments = segments;
        // A thread that is behind is still in the segment of what it has to make due next.
        let behind = self.stripes.next().map_or(now, |due| due.min(now));
        let since = behind.saturating_sub(zero);
        let current = self.segments.partition_point(|own| own.end <= since);
        let end = self.segments.get(current).map_or(since, |own| own.end);
        let waiting = std::mem::take(&mut self.stripes.heap);
        let mut kept = vec![false; self.stripes.all.len()];
        for Reverse((due, index)) in waiting {
            if due - zero < end {
                kept[index] = true;
                self.stripes.heap.push(Reverse((due, index)));
            }
        }
        for (index, kept) in kept.into_iter().enumerate() {
            let stripe = &mut self.stripes.all[index];
            let Drive::Open(arrivals) = &plan.loads[stripe.key.load].drive else {
                continue;
            };
            let under_way = stripe.schedules.pop();
            let after = self.segments.get(current + 1..).unwrap_or_default();
            stripe.schedules = schedules(&plan, stripe.key, arrivals, after);
            let phase = self.segments.get(current).map(|own| own.phase);
            if let Some(mut own) = under_way.filter(|own| Some(own.phase()) == phase) {
                own.cut(end);
                stripe.schedules.push(own);
            }
            if !kept {
                self.stripes.refill(index, zero);
            }
        }
        self.pacer.arm(now);
    }

    /// Starts a flow for every arrival that is due, or for the first of very many.
    pub fn dispatch_due(&mut self, now: Nanos) {
        let Some(zero) = self.course.zero() else {
            return;
        };
        for _ in 0..MOST_AT_ONCE {
            let Some(Reverse((due, index))) = self.stripes.heap.peek().copied() else {
                break;
            };
            if due > now {
                break;
            }
            self.stripes.heap.pop();
            let stripe = &mut self.stripes.all[index];
            let arrival = stripe.count;
            stripe.count += 1;
            let slot = stripe.slots[(arrival % stripe.slots.len() as u64) as usize];
            let random = stripe.key.stream(Purpose::Content, arrival);
            self.stripes.refill(index, zero);
            self.start_flow(slot, due, arrival, random);
        }
        self.post();
    }

    /// The next flow of a closed load's session.
    pub fn cycle(&mut self, slot: usize, due: Nanos) {
        let own = &mut self.slots[slot];
        let round = own.rounds;
        own.rounds += 1;
        // Sessions of a stripe share its numbers: each takes its own residue.
        let stride = u64::from(own.key.own_sessions().max(1));
        let arrival = round * stride + u64::from(own.session / super::schedule::STRIPES);
        let random = own.key.stream(Purpose::Content, arrival);
        self.start_flow(slot, due, arrival, random);
    }

    /// Closed loads: what is due at once, without going through the timer.
    pub fn run_ready(&mut self) {
        while let Some((slot, due)) = self.ready.pop_front() {
            self.cycle(slot, due);
        }
        self.post();
    }

    fn start_flow(
        &mut self,
        slot: usize,
        due: Nanos,
        arrival: u64,
        mut random: Xoshiro256PlusPlus,
    ) {
        let load = self.slots[slot].load;
        let flow = draw_flow(&self.plan.loads[load].flows, unit(&mut random));
        let index = self.operations.take();
        let operation = &mut self.operations[index];
        operation.load = load;
        operation.flow = flow;
        operation.step = 0;
        operation.slot = slot;
        operation.due = due;
        operation.arrival = arrival;
        operation.random = random;
        for value in &mut operation.saved {
            value.clear();
        }
        self.start_step(index);
    }

    /// An operation is due: from here on it has a bucket, and will have exactly one outcome.
    pub fn start_step(&mut self, index: u32) {
        let plan = self.plan.clone();
        let Some(phase) = self.phase_at(self.operations[index].due) else {
            // After the end of the timeline nothing begins.
            self.operations.give_back(index);
            return;
        };
        let operation = &mut self.operations[index];
        let load = &plan.loads[operation.load];
        let flow = &load.flows[operation.flow];
        let definition = &load.operations[flow.steps[operation.step].operation];
        operation.phase = phase;
        operation.series =
            self.job
                .dialect
                .series_of(operation.load, operation.flow, operation.step);
        operation.deadline = operation
            .due
            .saturating_add(definition.timeout.as_nanos() as Nanos);
        operation.held = self.beat.held_at(operation.due);
        operation.dispatched = None;
        operation.sent = None;
        operation.head = None;
        operation.stage = Stage::Waiting;
        operation.by = None;
        operation.write = definition.ledger.and_then(|used| match used {
            LedgerUse::Write => number_write(&mut self.pen, self.slots[operation.slot].key),
            LedgerUse::Read => None,
        });
        self.tally.buckets.expect(phase, operation.due);
        self.render(index, definition, load, flow);
        #[cfg(test)]
        self.totals
            .issued
            .push(self.operations[index].issued(&self.course));
        self.dispatch(index);
    }

    fn render(&mut self, index: u32, definition: &plan::Operation, load: &plan::Load, flow: &Flow) {
        let operation = &mut self.operations[index];
        let slot = &mut self.slots[operation.slot];
        let seq = slot.seq;
        slot.seq += 1;
        operation.params.clear();
        let Some(template) = &definition.params else {
            return;
        };
        operation.spans.clear();
        operation.spans.resize(template.spans, 0..0);
        if operation.saved.len() < flow.slots {
            operation.saved.resize_with(flow.slots, Vec::new);
        }
        let (cells, columns) = match &load.rows {
            Some(rows) => (rows.cells.as_slice(), rows.columns.len()),
            None => (&[][..], 0),
        };
        let rows = (cells.len() / columns.max(1)).max(1) as u64;
        let stripes = u64::from(load.sessions.count.min(super::schedule::STRIPES));
        // Flows differ in length: with the longest, no two operations have the same count.
        let longest = load.flows.iter().map(|flow| flow.steps.len()).max();
        let values = Values {
            seed: self.job.seed,
            stripe: slot.key.stripe as u16,
            count: operation.arrival * longest.unwrap_or(1) as u64 + operation.step as u64,
            load: operation.load as u16,
            seq,
            session: u64::from(slot.session),
            row: ((operation.arrival * stripes + u64::from(slot.key.stripe)) % rows) as usize,
            cells,
            columns,
            saved: &operation.saved,
            write: match (&self.pen, operation.write) {
                (Some(pen), Some(WriteNumber { client, sequence })) => WriteKey {
                    client: pen.name(client),
                    sequence,
                },
                _ => WriteKey::default(),
            },
            cursor: "",
        };
        template.render(
            &values,
            &mut operation.random,
            &mut operation.params,
            &mut operation.spans,
        );
    }

    fn dispatch(&mut self, index: u32) {
        let operation = &self.operations[index];
        let load = operation.load;
        self.in_flight[load] += 1;
        let unnumbered = operation.write.is_some_and(|write| write.sequence == 0);
        // The clock is not read for this: it is when the request is sent.
        if self.moment >= operation.deadline || unnumbered {
            self.not_sent(index, NotSent::Generator);
        } else if self.in_flight[load] > self.in_flight_limit[load] {
            self.not_sent(index, NotSent::InFlightLimit);
        } else {
            self.wheel.insert(index, operation.deadline);
            self.assign(index);
        }
    }

    /// The phase in which an instant of the clock lies.
    pub fn phase_at(&self, at: Nanos) -> Option<usize> {
        let since = at.checked_sub(self.course.zero()?)?;
        let place = self
            .segments
            .partition_point(|segment| segment.end <= since);
        self.segments.get(place).map(|segment| segment.phase)
    }

    /// True when the session has had its share of operations.
    pub fn is_spent(lifetime: Lifetime, calls: u64) -> bool {
        match lifetime {
            Lifetime::Calls(limit) => calls >= limit,
            Lifetime::Run | Lifetime::Time(_) => false,
        }
    }
}

/// The schedules of a stripe in these segments, the first one last.
fn schedules(
    plan: &plan::Plan,
    key: StripeKey,
    arrivals: &Arrivals,
    segments: &[Segment],
) -> Vec<StripeSchedule> {
    let schedule = |segment: &Segment| {
        let phase = &plan.timeline[segment.phase];
        let own = phase.arrivals.get(key.load).and_then(Option::as_ref);
        let mut segment = segment.clone();
        if own.is_some() {
            segment.zero = segment.start;
            segment.length = segment.end - segment.start;
        }
        StripeSchedule::new(key, segment, own.unwrap_or(arrivals))
    };
    segments.iter().rev().map(schedule).collect()
}

/// A number for the next write of the stripe.
fn number_write(pen: &mut Option<Pen>, key: StripeKey) -> Option<WriteNumber> {
    let client = Clients::number(key.load, key.stripe);
    let sequence = pen.as_mut()?.take(client).unwrap_or(0);
    Some(WriteNumber { client, sequence })
}

/// The flow at this place of the weights, `place` being uniform in `[0, 1)`.
fn draw_flow(flows: &[Flow], place: f64) -> usize {
    let mut left = place * flows.iter().map(|flow| flow.weight).sum::<f64>();
    for (index, flow) in flows.iter().enumerate() {
        left -= flow.weight;
        if left < 0.0 {
            return index;
        }
    }
    flows.len() - 1
}
