//! Budgets at the engine: what is due by the clock, entries beyond what is remembered, charges of turns that are added
//! up, and guards for tools.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "common/threads.rs"]
mod threads;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tallybook::domain::Elapse;
use tallybook::storage::{SimulatedDisk, Storage};
use tallybook::{
    AdjustBudget, Blocking, BudgetGuard, CloseBudget, CommandError, Engine, EngineGuard, ErrorKind, Fraction,
    JournalReader, KeyWindow, ManualClock, NewBudget, NewGoal, ObserveMeter, Options, Payload, RefusalKind,
    RejectionKind, ReservationStatus, ResetMeter, ReverseSpend, SetProgress, Spend, SpendQuery, Ttl, Turn,
    Window,
};
use threads::{GatedClock, eventually};

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

fn hourly() -> Window {
    Window { every: "hour".into(), anchor: None, tz: None }
}

/// An engine without a thread, on a clock that stands still.
fn inline(disk: &SimulatedDisk, clock: &ManualClock) -> Blocking {
    let options = Options::new().inline().clock(clock.clone());
    options.open_storage(disk.process()).unwrap().blocking()
}

// ---- what is due by the clock -------------------------------------------------------------------------------------

/// Law HONEST: an expiry and a roll are events, and come before what is asked after their time.
#[test]
fn law_honest_what_is_due_comes_before_what_is_asked() {
    let (disk, clock) = (SimulatedDisk::new(1), ManualClock::default());
    let engine = inline(&disk, &clock);
    engine.allocate(NewBudget::new("task").limit(100).window(hourly())).unwrap();
    engine.record_spend("task", Spend::of(60)).unwrap();
    let id = engine.reserve("task", 40, Ttl::secs(30)).unwrap().keep();
    clock.advance(Duration::from_millis(29_999));
    assert!(matches!(engine.check("task", 1), Err(CommandError::Refused(_))), "not yet");
    clock.advance(Duration::from_millis(1));
    assert_eq!(engine.check("task", 40).unwrap().remaining, Some(40), "a check does not wait for a command");
    assert_eq!(engine.view().reservation(&id).unwrap().status, ReservationStatus::Expired);
    clock.advance(minutes(60));
    engine.record_spend("task", Spend::of(100)).unwrap();
    clock.advance(minutes(60));
    assert_eq!(engine.settled_view().unwrap().budget(&"task".into()).unwrap().spent, 0);
    drop(engine);
    let kinds = kinds(&disk);
    let times = |kind: &str| kinds.get(kind).copied().unwrap_or(0);
    assert_eq!((times("reservation_expired"), times("window_rolled")), (1, 2));
}

fn kinds(disk: &SimulatedDisk) -> BTreeMap<String, u64> {
    let storage: Arc<dyn Storage> = disk.process();
    JournalReader::with_storage(storage).unwrap().statistics().unwrap().events_by_kind
}

#[test]
fn the_writer_sees_the_time_by_itself_even_if_the_clock_jumps() {
    let clock = ManualClock::default();
    let engine = Options::new().clock(clock.clone()).open_in_memory().unwrap();
    engine.allocate(NewBudget::new("task").limit(100)).unwrap();
    let id = engine.reserve("task", 40, Ttl::secs(3_600)).unwrap().keep();
    clock.advance(minutes(60));
    eventually("the expiry", || {
        (engine.view().reservation(&id).unwrap().status == ReservationStatus::Expired).then_some(())
    });
}

#[test]
fn what_came_due_while_the_journal_was_closed_happens_at_its_opening() {
    let (disk, clock) = (SimulatedDisk::new(1), ManualClock::default());
    let open = || Options::new().clock(clock.clone()).open_storage(disk.process()).unwrap().blocking();
    let engine = open();
    engine.allocate(NewBudget::new("task").limit(100)).unwrap();
    let id = engine.reserve("task", 40, Ttl::secs(30)).unwrap().keep();
    drop(engine);
    clock.advance(minutes(1));
    let engine = open();
    eventually("the expiry", || {
        (engine.view().reservation(&id).unwrap().status == ReservationStatus::Expired).then_some(())
    });
}

