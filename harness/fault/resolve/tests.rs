use std::collections::BTreeSet;

use firedrill_erlmcp::world::{Kept, LinkView, ProcessState, ReplicationView, SiteView};
use firedrill_scenarios::Given;
use firedrill_scenarios::plan::Labels;
use rand_xoshiro::rand_core::SeedableRng as _;

use super::*;

fn plan(fault: &str) -> Plan {
    let text = format!(
        "scenario: own\ntarget: {{ sites: {{ primary: {{ nodes: 2, pods: 4, disruption_budget: 1, labels: {{ primary-1: {{ role: canary }}, primary-3: {{ role: canary }} }} }} }} }}\n\
         load: {{ rate: 100/s, operations: [{{ tool: echo }}] }}\n\
         timeline: [{{ phase: steady, for: 30s, fault: {{ {fault} }} }}]\n"
    );
    Plan::parse(&text, &Given::named("own.yaml")).unwrap_or_else(|problems| panic!("{problems}"))
}

pub fn pod(site: &str, number: u32, node: Option<&str>) -> ProcessView {
    ProcessView {
        name: format!("{site}-{number}"),
        role: Role::Pod,
        node: node.map(str::to_owned),
        labels: Labels::new(),
        pid: Some(1_000 + number),
        started: 1,
        address: ([127, 1, 0, 1], 1).into(),
        control: None,
        state: ProcessState::Running,
        ready: true,
    }
}

/// A site that runs as it should.
pub fn standing(name: &str, nodes: Vec<NodeView>, pods: Vec<ProcessView>) -> SiteView {
    SiteView {
        name: name.to_owned(),
        powered: true,
        nodes,
        wanted_pods: pods.len() as u32,
        processes: pods,
        store: None,
        kept: Kept::Unknown,
        away: None,
        front: ([127, 1, 0, 1], 1).into(),
        data: PathBuf::new(),
        backups: Vec::new(),
    }
}

pub fn view_of(sites: Vec<SiteView>) -> View {
    View {
        sites,
        director: None,
        replication: None,
        links: Vec::new(),
    }
}

/// Four pods, all of them on the second node: the first was drained before.
fn view() -> View {
    view_with(&[])
}

/// The same with these pods labelled `role: canary`.
fn view_with(canaries: &[u32]) -> View {
    let node = |number: u32| NodeView {
        name: format!("primary-node-{number}"),
        powered: true,
        cordoned: false,
    };
    let canary = Labels::from([("role".to_owned(), "canary".to_owned())]);
    let pods = (0..4).map(|number| {
        let mut pod = pod("primary", number, Some("primary-node-1"));
        if canaries.contains(&number) {
            pod.labels = canary.clone();
        }
        pod
    });
    view_of(vec![standing(
        "primary",
        vec![node(0), node(1)],
        pods.collect(),
    )])
}

fn resolved(fault: &str) -> Result<Pinned, ResolveError> {
    resolved_in(&view(), fault, 1)
}

fn resolved_in(view: &View, fault: &str, seed: u64) -> Result<Pinned, ResolveError> {
    let plan = plan(fault);
    let scene = Scene {
        plan: &plan,
        view: Some(view),
        quarantine: PathBuf::new(),
        held: BTreeSet::new(),
        clients: None,
    };
    let plan::Act::Fault(own) = &plan.drill.actions[0].act else {
        panic!("no fault");
    };
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    resolve(&scene, "own", &own.kind, &mut random)
}

#[test]
fn a_drain_takes_no_more_pods_at_once_than_the_budget_lets_it() {
    let drain = resolved("node-drain: { site: primary, node: primary-node-1 }").unwrap();
    assert_eq!(drain.steps.len(), 1 + 4, "one cordon, and every pod");
    let loss = resolved("node-loss: { site: primary, node: primary-node-1 }").unwrap_err();
    assert!(loss.to_string().contains("hit 4 of 4 pods"), "{loss}");
}

#[test]
fn pods_are_drawn_from_those_that_have_the_labels() {
    let kill = |pods: &str| {
        format!("pod-kill: {{ site: primary, labels: {{ role: canary }}, pods: {pods} }}")
    };
    let view = view_with(&[1, 3]);
    let drawn: BTreeSet<String> = (0..20)
        .map(|seed| resolved_in(&view, &kill("1"), seed).unwrap().on)
        .collect();
    assert_eq!(drawn, ["primary-1", "primary-3"].map(str::to_owned).into());
    let both = resolved_in(&view, &kill("all"), 1).unwrap();
    assert_eq!(
        (both.on.as_str(), both.steps.len()),
        ("primary-1, primary-3", 2)
    );
    // The sites say who has them, whatever the scenario thinks.
    let none = resolved_in(&view_with(&[]), &kill("all"), 1).unwrap_err();
    assert!(
        none.to_string()
            .contains("site `primary` has no pod that runs and has role=canary"),
        "{none}"
    );
}

/// Its undo would leave them other than they were found.
#[test]
fn what_is_disturbed_already_is_not_disturbed_again() {
    let plan = plan("pod-kill: primary");
    let refused = |view: &View, kind: &FaultKind| {
        let scene = Scene {
            plan: &plan,
            view: Some(view),
            quarantine: PathBuf::new(),
            held: BTreeSet::new(),
            clients: None,
        };
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let resolved = resolve(&scene, "own", kind, &mut random);
        resolved.err().map(|error| error.to_string())
    };
    let mut view = view();
    view.replication = Some(ReplicationView {
        from: "primary".to_owned(),
        to: "dr".to_owned(),
        paused: false,
        shipped_position: 0,
        lag_ms: 0,
    });
    view.links = vec![LinkView {
        name: "replication".to_owned(),
        address: ([127, 1, 0, 1], 1).into(),
        shape: LinkShape::default(),
    }];
    let pause = FaultKind::ReplicationPause;
    let network = FaultKind::Network {
        link: plan::Link::Replication,
        shape: plan::LinkShape::default(),
    };
    assert_eq!(refused(&view, &pause), None);
    assert_eq!(refused(&view, &network), None);
    if let Some(replication) = &mut view.replication {
        replication.paused = true;
    }
    view.links[0].shape.reset = true;
    let paused = refused(&view, &pause).unwrap();
    assert!(paused.contains("is paused already"), "{paused}");
    let disturbed = refused(&view, &network).unwrap();
    assert!(disturbed.contains("is disturbed already"), "{disturbed}");
}

#[test]
fn a_node_without_pods_is_no_victim() {
    let none = resolved("pod-kill: { site: primary, node: primary-node-0 }").unwrap_err();
    assert!(
        none.to_string()
            .contains("no pod that runs and is on primary-node-0"),
        "{none}"
    );
}
