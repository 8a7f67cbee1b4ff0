//! The pods of the site: which are ready, and which one a request goes to.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{Request, StatusCode};
use tokio::task::JoinHandle;

use super::refusal::Measured;
use super::view::Seen;
use super::{FrontConfig, PodAddress};
use crate::serve::Whole;
use crate::site::{HealthCheck, Profile};
use crate::upstream::Upstream;

pub(super) struct Pods {
    all: RefCell<Vec<Rc<Pod>>>,
    next: Cell<usize>,
}

pub(super) struct Pod {
    pub at: PodAddress,
    pub ready: Cell<bool>,
    /// The site has it no more.
    removed: Cell<bool>,
    misses: Cell<u32>,
    pub clients: Rc<Upstream<Measured>>,
    /// Where it tells what it has counted, and what that was.
    pub counts: Rc<Upstream<Whole>>,
    pub seen: Cell<Seen>,
}

impl Pods {
    /// Checks every pod once, and then goes on checking.
    pub(super) async fn watch(config: &FrontConfig) -> Pods {
        let pods = Pods {
            all: RefCell::default(),
            next: Cell::new(0),
        };
        for check in pods.set(&config.pods, config) {
            // A check that failed to run is a miss.
            let _ = check.await;
        }
        pods
    }

    /// These are the pods from now on. Returns the first checks of those that are new.
    pub(super) fn set(&self, wanted: &[PodAddress], config: &FrontConfig) -> Vec<JoinHandle<()>> {
        let mut checks = Vec::new();
        let mut all = self.all.borrow_mut();
        all.retain(|pod| {
            let stays = wanted.contains(&pod.at);
            pod.removed.set(!stays);
            stays
        });
        for at in wanted {
            if all.iter().any(|pod| pod.at == *at) {
                continue;
            }
            let pod = Rc::new(Pod::new(at));
            let watcher = Watcher::new(pod.clone(), config);
            all.push(pod);
            checks.push(tokio::task::spawn_local(async move {
                watcher.check().await;
                tokio::task::spawn_local(watcher.run());
            }));
        }
        checks
    }

    pub(super) fn all(&self) -> Vec<Rc<Pod>> {
        self.all.borrow().clone()
    }

    pub(super) fn count(&self) -> u64 {
        self.all.borrow().len() as u64
    }

    pub(super) fn ready_count(&self) -> u64 {
        let all = self.all.borrow();
        all.iter().filter(|pod| pod.ready.get()).count() as u64
    }

    /// The pod of a session as long as it is ready. Else, and for requests without a session, the ready pods in
    /// turn: a pod that does not know the session says so, and the client opens a new one.
    pub(super) fn choose(&self, session: Option<&str>) -> Option<Rc<Pod>> {
        let all = self.all.borrow();
        session
            .and_then(|session| owner(&all, session))
            .filter(|pod| pod.ready.get())
            .or_else(|| self.in_turn(&all))
            .cloned()
    }

    fn in_turn<'a>(&self, all: &'a [Rc<Pod>]) -> Option<&'a Rc<Pod>> {
        let start = self.next.get();
        let offset = (0..all.len()).find(|offset| all[(start + offset) % all.len()].ready.get())?;
        let at = (start + offset) % all.len();
        self.next.set(at + 1);
        Some(&all[at])
    }
}

fn owner<'a>(all: &'a [Rc<Pod>], session: &str) -> Option<&'a Rc<Pod>> {
    let (name, _) = session.rsplit_once('-')?;
    all.iter().find(|pod| pod.at.name == name)
}

impl Pod {
    fn new(at: &PodAddress) -> Pod {
        Pod {
            at: at.clone(),
            ready: Cell::new(false),
            removed: Cell::new(false),
            misses: Cell::new(0),
            clients: Upstream::new(at.address),
            counts: Upstream::new(at.control),
            seen: Cell::default(),
        }
    }

