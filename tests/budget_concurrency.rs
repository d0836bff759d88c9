//! Sixty-four tasks of a runtime over one tree of budgets, with limits that only a part of what they ask for fits in, and
//! with holds, a part of which are dropped: nothing is overspent at any `seq`, no grant is lost, nothing is left behind.
//!
//! Histories of threads, with whatever they may ask and with crashes, are held against a model by the row `histories` of
//! the program of faults.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::BTreeMap;

use common::{DEADLINE, lines};
use tallybook::ids::SeededEntropy;
use tallybook::projection::Projection;
use tallybook::storage::SimulatedDisk;
use tallybook::{Blocking, CommandError, NewBudget, Options, Payload, RefusalKind, Spend, Ttl};

const TASKS: u64 = 64;

/// Spends by their ids, with what was booked.
type Grants = BTreeMap<String, u128>;

/// What one task wants: to set aside, and then to settle or let go.
#[derive(Debug, Clone)]
struct Wish {
    id: String,
    budget: String,
    amount: u128,
    /// `None`: it is let go.
    settled: Option<u128>,
}

/// `account` over `team-0` (hard) and `team-1` (only counts) over four leaves each. All that is asked for is about six
/// times what fits.
fn tree(engine: &Blocking) {
    engine.allocate(NewBudget::new("account").limit(10_000)).unwrap();
    engine.allocate(NewBudget::new("team-0").limit(6_000).parent("account")).unwrap();
    engine.allocate(NewBudget::new("team-1").unlimited().parent("account")).unwrap();
    for leaf in 0..8 {
        let budget = NewBudget::new(format!("leaf-{leaf}")).parent(format!("team-{}", leaf % 2));
        engine.allocate(if leaf < 4 { budget.limit(2_000) } else { budget.limit(500).soft() }).unwrap();
    }
}

fn wishes(task: u64, count: u64) -> Vec<Wish> {
    let chance = SeededEntropy::new(11 ^ (task << 32));
    let wish = |number| {
        let amount = u128::from(20 + chance.below(80));
        let settled = (chance.below(2) == 0).then(|| amount - u128::from(chance.below(20)));
        Wish { id: format!("{task}-{number}"), budget: format!("leaf-{}", task % 8), amount, settled }
    };
    (0..count).map(wish).collect()
}

/// Folds the journal, and checks at every `seq` that no hard limit is passed. What it says was booked.
fn audit(disk: &SimulatedDisk) -> (Projection, Grants) {
    let (mut projection, mut booked) = (Projection::default(), Grants::new());
    for line in lines(disk).unwrap() {
        let event = tallybook::event::decode_event(&line.bytes).unwrap();
        projection.apply(&event).unwrap();
        for budget in projection.state.budgets().filter(|budget| budget.terms.hard) {
            let used = budget.spent + budget.reserved;
            assert!(budget.limit().is_none_or(|limit| used <= limit), "{} at seq {}", budget.id, event.seq);
        }
        if let Payload::SpendRecorded(spend) = event.payload {
            let twice = booked.insert(spend.spend_id.to_string(), spend.amount);
            assert_eq!(twice, None, "booked twice, at seq {}", event.seq);
        }
    }
    (projection, booked)
}

#[test]
fn asynchronous_tasks_with_holds_never_overspend_and_leave_nothing_behind() {
    let disk = SimulatedDisk::new(2);
    let engine = Options::new().inbox_capacity(32).open_storage(disk.process()).unwrap();
    tree(&engine.blocking());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let settled: Grants = runtime.block_on(async {
        let tasks: Vec<_> =
            (0..TASKS).map(|task| tokio::spawn(hold_and_settle(engine.clone(), task))).collect();
        let mut settled = Grants::new();
        for task in tasks {
            settled.extend(task.await.unwrap());
        }
        settled
    });
    let view = engine.blocking().settled_view().unwrap();
    let account = view.budget(&"account".into()).unwrap();
    assert_eq!((account.spent, account.reserved), (settled.values().sum(), 0));
    engine.blocking().shutdown(DEADLINE).unwrap();
    let (projection, booked) = audit(&disk);
    assert_eq!(booked, settled);
    assert_eq!(projection.state.state_hash(), view.state_hash());
}

async fn hold_and_settle(engine: tallybook::Engine, task: u64) -> Grants {
    let mut settled = Grants::new();
    for Wish { id, budget, amount, settled: to_settle } in wishes(task, 16) {
        match engine.reserve(budget.as_str(), amount, Ttl::secs(3_600)).await {
            Ok(hold) => {
                if let Some(amount) = to_settle {
                    hold.settle(Spend::of(amount).id(id.as_str())).await.unwrap();
                    settled.insert(id, amount);
                }
            }
            Err(CommandError::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::BudgetExceeded),
            Err(error) => panic!("{error}"),
        }
    }
    settled
}
