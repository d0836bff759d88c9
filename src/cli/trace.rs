//! `tallybook trace`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use serde_json::value::RawValue;
use tallybook::forensics::{Trace, TraceBalance, TraceKind, TraceStep};

use super::archive::ArchiveArguments;
use super::outcome::{EXIT_DONE, Failure};
use super::output::stdout;
use super::progress::Progress;
use super::style::{Paint, style};
use super::table::printable;
use super::time::when;

/// Tell the story of one goal, budget, reservation, spend, key, session, event, actor or meter: what happened, when, who
/// did it and why, with the balance at each step.
#[derive(Debug, Args)]
pub(super) struct TraceArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// The id. If it is that of several things, all are told.
    id: String,
    /// Only as this kind of thing.
    #[arg(long = "as", value_name = "KIND", value_parser = kinds())]
    kind: Option<TraceKind>,
    #[command(flatten)]
    archive: ArchiveArguments,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

fn kinds() -> impl TypedValueParser<Value = TraceKind> {
    let kind = |name: String| TraceKind::from_name(&name).ok_or("expected a kind");
    PossibleValuesParser::new(TraceKind::ALL.map(TraceKind::name)).try_map(kind)
}

#[derive(Serialize)]
struct StepJson<'a> {
    seq: u64,
    ts: String,
    after_ms: Option<u64>,
    kind: &'static str,
    #[serde(rename = "as")]
    told_as: Vec<&'static str>,
    what: &'a str,
    amount: Option<String>,
    reason: Option<&'a str>,
    cause: Option<CauseJson>,
    actor: Option<&'a str>,
    session_id: Option<&'a str>,
    key: Option<&'a str>,
    meta: Option<&'a RawValue>,
    balance: Option<BalanceJson<'a>>,
}

#[derive(Serialize)]
struct CauseJson {
    seq: u64,
    kind: &'static str,
}

#[derive(Serialize)]
struct BalanceJson<'a> {
    budget_id: String,
    unit: &'a str,
    spent: String,
    reserved: String,
    limit: Option<String>,
    remaining: Option<String>,
}

fn step_json(step: &TraceStep) -> Result<StepJson<'_>, Failure> {
    let event = &step.event;
    let meta = event.meta.as_ref().map(|meta| serde_json::from_str(meta.as_str())).transpose()?;
    Ok(StepJson {
        seq: event.seq,
        ts: event.ts.to_string(),
        after_ms: step.after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        kind: event.payload.kind(),
        told_as: step.told_as.iter().map(|kind| kind.name()).collect(),
        what: &step.what,
        amount: step.amount.map(|amount| amount.to_string()),
        reason: step.reason.as_deref(),
        cause: step.cause.map(|(seq, kind)| CauseJson { seq, kind }),
        actor: event.actor.as_deref(),
        session_id: event.session_id.as_deref(),
        key: event.key.as_ref().map(|key| &*key.key),
        meta,
        balance: step.balance.as_ref().map(|balance| BalanceJson {
            budget_id: balance.budget_id.to_string(),
            unit: &balance.unit,
            spent: balance.spent.to_string(),
            reserved: balance.reserved.to_string(),
            limit: balance.limit.map(|limit| limit.to_string()),
            remaining: balance.remaining.map(|remaining| remaining.to_string()),
        }),
    })
}

pub(super) fn run(arguments: &TraceArguments) -> Result<u8, Failure> {
    let reader = arguments.archive.open(&arguments.dir)?;
    let mut trace = Trace::open(&reader, &arguments.id, arguments.kind)?;
    let mut progress = Progress::of_events(trace.seqs().0, None);
    let mut out = stdout();
    let told = match arguments.json {
        true => print_json(&arguments.id, &mut trace, &mut progress, &mut out),
        false => print(&arguments.id, &mut trace, &mut progress, &mut out),
    };
    drop(progress);
    // What was told before an error is worth having.
    let flushed = out.flush();
    told?;
    flushed?;
    Ok(EXIT_DONE)
}

/// One object, written as the story goes: it may be longer than memory.
fn print_json(
    id: &str,
    trace: &mut Trace,
    progress: &mut Progress,
    out: &mut impl Write,
) -> Result<(), Failure> {
    write!(out, "{{\"id\":{},\"steps\":[", serde_json::to_string(id)?)?;
    let mut is_first = true;
    while let Some(step) = trace.next_telling(&mut |seq| progress.at(seq))? {
        if !std::mem::take(&mut is_first) {
            out.write_all(b",")?;
        }
        serde_json::to_writer(&mut *out, &step_json(&step)?)?;
    }
    let found: serde_json::Map<String, serde_json::Value> =
        trace.found().iter().map(|(kind, count)| (kind.name().to_owned(), (*count).into())).collect();
    let (first_seq, last_seq) = trace.seqs();
    let found = serde_json::Value::from(found);
    writeln!(out, "],\"found_as\":{found},\"first_seq\":{first_seq},\"last_seq\":{last_seq}}}")?;
    Ok(())
}

