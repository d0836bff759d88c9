//! The typed methods about budgets: thin over the commands.

use std::sync::Arc;
use std::time::Duration;

use super::answer::{CommandError, CommandResult, Receipt};
use super::handle::Engine;
use super::hold::Hold;
use super::published::View;
use super::risk::RiskCase;
use crate::clock::Timestamp;
use crate::domain::{
    AdjustBudget, Allowance, Budget, BudgetView, BurnRate, CheckError, CloseBudget, MarkUnknown, Meter,
    NewBudget, NewReservation, ObserveMeter, RecordSpend, Rejection, RejectionKind, Release, Request,
    Reservation, ResetMeter, ReverseSpend, SetProgress, Settle, Spend, SpendRecord, Ttl, check,
};
use crate::ids::{BudgetId, ReservationId};

impl Engine {
    /// Makes a budget.
    ///
    /// # Errors
    /// See [`CommandError`]. Rejected as `Exists` when there is one of that id, as `Invalid` without a limit where the
    /// engine has no [default](crate::Rules::default_limit), with a window that makes no sense, or under a parent of
    /// another unit, as `NotFound` without its parent; refused as `budget_closed` under one that is closed.
    pub async fn allocate(&self, budget: NewBudget) -> Result<BudgetView, CommandError> {
        budget_of(self.execute(budget).await?)
    }

    /// Changes the limit, its hardness, the thresholds or the window of a budget; what is spent and reserved stays. On
    /// behalf of an actor: [`execute`](Self::execute) a [`Request`] that names it.
    ///
    /// A limit that is raised or removed clears exhausted, but resumes no goal; one that is lowered to what is spent
    /// exhausts at once. Of a goal's budget, limit, hardness and thresholds can be changed here, too.
    ///
    /// # Errors
    /// See [`CommandError`]. Refused as `forbidden` when it widens a budget that names who may: this method names no
    /// actor, so it is never one of them; as `budget_closed` when it is closed.
    pub async fn adjust_budget(&self, adjust: AdjustBudget) -> Result<BudgetView, CommandError> {
        budget_of(self.execute(adjust).await?)
    }

    /// Sets the progress of the work behind a budget. It is shown, and decides nothing.
    ///
    /// # Errors
    /// See [`CommandError`]. Refused as `budget_closed` when the budget is closed.
    pub async fn set_progress(&self, set: SetProgress) -> Result<BudgetView, CommandError> {
        budget_of(self.execute(set).await?)
    }

    /// Closes a budget, for good, and releases what is reserved of it, reservations of unknown outcome included. The
    /// answer is the report: the figures at the end, and in [`closing`](crate::BudgetExtras::closing) when, and what was released. The budget
    /// of a goal is closed by the goal's end only.
    ///
    /// # Errors
    /// See [`CommandError`]. Rejected as `InvalidTransition` while there are open budgets below it, unless they are to
    /// be closed along with it; refused as `budget_closed` when it is closed already.
    pub async fn close_budget(&self, close: CloseBudget) -> Result<Budget, CommandError> {
        closed_of(self.execute(close).await?)
    }

    /// Spends of a budget, if every hard limit on the path to the root allows it. A soft limit that is spent beyond is
    /// named in [`SpendRecorded::overage`](crate::event::SpendRecorded::overage).
    ///
    /// When the answer may get lost, give the spend an [id](Spend::id): asked again with it, it is booked once.
    ///
    /// # Errors
    /// See [`CommandError`]. Refused as `budget_exceeded` with the figures of the nearest budget that does not allow
    /// it, as `budget_closed`, or as `risk` by the [risk assessor](super::Options::risk_assessor). Rejected as
    /// `NotFound` when there is no such budget, as `Invalid` when the amount is 0 or a sum would pass 2^128 − 1.
    pub async fn record_spend(
        &self,
        budget_id: impl Into<BudgetId>,
        spend: Spend,
    ) -> Result<SpendRecord, CommandError> {
        spend_of(self.execute(RecordSpend::new(budget_id, spend)).await?)
    }

    /// Books on a budget what was spent already, whatever the limits and the risk assessor; after the budget's close as
    /// late.
    ///
    /// # Errors
    /// See [`CommandError`]. Rejected as [`record_spend`](Self::record_spend) is; never refused.
    pub async fn record_incurred(
        &self,
        budget_id: impl Into<BudgetId>,
        spend: Spend,
    ) -> Result<SpendRecord, CommandError> {
        spend_of(self.execute(RecordSpend::incurred(budget_id, spend)).await?)
    }

