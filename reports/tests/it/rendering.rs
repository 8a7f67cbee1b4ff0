//! The outputs: complete, well-formed, alone, inside their frames, and the same bytes each time.

use firedrill_reports::Recording;
use firedrill_reports::recording::EarlyEnd;
use firedrill_reports::{judge, render};
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ConnectFailure, TimeoutStage};
use roxmltree::{Document, Node, ParsingOptions};

use super::synthetic::{MS, Run, SECOND, SHORT};
use super::trust::late;
use super::{drill_pages, drilled};

/// Two operations, two phases, probes, and every kind of objective.
const FULL: &str = "
scenario: full
about: All that a report can show, <b>& \"more\"</b>.
covers: row 7 of the operating procedure
load:
  arrivals: { constant: 50/s }
  operations:
    - { tool: echo, weight: 8 }
    - { method: resources/list, weight: 1 }
timeline:
  - { phase: warm-up, for: 3s, measured: false }
  - { phase: steady,  for: 12s }
probes:
  service: { path: /metrics, prometheus: { queue: q, capacity: c } }
objectives:
  - { latency: p99, below: 100ms }
  - { latency: p90, below: 100ms, over: 5s, id: windows }
  - { errors: 2 % }
  - { throughput: 45/s }
  - { metric: service.queue, below: 50 %, of: service.capacity }
";

fn full(fate: impl Fn(u64, u64) -> (Outcome, u64)) -> Run {
    let mut run = Run::steady(FULL, 50, fate);
    for second in 0..15 {
        let at = second as f64 + 0.3;
        run.probes
            .push((at, "service.queue".into(), (second % 4) as f64));
        run.probes.push((at, "service.capacity".into(), 200.0));
    }
    run
}

fn good() -> Run {
    full(|second, index| (Outcome::Ok, 2 * MS + (second * 31 + index * 17) % 40 * MS))
}

/// A second of silence, refusals, and an operation that took very long.
fn troubled() -> Run {
    full(|second, index| match (second, index) {
        (8, _) => (Outcome::Timeout(TimeoutStage::FirstByte), 5 * SECOND),
        (9, 0) => (Outcome::Ok, 2 * SECOND),
        (_, 7) => (Outcome::Connect(ConnectFailure::Refused), MS),
        _ => (Outcome::Ok, 3 * MS),
    })
}

fn interrupted() -> Run {
    let mut run = good();
    run.operations
        .retain(|operation| operation.due < 7 * SECOND);
    run.early = Some((7 * SECOND, EarlyEnd::Interrupted));
    run
}

/// Names that mean something in markup, and ones that are too long for any label.
fn hostile() -> Run {
    let long = "x".repeat(60);
    let scenario = FULL
        .replace("tool: echo", "tool: '</script><b>&|'")
        .replace("phase: steady", &format!("phase: {long}"));
    let mut run = Run::good(&scenario, 50);
    run.warnings
        .push("<img src=x onerror=alert(1)> \u{1}\u{b} ]]> | `x`\nnew line".into());
    run
}

fn all() -> Vec<(&'static str, Recording)> {
    let runs = vec![
        ("good", good()),
        ("troubled", troubled()),
        ("interrupted", interrupted()),
        ("empty", Run::empty(FULL)),
        (
            "killed",
            Run {
                ended: false,
                ..good()
            },
        ),
        (
            "killed at once",
            Run {
                ended: false,
                ..Run::empty(FULL)
            },
        ),
        ("late", late()),
        (
            "one operation",
            Run {
                operations: good().operations[..1].to_vec(),
                ..good()
            },
        ),
        ("hostile", hostile()),
    ];
    let runs = runs.into_iter().map(|(name, run)| (name, run.recording()));
    runs.chain(drill_pages::all()).collect()
}

pub fn page(recording: &Recording) -> String {
    String::from_utf8(render::report(recording, &judge(recording, None))).unwrap()
}

