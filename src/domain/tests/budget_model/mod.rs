//! A plain model of the rules of budgets: a list of everything that was ever booked, and sums that are added up anew
//! each time. It is slow and simple on purpose; the property test holds the domain against it.
//!
//! It knows the commands and the ids of the crate, and none of its code. Times are microseconds.

mod budgets;
mod goals;
mod meters;
mod reservations;
mod spends;

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::{Command, MeterKind, Request};
use crate::event::{Fraction, GoalStatus, RefusalKind, TransitionReason, Window};
use crate::ids::{BudgetId, GoalId, MeterId, ReservationId, SpendId};

/// What the model expects of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    Done,
    Unchanged,
    Retried(u64, u64),
    Rejected(&'static str),
    Refused(Box<Refused>),
}

/// A refusal with the figures that explain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) kind: RefusalKind,
    pub(super) budget: BudgetId,
    pub(super) limit: Option<u128>,
    pub(super) spent: u128,
    pub(super) reserved: u128,
    pub(super) amount: u128,
    pub(super) reservation: Option<ReservationId>,
    pub(super) suppressed: bool,
}

/// What a rule answers: done, or what else comes of it.
pub(super) type Answer<T = ()> = Result<T, Expected>;

#[derive(Debug, Clone)]
pub(super) struct ModelBudget {
    pub(super) id: BudgetId,
    pub(super) unit: Arc<str>,
    pub(super) parent: Option<BudgetId>,
    pub(super) limit: Option<u128>,
    pub(super) hard: bool,
    pub(super) thresholds: Vec<Fraction>,
    pub(super) window: Option<Window>,
    /// Start and end of the window that it is in.
    pub(super) span: Option<(i64, i64)>,
    /// What was booked before is not of this window: so many entries.
    pub(super) rolled_at: usize,
    pub(super) crossed: usize,
    pub(super) progress: Option<Fraction>,
    pub(super) widen_by: Option<Vec<Arc<str>>>,
    pub(super) closed: bool,
    pub(super) released: Vec<ReservationId>,
}

/// Something that was booked: a spend, or the tokens of a turn.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) budget: BudgetId,
    /// `None`: the tokens of a turn.
    pub(super) spend_id: Option<SpendId>,
    pub(super) amount: u128,
    pub(super) reversed: u128,
    pub(super) incurred: bool,
    pub(super) late: bool,
    pub(super) reservation: Option<ReservationId>,
    pub(super) goal: Option<GoalId>,
    pub(super) meter: Option<MeterId>,
    /// What of it passed the limit of which budget.
    pub(super) overage: Vec<(BudgetId, u128)>,
    /// The command, where the caller gave the id.
    pub(super) body: Option<Command>,
    /// Its command's events, once they are written.
    pub(super) seqs: (u64, u64),
}

#[derive(Debug, Clone)]
pub(super) struct ModelReservation {
    pub(super) id: ReservationId,
    pub(super) budget: BudgetId,
    pub(super) amount: u128,
    pub(super) owner: Option<Arc<str>>,
    pub(super) expires_at: Option<i64>,
    pub(super) status: &'static str,
    pub(super) spend: Option<SpendId>,
    pub(super) body: Option<Command>,
    pub(super) seqs: (u64, u64),
}

impl ModelReservation {
    pub(super) fn is_held(&self) -> bool {
        ["open", "unknown"].contains(&self.status)
    }
}

#[derive(Debug, Clone)]
pub(super) struct ModelGoal {
    pub(super) id: GoalId,
    pub(super) parent: Option<GoalId>,
    pub(super) budgets: Vec<BudgetId>,
    pub(super) status: GoalStatus,
    pub(super) reason: Option<TransitionReason>,
    pub(super) revision: u64,
    pub(super) turns: u64,
}

#[derive(Debug, Clone)]
pub(super) struct ModelMeter {
    pub(super) id: MeterId,
    pub(super) kind: Option<MeterKind>,
    pub(super) total: u128,
    pub(super) booked: u128,
    pub(super) budget: Option<BudgetId>,
}

#[derive(Debug)]
struct ModelKey {
    key: Arc<str>,
    command: Command,
    seqs: (u64, u64),
}

