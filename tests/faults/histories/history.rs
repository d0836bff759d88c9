//! What is recorded of a run: what was asked, when, with which answer; and what the journal says.
//!
//! Amounts, names and statuses only, in words of our own: the checker and the model know nothing of the engine but its
//! commands.

use std::collections::BTreeMap;
use std::sync::Arc;

use tallybook::{
    Allowance, Budget, BudgetView, ChangeEvent, Charge, CommandError, CommandResult, ErrorKind, Goal, GoalId,
    Meter, Payload, Receipt, Refusal, Request, Reservation, SpendRecord, State, Timestamp, Turn,
};

/// The name of a budget, goal, reservation, spend or meter.
pub(super) type Name = Arc<str>;

/// What is asked of the engine.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Command(Request),
    Check(Name, u128),
    /// The published state, as it is.
    View,
    /// The state after all that was handed over before.
    SettledView,
    /// A hold is dropped: the release of its reservation, of which nobody hears.
    Drop(Name),
    /// A turn of which nobody hears.
    Account(GoalId, Turn),
}

/// What was answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// Done: the seqs of its events, and whether it was done before.
    Done(Option<(u64, u64)>, bool, Shown),
    /// Done, by a method that tells neither.
    Typed(Shown),
    Refused(Refused),
    Rejected(&'static str),
    /// What a read showed.
    Read(Shown),
    /// Nobody knows: the engine halted.
    Unknown,
    /// Nobody is told.
    Nobody,
}

/// A refusal, with its figures.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refused {
    pub(super) kind: &'static str,
    pub(super) seq: Option<u64>,
    pub(super) suppressed: bool,
    pub(super) budget: Name,
    pub(super) limit: Option<u128>,
    pub(super) spent: u128,
    pub(super) reserved: u128,
    pub(super) amount: u128,
    pub(super) reservation: Option<Name>,
}

/// What an answer shows of what it is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    /// A budget, and what its path leaves of it.
    Budget(Figures, Option<u128>),
    /// A budget at its close, and what was released by it.
    Closed(Figures, Vec<Name>),
    Spend(SpendShown),
    Hold(HoldShown),
    /// A meter: where it stands, what it booked.
    Meter(u128, u128),
    Goal(GoalShown),
    /// What remains and is available, and the nearest soft limit that would be passed.
    Allowed(Option<u128>, Option<u128>, Option<Name>),
    Whole(Arc<Whole>),
    Nothing,
}

/// The figures of a budget.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figures {
    pub(super) limit: Option<u128>,
    pub(super) hard: bool,
    pub(super) spent: u128,
    pub(super) spent_total: u128,
    pub(super) reserved: u128,
    pub(super) remaining: Option<u128>,
    pub(super) overage: u128,
    pub(super) overage_total: u128,
    pub(super) crossed: usize,
    pub(super) entries: u64,
    pub(super) status: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct SpendShown {
    pub(super) id: Name,
    pub(super) budget: Name,
    pub(super) amount: u128,
    pub(super) reversed: u128,
    pub(super) late: bool,
    pub(super) incurred: bool,
    pub(super) overage: Vec<(Name, u128)>,
    pub(super) reservation: Option<Name>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct HoldShown {
    pub(super) id: Name,
    pub(super) budget: Name,
    pub(super) amount: u128,
    pub(super) status: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct GoalShown {
    pub(super) status: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) limit: Option<u128>,
    pub(super) used: u128,
    pub(super) own: u128,
    pub(super) turns: u64,
    pub(super) revision: u64,
}

/// All that a view shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Whole {
    pub(super) seq: u64,
    pub(super) budgets: BTreeMap<Name, Figures>,
    pub(super) goals: BTreeMap<Name, GoalShown>,
    /// Those that are held.
    pub(super) holds: BTreeMap<Name, HoldShown>,
    pub(super) meters: BTreeMap<Name, (u128, u128)>,
}

/// One thing that was asked, from when to when.
#[derive(Debug, Clone)]
pub(super) struct Op {
    pub(super) ask: Ask,
    /// Stamps of one counter for all threads: what was completed before another was invoked comes before it.
    pub(super) invoked: u64,
    pub(super) completed: u64,
    /// What the clock said before.
    pub(super) clock: Timestamp,
    pub(super) answer: Answer,
}

/// The engine from its opening to its end.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The `seq` of the state in which it was opened.
    pub(super) opened_at: u64,
    pub(super) ops: Vec<Op>,
    pub(super) is_clean: bool,
}

