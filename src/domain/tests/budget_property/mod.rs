//! Random commands over random trees of budgets and goals, held against the plain model; and the laws at every event.

mod account;
mod again;
mod commands;
mod forgetting;
mod laws;

use proptest::prelude::*;

use self::account::Account;
use self::commands::{Step, resolve, steps};
use super::budget_model::{BudgetModel, Entry, Expected, ModelBudget, ModelReservation, Refused};
use super::harness::{Answer, replay};
use super::snapshot;
use crate::clock::Timestamp;
use crate::domain::{Budget, BudgetStatus, Command, Elapse, Request, State};
use crate::event::GoalStatus;

/// The answer in the model's words.
fn in_short(answer: &Answer) -> Expected {
    match answer {
        Answer::Done(_) => Expected::Done,
        Answer::Unchanged(_) => Expected::Unchanged,
        Answer::Retried(retry) => Expected::Retried(retry.first_seq, retry.last_seq),
        Answer::Rejected(rejection) => Expected::Rejected(rejection.kind.name()),
        Answer::Refused(refusal) => Expected::Refused(Box::new(Refused {
            kind: refusal.kind,
            budget: refusal.budget_id.clone(),
            limit: refusal.limit,
            spent: refusal.spent,
            reserved: refusal.reserved,
            amount: refusal.amount,
            reservation: refusal.reservation_id.clone(),
            suppressed: refusal.suppressed,
        })),
    }
}

fn check_budget(state: &State, model: &BudgetModel, expected: &ModelBudget) {
    let id = &expected.id;
    let view = state.budget_view(id).unwrap();
    let budget: &Budget = &view;
    let (spent, reserved) = (model.spent(id), model.reserved(id));
    assert_eq!((budget.spent, budget.spent_total), (spent, model.spent_total(id)), "spent of {id}");
    assert_eq!(budget.reserved, reserved, "reserved of {id}");
    assert_eq!(budget.overage_total, model.overage_total(id), "overage of {id} for life");
    assert_eq!((budget.limit(), budget.terms.hard), (expected.limit, expected.hard), "terms of {id}");
    assert_eq!(*budget.terms.thresholds, *expected.thresholds, "thresholds of {id}");
    assert_eq!(budget.crossed, expected.crossed, "crossed thresholds of {id}");
    assert_eq!(budget.terms.window.as_deref(), expected.window.as_ref(), "windows of {id}");
    let span = budget.span.map(|span| (span.start.as_micros(), span.end.as_micros()));
    assert_eq!(span, expected.span, "window of {id}");
    assert_eq!((&budget.parent, &budget.unit), (&expected.parent, &expected.unit), "place of {id}");
    assert_eq!(budget.progress, expected.progress, "progress of {id}");
    let entries = model.entries.iter().filter(|entry| entry.budget == *id && entry.spend_id.is_some());
    assert_eq!(budget.entry_count, entries.count() as u64, "entries of {id}");
    let status = match (expected.closed, model.is_exhausted(id)) {
        (true, _) => BudgetStatus::Closed,
        (false, true) => BudgetStatus::Exhausted,
        (false, false) => BudgetStatus::Active,
    };
    assert_eq!((budget.status(), budget.is_blocking()), (status, model.is_blocking(id)), "status of {id}");
    let mut released = budget.closing.as_ref().map_or(Vec::new(), |closing| closing.released.to_vec());
    released.sort();
    assert_eq!(released, expected.released, "released by the closing of {id}");
    let left =
        |id| model.budget(id).limit.map(|limit| limit.saturating_sub(model.spent(id) + model.reserved(id)));
    assert_eq!(budget.remaining(), left(id), "what remains of {id}");
    let available = model.path(id).iter().filter_map(left).min();
    assert_eq!(view.available, available, "what is available of {id}");
}

fn check_reservation(state: &State, expected: &ModelReservation) {
    let reservation = state.reservation(&expected.id).unwrap();
    assert_eq!(reservation.status.name(), expected.status, "{expected:?}");
    assert_eq!((&reservation.budget_id, reservation.amount), (&expected.budget, expected.amount));
    assert_eq!(reservation.expires_at.map(Timestamp::as_micros), expected.expires_at, "{expected:?}");
    assert_eq!(
        (&reservation.owner, &reservation.spend_id),
        (&expected.owner, &expected.spend),
        "{expected:?}"
    );
    assert_eq!(reservation.ended_at.is_none(), expected.is_held(), "{expected:?}");
}

fn check_entry(state: &State, expected: &Entry) {
    let Some(id) = &expected.spend_id else { return };
    let spend = state.spend(id).unwrap();
    assert_eq!((spend.amount, spend.reversed), (expected.amount, expected.reversed), "{expected:?}");
    assert_eq!((&spend.budget_id, spend.late), (&expected.budget, expected.late), "{expected:?}");
    assert_eq!(spend.incurred, expected.incurred, "{expected:?}");
    let overage: Vec<_> =
        spend.overage.iter().map(|charge| (charge.budget_id.clone(), charge.amount)).collect();
    assert_eq!(overage, expected.overage, "{expected:?}");
    let found = (&spend.reservation_id, spend.goal_id, &spend.meter_id);
    assert_eq!(found, (&expected.reservation, expected.goal, &expected.meter), "{expected:?}");
}

