//! The blast radius: what all faults in force hit together, held against the limits of the plan. What one fault hits
//! by itself is held against them where its victims are chosen.

use std::collections::{BTreeMap, BTreeSet};

use firedrill_erlmcp::world::{Blocked, LinkShape, Request, View};
use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::Target;

use super::pinned::{Change, Pinned, Sight};

/// What one fault hits, by site.
#[derive(Debug, Default)]
pub struct Hits(BTreeMap<String, Hit>);

#[derive(Debug, Default)]
struct Hit {
    /// All of it: its processes are gone, or out of reach.
    whole: bool,
    pods: BTreeSet<String>,
    /// Of these pods, no more are missing at the same time.
    at_once: Option<usize>,
    /// So many pods less than there were; the site itself says which.
    fewer: usize,
}

impl Hit {
    fn has_pods(&self) -> bool {
        !self.pods.is_empty() || self.fewer > 0
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    #[error(
        "with `{by}`, which is in force, {hit} of the {all} pods of site `{site}` would be hit at once, and \
         `limits: {{ pods: }}` allows {allowed} %: let that one end before, or raise the limit"
    )]
    Pods {
        by: String,
        site: String,
        hit: usize,
        all: u32,
        allowed: u32,
    },
    #[error(
        "with `{by}`, which is in force, {hit} sites would be down at once, and `limits: {{ sites: }}` allows {allowed}: \
         let that one end before, or raise the limit"
    )]
    Sites {
        by: String,
        hit: usize,
        allowed: u32,
    },
}

impl TooMuch {
    /// The fault that stands in the way.
    pub fn by(&self) -> &str {
        match self {
            TooMuch::Pods { by, .. } | TooMuch::Sites { by, .. } => by,
        }
    }
}

impl Hits {
    pub fn of(fault: &Pinned, plan: &Plan, view: &View) -> Hits {
        let mut hits = Hits::default();
        for step in &fault.steps {
            match &step.change {
                Change::Ask(Request::Power { site, on: false } | Request::Wipe { site, .. }) => {
                    hits.site(site).whole = true
                }
                Change::Ask(Request::Link { name, shape }) => {
                    if let Some(site) = cut_off(name, shape) {
                        hits.site(site).whole = true;
                    }
                }
                Change::Ask(Request::NodePower { on: false, .. }) => {
                    for sight in &fault.effects {
                        if let Sight::Gone(processes) = sight {
                            let names = processes.iter().map(|process| process.name.as_str());
                            names.for_each(|name| hits.pod(name, view));
                        }
                    }
                }
                Change::Ask(Request::Evict { site, pod }) => {
                    hits.pod(pod, view);
                    hits.site(site).at_once = Some(budget(plan, site));
                }
                Change::Ask(Request::RestartPod { site, pod }) => {
                    hits.pod(pod, view);
                    hits.site(site).at_once = Some(1);
                }
                Change::Ask(Request::Scale { site, pods }) => {
                    let before = view.site(site).map_or(0, |site| site.wanted_pods);
                    hits.site(site).fewer = before.saturating_sub(*pods) as usize;
                }
                Change::Ask(Request::Behave { pod, .. } | Request::Press { pod, .. }) => {
                    hits.pod(pod, view);
                }
                Change::Kick { process, .. } => hits.pod(&process.name, view),
                Change::Limit(limit) => hits.pod(&limit.process.name, view),
                Change::Ask(_) | Change::Damage(_) | Change::Run(_) | Change::Attack(_) => {}
            }
        }
        hits
    }

    fn site(&mut self, site: &str) -> &mut Hit {
        self.0.entry(site.to_owned()).or_default()
    }

    /// Stores and front doors are no pods.
    fn pod(&mut self, name: &str, view: &View) {
        let of =
            |site: &&firedrill_erlmcp::world::SiteView| site.pods().any(|pod| pod.name == name);
        if let Some(site) = view.sites.iter().find(of) {
            self.site(&site.name).pods.insert(name.to_owned());
        }
    }

    /// The site was built anew and serves.
    pub fn stands_again(&mut self, site: &str) {
        self.site(site).whole = false;
    }

