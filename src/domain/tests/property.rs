//! Random commands over random trees of goals, held against the plain model; and the laws at every event.

use std::collections::HashSet;

use proptest::prelude::*;

use super::harness::{Answer, Book, goal_budget, id, replay};
use super::model::{Expected, Model, Op, scope_name};
use super::snapshot;
use crate::domain::{
    KeyWindow, NewGoal, RecordTurn, Request, SetGoalBudget, State, TransitionGoal, Turn, evolve,
};
use crate::event::{ChangeEvent, GoalStatus, Payload};

/// One step of a run: time passes, and a command is given, perhaps with a key.
#[derive(Debug, Clone)]
struct Step {
    wait_secs: u64,
    op: Op,
    key: Option<u8>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![8 => Just(0_u64), 2 => 1..100_u64];
    let key = prop_oneof![3 => Just(None), 1 => (0..6_u8).prop_map(Some)];
    let step = (wait, ops(), key).prop_map(|(wait_secs, op, key)| Step { wait_secs, op, key });
    proptest::collection::vec(step, 1..120)
}

fn ops() -> impl Strategy<Value = Op> {
    let goal = || 1..10_u128;
    let limit = || prop_oneof![1 => Just(None), 3 => (0..120_u128).prop_map(Some)];
    let scope = prop_oneof![2 => Just(None), 3 => (0..3_u8).prop_map(Some)];
    let expected = || prop_oneof![5 => Just(None), 1 => (0..5_u64).prop_map(Some)];
    let to = prop_oneof![
        5 => Just(GoalStatus::Active),
        3 => Just(GoalStatus::Paused),
        1 => Just(GoalStatus::Completed),
        1 => Just(GoalStatus::Cleared),
    ];
    prop_oneof![
        5 => (goal(), prop::option::weighted(0.7, goal()), scope, limit())
            .prop_map(|(id, parent, scope, limit)| Op::Create { id, parent, scope, limit }),
        5 => (goal(), to, prop::bool::weighted(0.1), expected())
            .prop_map(|(id, to, blocked, expected)| Op::Transition { id, to, blocked, expected }),
        3 => (goal(), limit(), any::<bool>(), expected())
            .prop_map(|(id, limit, resume, expected)| Op::SetBudget { id, limit, resume, expected }),
        5 => (goal(), 0..50_u128).prop_map(|(id, tokens)| Op::Turn { id, tokens }),
        2 => (0..4_u8, 0..50_u128).prop_map(|(scope, tokens)| Op::ScopeTurn { scope, tokens }),
        1 => (1..200_u64, 1..6_usize)
            .prop_map(|(max_age_secs, max_count)| Op::KeyWindow { max_age_secs, max_count }),
    ]
}

fn request(op: &Op, key: Option<u8>) -> Request {
    let request: Request = match *op {
        Op::Create { id: number, parent, scope, limit } => NewGoal {
            goal_id: Some(id(number)),
            scope: scope.map(|scope| scope_name(scope).into()),
            token_budget: limit,
            parent_goal: parent.map(id),
            ..NewGoal::new("a goal")
        }
        .into(),
        Op::Transition { id: number, to, blocked, expected } => {
            TransitionGoal { blocked, expected_revision: expected, ..TransitionGoal::new(id(number), to) }
                .into()
        }
        Op::SetBudget { id: number, limit, resume, expected } => {
            SetGoalBudget { resume, expected_revision: expected, ..SetGoalBudget::new(id(number), limit) }
                .into()
        }
        Op::Turn { id: number, tokens } => RecordTurn::goal(id(number), Turn::tokens(tokens)).into(),
        Op::ScopeTurn { scope, tokens } => RecordTurn::scope(scope_name(scope), Turn::tokens(tokens)).into(),
        Op::KeyWindow { max_age_secs, max_count } => {
            KeyWindow { max_age_ms: max_age_secs * 1_000, max_count: max_count as u64 }.into()
        }
    };
    match key {
        Some(key) => request.key(format!("key {key}")),
        None => request,
    }
}

/// The answer in the model's words.
fn in_short(answer: Answer) -> Expected {
    match answer {
        Answer::Done(_) => Expected::Done,
        Answer::Unchanged(_) => Expected::Unchanged,
        Answer::Retried(retry) => Expected::Retried { first_seq: retry.first_seq, last_seq: retry.last_seq },
        Answer::Rejected(rejection) => Expected::Rejected(rejection.kind.name()),
        Answer::Refused(refusal) => Expected::Refused {
            budget: match refusal.budget_id {
                crate::ids::BudgetId::Goal(id) => id.0.as_u128(),
                crate::ids::BudgetId::Named(name) => panic!("expected the budget of a goal, found {name}"),
            },
            limit: refusal.limit.unwrap(),
            spent: refusal.spent,
            suppressed: refusal.suppressed,
        },
    }
}

fn check_against_model(book: &Book, model: &Model) {
    let state = &book.state;
    assert_eq!(state.goal_count(), model.goals.len());
    for expected in &model.goals {
        let goal = book.goal(expected.id);
        assert_eq!((goal.status, goal.pause_reason), (expected.status, expected.reason), "{expected:?}");
        assert_eq!((goal.revision, goal.token_budget), (expected.revision, expected.limit), "{expected:?}");
        assert_eq!((goal.tokens_own, goal.turns_used), (expected.own, expected.turns), "{expected:?}");
        assert_eq!((goal.tokens_used, &*goal.scope), (model.used(expected.id), &*expected.scope));
        assert_eq!(goal.parent_goal, expected.parent.map(id));
        assert_eq!(goal.completed_at.is_some(), goal.status.is_terminal());
        if goal.status == GoalStatus::Active {
            assert_eq!(model.exhausted_above(expected.id), None, "active under an exhausted budget");
            assert_eq!(state.active_goal_id(&goal.scope), Some(goal.id));
        }
        let budget = book.budget(expected.id);
        assert_eq!(budget.is_exhausted(), model.is_exhausted(expected.id));
        if let (Some(limit), Some(remaining)) = (budget.limit(), budget.remaining()) {
            assert_eq!(limit + budget.overage(), budget.spent + remaining);
        }
    }
}

