//! Histories decided again: unchanged, they come out as they were; changed, as an account that was so from the start.

use std::time::Duration;

use proptest::prelude::*;

use super::account::Account;
use super::commands::{Step, steps};
use super::config;
use super::forgetting::{Then, run as run_forgetting, thens};
use crate::domain::tests::snapshot;
use crate::domain::{Command, NewBudget, RecordSpend, Request, Settle, Spend};
use crate::event::ChangeEvent;
use crate::forensics::{Changes, Difference, Divergence, Price, PriceTable, Rerun};
use crate::ids::BudgetId;
use crate::projection::Projection;

/// Gives a history to be decided again, command by command.
fn decide_again<'a>(changes: &'a Changes, account: &Account) -> (Rerun<'a>, Vec<Divergence>) {
    let mut rerun = Rerun::new(changes, Projection::default());
    let mut divergences = Vec::new();
    let mut events: &[ChangeEvent] = &account.events;
    for &len in &account.frames {
        let (frame, rest) = events.split_at(len);
        let told = rerun.frame(frame).unwrap_or_else(|error| panic!("{error}: {frame:?}"));
        divergences.extend(told);
        events = rest;
    }
    (rerun, divergences)
}

fn check_unchanged(account: &Account) {
    let changes = Changes::new();
    let (rerun, divergences) = decide_again(&changes, account);
    assert_eq!(divergences, [], "nothing is changed");
    let (then, other) = rerun.states();
    assert_eq!((then.seq, other.seq), (account.seq, account.seq));
    assert_eq!(then.state_hash(), account.state.state_hash());
    assert_eq!(other.state_hash(), account.state.state_hash(), "the state hash of what was decided again");
}

/// Limits of the budgets and goals that the steps are about.
fn changes() -> impl Strategy<Value = Changes> {
    let limit = || prop_oneof![1 => Just(None), 4 => (1..200_u128).prop_map(Some)];
    let budget = (0..7_u8, limit(), prop::option::of(any::<bool>()));
    let named = prop::collection::vec(budget, 0..4);
    (named, prop::option::weighted(0.3, limit())).prop_map(|(named, default)| {
        let changes = default.map_or_else(Changes::new, |limit| Changes::new().default_limit(limit));
        named.into_iter().fold(changes, |changes, (number, limit, hard)| {
            let id = match number {
                0..5 => format!("b{number}").into(),
                _ => BudgetId::Goal(crate::ids::GoalId(uuid::Uuid::from_u128(u128::from(number) - 4))),
            };
            let changes = changes.limit(id.clone(), limit);
            hard.map_or_else(|| changes.clone(), |hard| changes.clone().hard(id, hard))
        })
    })
}

/// The steps, with a quantity on every other spend.
fn with_quantities(mut steps: Vec<Step>) -> Vec<Step> {
    for Step { request, .. } in &mut steps {
        if let Command::RecordSpend(RecordSpend { spend, .. }) | Command::Settle(Settle { spend, .. }) =
            &mut request.command
            && spend.amount.is_multiple_of(2)
        {
            *spend = spend.clone().quantity("calls", spend.amount % 50);
        }
    }
    steps
}

/// A price of what the spends carry, if they are to have another.
fn prices() -> impl Strategy<Value = Option<PriceTable>> {
    prop::option::of((0..5_u128, 1..3_u128)).prop_map(|price| {
        let (price, per) = price?;
        PriceTable::new([Price { quantity: "calls".into(), price, per, tool: None, unit: None }]).ok()
    })
}

/// Spends of two budgets, far enough apart that no refusal is suppressed.
fn spends() -> impl Strategy<Value = Vec<(bool, u128, bool)>> {
    prop::collection::vec((any::<bool>(), 1..40_u128, prop::bool::weighted(0.1)), 0..60)
}

