//! A load driven by the real engine against a sink in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use firedrill::clock::{Clock, Nanos};
use firedrill::load::engine::{Engine, Progress, Second};
use firedrill::load::schedule::Segment;
use firedrill::load::tally::Histograms;
use firedrill::load::worker::Job;
use firedrill::mcp::destination::Route;
use firedrill::mcp::session::Surface;
use firedrill_scenarios::{Given, Plan};
use rustix::process::{Pid, Signal, kill_process};

/// A sink that ends with us.
pub struct Sink {
    process: Child,
    pub port: u16,
}

impl Sink {
    pub fn start() -> Sink {
        let mut process = Command::new(env!("CARGO_BIN_EXE_firedrill"))
            .arg("sink")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("it was piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.trim().trim_end_matches("/mcp").rsplit(':').next();
        let port = address.and_then(|port| port.parse().ok()).expect("a port");
        Sink { process, port }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the sink is there");
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The plan of a load that is given by its lines of a scenario.
pub fn plan(load: &str, port: u16) -> Plan {
    let text = format!(
        "scenario: bars\nabout: What is measured.\ntarget: {{ endpoint: \"http://127.0.0.1:{port}/mcp\" }}\n\
         load: {{ {load}, operations: [ {{ tool: echo, weight: 1, timeout: 20s, arguments: {{ message: \"{{{{unique}}}}\" }} }} ] }}\n\
         timeline: [ {{ phase: steady, for: 1d }} ]\nobjectives: [ {{ errors: 0.5 % }} ]\n"
    );
    Plan::parse(&text, &Given::named("bars.yaml")).expect("a plan")
}

/// What a load has counted.
pub struct Counted {
    pub times: Histograms,
    pub issued: u64,
    pub ok: u64,
    pub zero: Nanos,
}

impl Counted {
    fn add(&mut self, second: &mut Second) {
        self.times.absorb(&mut second.histograms);
        for cell in second.closed.iter().flat_map(|(_, _, cells)| cells) {
            self.issued += cell.due();
            self.ok += cell.ok();
        }
    }
}

/// How a load goes on after a second of it.
pub enum Then {
    GoOn,
    Stop,
}

/// Drives the load with one thread for `length`. `beside` runs at the same time, from the start of the timeline; `look`
/// is shown the sums after each second.
pub fn drive(
    plan: Plan,
    seed: u64,
    length: Nanos,
    beside: impl AsyncFnOnce(Clock, Nanos),
    mut look: impl FnMut(&Counted) -> Then,
) -> Counted {
    let port = match &plan.target {
        firedrill_scenarios::plan::Target::Endpoint(endpoint) => endpoint.url.port,
        firedrill_scenarios::plan::Target::Embedded(_) => panic!("the target is a sink"),
    };
    let address = (Ipv4Addr::LOCALHOST, port).into();
    let surface = Surface::plain(address, "/mcp");
    let job = Job::alone(plan, &surface, seed, Clock::start());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut engine = Engine::start(&job, &Route::plain(address)).expect("a thread");
    let mut counted = Counted {
        times: Histograms::new(&job.layout),
        issued: 0,
        ok: 0,
        zero: 0,
    };
    runtime.block_on(async {
        let Progress::Opened(loads) = engine.next().await else {
            panic!("sessions come first");
        };
        for load in &loads {
            assert_eq!(load.opened, load.asked, "{:?}", load.failures);
        }
        let zero = job.clock.now() + 50_000_000;
        counted.zero = zero;
        engine.begin(zero, &[Segment::whole(length)]);
        let watch = async {
            loop {
                match engine.next().await {
                    Progress::Second(mut second) => {
                        counted.add(&mut second);
                        engine.recycle(second.histograms);
                        if matches!(look(&counted), Then::Stop) {
                            engine.stop();
                        }
                    }
                    Progress::Finished(_) => return,
                    Progress::Opened(_) => panic!("sessions are open"),
                    Progress::Failed(why) => panic!("{why}"),
                }
            }
        };
        tokio::join!(beside(job.clock, zero), watch);
    });
    engine.join();
    counted
}
