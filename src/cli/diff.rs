//! `tallybook diff`.

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tallybook::StateAt;
use tallybook::forensics::{Change, StateDiff, Value, diff};
use tallybook::projection::Projection;

use super::archive::ArchiveArguments;
use super::outcome::{EXIT_DONE, Failure};
use super::output::{print_json, stdout};
use super::style::value_text;
use super::table::{Table, printable};
use super::values;

/// What changed between two points of the history: goals, budgets, reservations and meters that were added, removed, or
/// changed, field by field.
#[derive(Debug, Args)]
pub(super) struct DiffArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// The earlier point: a seq, a time (RFC 3339), how long ago (-2h, -3d), or end.
    #[arg(value_name = "A", value_parser = values::state_at, allow_hyphen_values = true)]
    before: StateAt,
    /// The later point.
    #[arg(value_name = "B", value_parser = values::state_at, allow_hyphen_values = true)]
    after: StateAt,
    #[command(flatten)]
    archive: ArchiveArguments,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct DiffJson<'a> {
    from: PointJson,
    to: PointJson,
    goals: Vec<ChangeJson<'a>>,
    budgets: Vec<ChangeJson<'a>>,
    reservations: Vec<ChangeJson<'a>>,
    meters: Vec<ChangeJson<'a>>,
}

#[derive(Serialize)]
struct PointJson {
    seq: u64,
    ts: Option<String>,
    state_hash: String,
}

impl PointJson {
    fn of(projection: &Projection) -> PointJson {
        PointJson {
            seq: projection.seq,
            ts: (projection.seq > 0).then(|| projection.last_ts.to_string()),
            state_hash: projection.state_hash().to_string(),
        }
    }
}

/// A change, whatever it is of.
#[derive(Serialize)]
struct ChangeJson<'a> {
    id: String,
    change: &'static str,
    fields: Fields<'a>,
}

/// Names, each with what was and what is.
struct Fields<'a>(Vec<(&'a str, &'a Value, &'a Value)>);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Field<'a> {
            before: &'a Value,
            after: &'a Value,
        }
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for &(name, before, after) in &self.0 {
            map.serialize_entry(name, &Field { before, after })?;
        }
        map.end()
    }
}

impl<'a> ChangeJson<'a> {
    fn of<Id: Display>(change: &'a Change<Id>) -> ChangeJson<'a> {
        let (name, fields) = match change {
            Change::Added(_, fields) => {
                ("added", fields.iter().map(|(name, value)| (*name, &Value::None, value)).collect())
            }
            Change::Removed(_, fields) => {
                ("removed", fields.iter().map(|(name, value)| (*name, value, &Value::None)).collect())
            }
            Change::Changed(_, fields) => {
                ("changed", fields.iter().map(|field| (field.field, &field.before, &field.after)).collect())
            }
            _ => ("other", Vec::new()),
        };
        ChangeJson { id: change.id().to_string(), change: name, fields: Fields(fields) }
    }

    fn all<Id: Display>(changes: &'a [Change<Id>]) -> Vec<ChangeJson<'a>> {
        changes.iter().map(ChangeJson::of).collect()
    }
}

pub(super) fn run(arguments: &DiffArguments) -> Result<u8, Failure> {
    let reader = arguments.archive.open(&arguments.dir)?;
    let (before, after) = (reader.state(arguments.before)?, reader.state(arguments.after)?);
    if after.seq < before.seq {
        let (before, after) = (before.seq, after.seq);
        let message =
            format!("A is after seq {before}, and B, after seq {after}, is earlier: the earlier goes first");
        return Err(Failure::Usage(message));
    }
    let changed = diff(&before, &after);
    let StateDiff { goals, budgets, reservations, meters, .. } = &changed;
    let json = DiffJson {
        from: PointJson::of(&before),
        to: PointJson::of(&after),
        goals: ChangeJson::all(goals),
        budgets: ChangeJson::all(budgets),
        reservations: ChangeJson::all(reservations),
        meters: ChangeJson::all(meters),
    };
    if arguments.json {
        print_json(&json)?
    } else {
        print(&json)?
    }
    Ok(EXIT_DONE)
}

fn print(diff: &DiffJson<'_>) -> Result<(), Failure> {
    let mut out = stdout();
    let point = |point: &PointJson| match &point.ts {
        Some(ts) => format!("seq {} ({ts})", point.seq),
        None => "the beginning".to_owned(),
    };
    writeln!(out, "from {} to {}", point(&diff.from), point(&diff.to))?;
    let kinds = [
        ("goal", &diff.goals),
        ("budget", &diff.budgets),
        ("reservation", &diff.reservations),
        ("meter", &diff.meters),
    ];
    if kinds.iter().all(|(_, changes)| changes.is_empty()) {
        writeln!(out, "\nnothing changed")?;
    }
    for (kind, changes) in kinds {
        for change in changes {
            writeln!(out, "\n{kind} {}: {}", printable(&change.id), change.change)?;
            let mut table = Table::of_pairs();
            for &(name, before, after) in &change.fields.0 {
                let value = match change.change {
                    "added" => value_text(after),
                    "removed" => value_text(before),
                    _ => format!("{} → {}", value_text(before), value_text(after)),
                };
                table.row([format!("  {name}"), value]);
            }
            table.print(&mut out)?;
        }
    }
    Ok(out.flush()?)
}