#[test]
fn much_that_is_due_at_once_goes_into_frames_of_bounded_size() {
    let (disk, clock) = (SimulatedDisk::new(1), ManualClock::default());
    let engine = inline(&disk, &clock);
    engine.allocate(NewBudget::new("task").unlimited()).unwrap();
    for _ in 0..600 {
        engine.reserve("task", 1, Ttl::secs(30)).unwrap().keep();
    }
    clock.advance(minutes(1));
    let first = engine.view().seq() + 1;
    assert_eq!(engine.settled_view().unwrap().budget(&"task".into()).unwrap().reserved, 0);
    drop(engine);
    let storage: Arc<dyn Storage> = disk.process();
    let reader = JournalReader::with_storage(storage).unwrap();
    let mut events = reader.events(first).unwrap();
    let mut frames: BTreeMap<u64, usize> = BTreeMap::new();
    while let Some(event) = events.next().unwrap() {
        assert!(matches!(event.decode().unwrap().payload, Payload::ReservationExpired(_)));
        *frames.entry(event.location().offset).or_default() += 1;
    }
    assert_eq!(frames.into_values().collect::<Vec<_>>(), [256, 256, 88]);
}

#[test]
fn what_is_due_and_finds_no_room_keeps_nobody_from_an_answer() {
    let (disk, clock) = (SimulatedDisk::new(1), ManualClock::default());
    let engine = inline(&disk, &clock);
    engine.allocate(NewBudget::new("task").limit(100)).unwrap();
    let id = engine.reserve("task", 40, Ttl::secs(30)).unwrap().keep();
    disk.set_capacity(Some(disk.used()));
    let mut n = 0;
    let error = eventually("the disk is full", || {
        n += 1;
        engine.create_goal(NewGoal::new("filler").scope(format!("{n}"))).err()
    });
    assert!(matches!(&error, CommandError::Engine(error) if *error.kind() == ErrorKind::NoSpace), "{error}");
    clock.advance(minutes(1));
    let view = engine.settled_view().unwrap();
    assert_eq!(view.reservation(&id).unwrap().status, ReservationStatus::Open, "no event, no expiry");
    assert!(matches!(engine.allocate(NewBudget::new("task").limit(1)), Err(CommandError::Rejected(_))));
    disk.set_capacity(None);
    let view = engine.settled_view().unwrap();
    assert_eq!(view.reservation(&id).unwrap().status, ReservationStatus::Expired);
}

#[test]
fn law_honest_no_host_can_let_time_pass() {
    let engine = Options::new().open_in_memory().unwrap();
    let Err(CommandError::Rejected(rejection)) = engine.execute(Elapse { max_events: 1 }) else {
        panic!("not rejected")
    };
    assert_eq!(rejection.kind, RejectionKind::Invalid);
}

// ---- typed methods ------------------------------------------------------------------------------------------------

#[test]
fn each_typed_method_answers_with_what_it_is_about() {
    let clock = ManualClock::default();
    let engine = Options::new().clock(clock.clone()).open_in_memory().unwrap();
    let half = Fraction::from_ppm(500_000).unwrap();
    let made = engine.allocate(NewBudget::new("task").limit(100).unit("usd-micro")).unwrap();
    assert_eq!((made.limit(), made.available), (Some(100), Some(100)));
    let adjust = AdjustBudget::new("task").limit(200).thresholds([half]);
    assert_eq!(engine.adjust_budget(adjust).unwrap().limit(), Some(200));
    let progress = SetProgress { budget_id: "task".into(), progress: half };
    assert_eq!(engine.set_progress(progress).unwrap().progress, Some(half));
    let spend = engine.record_spend("task", Spend::of(30).id("s-1")).unwrap();
    assert_eq!((spend.spend_id.to_string(), spend.incurred), ("s-1".into(), false));
    assert!(engine.record_incurred("task", Spend::of(30)).unwrap().incurred);
    assert_eq!(engine.reverse_spend(ReverseSpend::part("s-1", 10)).unwrap().reversed, 10);
    let observed = engine.observe_meter(ObserveMeter::cumulative("m", 7).budget("task")).unwrap();
    assert_eq!((observed.total, observed.budget_id), (7, Some("task".into())));
    let reset = ResetMeter { meter_id: "m".into(), baseline: 3 };
    assert_eq!(engine.reset_meter(reset).unwrap().total, 3);
    clock.advance(minutes(2));
    let burnt = engine.burn_rate("task", None).unwrap();
    assert_eq!((burnt.amount, burnt.per_minute()), (57, 28));
    assert_eq!(engine.burn_rate("task", Some(minutes(1))).unwrap().amount, 0);
    let Err(CommandError::Rejected(rejection)) = engine.burn_rate("none", None) else {
        panic!("not rejected")
    };
    assert_eq!(rejection.kind, RejectionKind::NotFound);
    let id = engine.reserve("task", 5, Ttl::NEVER).unwrap().keep();
    let closed = engine.close_budget(CloseBudget::new("task")).unwrap();
    assert_eq!((closed.spent, closed.entry_count), (57, 3));
    assert_eq!(&*closed.closing.as_ref().unwrap().released, [id]);
    let Err(CommandError::Refused(refusal)) = engine.check("task", 1) else { panic!("not refused") };
    assert_eq!((refusal.kind, refusal.seq), (RefusalKind::BudgetClosed, None));
}

