//! Setting amounts aside, and giving them back. What was really spent of one is settled in `spend.rs`.

use crate::domain::decide::spend::find_reservation;
use crate::domain::decide::{admission, find_budget, find_slot, limits, refuse};
use crate::domain::{
    Context, Decision, NewReservation, Outcome, Rejection, RejectionKind, Remembered, RememberedOutcome,
    Request, Reservation, ReservationStatus, State, fingerprint,
};
use crate::event::{
    CommandRefused, Payload, RefusalKind, ReleaseReason, ReservationMade, ReservationMarkedUnknown,
    ReservationReleased,
};
use crate::ids::ReservationId;
use crate::planted::{Bug, planted};

/// No more is set aside of a budget than this: so there are always numbers left for what has really happened, which no
/// reservation may keep from being booked.
const MAX_RESERVED: u128 = 1 << 127;

pub(super) fn reserve(
    state: &State,
    request: &Request,
    new: &NewReservation,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    limits::check_budget_id("budget_id", &new.budget_id)?;
    limits::check_amount("amount", new.amount)?;
    limits::check_name("owner", new.owner.as_ref())?;
    let ttl = new.ttl.unwrap_or(context.rules.default_ttl).0;
    if ttl.is_some_and(|ttl| ttl.as_millis() == 0) {
        return Err(Rejection::invalid("ttl_ms: expected at least 1, found 0"));
    }
    if let Some(retry) = known_reservation(state, request, new, context)? {
        return Ok(retry);
    }
    let (slot, budget) = find_slot(state, &new.budget_id)?;
    if let Some(refused) = admission::refused(state, "reserve", slot, budget, new.amount, context.veto) {
        return Ok(refuse(state, context, refused));
    }
    for above in state.budgets.path(Some(slot)) {
        if above.reserved.checked_add(new.amount).is_none_or(|reserved| reserved > MAX_RESERVED) {
            return Err(Rejection::invalid(format!(
                "amount: what is reserved of budget {}, {} now, would pass 2^127",
                above.id, above.reserved
            )));
        }
        // So that it can be settled: what is spent for life is never less than what is spent.
        if above.reserved.checked_add(new.amount).and_then(|sum| sum.checked_add(above.spent_total)).is_none()
        {
            return Err(Rejection::invalid(format!(
                "amount: what is spent for life and reserved of budget {}, {} and {} now, would pass 2^128 - 1",
                above.id, above.spent_total, above.reserved
            )));
        }
    }
    let id = new.reservation_id.clone();
    Ok(Decision::Events(vec![Payload::ReservationMade(ReservationMade {
        body: id.as_ref().map(|_| fingerprint(request)),
        reservation_id: id.unwrap_or_else(|| ReservationId::from(context.new_id)),
        budget_id: new.budget_id.clone(),
        amount: new.amount,
        owner: new.owner.clone(),
        // At the end of time nothing comes after now.
        expires_at: ttl.map(|ttl| context.now.saturating_add(ttl)).filter(|at| *at > context.now),
    })]))
}

/// A reservation id that was used: for the same command it is a retry (law EXACT).
fn known_reservation(
    state: &State,
    request: &Request,
    new: &NewReservation,
    context: &Context<'_>,
) -> Result<Option<Decision>, Rejection> {
    let Some(id) = &new.reservation_id else { return Ok(None) };
    limits::check_id("reservation_id", &id.0)?;
    match state.reservation(id) {
        Some(known) if known.body == Some(fingerprint(request)) => Ok(Some(Decision::Retried(Remembered {
            first_seq: known.made_seq,
            last_seq: known.made_seq,
            outcome: RememberedOutcome::Done(Outcome::Reservation(id.clone())),
        }))),
        Some(_) => Err(Rejection::new(RejectionKind::Exists, format!("there is a reservation {id} already"))),
        None if state.is_reservation_id_expired(id, context.now) => Err(Rejection::new(
            RejectionKind::KeyExpired,
            format!(
                "reservation id {id} is older than what is remembered: whether it was used before cannot be told"
            ),
        )),
        None => Ok(None),
    }
}

pub(super) fn release(
    state: &State,
    id: &ReservationId,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    limits::check_id("reservation_id", &id.0)?;
    let reservation = find_reservation(state, id)?;
    if !reservation.status.is_held() && !planted(Bug::ReleasedTwice) {
        return gone(state, "release", reservation, context);
    }
    Ok(Decision::Events(vec![released(reservation, ReleaseReason::Requested)]))
}

pub(super) fn mark_unknown(
    state: &State,
    id: &ReservationId,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    limits::check_id("reservation_id", &id.0)?;
    let reservation = find_reservation(state, id)?;
    match reservation.status {
        ReservationStatus::Open => {
            Ok(Decision::Events(vec![Payload::ReservationMarkedUnknown(ReservationMarkedUnknown {
                reservation_id: id.clone(),
                budget_id: reservation.budget_id.clone(),
                amount: reservation.amount,
            })]))
        }
        ReservationStatus::Unknown => Ok(Decision::Unchanged(Outcome::Reservation(id.clone()))),
        _ => gone(state, "mark_unknown", reservation, context),
    }
}

/// The event that a reservation is given back.
pub(super) fn released(reservation: &Reservation, reason: ReleaseReason) -> Payload {
    Payload::ReservationReleased(ReservationReleased {
        reservation_id: reservation.id.clone(),
        budget_id: reservation.budget_id.clone(),
        amount: reservation.amount,
        reason,
    })
}

/// A refusal because the reservation has ended.
fn gone(
    state: &State,
    op: &str,
    reservation: &Reservation,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    let budget = find_budget(state, &reservation.budget_id)?;
    let refused = CommandRefused {
        reservation_id: Some(reservation.id.clone()),
        reason: Some(format!("it was {} before", reservation.status.name()).into()),
        ..admission::about(op, RefusalKind::ReservationGone, budget, reservation.amount)
    };
    Ok(refuse(state, context, refused))
}
