//! Pages of the target, read at their interval on connections of their own, so that probing neither waits
//! for the load nor disturbs its connections.

use std::rc::Rc;
use std::time::Duration;

use firedrill_reports::recording::{Sample, series};
use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{Pointer, Probe, ProbeAt, ProbeFormat};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use crate::clock::Clock;
use crate::mcp::destination::{Route, Tls};
use crate::mcp::resolver::Resolver;
use crate::mcp::session::Surface;
use crate::target::{TargetError, trust};

/// A page that is not there after this time is a missing sample.
const LIMIT: Duration = Duration::from_secs(2);
const LARGEST_PAGE: usize = 4 << 20;

/// Reads the probe's page again and again until the receiver is gone.
pub async fn watch(
    probe: Probe,
    source: Source,
    clock: Clock,
    samples: mpsc::UnboundedSender<Vec<Sample>>,
) {
    let mut ticks = tokio::time::interval(probe.every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let page = tokio::time::timeout(LIMIT, source.fetch()).await;
        let at_ns = clock.now();
        let values = match page {
            Ok(Some(page)) => read_page(&probe.format, &page),
            // A silent probe leaves no sample; judging sees the gap.
            Ok(None) | Err(_) => Vec::new(),
        };
        let rows = values
            .into_iter()
            .map(|(name, value)| Sample {
                at_ns,
                series: format!("{}{}.{name}", series::PROBE, probe.name),
                value,
            })
            .collect();
        if samples.send(rows).is_err() {
            return;
        }
    }
}

/// Where a probe's page is, and what has to be said to get it.
#[derive(Clone)]
pub struct Source {
    host: String,
    /// Asked for the host's address, where the target has a name server of its own.
    resolver: Option<Rc<Resolver>>,
    port: u16,
    tls: Option<Tls>,
    authority: String,
    path: String,
    headers: Vec<(String, String)>,
}

impl Source {
    /// Must be called inside the runtime that will use it. `target` is where the load goes. A probe with a URL of its
    /// own gets none of the target's headers: a secret is for the host that it was given for.
    ///
    /// # Errors
    /// When TLS to the probe's own host cannot be set up.
    pub fn of(
        probe: &Probe,
        plan: &Plan,
        target: &Route,
        surface: &Surface,
    ) -> Result<Source, TargetError> {
        Ok(match &probe.at {
            ProbeAt::Path(path) => Source {
                host: target.host.clone(),
                resolver: target.resolver.and_then(|server| {
                    let resolver = Resolver::new(&target.host, Some(server));
                    resolver.ok().map(Rc::new)
                }),
                port: target.port,
                tls: target.tls.clone(),
                authority: surface.authority.clone(),
                path: path.clone(),
                headers: surface.headers.clone(),
            },
            ProbeAt::Url(url) => Source {
                host: url.host.clone(),
                resolver: None,
                port: url.port,
                tls: match &target.tls {
                    _ if !url.tls => None,
                    Some(tls) if url.host == target.host => Some(tls.clone()),
                    Some(_) | None => Some(trust::beside(plan, &url.host)?),
                },
                authority: crate::target::authority(url),
                path: if url.path.is_empty() {
                    "/".to_owned()
                } else {
                    url.path.clone()
                },
                headers: Vec::new(),
            },
        })
    }

    async fn fetch(&self) -> Option<Bytes> {
        let stream = match &self.resolver {
            Some(resolver) => TcpStream::connect((resolver.next_address().await?, self.port)).await,
            None => TcpStream::connect((self.host.as_str(), self.port)).await,
        };
        let stream = stream.ok()?;
        stream.set_nodelay(true).ok()?;
        match &self.tls {
            None => self.ask(stream).await,
            Some(tls) => {
                let connector = TlsConnector::from(tls.config.clone());
                self.ask(connector.connect(tls.server.clone(), stream).await.ok()?)
                    .await
            }
        }
    }