/// With the document type that HTML wants, which the parser refuses unless it is told.
pub fn parsed(page: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_page_is_well_formed_and_alone() {
    for (name, recording) in all() {
        let page = page(&recording);
        let document = parsed(&page);
        for node in document.descendants().filter(Node::is_element) {
            let tag = node.tag_name().name();
            assert!(
                ![
                    "script", "link", "iframe", "object", "embed", "img", "a", "use"
                ]
                .contains(&tag),
                "{name}: {tag}"
            );
            for attribute in node.attributes() {
                let key = attribute.name();
                assert!(
                    !["src", "href", "action", "data", "poster"].contains(&key)
                        && !key.starts_with("on"),
                    "{name}: {key}"
                );
            }
        }
        let style = document
            .descendants()
            .find(|node| node.has_tag_name("style"))
            .unwrap();
        let css = style.text().unwrap();
        assert!(
            !css.contains("url(") && !css.contains("@import") && !css.contains('<'),
            "{name}"
        );
        assert!(page.contains("default-src 'none'"));
    }
}

#[test]
fn no_number_is_broken() {
    for (name, recording) in all() {
        let page = page(&recording);
        let document = parsed(&page);
        for node in document.descendants().filter(|node| node.is_text()) {
            let text = node.text().unwrap_or_default();
            let words: Vec<&str> = text.split([' ', ',', ';', '(', ')', '%']).collect();
            assert!(
                !words.contains(&"NaN") && !words.contains(&"inf") && !words.contains(&"-inf"),
                "{name}: {text}"
            );
        }
    }
}

#[test]
fn ids_are_unique_and_what_is_named_exists() {
    let page = page(&drilled::good().recording());
    let document = parsed(&page);
    let mut ids: Vec<&str> = document
        .descendants()
        .filter_map(|node| node.attribute("id"))
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    for node in document.descendants() {
        for id in node
            .attribute("aria-labelledby")
            .unwrap_or_default()
            .split_whitespace()
        {
            assert!(ids.contains(&id), "{id}");
        }
    }
}

/// Every chart says what it shows, to those too who cannot see it, and gives its numbers.
#[test]
fn charts_have_titles_descriptions_and_data() {
    let page = page(&troubled().recording());
    let document = parsed(&page);
    let figures: Vec<Node<'_, '_>> = document
        .descendants()
        .filter(|node| node.has_tag_name("figure"))
        .collect();
    assert_eq!(figures.len(), 5);
    let text = |node: &Node<'_, '_>| -> String {
        node.descendants().filter_map(|node| node.text()).collect()
    };
    for figure in figures {
        let charts: Vec<_> = figure
            .descendants()
            .filter(|node| node.attribute("role") == Some("img"))
            .collect();
        assert_eq!(charts.len(), 2, "for wide screens and for narrow ones");
        for chart in charts {
            for part in ["title", "desc"] {
                let found = chart
                    .children()
                    .find(|node| node.tag_name().name() == part)
                    .unwrap();
                assert!(text(&found).len() > 5);
            }
            assert!(
                chart
                    .descendants()
                    .any(|node| node.tag_name().name() == "polyline")
            );
        }
        let rows = figure
            .descendants()
            .filter(|node| node.has_tag_name("tr"))
            .count();
        assert!(rows > 4, "{rows} rows of data");
    }
}

fn number(node: &Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name)
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("{name} of {node:?}"))
}

