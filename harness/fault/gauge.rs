//! What shows that a resource is used up, or is there again: the kernel's accounts of a process, a client of our own,
//! the file system, a clock beside ours.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::knock::{self, Heard};
use super::limit::Limit;
use super::process::{Process, State, ends_within};
use super::seen::Eyes;
use crate::clock::{self, Clock};
use crate::target::world::{AUTHORITY, NAME};

/// Over which the kernel's account of a process is watched.
const WINDOW: Duration = Duration::from_millis(300);
/// Calls of which most have to be slow, or swift.
const CALLS: usize = 9;
/// What two clocks of one machine may differ by, and a question takes.
const CLOCKS: u64 = 2_000;

/// Where it says so, a process that is gone has no trouble any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gauge {
    /// The kernel keeps this limit for the process.
    Limited(Limit),
    /// The same, or the process is gone.
    LimitedOrGone(Limit),
    /// The file has not grown beyond this.
    FileAtMost { path: PathBuf, bytes: u64 },
    /// The process has so much memory, or more; or it has ended for want of it, as one without a bound does.
    Filled { process: Process, bytes: u64 },
    /// It has less, or is gone.
    ResidentBelow { process: Process, bytes: u64 },
    /// It has this share of a processor, or more.
    Busy { process: Process, share: f64 },
    /// It has less, or is gone.
    Idle { process: Process, share: f64 },
    /// Most calls of a client of our own take this long, or longer.
    Slow { address: SocketAddr, time: Duration },
    /// Most take less, or nobody is there to be called.
    Swift { address: SocketAddr, time: Duration },
    /// A call of our own is refused, or not answered.
    Closed(SocketAddr),
    /// It is answered, or nobody is there to be called.
    Open(SocketAddr),
    /// A handshake of our own finds that the certificate of the site has expired; or that it is good.
    Certificate { site: String, expired: bool },
    /// The director's time of day is so much ahead of ours, in milliseconds.
    Ahead { ms: i64 },
}

impl Gauge {
    /// Who sees it, in words.
    pub fn witnesses(&self) -> &'static [&'static str] {
        match self {
            Gauge::Limited(_) | Gauge::LimitedOrGone(_) => &["the kernel's limits of the process"],
            Gauge::FileAtMost { .. } => &["the file system"],
            Gauge::Filled { .. }
            | Gauge::ResidentBelow { .. }
            | Gauge::Busy { .. }
            | Gauge::Idle { .. } => &["the kernel's accounts of the process"],
            Gauge::Slow { .. } | Gauge::Swift { .. } => &["the times of a client of our own"],
            Gauge::Closed(_) | Gauge::Open(_) => &["a client of our own"],
            Gauge::Certificate { .. } => &["a handshake of our own"],
            Gauge::Ahead { .. } => &["the director's answer beside our clock"],
        }
    }

    /// # Errors
    /// When it cannot be looked at.
    pub fn sees(&self, eyes: &Eyes) -> Result<bool, String> {
        let text = |error: io::Error| error.to_string();
        match self {
            Gauge::Limited(limit) => Ok(limit.is_kept().map_err(text)? == Some(true)),
            Gauge::LimitedOrGone(limit) => Ok(limit.is_kept().map_err(text)? != Some(false)),
            Gauge::FileAtMost { path, bytes } => {
                Ok(fs::metadata(path).map_err(text)?.len() <= *bytes)
            }
            Gauge::Filled { process, bytes } => {
                Ok(resident(process).is_none_or(|now| now >= *bytes))
            }
            Gauge::ResidentBelow { process, bytes } => {
                Ok(resident(process).is_none_or(|now| now < *bytes))
            }
            Gauge::Busy { process, share } => Ok(busy(process)
                .map_err(text)?
                .is_some_and(|now| now >= *share)),
            Gauge::Idle { process, share } => {
                Ok(busy(process).map_err(text)?.is_none_or(|now| now < *share))
            }
            Gauge::Slow { address, time } => Ok(most_take(*address, *time) == Some(true)),
            Gauge::Swift { address, time } => Ok(most_take(*address, *time) != Some(true)),
            Gauge::Closed(address) => Ok(matches!(
                knock::ask(*address),
                Heard::Refusal | Heard::Silence
            )),
            Gauge::Open(address) => Ok(matches!(
                knock::ask(*address),
                Heard::Answer(_) | Heard::Nobody
            )),
            Gauge::Certificate { site, expired } => {
                let (world, view) = (eyes.world()?, eyes.view()?);
                let front = view.site(site).map(|site| site.front);
                let front = front.ok_or_else(|| format!("there is no site {site}"))?;
                let authority = world.state().join(AUTHORITY);
                let is_good = knock::shake_hands(front, NAME, &authority)?;
                Ok(is_good != *expired)
            }
            Gauge::Ahead { ms } => {
                let director = eyes.view()?.director.ok_or("there is no director")?;
                let ours = clock::wall().as_millis() as i64;
                let ahead = director.wall_ms.cast_signed() - ours;
                Ok(director.wall_ms > 0 && ahead.abs_diff(*ms) < CLOCKS)
            }
        }
    }

    /// What is said when it is not seen.
    pub fn unseen(&self) -> String {
        let mib = |bytes: u64| bytes >> 20;
        let percent = |share: f64| (share * 100.0).round();
        match self {
            Gauge::Limited(limit) | Gauge::LimitedOrGone(limit) => format!(
                "{} (pid {}) has not the limit {:?} of its {:?}",
                limit.process.name, limit.process.pid, limit.most, limit.resource
            ),
            Gauge::FileAtMost { path, bytes } => {
                format!("{} is longer than {bytes} bytes", path.display())
            }
            Gauge::Filled { process, bytes } => {
                format!("{} has not {} MiB of memory", process.name, mib(*bytes))
            }
            Gauge::ResidentBelow { process, bytes } => {
                format!("{} has still {} MiB of memory", process.name, mib(*bytes))
            }
            Gauge::Busy { process, share } => format!(
                "{} has not {} % of a processor",
                process.name,
                percent(*share)
            ),
            Gauge::Idle { process, share } => format!(
                "{} has still {} % of a processor",
                process.name,
                percent(*share)
            ),
            Gauge::Slow { address, time } => {
                format!("calls to {address} do not take {time:?}")
            }
            Gauge::Swift { address, time } => format!("calls to {address} still take {time:?}"),
            Gauge::Closed(address) => format!("calls to {address} are answered"),
            Gauge::Open(address) => format!("calls to {address} are not answered"),
            Gauge::Certificate {
                site,
                expired: true,
            } => format!("the certificate of {site} has not expired"),
            Gauge::Certificate {
                site,
                expired: false,
            } => format!("the certificate of {site} is not good"),
            Gauge::Ahead { ms } => format!("the director's clock is not {ms} ms ahead of ours"),
        }
    }
}

