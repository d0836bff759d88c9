//! Booking a turn: cost that was incurred is always booked, whatever the limits and the goal's status (law EXACT).

use crate::domain::budget::{is_exhausted, overage};
use crate::domain::decide::create_goal::check_budgets;
use crate::domain::decide::draft::{Draft, exhausted};
use crate::domain::decide::{find, limits};
use crate::domain::goal::GoalRecord;
use crate::domain::{Decision, Outcome, RecordTurn, Rejection, State, Turn, TurnTarget};
use crate::event::{BudgetExhausted, Charge, GoalStatus, Payload, TurnRecorded};
use crate::ids::BudgetId;

pub(super) fn decide(state: &State, record: &RecordTurn) -> Result<Decision, Rejection> {
    let turn = &record.turn;
    if turn.turns == 0 {
        return Err(Rejection::invalid("turns: expected at least 1, found 0"));
    }
    check_budgets(state, turn.charges.iter().map(|charge| &charge.budget_id))?;
    let goal = match &record.target {
        TurnTarget::Goal(id) => find(state, *id)?,
        TurnTarget::Scope(scope) => {
            limits::check_name("scope", Some(scope))?;
            match state.active_goal_id(scope) {
                Some(id) => find(state, id)?,
                None => return Ok(Decision::Unchanged(Outcome::Nothing)),
            }
        }
    };
    check_sums(goal, turn)?;
    let Booking { overage, crossed } = book(state, goal, turn.tokens)?;
    let mut draft = Draft::new(state);
    draft.push(Payload::TurnRecorded(TurnRecorded {
        goal_id: goal.id(),
        tokens: turn.tokens,
        turns: turn.turns,
        seconds: turn.seconds,
        late: goal.status != GoalStatus::Active,
        overage,
    }));
    for budget in crossed {
        if let BudgetId::Goal(id) = budget.budget_id {
            draft.exhaust(find(state, id)?, budget);
        }
    }
    Ok(draft.finish())
}

/// What booking does to the budgets on the path.
struct Booking {
    /// What passes the limit of each, where anything does.
    overage: Vec<Charge>,
    /// Those that reach their limit by it.
    crossed: Vec<BudgetExhausted>,
}

fn book(state: &State, goal: &GoalRecord, tokens: u128) -> Result<Booking, Rejection> {
    let mut booking = Booking { overage: Vec::new(), crossed: Vec::new() };
    for budget in state.path(&BudgetId::Goal(goal.id())) {
        let spent = budget.spent.checked_add(tokens).ok_or_else(|| {
            passes(&format!("what is spent of budget {}, {} now,", budget.id, budget.spent), "2^128 - 1")
        })?;
        let Some(limit) = budget.terms.limit else { continue };
        let amount = overage(Some(limit), spent) - overage(Some(limit), budget.spent);
        if amount > 0 {
            booking.overage.push(Charge { budget_id: budget.id.clone(), amount });
        }
        if !budget.is_exhausted() && is_exhausted(Some(limit), spent) {
            booking.crossed.push(exhausted(budget.id.clone(), limit, spent));
        }
    }
    Ok(booking)
}

/// The goal's own sums; its own tokens are part of what is spent of its budget.
fn check_sums(goal: &GoalRecord, turn: &Turn) -> Result<(), Rejection> {
    if goal.turns_used.checked_add(turn.turns).is_none() {
        return Err(passes(
            &format!("the turns of goal {}, {} now,", goal.id(), goal.turns_used),
            "2^64 - 1",
        ));
    }
    if goal.seconds_used.checked_add(turn.seconds).is_none() {
        return Err(passes(
            &format!("the seconds of goal {}, {} now,", goal.id(), goal.seconds_used),
            "2^64 - 1",
        ));
    }
    Ok(())
}

fn passes(what: &str, bound: &str) -> Rejection {
    Rejection::invalid(format!("{what} would pass {bound}"))
}
