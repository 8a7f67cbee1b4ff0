//! The resolved plan as a scenario again: every default written out, variables replaced, secrets still
//! references. It reads back as an equal plan.
//!
//! Files that the scenario names are referred to as `sources/NAME`, which is where a recording keeps them.
//!
//! - `yaml`: the text
//! - `load`: loads and phases
//! - `template`: templates and checks
//! - `judged`: probes and objectives
//! - `drill`, `safety`: faults and steps; what survives them, and what counts as recovered

mod drill;
mod hostile;
mod judged;
mod load;
mod safety;
mod template;
mod yaml;

use std::fmt;

use crate::plan::{
    Arrivals, Behaviour, Embedded, Endpoint, HeaderValue, Plan, Profile, Secret, ServiceTime, Site,
    Target, TlsOptions, Url,
};
use crate::text::unit;
use yaml::Yaml;

impl Plan {
    /// A scenario that reads back as an equal plan, when [`Plan::source_files`] lie below `sources/`.
    pub fn to_yaml(&self) -> String {
        self.resolved().document()
    }

    /// Every value with its path, as it stands in [`Plan::to_yaml`].
    pub(crate) fn values(&self) -> Vec<(String, String)> {
        let mut values = Vec::new();
        self.resolved().flatten("", &mut values);
        values
    }

    /// The files that the scenario names, by the name below `sources/`: their contents as the plan has them.
    pub fn source_files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let mut add = |name: &str, bytes: Vec<u8>| {
            if !files.iter().any(|(known, _)| known == name) {
                files.push((name.to_owned(), bytes));
            }
        };
        for load in &self.loads {
            if let Some(rows) = &load.rows {
                add(&rows.file, rows.to_csv());
            }
        }
        for arrivals in self.all_arrivals() {
            if let Arrivals::Trace { file, due } = arrivals {
                let lines = due.iter().map(|at| unit::seconds_text(*at) + "\n");
                add(file, lines.collect::<String>().into_bytes());
            }
        }
        files
    }

    fn resolved(&self) -> Yaml {
        let loads = match self.loads.as_slice() {
            [only] if only.name == "load" => ("load", load::load(only, "")),
            several => {
                let named = several.iter().map(|load| {
                    let prefix = if several.len() > 1 {
                        format!("{}.", load.name)
                    } else {
                        String::new()
                    };
                    (load.name.clone(), load::load(load, &prefix))
                });
                ("loads", Yaml::Map(named.collect()))
            }
        };
        let probes = self
            .probes
            .iter()
            .map(|probe| (probe.name.clone(), judged::probe(probe)));
        Yaml::map([
            ("scenario", Some(Yaml::text(&self.name))),
            ("about", Some(Yaml::text(&self.about))),
            ("covers", self.covers.as_ref().map(Yaml::text)),
            ("target", Some(target(&self.target, &self.profile))),
            (loads.0, Some(loads.1)),
            ("timeline", Some(Yaml::List(drill::timeline(self)))),
            ("ledger", self.drill.ledger.as_ref().map(safety::ledger)),
            ("recovery", safety::recovery(&self.drill)),
            ("limits", safety::limits(self)),
            (
                "incident_flag",
                self.drill.incident_flag.as_deref().map(path_text),
            ),
            ("probes", Some(Yaml::Map(probes.collect()))),
            ("objectives", Some(Yaml::List(judged::objectives(self)))),
            ("bucket", Some(duration(self.bucket))),
        ])
    }
}

fn duration(duration: std::time::Duration) -> Yaml {
    Yaml::Word(unit::duration_text(duration))
}

fn count(count: impl Into<u64>) -> Yaml {
    Yaml::Word(count.into().to_string())
}

fn flag(flag: bool) -> Yaml {
    Yaml::word(if flag { "true" } else { "false" })
}