// ---- entries ------------------------------------------------------------------------------------------------------

/// The amounts of a list and what was taken back of each.
fn listed(engine: &Blocking, query: &SpendQuery) -> Vec<(u128, u128)> {
    engine.list_spends(query).unwrap().iter().map(|spend| (spend.amount, spend.reversed)).collect()
}

#[test]
fn entries_that_are_not_remembered_are_read_from_the_journal() {
    let disk = SimulatedDisk::new(1);
    let window = KeyWindow { max_count: 3, ..KeyWindow::DEFAULT };
    let engine = Options::new().inline().key_window(window).open_storage(disk.process()).unwrap().blocking();
    engine.allocate(NewBudget::new("a").limit(1_000)).unwrap();
    engine.allocate(NewBudget::new("b").limit(1_000)).unwrap();
    let spend = |n: u128| {
        let budget = if n.is_multiple_of(2) { "a" } else { "b" };
        engine.record_spend(budget, Spend::of(n).id(format!("s-{n}"))).unwrap();
    };
    spend(1);
    spend(2);
    let query = SpendQuery::default();
    assert_eq!(listed(&engine, &query), [(2, 0), (1, 0)]);
    let reads = disk.reads();
    assert_eq!((listed(&engine, &query).len(), disk.reads()), (2, reads), "what is remembered takes no disk");
    engine.reverse_spend(ReverseSpend::part("s-2", 1)).unwrap();
    engine.reverse_spend(ReverseSpend::part("s-1", 1)).unwrap();
    (3..=9).for_each(spend);
    assert!(engine.view().spend(&"s-5".into()).is_none(), "it is forgotten");

    let all = [(9, 0), (8, 0), (7, 0), (6, 0), (5, 0), (4, 0), (3, 0), (2, 1), (1, 1)];
    assert_eq!(listed(&engine, &query), all);
    assert_eq!(listed(&engine, &SpendQuery { limit: 5, ..query.clone() }), all[..5]);
    let before = |id: &str| SpendQuery { before: Some(id.into()), ..query.clone() };
    assert_eq!(listed(&engine, &before("s-9")), all[1..], "before one that is remembered");
    assert_eq!(listed(&engine, &before("s-3")), all[7..], "before one that is not");
    let unknown = engine.list_spends(&before("s-0")).unwrap_err();
    assert!(
        matches!(unknown, CommandError::Rejected(rejection) if rejection.kind == RejectionKind::NotFound)
    );
    let of_a = SpendQuery { budget_id: Some("a".into()), ..query.clone() };
    assert_eq!(listed(&engine, &of_a), [(8, 0), (6, 0), (4, 0), (2, 1)]);
    let page = SpendQuery { limit: 2, before: Some("s-6".into()), ..of_a };
    assert_eq!(listed(&engine, &page), [(4, 0), (2, 1)]);
}

#[test]
fn a_reversal_answers_with_its_spend_even_if_that_is_forgotten_by_it() {
    let (disk, clock) = (SimulatedDisk::new(1), ManualClock::default());
    let engine = inline(&disk, &clock);
    engine.allocate(NewBudget::new("a").limit(1_000)).unwrap();
    engine.record_spend("a", Spend::of(10).id("x")).unwrap();
    clock.advance(minutes(25 * 60));
    let reversed = engine.reverse_spend(ReverseSpend::part("x", 4)).unwrap();
    assert_eq!((reversed.amount, reversed.reversed), (10, 4));
    assert!(
        engine.view().spend(&"x".into()).is_none(),
        "nothing was old before an event said what time it is"
    );
    assert_eq!(listed(&engine, &SpendQuery::default()), [(10, 4)]);
}

