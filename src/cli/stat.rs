//! `tallybook stat`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tallybook::{
    ArchiveStatistics, JournalReader, SegmentStatistics, SnapshotStatistics, StateStatistics, Statistics,
    Timestamp,
};

use super::archive::ArchiveArguments;
use super::findings::{self, FindingJson};
use super::outcome::Failure;
use super::output::{print_json, stdout};
use super::table::{Align, Table};

/// Segments, snapshots, sizes, seqs, epochs, and events by kind.
///
/// Exit code 0: nothing is wrong; 1: the last write was cut short; 2: something that was synced is damaged.
#[derive(Debug, Args)]
pub(super) struct StatArguments {
    /// The journal's directory.
    dir: PathBuf,
    #[command(flatten)]
    archive: ArchiveArguments,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct StatJson<'a> {
    journal_id: String,
    first_seq: u64,
    last_seq: u64,
    first_ts: Option<String>,
    last_ts: Option<String>,
    retention_floor: u64,
    bytes: u64,
    clean: bool,
    live: bool,
    segments: Vec<SegmentJson<'a>>,
    snapshots: Vec<SnapshotJson<'a>>,
    epochs: Vec<String>,
    events_by_kind: &'a BTreeMap<String, u64>,
    state: Option<SizesJson>,
    archive: Option<ArchiveJson>,
    findings: Vec<FindingJson<'a>>,
}

/// How much the state after the last event holds.
#[derive(Serialize)]
struct SizesJson {
    goals: usize,
    budgets: usize,
    reservations: usize,
    meters: usize,
    keys: usize,
    spends: usize,
    event_ids: usize,
}

#[derive(Serialize)]
struct ArchiveJson {
    segments: usize,
    first_seq: u64,
    last_seq: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct SegmentJson<'a> {
    file: &'a str,
    number: u64,
    first_seq: u64,
    last_seq: u64,
    first_ts: Option<String>,
    last_ts: Option<String>,
    events: u64,
    bytes: u64,
    end: u64,
    closed: bool,
}

#[derive(Serialize)]
struct SnapshotJson<'a> {
    file: &'a str,
    seq: u64,
    ts: String,
    bytes: u64,
    fold_version: u32,
    state_hash: String,
    base: bool,
}

pub(super) fn run(arguments: &StatArguments) -> Result<u8, Failure> {
    let statistics = match arguments.archive.is_given() {
        true => arguments.archive.open(&arguments.dir)?.statistics()?,
        // Also of one that is too damaged to be opened.
        false => JournalReader::statistics_dir(&arguments.dir)?,
    };
    if arguments.json {
        print_json(&to_json(&statistics))?
    } else {
        print(&statistics)?
    }
    Ok(findings::exit_code(&statistics.findings))
}

fn to_json(statistics: &Statistics) -> StatJson<'_> {
    StatJson {
        journal_id: statistics.journal_id.to_string(),
        first_seq: statistics.first_seq,
        last_seq: statistics.last_seq,
        first_ts: text(statistics.first_ts),
        last_ts: text(statistics.last_ts),
        retention_floor: statistics.retention_floor,
        bytes: statistics.bytes,
        clean: statistics.is_clean,
        live: statistics.is_live,
        segments: statistics.segments.iter().map(segment_json).collect(),
        snapshots: statistics.snapshots.iter().map(snapshot_json).collect(),
        epochs: statistics.epochs.iter().map(ToString::to_string).collect(),
        events_by_kind: &statistics.events_by_kind,
        state: statistics.state.as_ref().map(sizes_json),
        archive: statistics.archive.as_ref().map(archive_json),
        findings: findings::to_json(&statistics.findings),
    }
}

fn text(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

fn sizes_json(state: &StateStatistics) -> SizesJson {
    let StateStatistics { goals, budgets, held_reservations, meters, keys, spends, event_ids, .. } = *state;
    SizesJson { goals, budgets, reservations: held_reservations, meters, keys, spends, event_ids }
}

fn archive_json(archive: &ArchiveStatistics) -> ArchiveJson {
    let ArchiveStatistics { segments, first_seq, last_seq, bytes, .. } = *archive;
    ArchiveJson { segments, first_seq, last_seq, bytes }
}

fn segment_json(segment: &SegmentStatistics) -> SegmentJson<'_> {
    let SegmentStatistics {
        file,
        number,
        first_seq,
        last_seq,
        first_ts,
        last_ts,
        events,
        file_len,
        end,
        is_closed,
    } = segment;
    SegmentJson {
        file,
        number: *number,
        first_seq: *first_seq,
        last_seq: *last_seq,
        first_ts: text(*first_ts),
        last_ts: text(*last_ts),
        events: *events,
        bytes: *file_len,
        end: *end,
        closed: *is_closed,
    }
}

