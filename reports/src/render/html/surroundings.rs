//! What was around the load: sessions, probes, events, the machine.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::told;
use crate::numbers::{bytes, count, duration, significant, span};
use crate::recording::{Event, Recording, series};
use crate::result::ResultDocument;

pub fn sections(recording: &Recording, result: &ResultDocument) -> Markup {
    html! {
        (warnings(result))
        (sessions(recording))
        (probes(recording))
        (events(recording))
        (environment(recording, result))
    }
}

pub fn warnings(result: &ResultDocument) -> Markup {
    html! { @if !result.warnings.is_empty() {
        section aria-labelledby="warnings" {
            h2 id="warnings" { "Warnings" }
            ul { @for warning in &result.warnings { li { (warning) } } }
        }
    } }
}

fn sessions(recording: &Recording) -> Markup {
    html! {
        section aria-labelledby="sessions" {
            h2 id="sessions" { "Sessions and connections" }
            @match recording.totals() {
                None => p { "The recording has no end, so that there are no sums." }
                Some(totals) => {
                    div .scroll tabindex="0" { table {
                        thead { tr { @for name in ["Sessions opened", "Could not open", "Lost", "Opened again", "Deleted", "Dropped", "Leaked"] {
                            th scope="col" .number { (name) }
                        } } }
                        tbody { tr { @for number in [
                            totals.sessions.opened, totals.sessions.open_failed, totals.sessions.lost, totals.sessions.reopened,
                            totals.sessions.deleted, totals.sessions.dropped, totals.sessions.leaked,
                        ] { td .number { (count(number)) } } } }
                    } }
                    dl .facts {
                        dt { "Connections opened" } dd { (count(totals.connections_opened)) }
                        dt { "Sent, received" } dd { (bytes(totals.bytes_sent)) ", " (bytes(totals.bytes_received)) }
                        dt { "Answers after the time-out" } dd { (count(totals.late_answers)) }
                        dt { "Answers with unknown ids" } dd { (count(totals.unknown_ids)) }
                        dt { "Cancellations sent" } dd { (count(totals.cancelled)) }
                        dt { "Notifications received" } dd { (counted(&totals.notifications)) }
                        dt { "Requests of the server" } dd { (counted(&totals.server_requests)) }
                    }
                }
            }
        }
    }
}

fn counted(by_name: &BTreeMap<String, u64>) -> String {
    let all: Vec<String> = by_name
        .iter()
        .map(|(name, number)| format!("{name} {}", count(*number)))
        .collect();
    if all.is_empty() {
        "none".to_owned()
    } else {
        all.join(", ")
    }
}

fn probes(recording: &Recording) -> Markup {
    let probed = recording.samples.iter().filter_map(|(name, samples)| {
        let values = samples.iter().map(|(_, value)| *value);
        Some((
            name.strip_prefix(series::PROBE)?,
            samples.len() as u64,
            values.clone().fold(f64::INFINITY, f64::min),
            values.clone().sum::<f64>() / samples.len().max(1) as f64,
            values.fold(f64::NEG_INFINITY, f64::max),
        ))
    });
    let probed: Vec<_> = probed.collect();
    html! { @if !probed.is_empty() {
        section aria-labelledby="probes" {
            h2 id="probes" { "Probes" }
            p .note { "What the target said of itself, over the whole run." }
            div .scroll tabindex="0" { table {
                thead { tr {
                    th scope="col" { "Series" } th scope="col" .number { "Samples" } th scope="col" .number { "Lowest" }
                    th scope="col" .number { "Mean" } th scope="col" .number { "Highest" }
                } }
                tbody { @for (name, samples, low, mean, high) in &probed { tr {
                    th scope="row" { (name) } td .number { (count(*samples)) }
                    @for value in [low, mean, high] { td .number { (significant(*value, 4)) } }
                } } }
            } }
        }
    } }
}

