//! A book without a journal: decides, numbers, folds, and keeps the events, so that every test can replay them.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::domain::{
    Budget, Context, Decision, Elapse, Goal, NewGoal, Outcome, RecordTurn, Refusal, Rejection, Remembered,
    Request, Rules, SetGoalBudget, State, TransitionGoal, Turn, decide, evolve, fingerprint, outcome,
};
use crate::event::{ChangeEvent, EventKey, GoalStatus, Payload, TransitionReason};
use crate::ids::{BudgetId, GoalId};

/// What a request came to, as a caller would see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Done(Outcome),
    Unchanged(Outcome),
    Retried(Remembered),
    Refused(Refusal),
    Rejected(Rejection),
}

/// A journal in memory with one writer.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) now: Timestamp,
    pub(super) rules: Rules,
    pub(super) state: State,
    pub(super) seq: u64,
    pub(super) events: Vec<ChangeEvent>,
    /// How many events each command wrote, in order.
    pub(super) frames: Vec<usize>,
    made: u128,
}

pub(super) const ACTIVE: (GoalStatus, Option<TransitionReason>) = (GoalStatus::Active, None);

pub(super) fn paused(reason: TransitionReason) -> (GoalStatus, Option<TransitionReason>) {
    (GoalStatus::Paused, Some(reason))
}

/// The n-th goal id of a test; the engine's own start at 1,000.
pub(super) fn id(number: u128) -> GoalId {
    GoalId(Uuid::from_u128(number))
}

pub(super) fn goal_budget(number: u128) -> BudgetId {
    BudgetId::Goal(id(number))
}

impl Book {
    pub(super) fn new() -> Book {
        Book {
            now: Timestamp::parse("2026-11-21T01:15:13Z").unwrap(),
            rules: Rules::default(),
            state: State::default(),
            seq: 0,
            events: Vec::new(),
            frames: Vec::new(),
            made: 1_000,
        }
    }

    pub(super) fn decide(&mut self, request: &Request) -> Decision {
        self.made += 1;
        let context = Context { now: self.now, rules: &self.rules, new_id: id(self.made).0, veto: None };
        decide(&self.state, request, &context)
    }

    /// Decides, and folds in what was decided.
    pub(super) fn apply(&mut self, request: impl Into<Request>) -> Answer {
        let request = request.into();
        match self.decide(&request) {
            Decision::Events(events) => {
                let outcome = outcome(&events);
                self.write(&request, events);
                Answer::Done(outcome)
            }
            Decision::Refused(event, mut refusal) => {
                self.write(&request, vec![*event]);
                refusal.seq = Some(self.seq);
                Answer::Refused(*refusal)
            }
            Decision::Unchanged(outcome) => Answer::Unchanged(outcome),
            Decision::Retried(remembered) => Answer::Retried(remembered),
            Decision::Suppressed(refusal) => Answer::Refused(*refusal),
            Decision::Rejected(rejection) => Answer::Rejected(rejection),
        }
    }

    fn write(&mut self, request: &Request, events: Vec<Payload>) {
        assert!(!events.is_empty(), "a frame is never empty");
        self.frames.push(events.len());
        for (position, payload) in events.into_iter().enumerate() {
            let key = request.key.as_ref().map(|key| EventKey {
                key: key.clone(),
                fingerprint: (position == 0).then(|| fingerprint(request)),
            });
            let event = ChangeEvent {
                seq: self.seq + 1,
                ts: self.now,
                session_id: request.session_id.clone(),
                actor: request.actor.clone(),
                key,
                meta: request.meta.clone(),
                payload,
            };
            evolve(&mut self.state, &event).unwrap();
            self.seq = event.seq;
            self.events.push(event);
        }
    }

    pub(super) fn wait_secs(&mut self, seconds: u64) {
        self.now = self.now.saturating_add(Duration::from_secs(seconds));
    }

    /// What the last command wrote, in short, alerts of thresholds left out.
    pub(super) fn last_frame(&self) -> Vec<String> {
        let is_alert = |payload: &&Payload| matches!(payload, Payload::ThresholdCrossed(_));
        self.last_payloads().filter(|payload| !is_alert(payload)).map(brief).collect()
    }

