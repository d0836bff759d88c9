//! What a command is about, to be told where histories part.

use std::sync::Arc;

use super::divergence::{Difference, Divergence};
use crate::domain::{Command, TurnTarget};
use crate::event::{ChangeEvent, CommandRefused, Payload};
use crate::ids::BudgetId;

/// What a command is about, to be told.
pub(super) struct About {
    op: Arc<str>,
    budget_id: Option<BudgetId>,
    amount: Option<u128>,
}

impl About {
    pub(super) fn of(command: &Command, events: &[ChangeEvent]) -> About {
        let booked = || match &events[0].payload {
            Payload::SpendRecorded(spend) => Some(spend.budget_id.clone()),
            Payload::SpendReversed(reversed) => Some(reversed.budget_id.clone()),
            Payload::ReservationReleased(released) => Some(released.budget_id.clone()),
            Payload::ReservationMarkedUnknown(marked) => Some(marked.budget_id.clone()),
            Payload::MeterObserved(observed) => observed.budget_id.clone(),
            _ => None,
        };
        let (budget_id, amount) = match command {
            Command::RecordSpend(record) => (Some(record.budget_id.clone()), Some(record.spend.amount)),
            Command::Reserve(new) => (Some(new.budget_id.clone()), Some(new.amount)),
            Command::Settle(settle) => (booked(), Some(settle.spend.amount)),
            Command::ReverseSpend(reverse) => (booked(), reverse.amount),
            Command::RecordTurn(record) => match record.target {
                TurnTarget::Goal(goal) => (Some(BudgetId::Goal(goal)), Some(record.turn.tokens)),
                TurnTarget::Scope(_) => (None, Some(record.turn.tokens)),
            },
            Command::TransitionGoal(change) => (Some(BudgetId::Goal(change.goal_id)), None),
            Command::SetGoalBudget(set) => (Some(BudgetId::Goal(set.goal_id)), None),
            Command::Allocate(new) => (Some(new.budget_id.clone()), None),
            Command::AdjustBudget(adjust) => (Some(adjust.budget_id.clone()), None),
            Command::SetProgress(set) => (Some(set.budget_id.clone()), None),
            Command::CloseBudget(close) => (Some(close.budget_id.clone()), None),
            _ => (booked(), None),
        };
        About { op: command.op().into(), budget_id, amount }
    }

    pub(super) fn of_refused(refused: &CommandRefused) -> About {
        let amount = (refused.amount > 0).then_some(refused.amount);
        About { op: refused.op.clone(), budget_id: Some(refused.budget_id.clone()), amount }
    }

    pub(super) fn diverges(self, events: &[ChangeEvent], difference: Difference) -> Divergence {
        let (first, last) = (&events[0], &events[events.len() - 1]);
        Divergence {
            first_seq: first.seq,
            last_seq: last.seq,
            ts: first.ts,
            op: self.op,
            actor: first.actor.clone(),
            session_id: first.session_id.clone(),
            budget_id: self.budget_id,
            amount: self.amount,
            difference,
        }
    }
}
