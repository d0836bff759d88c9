//! A ledger of hand-written events: what no `decide` has to agree with.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::{Budget, DEFAULT_THRESHOLDS, State, evolve};
use crate::event::{
    BudgetAdjusted, BudgetAllocated, BudgetClosed, BudgetTerms, ChangeEvent, Charge, Payload, ReleaseReason,
    ReservationExpired, ReservationMade, ReservationMarkedUnknown, ReservationReleased, Span, SpendDetails,
    SpendRecorded, SpendReversed, ThresholdCrossed, Window, WindowRolled,
};
use crate::event::{Fraction, GoalCreated, GoalStatus, GoalTransitioned, TransitionReason, TurnRecorded};
use crate::ids::BudgetId;

use super::harness::{id, replay};
use super::snapshot;

#[derive(Debug, Clone)]
pub(super) struct Ledger {
    pub(super) now: Timestamp,
    pub(super) state: State,
    pub(super) events: Vec<ChangeEvent>,
}

/// The time of the n-th second of a test.
pub(super) fn second(number: i64) -> Timestamp {
    Timestamp::from_micros(number * 1_000_000)
}

impl Ledger {
    pub(super) fn new() -> Ledger {
        Ledger { now: second(1_000), state: State::default(), events: Vec::new() }
    }

    /// One with a root of 1,000 and a task of 100 below it.
    pub(super) fn tree() -> Ledger {
        let mut ledger = Ledger::new();
        ledger.fold(allocated("root", 1_000, None));
        ledger.fold(allocated("task", 100, Some("root")));
        ledger
    }

    fn next(&self, payload: Payload) -> ChangeEvent {
        let seq = self.events.len() as u64 + 1;
        ChangeEvent { seq, ts: self.now, session_id: None, actor: None, key: None, meta: None, payload }
    }

    /// Folds in an event that fits.
    #[track_caller]
    pub(super) fn fold(&mut self, payload: Payload) {
        let event = self.next(payload);
        if let Err(error) = evolve(&mut self.state, &event) {
            panic!("{error}");
        }
        self.events.push(event);
    }

    /// Why an event does not fit.
    #[track_caller]
    pub(super) fn misfit(&self, payload: Payload) -> String {
        let event = self.next(payload);
        match evolve(&mut self.state.clone(), &event) {
            Ok(()) => panic!("expected a misfit, but it fits: {event:?}"),
            Err(error) => error.message,
        }
    }

    pub(super) fn wait_secs(&mut self, seconds: u64) {
        self.now = self.now.saturating_add(Duration::from_secs(seconds));
    }

    pub(super) fn seq(&self) -> u64 {
        self.events.len() as u64
    }

    #[track_caller]
    pub(super) fn budget(&self, id: &str) -> &Budget {
        self.state.budget(&id.into()).unwrap()
    }

    /// Spent, spent for life, reserved, total overage.
    #[track_caller]
    pub(super) fn figures(&self, id: &str) -> (u128, u128, u128, u128) {
        let budget = self.budget(id);
        (budget.spent, budget.spent_total, budget.reserved, budget.overage_total)
    }

    /// Replays: the state is the same, and so is its hash (law FOLD).
    pub(super) fn check_replay(&self) {
        let replayed = replay(&self.events);
        assert_eq!(replayed.state_hash(), self.state.state_hash());
        assert!(replayed.budgets().eq(self.state.budgets()));
        assert_eq!(replayed.next_deadline(), self.state.next_deadline());
        snapshot::check_round_trip(&self.state);
    }
}

pub(super) fn terms(limit: impl Into<Option<u128>>) -> BudgetTerms {
    BudgetTerms { limit: limit.into(), hard: true, thresholds: DEFAULT_THRESHOLDS.clone(), window: None }
}

pub(super) fn made(id: &str, limit: impl Into<Option<u128>>, parent: Option<&str>) -> BudgetAllocated {
    BudgetAllocated {
        budget_id: id.into(),
        unit: "units".into(),
        parent: parent.map(BudgetId::from),
        terms: terms(limit),
        span: None,
        widen_by: None,
    }
}

pub(super) fn allocated(id: &str, limit: impl Into<Option<u128>>, parent: Option<&str>) -> Payload {
    Payload::BudgetAllocated(made(id, limit, parent))
}

pub(super) fn every_minute() -> BudgetTerms {
    let window = Window { every: "PT1M".into(), anchor: None, tz: None };
    BudgetTerms { window: Some(window.into()), ..terms(100) }
}

/// The n-th second up to a minute later.
pub(super) fn minute_from(number: i64) -> Span {
    Span { start: second(number), end: second(number + 60) }
}

/// A budget of 100 a minute, in the minute that starts now.
pub(super) fn windowed(id: &str, parent: Option<&str>) -> Payload {
    let span = Some(minute_from(1_000));
    Payload::BudgetAllocated(BudgetAllocated { terms: every_minute(), span, ..made(id, 100, parent) })
}

