//! Arguments in, engine or reader call, text or JSON out.

mod apply;
mod archive;
mod events;
mod filter;
mod findings;
mod outcome;
mod output;
mod salvage;
mod signals;
mod stat;
mod state;
mod table;
mod values;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use outcome::{EXIT_USAGE, Failure};

/// Goals and budgets for long-running software agents, on an append-only journal.
#[derive(Debug, Parser)]
#[command(name = "tallybook", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Apply(apply::ApplyArguments),
    Events(events::EventsArguments),
    Follow(events::FollowArguments),
    State(state::StateArguments),
    Stat(stat::StatArguments),
    Verify(verify::VerifyArguments),
    Salvage(salvage::SalvageArguments),
}

/// Runs what the arguments of the process ask for.
pub(crate) fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nobody is left to be told when this cannot be printed.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    let outcome = match &arguments.command {
        Command::Apply(arguments) => apply::run(arguments),
        Command::Events(arguments) => events::run(arguments),
        Command::Follow(arguments) => events::follow(arguments),
        Command::State(arguments) => state::run(arguments),
        Command::Stat(arguments) => stat::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Salvage(arguments) => salvage::run(arguments),
    };
    ExitCode::from(outcome.unwrap_or_else(|failure| report(&failure)))
}

/// Says on stderr why the command failed, if there is anything to say.
fn report(failure: &Failure) -> u8 {
    if let Some(message) = failure.message() {
        // Nobody is left to be told when this cannot be printed.
        let _ = writeln!(std::io::stderr().lock(), "tallybook: {message}");
    }
    failure.exit_code()
}