/// The whole of it.
#[derive(Debug, Default)]
pub(super) struct BudgetModel {
    pub(super) now: i64,
    default_limit: Option<u128>,
    pub(super) budgets: Vec<ModelBudget>,
    pub(super) entries: Vec<Entry>,
    pub(super) reservations: Vec<ModelReservation>,
    pub(super) goals: Vec<ModelGoal>,
    pub(super) meters: Vec<ModelMeter>,
    keys: Vec<ModelKey>,
    refusals: Vec<(i64, BudgetId, RefusalKind)>,
    /// What the next id that is made will be.
    made: u128,
    actor: Option<Arc<str>>,
    is_vetoed: bool,
}

impl BudgetModel {
    pub(super) fn new(default_limit: Option<u128>) -> BudgetModel {
        BudgetModel { default_limit, ..BudgetModel::default() }
    }

    /// Carries a command out. Ids that it does not give are made from `new_id` on.
    pub(super) fn apply(&mut self, request: &Request, new_id: Uuid, is_vetoed: bool) -> Expected {
        if let Some(known) =
            request.key.as_ref().and_then(|key| self.keys.iter().find(|known| known.key == *key))
        {
            return match known.command == request.command {
                true => Expected::Retried(known.seqs.0, known.seqs.1),
                false => Expected::Rejected("conflict"),
            };
        }
        self.made = new_id.as_u128();
        self.actor.clone_from(&request.actor);
        self.is_vetoed = is_vetoed;
        match self.run(&request.command) {
            Ok(()) => {
                self.pause_blocked();
                Expected::Done
            }
            Err(answer) => answer,
        }
    }

    /// To be told of every command that wrote events, and where.
    pub(super) fn wrote(&mut self, request: &Request, seqs: (u64, u64)) {
        if let Some(key) = &request.key {
            self.keys.push(ModelKey { key: key.clone(), command: request.command.clone(), seqs });
        }
        let entries = self.entries.iter_mut().map(|entry| &mut entry.seqs);
        let reservations = self.reservations.iter_mut().map(|reservation| &mut reservation.seqs);
        for unset in entries.chain(reservations).filter(|known| **known == (0, 0)) {
            *unset = seqs;
        }
    }

    fn run(&mut self, command: &Command) -> Answer {
        match command {
            Command::CreateGoal(new) => self.create_goal(new),
            Command::TransitionGoal(change) => self.transition_goal(change),
            Command::SetGoalBudget(set) => self.set_goal_budget(set),
            Command::RecordTurn(record) => self.record_turn(record),
            Command::Allocate(new) => self.allocate(new),
            Command::AdjustBudget(adjust) => self.adjust(adjust),
            Command::SetProgress(set) => self.set_progress(set),
            Command::CloseBudget(close) => self.close(close),
            Command::RecordSpend(record) => self.record_spend(record, command),
            Command::ReverseSpend(reverse) => self.reverse(reverse),
            Command::Reserve(new) => self.reserve(new, command),
            Command::Settle(settle) => self.settle(settle, command),
            Command::Release(release) => self.release(&release.reservation_id),
            Command::MarkUnknown(mark) => self.mark_unknown(&mark.reservation_id),
            Command::ObserveMeter(observe) => self.observe_meter(observe),
            Command::ResetMeter(reset) => self.reset_meter(reset),
            Command::Elapse(elapse) => self.elapse(elapse.max_events),
            Command::RecordEvent(_)
            | Command::SetKeyWindow(_)
            | Command::ReportSuppressed(_)
            | Command::Forget(_) => {
                unreachable!("not in this model")
            }
        }
    }

    fn new_id(&mut self) -> String {
        let id = Uuid::from_u128(self.made).to_string();
        self.made += 1;
        id
    }

    // ---- sums, added up anew -----------------------------------------------------------------------------------

    pub(super) fn find(&self, id: &BudgetId) -> Option<&ModelBudget> {
        self.budgets.iter().find(|budget| budget.id == *id)
    }

    pub(super) fn budget(&self, id: &BudgetId) -> &ModelBudget {
        self.find(id).unwrap()
    }

