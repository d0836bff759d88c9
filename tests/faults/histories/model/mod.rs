//! A plain sequential model of budgets and goals, written from the rules: one command after another, each either done as
//! a whole or not at all. A budget keeps only what was booked at itself; what is spent and reserved of it is added up anew
//! over all that is below it, each time. It knows the commands of the engine, and nothing else of it.

mod budgets;
mod goals;
mod reads;
mod spends;

use std::sync::Arc;

use imbl::OrdMap;
use tallybook::{Command, GoalStatus, Request, ReservationStatus, Timestamp, TransitionReason};

use super::history::{Answer, Ask, Name, Refused, Shown, name};

/// Where alerts are, as parts per million of a limit.
const THRESHOLDS: [u128; 3] = [500_000, 800_000, 950_000];
/// So many refusals of a budget and a kind are events, within the minute in which all of a run happens.
const REFUSALS_PER_MINUTE: u64 = 16;

/// Copies share what they have in common, so that a command can be tried on one.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) seq: u64,
    budgets: OrdMap<Name, Node>,
    goals: OrdMap<Name, GoalNode>,
    holds: OrdMap<Name, HoldNode>,
    spends: OrdMap<Name, SpendNode>,
    meters: OrdMap<Name, MeterNode>,
    keys: OrdMap<Arc<str>, Known>,
    refusals: OrdMap<(Name, &'static str), u64>,
}

#[derive(Debug, Clone)]
struct Node {
    parent: Option<Name>,
    limit: Option<u128>,
    hard: bool,
    /// What was booked and is held at this one itself.
    own_spent: u128,
    own_held: u128,
    overage_total: u128,
    crossed: usize,
    entries: u64,
    /// What was released by its close.
    closed: Option<Vec<Name>>,
}

#[derive(Debug, Clone)]
struct GoalNode {
    parent: Option<Name>,
    scope: Arc<str>,
    /// The budgets that it names.
    names: Vec<Name>,
    status: GoalStatus,
    reason: Option<TransitionReason>,
    turns: u64,
    revision: u64,
}

#[derive(Debug, Clone)]
struct HoldNode {
    budget: Name,
    amount: u128,
    status: ReservationStatus,
    expires_at: Option<Timestamp>,
    settled_by: Option<Name>,
    made: Made,
}

#[derive(Debug, Clone)]
struct SpendNode {
    budget: Name,
    amount: u128,
    reversed: u128,
    late: bool,
    incurred: bool,
    overage: Vec<(Name, u128)>,
    hold: Option<Name>,
    made: Made,
}

/// Which command made something, and where: an id that the caller gave is a key, too.
#[derive(Debug, Clone)]
struct Made {
    /// `None` where the engine gave the id.
    by: Option<Command>,
    seqs: (u64, u64),
}

#[derive(Debug, Clone)]
struct MeterNode {
    total: u128,
    booked: u128,
    is_cumulative: bool,
    budget: Option<Name>,
}

#[derive(Debug, Clone)]
struct Known {
    command: Command,
    outcome: Result<((u64, u64), Subject), Refused>,
}

/// What a command was about.
#[derive(Debug, Clone)]
enum Subject {
    Budget(Name),
    Closed(Name),
    Spend(Name),
    Hold(Name),
    Meter(Name),
    Goal(Name),
}

/// Where a command is in the order.
pub(super) struct Slot<'a> {
    pub(super) first_seq: u64,
    pub(super) ts: Timestamp,
    /// The id that the engine made, if it made one.
    pub(super) made: Option<&'a Name>,
}

/// What the model says to a command.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) answer: Answer,
    /// What its events say; none: it writes nothing.
    pub(super) facts: Vec<String>,
}

