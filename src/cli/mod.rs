//! Arguments in, engine or reader call, text or JSON out.

mod anchor;
mod apply;
mod archive;
mod checkpoint;
mod events;
mod filter;
mod findings;
mod keygen;
mod outcome;
mod output;
mod prove;
mod salvage;
mod signals;
mod stat;
mod state;
mod table;
mod user_files;
mod values;
mod verify;
mod verify_proof;

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
    Checkpoint(checkpoint::CheckpointArguments),
    Events(events::EventsArguments),
    Follow(events::FollowArguments),
    Keygen(keygen::KeygenArguments),
    Prove(prove::ProveArguments),
    State(state::StateArguments),
    Stat(stat::StatArguments),
    Verify(verify::VerifyArguments),
    VerifyProof(verify_proof::VerifyProofArguments),
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
        Command::Checkpoint(arguments) => checkpoint::run(arguments),
        Command::Events(arguments) => events::run(arguments),
        Command::Follow(arguments) => events::follow(arguments),
        Command::Keygen(arguments) => keygen::run(arguments),
        Command::Prove(arguments) => prove::run(arguments),
        Command::State(arguments) => state::run(arguments),
        Command::Stat(arguments) => stat::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::VerifyProof(arguments) => verify_proof::run(arguments),
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