    fn budget_mut(&mut self, id: &BudgetId) -> &mut ModelBudget {
        self.budgets.iter_mut().find(|budget| budget.id == *id).unwrap()
    }

    /// A budget and those above it.
    pub(super) fn path(&self, id: &BudgetId) -> Vec<BudgetId> {
        let mut path = vec![id.clone()];
        while let Some(parent) = self.budget(&path[path.len() - 1]).parent.clone() {
            path.push(parent);
        }
        path
    }

    fn is_at_or_below(&self, id: &BudgetId, top: &BudgetId) -> bool {
        self.path(id).contains(top)
    }

    pub(super) fn spent(&self, id: &BudgetId) -> u128 {
        self.sum(id, self.budget(id).rolled_at)
    }

    pub(super) fn spent_total(&self, id: &BudgetId) -> u128 {
        self.sum(id, 0)
    }

    fn sum(&self, id: &BudgetId, from: usize) -> u128 {
        let entries = self.entries[from..].iter().filter(|entry| self.is_at_or_below(&entry.budget, id));
        entries.map(|entry| entry.amount - entry.reversed).sum()
    }

    pub(super) fn reserved(&self, id: &BudgetId) -> u128 {
        let held = self.reservations.iter().filter(|reservation| reservation.is_held());
        held.filter(|held| self.is_at_or_below(&held.budget, id)).map(|held| held.amount).sum()
    }

    pub(super) fn overage_total(&self, id: &BudgetId) -> u128 {
        let all = self.entries.iter().flat_map(|entry| &entry.overage);
        all.filter(|(budget, _)| budget == id).fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    pub(super) fn is_exhausted(&self, id: &BudgetId) -> bool {
        self.budget(id).limit.is_some_and(|limit| self.spent(id) >= limit)
    }

    pub(super) fn is_blocking(&self, id: &BudgetId) -> bool {
        self.budget(id).hard && self.is_exhausted(id)
    }

    /// How many thresholds what is spent has reached.
    fn reached(&self, id: &BudgetId) -> usize {
        let (budget, spent) = (self.budget(id), self.spent(id));
        let Some(limit) = budget.limit else { return 0 };
        let is_reached = |threshold: &&Fraction| at_least(spent, **threshold, limit);
        budget.thresholds.iter().filter(is_reached).count()
    }

    // ---- refusals ----------------------------------------------------------------------------------------------

    fn refuse(&mut self, kind: RefusalKind, budget: &BudgetId, amount: u128) -> Expected {
        self.refuse_about(kind, budget, amount, None)
    }

    fn refuse_about(
        &mut self,
        kind: RefusalKind,
        budget: &BudgetId,
        amount: u128,
        reservation: Option<&ReservationId>,
    ) -> Expected {
        let this = (self.now.div_euclid(60_000_000), budget.clone(), kind);
        let suppressed = self.refusals.iter().filter(|refusal| **refusal == this).count() >= 16;
        if !suppressed {
            self.refusals.push(this);
        }
        Expected::Refused(Box::new(Refused {
            kind,
            budget: budget.clone(),
            limit: self.budget(budget).limit,
            spent: self.spent(budget),
            reserved: self.reserved(budget),
            amount,
            reservation: reservation.cloned(),
            suppressed,
        }))
    }
}

fn rejected<T>(kind: &'static str) -> Answer<T> {
    Err(Expected::Rejected(kind))
}

/// Whether `spent ≥ limit × ppm / 1,000,000`, without a division: by long multiplication.
fn at_least(spent: u128, fraction: Fraction, limit: u128) -> bool {
    wide(spent, Fraction::WHOLE_PPM) >= wide(limit, fraction.ppm())
}

/// A product in two parts, the upper and the lower 64 bits being multiplied apart.
fn wide(value: u128, factor: u32) -> (u128, u128) {
    let low = (value & u128::from(u64::MAX)) * u128::from(factor);
    let high = (value >> 64) * u128::from(factor) + (low >> 64);
    (high, low & u128::from(u64::MAX))
}

/// Whether a text can be an id.
fn is_id(text: &str) -> bool {
    (1..=200).contains(&text.len()) && !text.chars().any(char::is_control)
}
