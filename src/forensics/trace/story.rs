//! Events in words.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::event::{BudgetTerms, ChangeEvent, Payload, Reading, SpendDetails, TransitionReason};
use crate::ids::{BudgetId, GoalId};

/// The amount that an event is about.
pub(super) fn amount_of(payload: &Payload) -> Option<u128> {
    match payload {
        Payload::TurnRecorded(turn) => Some(turn.tokens),
        Payload::SpendRecorded(spend) => Some(spend.amount),
        Payload::SpendReversed(reversed) => Some(reversed.amount),
        Payload::ReservationMade(made) => Some(made.amount),
        Payload::ReservationReleased(released) => Some(released.amount),
        Payload::ReservationExpired(expired) => Some(expired.amount),
        Payload::ReservationMarkedUnknown(marked) => Some(marked.amount),
        Payload::MeterObserved(observed) => Some(observed.increase),
        Payload::CommandRefused(refused) => Some(refused.amount),
        _ => None,
    }
}

/// Why, as far as the event says.
pub(super) fn reason_of(payload: &Payload) -> Option<String> {
    match payload {
        Payload::GoalTransitioned(change) => {
            let reason = change.reason.name();
            Some(change.note.as_ref().map_or_else(|| reason.to_owned(), |note| format!("{reason}: {note}")))
        }
        Payload::SpendRecorded(spend) => spend.details.reason.as_deref().map(str::to_owned),
        Payload::SpendReversed(reversed) => reversed.reason.as_deref().map(str::to_owned),
        Payload::ReservationReleased(released) => Some(released.reason.name().to_owned()),
        Payload::CommandRefused(refused) => {
            let kind = refused.refusal.name();
            Some(refused.reason.as_ref().map_or_else(|| kind.to_owned(), |why| format!("{kind}: {why}")))
        }
        Payload::RefusalsSuppressed(suppressed) => Some(suppressed.refusal.name().to_owned()),
        _ => None,
    }
}

/// Whether an event is one that another of its frame brings about.
pub(super) fn is_consequence(payload: &Payload) -> bool {
    match payload {
        Payload::BudgetExhausted(_) | Payload::ThresholdCrossed(_) => true,
        Payload::GoalTransitioned(change) => {
            matches!(change.reason, TransitionReason::BudgetExhausted | TransitionReason::Parent)
        }
        _ => false,
    }
}

/// What brought about the events of a frame, which are asked for one after the other.
pub(super) struct Causes {
    first: Option<Cause>,
    ends_budget: Option<Cause>,
    /// The first event that made each goal, or changed its status.
    of_goals: BTreeMap<GoalId, Cause>,
    /// The booking before the event that is asked for next.
    booking: Option<Cause>,
}

/// The `seq` and the kind of an event.
type Cause = (u64, &'static str);

fn cause(event: &ChangeEvent) -> Cause {
    (event.seq, event.payload.kind())
}

impl Causes {
    pub(super) fn of<'a>(frame: impl Iterator<Item = &'a ChangeEvent>) -> Causes {
        let mut causes = Causes { first: None, ends_budget: None, of_goals: BTreeMap::new(), booking: None };
        for event in frame {
            causes.first.get_or_insert_with(|| cause(event));
            if ends_budget(&event.payload) {
                causes.ends_budget.get_or_insert_with(|| cause(event));
            }
            let goal_id = match &event.payload {
                Payload::GoalCreated(made) => made.goal_id,
                Payload::GoalTransitioned(change) => change.goal_id,
                _ => continue,
            };
            causes.of_goals.entry(goal_id).or_insert_with(|| cause(event));
        }
        causes
    }

    /// What brought about the next event of the frame: the event that it names, the booking before it, or the first.
    pub(super) fn next(&mut self, event: &ChangeEvent) -> Option<Cause> {
        let by_goal = match &event.payload {
            Payload::GoalTransitioned(change) => change.by_goal,
            _ => None,
        };
        let found = match by_goal {
            Some(goal_id) => self.of_goals.get(&goal_id).copied(),
            None if is_consequence(&event.payload) => self.booking.or(self.first),
            None => match &event.payload {
                Payload::SpendRecorded(spend) if spend.goal_id.is_some() || spend.meter_id.is_some() => {
                    self.first
                }
                Payload::ReservationReleased(released) if released.reason.name() != "requested" => {
                    self.ends_budget
                }
                _ => None,
            },
        };
        if is_booking(&event.payload) {
            self.booking = Some(cause(event));
        }
        found.filter(|(seq, _)| *seq != event.seq)
    }
}

