//! One binary of tests that look at the whole: through the program, or over its sources.

mod capacity;
mod conditions;
mod drills;
mod elsewhere;
mod failbacks;
mod fault_server;
mod faults;
mod honesty;
mod miniatures;
mod names;
mod patterns;
mod program;
mod programmes;
mod quirks;
mod refusals;
mod resources;
mod runs;
mod sabotages;
mod signatures;
mod sites;
mod steps;
mod tidy;
mod truth;
mod victims;
mod walk;
mod ways_out;
