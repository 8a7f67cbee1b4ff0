//! The generator as a suspect: its time on the cores, its waiting for them, its memory, from `/proc`; and the memory of
//! the target, where its processes run beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use firedrill_reports::recording::{Environment, Sample, series};

use crate::clock::Nanos;

/// Counters at one instant.
#[derive(Clone, Debug, Default)]
struct Counters {
    at: Nanos,
    /// By number of the load thread: time on a core, time waiting for one (nanoseconds), involuntary switches.
    threads: BTreeMap<u32, [u64; 3]>,
    /// Microseconds in which something waited for a core.
    pressure_us: Option<u64>,
    retransmits: Option<u64>,
}

/// Reads the counters once a second and tells the differences.
#[derive(Default)]
pub struct Machine {
    last: Option<Counters>,
    pub rss_max: u64,
    /// The target's processes; none where they run elsewhere.
    target: Vec<u32>,
}

impl Machine {
    /// A machine on which the target's processes run as well.
    pub fn watching(target: Vec<u32>) -> Machine {
        Machine {
            target,
            ..Machine::default()
        }
    }

    /// What happened since the last call.
    pub fn sample(&mut self, now: Nanos) -> Vec<Sample> {
        let counters = Counters::read(now);
        let mut samples = Vec::new();
        let mut add = |name: String, value: f64| {
            samples.push(Sample {
                at_ns: now,
                series: name,
                value,
            });
        };
        if let Some(rss) = resident_bytes() {
            self.rss_max = self.rss_max.max(rss);
            add(series::RSS.to_owned(), rss as f64);
        }
        // A process that has gone would look like memory that was given back.
        let target: Option<u64> = self.target.iter().map(|pid| resident_of(*pid)).sum();
        if let Some(bytes) = target.filter(|bytes| *bytes > 0) {
            add(series::TARGET_RSS.to_owned(), bytes as f64);
        }
        if let Some(last) = &self.last {
            let elapsed = now.saturating_sub(last.at).max(1) as f64;
            for (thread, [run, wait, switches]) in &counters.threads {
                let Some([run_before, wait_before, switches_before]) = last.threads.get(thread)
                else {
                    continue;
                };
                let busy = run.saturating_sub(*run_before) as f64 / elapsed;
                add(format!("{}{thread}", series::BUSY), busy);
                let waited = wait.saturating_sub(*wait_before) as f64;
                add(format!("{}{thread}", series::RUN_DELAY), waited);
                let switched = switches.saturating_sub(*switches_before) as f64;
                add(format!("{}{thread}", series::INVOLUNTARY), switched);
            }
            if let (Some(total), Some(before)) = (counters.pressure_us, last.pressure_us) {
                let share = total.saturating_sub(before) as f64 * 1e3 / elapsed;
                add(series::CPU_PRESSURE.to_owned(), share);
            }
            if let (Some(total), Some(before)) = (counters.retransmits, last.retransmits) {
                add(
                    series::RETRANSMITS.to_owned(),
                    total.saturating_sub(before) as f64,
                );
            }
        }
        self.last = Some(counters);
        samples
    }
}

impl Counters {
    fn read(at: Nanos) -> Counters {
        Counters {
            at,
            threads: load_threads(),
            pressure_us: fs::read_to_string("/proc/pressure/cpu")
                .ok()
                .and_then(|text| pressure(&text)),
            retransmits: fs::read_to_string("/proc/net/snmp")
                .ok()
                .and_then(|text| retransmits(&text)),
        }
    }
}

/// Time on a core of the thread of this name, in nanoseconds.
pub fn thread_time(name: &str) -> u64 {
    let own = threads().find(|(own, _)| own == name);
    own.map_or(0, |(_, folder)| schedstat(&folder)[0])
}

fn load_threads() -> BTreeMap<u32, [u64; 3]> {
    let own = threads().filter_map(|(name, folder)| {
        let number = name.strip_prefix("load-")?.parse().ok()?;
        let [run, wait] = schedstat(&folder);
        let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
        let switches = field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
        Some((number, [run, wait, switches]))
    });
    own.collect()
}

