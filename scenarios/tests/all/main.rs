//! The crate from outside: text in, plan or diagnostics out.

mod catalog;
mod common;
mod describe;
mod drill_errors;
mod errors;
mod programme;
mod round_trip;
mod sabotage;
mod schema;
mod set;
mod shape;
mod template;
