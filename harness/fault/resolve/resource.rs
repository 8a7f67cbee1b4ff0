//! Resources that are used up: what of them, in whom, and what shows it.

use std::net::SocketAddr;
use std::time::Duration;

use firedrill_erlmcp::world::{Busy, Press, Request, SiteView};
use firedrill_scenarios::plan::{self, Target, Victims};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::made::Made;
use super::{ResolveError, Scene, names};
use crate::fault::gauge::{Gauge, busy, memory};
use crate::fault::limit::{Limit, Resource};
use crate::fault::pinned::{Change, Reversal, Sight, Step, Undo};
use crate::fault::process::Process;

/// In which a thread is kept busy for a part, so that others are slowed and not stopped.
const SLICE: Duration = Duration::from_millis(20);
/// Long enough for whoever looks at the clock to notice.
const LONG_SLICE: Duration = Duration::from_millis(200);
/// What a pod asks of the system beside what it holds for its clients.
const ROOM: u64 = 64 << 20;
/// What is asked for beyond every limit.
const BEYOND: u64 = 256 << 20;
/// What a pod without a bound is filled with.
const UNBOUNDED: u64 = 64 << 20;

impl<'a> Scene<'a> {
    pub(super) fn slow_pod(
        &self,
        victims: &Victims,
        (factor, busy): (f64, f64),
        random: &mut Xoshiro256PlusPlus,
    ) -> Result<(String, Made), ResolveError> {
        let usual = self.behaviour(victims.site)?.service_time.typical();
        self.each_pod(victims, random, |pod, made| {
            slow(pod, made, factor, usual);
            keep_busy(pod, made, busy, SLICE)
        })
    }

    pub(super) fn cpu_saturation(
        &self,
        victims: &Victims,
        random: &mut Xoshiro256PlusPlus,
    ) -> Result<(String, Made), ResolveError> {
        self.each_pod(victims, random, |pod, made| {
            keep_busy(pod, made, 1.0, LONG_SLICE)
        })
    }

    pub(super) fn memory_exhaustion(
        &self,
        victims: &Victims,
        random: &mut Xoshiro256PlusPlus,
    ) -> Result<(String, Made), ResolveError> {
        let bound = self.behaviour(victims.site)?.bounds.memory;
        self.each_pod(victims, random, |pod, made| {
            fill(pod, made, bound.unwrap_or(UNBOUNDED))
        })
    }

    pub(super) fn queue_exhaustion(
        &self,
        victims: &Victims,
        random: &mut Xoshiro256PlusPlus,
    ) -> Result<(String, Made), ResolveError> {
        self.each_pod(victims, random, occupy)
    }

    fn behaviour(&self, site: usize) -> Result<&'a plan::Behaviour, ResolveError> {
        match &self.plan.target {
            Target::Embedded(embedded) => Ok(&embedded.sites[site].behaviour),
            Target::Endpoint(_) => Err(ResolveError::NoWorld),
        }
    }

    /// The same for each of the victims.
    fn each_pod(
        &self,
        victims: &Victims,
        random: &mut Xoshiro256PlusPlus,
        one: impl Fn(&Pod, &mut Made) -> Result<(), ResolveError>,
    ) -> Result<(String, Made), ResolveError> {
        let (site, processes) = self.victims(victims, random)?;
        let mut made = Made::default();
        for process in &processes {
            if let Some(view) = site.process(&process.name) {
                let pod = Pod {
                    site: site.name.clone(),
                    process: process.clone(),
                    address: view.address,
                };
                one(&pod, &mut made)?;
            }
        }
        Ok((names(&processes), made))
    }
}

struct Pod {
    site: String,
    process: Process,
    address: SocketAddr,
}

impl Pod {
    fn press(&self, press: Press) -> Request {
        Request::Press {
            site: self.site.clone(),
            pod: self.process.name.clone(),
            press,
        }
    }

    fn gone(&self) -> ResolveError {
        ResolveError::Ended {
            name: self.process.name.clone(),
        }
    }
}

fn gauge(gauge: Gauge) -> Sight {
    Sight::Gauge(gauge)
}

fn ask(what: String, change: Request, back: Request, ends: Gauge) -> Step {
    Step {
        what,
        change: Change::Ask(change),
        undo: Undo {
            change: Reversal::Ask(back),
            ends: vec![gauge(ends)],
        },
    }
}

/// Half way between what is usual and what is wanted, on a scale of factors.
fn slow(pod: &Pod, (steps, effects): &mut Made, factor: f64, usual: Duration) {
    if factor == 1.0 {
        return;
    }
    let behave = |service_factor| Request::Behave {
        site: pod.site.clone(),
        pod: pod.process.name.clone(),
        service_factor,
    };
    let (address, time) = (pod.address, usual.mul_f64(factor.sqrt()));
    let what = format!("let {} take {factor} times as long", pod.process.name);
    let ends = Gauge::Swift { address, time };
    steps.push(ask(what, behave(factor), behave(1.0), ends));
    effects.push(gauge(Gauge::Slow { address, time }));
}