    /// Sets an amount aside, if every hard limit on the path to the root allows it. It is released when the [`Hold`] is
    /// dropped, and expires when its time to live is over, also if the process was killed meanwhile.
    ///
    /// # Errors
    /// See [`record_spend`](Self::record_spend).
    pub async fn reserve(
        &self,
        budget_id: impl Into<BudgetId>,
        amount: u128,
        ttl: Ttl,
    ) -> Result<Hold, CommandError> {
        self.reserve_with(NewReservation::new(budget_id, amount).ttl(ttl)).await
    }

    /// The same with all that a reservation may carry; as a [`Request`] also with a key and an actor. The hold of a
    /// retry that is recognised is that of the reservation that was made before.
    ///
    /// # Errors
    /// See [`record_spend`](Self::record_spend). `InvalidArgument` for a request whose command does not reserve.
    pub async fn reserve_with(&self, request: impl Into<Request>) -> Result<Hold, CommandError> {
        let pending = self.enqueue_hold(request.into()).await?;
        self.kick();
        pending.claim().await
    }

    /// Settles a reservation by its id with what was really spent; late if it has ended before.
    ///
    /// # Errors
    /// See [`CommandError`]. Rejected as `Conflict` when it was settled with another amount or spend id, as `NotFound`
    /// when it ended so long ago that it is not remembered: what was spent then is booked by
    /// [`record_incurred`](Self::record_incurred).
    pub async fn settle(&self, settle: Settle) -> Result<SpendRecord, CommandError> {
        spend_of(self.execute(settle).await?)
    }

    /// Gives a reservation back by its id.
    ///
    /// # Errors
    /// See [`CommandError`]. Refused as `reservation_gone` when it has ended before.
    pub async fn release(
        &self,
        reservation_id: impl Into<ReservationId>,
    ) -> Result<Reservation, CommandError> {
        let reservation_id = reservation_id.into();
        reservation_of(self.execute(Release { reservation_id }).await?)
    }

    /// Marks the outcome of a reservation as unknown: it outlives its time to live, until it is settled or released.
    ///
    /// # Errors
    /// See [`CommandError`]. Refused as `reservation_gone` when it has ended before.
    pub async fn mark_unknown(
        &self,
        reservation_id: impl Into<ReservationId>,
    ) -> Result<Reservation, CommandError> {
        let reservation_id = reservation_id.into();
        reservation_of(self.execute(MarkUnknown { reservation_id }).await?)
    }

    /// Takes a spend back, whole or in part.
    ///
    /// # Errors
    /// See [`CommandError`]. Rejected as `Invalid` beyond what is left of it, as `NotFound` when it is not remembered.
    /// Refused as `forbidden` where a budget on the path names who may [widen](NewBudget::widen_by) it; what this method
    /// sends has no actor, so it is never one of them.
    pub async fn reverse_spend(&self, reverse: ReverseSpend) -> Result<SpendRecord, CommandError> {
        spend_of(self.execute(reverse).await?)
    }

    /// Reads an external meter, and books what it measured on the budget that it is bound to, whatever the limits.
    ///
    /// # Errors
    /// See [`CommandError`]. Rejected as `Invalid` when a total is less than before (if the meter began anew,
    /// [reset](Self::reset_meter) it), as `Conflict` when the meter was of another kind or budget, as `NotFound` when
    /// there is no such budget.
    pub async fn observe_meter(&self, observe: ObserveMeter) -> Result<Meter, CommandError> {
        meter_of(self.execute(observe).await?)
    }

