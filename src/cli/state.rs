//! `tallybook state`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::{Serialize, Serializer};
use tallybook::adapter::jsonl::{BudgetJson, GoalJson, MeterJson, ReservationJson};
use tallybook::projection::Projection;
use tallybook::{Budget, BudgetId, Goal, Meter, MeterKind, Reservation, State, StateAt};

use super::archive::ArchiveArguments;
use super::outcome::Failure;
use super::output::{print_json, stdout};
use super::table::{Align, Table, cut};
use super::time::when;
use super::values;

/// Goals, budgets, open reservations and meters, now or as of a point of the history.
#[derive(Debug, Args)]
pub(super) struct StateArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// As of a seq, of a time (RFC 3339), or of so long ago (-2h, -3d); unless given, as of the last event.
    #[arg(long, value_name = "SEQ or TIME", value_parser = values::state_at, allow_hyphen_values = true)]
    at: Option<StateAt>,
    #[command(flatten)]
    archive: ArchiveArguments,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// A state as one JSON object.
#[derive(Serialize)]
pub(super) struct StateJson<'a> {
    seq: u64,
    state_hash: String,
    #[serde(serialize_with = "goals")]
    goals: &'a State,
    #[serde(serialize_with = "budgets")]
    budgets: &'a State,
    #[serde(serialize_with = "reservations")]
    reservations: &'a State,
    #[serde(serialize_with = "meters")]
    meters: &'a State,
}

impl<'a> StateJson<'a> {
    /// The state after that `seq`.
    pub(super) fn new(seq: u64, state: &'a State) -> StateJson<'a> {
        let state_hash = state.state_hash().to_string();
        StateJson { seq, state_hash, goals: state, budgets: state, reservations: state, meters: state }
    }
}

fn goals<S: Serializer>(state: &&State, serializer: S) -> Result<S::Ok, S::Error> {
    /// A goal that is put together only to be written.
    struct Owned(Goal);
    impl Serialize for Owned {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            GoalJson(&self.0).serialize(serializer)
        }
    }
    serializer.collect_seq(state.goals().map(Owned))
}

fn budgets<S: Serializer>(state: &&State, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(state.budgets().map(|budget| BudgetJson::of(budget, state)))
}

fn reservations<S: Serializer>(state: &&State, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(state.held_reservations().map(ReservationJson))
}

fn meters<S: Serializer>(state: &&State, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(state.meters().map(MeterJson::from))
}

pub(super) fn run(arguments: &StateArguments) -> Result<u8, Failure> {
    let reader = arguments.archive.open(&arguments.dir)?;
    let projection = reader.state(arguments.at.unwrap_or(StateAt::End))?;
    if arguments.json {
        print_json(&StateJson::new(projection.seq, &projection.state))?;
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
        table.pair("time", when(projection.last_ts));
    }
    table.pair("state hash", state.state_hash());
    table.pair("goals", state.goal_count());
    table.print(&mut out)?;
    if state.goal_count() > 0 {
        writeln!(out)?;
        print_goals(state.goals(), &mut out)?;
    }
    print_budgets(state, &mut out)?;
    print_reservations(state, &mut out)?;
    print_meters(state, &mut out)?;
    Ok(out.flush()?)
}

/// How much of a goal's text is shown, in characters.
const TEXT_CHARS: usize = 48;
/// How much of a scope, a unit or an owner is shown, in characters. Ids are shown whole: they are there to be copied.
const NAME_CHARS: usize = 36;

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
            cut(&goal.scope, NAME_CHARS),
            goal.tokens_used.to_string(),
            or_dash(goal.token_budget),
            goal.turns_used.to_string(),
            cut(&goal.text, TEXT_CHARS),
        ]);
    }
    Ok(table.print(out)?)
}

/// The budgets that are not those of goals: these are shown with their goals.
fn print_budgets(state: &State, out: &mut impl Write) -> Result<(), Failure> {
    let mut table = Table::new([
        ("BUDGET", Align::Left),
        ("UNIT", Align::Left),
        ("SPENT", Align::Right),
        ("RESERVED", Align::Right),
        ("LIMIT", Align::Right),
        ("STATUS", Align::Left),
        ("UNDER", Align::Left),
    ]);
    let is_named = |budget: &&Budget| !matches!(budget.id, BudgetId::Goal(_));
    for budget in state.budgets().filter(is_named) {
        table.row([
            budget.id.to_string(),
            cut(&budget.unit, NAME_CHARS),
            budget.spent.to_string(),
            budget.reserved.to_string(),
            or_dash(budget.limit()),
            budget.status().name().to_owned(),
            or_dash(budget.parent.as_ref()),
        ]);
    }
    print_if_any(&table, out)
}

/// The reservations that have not ended.
fn print_reservations(state: &State, out: &mut impl Write) -> Result<(), Failure> {
    let mut table = Table::new([
        ("RESERVATION", Align::Left),
        ("STATUS", Align::Left),
        ("BUDGET", Align::Left),
        ("AMOUNT", Align::Right),
        ("OWNER", Align::Left),
        ("EXPIRES", Align::Left),
    ]);
    for Reservation { id, status, budget_id, amount, owner, expires_at, .. } in state.held_reservations() {
        table.row([
            id.to_string(),
            status.name().to_owned(),
            budget_id.to_string(),
            amount.to_string(),
            or_dash(owner.as_ref().map(|owner| cut(owner, NAME_CHARS))),
            or_dash(expires_at.map(when)),
        ]);
    }
    print_if_any(&table, out)
}

fn print_meters(state: &State, out: &mut impl Write) -> Result<(), Failure> {
    let mut table = Table::new([
        ("METER", Align::Left),
        ("KIND", Align::Left),
        ("TOTAL", Align::Right),
        ("BOOKED", Align::Right),
        ("BUDGET", Align::Left),
    ]);
    for Meter { id, kind, total, booked, budget_id, .. } in state.meters() {
        table.row([
            id.to_string(),
            or_dash(kind.map(MeterKind::name)),
            total.to_string(),
            booked.to_string(),
            or_dash(budget_id.as_ref()),
        ]);
    }
    print_if_any(&table, out)
}

/// An empty line and the table, if it has any rows.
fn print_if_any(table: &Table, out: &mut impl Write) -> Result<(), Failure> {
    if !table.is_empty() {
        writeln!(out)?;
        table.print(out)?;
    }
    Ok(())
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
