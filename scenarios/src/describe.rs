//! The plan in words, for `firedrill check`.
//!
//! - `target`: what is driven
//! - `operations`: what is sent and what has to come back
//! - `drill`: what is broken, how it is undone, and what brings service back
//! - `judged`: probes and objectives
//! - `number`: quantities as people read them

mod drill;
mod judged;
mod number;
mod operations;
mod target;

use std::fmt::Write;

use crate::plan::{
    Arrivals, Drive, Lifetime, Load, Plan, SessionEnd, Shape, Spacing, Think, Until,
};
use number::{clock, duration, plural, rate, thousands};

/// Lines of a page, each under a heading in the margin.
pub(crate) struct Page {
    text: String,
    heading: String,
}

impl Page {
    /// The next line stands beside this heading.
    pub fn heading(&mut self, heading: &str) {
        self.text.push('\n');
        self.heading = heading.to_owned();
    }

    pub fn line(&mut self, line: &str) {
        let heading = std::mem::take(&mut self.heading);
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{}", format!("{heading:<12}{line}").trim_end());
    }
}

impl Plan {
    /// The resolved plan in words: what is driven, when, with which operations, what has to hold, and where
    /// each value came from.
    pub fn describe(&self) -> String {
        let mut page = Page {
            text: String::new(),
            heading: "scenario".to_owned(),
        };
        let about: Vec<&str> = self.about.split_whitespace().collect();
        page.line(&match about.as_slice() {
            [] => self.name.clone(),
            about => format!("{}: {}", self.name, about.join(" ")),
        });
        if let Some(covers) = &self.covers {
            page.line(&format!("covers {covers}"));
        }
        self.describe_target(&mut page);
        for (index, load) in self.loads.iter().enumerate() {
            describe_load(&mut page, load);
            operations::describe(&mut page, self, index);
        }
        self.describe_timeline(&mut page);
        drill::describe(&mut page, self);
        judged::describe(&mut page, self);
        self.describe_origins(&mut page);
        page.text
    }

    fn describe_timeline(&self, page: &mut Page) {
        page.heading("timeline");
        let mut start = std::time::Duration::ZERO;
        for (index, phase) in self.timeline.iter().enumerate() {
            let end = start + phase.length;
            let judged = if phase.measured {
                "measured"
            } else {
                "not measured"
            };
            let mut line = format!(
                "{} - {}  {:<12} {judged:<12}",
                clock(start),
                clock(end),
                phase.name
            );
            match self.expected_arrivals(index) {
                Some(expected) => {
                    let _ = write!(
                        line,
                        "  about {} arrivals",
                        thousands(expected.round() as u64)
                    );
                }
                None => line.push_str("  as many operations as the closed load makes"),
            }
            match phase.until {
                Some(Until::Recovered) => line.push_str(" at most; ends when service is back"),
                Some(Until::Done) => line.push_str(" at most; ends when everything is done"),
                None => {}
            }
            page.line(&line);
            for (load, arrivals) in self.loads.iter().zip(&phase.arrivals) {
                if let Some(arrivals) = arrivals {
                    let name = name_before(load);
                    page.line(&format!("{:15}{name}{}", "", arrivals_text(arrivals)));
                }
            }
            start = end;
        }
    }

    /// A table of every value with its path and where it came from.
    fn describe_origins(&self, page: &mut Page) {
        page.heading("values");
        let values = self.values();
        let width = values.iter().map(|(path, _)| path.len()).max().unwrap_or(0);
        for (path, value) in &values {
            let origin = self
                .origin(path)
                .map_or_else(|| "default".to_owned(), |origin| origin.to_string());
            let value: String = if value.chars().count() > 44 {
                value.chars().take(41).chain("...".chars()).collect()
            } else {
                value.clone()
            };
            page.line(&format!("{path:<width$}  {value:<44}  {origin}"));
        }
    }
}

fn describe_load(page: &mut Page, load: &Load) {
    page.heading("load");
    let drive = match &load.drive {
        Drive::Open(arrivals) => format!("open: {}", arrivals_text(arrivals)),
        Drive::Closed { think } => {
            format!("closed: each session sends again {}", think_text(think))
        }
    };
    page.line(&format!("{}{drive}", name_before(load)));
    let sessions = &load.sessions;
    let lifetime = match sessions.lifetime {
        Lifetime::Run => "kept for the whole run".to_owned(),
        Lifetime::Calls(calls) => format!("renewed after {}", plural(calls, "operation")),
        Lifetime::Time(time) => format!("renewed after {}", duration(time)),
    };
    let end = match sessions.end {
        SessionEnd::Delete => "ended by DELETE",
        SessionEnd::Drop => "dropped without a word",
        SessionEnd::Leak => "left open",
    };
    page.line(&format!(
        "{}, opened at {}, {lifetime}, {end}",
        plural(sessions.count.into(), "session"),
        rate(sessions.open_rate)
    ));
    page.line(&format!(
        "at most {} in flight",
        thousands(load.max_in_flight.into())
    ));
    if let Some(rows) = &load.rows {
        let count = rows.cells.len() / rows.columns.len().max(1);
        page.line(&format!(
            "{} of {} ({})",
            plural(count as u64, "row"),
            rows.file,
            rows.columns.join(", ")
        ));
    }
}

/// `NAME: `, or nothing for the only load.
fn name_before(load: &Load) -> String {
    match load.name.as_str() {
        "load" => String::new(),
        name => format!("{name}: "),
    }
}

pub(crate) fn think_text(think: &Think) -> String {
    match think {
        Think::None => "at once".to_owned(),
        Think::Fixed(pause) => format!("after {}", duration(*pause)),
        Think::Exponential { mean } => {
            format!("after an exponential pause, mean {}", duration(*mean))
        }
        Think::Uniform { low, high } => format!("after {} to {}", duration(*low), duration(*high)),
    }
}

fn arrivals_text(arrivals: &Arrivals) -> String {
    let (shape, spacing) = match arrivals {
        Arrivals::Trace { file, due } => {
            return format!(
                "{} of the trace {file}",
                plural(due.len() as u64, "due time")
            );
        }
        Arrivals::Shaped { shape, spacing } => (shape, spacing),
    };
    let spacing = match spacing {
        Spacing::Even => "evenly spaced",
        Spacing::Poisson => "with Poisson spacing",
        Spacing::Uniform => "anywhere in their slots",
    };
    let shape = match shape {
        Shape::Constant(own) => rate(*own),
        Shape::Ramp { from, to, over } => {
            let over = over.map_or_else(String::new, |over| format!(" over {}", duration(over)));
            format!("from {} to {}{over}", rate(*from), rate(*to))
        }
        Shape::Steps(steps) => {
            let steps: Vec<String> = steps
                .iter()
                .map(|(own, length)| format!("{} for {}", rate(*own), duration(*length)))
                .collect();
            steps.join(", then ")
        }
        Shape::Spike {
            base,
            peak,
            at,
            length,
        } => format!(
            "{}, with a spike of {} at {} for {}",
            rate(*base),
            rate(*peak),
            duration(*at),
            duration(*length)
        ),
        Shape::Burst {
            base,
            peak,
            every,
            length,
        } => format!(
            "{}, with bursts of {} for {} every {}",
            rate(*base),
            rate(*peak),
            duration(*length),
            duration(*every)
        ),
        Shape::Sine {
            mean,
            amplitude,
            period,
        } => {
            format!(
                "{} plus and minus {} in waves of {}",
                rate(*mean),
                rate(*amplitude),
                duration(*period)
            )
        }
    };
    format!("{shape}, {spacing}")
}
