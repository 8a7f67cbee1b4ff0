//! The network between the others: disturbed in each way, and let alone again.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use firedrill_erlmcp::world::{Blocked, LinkShape, Request};

use crate::world::{Ground, LAG, positions, put, two_sites};

/// Seconds since the machine was started, to a hundredth: what is tested is a time, and clocks are not read here.
fn now() -> Duration {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let seconds = uptime.split(' ').next().unwrap();
    Duration::from_secs_f64(seconds.parse().unwrap())
}

fn linked() -> Ground {
    two_sites(|config| config.links = true)
}

fn shape(ground: &Ground, name: &str, shape: LinkShape) {
    let name = name.to_owned();
    ground.ask(Request::Link { name, shape });
}

fn address(ground: &Ground, name: &str) -> SocketAddr {
    let view = ground.view();
    let link = view.links.iter().find(|link| link.name == name);
    link.unwrap_or_else(|| panic!("{:?}", view.links)).address
}

/// How long a request with a body of so many bytes takes; what went wrong, when something did.
fn ask(address: SocketAddr, body: usize) -> Result<Duration, ErrorKind> {
    let began = now();
    let exchange = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_millis(600)))?;
        let head = format!("POST /nobody HTTP/1.1\r\nhost: x\r\ncontent-length: {body}\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(&vec![b' '; body])?;
        stream.read_exact(&mut [0; 8])
    };
    exchange()
        .map(|()| now() - began)
        .map_err(|error| error.kind())
}

#[test]
fn everybody_is_reached_over_links_that_let_everything_through() {
    let ground = linked();
    let names: Vec<String> = ground
        .view()
        .links
        .into_iter()
        .map(|link| link.name)
        .collect();
    let wanted = [
        "clients-a",
        "store-a",
        "replication",
        "clients-b",
        "store-b",
    ];
    assert!(
        wanted
            .iter()
            .all(|name| names.iter().any(|own| own == name)),
        "{names:?}"
    );
    assert_eq!(names.len(), wanted.len(), "{names:?}");
    assert_eq!(address(&ground, "clients-a"), ground.site("a").front);
    assert_ne!(
        ground.site("a").process("a-front").unwrap().address,
        ground.site("a").front
    );
    let session = ground.session("a");
    assert_eq!(put(&session, "c", 1)["position"], 1);
    ground.until("the record is shipped", |view| {
        view.site("b")
            .unwrap()
            .store
            .as_ref()
            .unwrap()
            .last_position
            == 1
    });
    let refusal = ground.refusal(Request::Link {
        name: "nowhere".to_owned(),
        shape: LinkShape::default(),
    });
    assert!(refusal.contains("clients-a"), "{refusal}");
}

#[test]
fn each_shape_does_what_it_says_and_its_end_is_the_end() {
    let ground = linked();
    let at = address(&ground, "store-b");
    let open = LinkShape::default();
    let late = LinkShape {
        delay: Duration::from_millis(60),
        ..open
    };
    shape(&ground, "store-b", late);
    assert!(ask(at, 0).unwrap() >= Duration::from_millis(120));
    let narrow = LinkShape {
        bandwidth: Some(100_000),
        ..open
    };
    shape(&ground, "store-b", narrow);
    assert!(ask(at, 30_000).unwrap() >= Duration::from_millis(250));
    for blocked in [Blocked::ToServer, Blocked::FromServer, Blocked::Both] {
        shape(&ground, "store-b", LinkShape { blocked, ..open });
        assert_eq!(ask(at, 0), Err(ErrorKind::WouldBlock), "{blocked:?}");
    }
    shape(
        &ground,
        "store-b",
        LinkShape {
            reset: true,
            ..open
        },
    );
    let reset = ask(at, 0);
    assert!(
        matches!(
            reset,
            Err(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
        ),
        "{reset:?}"
    );
    shape(&ground, "store-b", open);
    assert!(ask(at, 30_000).unwrap() < Duration::from_millis(120));
    // The other links were let alone all the time, and know nothing of it.
    assert!(ground.view().links.iter().all(|link| link.shape == open));
}

#[test]
fn a_connection_that_was_blocked_goes_on_and_one_that_was_reset_does_not() {
    let ground = linked();
    let at = address(&ground, "store-a");
    let both = LinkShape {
        blocked: Blocked::Both,
        ..LinkShape::default()
    };
    let mut stream = TcpStream::connect(at).unwrap();
    shape(&ground, "store-a", both);
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert_eq!(
        stream.read(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    shape(&ground, "store-a", LinkShape::default());
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.read_exact(&mut [0; 8]).unwrap();
    let reset = LinkShape {
        reset: true,
        ..LinkShape::default()
    };
    shape(&ground, "store-a", reset);
    let mut rest = Vec::new();
    assert_eq!(
        stream.read_to_end(&mut rest).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

/// There and back it takes longer than anything here waits for an answer of the same machine.
#[test]
fn a_slow_link_makes_the_copy_late_and_does_not_stop_it() {
    let ground = linked();
    let delay = Duration::from_millis(600);
    let slow = LinkShape {
        delay,
        ..LinkShape::default()
    };
    shape(&ground, "replication", slow);
    let session = ground.session("a");
    (1..=3).for_each(|number| assert_eq!(put(&session, "c", number)["position"], number));
    ground.until("the other store has caught up", |view| {
        let there = view.site("b").unwrap().store.as_ref();
        there.unwrap().last_position == 3
    });
    assert!(ground.view().links.iter().any(|link| link.shape == slow));
}

#[test]
fn a_cut_replication_ships_nothing_and_then_what_was_missed() {
    let ground = linked();
    let session = ground.session("a");
    let cut = LinkShape {
        blocked: Blocked::Both,
        ..LinkShape::default()
    };
    shape(&ground, "replication", cut);
    for number in 1..=3 {
        assert_eq!(put(&session, "c", number)["position"], number);
    }
    // Several times the lag.
    let began = now();
    while now() - began < 4 * LAG {
        assert_eq!(ground.site("b").store.unwrap().last_position, 0);
    }
    shape(&ground, "replication", LinkShape::default());
    ground.until("the other store has caught up", |view| {
        view.site("b")
            .unwrap()
            .store
            .as_ref()
            .unwrap()
            .last_position
            == 3
    });
    assert_eq!(positions(&session), [1, 2, 3]);
}
