//! Reading external meters. What they measured has happened: it is booked as incurred.

use std::sync::Arc;

use crate::domain::decide::booking::Bookings;
use crate::domain::decide::draft::Draft;
use crate::domain::decide::{authority, find_budget, find_slot, limits, refuse};
use crate::domain::{
    Context, Decision, Meter, MeterKind, ObserveMeter, Outcome, Rejection, RejectionKind, Request,
    ResetMeter, State,
};
use crate::event::{MeterObserved, MeterReset, Payload, Reading, SpendDetails, SpendRecorded};
use crate::ids::{BudgetId, MeterId, SpendId};
use crate::planted::{Bug, planted};

pub(super) fn observe(
    state: &State,
    observe: &ObserveMeter,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    let ObserveMeter { meter_id, reading, budget_id } = observe;
    limits::check_id("meter_id", &meter_id.0)?;
    budget_id.as_ref().map_or(Ok(()), |id| limits::check_budget_id("budget_id", id))?;
    // Before its first reading a meter is of neither kind, even if it was reset.
    let known = state.meter(meter_id);
    let read_before = known.filter(|meter| meter.kind.is_some());
    let budget_id = match read_before {
        Some(meter) => check_same(meter, observe)?,
        None => budget_id.clone(),
    };
    if let Some(id) = &budget_id {
        find_budget(state, id)?;
    }
    let (total, increase) = step(meter_id, known.map_or(0, |meter| meter.total), *reading)?;
    if read_before.is_some() && increase == 0 {
        return Ok(Decision::Unchanged(Outcome::Meter(meter_id.clone())));
    }
    if known.is_some_and(|meter| meter.booked.checked_add(increase).is_none()) {
        return Err(Rejection::invalid(format!("what was booked by meter {meter_id} would pass 2^128 - 1")));
    }
    let mut draft = Draft::new(state);
    draft.push(Payload::MeterObserved(MeterObserved {
        meter_id: meter_id.clone(),
        budget_id: budget_id.clone(),
        reading: *reading,
        increase,
        total,
    }));
    if let Some(budget_id) = budget_id.filter(|_| increase > 0) {
        book(&mut draft, state, meter_id, budget_id, increase, context)?;
    }
    Ok(draft.finish())
}

fn book<'a>(
    draft: &mut Draft<'a>,
    state: &'a State,
    meter_id: &MeterId,
    budget_id: BudgetId,
    amount: u128,
    context: &Context<'_>,
) -> Result<(), Rejection> {
    let (slot, budget) = find_slot(state, &budget_id)?;
    let late = budget.is_closed();
    let mut bookings = Bookings::new(state);
    let overage = bookings.book(slot, amount, 0)?;
    draft.push(Payload::SpendRecorded(Arc::new(SpendRecorded {
        spend_id: SpendId::from(context.new_id),
        budget_id,
        amount,
        incurred: true,
        late,
        overage,
        reservation_id: None,
        goal_id: None,
        meter_id: Some(meter_id.clone()),
        body: None,
        details: SpendDetails::default(),
    })));
    bookings.draft_consequences(draft);
    Ok(())
}

/// A meter stays what it was at its first observation: of one kind, and bound to one budget or to none.
fn check_same(meter: &Meter, observe: &ObserveMeter) -> Result<Option<BudgetId>, Rejection> {
    let conflict = |message: String| Err(Rejection::new(RejectionKind::Conflict, message));
    let id = &meter.id;
    match (meter.kind, observe.reading) {
        (Some(MeterKind::Cumulative), Reading::Delta(_)) => {
            return conflict(format!("meter {id} gives totals (cumulative), found an increase (delta)"));
        }
        (Some(MeterKind::Delta), Reading::Cumulative(_)) => {
            return conflict(format!("meter {id} gives increases (delta), found a total (cumulative)"));
        }
        _ => {}
    }
    match (&observe.budget_id, &meter.budget_id) {
        (Some(asked), Some(bound)) if asked != bound => {
            conflict(format!("meter {id} is bound to budget {bound}, found {asked}"))
        }
        (Some(asked), None) => {
            conflict(format!("meter {id} is bound to no budget since its first observation, found {asked}"))
        }
        (_, bound) => Ok(bound.clone()),
    }
}

/// Where the meter stands after a reading, and how much more that is.
fn step(id: &MeterId, before: u128, reading: Reading) -> Result<(u128, u128), Rejection> {
    match reading {
        Reading::Delta(increase) => match before.checked_add(increase) {
            Some(total) => Ok((total, increase)),
            None => {
                Err(Rejection::invalid(format!("delta: meter {id}, at {before} now, would pass 2^128 - 1")))
            }
        },
        Reading::Cumulative(total) => match total.checked_sub(before) {
            Some(_) if planted(Bug::TotalBookedAsIncrease) => Ok((total, total)),
            Some(increase) => Ok((total, increase)),
            None => Err(Rejection::invalid(format!(
                "cumulative: expected at least {before}, where meter {id} stands, found {total}; if it began anew, \
                 say so with reset_meter"
            ))),
        },
    }
}

pub(super) fn reset(
    state: &State,
    request: &Request,
    reset: &ResetMeter,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    let ResetMeter { meter_id, baseline } = reset;
    limits::check_id("meter_id", &meter_id.0)?;
    let known = state.meter(meter_id);
    let previous = known.map_or(0, |meter| meter.total);
    if known.is_some() && previous == *baseline {
        return Ok(Decision::Unchanged(Outcome::Meter(meter_id.clone())));
    }
    // What a meter is set forward by will never be booked.
    let skipped = baseline.checked_sub(previous).filter(|skipped| *skipped > 0);
    if let (Some(budget_id), Some(skipped)) = (known.and_then(|meter| meter.budget_id.as_ref()), skipped)
        && let Some(refused) =
            authority::refused(state, request, budget_id, skipped, "set a meter forward on")
    {
        return Ok(refuse(state, context, refused));
    }
    let (meter_id, baseline) = (meter_id.clone(), *baseline);
    Ok(Decision::Events(vec![Payload::MeterReset(MeterReset { meter_id, previous, baseline })]))
}
