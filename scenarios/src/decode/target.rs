//! What is driven: stand-in sites, or an endpoint.

use std::collections::BTreeMap;
use std::time::Duration;

use super::continuity;
use super::endpoint::endpoint;
use super::fields::Fields;
use super::profile::profile;
use super::reader::Reader;
use super::resource;
use super::victims::labels;
use crate::grammar::target;
use crate::plan::{
    Behaviour, Bounds, Embedded, Labels, PODS_MAX, Profile, ServiceTime, Site, Target,
};
use crate::text::tree::{Item, Key, Node};

/// The target and its profile. Without a value: one stand-in site.
pub(crate) fn target(reader: &Reader<'_>, item: Option<&Item>) -> (Target, Profile) {
    let default = || (Target::Embedded(embedded_default()), Profile::sop());
    let Some(item) = item else {
        return default();
    };
    let Some(fields) = Fields::open(reader, item, &target::TARGET) else {
        return default();
    };
    let own_profile = fields.get("profile").and_then(|item| profile(reader, item));
    if let Some(url) = fields.get("endpoint") {
        fields.refuse(
            &["sites", "replication", "director", "backups"],
            "`endpoint`",
            "a target is either sites or an endpoint: keep one of them",
        );
        let endpoint = endpoint(&fields, url);
        return (
            Target::Endpoint(endpoint),
            own_profile.unwrap_or_else(Profile::mcp),
        );
    }
    let for_endpoints = ["headers", "bearer", "allow_host", "resolver"];
    fields.refuse(
        &for_endpoints,
        "stand-in sites",
        "it belongs to `endpoint: URL`",
    );
    let sites = fields
        .get("sites")
        .map_or_else(|| embedded_default().sites, |item| sites(reader, item));
    let tls = fields.get("tls").and_then(|item| match item.node {
        Node::Map(_) => {
            reader.problem(
                item.place,
                "stand-in sites make their own certificates",
                "write tls: true, or name an `endpoint`",
            );
            None
        }
        Node::Scalar(_) | Node::List(_) => reader.flag(item),
    });
    let replication = continuity::replication(&fields, &sites);
    let replicated = replication.is_some() || fields.has("replication");
    let embedded = Embedded {
        sites,
        tls: tls.unwrap_or(false),
        replication,
        director: continuity::director(&fields, replicated),
        backups: continuity::backups(&fields),
    };
    (
        Target::Embedded(embedded),
        own_profile.unwrap_or_else(Profile::sop),
    )
}

fn embedded_default() -> Embedded {
    Embedded {
        sites: vec![default_site("primary".to_owned())],
        tls: false,
        replication: None,
        director: None,
        backups: None,
    }
}

fn default_site(name: String) -> Site {
    Site {
        name,
        nodes: 1,
        pods: 2,
        disruption_budget: 1,
        restart_delay: Duration::from_millis(500),
        labels: BTreeMap::new(),
        behaviour: Behaviour::default(),
    }
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            service_time: ServiceTime::LogNormal {
                median: Duration::from_millis(2),
                p99: Duration::from_millis(20),
            },
            error_rate: 0.0,
            capacity: 64,
            queue: 256,
            connections: 1000,
            sessions: 10_000,
            session_memory: 16 << 10,
            bounds: Bounds::default(),
        }
    }
}

fn sites(reader: &Reader<'_>, item: &Item) -> Vec<Site> {
    let Some(entries) = reader.named(item, "a map of sites by name") else {
        return Vec::new();
    };
    if entries.is_empty() {
        reader.problem(
            item.place,
            "there is no site",
            "write sites: { primary: { pods: 2 } }",
        );
    }
    entries
        .iter()
        .map(|(key, item)| {
            reader.check_name(&key.text, key.place);
            site(reader, key.text.clone(), item)
        })
        .collect()
}