    /// What the last command wrote, in short, all of it.
    pub(super) fn whole_last_frame(&self) -> Vec<String> {
        self.last_payloads().map(brief).collect()
    }

    pub(super) fn last_payloads(&self) -> impl Iterator<Item = &Payload> {
        let len = self.frames.last().copied().unwrap_or(0);
        self.events[self.events.len() - len..].iter().map(|event| &event.payload)
    }

    /// Lets everything happen that is due.
    pub(super) fn elapse(&mut self) {
        while let Answer::Done(_) = self.apply(Elapse { max_events: 2 }) {}
    }

    /// Goes on to a time, and lets everything happen that is due by then.
    pub(super) fn at(&mut self, time: &str) {
        self.now = Timestamp::parse(time).unwrap();
        self.elapse();
    }

    /// A budget that is not a goal's.
    pub(super) fn named(&self, id: &str) -> &Budget {
        self.state.budget(&id.into()).unwrap()
    }

    /// Spent, reserved, remaining, overage.
    pub(super) fn figures(&self, id: &str) -> (u128, u128, Option<u128>, u128) {
        let budget = self.named(id);
        (budget.spent, budget.reserved, budget.remaining(), budget.overage())
    }

    /// A command that is expected to be done.
    pub(super) fn ok(&mut self, request: impl Into<Request>) -> Outcome {
        match self.apply(request) {
            Answer::Done(outcome) => outcome,
            answer => panic!("expected it to be done, found {answer:?}"),
        }
    }

    /// What of the last turn passed limits.
    pub(super) fn last_overage(&self) -> Vec<(BudgetId, u128)> {
        let turns = self.events.iter().rev().find_map(|event| match &event.payload {
            Payload::TurnRecorded(turn) => Some(turn),
            _ => None,
        });
        turns.unwrap().overage.iter().map(|charge| (charge.budget_id.clone(), charge.amount)).collect()
    }

    /// What of the last spend passed limits.
    pub(super) fn last_overage_of_spend(&self) -> Vec<(BudgetId, u128)> {
        let spend = self.events.iter().rev().find_map(|event| match &event.payload {
            Payload::SpendRecorded(spend) => Some(spend),
            _ => None,
        });
        spend.unwrap().overage.iter().map(|charge| (charge.budget_id.clone(), charge.amount)).collect()
    }

    // Commands that are expected to be done.

    pub(super) fn done(&mut self, request: impl Into<Request>) -> GoalId {
        match self.apply(request) {
            Answer::Done(Outcome::Goal(id)) => id,
            answer => panic!("expected a goal, found {answer:?}"),
        }
    }

    pub(super) fn create(&mut self, new: NewGoal) -> GoalId {
        self.done(new)
    }

    pub(super) fn turn(&mut self, number: u128, tokens: u128) {
        self.done(RecordTurn::goal(id(number), Turn::tokens(tokens)));
    }

    pub(super) fn transition(&mut self, number: u128, to: GoalStatus) {
        self.done(TransitionGoal::new(id(number), to));
    }

    pub(super) fn set_budget(&mut self, number: u128, limit: impl Into<Option<u128>>) {
        self.done(SetGoalBudget::new(id(number), limit.into()));
    }

    // Commands that are expected to fail.

    pub(super) fn refused(&mut self, request: impl Into<Request>) -> Refusal {
        match self.apply(request) {
            Answer::Refused(refusal) => refusal,
            answer => panic!("expected a refusal, found {answer:?}"),
        }
    }

    pub(super) fn rejected(&mut self, request: impl Into<Request>) -> Rejection {
        let events = self.events.len();
        match self.apply(request) {
            Answer::Rejected(rejection) => {
                assert_eq!(self.events.len(), events, "a rejected command writes nothing");
                rejection
            }
            answer => panic!("expected a rejection, found {answer:?}"),
        }
    }

    // What can be seen.

    pub(super) fn goal(&self, number: u128) -> Goal {
        self.state.goal(id(number)).unwrap()
    }

    pub(super) fn status(&self, number: u128) -> (GoalStatus, Option<TransitionReason>) {
        let goal = self.goal(number);
        (goal.status, goal.pause_reason)
    }

    pub(super) fn budget(&self, number: u128) -> Budget {
        self.state.budget(&goal_budget(number)).unwrap().clone()
    }
}