/// What happened, but for what stands elsewhere; lines of one kind that follow each other are not folded.
pub fn events(recording: &Recording) -> Markup {
    let zero = recording.zero();
    let told: Vec<(u64, String)> = recording
        .events
        .iter()
        .filter_map(|timed| Some((timed.at, told(&timed.event)?)))
        .collect();
    const MOST: usize = 200;
    html! {
        section aria-labelledby="events" {
            h2 id="events" { "Events" }
            p .note { "Times count from the timeline's start; what came before has a minus. Those in events.jsonl count from the run's \
                start, which lies before it." }
            div .scroll tabindex="0" { table .data {
                thead { tr { th scope="col" .number { "At" } th scope="col" { "What" } } }
                tbody { @for (at, what) in told.iter().take(MOST) {
                    tr { td .number { (instant(*at, zero)) } td .why { (what) } }
                } }
            } }
            @if told.len() > MOST {
                p .note { "The first " (MOST) " of " (count(told.len() as u64)) "; all are in events.jsonl." }
            }
        }
    }
}

fn instant(at: u64, zero: Option<u64>) -> String {
    match zero {
        Some(zero) if at >= zero => duration(at - zero),
        Some(zero) => format!("-{}", duration(zero - at)),
        None => duration(at),
    }
}

fn told(event: &Event) -> Option<String> {
    Some(match event {
        Event::Started(_) => "firedrill started".to_owned(),
        Event::ProcessStarted {
            site,
            role,
            name,
            pid,
            address,
        } => {
            format!("{site}: {role} {name} is up at {address} (pid {pid})")
        }
        Event::SessionsOpened {
            load,
            asked,
            opened,
            failures,
        } => {
            let failed = if failures.is_empty() {
                String::new()
            } else {
                format!("; failed: {}", counted(failures))
            };
            format!("{load}: {opened} of {asked} sessions opened{failed}")
        }
        Event::TimelineStarted => "the timeline started".to_owned(),
        Event::PhaseStarted { phase } => format!("phase {phase} started"),
        Event::PhaseEnded { phase } => format!("phase {phase} ended"),
        Event::Waited { phase } => format!("phase {phase} has what it waited for"),
        Event::SessionsLost {
            load,
            lost,
            reopened,
            failed,
        } => {
            format!("{load}: {lost} sessions lost, {reopened} opened again, {failed} not")
        }
        Event::StickyConnection {
            host,
            address,
            current,
            connections,
        } => format!(
            "{connections} connections stay with {address}; {host} is now {}",
            current.join(", ")
        ),
        Event::EndedEarly { detail, .. } => format!("the run ended early: {detail}"),
        Event::Warning { text } => format!("warning: {text}"),
        Event::Fault {
            id,
            fault,
            on,
            stage,
        } => told::fault(id, fault, on, stage),
        Event::Step { id, on, stage, .. } => told::step(id, on, stage),
        Event::Mark {
            mark,
            source,
            detail,
            ..
        } => told::mark(*mark, source, detail),
        Event::ReadBack { id, site, stage } => told::read_back(id, site, stage),
        Event::Refusals {
            id,
            attempts,
            answers,
            unanswered,
            ..
        } => told::refusals(id, *attempts, answers, *unanswered),
        Event::Bystanders { id, watched, ended } => told::bystanders(id, *watched, ended),
        Event::Steady { held, reason } => told::steady(*held, reason),
        Event::Sabotage { name, shown } => {
            format!("sabotage {name}: the run misbehaves on purpose; {shown}")
        }
        Event::LoadEnded => "every operation has its outcome".to_owned(),
        Event::Ended { .. } => "the recording ended".to_owned(),
    })
}

fn environment(recording: &Recording, result: &ResultDocument) -> Markup {
    let started = &recording.started;
    let machine = &started.environment;
    html! {
        section aria-labelledby="environment" {
            h2 id="environment" { "Environment" }
            dl .facts {
                dt { "Host" } dd { (machine.host) }
                dt { "Processor" } dd { (machine.cpu) ", " (machine.cores) " cores" }
                dt { "Memory" } dd { (bytes(machine.memory_bytes)) }
                dt { "System" } dd { (machine.os) ", kernel " (machine.kernel) }
                dt { "Open files" } dd { "at most " (count(machine.open_files_limit)) }
                dt { "firedrill" } dd { (started.firedrill_version) ", " (started.threads) " threads" }
                dt { "Run" } dd { (started.id) ", " (span(result.run.length)) }
                @for line in &started.preflight { dt { "Before the run" } dd { (line) } }
            }
            h3 { "Run it again" }
            pre { code { (started.command) } }
            p .note { "The same seed gives the same arrivals, sessions and arguments. Judge this recording again, on any later day: "
                code { "firedrill judge RUN" } "." }
        }
    }
}
