//! `tallybook apply`: commands in, answers out, in order, each once its outcome is durable.

mod commands;
mod flight;
mod history;
mod input;
mod one_by_one;
mod pipelined;
mod printer;

use std::io::Write;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tallybook::{Blocking, Durability, KeyWindow, ManualClock, Options, Rules, Timestamp, Ttl};

use super::outcome::{EXIT_DONE, Failure};
use super::signals::{StopFlag, stop_on_signal};
use super::values;
use commands::Commands;
use history::HistoryArguments;
use input::Input;

/// How many commands are in flight when they come from a file.
const WINDOW_FOR_FILES: u64 = 256;
/// The sizes of segments that can be asked for.
const SEGMENT_BYTES: RangeInclusive<u64> = Options::MIN_SEGMENT_BYTES..=Options::MAX_SEGMENT_BYTES;
/// How long a clean close may take: the commands in flight, a few syncs, and whatever of retention, snapshots and the archive
/// is due.
const CLOSE_DEADLINE: Duration = Duration::from_secs(300);

/// Read commands, one JSON object a line, and answer each with one JSON line.
///
/// Makes the journal if there is none. Answers come in the order of the commands, each once its outcome is durable.
/// Ends cleanly at the end of the input, at SIGINT and at SIGTERM.
#[derive(Debug, Args)]
pub(super) struct ApplyArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// The commands; unless given, or if it is -, those on stdin.
    file: Option<PathBuf>,
    /// How many commands may be in flight [default: 256 from a file, 1 from a terminal or pipe].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    window: Option<u64>,
    /// When a command is answered: once it is synced, or once it is written, with a sync every so many milliseconds.
    #[arg(long, value_name = "sync|interval:MS", default_value = "sync", value_parser = values::durability)]
    durability: Durability,
    /// The size at which a new segment begins [default: follows the load].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(SEGMENT_BYTES))]
    segment_bytes: Option<u64>,
    #[command(flatten)]
    history: HistoryArguments,
    /// The limit of a new budget that is not told any [default: it has to be told].
    #[arg(long, value_name = "AMOUNT", value_parser = values::positive_amount)]
    default_limit: Option<u128>,
    /// How long a reservation lives that is not told, like 60s [default: until it is ended].
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    default_ttl: Option<Duration>,
    /// How long idempotency keys are remembered, like 24h, 90s or 500ms.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    key_window: Option<Duration>,
    /// Forget goals that ended and budgets that closed when they have not changed for so long, and not for as long as
    /// keys are remembered [default: never].
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    forget_after: Option<Duration>,
    /// Time stands still but for the `now` of commands (RFC 3339, never backwards).
    #[arg(long)]
    manual_clock: bool,
}

pub(super) fn run(arguments: &ApplyArguments) -> Result<u8, Failure> {
    let stop = StopFlag::default();
    let input = Input::open(arguments.file.as_deref())?;
    let window = arguments.window.unwrap_or(if input.is_regular_file { WINDOW_FOR_FILES } else { 1 });
    let window = usize::try_from(window).unwrap_or(usize::MAX);
    let (engine, clock) = open(arguments, window)?;
    let batches = input.read_ahead()?;
    let waker = batches.waker();
    stop_on_signal(&stop, move || waker.wake())?;

    let commands = Commands::new(engine.clone(), clock);
    let ended = match window {
        1 => one_by_one::run(&commands, &batches, &stop),
        _ => pipelined::run(&commands, &batches, &stop, window),
    };
    // However it ended, what was handed over is finished and the journal closed.
    let closed = engine.shutdown(CLOSE_DEADLINE);
    if closed.is_ok() {
        tell_upkeep(&engine);
    }
    match ended {
        // That is no reason to keep quiet about an engine that halted.
        Ok(()) | Err(Failure::OutputClosed) => closed?,
        Err(failure) => return Err(failure),
    }
    Ok(EXIT_DONE)
}

/// Says on stderr why history could not be kept as asked for. No command failed for it, and the next opening tries again.
fn tell_upkeep(engine: &Blocking) {
    if let Some(error) = engine.health().last_upkeep_error {
        // Nobody is left to be told when this cannot be printed.
        let _ =
            writeln!(std::io::stderr().lock(), "tallybook: {error}; it is tried again at the next opening");
    }
}

fn open(arguments: &ApplyArguments, window: usize) -> Result<(Blocking, Option<ManualClock>), Failure> {
    let rules = Rules {
        default_limit: arguments.default_limit,
        default_ttl: Ttl(arguments.default_ttl),
        ..Rules::default()
    };
    let mut options = arguments
        .history
        .apply_to(Options::new())
        .durability(arguments.durability)
        .rules(rules)
        // So that a whole window can be handed over at once.
        .inbox_capacity(window.max(Options::DEFAULT_INBOX_CAPACITY));
    if let Some(bytes) = arguments.segment_bytes {
        options = options.segment_bytes(bytes);
    }
    if let Some(age) = arguments.key_window {
        let max_age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        options = options.key_window(KeyWindow { max_age_ms, ..KeyWindow::DEFAULT });
    }
    if let Some(age) = arguments.forget_after {
        options = options.forget_after(age);
    }
    if !arguments.manual_clock {
        return Ok((options.open_blocking(&arguments.dir)?, None));
    }
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let engine = options.clock(clock.clone()).open_blocking(&arguments.dir)?;
    // It goes on where the journal stands; in a new one nothing has happened yet.
    clock.set(engine.view().last_ts());
    Ok((engine, Some(clock)))
}
