//! Arguments in, engine or reader call, text or JSON out.

mod anchor;
mod apply;
mod archive;
mod bisect;
mod checkpoint;
mod completions;
mod diff;
mod events;
mod export;
mod filter;
mod findings;
mod keygen;
mod outcome;
mod output;
mod progress;
mod prove;
mod replay;
mod salvage;
mod signals;
mod stat;
mod state;
mod style;
mod table;
mod time;
mod trace;
mod user_files;
mod values;
mod verify;
mod verify_proof;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use outcome::{EXIT_USAGE, Failure};

/// Goals and budgets for long-running software agents, on an append-only journal.
#[derive(Debug, Parser)]
#[command(name = "tallybook", version, about, max_term_width = 100)]
struct Arguments {
    /// Whether text for people has colours, grouped digits and relative times; auto: on a terminal. JSON never has.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    color: style::ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Apply(apply::ApplyArguments),
    Bisect(bisect::BisectArguments),
    Completions(completions::CompletionsArguments),
    Diff(diff::DiffArguments),
    Checkpoint(checkpoint::CheckpointArguments),
    Events(events::EventsArguments),
    Export(export::ExportArguments),
    Follow(events::FollowArguments),
    Replay(replay::ReplayArguments),
    Keygen(keygen::KeygenArguments),
    Prove(prove::ProveArguments),
    State(state::StateArguments),
    Stat(stat::StatArguments),
    Trace(trace::TraceArguments),
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
    style::choose(arguments.color);
    let outcome = match &arguments.command {
        Command::Apply(arguments) => apply::run(arguments),
        Command::Bisect(arguments) => bisect::run(arguments),
        Command::Completions(arguments) => completions::run(arguments, Arguments::command()),
        Command::Diff(arguments) => diff::run(arguments),
        Command::Checkpoint(arguments) => checkpoint::run(arguments),
        Command::Events(arguments) => events::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Follow(arguments) => events::follow(arguments),
        Command::Replay(arguments) => replay::run(arguments),
        Command::Keygen(arguments) => keygen::run(arguments),
        Command::Prove(arguments) => prove::run(arguments),
        Command::State(arguments) => state::run(arguments),
        Command::Stat(arguments) => stat::run(arguments),
        Command::Trace(arguments) => trace::run(arguments),
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