/// The only thread is kept busy: half of what it has more of a processor then has to be seen.
fn keep_busy(
    pod: &Pod,
    (steps, effects): &mut Made,
    share: f64,
    slice: Duration,
) -> Result<(), ResolveError> {
    if share <= 0.0 {
        return Ok(());
    }
    let process = pod.process.clone();
    let usual = busy(&process).ok().flatten().ok_or_else(|| pod.gone())?;
    let more = usual.min(1.0) + share * (1.0 - usual.min(1.0)) / 2.0;
    let thread = |busy| pod.press(Press::Thread(busy));
    let what = format!(
        "keep the thread of {} busy for {:.0} % of the time",
        process.name,
        share * 100.0
    );
    let ends = Gauge::Idle {
        process: process.clone(),
        share: more,
    };
    let change = thread(Some(Busy { share, slice }));
    steps.push(ask(what, change, thread(None), ends));
    effects.push(gauge(Gauge::Busy {
        process,
        share: more,
    }));
    Ok(())
}

/// A limit of the system's above the pod's bound, and growth that stops at neither by itself.
fn fill(pod: &Pod, (steps, effects): &mut Made, bound: u64) -> Result<(), ResolveError> {
    let process = pod.process.clone();
    let (claimed, resident) = memory(&process).ok_or_else(|| pod.gone())?;
    let before = Limit::of(&process, Resource::AddressSpace).ok().flatten();
    let before = before.ok_or_else(|| pod.gone())?;
    let limit = Limit {
        most: Some(claimed + bound + ROOM),
        ..before.clone()
    };
    steps.push(limited(
        format!("limit the address space of {}", process.name),
        &limit,
        before,
    ));
    let memory = |bytes| pod.press(Press::Memory(bytes));
    let what = format!("fill the memory of {}", process.name);
    let ends = Gauge::ResidentBelow {
        process: process.clone(),
        bytes: resident + bound / 2,
    };
    steps.push(ask(what, memory(bound + BEYOND), memory(0), ends));
    effects.push(gauge(Gauge::LimitedOrGone(limit)));
    effects.push(gauge(Gauge::Filled {
        process,
        bytes: resident + bound / 2,
    }));
    Ok(())
}

fn limited(what: String, limit: &Limit, before: Limit) -> Step {
    Step {
        what,
        change: Change::Limit(limit.clone()),
        undo: Undo {
            change: Reversal::Limit(before.clone()),
            ends: vec![gauge(Gauge::LimitedOrGone(before))],
        },
    }
}

fn occupy(pod: &Pod, (steps, effects): &mut Made) -> Result<(), ResolveError> {
    let work = |on| pod.press(Press::Work(on));
    let what = format!("take every place at work in {}", pod.process.name);
    steps.push(ask(what, work(true), work(false), Gauge::Open(pod.address)));
    effects.push(gauge(Gauge::Closed(pod.address)));
    Ok(())
}

/// The log may not become longer than it is.
pub(super) fn disk_full(site: &SiteView, store: &Process) -> Result<Made, ResolveError> {
    let unreadable = |why: std::io::Error| ResolveError::Log {
        site: site.name.clone(),
        why: format!("it cannot be read: {why}"),
    };
    let length = std::fs::metadata(site.log()).map_err(unreadable)?.len();
    let before = Limit::of(store, Resource::FileSize).map_err(unreadable)?;
    let before = before.ok_or_else(|| ResolveError::NoStore {
        site: site.name.clone(),
    })?;
    let limit = Limit {
        most: Some(length),
        ..before.clone()
    };
    let what = format!(
        "let no file of {} become longer than {length} bytes",
        store.name
    );
    let step = limited(what, &limit, before);
    Ok((vec![step], vec![gauge(Gauge::Limited(limit))]))
}

pub(super) fn clock_jump(by: Duration, back: bool) -> Made {
    let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    let ms = if back { -ms } else { ms };
    let clock = |ahead_ms| Request::Clock { ahead_ms };
    let what = format!("set the director's clock by {ms} ms");
    let step = ask(what, clock(ms), clock(0), Gauge::Ahead { ms: 0 });
    (vec![step], vec![gauge(Gauge::Ahead { ms })])
}

pub(super) fn certificate(site: &SiteView) -> Made {
    let request = |expired| Request::Certificate {
        site: site.name.clone(),
        expired,
    };
    let seen = |expired| Gauge::Certificate {
        site: site.name.clone(),
        expired,
    };
    let what = format!("let {} show a certificate that has expired", site.name);
    let step = ask(what, request(true), request(false), seen(false));
    (vec![step], vec![gauge(seen(true))])
}