fn spending(limit: u128, spends: &[(bool, u128, bool)]) -> Account {
    let mut account = Account::new();
    account.apply(&NewBudget::new("left").limit(limit).into(), false);
    account.apply(&NewBudget::new("right").limit(100).into(), false);
    for &(is_left, amount, incurred) in spends {
        account.wait(Duration::from_secs(5));
        let budget_id = if is_left { "left" } else { "right" }.into();
        let record = RecordSpend { budget_id, spend: Spend::of(amount), incurred };
        account.apply(&Request::from(record), false);
    }
    account
}

proptest! {
    #![proptest_config(config())]

    /// Holds, windows, pauses, reversals, turns, refusals: whatever a history holds.
    #[test]
    fn with_nothing_changed_a_history_comes_out_as_it_was(steps in steps()) {
        check_unchanged(&Account::of(&steps));
    }

    #[test]
    fn with_nothing_changed_what_was_forgotten_is_forgotten_again(steps in steps(), thens in thens()) {
        check_unchanged(&run_forgetting(&steps, &thens).account);
    }

    /// Whatever is changed, what comes out is a state that is sound, and the history beside it is what it was.
    #[test]
    fn with_anything_changed_it_is_still_a_history(
        steps in steps(),
        thens in prop::option::of(thens()),
        changes in changes(),
        prices in prices(),
    ) {
        let steps = with_quantities(steps);
        let changes = prices.map_or_else(|| changes.clone(), |prices| changes.clone().prices(prices));
        let account = match &thens {
            Some(thens) => run_forgetting(&steps, thens).account,
            None => Account::of(&steps),
        };
        let (rerun, divergences) = decide_again(&changes, &account);
        let (then, other) = rerun.states();
        prop_assert_eq!(then.state_hash(), account.state.state_hash());
        snapshot::check_round_trip(&other.state);
        if divergences.is_empty() && changes.is_empty() {
            prop_assert_eq!(other.state_hash(), then.state_hash());
        }
        for divergence in divergences {
            prop_assert!(!divergence.to_string().is_empty());
        }
    }

    /// The same commands given to an account that had the other limit from the start: every budget comes out the same.
    #[test]
    fn another_limit_comes_out_as_if_it_had_been_so_from_the_start(
        spends in spends(),
        was in 1..300_u128,
        limit in 1..300_u128,
    ) {
        let (account, expected) = (spending(was, &spends), spending(limit, &spends));
        let changes = Changes::new().limit("left", Some(limit));
        let (rerun, divergences) = decide_again(&changes, &account);
        let (_, other) = rerun.states();
        for budget in expected.state.budgets() {
            let found = other.state.budget(&budget.id).unwrap();
            prop_assert_eq!(
                (found.limit(), found.spent, found.overage_total, found.crossed, found.entry_count),
                (budget.limit(), budget.spent, budget.overage_total, budget.crossed, budget.entry_count)
            );
        }
        let refused = |divergence: &&Divergence| matches!(divergence.difference, Difference::Refused(_));
        let passed = |divergence: &&Divergence| matches!(divergence.difference, Difference::Passed { .. });
        let refusals = |account: &Account| {
            account.events.iter().filter(|event| event.payload.kind() == "command_refused").count()
        };
        prop_assert_eq!(
            refusals(&account) + divergences.iter().filter(refused).count(),
            refusals(&expected) + divergences.iter().filter(passed).count()
        );
    }
}

#[test]
fn changes_of_the_test_above_part_histories() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut found = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let steps: Vec<Step> = steps().new_tree(&mut runner).unwrap().current();
        let thens: Vec<Then> = thens().new_tree(&mut runner).unwrap().current();
        let changes = changes().new_tree(&mut runner).unwrap().current();
        let account = run_forgetting(&steps, &thens).account;
        let (_, divergences) = decide_again(&changes, &account);
        found.extend(divergences.iter().map(|divergence| divergence.difference.name()));
    }
    let all = ["impossible", "needless", "otherwise", "passed", "refused", "stopped"];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), all);
}