/// What holds at every `seq`, in the middle of a frame too.
fn check_at_every_seq(state: &State) {
    let mut scopes = HashSet::new();
    for goal in state.goals().filter(|goal| goal.status == GoalStatus::Active) {
        assert!(scopes.insert(goal.scope.clone()), "two active goals in scope {:?}", goal.scope);
        if let Some(parent) = goal.parent_goal.and_then(|id| state.goal(id)) {
            assert_eq!(parent.status, GoalStatus::Active, "goal {} is active under one that is not", goal.id);
        }
    }
    for goal in state.goals().filter(|goal| !goal.status.is_terminal()) {
        let parent = goal.parent_goal.and_then(|id| state.goal(id));
        assert!(parent.is_none_or(|parent| !parent.status.is_terminal()), "goal {} is open", goal.id);
    }
}

/// The typed overage of a turn is what the figures before and after it say.
fn check_overage(before: &State, after: &State, event: &ChangeEvent) {
    let Payload::TurnRecorded(turn) = &event.payload else { return };
    let told: u128 = turn.overage.iter().map(|charge| charge.amount).sum();
    let total = |state: &State| state.budgets().map(|budget| budget.overage()).sum::<u128>();
    assert_eq!(told, total(after) - total(before));
    for charge in &turn.overage {
        let (Some(after), before) = (after.budget(&charge.budget_id), before.budget(&charge.budget_id))
        else {
            panic!("expected budget {} to exist", charge.budget_id);
        };
        assert_eq!(charge.amount, after.overage() - before.map_or(0, |budget| budget.overage()));
    }
}

fn replay_checking_laws(events: &[ChangeEvent]) -> State {
    let mut state = State::default();
    for event in events {
        let before = state.clone();
        evolve(&mut state, event).unwrap();
        check_at_every_seq(&state);
        check_overage(&before, &state, event);
    }
    state
}

fn run(steps: &[Step]) -> Book {
    let mut book = Book::new();
    // On the minute, so that the model's minutes are the domain's.
    book.now = crate::domain::minute_of(book.now);
    let mut model = Model::default();
    for Step { wait_secs, op, key } in steps {
        book.wait_secs(*wait_secs);
        model.now_secs += wait_secs;
        let first_seq = book.seq + 1;
        let expected = model.apply(op, *key);
        assert_eq!(in_short(book.apply(request(op, *key))), expected, "{op:?}");
        if book.seq >= first_seq {
            model.wrote(op, *key, (first_seq, book.seq));
        }
        check_against_model(&book, &model);
    }
    book
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Answers, statuses, sums and keys are the model's, and replay gives the same state and hash (law FOLD).
    #[test]
    fn the_domain_does_what_the_model_does(steps in steps()) {
        let book = run(&steps);
        let replayed = replay_checking_laws(&book.events);
        prop_assert_eq!(replayed.state_hash(), book.state.state_hash());
        prop_assert!(replayed.goals().eq(book.state.goals()));
        prop_assert!(replayed.budgets().eq(book.state.budgets()));
        for goal in replayed.goals() {
            prop_assert!(replayed.budget(&goal_budget(goal.id.0.as_u128())).is_some());
        }
    }

    /// A state that was written and read again is the state, at every event, and whatever comes after (law RETAIN).
    #[test]
    fn a_restored_state_is_the_state(steps in steps(), cut in any::<prop::sample::Index>()) {
        let book = run(&steps);
        snapshot::check_at_every_seq(&book.events);
        snapshot::check_goes_on(&book.events, cut.index(book.events.len() + 1));
    }

    /// A state that was published stays as it was, whatever is folded into the next one.
    #[test]
    fn a_copy_is_not_touched_by_what_comes_after(steps in steps(), cut in 0.0..1.0_f64) {
        let book = run(&steps);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the length")]
        let cut = (book.events.len() as f64 * cut) as usize;
        let mut live = replay(&book.events[..cut]);
        let published = live.clone();
        live.state_hash();
        for event in &book.events[cut..] {
            evolve(&mut live, event).unwrap();
        }
        let anew = replay(&book.events[..cut]);
        prop_assert_eq!(published.state_hash(), anew.state_hash());
        prop_assert!(published.goals().eq(anew.goals()));
    }

    /// Events that no engine wrote in that order fold or fail; they never panic.
    #[test]
    fn a_history_with_holes_never_panics(steps in steps(), kept in proptest::collection::vec(any::<bool>(), 400)) {
        let book = run(&steps);
        let mut state = State::default();
        let left = book.events.iter().zip(kept.iter().cycle()).filter(|&(_, &kept)| kept);
        for (position, (event, _)) in left.enumerate() {
            let event = ChangeEvent { seq: position as u64 + 1, ..event.clone() };
            if evolve(&mut state, &event).is_err() {
                break;
            }
            state.state_hash();
            snapshot::check_round_trip(&state);
        }
    }
}