fn check_against_model(state: &State, model: &BudgetModel) {
    assert_eq!(state.budgets().count(), model.budgets.len());
    model.budgets.iter().for_each(|budget| check_budget(state, model, budget));
    assert_eq!(state.reservations.len(), model.reservations.len());
    model.reservations.iter().for_each(|reservation| check_reservation(state, reservation));
    assert_eq!(state.spends.len(), model.entries.iter().filter(|entry| entry.spend_id.is_some()).count());
    model.entries.iter().for_each(|entry| check_entry(state, entry));
    assert_eq!(state.goal_count(), model.goals.len());
    for expected in &model.goals {
        let goal = state.goal(expected.id).unwrap();
        assert_eq!((goal.status, goal.pause_reason), (expected.status, expected.reason), "{expected:?}");
        assert_eq!((goal.revision, goal.turns_used), (expected.revision, expected.turns), "{expected:?}");
        assert_eq!(goal.tokens_own, model.tokens_own(expected.id), "{expected:?}");
        assert_eq!(goal.tokens_used, model.spent(&expected.id.into()), "{expected:?}");
        assert_eq!((&*goal.budgets, goal.parent_goal), (&*expected.budgets, expected.parent));
        if goal.status == GoalStatus::Active {
            assert_eq!(model.blocking_goal(goal.id), None, "active under a blocking budget");
        }
    }
    assert_eq!(state.meters.len(), model.meters.len());
    for expected in &model.meters {
        let meter = state.meter(&expected.id).unwrap();
        assert_eq!((meter.total, meter.booked), (expected.total, expected.booked), "{expected:?}");
        assert_eq!((meter.kind, &meter.budget_id), (expected.kind, &expected.budget), "{expected:?}");
    }
    let next = model.deadlines().first().map(|(at, ..)| *at);
    assert_eq!(state.next_deadline().map(Timestamp::as_micros), next, "the next deadline");
}

/// Gives one command to both.
fn step(account: &mut Account, model: &mut BudgetModel, request: &Request, is_vetoed: bool) {
    let first_seq = account.seq + 1;
    model.now = account.now.as_micros();
    let expected = model.apply(request, account.next_id(), is_vetoed);
    let answer = account.apply(request, is_vetoed);
    assert_eq!(in_short(&answer), expected, "{request:?}: {answer:?}");
    if account.seq >= first_seq {
        model.wrote(request, (first_seq, account.seq));
    }
    check_against_model(&account.state, model);
}

fn run(steps: &[Step]) -> Account {
    let mut account = Account::new();
    let mut model = BudgetModel::new(account.rules.default_limit);
    let mut given: Vec<Request> = Vec::new();
    for Step { wait, request, is_vetoed, max_events, again } in steps {
        account.wait(*wait);
        while account.state.next_deadline().is_some_and(|at| at <= account.now) {
            let elapse = Command::Elapse(Elapse { max_events: *max_events }).into();
            step(&mut account, &mut model, &elapse, false);
        }
        let again = again.and_then(|back| given.iter().nth_back(back - 1));
        let mut request = again.unwrap_or(request).clone();
        resolve(&mut request.command, &model);
        step(&mut account, &mut model, &request, *is_vetoed);
        given.push(request);
    }
    account
}

/// More cases with `PROPTEST_CASES`.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { 120 };
    ProptestConfig { cases, max_shrink_iters: 20_000, failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(config())]

    /// Answers and figures are the model's; the laws hold at every event; replay gives the same state and hash (law
    /// FOLD).
    #[test]
    fn budgets_do_what_the_model_does(steps in steps()) {
        let account = run(&steps);
        laws::check_at_every_seq(&account.events, &account.frames);
        let replayed = replay(&account.events);
        prop_assert_eq!(replayed.state_hash(), account.state.state_hash());
        prop_assert!(replayed.budgets().eq(account.state.budgets()));
        prop_assert!(replayed.goals().eq(account.state.goals()));
    }

    /// A state that was written and read again is the state, at every event, and whatever comes after (law RETAIN).
    #[test]
    fn a_restored_account_is_the_account(steps in steps(), cut in any::<prop::sample::Index>()) {
        let account = run(&steps);
        snapshot::check_at_every_seq(&account.events);
        snapshot::check_goes_on(&account.events, cut.index(account.events.len() + 1));
    }

    /// Events that no engine wrote in that order fold or fail; they never panic.
    #[test]
    fn a_history_of_budgets_with_holes_never_panics(
        steps in steps(),
        kept in proptest::collection::vec(prop::bool::weighted(0.9), 400),
    ) {
        let account = Account::of(&steps);
        let mut state = State::default();
        let left = account.events.iter().zip(kept.iter().cycle()).filter(|&(_, &kept)| kept);
        for (seq, (event, _)) in (1..).zip(left) {
            let event = crate::event::ChangeEvent { seq, ..event.clone() };
            if crate::domain::evolve(&mut state, &event).is_err() {
                break;
            }
            state.state_hash();
            // What a fold accepts, a snapshot keeps.
            snapshot::check_round_trip(&state);
        }
    }
}
