//! Reservations: amounts set aside, and what became of them.

use crate::clock::Timestamp;
use crate::domain::entries::Entry;
use crate::domain::evolve::{agree, budgets, find_slot, paths};
use crate::domain::keys::forgotten_through;
use crate::domain::leaf::Leaf;
use crate::domain::state::Due;
use crate::domain::{Reservation, ReservationStatus, State};
use crate::event::{
    ChangeEvent, ReleaseReason, ReservationExpired, ReservationMade, ReservationMarkedUnknown,
    ReservationReleased, SpendRecorded,
};
use crate::ids::{BudgetId, ReservationId};
use crate::planted::{Bug, planted};

pub(super) fn made(state: &mut State, event: &ChangeEvent, made: &ReservationMade) -> Result<(), String> {
    let (id, ts) = (&made.reservation_id, event.ts);
    if state.reservations.contains_key(id) {
        return Err(format!("expected a new reservation, but reservation {id} is remembered"));
    }
    let slot = find_slot(state, &made.budget_id)?;
    state.budgets.at(slot).map_or(Ok(()), budgets::check_open)?;
    if let Some(expires_at) = made.expires_at {
        if expires_at <= ts {
            return Err(format!("expected reservation {id} to expire after {ts}, found {expires_at}"));
        }
        state.deadlines.insert((expires_at, Due::Expiry(id.clone())));
    }
    paths::hold(state, slot, ts, made.amount)?;
    let reservation = Reservation {
        id: id.clone(),
        budget_id: made.budget_id.clone(),
        amount: made.amount,
        owner: made.owner.clone(),
        status: ReservationStatus::Open,
        expires_at: made.expires_at,
        created_at: ts,
        ended_at: None,
        spend_id: None,
        meta: event.meta.clone(),
        made_seq: event.seq,
        body: made.body,
    };
    state.held.insert((made.budget_id.clone(), id.clone()));
    state.reservations_made.insert(event.seq, id.clone());
    state.reservations.insert(id.clone(), Leaf::new(reservation));
    Ok(())
}

pub(super) fn released(
    state: &mut State,
    event: &ChangeEvent,
    released: &ReservationReleased,
) -> Result<(), String> {
    let ReservationReleased { reservation_id: id, budget_id, amount, reason } = released;
    find_held(state, id, budget_id, *amount)?;
    end(state, event, id, ReservationStatus::Released)?;
    let slot = find_slot(state, budget_id)?;
    paths::free(state, slot, event.ts, *amount)?;
    let is_goals = budgets::is_goals(budget_id);
    match reason {
        ReleaseReason::Requested => return Ok(()),
        ReleaseReason::GoalEnded if is_goals => {}
        ReleaseReason::BudgetClosed if !is_goals => {}
        _ => return Err(format!("expected another reason on budget {budget_id}, found {}", reason.name())),
    }
    // What ends the budget names it, later in this frame.
    state.releasing.entry(budget_id.clone()).or_default().push(id.clone());
    Ok(())
}

pub(super) fn expired(
    state: &mut State,
    event: &ChangeEvent,
    expired: &ReservationExpired,
) -> Result<(), String> {
    let ReservationExpired { reservation_id: id, budget_id, amount } = expired;
    let reservation = find_held(state, id, budget_id, *amount)?;
    let is_due = reservation.expires_at.is_some_and(|at| at <= event.ts);
    if !is_due || reservation.status != ReservationStatus::Open {
        let (status, at) = (reservation.status.name(), reservation.expires_at);
        return Err(format!("expected reservation {id} to be open and due, found it {status} until {at:?}"));
    }
    end(state, event, id, ReservationStatus::Expired)?;
    if planted(Bug::ExpiredHoldCounts) {
        return Ok(());
    }
    let slot = find_slot(state, budget_id)?;
    paths::free(state, slot, event.ts, *amount)
}

