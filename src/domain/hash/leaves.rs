//! The digest of each entity, and of each chunk of what is remembered: the SHA-256 of the fields, in this order.

use std::sync::Arc;

use crate::domain::entries::{Booking, Entry};
use crate::domain::goal::GoalRecord;
use crate::domain::hash::canonical::Canonical;
use crate::domain::keys::RememberedKey;
use crate::domain::leaf::Digest;
use crate::domain::{Budget, Meter, Outcome, RememberedOutcome, Reservation, SpendRecord};
use crate::event::{BudgetTerms, Charge, Meta, Span, SpendDetails, Window};
use crate::ids::ReservationId;

pub(super) fn goal(goal: &GoalRecord) -> Digest {
    let facts = &*goal.facts;
    let mut out = Canonical::new();
    out.goal_id(facts.id).u64(facts.ordinal).text(&facts.scope).text(&facts.text);
    out.option(facts.parent_goal, |out, id| out.goal_id(id));
    out.list(&facts.budgets, |out, id| _ = out.budget_id(id));
    out.time(facts.created_at).option(facts.meta.as_ref(), |out, meta| out.text(meta.as_str()));
    out.text(goal.status.name()).option(goal.pause_reason, |out, reason| out.text(reason.name()));
    out.u128(goal.tokens_own).u64(goal.turns_used).u64(goal.seconds_used).u64(goal.revision);
    out.time(goal.updated_at).option(goal.completed_at, Canonical::time);
    out.digest()
}

pub(super) fn budget(budget: &Budget) -> Digest {
    let mut out = Canonical::new();
    out.budget_id(&budget.id).text(&budget.unit);
    out.option(budget.parent.as_ref(), Canonical::budget_id);
    terms(&mut out, &budget.terms);
    out.option(budget.span, span);
    out.u128(budget.spent).u128(budget.spent_total).u128(budget.reserved).u128(budget.overage_total);
    out.len(budget.crossed).u64(budget.entry_count);
    out.option(budget.progress, |out, progress| out.u32(progress.ppm()));
    out.option(budget.widen_by.as_deref(), |out, actors: &[Arc<str>]| {
        out.list(actors, |out, actor| _ = out.text(actor))
    });
    out.option(budget.closing.as_deref(), |out, closing| {
        out.time(closing.at).list(&closing.released, |out, id| _ = out.text(&id.0))
    });
    out.time(budget.created_at).time(budget.updated_at).option(budget.meta.as_ref(), meta);
    out.u64(budget.made_seq).u64(budget.rolled_seq);
    out.digest()
}

fn terms(out: &mut Canonical, terms: &BudgetTerms) {
    out.option(terms.limit, Canonical::u128).bool(terms.hard);
    out.list(&terms.thresholds, |out, threshold| _ = out.u32(threshold.ppm()));
    out.option(terms.window.as_deref(), |out, Window { every, anchor, tz }| {
        out.text(every).option(*anchor, Canonical::time).option(tz.as_deref(), Canonical::text)
    });
}

fn span(out: &mut Canonical, span: Span) -> &mut Canonical {
    out.time(span.start).time(span.end)
}

fn meta<'a>(out: &'a mut Canonical, meta: &Meta) -> &'a mut Canonical {
    out.text(meta.as_str())
}

pub(super) fn reservation(reservation: &Reservation) -> Digest {
    let mut out = Canonical::new();
    out.text(&reservation.id.0).budget_id(&reservation.budget_id).u128(reservation.amount);
    out.option(reservation.owner.as_deref(), Canonical::text).text(reservation.status.name());
    out.option(reservation.expires_at, Canonical::time).time(reservation.created_at);
    out.option(reservation.ended_at, Canonical::time);
    out.option(reservation.spend_id.as_ref(), |out, id| out.text(&id.0));
    out.option(reservation.meta.as_ref(), meta).u64(reservation.made_seq);
    out.option(reservation.body, Canonical::u64);
    out.digest()
}

pub(super) fn spends(spends: &[SpendRecord]) -> Digest {
    let mut out = Canonical::new();
    spends.iter().for_each(|entry| spend(&mut out, entry));
    out.digest()
}