#[test]
fn an_id_that_was_forgotten_and_given_again_is_another_spend() {
    let disk = SimulatedDisk::new(1);
    let window = KeyWindow { max_count: 1, ..KeyWindow::DEFAULT };
    let engine = Options::new().inline().key_window(window).open_storage(disk.process()).unwrap().blocking();
    engine.allocate(NewBudget::new("a").limit(1_000)).unwrap();
    for (id, amount) in [("x", 10), ("y", 20), ("x", 30), ("z", 40)] {
        engine.record_spend("a", Spend::of(amount).id(id)).unwrap();
        if amount == 30 {
            engine.reverse_spend(ReverseSpend::part("x", 5)).unwrap();
        }
    }
    assert_eq!(listed(&engine, &SpendQuery::default()), [(40, 0), (30, 5), (20, 0), (10, 0)]);
    engine.allocate(NewBudget::new("b").limit(1_000)).unwrap();
    engine.record_spend("b", Spend::of(50).id("x")).unwrap();
    engine.reverse_spend(ReverseSpend::part("x", 6)).unwrap();
    engine.record_spend("b", Spend::of(60)).unwrap();
    let of = |budget: &str| SpendQuery { budget_id: Some(budget.into()), ..SpendQuery::default() };
    assert_eq!(listed(&engine, &of("a")), [(40, 0), (30, 5), (20, 0), (10, 0)], "none of the other budget's");
    assert_eq!(listed(&engine, &of("b")), [(60, 0), (50, 6)]);
}

// ---- turns that are added up --------------------------------------------------------------------------------------

#[test]
fn law_exact_charges_of_turns_that_are_added_up_are_booked_to_the_last() {
    let clock = GatedClock::default();
    let options = Options::new().inbox_capacity(1).clock(clock.clone());
    let engine = options.open_storage(SimulatedDisk::new(1).process()).unwrap().blocking();
    for budget in ["money", "calls"] {
        engine.allocate(NewBudget::new(budget).limit(1_000_000)).unwrap();
    }
    let goal = engine.create_goal(NewGoal::new("one").budget("money")).unwrap();
    clock.gate.close();
    for n in 1..=100 {
        engine.account_turn(goal.id, Turn::tokens(1).charge("money", n).charge("calls", 1));
    }
    engine.account_turn(goal.id, Turn::tokens(1).charge("nowhere", 5).charge("calls", 1));
    let pending = engine.pending_turns().remove(&goal.id).unwrap();
    assert!(pending.turns > 90, "they were added up");
    assert_eq!(pending.charges.len(), 3);
    clock.gate.open();
    let view = engine.flush_turns().unwrap();
    let spent = |budget: &str| view.budget(&budget.into()).unwrap().spent;
    assert_eq!((spent("money"), spent("calls")), (5_050, 101));
    assert_eq!(view.goal(goal.id).unwrap().tokens_used, 101);
    let health = engine.health();
    assert_eq!((health.dropped_turns, health.dropped_charges), (0, 1), "the one to nowhere");
}

// ---- guards -------------------------------------------------------------------------------------------------------

/// A tool that knows nothing of engines.
async fn tool(budget: &dyn BudgetGuard, estimate: u128, cost: u128) -> Result<u128, CommandError> {
    budget.check(estimate).await?;
    let hold = budget.reserve(estimate, Ttl::secs(30)).await?;
    Ok(hold.settle(Spend::of(cost)).await?.amount)
}

#[tokio::test]
async fn a_guard_goes_to_a_tool_as_an_object() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).await.unwrap();
    engine.allocate(NewBudget::new("task").limit(100)).await.unwrap();
    let guard: Arc<dyn BudgetGuard> = engine.guard("task");
    let in_task = tokio::spawn({
        let guard = Arc::clone(&guard);
        async move { tool(&*guard, 60, 50).await }
    });
    assert_eq!(in_task.await.unwrap().unwrap(), 50);
    assert_eq!(guard.budget_id(), &"task".into());
    let Err(CommandError::Refused(refusal)) = tool(&*guard, 60, 50).await else { panic!("not refused") };
    assert_eq!((refusal.kind, refusal.seq, refusal.spent), (RefusalKind::BudgetExceeded, None, 50));
    guard.record(Spend::of(50)).await.unwrap();
    assert!(matches!(guard.record(Spend::of(1)).await, Err(CommandError::Refused(_))));
    assert_eq!(engine.view().budget(&"task".into()).unwrap().spent, 100);
}

#[tokio::test]
async fn a_guard_says_who_asks() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).await.unwrap();
    engine.allocate(NewBudget::new("task").limit(100)).await.unwrap();
    let guard: Box<dyn BudgetGuard> =
        Box::new(EngineGuard::new(&engine, "task").actor("agent").session("s-1"));
    guard.record(Spend::of(1)).await.unwrap();
    guard.reserve(1, Ttl::NEVER).await.unwrap().keep();
    let reader = JournalReader::open(dir.path()).unwrap();
    let mut events = reader.events(2).unwrap();
    let mut seen = 0;
    while let Some(event) = events.next().unwrap() {
        let event = event.decode().unwrap();
        assert_eq!((event.actor.as_deref(), event.session_id.as_deref()), (Some("agent"), Some("s-1")));
        seen += 1;
    }
    assert_eq!(seen, 2);
}
