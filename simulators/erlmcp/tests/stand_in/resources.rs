//! Resources that are used up: with a bound they refuse, each with its code; without it what the bound prevents
//! happens.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use firedrill_erlmcp::world::{Busy, DirectorClock, Press, Request};
use firedrill_erlmcp::{Behaviour, TlsFiles, make_certificates};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::json;

use crate::client::{Answer, Directory, Session, initialize};
use crate::limits::until;
use crate::world::{Ground, put, two_sites};

/// One site that matters, whose only pod behaves like this.
fn one_pod(change: impl FnOnce(&mut Behaviour)) -> Ground {
    two_sites(|config| {
        config.sites[0].nodes = 1;
        config.sites[0].pods = 1;
        change(&mut config.sites[0].behaviour);
    })
}

fn press(ground: &Ground, press: Press) {
    ground.ask(Request::Press {
        site: "a".to_owned(),
        pod: "a-0".to_owned(),
        press,
    });
}

fn pod(ground: &Ground) -> SocketAddr {
    ground.site("a").process("a-0").unwrap().address
}

/// Status and code of erlmcp's.
fn refusal(answer: &Answer) -> (u16, i64) {
    let code = &answer.json()["error"]["data"]["refusal"];
    (answer.status, code.as_i64().unwrap_or_default())
}

fn echo(session: &Session) -> Answer {
    session.tool("echo", json!({ "message": "m" }))
}

#[test]
fn a_pod_whose_memory_is_full_takes_no_session_and_keeps_those_it_has() {
    let ground = one_pod(|behaviour| {
        behaviour.bounds.memory = Some(24 << 20);
        behaviour.session_memory = 1 << 20;
    });
    let session = Session::open(pod(&ground));
    let before = ground.site("a").process("a-0").unwrap().pid;
    press(&ground, Press::Memory(1 << 40));
    let refused = initialize(pod(&ground), "2025-11-25");
    assert_eq!(refusal(&refused), (503, 1089));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let large = session.tool("echo", json!({ "message": "m".repeat(100 << 10) }));
    assert_eq!(refusal(&large), (503, 1089));
    assert_eq!(echo(&session).status, 200);
    press(&ground, Press::Memory(0));
    assert_eq!(initialize(pod(&ground), "2025-11-25").status, 200);
    assert_eq!(ground.site("a").process("a-0").unwrap().pid, before);
}

/// What the kernel says that the process has.
fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64
}

/// Else the second time that it is filled leaves it full.
#[test]
fn memory_goes_back_to_the_system_however_often_it_was_filled() {
    let ground = one_pod(|behaviour| behaviour.bounds.memory = Some(120 << 20));
    let pid = ground.site("a").process("a-0").unwrap().pid.unwrap();
    let before = resident(pid);
    for _ in 0..3 {
        press(&ground, Press::Memory(1 << 40));
        assert!(resident(pid) > before + (100 << 20));
        press(&ground, Press::Memory(0));
        let after = resident(pid);
        assert!(
            after < before + (20 << 20),
            "{before} before, {after} after"
        );
    }
}

#[test]
fn a_pod_that_minds_no_bound_of_its_own_ends_at_the_systems() {
    let ground = one_pod(|behaviour| behaviour.bounds.memory = None);
    let before = ground.site("a").process("a-0").unwrap().clone();
    limit(before.pid.unwrap(), Resource::As, Some(512 << 20));
    let fill = Request::Press {
        site: "a".to_owned(),
        pod: "a-0".to_owned(),
        press: Press::Memory(1 << 40),
    };
    // Whether its end is known by then is up to the kernel.
    let _ = ground.world().ask(&fill);
    ground.until("another pod is in its place", |view| {
        let pod = view.site("a").unwrap().process("a-0").unwrap();
        pod.pid.is_some() && pod.pid != before.pid
    });
}

#[test]
fn a_pod_that_is_too_busy_says_so_until_it_is_not() {
    let ground = one_pod(|_| {});
    let session = Session::open(pod(&ground));
    assert_eq!(echo(&session).status, 200);
    let busy = Busy {
        share: 1.0,
        slice: Duration::from_millis(200),
    };
    press(&ground, Press::Thread(Some(busy)));
    until("the pod has noticed", || {
        refusal(&echo(&session)) == (503, 1078)
    });
    assert_eq!(session.request("ping", json!({})).unwrap().status, 200);
    press(&ground, Press::Thread(None));
    until("the pod has time again", || echo(&session).status == 200);
}

#[test]
fn work_that_does_not_end_fills_the_queue_and_no_more() {
    for (bounded, wait) in [(true, 2), (false, 5)] {
        let ground = one_pod(|behaviour| {
            behaviour.capacity = 2;
            behaviour.queue = 2;
            behaviour.bounds.queue = bounded;
        });
        let session = Session::open(pod(&ground));
        press(&ground, Press::Work(true));
        let waiting: Vec<_> = (0..wait)
            .map(|_| {
                let session = session.clone();
                std::thread::spawn(move || echo(&session).status)
            })
            .collect();
        let control = ground.site("a").process("a-0").unwrap().control.unwrap();
        until("they wait", || {
            crate::client::get(control, "/control/counters").json()["queue"] == wait
        });
        if bounded {
            assert_eq!(refusal(&echo(&session)), (503, 1056));
        }
        press(&ground, Press::Work(false));
        for one in waiting {
            assert_eq!(one.join().unwrap(), 200);
        }
    }
}