    /// Begins an external meter anew; nothing is booked by it.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn reset_meter(&self, reset: ResetMeter) -> Result<Meter, CommandError> {
        meter_of(self.execute(reset).await?)
    }

    /// Whether an amount would be admitted now. Nothing changes by it, nothing is journaled; between this and a spend
    /// another may come, so what counts is the answer to that.
    ///
    /// # Errors
    /// Refused, with no `seq`, as [`record_spend`](Self::record_spend) would be; rejected as `NotFound` when there is no
    /// such budget, as `Invalid` when the amount is 0.
    pub async fn check(
        &self,
        budget_id: impl Into<BudgetId>,
        amount: u128,
    ) -> Result<Allowance, CommandError> {
        self.check_for(&budget_id.into(), amount, None, None).await
    }

    /// The same on behalf of somebody: only the risk assessor asks who it is.
    pub(super) async fn check_for(
        &self,
        budget_id: &BudgetId,
        amount: u128,
        actor: Option<Arc<str>>,
        session_id: Option<Arc<str>>,
    ) -> Result<Allowance, CommandError> {
        if let Some(checked) = self.check_at_once(budget_id, amount) {
            return checked;
        }
        let veto = match &self.shared().risk {
            None => None,
            Some(risk) => {
                let case = RiskCase::of_check(budget_id, amount, self.view());
                risk.assess(RiskCase { actor, session_id, ..case }).await
            }
        };
        // Admission fails closed: a state that nothing can be admitted to any more allows nothing.
        self.shared().inbox.check_open()?;
        let view = self.elapsed_view().await;
        Ok(check(&view, budget_id, amount, veto.as_ref())?)
    }

    /// The same where nobody else has to be asked, and nothing is due that the published state does not show: without
    /// waiting, and without taking a copy of anything.
    pub(super) fn check_at_once(
        &self,
        budget_id: &BudgetId,
        amount: u128,
    ) -> Option<Result<Allowance, CommandError>> {
        if self.shared().risk.is_some() {
            return None;
        }
        // Admission fails closed: a state that nothing can be admitted to any more allows nothing.
        if let Err(error) = self.shared().inbox.check_open() {
            return Some(Err(error.into()));
        }
        self.read(|view| (!self.is_something_due(view)).then(|| Ok(check(view, budget_id, amount, None)?)))
    }

    /// Whether something is due by the clock that is not in that state yet.
    fn is_something_due(&self, view: &View) -> bool {
        let now = || self.shared().clock.now().max(view.last_ts());
        view.next_deadline().is_some_and(|deadline| deadline <= now())
    }

    /// How fast a budget is spent: over its life, or over the last `span` of it as far as that is remembered (as long
    /// as [keys](crate::KeyWindow) are). [`BurnRate::elapsed`] says what time it is over.
    ///
    /// # Errors
    /// Rejected as `NotFound` when there is no such budget.
    pub async fn burn_rate(
        &self,
        budget_id: impl Into<BudgetId>,
        span: Option<Duration>,
    ) -> Result<BurnRate, CommandError> {
        let budget_id = budget_id.into();
        let view = self.elapsed_view().await;
        let now = self.shared().clock.now().max(view.last_ts());
        let since = span.map(|span| {
            let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
            Timestamp::from_micros(now.as_micros().saturating_sub(span))
        });
        view.burn(&budget_id, since, now).ok_or_else(|| view.no_budget(&budget_id).into())
    }

    /// The published state; if something is due by the clock that is not in it yet, the state after that. Of an engine
    /// that has ended, the last.
    async fn elapsed_view(&self) -> View {
        let view = self.view();
        if !self.is_something_due(&view) {
            return view;
        }
        self.settled_view().await.unwrap_or(view)
    }
}

impl From<CheckError> for CommandError {
    fn from(error: CheckError) -> CommandError {
        match error {
            CheckError::Refused(refusal) => CommandError::Refused(refusal),
            CheckError::Rejected(rejection) => CommandError::Rejected(rejection),
        }
    }
}

/// What a command was about has been forgotten since: it is the retry of an old one.
pub(super) fn forgotten(what: &str, first_seq: Option<u64>) -> CommandError {
    let done = first_seq.map_or_else(String::new, |seq| format!(" at seq {seq}"));
    let message =
        format!("the command was done before{done}; the {what} that it was about is no longer remembered");
    Rejection { kind: RejectionKind::Forgotten, message, max: None, goal: None }.into()
}

pub(super) fn budget_of(receipt: Receipt) -> Result<BudgetView, CommandError> {
    match receipt.result {
        CommandResult::Budget(budget) => Ok(*budget),
        _ => Err(forgotten("budget", receipt.first_seq)),
    }
}

pub(super) fn closed_of(receipt: Receipt) -> Result<Budget, CommandError> {
    match receipt.result {
        CommandResult::Closed(budget) => Ok(*budget),
        _ => Err(forgotten("budget", receipt.first_seq)),
    }
}

pub(super) fn spend_of(receipt: Receipt) -> Result<SpendRecord, CommandError> {
    match receipt.result {
        CommandResult::Spend(spend) => Ok(spend),
        _ => Err(forgotten("spend", receipt.first_seq)),
    }
}

pub(super) fn reservation_of(receipt: Receipt) -> Result<Reservation, CommandError> {
    match receipt.result {
        CommandResult::Reservation(reservation) => Ok(*reservation),
        _ => Err(forgotten("reservation", receipt.first_seq)),
    }
}

pub(super) fn meter_of(receipt: Receipt) -> Result<Meter, CommandError> {
    match receipt.result {
        CommandResult::Meter(meter) => Ok(*meter),
        _ => Err(forgotten("meter", receipt.first_seq)),
    }
}
