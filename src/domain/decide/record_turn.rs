//! Booking a turn: cost that was incurred is always booked, whatever the limits and the goal's status (law EXACT).

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::decide::booking::Bookings;
use crate::domain::decide::create_goal::check_budgets;
use crate::domain::decide::draft::Draft;
use crate::domain::decide::{find_goal_slot, find_slot, limits};
use crate::domain::goal::GoalRecord;
use crate::domain::{Context, Decision, Outcome, RecordTurn, Rejection, State, Turn, TurnTarget};
use crate::event::{GoalStatus, Payload, SpendDetails, SpendRecorded, TurnRecorded};
use crate::ids::{BudgetId, SpendId};
use crate::planted::{Bug, planted};

pub(super) fn decide(
    state: &State,
    record: &RecordTurn,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    let turn = &record.turn;
    if turn.turns == 0 {
        return Err(Rejection::invalid("turns: expected at least 1, found 0"));
    }
    turn.charges.iter().try_for_each(|charge| limits::check_amount("charges", charge.amount))?;
    check_budgets(state, turn.charges.iter().map(|charge| &charge.budget_id))?;
    let (slot, goal) = match &record.target {
        TurnTarget::Goal(id) => find_goal_slot(state, *id)?,
        TurnTarget::Scope(scope) => {
            limits::check_name("scope", Some(scope))?;
            match state.active_goal_id(scope) {
                Some(id) => find_goal_slot(state, id)?,
                None => return Ok(Decision::Unchanged(Outcome::Nothing)),
            }
        }
    };
    check_sums(goal, turn)?;
    let late = goal.status != GoalStatus::Active;
    if planted(Bug::LateTurnDropped) && late {
        return Ok(Decision::Unchanged(Outcome::Nothing));
    }
    let mut bookings = Bookings::new(state);
    let overage = bookings.book(slot, turn.tokens, 0)?;
    let mut draft = Draft::new(state);
    draft.push(Payload::TurnRecorded(TurnRecorded {
        goal_id: goal.id(),
        tokens: turn.tokens,
        turns: turn.turns,
        seconds: turn.seconds,
        late,
        overage,
    }));
    for (ids, charge) in (context.new_id.as_u128()..).zip(&turn.charges) {
        let (slot, budget) = find_slot(state, &charge.budget_id)?;
        let overage = bookings.book(slot, charge.amount, 0)?;
        draft.push(Payload::SpendRecorded(Arc::new(SpendRecorded {
            late: late || budget.is_closed(),
            overage,
            ..charged(goal, budget.id.clone(), charge.amount, Uuid::from_u128(ids))
        })));
    }
    bookings.draft_consequences(&mut draft);
    Ok(draft.finish())
}

/// The spend of a charge, before it is known how it is booked.
fn charged(goal: &GoalRecord, budget_id: BudgetId, amount: u128, id: Uuid) -> SpendRecorded {
    SpendRecorded {
        spend_id: SpendId::from(id),
        budget_id,
        amount,
        incurred: true,
        late: false,
        overage: Vec::new(),
        reservation_id: None,
        goal_id: Some(goal.id()),
        meter_id: None,
        body: None,
        details: SpendDetails::default(),
    }
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
