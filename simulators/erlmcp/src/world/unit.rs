//! One process of the world: started whenever it may run, started again when it has ended.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

use super::ground::Ground;
use crate::child::{Silence, Spawned};
use crate::layout::PartConfig;
use crate::proc;
use crate::role::{Announcement, Role};

/// From the first sign of a process's end to the word of it.
const SOON: Duration = Duration::from_millis(500);

pub(super) struct Unit {
    pub name: String,
    pub role: Role,
    /// Index of its site; the director belongs to none.
    pub site: Option<usize>,
    /// Index of its node within the site; pods only. A pod may move.
    pub node: Cell<Option<usize>>,
    pub address: SocketAddr,
    pub control: Option<SocketAddr>,
    /// What it is told when it is started the next time.
    pub part: RefCell<PartConfig>,
    /// Not to be started, for as long as somebody works on its data.
    pub held: Cell<bool>,
    /// Not wanted any more.
    pub retired: Cell<bool>,
    life: watch::Sender<Life>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Why it ended, when it did not come up.
    Gone(Option<String>),
    Starting(u32),
    Running {
        pid: u32,
        started: u64,
    },
}

impl Unit {
    pub(super) fn new(
        part: PartConfig,
        name: String,
        site: Option<usize>,
        address: SocketAddr,
        control: Option<SocketAddr>,
    ) -> Rc<Unit> {
        Rc::new(Unit {
            name,
            role: part.role(),
            site,
            node: Cell::new(None),
            address,
            control,
            part: RefCell::new(part),
            held: Cell::new(false),
            retired: Cell::new(false),
            life: watch::Sender::new(Life::Gone(None)),
        })
    }

    pub(super) fn life(&self) -> Life {
        self.life.borrow().clone()
    }

    pub(super) fn pid(&self) -> Option<u32> {
        match self.life() {
            Life::Gone(_) => None,
            Life::Starting(pid) | Life::Running { pid, .. } => Some(pid),
        }
    }

    /// Its child is waited for in the instant in which the pid is forgotten, so the pid is never another's.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Returns when there is no process.
    pub(super) async fn gone(&self) {
        let mut life = self.life.subscribe();
        // The sender lives as long as the unit.
        let _ = life.wait_for(|life| matches!(life, Life::Gone(_))).await;
    }

    /// Returns when it listens, or with the reason why it does not.
    pub(super) async fn up(&self) -> Result<(), String> {
        let mut life = self.life.subscribe();
        let decided = |life: &Life| match life {
            Life::Gone(why) => why.is_some(),
            Life::Starting(_) => false,
            Life::Running { .. } => true,
        };
        match life.wait_for(decided).await.as_deref() {
            Ok(Life::Gone(Some(why))) => Err(format!("{}: {why}", self.name)),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Returns when it is not being started: what it was told to be at its start is what it is, or it is gone.
    pub(super) async fn settled(&self) {
        let mut life = self.life.subscribe();
        // The sender lives as long as the unit.
        let _ = life
            .wait_for(|life| !matches!(life, Life::Starting(_)))
            .await;
    }

    /// Whether this life is over. The kernel closes a process's connections before it tells of its end.
    pub(super) async fn ends_soon(&self, life: &Life) -> bool {
        let mut now = self.life.subscribe();
        let over = now.wait_for(|now| now != life);
        tokio::time::timeout(SOON, over).await.is_ok()
    }

    fn set(&self, life: Life) {
        self.life.send_replace(life);
    }
}

/// Runs for as long as the unit is wanted.
pub(super) async fn keep(ground: Rc<Ground>, unit: Rc<Unit>) {
    let mut changes = ground.changes.subscribe();
    while !unit.retired.get() {
        changes.borrow_and_update();
        if !ground.may_run(&unit) {
            // The sender lives as long as the ground.
            let _ = changes.changed().await;
            continue;
        }
        let why = live(&ground, &unit).await.err();
        // One that was killed while it started has not failed.
        let why = why.filter(|_| ground.may_run(&unit));
        unit.set(Life::Gone(why));
        if ground.may_run(&unit) {
            tokio::time::sleep(ground.restart_delay(&unit)).await;
        }
    }
}

/// From the start of a process to its end.
async fn live(ground: &Ground, unit: &Unit) -> Result<ExitStatus, String> {
    let part = unit.part.borrow().clone();
    let nice = ground.nice(unit);
    let mut child = part
        .spawn(&ground.program, nice)
        .map_err(|error| format!("it cannot be started: {error}"))?;
    let pid = child.pid();
    let started = proc::started(pid).unwrap_or_default();
    unit.set(Life::Starting(pid));
    let voice = child.voice()?;
    let heard = tokio::task::spawn_blocking(move || voice.hear())
        .await
        .map_err(|error| error.to_string())?;
    match heard {
        Ok(Announcement::Listening { .. }) => unit.set(Life::Running { pid, started }),
        Ok(Announcement::Failed(reason)) | Err(Silence::Failed(reason)) => return Err(reason),
        Err(Silence::Ended) => return Err("it ended before it listened".to_owned()),
    }
    Ok(ended(ground, &mut child).await)
}

/// Waits for the child's end. The kernel says that some child has ended, and each looks whether it was its own.
async fn ended(ground: &Ground, child: &mut Spawned) -> ExitStatus {
    let mut endings = ground.endings.subscribe();
    loop {
        endings.borrow_and_update();
        if let Some(status) = child.ended() {
            return status;
        }
        // The sender lives as long as the ground.
        let _ = endings.changed().await;
    }
}