/// The state after those events.
pub(super) fn replay(events: &[ChangeEvent]) -> State {
    let mut state = State::default();
    events.iter().for_each(|event| evolve(&mut state, event).unwrap());
    state
}

/// A goal with that number as its id, in a scope of its own.
pub(super) fn goal(number: u128) -> NewGoal {
    NewGoal::new(format!("goal {number}")).id(id(number)).scope(format!("scope {number}"))
}

/// The same under another.
pub(super) fn child(number: u128, parent: u128) -> NewGoal {
    goal(number).parent(id(parent))
}

/// An event in short: `2 paused parent by 1`.
pub(super) fn brief(event: &Payload) -> String {
    let number = |id: GoalId| id.0.as_u128();
    let budget = |id: &BudgetId| match id {
        BudgetId::Goal(id) => format!("budget {}", number(*id)),
        BudgetId::Named(name) => format!("budget {name}"),
    };
    match event {
        Payload::GoalCreated(created) => format!("{} created", number(created.goal_id)),
        Payload::GoalTransitioned(change) => {
            let mut text =
                format!("{} {} {}", number(change.goal_id), change.to.name(), change.reason.name());
            if let Some(by) = change.by_goal {
                text += &format!(" by {}", number(by));
            }
            if let Some(by) = &change.budget_id {
                text += &format!(" by {}", budget(by));
            }
            if let Some(note) = &change.note {
                text += &format!(": {note}");
            }
            text
        }
        Payload::GoalBudgetSet(set) => format!("{} budget set", number(set.goal_id)),
        Payload::TurnRecorded(turn) => {
            format!("{} turn {}{}", number(turn.goal_id), turn.tokens, if turn.late { " late" } else { "" })
        }
        Payload::BudgetExhausted(exhausted) => format!("{} exhausted", budget(&exhausted.budget_id)),
        Payload::ThresholdCrossed(crossed) => {
            format!("{} at {}", budget(&crossed.budget_id), crossed.threshold)
        }
        Payload::BudgetAllocated(made) => format!("{} allocated", budget(&made.budget_id)),
        Payload::BudgetAdjusted(adjusted) => format!("{} adjusted", budget(&adjusted.budget_id)),
        Payload::ProgressSet(set) => format!("{} progress {}", budget(&set.budget_id), set.progress),
        Payload::BudgetClosed(closed) => format!("{} closed", budget(&closed.budget_id)),
        Payload::WindowRolled(rolled) => format!("{} rolled {}", budget(&rolled.budget_id), rolled.spent),
        Payload::EndedForgotten(ended) => {
            let goals = ended.goals.iter().map(|id| number(*id).to_string());
            let budgets = ended.budgets.iter().map(budget);
            format!("forgotten: {}", goals.chain(budgets).collect::<Vec<_>>().join(", "))
        }
        Payload::SpendRecorded(spend) => {
            let late = if spend.late { " late" } else { "" };
            format!("{} spent {}{late}", budget(&spend.budget_id), spend.amount)
        }
        Payload::SpendReversed(reversed) => {
            format!("{} reversed {}", budget(&reversed.budget_id), reversed.amount)
        }
        Payload::ReservationMade(made) => format!("{} reserved {}", budget(&made.budget_id), made.amount),
        Payload::ReservationReleased(released) => {
            format!("{} released {}", released.reservation_id, released.reason.name())
        }
        Payload::ReservationExpired(expired) => format!("{} expired", expired.reservation_id),
        Payload::ReservationMarkedUnknown(marked) => format!("{} unknown", marked.reservation_id),
        Payload::MeterObserved(observed) => format!("{} at {}", observed.meter_id, observed.total),
        Payload::MeterReset(reset) => format!("{} reset to {}", reset.meter_id, reset.baseline),
        Payload::EventRecorded(recorded) => format!("{} recorded", recorded.name),
        Payload::CommandRefused(refused) => {
            format!("{} refused by {}", refused.op, budget(&refused.budget_id))
        }
        Payload::RefusalsSuppressed(report) => format!("{} refusals suppressed", report.count),
        Payload::KeyWindowSet(_) => "key window set".to_owned(),
    }
}

/// A text of so many characters.
pub(super) fn text_of(chars: usize) -> Arc<str> {
    "é".repeat(chars).into()
}