pub(super) fn rolled(id: &str, from: i64, spent: u128, to: i64) -> WindowRolled {
    WindowRolled { budget_id: id.into(), ended: minute_from(from), spent, span: minute_from(to) }
}

pub(super) fn adjusted(id: &str, previous: BudgetTerms, terms: BudgetTerms) -> Payload {
    Payload::BudgetAdjusted(BudgetAdjusted { budget_id: id.into(), previous, terms, span: None })
}

pub(super) fn crossed(id: &str, ppm: u32, limit: u128, spent: u128) -> Payload {
    let threshold = Fraction::from_ppm(ppm).unwrap();
    Payload::ThresholdCrossed(ThresholdCrossed { budget_id: id.into(), threshold, limit, spent })
}

pub(super) fn closed(id: &str, by: Option<&str>, released: &[&str]) -> Payload {
    Payload::BudgetClosed(BudgetClosed {
        budget_id: id.into(),
        by_budget: by.map(BudgetId::from),
        released: released.iter().map(|&id| id.into()).collect(),
    })
}

pub(super) fn spend(id: &str, budget: &str, amount: u128) -> SpendRecorded {
    SpendRecorded {
        spend_id: id.into(),
        budget_id: budget.into(),
        amount,
        incurred: false,
        late: false,
        overage: Vec::new(),
        reservation_id: None,
        goal_id: None,
        meter_id: None,
        body: None,
        details: SpendDetails::default(),
    }
}

pub(super) fn spent(id: &str, budget: &str, amount: u128) -> Payload {
    Payload::SpendRecorded(spend(id, budget, amount).into())
}

pub(super) fn settled(id: &str, budget: &str, amount: u128, reservation: &str) -> SpendRecorded {
    SpendRecorded { incurred: true, reservation_id: Some(reservation.into()), ..spend(id, budget, amount) }
}

pub(super) fn over(budget: &str, amount: u128) -> Charge {
    Charge { budget_id: budget.into(), amount }
}

pub(super) fn reversed(id: &str, budget: &str, amount: u128) -> Payload {
    let (spend_id, budget_id) = (id.into(), budget.into());
    Payload::SpendReversed(SpendReversed { spend_id, budget_id, amount, reason: None })
}

pub(super) fn reserve(id: &str, budget: &str, amount: u128) -> ReservationMade {
    ReservationMade {
        reservation_id: id.into(),
        budget_id: budget.into(),
        amount,
        owner: None,
        expires_at: None,
        body: None,
    }
}

pub(super) fn reserved(id: &str, budget: &str, amount: u128) -> Payload {
    Payload::ReservationMade(reserve(id, budget, amount))
}

/// Until the n-th second.
pub(super) fn reserved_until(id: &str, budget: &str, amount: u128, until: i64) -> Payload {
    let expires_at = Some(second(until));
    Payload::ReservationMade(ReservationMade { expires_at, ..reserve(id, budget, amount) })
}

pub(super) fn released(id: &str, budget: &str, amount: u128, reason: ReleaseReason) -> Payload {
    let (reservation_id, budget_id) = (id.into(), budget.into());
    Payload::ReservationReleased(ReservationReleased { reservation_id, budget_id, amount, reason })
}

pub(super) fn expired(id: &str, budget: &str, amount: u128) -> Payload {
    let (reservation_id, budget_id) = (id.into(), budget.into());
    Payload::ReservationExpired(ReservationExpired { reservation_id, budget_id, amount })
}

pub(super) fn marked_unknown(id: &str, budget: &str, amount: u128) -> Payload {
    let (reservation_id, budget_id) = (id.into(), budget.into());
    Payload::ReservationMarkedUnknown(ReservationMarkedUnknown { reservation_id, budget_id, amount })
}

/// A goal in a scope of its own, that names those budgets.
pub(super) fn goal_created(number: u128, parent: Option<u128>, budgets: &[&str]) -> Payload {
    Payload::GoalCreated(GoalCreated {
        goal_id: id(number),
        scope: format!("scope {number}").into(),
        text: "t".into(),
        token_budget: Some(100),
        parent_goal: parent.map(id),
        budgets: budgets.iter().map(|&id| id.into()).collect(),
        widen_by: None,
    })
}

pub(super) fn goal_moved(number: u128, to: GoalStatus, reason: TransitionReason) -> Payload {
    Payload::GoalTransitioned(GoalTransitioned {
        goal_id: id(number),
        from: GoalStatus::Active,
        to,
        reason,
        revision: 2,
        by_goal: None,
        budget_id: None,
        note: None,
    })
}

pub(super) fn turn(number: u128, tokens: u128) -> TurnRecorded {
    TurnRecorded { goal_id: id(number), tokens, turns: 1, seconds: 0, late: false, overage: Vec::new() }
}