/// The threads of this process, by name, with the folder that tells of each.
fn threads() -> impl Iterator<Item = (String, PathBuf)> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    tasks.flatten().filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        Some((name.trim().to_owned(), task.path()))
    })
}

/// Time of a thread on a core, and waiting for one.
fn schedstat(folder: &Path) -> [u64; 2] {
    let text = fs::read_to_string(folder.join("schedstat")).unwrap_or_default();
    let mut fields = text
        .split_whitespace()
        .map_while(|field| field.parse().ok());
    [fields.next().unwrap_or(0), fields.next().unwrap_or(0)]
}

/// The number after a name at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// `some ... total=N` of a pressure file, in microseconds.
fn pressure(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("some"))?;
    line.split_whitespace()
        .find_map(|word| word.strip_prefix("total="))?
        .parse()
        .ok()
}

/// `RetransSegs` of `/proc/net/snmp`: a line of names, then a line of numbers.
fn retransmits(text: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let place = lines
        .next()?
        .split_whitespace()
        .position(|name| name == "RetransSegs")?;
    lines.next()?.split_whitespace().nth(place)?.parse().ok()
}

/// Resident memory of this process.
pub fn resident_bytes() -> Option<u64> {
    resident_in("/proc/self/status")
}

fn resident_of(pid: u32) -> Option<u64> {
    resident_in(&format!("/proc/{pid}/status"))
}

fn resident_in(path: &str) -> Option<u64> {
    let status = fs::read_to_string(path).ok()?;
    field(&status, "VmRSS:").map(|kib| kib * 1024)
}

/// Memory that could be used without swapping.
pub fn available_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    field(&text, "MemAvailable:").map(|kib| kib * 1024)
}

/// The machine, as the report names it.
pub fn environment() -> Environment {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu_text = read("/proc/cpuinfo");
    let model = cpu_text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let cpu = model
        .and_then(|rest| rest.split_once(':'))
        .map_or("unknown", |(_, name)| name.trim());
    let release = read("/etc/os-release");
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    Environment {
        os: name
            .map_or("Linux", |name| name.trim_matches('"'))
            .to_owned(),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        cpu: cpu.to_owned(),
        cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
        memory_bytes: field(&read("/proc/meminfo"), "MemTotal:").unwrap_or(0) * 1024,
        host: read("/proc/sys/kernel/hostname").trim().to_owned(),
        open_files_limit: limit.unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpStream};
    use std::time::Duration;

    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn pressure_is_the_total_of_some() {
        let text = "some avg10=1.53 avg60=0.87 avg300=0.50 total=10582043\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(pressure(text), Some(10_582_043));
        assert_eq!(pressure(""), None);
    }

    #[test]
    fn retransmits_are_found_by_name() {
        let text = "Ip: A B\nIp: 1 2\nTcp: RtoMin RetransSegs InErrs\nTcp: 200 17 0\n";
        assert_eq!(retransmits(text), Some(17));
        assert_eq!(retransmits("Tcp: RtoMin\nTcp: 200\n"), None);
    }

    /// What does not fit the queue of a listener that accepts nothing is dropped, and asked again after a second.
    #[test]
    fn a_segment_that_is_sent_again_is_recorded() {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let nearby = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        listener.bind(&nearby.into()).expect("a free port");
        listener.listen(0).expect("a queue");
        let address = listener.local_addr().expect("an address");
        let address = address.as_socket().expect("of the internet");
        let mut machine = Machine::default();
        machine.sample(0);
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_secs(2));
        let queued: Vec<TcpStream> = (0..8).map_while(|one| connect(one).ok()).collect();
        assert!(queued.len() < 8, "nothing was dropped");
        let samples = machine.sample(1);
        let again = samples.iter().find(|own| own.series == series::RETRANSMITS);
        assert!(again.is_some_and(|own| own.value >= 1.0), "{samples:?}");
    }
}