/// The events of one command, as they stand in the journal.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) ts: Timestamp,
    /// The key of their command.
    pub(super) key: Option<Name>,
    /// What they say, in our words.
    pub(super) facts: Vec<String>,
    /// The id of what it makes.
    pub(super) made: Option<Name>,
    /// The budgets whose figures changed by it, in the fold of the events.
    pub(super) changed: Vec<(Name, Figures)>,
}

/// A run.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) sessions: Vec<Session>,
    pub(super) frames: Vec<Frame>,
    /// What was there after the last reopening.
    pub(super) last: Whole,
}

// ---- from the engine's words to ours --------------------------------------------------------------------------

pub(super) fn name(id: impl ToString) -> Name {
    id.to_string().into()
}

/// How a command was answered; `None`: the engine had ended, and nothing was written.
pub(super) fn answer_of(answer: Result<Answer, CommandError>) -> Option<Answer> {
    Some(match answer {
        Ok(answer) => answer,
        Err(CommandError::Refused(refusal)) => Answer::Refused(refused(&refusal)),
        Err(CommandError::Rejected(rejection)) => Answer::Rejected(rejection.kind.name()),
        Err(CommandError::Engine(error)) => match error.kind() {
            ErrorKind::OutcomeUnknown => Answer::Unknown,
            ErrorKind::Halted | ErrorKind::Closed => return None,
            other => panic!("a command was answered {other:?}: {error}"),
        },
    })
}

pub(super) fn done(receipt: Receipt) -> Answer {
    let shown = match receipt.result {
        CommandResult::Goal(goal) => Shown::Goal(goal_shown(&goal)),
        CommandResult::Budget(budget) => budget_shown(&budget),
        CommandResult::Closed(budget) => closed_shown(&budget),
        CommandResult::Spend(spend) => Shown::Spend(spend_shown(&spend)),
        CommandResult::Reservation(reservation) => Shown::Hold(hold_shown(&reservation)),
        CommandResult::Meter(meter) => meter_shown(&meter),
        _ => Shown::Nothing,
    };
    Answer::Done(receipt.first_seq.zip(receipt.last_seq), receipt.retried, shown)
}

fn refused(refusal: &Refusal) -> Refused {
    Refused {
        kind: refusal.kind.name(),
        seq: refusal.seq,
        suppressed: refusal.suppressed,
        budget: name(&refusal.budget_id),
        limit: refusal.limit,
        spent: refusal.spent,
        reserved: refusal.reserved,
        amount: refusal.amount,
        reservation: refusal.reservation_id.as_ref().map(name),
    }
}

fn budget_shown(view: &BudgetView) -> Shown {
    Shown::Budget(figures(&view.budget), view.available)
}

fn closed_shown(budget: &Budget) -> Shown {
    let released = budget.closing.iter().flat_map(|closing| closing.released.iter().map(name));
    let mut released: Vec<Name> = released.collect();
    released.sort_unstable();
    Shown::Closed(figures(budget), released)
}

pub(super) fn figures(budget: &Budget) -> Figures {
    Figures {
        limit: budget.limit(),
        hard: budget.terms.hard,
        spent: budget.spent,
        spent_total: budget.spent_total,
        reserved: budget.reserved,
        remaining: budget.remaining(),
        overage: budget.overage(),
        overage_total: budget.overage_total,
        crossed: budget.crossed,
        entries: budget.entry_count,
        status: budget.status().name(),
    }
}

pub(super) fn spend_shown(spend: &SpendRecord) -> SpendShown {
    SpendShown {
        id: name(&spend.spend_id),
        budget: name(&spend.budget_id),
        amount: spend.amount,
        reversed: spend.reversed,
        late: spend.late,
        incurred: spend.incurred,
        overage: charges(&spend.overage),
        reservation: spend.reservation_id.as_ref().map(name),
    }
}

fn charges(charges: &[Charge]) -> Vec<(Name, u128)> {
    charges.iter().map(|charge| (name(&charge.budget_id), charge.amount)).collect()
}

pub(super) fn hold_shown(hold: &Reservation) -> HoldShown {
    let (id, budget) = (name(&hold.id), name(&hold.budget_id));
    HoldShown { id, budget, amount: hold.amount, status: hold.status.name() }
}

fn meter_shown(meter: &Meter) -> Shown {
    Shown::Meter(meter.total, meter.booked)
}

