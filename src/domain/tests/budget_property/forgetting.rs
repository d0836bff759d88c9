//! A state that forgets, beside one that never does and takes in the same events otherwise: what both still show is the
//! same, and so is what they decide about it.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::account::Account;
use super::commands::{Step, steps};
use super::config;
use crate::clock::Timestamp;
use crate::domain::endings::Endings;
use crate::domain::tests::harness::replay;
use crate::domain::tests::snapshot;
use crate::domain::{
    BudgetQuery, CloseBudget, Command, Context, Elapse, Forget, GoalQuery, KeyWindow, MarkUnknown, Outcome,
    Release, RememberedOutcome, Request, ReservationQuery, Settle, SpendQuery, State, TransitionGoal,
    TurnTarget, decide, evolve,
};
use crate::event::{ChangeEvent, GoalStatus, Payload, RefusalKind, RefusalsSuppressed};
use crate::ids::{BudgetId, GoalId};

/// Keys are remembered for so long, and never more than so many.
const WINDOW: KeyWindow = KeyWindow { max_age_ms: 4_000, max_count: 12 };

/// What comes after a step.
#[derive(Debug, Clone, Copy)]
pub(super) enum Then {
    Nothing,
    End(u8),
    Close(u8),
    Forget { age_secs: u64, max_entities: usize },
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![
        4 => Just(Then::Nothing),
        2 => (0..5_u8).prop_map(Then::End),
        2 => (0..7_u8).prop_map(Then::Close),
        4 => (0..10_u64, 1..4_usize).prop_map(|(age_secs, max_entities)| Then::Forget { age_secs, max_entities }),
    ]
}

/// Both of them.
pub(super) struct Twins {
    pub(super) account: Account,
    /// What never forgets.
    other: State,
    forgotten: usize,
}

impl Twins {
    fn new() -> Twins {
        let mut twins = Twins { account: Account::new(), other: State::default(), forgotten: 0 };
        twins.give(&WINDOW.into(), false);
        twins
    }

    fn is_forgotten(&self, id: &BudgetId) -> bool {
        self.account.state.budget(id).is_none() && self.other.budget(id).is_some()
    }

    /// Gives a command to both, unless it is about what one of them has forgotten.
    fn give(&mut self, request: &Request, is_vetoed: bool) {
        if about(&request.command).iter().any(|id| self.is_forgotten(id)) {
            return;
        }
        let Account { now, rules, state, events, .. } = &self.account;
        let reason: Arc<str> = "too dear".into();
        let veto = is_vetoed.then_some(&reason);
        let context = Context { now: *now, rules, new_id: self.account.next_id(), veto };
        assert_eq!(decide(state, request, &context), decide(&self.other, request, &context), "{request:?}");
        let known = events.len();
        self.account.apply(request, is_vetoed);
        for event in &self.account.events[known..] {
            evolve(&mut self.other, event).unwrap();
        }
        self.check();
    }

    /// One of them forgets; the other takes in an event that changes nothing.
    fn forget(&mut self, forget: Forget) {
        let known = self.account.events.len();
        self.account.apply(&forget.into(), false);
        for event in &self.account.events[known..] {
            let Payload::EndedForgotten(ended) = &event.payload else { panic!("{event:?}") };
            let count = ended.goals.len() + ended.budgets.len();
            assert!((1..=forget.max_entities).contains(&count));
            self.forgotten += count;
            let neutral = RefusalsSuppressed {
                budget_id: "none".into(),
                refusal: RefusalKind::Risk,
                count: 1,
                minute: Timestamp::UNIX_EPOCH,
            };
            let payload = Payload::RefusalsSuppressed(neutral);
            evolve(&mut self.other, &ChangeEvent { payload, ..event.clone() }).unwrap();
        }
        self.check();
    }

    fn check(&self) {
        let (state, other) = (&self.account.state, &self.other);
        self.check_visible();
        snapshot::check_round_trip(state);
        let through = state.endings.goals_forgotten_through();
        assert_eq!(state.endings, Endings::anew(state, through));
        for spend in state.spends.iter() {
            assert!(
                state.budget(&spend.budget_id).is_some(),
                "a remembered spend is about what is remembered"
            );
        }
        for reservation in state.reservations.values() {
            assert!(state.budget(&reservation.budget_id).is_some(), "and so is a reservation");
        }
        for entry in state.keys.iter() {
            let is_there = match &entry.remembered.outcome {
                RememberedOutcome::Done(Outcome::Goal(id)) => state.goal(*id).is_some(),
                RememberedOutcome::Done(Outcome::Budget(id) | Outcome::Closed(id)) => {
                    state.budget(id).is_some()
                }
                _ => true,
            };
            assert!(is_there, "{:?} is about what is remembered", entry.key);
        }
        assert_eq!(state.remembered_key_count(), other.remembered_key_count());
        assert_eq!(state.next_deadline(), other.next_deadline());
    }