/// Memory that the process has a claim to, and memory that it has, in bytes; `None` when it is gone.
pub fn memory(process: &Process) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{}/statm", process.pid)).ok()?;
    if process.state() == State::Gone {
        return None;
    }
    let page = rustix::param::page_size() as u64;
    let mut pages = text
        .split_ascii_whitespace()
        .map(|word| word.parse::<u64>().ok());
    Some((pages.next()?? * page, pages.next()?? * page))
}

fn resident(process: &Process) -> Option<u64> {
    memory(process).map(|(_, resident)| resident)
}

/// The share of a processor that the process has over a short while; `None` when it is gone.
///
/// # Errors
/// When the kernel does not tell.
pub fn busy(process: &Process) -> io::Result<Option<f64>> {
    let clock = Clock::start();
    let Some(before) = process.processor_time() else {
        return Ok(None);
    };
    // Its end is the only thing that would be worth to wake up for.
    ends_within(process.pid, WINDOW)?;
    let Some(after) = process.processor_time() else {
        return Ok(None);
    };
    let passed = Duration::from_nanos(clock.now()).max(WINDOW / 10);
    Ok(Some(
        after.saturating_sub(before).as_secs_f64() / passed.as_secs_f64(),
    ))
}

/// Whether most calls take this long; `None` when nobody is there, or nobody answers.
fn most_take(address: SocketAddr, time: Duration) -> Option<bool> {
    let (mut slow, mut swift) = (0, 0);
    while slow <= CALLS / 2 && swift <= CALLS / 2 {
        match knock::ask(address) {
            Heard::Answer(took) if took >= time => slow += 1,
            Heard::Answer(_) => swift += 1,
            Heard::Silence => slow += 1,
            Heard::Refusal | Heard::Nobody => return None,
        }
    }
    Some(slow > swift)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::super::process::identify;
    use super::*;

    /// Ends with the test, whatever becomes of that.
    struct Own(Child);

    impl Drop for Own {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    impl Own {
        fn start(words: &str) -> Own {
            Own(Command::new("sh").args(["-c", words]).spawn().unwrap())
        }

        fn has_more_than(&self, share: f64) -> bool {
            let process = identify("child", self.0.id()).unwrap();
            let gauge = Gauge::Busy { process, share };
            gauge.sees(&Eyes::on(None)).unwrap()
        }
    }

    #[test]
    fn the_kernel_tells_a_busy_process_from_an_idle_one() {
        let idle = Own::start("exec sleep 60");
        // The kernel ends it by itself after so many seconds of work.
        let busy = Own::start("ulimit -t 20; while :; do :; done");
        assert!(!idle.has_more_than(0.1));
        let process = identify("child", idle.0.id()).unwrap();
        let share = 0.1;
        let gauge = Gauge::Idle { process, share };
        assert!(gauge.sees(&Eyes::on(None)).unwrap());
        // On a machine that has other work it may have to wait.
        assert!((0..50).any(|_| busy.has_more_than(0.1)));
    }
}
