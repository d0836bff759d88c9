//! `tallybook export`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tallybook::forensics::{
    BALANCE_COLUMNS, Balance, Balances, EVENT_COLUMNS, Every, put_balance, put_event, put_head,
};
use tallybook::{ErrorKind, JournalReader, Timestamp};

use super::archive::ArchiveArguments;
use super::filter::FilterArguments;
use super::outcome::{EXIT_DONE, Failure};
use super::output::stdout;
use super::progress::Progress;
use super::values;

/// Export events, or the balances of budgets over time, as CSV (RFC 4180) or JSON lines, for spreadsheets and databases.
///
/// Events as CSV: seq, ts, kind, session_id, actor, key, budget_id, goal_id, reservation_id, spend_id, amount, limit, tool, peer,
/// reason, and event, which is its JSON as journaled. Balances: ts, seq, budget_id, unit, spent (in its window), spent_total (for
/// life), reserved, limit, remaining and status. What there is not is empty in CSV, and null in JSON.
#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// The journal's directory.
    dir: PathBuf,
    #[command(flatten)]
    archive: ArchiveArguments,
    /// The form.
    #[arg(long, value_enum)]
    format: Format,
    /// What to export.
    #[arg(long, value_enum, default_value_t)]
    what: What,
    /// Of balances: one row for every event that changes a budget (event), or at the end of every interval (like 1h or 1d,
    /// counted from the start of 1970, UTC) one for every budget that changed in it.
    #[arg(long, value_name = "DURATION or event", value_parser = every, default_value = "event")]
    every: EveryArgument,
    /// From this seq on; unless given, from the oldest that is retained; of balances, from the oldest before which there
    /// is a state.
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// Up to this seq.
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// From this time on (RFC 3339, or how long ago, like -2h).
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true)]
    since: Option<Timestamp>,
    /// Up to this time.
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true)]
    until: Option<Timestamp>,
    #[command(flatten)]
    filter: FilterArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum What {
    #[default]
    Events,
    Balances,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EveryArgument(Option<Duration>);

fn every(text: &str) -> Result<EveryArgument, String> {
    match text {
        "event" => Ok(EveryArgument(None)),
        _ => values::duration(text).map(|every| EveryArgument(Some(every))),
    }
}

/// How much of CSV is gathered before it is written.
const ROWS_LEN: usize = 32 * 1024;

pub(super) fn run(arguments: &ExportArguments) -> Result<u8, Failure> {
    let reader = arguments.archive.open(&arguments.dir)?;
    let from = first_seq(arguments, &reader)?;
    let mut progress = Progress::of_events(from, arguments.to);
    match arguments.what {
        What::Events => events(arguments, &reader, from, &mut progress)?,
        What::Balances => balances(arguments, &reader, from, &mut progress)?,
    }
    Ok(EXIT_DONE)
}

/// Where to begin.
fn first_seq(arguments: &ExportArguments, reader: &JournalReader) -> Result<u64, Failure> {
    let since = arguments.since.map(|since| reader.seq_since(since)).transpose()?;
    Ok(match (arguments.from, since) {
        (Some(from), Some(since)) => from.max(since),
        (from, since) => from.or(since).unwrap_or(reader.oldest_seq()?),
    })
}

fn events(
    arguments: &ExportArguments,
    reader: &JournalReader,
    from: u64,
    progress: &mut Progress,
) -> Result<(), Failure> {
    if arguments.every.0.is_some() {
        return Err(Failure::Usage("--every is for balances: add --what balances".to_owned()));
    }
    let events = reader.events(from)?.filter(arguments.filter.to_filter()?);
    let events = events.up_to(arguments.to.unwrap_or(u64::MAX));
    let mut events = events.until(arguments.until.unwrap_or(Timestamp::MAX));
    let mut out = stdout();
    let mut rows = Vec::new();
    if arguments.format == Format::Csv {
        put_head(&mut rows, &EVENT_COLUMNS);
    }
    while let Some(journaled) = events.next()? {
        let event = journaled.decode()?;
        match arguments.format {
            Format::Jsonl => {
                rows.extend_from_slice(journaled.line);
                rows.push(b'\n');
            }
            Format::Csv => put_event(&mut rows, &event, &String::from_utf8_lossy(journaled.line)),
        }
        flush_if_long(&mut rows, &mut out)?;
        progress.at(event.seq);
    }
    out.write_all(&rows)?;
    Ok(out.flush()?)
}

fn balances(
    arguments: &ExportArguments,
    reader: &JournalReader,
    from: u64,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let budgets = arguments
        .filter
        .only_budgets()
        .ok_or_else(|| Failure::Usage("balances are filtered by --budget and --goal only".to_owned()))?;
    let every = arguments.every.0.map_or(Every::Event, Every::Interval);
    let (to, until) = (arguments.to.unwrap_or(u64::MAX), arguments.until.unwrap_or(Timestamp::MAX));
    let opened = match Balances::open(reader, from, every) {
        // What is retained now, or in an archive that begins late, may begin with events before the oldest state.
        Err(error) if *error.kind() == ErrorKind::Pruned && arguments.from.is_none() => {
            Balances::open(reader, 0, every)
        }
        opened => opened,
    };
    let balances = opened?.up_to(to, until);
    let mut balances = budgets.into_iter().fold(balances, Balances::budget);
    let mut out = stdout();
    let mut rows = Vec::new();
    if arguments.format == Format::Csv {
        put_head(&mut rows, &BALANCE_COLUMNS);
    }
    while let Some(balance) = balances.next()? {
        put(&mut rows, arguments.format, &balance)?;
        flush_if_long(&mut rows, &mut out)?;
        progress.at(balances.seq());
    }
    out.write_all(&rows)?;
    Ok(out.flush()?)
}

fn put(rows: &mut Vec<u8>, format: Format, balance: &Balance) -> Result<(), Failure> {
    if format == Format::Csv {
        put_balance(rows, balance);
        return Ok(());
    }
    serde_json::to_writer(&mut *rows, &BalanceJson::of(balance))?;
    rows.push(b'\n');
    Ok(())
}

fn flush_if_long(rows: &mut Vec<u8>, out: &mut impl Write) -> Result<(), Failure> {
    if rows.len() >= ROWS_LEN {
        out.write_all(rows)?;
        rows.clear();
    }
    Ok(())
}

/// A balance as JSON.
#[derive(Serialize)]
struct BalanceJson {
    ts: String,
    seq: u64,
    budget_id: String,
    unit: String,
    spent: String,
    spent_total: String,
    reserved: String,
    limit: Option<String>,
    remaining: Option<String>,
    status: &'static str,
}

impl BalanceJson {
    fn of(balance: &Balance) -> BalanceJson {
        BalanceJson {
            ts: balance.ts.to_string(),
            seq: balance.seq,
            budget_id: balance.budget_id.to_string(),
            unit: balance.unit.to_string(),
            spent: balance.spent.to_string(),
            spent_total: balance.spent_total.to_string(),
            reserved: balance.reserved.to_string(),
            limit: balance.limit.map(|limit| limit.to_string()),
            remaining: balance.remaining.map(|remaining| remaining.to_string()),
            status: balance.status.name(),
        }
    }
}