    /// Refuses what would be too much together with the others, each by its fault's name.
    ///
    /// # Errors
    /// When it is.
    pub fn within<'a>(
        &self,
        others: impl Iterator<Item = (&'a String, &'a Hits)> + Clone,
        plan: &Plan,
        view: &View,
    ) -> Result<(), TooMuch> {
        self.sites_within(others.clone(), plan)?;
        let own = self.0.iter().filter(|(_, own)| own.has_pods());
        for (site, own) in own {
            let mut all = Together::default();
            all.add(own);
            let mut by = None;
            // Those that a fault in force took away are not asked for any more, and count among all.
            let mut wanted = view.site(site).map_or(0, |site| site.wanted_pods);
            for (fault, hits) in others.clone() {
                if let Some(hit) = hits.0.get(site).filter(|hit| hit.has_pods()) {
                    all.add(hit);
                    by = by.or(Some(fault));
                    wanted += hit.fewer as u32;
                }
            }
            let (hit, limits) = (all.count().min(wanted as usize), &plan.drill.limits);
            if let Some(by) = by
                && !limits.allows_pods(hit, wanted)
            {
                return Err(TooMuch::Pods {
                    by: by.clone(),
                    site: site.clone(),
                    hit,
                    all: wanted,
                    allowed: limits.pods_percent(),
                });
            }
        }
        Ok(())
    }

    fn sites_within<'a>(
        &self,
        others: impl Iterator<Item = (&'a String, &'a Hits)>,
        plan: &Plan,
    ) -> Result<(), TooMuch> {
        let mut down: BTreeSet<&String> = self.down().collect();
        if down.is_empty() {
            return Ok(());
        }
        let mut by = None;
        for (fault, hits) in others {
            for site in hits.down() {
                down.insert(site);
                by = by.or(Some(fault));
            }
        }
        let allowed = plan.drill.limits.sites;
        match by {
            Some(by) if down.len() > allowed as usize => Err(TooMuch::Sites {
                by: by.clone(),
                hit: down.len(),
                allowed,
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn down(&self) -> impl Iterator<Item = &String> {
        let down = self.0.iter().filter(|(_, hit)| hit.whole);
        down.map(|(site, _)| site)
    }
}

/// Pods of one site that several faults hit.
#[derive(Default)]
struct Together<'a> {
    pods: BTreeSet<&'a String>,
    /// Pods without a name: those that are missing one after the other, so many at a time, and those that the site chose.
    unnamed: usize,
}

impl<'a> Together<'a> {
    fn add(&mut self, hit: &'a Hit) {
        self.unnamed += hit.fewer;
        match hit.at_once {
            Some(at_once) => self.unnamed += at_once.min(hit.pods.len()),
            None => self.pods.extend(&hit.pods),
        }
    }

    fn count(&self) -> usize {
        self.pods.len() + self.unnamed
    }
}

/// The site that nobody reaches over such a link, or whose pods do not reach its store: it is as good as down.
fn cut_off<'a>(link: &'a str, shape: &LinkShape) -> Option<&'a str> {
    let site = link
        .strip_prefix("clients-")
        .or(link.strip_prefix("store-"))?;
    (shape.reset || shape.blocked != Blocked::Nothing).then_some(site)
}