/// Whether what is spent, or may be, is another after it.
fn is_booking(payload: &Payload) -> bool {
    matches!(
        payload,
        Payload::SpendRecorded(_)
            | Payload::TurnRecorded(_)
            | Payload::BudgetAdjusted(_)
            | Payload::GoalBudgetSet(_)
    )
}

fn ends_budget(payload: &Payload) -> bool {
    match payload {
        Payload::BudgetClosed(_) => true,
        Payload::GoalTransitioned(change) => change.to.is_terminal(),
        _ => false,
    }
}

/// What happened, in words.
pub(super) fn what(payload: &Payload) -> String {
    // To write into a string cannot fail.
    let mut out = String::new();
    let _ = match payload {
        Payload::SpendRecorded(_) | Payload::SpendReversed(_) | Payload::TurnRecorded(_) => {
            tell_spend(payload, &mut out)
        }
        Payload::GoalCreated(_) | Payload::GoalTransitioned(_) | Payload::GoalBudgetSet(_) => {
            tell_goal(payload, &mut out)
        }
        Payload::ReservationMade(_)
        | Payload::ReservationReleased(_)
        | Payload::ReservationExpired(_)
        | Payload::ReservationMarkedUnknown(_) => tell_reservation(payload, &mut out),
        _ => tell_budget(payload, &mut out).and_then(|()| tell_other(payload, &mut out)),
    };
    out
}

fn or_unlimited(limit: Option<u128>) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

fn tell_goal(payload: &Payload, out: &mut String) -> std::fmt::Result {
    match payload {
        Payload::GoalCreated(made) => {
            write!(out, "goal {} was created: {:?}", made.goal_id, made.text)?;
            if let Some(budget) = made.token_budget {
                write!(out, ", with {budget} tokens")?;
            }
            made.parent_goal.map_or(Ok(()), |parent| write!(out, ", under goal {parent}"))
        }
        Payload::GoalTransitioned(change) => {
            write!(out, "goal {} went from {} to {}", change.goal_id, change.from, change.to)?;
            if let Some(budget) = &change.budget_id {
                write!(out, ", as budget {budget} is exhausted")?;
            }
            change.by_goal.map_or(Ok(()), |goal| write!(out, ", because of goal {goal}"))
        }
        Payload::GoalBudgetSet(set) => {
            let (before, after) = (or_unlimited(set.previous), or_unlimited(set.token_budget));
            write!(out, "the tokens of goal {} were set from {before} to {after}", set.goal_id)
        }
        _ => Ok(()),
    }
}

fn tell_spend(payload: &Payload, out: &mut String) -> std::fmt::Result {
    match payload {
        Payload::TurnRecorded(turn) => {
            let turns = if turn.turns == 1 { "a turn".to_owned() } else { format!("{} turns", turn.turns) };
            write!(
                out,
                "{turns} of goal {} took {} tokens and {} s",
                turn.goal_id, turn.tokens, turn.seconds
            )?;
            tell_late(turn.late, out)?;
            turn.overage.iter().try_for_each(|over| {
                write!(out, ", {} of it over the limit of {}", over.amount, over.budget_id)
            })
        }
        Payload::SpendRecorded(spend) => {
            write!(out, "{} was spent of {} as {}", spend.amount, spend.budget_id, spend.spend_id)?;
            if let Some(hold) = &spend.reservation_id {
                write!(out, ", settling {hold}")?;
            }
            tell_details(&spend.details, out)?;
            if spend.incurred {
                out.push_str(", incurred already");
            }
            tell_late(spend.late, out)?;
            spend.overage.iter().try_for_each(|over| {
                write!(out, ", {} of it over the limit of {}", over.amount, over.budget_id)
            })
        }
        Payload::SpendReversed(reversed) => {
            write!(
                out,
                "{} of {} was taken back to {}",
                reversed.amount, reversed.spend_id, reversed.budget_id
            )
        }
        _ => Ok(()),
    }
}

fn tell_late(late: bool, out: &mut String) -> std::fmt::Result {
    out.write_str(if late { ", late" } else { "" })
}

fn tell_details(details: &SpendDetails, out: &mut String) -> std::fmt::Result {
    if let Some(tool) = &details.tool {
        write!(out, ", for {tool}")?;
    }
    if let Some(peer) = &details.peer {
        write!(out, ", to {peer}")?;
    }
    details.quantities.iter().try_for_each(|quantity| write!(out, ", {} {}", quantity.amount, quantity.name))
}

