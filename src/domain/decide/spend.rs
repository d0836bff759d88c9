//! Spending, and taking it back.

use std::sync::Arc;

use crate::domain::decide::booking::Bookings;
use crate::domain::decide::draft::Draft;
use crate::domain::decide::{admission, authority, find_slot, limits, refuse};
use crate::domain::{
    Context, Decision, Outcome, RecordSpend, Rejection, RejectionKind, Remembered, RememberedOutcome,
    Request, ReverseSpend, Settle, Spend, SpendRecord, State, fingerprint,
};
use crate::event::{Payload, SpendRecorded, SpendReversed};
use crate::ids::{ReservationId, SpendId};
use crate::planted::{Bug, planted};

pub(super) fn record(
    state: &State,
    request: &Request,
    record: &RecordSpend,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    let RecordSpend { budget_id, spend, incurred } = record;
    limits::check_budget_id("budget_id", budget_id)?;
    limits::check_amount("amount", spend.amount)?;
    limits::check_spend(spend)?;
    if let Some(retry) = known_spend(state, request, spend, context)? {
        return Ok(retry);
    }
    let (slot, budget) = find_slot(state, budget_id)?;
    if !incurred
        && let Some(refused) =
            admission::refused(state, "record_spend", slot, budget, spend.amount, context.veto)
    {
        return Ok(refuse(state, context, refused));
    }
    let mut bookings = Bookings::new(state);
    let overage = bookings.book(slot, spend.amount, 0)?;
    let mut draft = Draft::new(state);
    draft.push(Payload::SpendRecorded(Arc::new(SpendRecorded {
        incurred: *incurred,
        late: budget.is_closed(),
        overage,
        ..recorded(request, spend, budget.id.clone(), context)
    })));
    bookings.draft_consequences(&mut draft);
    Ok(draft.finish())
}

pub(super) fn settle(
    state: &State,
    request: &Request,
    settle: &Settle,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    let Settle { reservation_id, spend } = settle;
    limits::check_id("reservation_id", &reservation_id.0)?;
    limits::check_spend(spend)?;
    // A spend may be remembered for longer than the reservation that it settled.
    if state.reservation(reservation_id).is_none()
        && let Ok(Some(retry)) = known_spend(state, request, spend, context)
    {
        return Ok(retry);
    }
    let reservation = find_reservation(state, reservation_id)?;
    if let Some(spend_id) = &reservation.spend_id {
        return settled_again(state, settle, spend_id);
    }
    if let Some(retry) = known_spend(state, request, spend, context)? {
        return Ok(retry);
    }
    let (slot, budget) = find_slot(state, &reservation.budget_id)?;
    let is_held = reservation.status.is_held();
    if planted(Bug::LateSettlementDropped) && !is_held {
        return Ok(Decision::Unchanged(Outcome::Reservation(reservation_id.clone())));
    }
    let mut bookings = Bookings::new(state);
    let overage = bookings.book(slot, spend.amount, if is_held { reservation.amount } else { 0 })?;
    let mut draft = Draft::new(state);
    draft.push(Payload::SpendRecorded(Arc::new(SpendRecorded {
        late: !is_held || budget.is_closed(),
        overage,
        reservation_id: Some(reservation_id.clone()),
        ..recorded(request, spend, budget.id.clone(), context)
    })));
    bookings.draft_consequences(&mut draft);
    Ok(draft.finish())
}

/// The same settlement again is a retry, another one a conflict.
fn settled_again(state: &State, settle: &Settle, spend_id: &SpendId) -> Result<Decision, Rejection> {
    let Settle { reservation_id, spend } = settle;
    let conflict = |found: String| {
        let message = format!("reservation {reservation_id} was settled before, {found}");
        Err(Rejection::new(RejectionKind::Conflict, message))
    };
    match state.spend(spend_id) {
        None => Err(Rejection::new(
            RejectionKind::Forgotten,
            format!(
                "reservation {reservation_id} was settled before, as spend {spend_id}; with how much is no longer remembered"
            ),
        )),
        Some(known) if known.amount != spend.amount => {
            conflict(format!("with {}; found another amount, {}", known.amount, spend.amount))
        }
        Some(_) if spend.spend_id.as_ref().is_some_and(|id| id != spend_id) => {
            conflict(format!("as spend {spend_id}; found another spend id"))
        }
        Some(known) => Ok(Decision::Retried(remembered(known))),
    }
}