    async fn ask<S>(&self, stream: S) -> Option<Bytes>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .ok()?;
        let driver = tokio::task::spawn_local(async move {
            // How the connection ends says nothing that the answer does not say.
            let _ = connection.await;
        });
        let mut request = hyper::Request::get(self.path.as_str())
            .body(Empty::<Bytes>::new())
            .ok()?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(&self.authority).ok()?);
        for (name, value) in &self.headers {
            let mut value = HeaderValue::from_str(value).ok()?;
            let name: HeaderName = name.parse().ok()?;
            value.set_sensitive(name == AUTHORIZATION);
            headers.insert(name, value);
        }
        let answer = sender.send_request(request).await.ok()?;
        let page = if answer.status().is_success() {
            let body = Limited::new(answer.into_body(), LARGEST_PAGE)
                .collect()
                .await
                .ok();
            body.map(http_body_util::Collected::to_bytes)
        } else {
            None
        };
        driver.abort();
        page
    }
}

/// The probe's numbers in a page; what is not there is left out.
fn read_page(format: &ProbeFormat, page: &[u8]) -> Vec<(String, f64)> {
    match format {
        ProbeFormat::Prometheus(metrics) => {
            let text = String::from_utf8_lossy(page);
            let value = |(name, metric): &(String, String)| {
                prometheus_value(&text, metric).map(|value| (name.clone(), value))
            };
            metrics.iter().filter_map(value).collect()
        }
        ProbeFormat::Json(places) => {
            let Ok(document) = serde_json::from_slice::<serde_json::Value>(page) else {
                return Vec::new();
            };
            let value = |(name, pointer): &(String, Pointer)| {
                json_number(&document, pointer).map(|value| (name.clone(), value))
            };
            places.iter().filter_map(value).collect()
        }
    }
}

fn json_number(document: &serde_json::Value, pointer: &Pointer) -> Option<f64> {
    let mut place = document;
    for step in &pointer.0 {
        place = match place {
            serde_json::Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            serde_json::Value::Object(fields) => fields.get(step)?,
            _ => return None,
        };
    }
    place.as_f64().or_else(|| place.as_bool().map(f64::from))
}

/// The sum of all samples of a metric, `name` or `name{label="value"}` (a sample may have more labels). There is none
/// where one of them is no finite number: the sum of the others would be too small.
fn prometheus_value(text: &str, metric: &str) -> Option<f64> {
    let (name, wanted) = split_labels(metric);
    let mut sum = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let end = line.find(['{', ' ', '\t']).unwrap_or(line.len());
        if &line[..end] != name {
            continue;
        }
        let (labels, rest) = sample_labels(&line[end..])?;
        if wanted.iter().all(|label| labels.contains(label)) {
            let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
            *sum.get_or_insert(0.0) += Some(value).filter(|value| value.is_finite())?;
        }
    }
    sum
}

/// The labels of a sample, and what stands behind them. A value in quotes may hold commas and braces.
fn sample_labels(text: &str) -> Option<(Vec<&str>, &str)> {
    let text = text.trim_start();
    let Some(inside) = text.strip_prefix('{') else {
        return Some((Vec::new(), text));
    };
    let (mut labels, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b'}' if !quoted => {
                labels.push(inside[start..at].trim());
                start = at + 1;
                if byte == b'}' {
                    return Some((labels, &inside[start..]));
                }
            }
            _ => {}
        }
    }
    None
}

