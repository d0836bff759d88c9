//! `tallybook state`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::{Serialize, Serializer};
use tallybook::adapter::jsonl::{BudgetJson, GoalJson};
use tallybook::domain::Budget;
use tallybook::projection::Projection;
use tallybook::{BudgetId, Goal, JournalReader, StateAt};

use super::outcome::Failure;
use super::output::{print_json, stdout};
use super::table::{Align, Table, cut};
use super::values;

/// Goals and budgets, now or as of a point of the history.
#[derive(Debug, Args)]
pub(super) struct StateArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// As of a seq, or of a time (RFC 3339); unless given, as of the last event.
    #[arg(long, value_name = "SEQ or TIME", value_parser = values::state_at)]
    at: Option<StateAt>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct StateJson<'a> {
    seq: u64,
    state_hash: String,
    #[serde(serialize_with = "goals")]
    goals: &'a Projection,
    #[serde(serialize_with = "budgets")]
    budgets: &'a Projection,
    /// There are none in this version.
    reservations: [(); 0],
    /// There are none in this version.
    meters: [(); 0],
}

fn goals<S: Serializer>(projection: &&Projection, serializer: S) -> Result<S::Ok, S::Error> {
    /// A goal that is put together only to be written.
    struct Owned(Goal);
    impl Serialize for Owned {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            GoalJson(&self.0).serialize(serializer)
        }
    }
    serializer.collect_seq(projection.state.goals().map(Owned))
}

fn budgets<S: Serializer>(projection: &&Projection, serializer: S) -> Result<S::Ok, S::Error> {
    let state = &projection.state;
    serializer.collect_seq(state.budgets().map(|budget| BudgetJson { budget, state }))
}

pub(super) fn run(arguments: &StateArguments) -> Result<u8, Failure> {
    let reader = JournalReader::open(&arguments.dir)?;
    let projection = reader.state(arguments.at.unwrap_or(StateAt::End))?;
    if arguments.json {
        print_json(&StateJson {
            seq: projection.seq,
            state_hash: projection.state.state_hash().to_string(),
            goals: &projection,
            budgets: &projection,
            reservations: [],
            meters: [],
        })?;
    } else {
        print(&projection)?;
    }
    Ok(super::outcome::EXIT_DONE)
}

fn print(projection: &Projection) -> Result<(), Failure> {
    let state = &projection.state;
    let mut out = stdout();
    let mut table = Table::of_pairs();
    table.pair("seq", projection.seq);
    if projection.seq > 0 {
        table.pair("time", projection.last_ts);
    }
    table.pair("state hash", state.state_hash());
    table.pair("goals", state.goal_count());
    table.print(&mut out)?;
    if state.goal_count() > 0 {
        writeln!(out)?;
        print_goals(state.goals(), &mut out)?;
    }
    let named: Vec<&Budget> =
        state.budgets().filter(|budget| !matches!(budget.id, BudgetId::Goal(_))).collect();
    if !named.is_empty() {
        writeln!(out)?;
        print_budgets(&named, &mut out)?;
    }
    Ok(out.flush()?)
}

/// How much of a goal's text is shown, in characters.
const TEXT_CHARS: usize = 48;
/// How much of a scope is shown, in characters.
const SCOPE_CHARS: usize = 36;

fn print_goals(goals: impl Iterator<Item = Goal>, out: &mut impl Write) -> Result<(), Failure> {
    let mut table = Table::new([
        ("GOAL", Align::Left),
        ("STATUS", Align::Left),
        ("SCOPE", Align::Left),
        ("TOKENS", Align::Right),
        ("BUDGET", Align::Right),
        ("TURNS", Align::Right),
        ("TEXT", Align::Left),
    ]);
    for goal in goals {
        let status = match goal.pause_reason {
            Some(reason) => format!("{} ({})", goal.status.name(), reason.name()),
            None => goal.status.name().to_owned(),
        };
        table.row([
            goal.id.to_string(),
            status,
            cut(&goal.scope, SCOPE_CHARS),
            goal.tokens_used.to_string(),
            limit(goal.token_budget),
            goal.turns_used.to_string(),
            cut(&goal.text, TEXT_CHARS),
        ]);
    }
    Ok(table.print(out)?)
}

/// The budgets that are not those of goals: these are shown with their goals.
fn print_budgets(budgets: &[&Budget], out: &mut impl Write) -> Result<(), Failure> {
    let mut table = Table::new([
        ("BUDGET", Align::Left),
        ("UNIT", Align::Left),
        ("SPENT", Align::Right),
        ("LIMIT", Align::Right),
    ]);
    for budget in budgets {
        let spent = budget.spent.to_string();
        table.row([budget.id.to_string(), budget.unit.to_string(), spent, limit(budget.limit())]);
    }
    Ok(table.print(out)?)
}

fn limit(limit: Option<u128>) -> String {
    limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string())
}
