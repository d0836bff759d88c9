//! The net: every way in which a journal has to survive, through the real engine, for as long as one likes.
//!
//! ```sh
//! cargo run --profile faults --example faults -- --help
//! cargo run --profile faults --example faults -- power --hours 2 --shard 1/2
//! ```
//!
//! A *row* is one row of the table of faults; one *case* of it is what one seed stands for, so that the same seed is the same
//! case on any machine (the rows with real processes and threads repeat as far as the machine lets them). A failure prints
//! its seed, and the one command that replays it.
//!
//! | row | what happens in a case |
//! | --- | --- |
//! | `power` | the power is cut at every operation of a life of the journal, and of the recovery from that, and of the recovery from that |
//! | `histories` | several threads ask for more than fits, in every third case while the power is cut; a sequential model gives each its answer |
//! | `calls` | a call of the storage seam fails: every operation of a session in every way, every read; or two; or the disk is full |
//! | `damage` | every bit, length, sector and file of a journal is damaged, in every way |
//! | `kill` | a process with an engine is killed (`SIGKILL`) again and again, at any moment; what it answered is kept outside of it |
//! | `full-disk` | a disk of its own gets full under such a process, in one way or another, and has room again |
//!
//! `cargo test` runs a few cases of each.

#![allow(clippy::unwrap_used, reason = "a test")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

mod calls;
#[path = "../common/mod.rs"]
mod common;
mod damage;
mod driver;
mod full_disk;
mod histories;
mod kill;
mod power;
mod processes;
#[path = "../common/retained.rs"]
mod retained;
mod tally;

use std::process::ExitCode;

use clap::Parser;

use driver::{Limits, Row};

/// All rows, in the order in which `all` runs them.
const ROWS: &[Row] = &[power::ROW, damage::ROW, histories::ROW, calls::ROW, kill::ROW, full_disk::ROW];

/// Runs the net of faults.
#[derive(Debug, Parser)]
#[command(name = "faults")]
struct Arguments {
    /// The row to run; `all` for one after another, each within the limits.
    #[arg(value_parser = row_names())]
    row: String,
    #[command(flatten)]
    limits: Limits,
}

fn row_names() -> Vec<&'static str> {
    ROWS.iter().map(|row| row.name).chain(["all"]).collect()
}

fn main() -> ExitCode {
    if processes::run_if_ordered() {
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::parse();
    if [full_disk::ROW.name, "all"].contains(&arguments.row.as_str()) {
        full_disk::go_apart();
    }
    let mut is_held = true;
    for row in ROWS.iter().filter(|row| arguments.row == row.name || arguments.row == "all") {
        is_held &= driver::run(row, &arguments.limits);
    }
    if is_held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    #[test]
    #[ignore = "the other tests run it, as a process of its own"]
    fn the_victim_of_the_other_tests() {
        assert!(super::processes::run_if_ordered(), "expected orders in the environment");
    }
}