fn split_labels(metric: &str) -> (&str, Vec<&str>) {
    match metric.split_once('{') {
        None => (metric.trim(), Vec::new()),
        Some((name, labels)) => {
            let labels = labels.trim_end_matches('}').split(',').map(str::trim);
            (
                name.trim(),
                labels.filter(|label| !label.is_empty()).collect(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# TYPE queue gauge\nqueue{pod=\"a\",site=\"x\"} 3\nqueue{pod=\"b\"} 4.5 1700000000\n\
                        queue_capacity 100\nodd NaN\n";

    #[test]
    fn samples_that_match_are_added_up() {
        assert_eq!(prometheus_value(PAGE, "queue"), Some(7.5));
        assert_eq!(prometheus_value(PAGE, "queue{pod=\"a\"}"), Some(3.0));
        assert_eq!(prometheus_value(PAGE, "queue_capacity"), Some(100.0));
    }

    #[test]
    fn braces_commas_and_quotes_in_the_value_of_a_label_are_text() {
        let page = "busy{route=\"/users/{id}\",pod=\"a\"} 70\nbusy{why=\"a, \\\"b\\\"} c\",pod=\"a\"} 20\nbusy {pod=\"b\"} 10\n";
        assert_eq!(prometheus_value(page, "busy"), Some(100.0));
        assert_eq!(prometheus_value(page, "busy{pod=\"a\"}"), Some(90.0));
        assert_eq!(
            prometheus_value(page, "busy{route=\"/users/{id}\"}"),
            Some(70.0)
        );
    }

    /// Part of a sum would be below a limit that the whole is not below.
    #[test]
    fn a_sample_that_is_no_number_leaves_no_sum() {
        assert_eq!(
            prometheus_value("q{pod=\"a\"} 3\nq{pod=\"b\"} +Inf\n", "q"),
            None
        );
        assert_eq!(
            prometheus_value("q{pod=\"a\"} 3\nq{pod=\"b\" 5\n", "q"),
            None
        );
        assert_eq!(prometheus_value("q 3\nq\n", "q"), None);
    }

    #[test]
    fn what_is_not_there_has_no_value() {
        assert_eq!(prometheus_value(PAGE, "queu"), None);
        assert_eq!(prometheus_value(PAGE, "queue{pod=\"c\"}"), None);
        assert_eq!(prometheus_value(PAGE, "odd"), None);
    }

    #[test]
    fn json_numbers_stand_at_pointers() {
        let document = serde_json::json!({"pods": [{"up": true, "queue": 4}]});
        let pointer = |path: &[&str]| Pointer(path.iter().map(|step| (*step).to_owned()).collect());
        assert_eq!(
            json_number(&document, &pointer(&["pods", "0", "queue"])),
            Some(4.0)
        );
        assert_eq!(
            json_number(&document, &pointer(&["pods", "0", "up"])),
            Some(1.0)
        );
        assert_eq!(json_number(&document, &pointer(&["pods", "1"])), None);
    }

    /// A page of another host is asked for with TLS when its URL says so, whatever the target speaks, and by its own name.
    #[test]
    fn a_probe_with_a_url_of_its_own_has_tls_of_its_own() {
        let made = firedrill_erlmcp::make_certificates(&["gate.example".to_owned()])
            .expect("certificates");
        let ca = std::env::temp_dir().join(format!("firedrill-probe-{}.pem", std::process::id()));
        std::fs::write(&ca, made.ca_pem).expect("a file for the test");
        let text = format!(
            "scenario: unit\n\
             target: {{ endpoint: https://127.0.0.1:9, tls: {{ ca: {} }} }}\n\
             load: {{ rate: 10/s, operations: [ {{ method: ping }} ] }}\n\
             timeline: [ {{ phase: one, for: 10s }} ]\n\
             probes: {{ gate: {{ url: https://gate.example/metrics, prometheus: {{ up: up }} }} }}\n",
            ca.display()
        );
        let plan =
            Plan::parse(&text, &firedrill_scenarios::Given::named("unit.yaml")).expect("a plan");
        let surface = Surface {
            authority: "127.0.0.1:9".to_owned(),
            path: "/mcp".to_owned(),
            headers: vec![("authorization".to_owned(), "Bearer secret".to_owned())],
        };
        for tls in [None, Some(trust::beside(&plan, "127.0.0.1").expect("TLS"))] {
            let target = Route {
                host: "127.0.0.1".to_owned(),
                port: 9,
                tls,
                resolver: None,
            };
            let source = Source::of(&plan.probes[0], &plan, &target, &surface).expect("a source");
            let server = source.tls.map(|tls| tls.server);
            assert_eq!(server, "gate.example".try_into().ok());
            assert_eq!(source.headers, []);
        }
        std::fs::remove_file(&ca).expect("the file of the test");
    }
}