fn goal_shown(goal: &Goal) -> GoalShown {
    GoalShown {
        status: goal.status.name(),
        reason: goal.pause_reason.map(|reason| reason.name()),
        limit: goal.token_budget,
        used: goal.tokens_used,
        own: goal.tokens_own,
        turns: goal.turns_used,
        revision: goal.revision,
    }
}

pub(super) fn allowed(allowance: &Allowance) -> Shown {
    Shown::Allowed(allowance.remaining, allowance.available, allowance.exceeds.as_ref().map(name))
}

pub(super) fn whole(state: &State, seq: u64) -> Whole {
    Whole {
        seq,
        budgets: state.budgets().map(|budget| (name(&budget.id), figures(budget))).collect(),
        goals: state.goals().map(|goal| (name(goal.id), goal_shown(&goal))).collect(),
        holds: state.held_reservations().map(|hold| (name(&hold.id), hold_shown(hold))).collect(),
        meters: state.meters().map(|meter| (name(&meter.id), (meter.total, meter.booked))).collect(),
    }
}

/// What an event says, in the words in which the model says it.
pub(super) fn fact(event: &ChangeEvent) -> String {
    match &event.payload {
        Payload::GoalCreated(it) => format!("goal {} with {:?}", it.goal_id, it.token_budget),
        Payload::GoalTransitioned(it) => format!("goal {} {} {}", it.goal_id, it.to, it.reason),
        Payload::GoalBudgetSet(it) => format!("goal {} limit {:?}", it.goal_id, it.token_budget),
        Payload::TurnRecorded(it) => {
            let over = charges(&it.overage);
            format!("turn {} {} ×{} late {} over {over:?}", it.goal_id, it.tokens, it.turns, it.late)
        }
        Payload::BudgetExhausted(it) => {
            format!("exhausted {} {} of {} hard {}", it.budget_id, it.spent, it.limit, it.hard)
        }
        Payload::ThresholdCrossed(it) => {
            format!("crossed {} {} at {} of {}", it.budget_id, it.threshold.ppm(), it.spent, it.limit)
        }
        Payload::BudgetAllocated(it) => {
            let parent = it.parent.as_ref().map(name);
            format!("allocated {} {:?} hard {} under {parent:?}", it.budget_id, it.terms.limit, it.terms.hard)
        }
        Payload::BudgetAdjusted(it) => {
            format!("adjusted {} {:?} hard {}", it.budget_id, it.terms.limit, it.terms.hard)
        }
        Payload::BudgetClosed(it) => {
            let mut released: Vec<Name> = it.released.iter().map(name).collect();
            released.sort_unstable();
            format!("closed {} {released:?}", it.budget_id)
        }
        Payload::SpendRecorded(it) => {
            // The engine makes the ids of what follows from a turn or a reading.
            let id = if it.goal_id.is_some() || it.meter_id.is_some() {
                "its own".to_owned()
            } else {
                it.spend_id.to_string()
            };
            let (over, of) = (charges(&it.overage), it.reservation_id.as_ref().map(name));
            let (budget, amount, incurred, late) = (&it.budget_id, it.amount, it.incurred, it.late);
            format!(
                "spent {id} {amount} of {budget} incurred {incurred} late {late} over {over:?} hold {of:?}"
            )
        }
        Payload::SpendReversed(it) => format!("reversed {} {}", it.spend_id, it.amount),
        Payload::ReservationMade(it) => {
            format!("reserved {} {} of {}", it.reservation_id, it.amount, it.budget_id)
        }
        Payload::ReservationReleased(it) => format!("released {} {}", it.reservation_id, it.reason.name()),
        Payload::ReservationExpired(it) => format!("expired {}", it.reservation_id),
        Payload::ReservationMarkedUnknown(it) => format!("unknown {}", it.reservation_id),
        Payload::MeterObserved(it) => format!("meter {} +{} ={}", it.meter_id, it.increase, it.total),
        Payload::CommandRefused(it) => {
            format!("refused {} {} of {} {}", it.op, it.refusal, it.budget_id, it.amount)
        }
        Payload::RefusalsSuppressed(it) => {
            format!("suppressed {} {} {}", it.count, it.refusal, it.budget_id)
        }
        other => format!("{other:?}"),
    }
}

/// The id of what an event makes, where it makes something that may be without an id of the caller's.
pub(super) fn made(event: &ChangeEvent) -> Option<Name> {
    match &event.payload {
        Payload::SpendRecorded(it) => Some(name(&it.spend_id)),
        Payload::ReservationMade(it) => Some(name(&it.reservation_id)),
        _ => None,
    }
}