fn limit(pid: u32, resource: Resource, most: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    let limit = Rlimit {
        current: most,
        maximum: None,
    };
    prlimit(pid, resource, limit).unwrap();
}

/// The store's file may grow no further, and then it may.
fn fill_the_disk(ground: &Ground, meanwhile: impl FnOnce()) {
    let site = ground.site("a");
    let store = site.process("a-store").unwrap().pid.unwrap();
    let length = std::fs::metadata(site.data.join("ledger.log")).unwrap();
    limit(store, Resource::Fsize, Some(length.len()));
    meanwhile();
    limit(store, Resource::Fsize, None);
    let after = ground.site("a").process("a-store").unwrap().pid;
    assert_eq!(after, Some(store), "it is the same store");
}

fn records(session: &Session) -> Vec<serde_json::Value> {
    let page = session.tool("ledger_scan", json!({})).json();
    let records = &page["result"]["structuredContent"]["records"];
    records.as_array().unwrap().clone()
}

#[test]
fn a_full_disk_refuses_writes_and_keeps_what_was_acknowledged() {
    let ground = one_pod(|_| {});
    let session = Session::open(pod(&ground));
    let write = |number: u64| {
        let arguments = json!({ "client": "c", "sequence": number, "value": "v" });
        session.tool("ledger_put", arguments)
    };
    assert_eq!(write(1).status, 200);
    fill_the_disk(&ground, || {
        assert_eq!(refusal(&write(2)), (503, 1079));
        assert_eq!(refusal(&write(3)), (503, 1079));
        assert_eq!(records(&session).len(), 1, "it is still read");
        assert_eq!(echo(&session).status, 200);
    });
    assert_eq!(put(&session, "c", 4)["position"], 2);
    let sequences = records(&session);
    let sequences: Vec<_> = sequences.iter().map(|own| &own["sequence"]).collect();
    assert_eq!(sequences, [1, 4]);
}

#[test]
fn a_store_that_does_not_look_acknowledges_what_has_no_room() {
    let ground = one_pod(|behaviour| behaviour.bounds.disk = false);
    let session = Session::open(pod(&ground));
    put(&session, "c", 1);
    fill_the_disk(&ground, || {
        assert_eq!(put(&session, "c", 2)["position"], 2);
    });
    assert_eq!(put(&session, "c", 3)["position"], 2);
    let sequences = records(&session);
    let sequences: Vec<_> = sequences.iter().map(|own| &own["sequence"]).collect();
    assert_eq!(sequences, [1, 3], "the second was acknowledged");
}

/// What a client finds that trusts the authority.
fn handshake(front: SocketAddr, authority: &str) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(authority.as_bytes()).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("erlmcp.test").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(front).unwrap();
    while connection.is_handshaking() {
        connection
            .complete_io(&mut stream)
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[test]
fn a_certificate_expires_and_is_good_again() {
    let directory = Directory::new();
    let made = make_certificates(&["erlmcp.test".to_owned()]).unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let files = TlsFiles {
        cert_pem: write("cert.pem", &made.cert_pem),
        key_pem: write("key.pem", &made.key_pem),
        client_ca_pem: None,
        expired_pem: Some(write("expired.pem", &made.expired_pem)),
    };
    let ground = two_sites(|config| config.sites[0].tls = Some(files));
    let front = ground.site("a").front;
    let certificate = |site: &str, expired| Request::Certificate {
        site: site.to_owned(),
        expired,
    };
    assert_eq!(handshake(front, &made.ca_pem), Ok(()));
    ground.ask(certificate("a", true));
    let found = handshake(front, &made.ca_pem).unwrap_err();
    assert!(found.contains("expired"), "{found}");
    ground.ask(certificate("a", false));
    assert_eq!(handshake(front, &made.ca_pem), Ok(()));
    assert!(
        ground
            .refusal(certificate("b", true))
            .contains("speaks no TLS")
    );
}

#[test]
fn a_clock_that_jumps_moves_only_a_director_that_counts_by_it() {
    for clock in [DirectorClock::Monotonic, DirectorClock::Wall] {
        let ground = two_sites(|config| {
            let director = config.director.as_mut().unwrap();
            director.clock = clock;
            director.timeout = Duration::from_secs(1);
        });
        let wall = || ground.view().director.unwrap().wall_ms;
        let passes = |ms| {
            let now = wall();
            until("time passes", || wall() > now + ms);
        };
        // The director has seen the site.
        passes(500);
        let before = wall();
        ground.ask(Request::Clock {
            ahead_ms: 3_600_000,
        });
        until("it is an hour ahead", || {
            (3_600_000..3_660_000).contains(&wall().saturating_sub(before))
        });
        let route = || ground.view().director.unwrap().route;
        match clock {
            DirectorClock::Wall => until("it believes its clock", || route() == "b"),
            // Some checks of the site, each seen in the director's own time.
            DirectorClock::Monotonic => {
                passes(1_000);
                assert_eq!(route(), "a");
            }
        }
        ground.ask(Request::Clock { ahead_ms: 0 });
        until("it is right again", || {
            (before..before + 60_000).contains(&wall())
        });
    }
}