pub(super) fn marked_unknown(state: &mut State, marked: &ReservationMarkedUnknown) -> Result<(), String> {
    let ReservationMarkedUnknown { reservation_id: id, budget_id, amount } = marked;
    let reservation = find_held(state, id, budget_id, *amount)?;
    if reservation.status != ReservationStatus::Open {
        return Err(format!("expected reservation {id} to be open, found it {}", reservation.status.name()));
    }
    let expires_at = reservation.expires_at;
    change(state, id)?.status = ReservationStatus::Unknown;
    never_expires(state, id, expires_at);
    Ok(())
}

/// Takes note that a spend settles a reservation. How much was set aside until now; `None`: it had ended before.
pub(super) fn settled(
    state: &mut State,
    event: &ChangeEvent,
    spend: &SpendRecorded,
    id: &ReservationId,
) -> Result<Option<u128>, String> {
    let reservation = change(state, id)?;
    agree(format_args!("the budget of reservation {id}"), &spend.budget_id, &reservation.budget_id)?;
    if let Some(spend_id) = &reservation.spend_id {
        return Err(format!("expected reservation {id} not to be settled, found spend {spend_id}"));
    }
    reservation.spend_id = Some(spend.spend_id.clone());
    if reservation.status.is_held() {
        let amount = reservation.amount;
        end(state, event, id, ReservationStatus::Settled)?;
        return Ok(Some(amount));
    }
    // It ended when it ended: a late settlement does not move that.
    reservation.status = ReservationStatus::Settled;
    Ok(None)
}

/// Ends a reservation that is held. The budgets on its path are another matter.
fn end(
    state: &mut State,
    event: &ChangeEvent,
    id: &ReservationId,
    status: ReservationStatus,
) -> Result<(), String> {
    let reservation = change(state, id)?;
    reservation.status = status;
    reservation.ended_at = Some(event.ts);
    let (budget_id, expires_at) = (reservation.budget_id.clone(), reservation.expires_at);
    never_expires(state, id, expires_at);
    state.held.remove(&(budget_id, id.clone()));
    state.ended.push(Entry { seq: event.seq, at: event.ts, what: id.clone() });
    Ok(())
}

fn never_expires(state: &mut State, id: &ReservationId, expires_at: Option<Timestamp>) {
    if let Some(at) = expires_at {
        state.deadlines.remove(&(at, Due::Expiry(id.clone())));
    }
}

/// A reservation that is held, on that budget and of that amount.
fn find_held<'a>(
    state: &'a State,
    id: &ReservationId,
    budget_id: &BudgetId,
    amount: u128,
) -> Result<&'a Reservation, String> {
    let reservation = state.reservation(id).ok_or_else(|| no_reservation(id))?;
    agree(format_args!("the budget of reservation {id}"), budget_id, &reservation.budget_id)?;
    agree(format_args!("the amount of reservation {id}"), &amount, &reservation.amount)?;
    match reservation.status.is_held() || planted(Bug::ReleasedTwice) {
        true => Ok(reservation),
        false => Err(format!("expected reservation {id} to be held, found it {}", reservation.status.name())),
    }
}

fn change<'a>(state: &'a mut State, id: &ReservationId) -> Result<&'a mut Reservation, String> {
    state.reservations.get_mut(id).map(Leaf::change).ok_or_else(|| no_reservation(id))
}

fn no_reservation(id: &ReservationId) -> String {
    format!("expected reservation {id} to be remembered, found none")
}

/// Forgets the reservations that ended too long ago, or are too many. Held ones are not among them.
pub(super) fn forget(state: &mut State, now: Timestamp) {
    let window = state.keys.window();
    while let Some(Entry { what: id, .. }) = state.ended.pop_outside(window, now) {
        if let Some(leaf) = state.reservations.remove(&id) {
            state.reservations_made.remove(&leaf.made_seq);
            // When its id was first used.
            state.ended.forgot(forgotten_through(&id.0, leaf.created_at, now));
        }
    }
}