fn target(target: &Target, own: &Profile) -> Yaml {
    let profile = profile(own);
    match target {
        Target::Embedded(Embedded {
            sites,
            tls,
            replication,
            director,
            backups,
        }) => {
            let each = sites.iter().map(|each| (each.name.clone(), site(each)));
            Yaml::map([
                ("sites", Some(Yaml::Map(each.collect()))),
                (
                    "replication",
                    replication
                        .as_ref()
                        .map(|own| safety::replication(own, sites)),
                ),
                ("director", director.as_ref().map(safety::director)),
                ("backups", backups.as_ref().map(safety::backups)),
                ("tls", Some(flag(*tls))),
                ("profile", Some(profile)),
            ])
        }
        Target::Endpoint(endpoint) => {
            let Endpoint {
                url,
                headers,
                bearer,
                tls,
                allow_hosts,
                resolver,
            } = endpoint;
            let headers = headers.iter().map(|(name, value)| {
                let value = match value {
                    HeaderValue::Text(text) => Yaml::text(text),
                    HeaderValue::Secret(reference) => secret(reference),
                };
                (name.clone(), value)
            });
            Yaml::map([
                ("endpoint", Some(Yaml::Text(url.to_string()))),
                ("headers", Some(Yaml::Map(headers.collect()))),
                ("bearer", bearer.as_ref().map(secret)),
                (
                    "tls",
                    (*tls != TlsOptions::default()).then(|| tls_options(tls)),
                ),
                (
                    "allow_host",
                    Some(Yaml::List(allow_hosts.iter().map(Yaml::text).collect())),
                ),
                (
                    "resolver",
                    resolver.map(|address| Yaml::Text(address.to_string())),
                ),
                ("profile", Some(profile)),
            ])
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Url {
            tls,
            host,
            port,
            path,
        } = self;
        let scheme = if *tls { "https" } else { "http" };
        if host.contains(':') {
            write!(out, "{scheme}://[{host}]:{port}{path}")
        } else {
            write!(out, "{scheme}://{host}:{port}{path}")
        }
    }
}

fn secret(secret: &Secret) -> Yaml {
    match secret {
        Secret::Env(name) => Yaml::map([("env", Some(Yaml::text(name)))]),
        Secret::File(path) => Yaml::map([("file", Some(path_text(path)))]),
    }
}

fn path_text(path: &std::path::Path) -> Yaml {
    // Paths come from the scenario's text, so that they are UTF-8.
    Yaml::Text(path.to_string_lossy().into_owned())
}

fn tls_options(tls: &TlsOptions) -> Yaml {
    let client = tls.client.as_ref();
    Yaml::map([
        ("ca", tls.ca.as_deref().map(path_text)),
        ("client_cert", client.map(|(cert, _)| path_text(cert))),
        ("client_key", client.map(|(_, key)| path_text(key))),
        ("server_name", tls.server_name.as_ref().map(Yaml::text)),
    ])
}

fn profile(profile: &Profile) -> Yaml {
    if [Profile::sop(), Profile::erlmcp(), Profile::mcp()].contains(profile) {
        return Yaml::text(&profile.name);
    }
    let methods = profile.methods.as_ref();
    let statuses = profile.session_lost.iter().map(|status| count(*status));
    Yaml::map([
        ("name", Some(Yaml::text(&profile.name))),
        ("path", Some(Yaml::text(&profile.path))),
        ("protocol", Some(Yaml::word(profile.protocol.as_str()))),
        (
            "methods",
            methods.map(|all| Yaml::List(all.iter().map(Yaml::text).collect())),
        ),
        (
            "identity",
            profile.identity.as_ref().map(|own| {
                Yaml::map([
                    ("site", Some(Yaml::text(&own.site))),
                    ("epoch", own.epoch.as_ref().map(Yaml::text)),
                ])
            }),
        ),
        ("session_lost", Some(Yaml::List(statuses.collect()))),
    ])
}

fn site(site: &Site) -> Yaml {
    let Behaviour {
        service_time,
        error_rate,
        capacity,
        queue,
        connections,
        sessions,
        session_memory,
        bounds,
    } = &site.behaviour;
    Yaml::map([
        ("nodes", Some(count(site.nodes))),
        ("pods", Some(count(site.pods))),
        ("disruption_budget", Some(count(site.disruption_budget))),
        ("restart_delay", Some(duration(site.restart_delay))),
        ("labels", labels_of_pods(site)),
        (
            "behaviour",
            Some(Yaml::map([
                ("service_time", Some(service(service_time))),
                (
                    "error_rate",
                    Some(Yaml::Word(unit::share_text(*error_rate))),
                ),
                ("capacity", Some(count(*capacity))),
                ("queue", Some(count(*queue))),
                ("connections", Some(count(*connections))),
                ("sessions", Some(count(*sessions))),
                (
                    "session_memory",
                    Some(Yaml::Word(unit::size_text(*session_memory))),
                ),
                ("bounds", Some(safety::bounds(bounds))),
            ])),
        ),
    ])
}

fn labels_of_pods(site: &Site) -> Option<Yaml> {
    let pod = |(pod, labels)| Some((String::clone(pod), drill::labelled(labels)?));
    let pods: Vec<_> = site.labels.iter().filter_map(pod).collect();
    (!pods.is_empty()).then_some(Yaml::Map(pods))
}

fn service(time: &ServiceTime) -> Yaml {
    let one = |key, value| Yaml::map([(key, Some(value))]);
    match time {
        ServiceTime::Fixed(time) => one("fixed", duration(*time)),
        ServiceTime::Exponential { mean } => one("exponential", duration(*mean)),
        ServiceTime::Uniform { low, high } => {
            one("uniform", Yaml::List(vec![duration(*low), duration(*high)]))
        }
        ServiceTime::LogNormal { median, p99 } => one(
            "lognormal",
            Yaml::map([
                ("median", Some(duration(*median))),
                ("p99", Some(duration(*p99))),
            ]),
        ),
    }
}
