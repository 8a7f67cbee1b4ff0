use firedrill_erlmcp::world::{ProcessState, SiteView};
use firedrill_scenarios::Given;
use rand_xoshiro::rand_core::SeedableRng as _;

use super::*;

fn plan(fault: &str) -> Plan {
    let text = format!(
        "scenario: own\ntarget: {{ sites: {{ primary: {{ nodes: 2, pods: 4, disruption_budget: 1 }} }} }}\n\
         load: {{ rate: 100/s, operations: [{{ tool: echo }}] }}\n\
         timeline: [{{ phase: steady, for: 30s, fault: {{ {fault} }} }}]\n"
    );
    Plan::parse(&text, &Given::named("own.yaml")).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Four pods, all of them on the second node: the first was drained before.
fn view() -> View {
    let node = |number: u32| NodeView {
        name: format!("primary-node-{number}"),
        powered: true,
        cordoned: false,
    };
    let pod = |number: u32| ProcessView {
        name: format!("primary-{number}"),
        role: Role::Pod,
        node: Some("primary-node-1".to_owned()),
        pid: Some(1_000 + number),
        started: 1,
        address: ([127, 1, 0, 1], 1).into(),
        control: None,
        state: ProcessState::Running,
        ready: true,
    };
    let site = SiteView {
        name: "primary".to_owned(),
        powered: true,
        nodes: vec![node(0), node(1)],
        wanted_pods: 4,
        processes: (0..4).map(pod).collect(),
        store: None,
        front: ([127, 1, 0, 1], 1).into(),
        data: PathBuf::new(),
        backups: Vec::new(),
    };
    View {
        sites: vec![site],
        director: None,
        replication: None,
        links: Vec::new(),
    }
}

fn resolved(fault: &str) -> Result<Pinned, ResolveError> {
    let (plan, view) = (plan(fault), view());
    let scene = Scene {
        plan: &plan,
        view: Some(&view),
        quarantine: PathBuf::new(),
    };
    let plan::Act::Fault(own) = &plan.drill.actions[0].act else {
        panic!("no fault");
    };
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    resolve(&scene, "own", &own.kind, &mut random)
}

#[test]
fn a_drain_takes_no_more_pods_at_once_than_the_budget_lets_it() {
    let drain = resolved("node-drain: { site: primary, node: primary-node-1 }").unwrap();
    assert_eq!(drain.steps.len(), 1 + 4, "one cordon, and every pod");
    let loss = resolved("node-loss: { site: primary, node: primary-node-1 }").unwrap_err();
    assert!(loss.to_string().contains("hit 4 of 4 pods"), "{loss}");
}
