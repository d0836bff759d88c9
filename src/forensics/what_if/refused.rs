//! What was refused is tried again.

use std::sync::Arc;

use uuid::Uuid;

use super::about::About;
use super::derive;
use super::divergence::Difference;
use super::rerun::Rerun;
use crate::domain::{Command, Decision, RecordSpend, Spend};
use crate::error::Error;
use crate::event::{ChangeEvent, CommandRefused, Payload, RefusalKind};
use crate::ids::{BudgetId, SpendId};

impl Rerun<'_> {
    /// A command that was refused is tried again.
    pub(super) fn refused(
        &mut self,
        event: &ChangeEvent,
        refused: &CommandRefused,
    ) -> Result<Option<(About, Difference)>, Error> {
        let frame = std::slice::from_ref(event);
        let about = About::of_refused(refused);
        let Some(mut command) = derive::refused(refused) else {
            return self.still_refused(event, refused, about);
        };
        if let Command::SetGoalBudget(set) = &mut command {
            let id = BudgetId::Goal(set.goal_id);
            set.token_budget = self.changes.limit_of(&id).unwrap_or(set.token_budget);
        }
        let veto = refused.reason.as_ref().filter(|_| refused.refusal == RefusalKind::Risk);
        let mut request = derive::request(command, event);
        let mut decision = self.decide(&request, event.ts, Uuid::nil(), veto);
        if let (Command::Reserve(new), Decision::Events(_)) = (&request.command, &decision) {
            // Settled in full at once, since nobody can say what would have become of it.
            request.command = RecordSpend::new(new.budget_id.clone(), Spend::of(new.amount)).into();
            decision = self.decide(&request, event.ts, Uuid::nil(), veto);
        }
        let difference = match decision {
            Decision::Refused(payload, _) => {
                self.write(frame, vec![*payload])?;
                return Ok(None);
            }
            Decision::Suppressed(_) | Decision::Unchanged(_) => return Ok(None),
            Decision::Events(mut payloads) => {
                for payload in &mut payloads {
                    if let Payload::SpendRecorded(spend) = payload {
                        Arc::make_mut(spend).spend_id = SpendId(format!("what-if:{}", event.seq).into());
                    }
                }
                self.write(frame, payloads)?;
                Difference::Passed { is_counted: true }
            }
            Decision::Retried(_) => {
                Difference::Impossible("its key would have been known already".to_owned())
            }
            Decision::Rejected(rejection) => self.rejected(&request.command, rejection),
        };
        Ok(Some((about, difference)))
    }

    /// What cannot be tried again stays refused, unless what refused it was a limit that would not be reached.
    fn still_refused(
        &mut self,
        event: &ChangeEvent,
        refused: &CommandRefused,
        about: About,
    ) -> Result<Option<(About, Difference)>, Error> {
        let Some(budget) = self.other.state.budget(&refused.budget_id) else {
            let why = format!("budget {} would not be there", refused.budget_id);
            return Ok(Some((about, Difference::Impossible(why))));
        };
        let passes = match refused.refusal {
            RefusalKind::BudgetExceeded => !budget.is_blocking(),
            RefusalKind::BudgetClosed => !budget.is_closed(),
            _ => false,
        };
        if passes {
            return Ok(Some((about, Difference::Passed { is_counted: false })));
        }
        let (limit, spent, reserved) = (budget.terms.limit, budget.spent, budget.reserved);
        let again = CommandRefused { limit, spent, reserved, ..refused.clone() };
        self.write(std::slice::from_ref(event), vec![Payload::CommandRefused(again)])?;
        Ok(None)
    }
}