/// Why a command changes nothing.
enum Stop {
    Rejected(&'static str),
    Unchanged(Subject),
    Retried((u64, u64), Subject),
    Refused {
        kind: &'static str,
        op: &'static str,
        budget: Name,
        amount: u128,
        hold: Option<Name>,
    },
    /// A goal's limit that would be reached already: the refusal shows the budget as it would be.
    Blocked {
        op: &'static str,
        budget: Name,
        limit: Option<u128>,
    },
}

type Facts = Vec<String>;

impl Model {
    /// Carries out what is asked.
    pub(super) fn apply(&mut self, ask: &Ask, slot: &Slot<'_>) -> Reply {
        match ask {
            Ask::Command(request) => self.request(request, slot),
            Ask::Check(budget, amount) => Reply { answer: self.check(budget, *amount), facts: Facts::new() },
            Ask::View | Ask::SettledView => {
                let answer = Answer::Read(Shown::Whole(Arc::new(self.whole())));
                Reply { answer, facts: Facts::new() }
            }
            Ask::Drop(id) => {
                let is_open = self.holds.get(id).is_some_and(|hold| hold.status == ReservationStatus::Open);
                let facts = if is_open { vec![self.release(id, "requested")] } else { Facts::new() };
                Reply { answer: Answer::Nobody, facts }
            }
            Ask::Account(goal, turn) => {
                let mut turn = turn.clone();
                turn.charges.retain(|charge| self.budgets.contains_key(&name(&charge.budget_id)));
                let facts = self.turn(&name(goal), &turn).map_or_else(|_| Facts::new(), |(_, facts)| facts);
                Reply { answer: Answer::Nobody, facts }
            }
        }
    }

    fn request(&mut self, request: &Request, slot: &Slot<'_>) -> Reply {
        let command = &request.command;
        let silent = |answer| Reply { answer, facts: Facts::new() };
        if let Some(known) = request.key.as_ref().and_then(|key| self.keys.get(key)) {
            return silent(match &known.outcome {
                _ if known.command != *command => Answer::Rejected("conflict"),
                Ok((seqs, subject)) => Answer::Done(Some(*seqs), true, self.show(subject)),
                Err(refused) => Answer::Refused(refused.clone()),
            });
        }
        match self.carry_out(command, slot) {
            Ok((subject, facts)) => {
                let seqs = (slot.first_seq, slot.first_seq + facts.len() as u64 - 1);
                self.note_seqs(&subject, seqs);
                self.remember(request, Ok((seqs, subject.clone())));
                Reply { answer: Answer::Done(Some(seqs), false, self.show(&subject)), facts }
            }
            Err(Stop::Rejected(kind)) => silent(Answer::Rejected(kind)),
            Err(Stop::Unchanged(subject)) => silent(Answer::Done(None, false, self.show(&subject))),
            Err(Stop::Retried(seqs, subject)) => silent(Answer::Done(Some(seqs), true, self.show(&subject))),
            Err(Stop::Refused { kind, op, budget, amount, hold }) => {
                self.refuse(request, op, self.refused(kind, &budget, amount, hold), slot)
            }
            Err(Stop::Blocked { op, budget, limit }) => {
                let refused = Refused { limit, ..self.refused("budget_exceeded", &budget, 0, None) };
                self.refuse(request, op, refused, slot)
            }
        }
    }

    /// A refusal is an event, unless it is one of too many.
    fn refuse(&mut self, request: &Request, op: &str, mut refused: Refused, slot: &Slot<'_>) -> Reply {
        let count = self.refusals.entry((refused.budget.clone(), refused.kind)).or_default();
        if *count >= REFUSALS_PER_MINUTE {
            refused.suppressed = true;
            return Reply { answer: Answer::Refused(refused), facts: Facts::new() };
        }
        *count += 1;
        refused.seq = Some(slot.first_seq);
        self.remember(request, Err(refused.clone()));
        let Refused { kind, budget, amount, .. } = &refused;
        let facts = vec![format!("refused {op} {kind} of {budget} {amount}")];
        Reply { answer: Answer::Refused(refused), facts }
    }