fn site(reader: &Reader<'_>, name: String, item: &Item) -> Site {
    let mut site = default_site(name);
    let Some(fields) = Fields::open(reader, item, &target::SITE) else {
        return site;
    };
    site.nodes = fields
        .count_within("nodes", 1, PODS_MAX)
        .unwrap_or(site.nodes);
    site.pods = fields
        .count_within("pods", 1, PODS_MAX)
        .unwrap_or(site.pods.max(site.nodes));
    if site.pods < site.nodes {
        reader.problem(
            fields.key_place("pods"),
            format!(
                "{} pods leave some of {} nodes empty",
                site.pods, site.nodes
            ),
            format!("write pods: {} or more, or fewer nodes", site.nodes),
        );
    }
    site.disruption_budget = fields
        .count("disruption_budget", 0)
        .unwrap_or(site.disruption_budget);
    site.restart_delay = fields
        .duration("restart_delay")
        .unwrap_or(site.restart_delay);
    if let Some(item) = fields.get("labels") {
        site.labels = labels_of_pods(reader, item, &site);
    }
    if let Some(item) = fields.get("behaviour") {
        site.behaviour = behaviour(reader, item);
    }
    site
}

fn labels_of_pods(reader: &Reader<'_>, item: &Item, site: &Site) -> BTreeMap<String, Labels> {
    let entries = reader
        .named(item, "a map of labels by pod")
        .unwrap_or_default();
    let known: Vec<String> = site.pod_names().collect();
    for (pod, _) in entries.iter().filter(|(pod, _)| !known.contains(&pod.text)) {
        reader.problem(
            pod.place,
            format!("`{}` has no pod called `{}`", site.name, pod.text),
            format!("its pods: {}", known.join(", ")),
        );
    }
    let labelled = |(pod, item): &(Key, Item)| (pod.text.clone(), labels(reader, item));
    entries.iter().map(labelled).collect()
}

fn behaviour(reader: &Reader<'_>, item: &Item) -> Behaviour {
    let default = Behaviour::default();
    let Some(fields) = Fields::open(reader, item, &target::BEHAVIOUR) else {
        return default;
    };
    let service_time = fields
        .get("service_time")
        .and_then(|item| service_time(reader, item));
    Behaviour {
        service_time: service_time.unwrap_or(default.service_time),
        error_rate: fields.share("error_rate").unwrap_or(default.error_rate),
        capacity: fields.count("capacity", 1).unwrap_or(default.capacity),
        queue: fields.count("queue", 0).unwrap_or(default.queue),
        connections: fields
            .count("connections", 1)
            .unwrap_or(default.connections),
        sessions: fields.count("sessions", 1).unwrap_or(default.sessions),
        session_memory: fields
            .size("session_memory")
            .unwrap_or(default.session_memory),
        bounds: fields
            .get("bounds")
            .map_or(default.bounds, |item| resource::bounds(reader, item)),
    }
}

fn service_time(reader: &Reader<'_>, item: &Item) -> Option<ServiceTime> {
    if !matches!(item.node, Node::Map(_)) {
        return reader.duration(item).map(ServiceTime::Fixed);
    }
    let fields = Fields::open(reader, item, &target::SERVICE_TIME)?;
    if fields.get("fixed").is_some() {
        return fields.duration("fixed").map(ServiceTime::Fixed);
    }
    if fields.get("exponential").is_some() {
        return fields
            .length("exponential")
            .map(|mean| ServiceTime::Exponential { mean });
    }
    if fields.get("uniform").is_some() {
        return fields
            .range("uniform")
            .map(|(low, high)| ServiceTime::Uniform { low, high });
    }
    let lognormal = Fields::open(reader, fields.get("lognormal")?, &target::LOGNORMAL)?;
    let (median, p99) = (lognormal.length("median"), lognormal.length("p99"));
    let (median, p99) = (median?, p99?);
    if p99 < median {
        reader.problem(
            lognormal.key_place("p99"),
            "the p99 is below the median",
            "write the larger duration as p99",
        );
        return None;
    }
    Some(ServiceTime::LogNormal { median, p99 })
}