/// A sans-serif letter is seldom wider than 0.62 of its height on average; a text may not leave its chart.
#[test]
fn nothing_is_cut_off() {
    for (name, recording) in all() {
        let page = page(&recording);
        let document = parsed(&page);
        for chart in document
            .descendants()
            .filter(|node| node.attribute("role") == Some("img"))
        {
            let size: Vec<f64> = chart
                .attribute("viewBox")
                .unwrap()
                .split(' ')
                .map(|text| text.parse().unwrap())
                .collect();
            let inside =
                |x: f64, y: f64| (0.0..=size[2]).contains(&x) && (0.0..=size[3]).contains(&y);
            for text in chart
                .descendants()
                .filter(|node| node.tag_name().name() == "text")
            {
                let label = text.text().unwrap_or_default().trim();
                let width = label.chars().count() as f64 * number(&text, "font-size") * 0.62;
                let left = number(&text, "x")
                    - match text.attribute("text-anchor") {
                        Some("start") => 0.0,
                        Some("middle") => width / 2.0,
                        _ => width,
                    };
                let y = number(&text, "y");
                assert!(
                    inside(left, y) && inside(left + width, y),
                    "{name}: `{label}` from {left} to {}",
                    left + width
                );
            }
            for line in chart
                .descendants()
                .filter(|node| node.tag_name().name() == "polyline")
            {
                for point in line.attribute("points").unwrap().split_whitespace() {
                    let (x, y) = point.split_once(',').unwrap();
                    assert!(
                        inside(x.parse().unwrap(), y.parse().unwrap()),
                        "{name}: {point}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_page_says_what_was_tested_and_in_which_mode() {
    let page = page(&troubled().recording());
    for text in [
        "full: fail",
        "Rehearsal.",
        "All that a report can show, &lt;b&gt;&amp; \"more\"&lt;/b&gt;.",
        "row 7 of the operating procedure",
        "firedrill run full --seed 7314402",
        "connect.refused",
        "the target refused the connection",
        "timeout.first_byte",
        "misses from",
        "p99 limit 100 ms",
        "AMD EPYC",
        "a timer wakes 0.031 ms late",
        "How to read this",
    ] {
        let escaped = text.replace('"', "&quot;");
        assert!(page.contains(text) || page.contains(&escaped), "{text}");
    }
}

#[test]
fn the_same_folder_gives_the_same_bytes() {
    for (name, recording) in all() {
        let once = || render::outputs(&recording, &judge(&recording, None));
        assert_eq!(once(), once(), "{name}");
    }
}

#[test]
fn one_line_a_check() {
    let lines = render::lines(&troubled().judged());
    let first: Vec<&str> = lines.lines().collect();
    assert_eq!(first.len(), 5);
    assert!(
        first[0].starts_with("check latency-p99            fail "),
        "{}",
        first[0]
    );
    let lines = render::lines(&Run::good(SHORT, 100).judged());
    assert_eq!(
        lines,
        "check latency-p99   pass           3 ms  < 100 ms   (n 1,000, method point)\n\
         check errors        pass            0 %  < 0.5 %    (n 1,000, method point)\n"
    );
}

#[test]
fn junit_has_a_case_for_each_check() {
    for (name, recording) in all() {
        let result = judge(&recording, None);
        let text = String::from_utf8(render::junit(&result)).unwrap();
        let document = Document::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let cases = document
            .descendants()
            .filter(|node| node.has_tag_name("testcase"));
        for (case, check) in cases.zip(&result.checks) {
            assert_eq!(case.attribute("name"), Some(check.id.as_str()));
            let child = |tag| case.children().any(|node| node.has_tag_name(tag));
            let (failure, error) = match check.verdict {
                firedrill_reports::Verdict::Pass => (false, false),
                firedrill_reports::Verdict::Fail => (true, false),
                _ => (false, true),
            };
            assert_eq!(
                (child("failure"), child("error")),
                (failure, error),
                "{name} {}",
                check.id
            );
        }
    }
    let none = Run::empty(&SHORT.replace(
        "  - { latency: p99, below: 100ms }\n  - { errors: 0.5 % }\n",
        "  []\n",
    ));
    assert!(
        String::from_utf8(render::junit(&none.judged()))
            .unwrap()
            .contains("errors=\"1\"")
    );
}

#[test]
fn the_summary_is_a_table_that_nothing_breaks() {
    let summary = render::summary(&hostile().judged());
    assert!(summary.starts_with("## full: "));
    let rows = summary.lines().filter(|line| line.starts_with('|'));
    for row in rows {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 9, "{row}");
    }
    assert!(!summary.contains("<img") && summary.len() < 60_000);
    assert!(summary.ends_with("    firedrill run full --seed 7314402\n"));
}