    fn carry_out(&mut self, command: &Command, slot: &Slot<'_>) -> Result<(Subject, Facts), Stop> {
        match command {
            Command::Allocate(new) => self.allocate(new),
            Command::AdjustBudget(adjust) => self.adjust(adjust),
            Command::CloseBudget(close) => self.close(close),
            Command::RecordSpend(record) => self.record_spend(command, record, slot),
            Command::ReverseSpend(reverse) => self.reverse(reverse),
            Command::Reserve(new) => self.reserve(command, new, slot),
            Command::Settle(settle) => self.settle(command, settle, slot),
            Command::Release(release) => self.release_asked(&name(&release.reservation_id)),
            Command::MarkUnknown(mark) => self.mark_unknown(&name(&mark.reservation_id)),
            Command::ObserveMeter(observe) => self.observe(observe),
            Command::CreateGoal(new) => self.create_goal(new),
            Command::TransitionGoal(change) => self.transition_goal(change),
            Command::SetGoalBudget(set) => self.set_goal_budget(set),
            Command::RecordTurn(record) => self.record_turn(record),
            other => panic!("the model does not know {}", other.op()),
        }
    }

    fn remember(&mut self, request: &Request, outcome: Result<((u64, u64), Subject), Refused>) {
        if let Some(key) = &request.key {
            self.keys.insert(key.clone(), Known { command: request.command.clone(), outcome });
        }
    }

    /// Where a spend or a reservation was made, now that it is known; not of one that is merely changed.
    fn note_seqs(&mut self, subject: &Subject, seqs: (u64, u64)) {
        let made = match subject {
            Subject::Spend(id) => self.spends.get_mut(id).map(|spend| &mut spend.made),
            Subject::Hold(id) => self.holds.get_mut(id).map(|hold| &mut hold.made),
            _ => None,
        };
        if let Some(made) = made.filter(|made| made.seqs == (0, 0)) {
            made.seqs = seqs;
        }
    }

    fn refused(&self, kind: &'static str, budget: &Name, amount: u128, hold: Option<Name>) -> Refused {
        Refused {
            kind,
            seq: None,
            suppressed: false,
            budget: budget.clone(),
            limit: self.budgets[budget].limit,
            spent: self.spent(budget),
            reserved: self.held(budget),
            amount,
            reservation: hold,
        }
    }

    /// A budget and those above it.
    fn path(&self, budget: &Name) -> Vec<Name> {
        let mut path = vec![budget.clone()];
        let mut next = self.budgets[budget].parent.clone();
        while let Some(above) = next {
            next = self.budgets[&above].parent.clone();
            path.push(above);
        }
        path
    }

    /// The sum of something over a budget and all below it.
    fn sum(&self, budget: &Name, of: fn(&Node) -> u128) -> u128 {
        self.budgets.iter().filter(|(id, _)| self.is_within(id, budget)).map(|(_, node)| of(node)).sum()
    }

    /// Whether a budget is another, or below it.
    fn is_within(&self, budget: &Name, top: &Name) -> bool {
        let parent = || self.budgets[budget].parent.as_ref();
        budget == top || parent().is_some_and(|parent| self.is_within(parent, top))
    }

    fn spent(&self, budget: &Name) -> u128 {
        self.sum(budget, |node| node.own_spent)
    }

    fn held(&self, budget: &Name) -> u128 {
        self.sum(budget, |node| node.own_held)
    }

    fn remaining(&self, budget: &Name) -> Option<u128> {
        let limit = self.budgets[budget].limit?;
        Some(limit.saturating_sub(self.spent(budget) + self.held(budget)))
    }

    fn is_exhausted(&self, budget: &Name) -> bool {
        self.budgets[budget].limit.is_some_and(|limit| self.spent(budget) >= limit)
    }

    fn is_blocking(&self, budget: &Name) -> bool {
        self.budgets[budget].hard && self.is_exhausted(budget)
    }

    fn is_closed(&self, budget: &Name) -> bool {
        self.budgets[budget].closed.is_some()
    }

    fn node(&mut self, budget: &Name) -> &mut Node {
        self.budgets.get_mut(budget).expect("there is such a budget")
    }
}
