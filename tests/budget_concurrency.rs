//! Sixty-four tasks over one tree of budgets, with limits that only a part of what they ask for fits in: nothing is
//! overspent at any `seq`, no grant is lost, nothing is booked that was refused. The same with the process killed, or
//! the power cut, at random: what was granted is there, and what nobody was told of is found out by asking again.
//!
//! `TALLYBOOK_SEED` and `TALLYBOOK_ROUNDS` ask for other and for more rounds.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, clock, lines, rounds};
use tallybook::ids::SeededEntropy;
use tallybook::projection::Projection;
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{
    Blocking, BudgetId, CommandError, Durability, ErrorKind, ManualClock, NewBudget, NewReservation, Options,
    Payload, Receipt, RecordSpend, RefusalKind, Release, Request, Settle, Spend, Ttl,
};

const TASKS: u64 = 64;

/// Spends and reservations by their ids, with what was booked or set aside.
type Grants = BTreeMap<String, u128>;

/// What one task wants: to spend at once, or to set aside and then settle or release.
#[derive(Debug, Clone)]
struct Wish {
    id: String,
    budget: String,
    amount: u128,
    kind: WishKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WishKind {
    Spend,
    /// With what is settled then; `None`: it is released.
    Hold(Option<u128>),
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

fn wishes(task: u64, count: u64, seed: u64) -> Vec<Wish> {
    let chance = SeededEntropy::new(seed ^ (task << 32));
    let wish = |number| {
        let amount = u128::from(20 + chance.below(80));
        let kind = match chance.below(4) {
            0 => WishKind::Spend,
            1 => WishKind::Hold(None),
            _ => WishKind::Hold(Some(amount - u128::from(chance.below(20)))),
        };
        Wish { id: format!("{task}-{number}"), budget: format!("leaf-{}", task % 8), amount, kind }
    };
    (0..count).map(wish).collect()
}

/// One task, and what it was told.
#[derive(Debug, Clone)]
struct Task {
    wishes: Vec<Wish>,
    /// The wish that it is at, and whether that is set aside already.
    at: usize,
    is_held: bool,
    granted: Grants,
    held: Grants,
    refused: BTreeSet<String>,
}

impl Task {
    fn new(wishes: Vec<Wish>) -> Task {
        Task {
            wishes,
            at: 0,
            is_held: false,
            granted: Grants::new(),
            held: Grants::new(),
            refused: BTreeSet::new(),
        }
    }

    /// What it asks for next. An id of its own, so that after an unknown outcome it can ask again.
    fn next(&self) -> Option<Request> {
        let Wish { id, budget, amount, kind } = self.wishes.get(self.at)?;
        let spend_of = |amount| Spend::of(amount).id(id.as_str());
        Some(match kind {
            WishKind::Spend => RecordSpend::new(budget.as_str(), spend_of(*amount)).into(),
            WishKind::Hold(_) if !self.is_held => {
                NewReservation::new(budget.as_str(), *amount).id(id.as_str()).ttl(Ttl::NEVER).into()
            }
            WishKind::Hold(Some(amount)) => {
                Settle { reservation_id: id.as_str().into(), spend: spend_of(*amount) }.into()
            }
            // A release is no key of its own: asked again it is refused, since the reservation has ended.
            WishKind::Hold(None) => {
                Request::from(Release { reservation_id: id.as_str().into() }).key(format!("release {id}"))
            }
        })
    }

    /// Takes note of an answer. Whether the engine still runs.
    fn note(&mut self, answer: Result<Receipt, CommandError>) -> bool {
        let Wish { id, amount, kind, .. } = self.wishes[self.at].clone();
        let mut is_over = true;
        match (answer, kind) {
            (Ok(_), WishKind::Spend) => drop(self.granted.insert(id, amount)),
            (Ok(_), WishKind::Hold(_)) if !self.is_held => {
                self.held.insert(id, amount);
                is_over = false;
            }
            (Ok(_), WishKind::Hold(Some(settled))) => drop(self.granted.insert(id, settled)),
            (Ok(_), WishKind::Hold(None)) => {}
            (Err(CommandError::Refused(refusal)), _) => {
                assert_eq!(refusal.kind, RefusalKind::BudgetExceeded, "{refusal}");
                assert!(refusal.spent + refusal.reserved + amount > refusal.limit.unwrap(), "{refusal}");
                assert!(!self.is_held, "what is held can be settled: {refusal}");
                self.refused.insert(id);
            }
            (Err(CommandError::Engine(error)), _) => {
                assert!(matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Halted), "{error}");
                return false;
            }
            (Err(CommandError::Rejected(rejection)), _) => panic!("{rejection:?}"),
        }
        self.is_held = !is_over;
        self.at += usize::from(is_over);
        true
    }

    /// Works until all is done, or the engine halts.
    fn work(&mut self, engine: &Blocking) {
        while let Some(request) = self.next() {
            if !self.note(engine.execute(request)) {
                return;
            }
        }
    }
}

/// All tasks at once, each on a thread of its own.
fn work(engine: &Blocking, tasks: &mut [Task]) {
    thread::scope(|scope| {
        for task in tasks {
            scope.spawn(|| task.work(engine));
        }
    });
}

/// Folds the journal, and checks at every `seq` that no hard limit is passed. What it says was booked and set aside.
fn audit(disk: &SimulatedDisk) -> (Projection, Grants, Grants) {
    let (mut projection, mut booked, mut held) = (Projection::default(), Grants::new(), Grants::new());
    for line in lines(disk).unwrap() {
        let event = tallybook::event::decode_event(&line.bytes).unwrap();
        projection.apply(&event).unwrap();
        for budget in projection.state.budgets().filter(|budget| budget.terms.hard) {
            let used = budget.spent + budget.reserved;
            assert!(budget.limit().is_none_or(|limit| used <= limit), "{} at seq {}", budget.id, event.seq);
            assert_eq!(budget.overage_total, 0, "{} at seq {}", budget.id, event.seq);
        }
        let (id, amount, all) = match event.payload {
            Payload::SpendRecorded(spend) => (spend.spend_id.to_string(), spend.amount, &mut booked),
            Payload::ReservationMade(made) => (made.reservation_id.to_string(), made.amount, &mut held),
            _ => continue,
        };
        assert_eq!(all.insert(id, amount), None, "booked twice, at seq {}", event.seq);
    }
    (projection, booked, held)
}

/// What was granted and what is in the journal is the same, and the sums are those of it.
fn check(disk: &SimulatedDisk, tasks: &[Task]) {
    let (projection, booked, held) = audit(disk);
    let all = |of: fn(&Task) -> &Grants| -> Grants { tasks.iter().flat_map(of).map(own).collect() };
    assert_eq!(all(|task| &task.granted), booked, "granted, and booked");
    assert_eq!(all(|task| &task.held), held, "granted, and set aside");
    for id in tasks.iter().flat_map(|task| &task.refused) {
        assert!(!booked.contains_key(id) && !held.contains_key(id), "{id} was refused");
    }
    let state = &projection.state;
    for leaf in 0..8_u64 {
        let of_leaf = |id: &String| id.split_once('-').unwrap().0.parse::<u64>().unwrap() % 8 == leaf;
        let sum: u128 = booked.iter().filter(|(id, _)| of_leaf(id)).map(|(_, amount)| amount).sum();
        assert_eq!(state.budget(&BudgetId::from(format!("leaf-{leaf}"))).unwrap().spent, sum, "leaf {leaf}");
    }
    let account = state.budget(&"account".into()).unwrap();
    assert_eq!(
        (account.spent, account.reserved),
        (booked.values().sum(), 0),
        "exact, and nothing left behind"
    );
    let refused = tasks.iter().map(|task| task.refused.len()).sum::<usize>();
    assert!(refused > 100 && booked.len() > 100, "{refused} refused, {} granted", booked.len());
    assert!(account.remaining() < Some(100), "the limit was filled: {account:?}");
}

fn own((id, amount): (&String, &u128)) -> (String, u128) {
    (id.clone(), *amount)
}

#[test]
fn threads_over_one_tree_never_overspend_and_lose_no_grant() {
    let disk = SimulatedDisk::new(1);
    let engine = Options::new().open_storage(disk.process()).unwrap().blocking();
    tree(&engine);
    let mut tasks: Vec<Task> = (0..TASKS).map(|task| Task::new(wishes(task, 16, 7))).collect();
    work(&engine, &mut tasks);
    let head = engine.view().head();
    engine.shutdown(DEADLINE).unwrap();
    check(&disk, &tasks);
    assert_eq!(audit(&disk).0.state.state_hash(), head.state_hash, "law FOLD");
}

/// The same with asynchronous tasks and with holds, a third of which are dropped.
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
    let (projection, booked, _) = audit(&disk);
    assert_eq!(booked, settled);
    assert_eq!(projection.state.state_hash(), view.state_hash());
}