fn print(id: &str, trace: &mut Trace, progress: &mut Progress, out: &mut impl Write) -> Result<(), Failure> {
    while let Some(step) = trace.next_telling(&mut |seq| progress.at(seq))? {
        progress.hide();
        print_step(&step, out)?;
        if style().is_for_people {
            // It may be long until the next, and how far it is is told below.
            out.flush()?;
        }
    }
    progress.hide();
    let number = |seq| style().number(seq);
    let (first, last) = (number(trace.seqs().0), number(trace.seqs().1));
    let found = trace.found().iter().map(|(kind, n)| format!("{kind} (events: {})", number(*n)));
    let found: Vec<String> = found.collect();
    let id = printable(id);
    match found.as_slice() {
        [] => writeln!(out, "no event from seq {first} to {last} tells of {id}")?,
        [one] => {
            let article = if one.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            writeln!(out, "{id} is {article} {one}, from seq {first} to {last}")?;
        }
        several => writeln!(
            out,
            "{id} is several things, all told above; --as narrows: {}; from seq {first} to {last}",
            several.join(", ")
        )?,
    }
    Ok(())
}

fn print_step(step: &TraceStep, out: &mut impl Write) -> Result<(), Failure> {
    let (event, style) = (&step.event, style());
    let after = step.after.map(|after| format!("  +{}", short(after))).unwrap_or_default();
    let seq = style.paint(paint_of(event.payload.kind()), &format!("seq {}", style.number(event.seq)));
    writeln!(out, "{seq}  {}{after}", when(event.ts))?;
    writeln!(out, "  {}", printable(&step.what))?;
    if let Some(balance) = &step.balance {
        writeln!(out, "  {}", printable(&balance_text(balance)))?;
    }
    let mut notes = Vec::new();
    notes.extend(event.actor.as_ref().map(|actor| format!("by {actor}")));
    notes.extend(event.session_id.as_ref().map(|session| format!("in session {session}")));
    notes.extend(event.key.as_ref().map(|key| format!("key {}", key.key)));
    notes.extend(step.reason.as_ref().map(|reason| format!("reason: {reason}")));
    notes.extend(step.cause.map(|(seq, kind)| format!("because of seq {} ({kind})", style.number(seq))));
    notes.extend(event.meta.as_ref().map(|meta| format!("meta {}", meta.as_str())));
    if !notes.is_empty() {
        writeln!(out, "  {}", style.paint(Paint::Faint, &printable(&notes.join(", "))))?;
    }
    Ok(writeln!(out)?)
}

/// What to look at in a story: what was refused or used up, and what changes the rules.
fn paint_of(kind: &str) -> Paint {
    match kind {
        "command_refused" | "refusals_suppressed" | "budget_exhausted" => Paint::Bad,
        "threshold_crossed" | "budget_adjusted" | "goal_budget_set" => Paint::Warning,
        _ => Paint::Head,
    }
}

fn balance_text(balance: &TraceBalance) -> String {
    let TraceBalance { budget_id, unit, spent, reserved, limit, remaining, .. } = balance;
    let number = |amount: &u128| style().number(amount);
    let of = match (limit, remaining) {
        (Some(limit), Some(remaining)) => format!("{} of {} {unit} left", number(remaining), number(limit)),
        _ => format!("{unit} without a limit"),
    };
    let (spent, reserved) = (number(spent), number(reserved));
    format!("{budget_id}: {spent} spent, {reserved} reserved, {of}")
}

/// A duration in its two largest units.
fn short(duration: Duration) -> String {
    let (secs, millis) = (duration.as_secs(), duration.subsec_millis());
    match (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60, secs % 60) {
        (0, 0, 0, 0) => format!("{millis}ms"),
        (0, 0, 0, secs) => format!("{secs}.{:01}s", millis / 100),
        (0, 0, minutes, secs) => format!("{minutes}m {secs}s"),
        (0, hours, minutes, _) => format!("{hours}h {minutes}m"),
        (days, hours, ..) => format!("{days}d {hours}h"),
    }
}