fn budget(plan: &Plan, site: &str) -> usize {
    match &plan.target {
        Target::Embedded(embedded) => {
            let own = embedded.sites.iter().find(|own| own.name == site);
            own.map_or(0, |own| own.disruption_budget as usize)
        }
        Target::Endpoint(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use firedrill_erlmcp::world::Press;
    use firedrill_scenarios::Given;

    use super::super::pinned::{Reversal, Step, Undo};
    use super::super::resolve::tests::{pod, standing, view_of};
    use super::*;

    fn plan(limits: &str) -> Plan {
        let text = format!(
            "scenario: own\nlimits: {{ {limits} }}\n\
             target: {{ sites: {{ primary: {{ nodes: 2, pods: 4 }}, dr: {{ pods: 2 }} }} }}\n\
             load: {{ rate: 100/s, operations: [{{ tool: echo }}] }}\n\
             timeline: [{{ phase: steady, for: 30s }}]\nobjectives: [{{ errors: 1 % }}]\n"
        );
        Plan::parse(&text, &Given::named("own.yaml"))
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn view() -> View {
        let site = |name: &str, pods: u32| {
            let pods = (0..pods).map(|number| pod(name, number, None));
            standing(name, Vec::new(), pods.collect())
        };
        view_of(vec![site("primary", 4), site("dr", 2)])
    }

    fn fault(id: &str, requests: Vec<Request>) -> Pinned {
        let step = |request| Step {
            what: String::new(),
            change: Change::Ask(request),
            undo: Undo {
                change: Reversal::ByItself,
                ends: Vec::new(),
            },
        };
        Pinned {
            id: id.to_owned(),
            fault: "slow-pod",
            on: String::new(),
            steps: requests.into_iter().map(step).collect(),
            effects: Vec::new(),
        }
    }

    fn full(pod: &str) -> Request {
        let (site, _) = pod.rsplit_once('-').unwrap();
        Request::Press {
            site: site.to_owned(),
            pod: pod.to_owned(),
            press: Press::Work(true),
        }
    }

    fn evict(pod: &str) -> Request {
        let (site, _) = pod.rsplit_once('-').unwrap();
        Request::Evict {
            site: site.to_owned(),
            pod: pod.to_owned(),
        }
    }

    fn down(site: &str) -> Vec<Request> {
        vec![Request::Power {
            site: site.to_owned(),
            on: false,
        }]
    }

    /// What the last of these faults is told.
    fn told(limits: &str, faults: &[Vec<Request>]) -> Result<(), TooMuch> {
        let (plan, mut view) = (plan(limits), view());
        let (last, earlier) = faults.split_last().unwrap();
        let mut before: Vec<(String, Hits)> = Vec::new();
        let hits = |requests: &Vec<Request>, view: &View| {
            Hits::of(&fault("f", requests.clone()), &plan, view)
        };
        for requests in earlier {
            before.push((format!("f{}", before.len()), hits(requests, &view)));
            if let Some(Request::Scale { pods, .. }) = requests.first() {
                view.sites[0].wanted_pods = *pods;
            }
        }
        let others = before.iter().map(|(name, hits)| (name, hits));
        hits(last, &view).within(others, &plan, &view)
    }

    #[test]
    fn pods_that_several_faults_hit_are_held_against_the_limit_together() {
        let one = |pod: &str| vec![full(pod)];
        let all = [one("primary-0"), one("primary-1"), one("primary-2")];
        assert_eq!(told("pods: 75 %", &all), Ok(()));
        let much = told("pods: 50 %", &all).unwrap_err();
        assert_eq!(much.by(), "f0");
        assert!(much.to_string().contains("3 of the 4 pods"), "{much}");
        // The same pod is hit once, and another site's pods are its own.
        let same = [one("primary-0"), one("primary-0"), one("primary-1")];
        assert_eq!(told("pods: 50 %", &same), Ok(()));
        let apart = [one("primary-0"), one("primary-1"), one("dr-0")];
        assert_eq!(told("pods: 50 %", &apart), Ok(()));
    }

    #[test]
    fn pods_that_are_evicted_are_missing_in_turn() {
        let node = vec![evict("primary-0"), evict("primary-1"), evict("primary-2")];
        let slow = vec![full("primary-3")];
        assert_eq!(told("pods: 50 %", &[slow.clone(), node.clone()]), Ok(()));
        assert!(told("pods: 25 %", &[slow, node]).is_err());
    }

    #[test]
    fn pods_that_were_scaled_away_count_with_those_that_are_hit() {
        let scale = |pods| {
            vec![Request::Scale {
                site: "primary".to_owned(),
                pods,
            }]
        };
        let slow = vec![full("primary-3")];
        assert_eq!(told("pods: 75 %", &[scale(2), slow.clone()]), Ok(()));
        let much = told("pods: 50 %", &[scale(2), slow.clone()]).unwrap_err();
        assert!(much.to_string().contains("3 of the 4 pods"), "{much}");
        // The other way round, and up instead of down.
        assert!(told("pods: 50 %", &[slow.clone(), scale(2)]).is_err());
        assert_eq!(told("pods: 25 %", &[slow, scale(6)]), Ok(()));
    }

    #[test]
    fn sites_that_are_down_together_are_held_against_the_limit() {
        let both = [down("primary"), down("dr")];
        assert_eq!(told("sites: 2", &both), Ok(()));
        let much = told("sites: 1", &both).unwrap_err();
        assert!(much.to_string().contains("2 sites"), "{much}");
        assert_eq!(told("sites: 1", &[vec![full("dr-0")], down("dr")]), Ok(()));
        // A site that is cut off is as good as down; one that is slow is not.
        let link = |blocked| {
            vec![Request::Link {
                name: "clients-dr".to_owned(),
                shape: LinkShape {
                    blocked,
                    ..LinkShape::default()
                },
            }]
        };
        let cut = |blocked| told("sites: 1", &[link(blocked), down("primary")]);
        assert!(cut(Blocked::FromServer).is_err());
        assert_eq!(cut(Blocked::Nothing), Ok(()));
    }
}