    fn check_visible(&self) {
        let (state, other, now) = (&self.account.state, &self.other, self.account.now);
        let since = Timestamp::from_micros(now.as_micros() - 3_000_000);
        for budget in other.budgets() {
            let id = &budget.id;
            if state.budget(id).is_none() {
                assert!(budget.is_closed(), "{id} is open, and forgotten");
                assert!(now.saturating_since(budget.updated_at) > Duration::from_millis(WINDOW.max_age_ms));
            } else {
                assert_eq!(state.budget_view(id), other.budget_view(id));
                assert_eq!(state.burn(id, Some(since), now), other.burn(id, Some(since), now));
            }
        }
        let limit = usize::MAX;
        let goals = GoalQuery::new().limit(limit);
        let mut left = other.list_goals(&goals);
        left.retain(|goal| state.goal(goal.id).is_some());
        assert_eq!(state.list_goals(&goals), left);
        let budgets = BudgetQuery { limit, ..BudgetQuery::default() };
        let mut left = other.list_budgets(&budgets);
        left.retain(|budget| state.budget(&budget.id).is_some());
        assert_eq!(state.list_budgets(&budgets), left);
        let spends = SpendQuery { limit, ..SpendQuery::default() };
        assert_eq!(state.list_spends(&spends), other.list_spends(&spends));
        let reservations = ReservationQuery { limit, ..ReservationQuery::default() };
        assert_eq!(state.list_reservations(&reservations), other.list_reservations(&reservations));
        assert!(state.meters().eq(other.meters()));
    }

    fn step(&mut self, step: &Step, then: Then) {
        self.account.wait(step.wait);
        while self.account.state.next_deadline().is_some_and(|at| at <= self.account.now) {
            self.give(&Elapse { max_events: step.max_events }.into(), false);
        }
        let mut request = step.request.clone();
        resolve(&mut request.command, &self.account.state);
        self.give(&request, step.is_vetoed);
        match then {
            Then::Nothing => {}
            Then::End(number) => {
                let goal_id = GoalId(uuid::Uuid::from_u128(u128::from(number) + 1));
                self.give(&TransitionGoal::new(goal_id, GoalStatus::Completed).into(), false);
            }
            Then::Close(number) => {
                let close = CloseBudget::new(format!("b{number}")).with_children();
                self.give(&close.into(), false);
            }
            Then::Forget { age_secs, max_entities } => {
                self.forget(Forget { age: Duration::from_secs(age_secs), max_entities });
            }
        }
    }
}

/// The goals and budgets that a command names.
fn about(command: &Command) -> Vec<BudgetId> {
    match command {
        Command::CreateGoal(new) => {
            let goals = new.goal_id.into_iter().chain(new.parent_goal).map(BudgetId::Goal);
            goals.chain(new.budgets.iter().cloned()).collect()
        }
        Command::TransitionGoal(change) => vec![change.goal_id.into()],
        Command::SetGoalBudget(set) => vec![set.goal_id.into()],
        Command::RecordTurn(record) => {
            let goal = match record.target {
                TurnTarget::Goal(id) => Some(BudgetId::Goal(id)),
                TurnTarget::Scope(_) => None,
            };
            goal.into_iter()
                .chain(record.turn.charges.iter().map(|charge| charge.budget_id.clone()))
                .collect()
        }
        Command::Allocate(new) => {
            [Some(&new.budget_id), new.parent.as_ref()].into_iter().flatten().cloned().collect()
        }
        Command::RecordSpend(record) => vec![record.budget_id.clone()],
        Command::Reserve(new) => vec![new.budget_id.clone()],
        Command::AdjustBudget(adjust) => vec![adjust.budget_id.clone()],
        Command::SetProgress(set) => vec![set.budget_id.clone()],
        Command::CloseBudget(close) => vec![close.budget_id.clone()],
        Command::ObserveMeter(observe) => observe.budget_id.iter().cloned().collect(),
        _ => Vec::new(),
    }
}

/// `#n` stands for the n-th newest of what is remembered then.
fn resolve(command: &mut Command, state: &State) {
    let nth = |text: &str| text.strip_prefix('#').map(|nth| nth.parse::<usize>().unwrap());
    match command {
        Command::ReverseSpend(reverse) => {
            let spends = state.list_spends(&SpendQuery::default());
            if let Some(spend) = nth(&reverse.spend_id.0).and_then(|nth| spends.get(nth)) {
                reverse.spend_id = spend.spend_id.clone();
            }
        }
        Command::Settle(Settle { reservation_id: id, .. })
        | Command::Release(Release { reservation_id: id })
        | Command::MarkUnknown(MarkUnknown { reservation_id: id }) => {
            let reservations = state.list_reservations(&ReservationQuery::default());
            if let Some(reservation) = nth(&id.0).and_then(|nth| reservations.get(nth)) {
                *id = reservation.id.clone();
            }
        }
        _ => {}
    }
}

pub(super) fn run(steps: &[Step], thens: &[Then]) -> Twins {
    let mut twins = Twins::new();
    for (step, then) in steps.iter().zip(thens.iter().cycle()) {
        twins.step(step, *then);
    }
    twins
}

pub(super) fn thens() -> impl Strategy<Value = Vec<Then>> {
    proptest::collection::vec(then(), 1..60)
}

proptest! {
    #![proptest_config(config())]

    /// Replay gives the same state, hash, and what may be forgotten next (law FOLD).
    #[test]
    fn what_is_left_is_as_if_nothing_had_been_forgotten(steps in steps(), thens in thens()) {
        let Twins { account, .. } = run(&steps, &thens);
        let replayed = replay(&account.events);
        prop_assert_eq!(replayed.state_hash(), account.state.state_hash());
        prop_assert_eq!(&replayed.endings, &account.state.endings);
        prop_assert!(replayed.goals().eq(account.state.goals()));
        prop_assert!(replayed.budgets().eq(account.state.budgets()));
    }
}

#[test]
fn a_good_part_of_it_is_forgotten_in_the_test_above() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let drawn = |runner: &mut _| (steps(), thens()).new_tree(runner).unwrap().current();
    let forgotten: usize =
        (0..30).map(|_| drawn(&mut runner)).map(|(steps, thens)| run(&steps, &thens).forgotten).sum();
    assert!(forgotten > 30, "{forgotten} in 30 runs");
}
