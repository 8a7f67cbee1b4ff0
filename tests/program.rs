//! The program as a user has it: started with arguments, watched from outside, ended by signals.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A folder of one test's own, removed with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("firedrill-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file for the test");
        path
    }

    /// Writes a scenario; its path, and that of the run's folder, as arguments.
    pub fn placed(&self, scenario: &str) -> (String, String) {
        let text_of = |path: PathBuf| path.to_str().expect("a path").to_owned();
        (
            text_of(self.file("scenario.yaml", scenario)),
            text_of(self.run()),
        )
    }

    /// A path in it.
    pub fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The run's folder, once there is one.
    pub fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    pub fn result(&self) -> Value {
        let text = fs::read_to_string(self.run().join("result.json")).expect("result.json");
        serde_json::from_str(&text).expect("result.json is JSON")
    }

    pub fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.run().join("events.jsonl")).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Most tests wait most of their time, and run side by side.
static MACHINE: RwLock<()> = RwLock::new(());

/// Has the machine for a test that takes all of it, or that says what the machine did: as long as it is held, [`run`]
/// begins nothing in other tests.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Time in which something is to be in force; what it did is for others to show.
pub fn pause(length: Duration) {
    let length = rustix::event::Timespec {
        tv_sec: length.as_secs().cast_signed(),
        tv_nsec: length.subsec_nanos().into(),
    };
    let _ = rustix::event::poll(&mut [], Some(&length));
}

/// What a finished program left behind.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// Something in the run could not be judged, because firedrill itself did not come to run in time, or because the
    /// sites, which run on the same machine, did not before anything was broken, or did not get the processor that a fault
    /// wanted.
    pub fn was_held_up(&self) -> bool {
        let words = [
            "firedrill dispatched late",
            "firedrill itself dispatched late",
            "did not come to run",
            "the target was not steady before",
            " of a processor (within ",
        ];
        self.code != 0 && words.iter().any(|words| self.stdout.contains(words))
    }
}

/// A run does not look first what the machine can do: it takes time, and one test has it as its matter.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = bare(arguments);
    if arguments.first() == Some(&"run") {
        command.arg("--no-calibration");
    }
    command
}

/// With these arguments and no others.
pub fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command
        .args(arguments)
        .env_remove("FIREDRILL_LOG")
        .stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn firedrill(arguments: &[&str]) -> Done {
    done(command(arguments).output().expect("the program starts"))
}

pub fn done(output: std::process::Output) -> Done {
    use std::os::unix::process::ExitStatusExt;
    Done {
        code: output
            .status
            .code()
            .unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0)),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a scenario text into the folder's run; further arguments follow. A machine that held firedrill up has shown
/// nothing of the target, and the run says so (`honesty` shows that it does): it is made again, five times at most.
pub fn run(folder: &Folder, scenario: &str, more: &[&str]) -> Done {
    let _beside_others = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    let mut done = run_once(folder, scenario, more);
    for _ in 0..4 {
        if !done.was_held_up() {
            break;
        }
        fs::remove_dir_all(folder.run()).expect("the run that says nothing");
        done = run_once(folder, scenario, more);
    }
    done
}

/// The same, however busy the machine was.
pub fn run_once(folder: &Folder, scenario: &str, more: &[&str]) -> Done {
    let (scenario, out) = folder.placed(scenario);
    let mut arguments = vec!["run", &scenario, "--out", &out];
    arguments.extend(more);
    firedrill(&arguments)
}

/// A program that runs, and what it says on stderr.
pub struct Running {
    child: Own,
    stderr: BufReader<std::process::ChildStderr>,
    pub said: String,
}

/// Starts a scenario text into the folder's run.
pub fn start(folder: &Folder, scenario: &str) -> Running {
    let path = folder.file("scenario.yaml", scenario);
    let out = folder.run();
    let path = path.to_str().expect("a path");
    Running::start(command(&[
        "run",
        path,
        "--out",
        out.to_str().expect("a path"),
    ]))
}

/// Ends with a test that breaks off: sites that it serves would stay otherwise.
struct Own(Option<Child>);

impl Own {
    fn ended(mut self) -> Done {
        let child = self.0.take().expect("a program is waited for once");
        done(
            child
                .wait_with_output()
                .expect("the program can be waited for"),
        )
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let Some(child) = &mut self.0 else {
            return;
        };
        // It may be stopped, and may have ended by itself.
        let pid = Pid::from_child(child);
        let _ = kill_process(pid, Signal::TERM).and_then(|()| kill_process(pid, Signal::CONT));
        let ended = firedrill::fault::process::ends_within(child.id(), Duration::from_secs(10));
        if !ended.unwrap_or(false) {
            let _ = child.kill();
        }
        let _ = child.wait();
    }
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        Running {
            child: Own(Some(child)),
            stderr,
            said: String::new(),
        }
    }

    pub fn pid(&self) -> u32 {
        let child = self.child.0.as_ref();
        child.expect("it was not waited for yet").id()
    }

    /// Reads stderr until a line holds the words.
    pub fn wait_for(&mut self, words: &str) {
        loop {
            let mut line = String::new();
            let count = self
                .stderr
                .read_line(&mut line)
                .expect("stderr can be read");
            assert!(
                count > 0,
                "`{words}` was never said; said was:\n{}",
                self.said
            );
            self.said.push_str(&line);
            if line.contains(words) {
                return;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Closes stderr, as `| head -1` does, and waits for the end.
    pub fn finish_unheard(self) -> Done {
        let Running {
            child,
            stderr,
            said,
        } = self;
        drop(stderr);
        let mut end = child.ended();
        end.stderr = said;
        end
    }

    pub fn finish(mut self) -> Done {
        use std::io::Read as _;
        self.stderr
            .read_to_string(&mut self.said)
            .expect("stderr can be read");
        let mut end = self.child.ended();
        end.stderr = self.said;
        end
    }
}

pub fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process id");
    kill_process(pid, signal).expect("a process of this test can be signalled");
}

/// The name and state of a process; `None` when it is gone or a zombie.
pub fn is_alive(pid: u64) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.trim().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// The process ids of an embedded target, from the recording's events.
pub fn site_pids(folder: &Folder) -> Vec<u64> {
    let events = folder.events();
    let started = events
        .iter()
        .filter(|line| line["event"]["kind"] == "process_started");
    started
        .filter_map(|line| line["event"]["pid"].as_u64())
        .collect()
}

/// The front door of an embedded site.
fn front(folder: &Folder) -> u32 {
    let events = folder.events().into_iter();
    let mut doors = events.filter(|line| line["event"]["role"] == "front");
    let pid = doors.next().and_then(|line| line["event"]["pid"].as_u64());
    pid.expect("a front door") as u32
}

/// A run in which somebody is stopped for so long once operations end ok: the target, or firedrill itself. The stop is the
/// stimulus, not a proof: the verdict proves.
pub fn stopped_meanwhile(folder: &Folder, scenario: &str, target: bool, long: Duration) -> Done {
    let mut running = start(folder, scenario);
    running.wait_for("/s ok");
    let stopped = if target { front(folder) } else { running.pid() };
    send(stopped, Signal::STOP);
    pause(long);
    send(stopped, Signal::CONT);
    running.finish()
}

/// A sink of the program's own, which answers faster than one thread can ask.
pub struct Sink {
    pub child: Child,
    pub url: String,
}

impl Sink {
    /// `command` is `firedrill sink`, wherever it is to run.
    pub fn start(mut command: Command) -> Sink {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the sink says where it is");
        let url = line.trim().trim_start_matches("listening: ").to_owned();
        Sink { child, url }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