fn spend(out: &mut Canonical, spend: &SpendRecord) {
    out.text(&spend.spend_id.0).u64(spend.seq).time(spend.at).budget_id(&spend.budget_id);
    out.u128(spend.amount).u128(spend.reversed).bool(spend.incurred).bool(spend.late);
    out.list(&spend.overage, |out, Charge { budget_id, amount }| _ = out.budget_id(budget_id).u128(*amount));
    out.option(spend.reservation_id.as_ref(), |out, id| out.text(&id.0));
    out.option(spend.goal_id, Canonical::goal_id);
    out.option(spend.meter_id.as_ref(), |out, id| out.text(&id.0));
    details(out, &spend.details);
    out.option(spend.meta.as_ref(), meta).u64(spend.last_seq).option(spend.body, Canonical::u64);
}

pub(super) fn bookings(bookings: &[Entry<Booking>]) -> Digest {
    let mut out = Canonical::new();
    for Entry { seq, at, what } in bookings {
        out.u64(*seq).time(*at).budget_id(what.budget_id()).u128(what.amount()).bool(what.is_reversal());
    }
    out.digest()
}

/// When reservations ended: they themselves are entities.
pub(super) fn ended(ended: &[Entry<ReservationId>]) -> Digest {
    let mut out = Canonical::new();
    ended.iter().for_each(|entry| _ = out.u64(entry.seq).text(&entry.what.0));
    out.digest()
}

fn details(out: &mut Canonical, details: &SpendDetails) {
    for text in [&details.peer, &details.tool, &details.reason] {
        out.option(text.as_deref(), Canonical::text);
    }
    out.list(&details.quantities, |out, quantity| _ = out.text(&quantity.name).u128(quantity.amount));
    out.option(details.occurred_at, Canonical::time);
}

pub(super) fn meter(meter: &Meter) -> Digest {
    let mut out = Canonical::new();
    out.text(&meter.id.0).u128(meter.total).u128(meter.booked);
    out.option(meter.kind, |out, kind| out.text(kind.name()));
    out.option(meter.budget_id.as_ref(), Canonical::budget_id).time(meter.updated_at);
    out.option(meter.meta.as_ref(), |out, meta| out.text(meta.as_str()));
    out.digest()
}

pub(super) fn keys(keys: &[RememberedKey]) -> Digest {
    let mut out = Canonical::new();
    keys.iter().for_each(|entry| key(&mut out, entry));
    out.digest()
}

fn key(out: &mut Canonical, entry: &RememberedKey) {
    entry.key.with(|key| _ = out.text(key));
    out.u64(entry.fingerprint).time(entry.at);
    out.u64(entry.remembered.first_seq).u64(entry.remembered.last_seq);
    match &entry.remembered.outcome {
        RememberedOutcome::Done(Outcome::Nothing) => out.text("nothing"),
        RememberedOutcome::Done(Outcome::Goal(id)) => out.text("goal").goal_id(*id),
        RememberedOutcome::Done(Outcome::Budget(id)) => out.text("budget").budget_id(id),
        RememberedOutcome::Done(Outcome::Closed(id)) => out.text("closed").budget_id(id),
        RememberedOutcome::Done(Outcome::Spend(id)) => out.text("spend").text(&id.0),
        RememberedOutcome::Done(Outcome::Reservation(id)) => out.text("reservation").text(&id.0),
        RememberedOutcome::Done(Outcome::Meter(id)) => out.text("meter").text(&id.0),
        RememberedOutcome::Refused(refusal) => {
            out.text("refused").text(refusal.kind.name()).option(refusal.seq, Canonical::u64);
            out.budget_id(&refusal.budget_id).option(refusal.limit, Canonical::u128).u128(refusal.spent);
            out.u128(refusal.reserved).u128(refusal.amount);
            out.option(refusal.reservation_id.as_ref(), |out, id| out.text(&id.0));
            out.option(refusal.reason.as_deref(), Canonical::text)
        }
    };
}