fn snapshot_json(snapshot: &SnapshotStatistics) -> SnapshotJson<'_> {
    SnapshotJson {
        file: &snapshot.file,
        seq: snapshot.seq,
        ts: snapshot.last_ts.to_string(),
        bytes: snapshot.file_len,
        fold_version: snapshot.fold_version,
        state_hash: snapshot.state_hash.to_string(),
        base: snapshot.is_base,
    }
}

fn print(statistics: &Statistics) -> Result<(), Failure> {
    let mut out = stdout();
    let mut table = Table::of_pairs();
    table.pair("journal", statistics.journal_id);
    table.pair("condition", findings::condition(statistics.is_clean, statistics.is_live));
    table.pair("seqs", format!("{} to {}", statistics.first_seq, statistics.last_seq));
    if let (Some(first), Some(last)) = (statistics.first_ts, statistics.last_ts) {
        table.pair("times", format!("{first} to {last}"));
    }
    table.pair("floor", statistics.retention_floor);
    if let Some(ArchiveStatistics { segments, first_seq, last_seq, .. }) = statistics.archive {
        table.pair("archive", format!("seqs {first_seq} to {last_seq}, segments {segments}"));
    }
    if let Some(state) = &statistics.state {
        let StateStatistics { goals, budgets, held_reservations, meters, keys, spends, event_ids, .. } =
            state;
        table.pair(
            "state",
            format!(
                "goals {goals}, budgets {budgets}, held reservations {held_reservations}, meters {meters}"
            ),
        );
        table.pair("remembered", format!("keys {keys}, spends {spends}, event ids {event_ids}"));
    }
    table.pair("bytes", statistics.bytes);
    table.pair("epochs", epochs(statistics));
    table.print(&mut out)?;

    writeln!(out)?;
    print_segments(&statistics.segments, &mut out)?;
    if !statistics.snapshots.is_empty() {
        writeln!(out)?;
        print_snapshots(&statistics.snapshots, &mut out)?;
    }
    if !statistics.events_by_kind.is_empty() {
        writeln!(out)?;
        let mut table = Table::new([("KIND", Align::Left), ("EVENTS", Align::Right)]);
        statistics
            .events_by_kind
            .iter()
            .for_each(|(kind, count)| table.row([kind.clone(), count.to_string()]));
        table.print(&mut out)?;
    }
    findings::print(&statistics.findings, &mut out)?;
    Ok(out.flush()?)
}

fn epochs(statistics: &Statistics) -> String {
    match statistics.epochs.as_slice() {
        [] => "none".to_owned(),
        [only] => only.to_string(),
        [first, .., last] => format!("{first} to {last}"),
    }
}

fn print_segments(segments: &[SegmentStatistics], out: &mut impl Write) -> Result<(), Failure> {
    let mut table = Table::new([
        ("SEGMENT", Align::Left),
        ("FIRST SEQ", Align::Right),
        ("LAST SEQ", Align::Right),
        ("EVENTS", Align::Right),
        ("BYTES", Align::Right),
        ("END", Align::Right),
        ("", Align::Left),
    ]);
    for segment in segments {
        let last_seq = if segment.events == 0 { "-".to_owned() } else { segment.last_seq.to_string() };
        table.row([
            segment.file.clone(),
            segment.first_seq.to_string(),
            last_seq,
            segment.events.to_string(),
            segment.file_len.to_string(),
            segment.end.to_string(),
            if segment.is_closed { "closed" } else { "active" }.to_owned(),
        ]);
    }
    Ok(table.print(out)?)
}

fn print_snapshots(snapshots: &[SnapshotStatistics], out: &mut impl Write) -> Result<(), Failure> {
    let mut table = Table::new([
        ("SNAPSHOT", Align::Left),
        ("SEQ", Align::Right),
        ("BYTES", Align::Right),
        ("FOLD", Align::Right),
        ("STATE HASH", Align::Left),
        ("", Align::Left),
    ]);
    for snapshot in snapshots {
        table.row([
            snapshot.file.clone(),
            snapshot.seq.to_string(),
            snapshot.file_len.to_string(),
            snapshot.fold_version.to_string(),
            snapshot.state_hash.to_string(),
            if snapshot.is_base { "base" } else { "" }.to_owned(),
        ]);
    }
    Ok(table.print(out)?)
}
