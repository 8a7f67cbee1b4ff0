//! One process of a site, seen from its parent: spawned, waited for, ended.

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};
use serde::Serialize;

use crate::clock;
use crate::role::{Announcement, Role, Start};

/// Long enough for a machine that is busy with a build.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a part is started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub path: PathBuf,
    pub arguments: Vec<String>,
    /// The world that it begins: all below inherit this in their environment.
    pub world: Option<PathBuf>,
}

/// The variable of every process of a world, which holds the folder of its state: so that whoever looks for leftovers
/// finds those that nobody has written down.
pub const MARK: &str = "FIREDRILL_WORLD";

/// Pieces of memory above this size go back to the system as soon as they are let go of. Left alone, the allocator
/// keeps those of a size that it has seen before, and a pod that was filled once would stay full.
const GIVE_BACK: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=1048576");

impl Program {
    pub(crate) fn new(path: &Path, prefix: &[&str]) -> Program {
        Program {
            path: path.to_owned(),
            arguments: prefix.iter().map(|&argument| argument.to_owned()).collect(),
            world: None,
        }
    }
}

/// A running part. It is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Spawned {
    child: Child,
    /// Until the announcement has been read.
    stdout: Option<ChildStdout>,
}

impl Spawned {
    /// Starts `role` and hands it its configuration; [`Spawned::announcement`] tells how that went.
    ///
    /// The parent-death signal of the child comes when the *thread* ends that calls this.
    pub(crate) fn spawn<P: Serialize>(
        program: &Program,
        role: Role,
        nice: i32,
        part: &P,
    ) -> io::Result<Spawned> {
        let start = Start {
            parent: std::process::id(),
            nice,
            part,
        };
        let mut line = serde_json::to_vec(&start)?;
        line.push(b'\n');
        let mark = program.world.iter().map(|world| (MARK, world));
        let mut child = Command::new(&program.path)
            .args(&program.arguments)
            .envs(mark)
            .env(GIVE_BACK.0, GIVE_BACK.1)
            .arg(role.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C on the terminal is for firedrill, which then ends its children itself.
            .process_group(0)
            .spawn()?;
        let stdout = child.stdout.take();
        let written = child.stdin.as_mut().map(|stdin| stdin.write_all(&line));
        let spawned = Spawned { child, stdout };
        match written {
            // A child that has already failed says why in its announcement.
            Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(spawned),
        }
    }

    /// What the child says of itself, once.
    pub(crate) fn announcement(&mut self) -> Result<Announcement, String> {
        self.voice()?.hear().map_err(|silence| match silence {
            Silence::Ended => match self.child.wait() {
                Ok(status) => format!("it ended before it listened ({status})"),
                Err(error) => format!("it said nothing that makes sense ({error})"),
            },
            Silence::Failed(reason) => reason,
        })
    }

    /// Where its announcement will come from.
    pub(crate) fn voice(&mut self) -> Result<Voice, String> {
        let stdout = self.stdout.take();
        stdout
            .map(Voice)
            .ok_or_else(|| "it was asked twice for its address".to_owned())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the child ended; `None` while it runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks the child to finish what it is doing and to end.
    pub(crate) fn terminate(&mut self) {
        // A child that was waited for has no pid any more.
        if self.ended().is_none()
            && let Some(pid) = self.rustix_pid()
        {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
    }

    /// Waits for the child until `deadline`, kills it then, and takes its exit status.
    pub(crate) fn finish(&mut self, deadline: Instant) {
        if self.ended().is_none()
            && let Some(pid) = self.rustix_pid()
            && let Ok(pidfd) = rustix::process::pidfd_open(pid, PidfdFlags::empty())
        {
            let _ = readable(&pidfd, deadline);
        }
        // Both do nothing to a child that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn rustix_pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

/// The way in which a child's announcement comes.
pub(crate) struct Voice(ChildStdout);

pub(crate) enum Silence {
    /// It closed its stdout without a word that makes sense.
    Ended,
    Failed(String),
}

impl Voice {
    /// Blocks until the child has said something, for a limited time.
    pub(crate) fn hear(self) -> Result<Announcement, Silence> {
        let failed = |error: io::Error| Silence::Failed(error.to_string());
        let deadline = clock::now() + PATIENCE;
        if !readable(&self.0, deadline).map_err(failed)? {
            let patience = PATIENCE.as_secs();
            return Err(Silence::Failed(format!(
                "it did not start to listen within {patience} s"
            )));
        }
        let mut line = String::new();
        BufReader::new(self.0)
            .read_line(&mut line)
            .map_err(failed)?;
        serde_json::from_str(&line).map_err(|_| Silence::Ended)
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `fd` can be read (a pidfd: until its process has ended); false when the deadline came first.
fn readable(fd: &impl AsFd, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(clock::now());
        let left = Timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(fd, PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&left)) {
            Ok(count) => return Ok(count > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
