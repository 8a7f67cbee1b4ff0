//! What asks the program to end: SIGINT, SIGTERM, and SIGHUP unless whoever started it had it ignored (`nohup`).

use std::fs;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

pub struct Ends {
    interrupt: Signal,
    terminate: Signal,
    /// None when it was ignored: the run outlives its terminal.
    hangup: Option<Signal>,
}

impl Ends {
    /// Catches them from now on. Must be called inside the runtime that will wait for them.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn catch() -> io::Result<Ends> {
        Ok(Ends {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: match ignores_hangup() {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
        })
    }

    /// Whether one has come since they were last asked for. A moment is waited for what the kernel has yet to hand over.
    pub async fn have_come(&mut self) -> bool {
        const MOMENT: Duration = Duration::from_millis(20);
        tokio::time::timeout(MOMENT, self.next()).await.is_ok()
    }

    /// The name of the next one. Safe to drop while it waits.
    pub async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = hangup => "SIGHUP",
        }
    }
}

/// One came before there was anything to report.
#[derive(Debug, thiserror::Error)]
#[error("ended by a signal before the load began: nothing was measured, and nothing is left")]
pub struct EndedEarly;

/// Catches them where there is no runtime yet, and what has been started must not be left to itself.
pub struct Early {
    runtime: tokio::runtime::Runtime,
    ends: Ends,
}

impl Early {
    /// Catches them from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn catch() -> io::Result<Early> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let ends = runtime.block_on(async { Ends::catch() })?;
        Ok(Early { runtime, ends })
    }

    /// # Errors
    /// When one has come.
    pub fn refuse(&mut self) -> Result<(), EndedEarly> {
        match self.runtime.block_on(self.ends.have_come()) {
            true => Err(EndedEarly),
            false => Ok(()),
        }
    }
}

fn ignores_hangup() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| is_ignored(&status))
}

/// The first bit of `SigIgn` is SIGHUP's.
fn is_ignored(status: &str) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_whether_sighup_is_ignored() {
        assert!(is_ignored(
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"
        ));
        assert!(!is_ignored(
            "SigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"
        ));
        assert!(!is_ignored(""));
    }
}