pub(super) fn reverse(
    state: &State,
    request: &Request,
    reverse: &ReverseSpend,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    let ReverseSpend { spend_id, amount, reason } = reverse;
    limits::check_id("spend_id", &spend_id.0)?;
    amount.map_or(Ok(()), |amount| limits::check_amount("amount", amount))?;
    limits::check_reason(reason.as_ref())?;
    let Some(spend) = state.spend(spend_id) else {
        let message = format!("there is no spend {spend_id}, or it is no longer remembered");
        return Err(Rejection::new(RejectionKind::NotFound, message));
    };
    let left = spend.amount.saturating_sub(spend.reversed);
    let amount = amount.unwrap_or(left);
    if (left == 0 || amount > left) && !planted(Bug::MoreReversedThanSpent) {
        return Err(Rejection::invalid(format!(
            "amount: expected no more than is left of spend {spend_id}, {left} of {}, found {}",
            spend.amount,
            if left == 0 { "a further reversal".to_owned() } else { amount.to_string() }
        )));
    }
    if let Some(refused) =
        authority::refused(state, request, &spend.budget_id, amount, "take spends back from")
    {
        return Ok(refuse(state, context, refused));
    }
    Ok(Decision::Events(vec![Payload::SpendReversed(SpendReversed {
        spend_id: spend_id.clone(),
        budget_id: spend.budget_id.clone(),
        amount,
        reason: reason.clone(),
    })]))
}

/// A spend id that was used: for the same command it is a retry, for another a conflict (law EXACT).
fn known_spend(
    state: &State,
    request: &Request,
    spend: &Spend,
    context: &Context<'_>,
) -> Result<Option<Decision>, Rejection> {
    let Some(id) = &spend.spend_id else { return Ok(None) };
    if planted(Bug::RetriedSpendBookedTwice) {
        return Ok(None);
    }
    match state.spend(id) {
        Some(known) if known.body == Some(fingerprint(request)) => {
            Ok(Some(Decision::Retried(remembered(known))))
        }
        Some(known) => Err(Rejection::new(
            RejectionKind::Conflict,
            format!(
                "spend id {id} was used at seq {} for another spend; give this one an id of its own",
                known.seq
            ),
        )),
        None if state.is_spend_id_expired(id, context.now) => Err(Rejection::new(
            RejectionKind::KeyExpired,
            format!(
                "spend id {id} is older than what is remembered: whether it was used before cannot be told"
            ),
        )),
        None => Ok(None),
    }
}

fn remembered(spend: &SpendRecord) -> Remembered {
    Remembered {
        first_seq: spend.seq,
        last_seq: spend.last_seq,
        outcome: RememberedOutcome::Done(Outcome::Spend(spend.spend_id.clone())),
    }
}

/// The event of a spend, before it is known how it is booked.
fn recorded(
    request: &Request,
    spend: &Spend,
    budget_id: crate::ids::BudgetId,
    context: &Context<'_>,
) -> SpendRecorded {
    SpendRecorded {
        spend_id: spend.spend_id.clone().unwrap_or_else(|| SpendId::from(context.new_id)),
        budget_id,
        amount: spend.amount,
        incurred: false,
        late: false,
        overage: Vec::new(),
        reservation_id: None,
        goal_id: None,
        meter_id: None,
        body: spend.spend_id.as_ref().map(|_| fingerprint(request)),
        details: spend.details.clone(),
    }
}

pub(super) fn find_reservation<'a>(
    state: &'a State,
    id: &ReservationId,
) -> Result<&'a crate::domain::Reservation, Rejection> {
    state.reservation(id).ok_or_else(|| {
        let message =
            format!("there is no reservation {id}, or it ended so long ago that it is no longer remembered");
        Rejection::new(RejectionKind::NotFound, message)
    })
}