fn tell_reservation(payload: &Payload, out: &mut String) -> std::fmt::Result {
    match payload {
        Payload::ReservationMade(made) => {
            write!(out, "{} of {} was set aside as {}", made.amount, made.budget_id, made.reservation_id)?;
            if let Some(owner) = &made.owner {
                write!(out, ", for {owner}")?;
            }
            made.expires_at.map_or(Ok(()), |at| write!(out, ", until {at}"))
        }
        Payload::ReservationReleased(hold) => {
            write!(out, "{} was given back to {}: {} ended", hold.amount, hold.budget_id, hold.reservation_id)
        }
        Payload::ReservationExpired(hold) => {
            write!(
                out,
                "{} was given back to {}: {} expired",
                hold.amount, hold.budget_id, hold.reservation_id
            )
        }
        Payload::ReservationMarkedUnknown(hold) => {
            write!(
                out,
                "what became of {} is not known: {} of {} stays set aside",
                hold.reservation_id, hold.amount, hold.budget_id
            )
        }
        _ => Ok(()),
    }
}

fn tell_budget(payload: &Payload, out: &mut String) -> std::fmt::Result {
    match payload {
        Payload::BudgetAllocated(made) => {
            write!(
                out,
                "budget {} was made: {} {}",
                made.budget_id,
                or_unlimited(made.terms.limit),
                made.unit
            )?;
            if !made.terms.hard {
                out.push_str(", soft");
            }
            made.parent.as_ref().map_or(Ok(()), |parent| write!(out, ", under {parent}"))
        }
        Payload::BudgetAdjusted(set) => {
            write!(out, "the terms of budget {} were changed", set.budget_id)?;
            tell_terms(&set.previous, &set.terms, out)
        }
        Payload::ProgressSet(set) => write!(out, "the work behind {} is at {}", set.budget_id, set.progress),
        Payload::BudgetClosed(closed) => {
            write!(out, "budget {} was closed", closed.budget_id)?;
            let by = |by: &BudgetId| write!(out, " along with {by}");
            closed.by_budget.as_ref().map_or(Ok(()), by)
        }
        Payload::WindowRolled(rolled) => {
            let (spent, id, start) = (rolled.spent, &rolled.budget_id, rolled.span.start);
            write!(out, "a new window of {id} began at {start}; {spent} was spent in the one before")
        }
        Payload::BudgetExhausted(found) => {
            write!(out, "budget {} was exhausted: {} of {} spent", found.budget_id, found.spent, found.limit)
        }
        Payload::ThresholdCrossed(found) => {
            let (id, spent, limit) = (&found.budget_id, found.spent, found.limit);
            write!(out, "{spent} of {limit} spent of {id}: threshold {} crossed", found.threshold)
        }
        Payload::CommandRefused(refused) => {
            write!(out, "{} was refused at {}", refused.op, refused.budget_id)?;
            let (limit, spent, reserved) = (or_unlimited(refused.limit), refused.spent, refused.reserved);
            write!(out, ": {} asked for, {spent} spent and {reserved} set aside of {limit}", refused.amount)
        }
        Payload::RefusalsSuppressed(found) => {
            write!(out, "{} more like it were refused at {}", found.count, found.budget_id)
        }
        _ => Ok(()),
    }
}

fn tell_terms(before: &BudgetTerms, after: &BudgetTerms, out: &mut String) -> std::fmt::Result {
    if before.limit != after.limit {
        write!(out, ", limit from {} to {}", or_unlimited(before.limit), or_unlimited(after.limit))?;
    }
    if before.hard != after.hard {
        out.push_str(if after.hard { ", from soft to hard" } else { ", from hard to soft" });
    }
    if before.thresholds != after.thresholds {
        out.push_str(", other thresholds");
    }
    if before.window != after.window {
        let every = after.window.as_ref().map_or("none", |window| &*window.every);
        write!(out, ", window {every}")?;
    }
    Ok(())
}

fn tell_other(payload: &Payload, out: &mut String) -> std::fmt::Result {
    match payload {
        Payload::MeterObserved(meter) => match meter.reading {
            Reading::Delta(delta) => {
                write!(out, "meter {} counted {delta} more: {}", meter.meter_id, meter.total)
            }
            Reading::Cumulative(_) => {
                write!(out, "meter {} stood at {}: {} more", meter.meter_id, meter.total, meter.increase)
            }
        },
        Payload::MeterReset(meter) => {
            write!(out, "meter {} was reset from {} to {}", meter.meter_id, meter.previous, meter.baseline)
        }
        Payload::EventRecorded(event) => write!(out, "the host recorded {}", event.name),
        Payload::EndedForgotten(ended) => {
            write!(out, "{} goals and {} budgets left memory", ended.goals.len(), ended.budgets.len())
        }
        Payload::KeyWindowSet(set) => {
            write!(out, "keys are remembered for {} ms, at most {}", set.max_age_ms, set.max_count)
        }
        _ => Ok(()),
    }
}
