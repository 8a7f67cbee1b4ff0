//! Hostile clients: traffic of our own that the target has to refuse; and witnesses of what it refuses others. Each runs
//! on a thread of its own, is bounded in number and in time, and ends with the program if nobody ends it before.
//!
//! ```text
//! manners  what each kind of client does
//! witness  what one does that means no harm
//! wire     its connections, requests and answers
//! account  what it was answered, and when first
//! ```

pub mod account;
mod manners;
mod wire;
mod witness;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use firedrill_scenarios::plan::Manner;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use self::account::Account;
use self::wire::Client;

/// Nobody is hostile for longer, whatever the scenario says.
const LONGEST: Duration = Duration::from_secs(600);
/// For giving sessions back at the end.
const GOODBYE: Duration = Duration::from_secs(2);

/// A hostile client, as it can be written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attack {
    /// The fault that it is.
    pub fault: String,
    /// An address of its own, so that it can be told from all other clients.
    pub from: Ipv4Addr,
    pub to: SocketAddr,
    /// Of the MCP endpoint.
    pub path: String,
    pub errand: Errand,
    /// Of a flood: messages a second.
    pub rate: f64,
}

/// What a client of our own is there for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errand {
    Harm(Manner),
    /// It does no harm: it asks for a little of everything, and hears how a target refuses that is in need.
    Witness,
}

/// Those that run, and what was answered to those that have ended.
struct All {
    running: BTreeMap<String, Running>,
    ended: BTreeMap<String, Account>,
}

struct Running {
    stop: watch::Sender<bool>,
    account: Arc<Mutex<Account>>,
    thread: JoinHandle<()>,
}

/// Sockets and threads belong to the whole program, and so does this list of them.
static ALL: Mutex<All> = Mutex::new(All {
    running: BTreeMap::new(),
    ended: BTreeMap::new(),
});

fn all() -> MutexGuard<'static, All> {
    // What is in it is whole at every instant: an entry is put in or taken out.
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets the client begin. One that runs already goes on.
///
/// # Errors
/// When there is no thread for it.
pub fn start(attack: &Attack) -> io::Result<()> {
    let mut all = all();
    if all.running.contains_key(&attack.fault) {
        return Ok(());
    }
    let (stop, stopped) = watch::channel(false);
    let account = Arc::new(Mutex::new(Account::default()));
    let (own, kept) = (attack.clone(), account.clone());
    let thread = std::thread::Builder::new()
        .name("hostile".to_owned())
        .spawn(move || run(own, &kept, stopped))?;
    let running = Running {
        stop,
        account,
        thread,
    };
    all.running.insert(attack.fault.clone(), running);
    Ok(())
}

/// Ends the client and returns when it has ended. One that does not run in this program has ended with its own.
pub fn stop(fault: &str) {
    let Some(running) = all().running.remove(fault) else {
        return;
    };
    // The thread may have ended by itself, and then nobody hears this.
    let _ = running.stop.send(true);
    // One that broke has told what it knew.
    let _ = running.thread.join();
    let account = locked(&running.account).clone();
    all().ended.insert(fault.to_owned(), account);
}

/// What was answered to a client that has been stopped; once.
pub fn account(fault: &str) -> Option<Account> {
    all().ended.remove(fault)
}

fn locked(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    // Numbers that a broken thread left behind are still what it saw.
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(attack: Attack, account: &Arc<Mutex<Account>>, mut stop: watch::Receiver<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            locked(account).fail(&error.to_string());
            return;
        }
    };
    let client = Rc::new(Client::new(attack, account.clone()));
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        // When it has done all that it may, it holds what it has until it is told to stop.
        let act = async {
            manners::act(client.clone()).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => {}
            () = tokio::time::sleep(LONGEST) => {}
            () = act => {}
        }
    });
    // Tasks and connections end here; what the server keeps for them is given back on a new one.
    drop(local);
    runtime.block_on(async {
        // A server that does not answer keeps what it has.
        let _ = tokio::time::timeout(GOODBYE, client.give_back()).await;
    });
}