async fn hold_and_settle(engine: tallybook::Engine, task: u64) -> Grants {
    let mut settled = Grants::new();
    for Wish { id, budget, amount, kind } in wishes(task, 16, 11) {
        match engine.reserve(budget.as_str(), amount, Ttl::secs(3_600)).await {
            Ok(hold) => {
                if let WishKind::Hold(Some(amount)) = kind {
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

fn options(seed: u64, clock: &ManualClock) -> Options {
    let durability = match seed % 3 {
        0 => Durability::Interval(Duration::from_millis(1)),
        _ => Durability::Sync,
    };
    Options::new().entropy(SeededEntropy::new(seed)).clock(clock.clone()).durability(durability)
}

/// At synced durability the power is cut; at interval durability, which a power cut may take something from, only the
/// process is killed.
fn killed_at_random(seed: u64) {
    let (chance, clock, disk) = (SeededEntropy::new(seed), clock(), SimulatedDisk::new(seed));
    let engine = options(seed, &clock).open_storage(disk.process()).unwrap().blocking();
    tree(&engine);
    engine.shutdown(DEADLINE).unwrap();
    drop(engine);
    let mut tasks: Vec<Task> = (0..TASKS).map(|task| Task::new(wishes(task, 10, seed))).collect();
    let mut sessions = 0;
    while tasks.iter().any(|task| task.next().is_some()) {
        sessions += 1;
        // The last ones may end in peace.
        let bound = if sessions < 12 { 90 } else { 1 << 40 };
        disk.power_cut_at(disk.operations() + chance.below(bound));
        let opened =
            options(seed, &clock).entropy(SeededEntropy::new(chance.next_u64())).open_storage(disk.process());
        if let Ok(engine) = opened.map(|engine| engine.blocking()) {
            work(&engine, &mut tasks);
            // The power may go at the last moment, too.
            assert!(engine.shutdown(DEADLINE).is_ok() || disk.is_off());
        } else {
            assert!(disk.is_off(), "an honest journal was refused");
        }
        match seed % 3 {
            0 => disk.kill(),
            _ => disk.restart(Survivors::Seeded),
        }
        audit(&disk);
    }
    check(&disk, &tasks);
}

#[test]
fn killed_at_random_they_never_overspend_and_lose_no_grant() {
    let test = "killed_at_random_they_never_overspend_and_lose_no_grant";
    rounds("budget_concurrency", test, 9, killed_at_random);
}