    fn take_check(&self, ok: bool, misses_max: u32) {
        let misses = if ok {
            0
        } else {
            self.misses.get().saturating_add(1)
        };
        self.misses.set(misses);
        if ok {
            self.ready.set(true);
        } else if misses >= misses_max {
            self.ready.set(false);
        }
    }
}

/// Asks one pod again and again whether it is ready, where its clients ask as well.
struct Watcher {
    pod: Rc<Pod>,
    path: &'static str,
    health: HealthCheck,
    connection: Rc<Upstream<Whole>>,
}

impl Watcher {
    fn new(pod: Rc<Pod>, config: &FrontConfig) -> Watcher {
        Watcher {
            connection: Upstream::new(pod.at.address),
            path: readiness_path(config.profile),
            health: config.health.clone(),
            pod,
        }
    }

    async fn run(self) {
        while !self.pod.removed.get() {
            tokio::time::sleep(self.health.interval).await;
            self.check().await;
        }
    }

    async fn check(&self) {
        let answer = get(&self.connection, self.path, self.health.timeout).await;
        self.pod.take_check(answer.is_some(), self.health.misses);
    }
}

/// The path that tells whether a pod is ready. In erlmcp's own code `/ready` always answers 503.
fn readiness_path(profile: Profile) -> &'static str {
    match profile {
        Profile::Sop => "/ready",
        Profile::Erlmcp => "/live",
    }
}

/// The body of a 200 to a GET; `None` for anything else.
pub(super) async fn get(
    from: &Rc<Upstream<Whole>>,
    path: &'static str,
    timeout: Duration,
) -> Option<bytes::Bytes> {
    let exchange = async {
        let request = Request::get(path)
            .header("host", "erlmcp")
            .body(Whole::default())
            .ok()?;
        let response = from.send(request).await.ok()?;
        let status = response.status();
        let body = response.into_body().collect().await.ok()?;
        (status == StatusCode::OK).then(|| body.to_bytes())
    };
    tokio::time::timeout(timeout, exchange).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(count: u16) -> Pods {
        let address = |n: u16| ([127, 0, 0, 1], n).into();
        let all = (0..count)
            .map(|n| {
                let at = PodAddress {
                    name: format!("a-{n}"),
                    node: "a-node-0".to_owned(),
                    address: address(n),
                    control: address(n),
                };
                let pod = Pod::new(&at);
                pod.ready.set(true);
                Rc::new(pod)
            })
            .collect();
        Pods {
            all: RefCell::new(all),
            next: Cell::new(0),
        }
    }

    fn chosen(pods: &Pods, session: Option<&str>) -> Option<String> {
        pods.choose(session).map(|pod| pod.at.name.clone())
    }

    #[test]
    fn sessions_stay_with_their_pod_while_it_is_ready() {
        let pods = pods(12);
        assert_eq!(chosen(&pods, Some("a-1-0abc")).as_deref(), Some("a-1"));
        assert_eq!(chosen(&pods, Some("a-11-0abc")).as_deref(), Some("a-11"));
        pods.all()[11].ready.set(false);
        assert_eq!(chosen(&pods, Some("a-11-0abc")).as_deref(), Some("a-0"));
    }

    #[test]
    fn new_sessions_go_round_the_ready_pods() {
        let pods = pods(4);
        pods.all()[2].ready.set(false);
        let round: Vec<_> = (0..6).filter_map(|_| chosen(&pods, None)).collect();
        assert_eq!(round, ["a-0", "a-1", "a-3", "a-0", "a-1", "a-3"]);
        pods.all().iter().for_each(|pod| pod.ready.set(false));
        assert_eq!(chosen(&pods, None), None);
    }

    #[test]
    fn misses_in_a_row_make_a_pod_not_ready() {
        let pods = pods(1);
        let pod = &pods.all()[0];
        pod.take_check(false, 2);
        pod.take_check(true, 2);
        pod.take_check(false, 2);
        assert!(pod.ready.get());
        pod.take_check(false, 2);
        assert!(!pod.ready.get());
        pod.take_check(true, 2);
        assert!(pod.ready.get());
    }
}
