//! Holds: what dropping, settling and keeping a reservation's guard does, whatever the writer is at.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

#[path = "common/threads.rs"]
mod threads;

use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use tallybook::storage::{Fault, SimulatedDisk};
use tallybook::{
    Blocking, CommandError, Engine, ErrorKind, FeedItem, KeyWindow, MarkUnknown, NewBudget, NewGoal,
    NewReservation, Options, Pending, RefusalKind, RejectionKind, Release, Request, ReservationId,
    ReservationStatus, Settle, Spend, Start, Ttl,
};
use threads::{GatedClock, PATIENCE, eventually, in_time};

const TTL: Ttl = Ttl::secs(60);

fn inline(disk: &SimulatedDisk) -> Blocking {
    let engine = Options::new().inline().open_storage(disk.process()).unwrap().blocking();
    if engine.view().seq() == 0 {
        engine.allocate(NewBudget::new("task").limit(100)).unwrap();
    }
    engine
}

/// An engine whose writer can be held up.
fn gated(inbox_capacity: usize) -> (Engine, GatedClock) {
    let clock = GatedClock::default();
    let options = Options::new().inbox_capacity(inbox_capacity).clock(clock.clone());
    let engine = options.open_storage(SimulatedDisk::new(1).process()).unwrap();
    engine.blocking().allocate(NewBudget::new("task").limit(100)).unwrap();
    (engine, clock)
}

fn reserved(engine: &Engine) -> u128 {
    engine.view().budget(&"task".into()).unwrap().reserved
}

fn status(engine: &Engine, id: &ReservationId) -> ReservationStatus {
    engine.view().reservation(id).unwrap().status
}

/// Fills the inbox of a writer that is held up.
fn fill(engine: &Engine) {
    let mut n = 0;
    eventually("the inbox is full", || {
        n += 1;
        let filler = NewGoal::new("filler").scope(format!("{n}"));
        engine.try_submit(filler).is_err_and(|error| *error.kind() == ErrorKind::Busy).then_some(())
    });
}

#[test]
fn a_dropped_hold_is_released_and_what_comes_after_it_finds_the_room() {
    let engine = inline(&SimulatedDisk::new(1));
    let hold = engine.reserve("task", 100, TTL).unwrap();
    assert_eq!((hold.amount(), reserved(engine.engine())), (100, 100));
    let id = hold.id().clone();
    drop(hold);
    assert_eq!((status(engine.engine(), &id), reserved(engine.engine())), (ReservationStatus::Released, 0));
    engine.reserve("task", 100, TTL).unwrap().settle(Spend::of(100)).unwrap();
}

#[test]
fn dropping_waits_for_nobody_even_if_the_inbox_is_full() {
    let (engine, clock) = gated(1);
    let hold = engine.blocking().reserve("task", 40, TTL).unwrap();
    clock.gate.close();
    fill(&engine);
    in_time("the drop", move || drop(hold));
    eventually("it is seen to wait", || (engine.health().pending_releases == 1).then_some(()));
    assert_eq!(reserved(&engine), 40);
    clock.gate.open();
    eventually("the release", || (reserved(&engine) == 0).then_some(()));
    let health = engine.health();
    assert_eq!((health.pending_releases, health.dropped_releases, health.inbox_depth), (0, 0, 0));
}

#[test]
fn dropping_the_last_handle_in_a_hold_waits_for_nobody_either() {
    let clock = GatedClock::default();
    let dir = tempfile::tempdir().unwrap();
    let engine = Options::new().clock(clock.clone()).open_blocking(dir.path()).unwrap();
    engine.allocate(NewBudget::new("task").limit(100)).unwrap();
    let hold = engine.reserve("task", 40, TTL).unwrap();
    let id = hold.id().clone();
    drop(engine);
    clock.gate.close();
    in_time("the drop", move || drop(hold));
    assert_eq!(*Blocking::open(dir.path()).unwrap_err().kind(), ErrorKind::Locked, "it is still closing");
    clock.gate.open();
    let engine = eventually("the engine is closed", || Blocking::open(dir.path()).ok());
    assert_eq!(status(engine.engine(), &id), ReservationStatus::Released);
}

#[test]
fn a_reservation_whose_caller_has_gone_is_released() {
    let (engine, clock) = gated(8);
    for is_answered in [false, true] {
        clock.gate.close();
        let mut reserving = Box::pin(engine.reserve("task", 40, TTL));
        assert!(reserving.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let made = engine.view().seq() + 1;
        if is_answered {
            clock.gate.open();
            engine.blocking().wait_for(made).unwrap();
            drop(reserving);
        } else {
            drop(reserving);
            clock.gate.open();
        }
        let is_released = || engine.view().seq() > made && reserved(&engine) == 0;
        eventually(&format!("the release, answered: {is_answered}"), || is_released().then_some(()));
    }
}

/// Has the writer stand still with a command, so that what comes now waits for its next batch.
fn held_up(engine: &Engine, clock: &GatedClock) -> Pending {
    loop {
        clock.gate.close();
        let filler = engine.try_submit(NewGoal::new("filler")).unwrap();
        let until = Instant::now() + Duration::from_millis(500);
        while Instant::now() < until {
            if engine.health().inbox_depth == 0 {
                return filler;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // It was looking at the clock already when the gate closed, and has taken nothing.
        clock.gate.open();
        filler.wait().unwrap();
    }
}

/// It was answered in the very batch with which the engine ends, and nobody waited for the answer any more.
#[test]
fn a_reservation_of_whoever_has_gone_is_released_before_the_end() {
    let (disk, clock) = (SimulatedDisk::new(1), GatedClock::default());
    let engine = Options::new().clock(clock.clone()).open_storage(disk.process()).unwrap();
    engine.blocking().allocate(NewBudget::new("task").limit(100)).unwrap();
    let filler = held_up(&engine, &clock);
    let mut context = Context::from_waker(Waker::noop());
    let mut reserving = Box::pin(engine.reserve("task", 40, Ttl::NEVER));
    assert!(reserving.as_mut().poll(&mut context).is_pending());
    drop(reserving);
    let mut closing = Box::pin(engine.shutdown(PATIENCE));
    assert!(closing.as_mut().poll(&mut context).is_pending());
    clock.gate.open();
    filler.wait().unwrap();
    engine.blocking().shutdown(PATIENCE).unwrap();
    drop(closing);
    let engine = inline(&disk);
    assert!(engine.view().seq() > 3, "allocated, filler, reserved, released");
    assert_eq!(reserved(engine.engine()), 0);
}

#[test]
fn what_was_ended_is_not_released_again() {
    let engine = inline(&SimulatedDisk::new(1));
    let reserve = || engine.reserve("task", 10, TTL).unwrap();
    let settled = reserve();
    assert_eq!(settled.settle(Spend::of(7)).unwrap().amount, 7);
    let released = reserve();
    assert_eq!(released.release().unwrap().status, ReservationStatus::Released);
    let unknown = reserve();
    assert_eq!(unknown.mark_unknown().unwrap().status, ReservationStatus::Unknown);
    let by_id = reserve();
    engine.execute(MarkUnknown { reservation_id: by_id.id().clone() }).unwrap();
    let kept = reserve().keep();
    let seq = engine.view().seq();
    drop((settled, released, unknown, by_id));
    assert_eq!(engine.settled_view().unwrap().seq(), seq, "nothing was written");
    assert_eq!(status(engine.engine(), &kept), ReservationStatus::Open);
    assert_eq!(reserved(engine.engine()), 30, "two unknown, one kept");
}

#[test]
fn a_settlement_that_was_not_done_can_be_tried_again() {
    let disk = SimulatedDisk::new(1);
    let engine = inline(&disk);
    let hold = engine.reserve("task", 10, TTL).unwrap();
    let nameless = Spend::of(7).quantity("", 1);
    assert!(matches!(hold.settle(nameless), Err(CommandError::Rejected(_))));
    assert_eq!(hold.settle(Spend::of(7)).unwrap().amount, 7);
    assert_eq!(hold.settle(Spend::of(7)).unwrap().amount, 7, "the same again is a retry");
    assert!(matches!(hold.settle(Spend::of(8)), Err(CommandError::Rejected(_))));
    drop(hold);

    let hold = engine.reserve("task", 10, TTL).unwrap();
    assert!(matches!(hold.settle(Spend::of(7).quantity("", 1)), Err(CommandError::Rejected(_))));
    let id = hold.id().clone();
    drop(hold);
    assert_eq!(status(engine.engine(), &id), ReservationStatus::Released, "what was not settled is released");
    let late = engine.settle(Settle { reservation_id: id, spend: Spend::of(7) }).unwrap();
    assert!(late.late);
}

/// Law HALT: whether it was settled is not known, so that nothing is done about it.
#[test]
fn after_an_unknown_outcome_a_hold_stays_as_it_is() {
    for step in 0..2 {
        let disk = SimulatedDisk::new(1);
        let engine = inline(&disk);
        let hold = engine.reserve("task", 10, TTL).unwrap();
        let open = engine.reserve("task", 10, TTL).unwrap();
        disk.fail_at(disk.operations() + step, Fault::Eio);
        let Err(CommandError::Engine(error)) = hold.settle(Spend::of(7)) else { panic!("no error") };
        assert_eq!(*error.kind(), ErrorKind::OutcomeUnknown, "step {step}");
        drop(hold);
        assert_eq!(engine.health().dropped_releases, 0);
        drop(open);
        assert_eq!(engine.health().dropped_releases, 1, "this one was to be released, and shows");
    }
}

#[test]
fn a_release_that_finds_no_room_on_the_disk_waits_for_it() {
    let disk = SimulatedDisk::new(1);
    let engine = inline(&disk);
    let hold = engine.reserve("task", 10, TTL).unwrap();
    disk.set_capacity(Some(disk.used()));
    let is_full = |error: &CommandError| matches!(error, CommandError::Engine(error) if *error.kind() == ErrorKind::NoSpace);
    let mut n = 0;
    eventually("the disk is full", || {
        n += 1;
        engine
            .create_goal(NewGoal::new("filler").scope(format!("{n}")))
            .is_err_and(|error| is_full(&error))
            .then_some(())
    });
    drop(hold);
    assert_eq!((engine.health().pending_releases, reserved(engine.engine())), (1, 10));
    disk.set_capacity(None);
    engine.settled_view().unwrap();
    assert_eq!((engine.health().pending_releases, reserved(engine.engine())), (0, 0));
}

#[test]
fn the_hold_of_a_retry_is_of_the_reservation_that_was_made_before() {
    let engine = inline(&SimulatedDisk::new(1));
    let new = || NewReservation::new("task", 10).id("r-1").ttl(TTL);
    let first = engine.reserve_with(new()).unwrap();
    let again = engine.reserve_with(Request::new(new()).actor("agent")).unwrap();
    assert_eq!((first.id(), reserved(engine.engine())), (again.id(), 10));
    again.settle(Spend::of(4)).unwrap();
    drop(first);
    assert_eq!(status(engine.engine(), &"r-1".into()), ReservationStatus::Settled);
    let ended = engine.reserve_with(new()).unwrap();
    assert_eq!(ended.reservation().status, ReservationStatus::Settled);
}

#[test]
fn only_what_reserves_has_a_hold() {
    let engine = inline(&SimulatedDisk::new(1));
    let seq = engine.view().seq();
    let Err(CommandError::Engine(error)) = engine.reserve_with(NewBudget::new("other").limit(1)) else {
        panic!("it has")
    };
    assert_eq!((error.kind(), engine.view().seq()), (&ErrorKind::InvalidArgument, seq));
}

#[test]
fn a_hold_that_has_ended_says_so_and_a_refused_one_is_none() {
    let engine = inline(&SimulatedDisk::new(1));
    let hold = engine.reserve("task", 60, TTL).unwrap();
    let Err(CommandError::Refused(refusal)) = engine.reserve("task", 60, TTL) else { panic!("no refusal") };
    assert_eq!((refusal.kind, refusal.reserved), (RefusalKind::BudgetExceeded, 60));
    engine.execute(Release { reservation_id: hold.id().clone() }).unwrap();
    let Err(CommandError::Refused(refusal)) = hold.release() else { panic!("no refusal") };
    assert_eq!(refusal.kind, RefusalKind::ReservationGone);
    let seq = engine.view().seq();
    drop(hold);
    assert_eq!(engine.settled_view().unwrap().seq(), seq, "a drop is no refused command");
}

#[tokio::test]
async fn a_hold_works_in_tasks() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).await.unwrap();
    engine.allocate(NewBudget::new("task").limit(100)).await.unwrap();
    let tasks: Vec<_> = (0..16_u32)
        .map(|task| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let Ok(hold) = engine.reserve("task", 30, TTL).await else { return 0 };
                if task % 2 == 0 {
                    return 0;
                }
                hold.settle(Spend::of(1)).await.unwrap().amount
            })
        })
        .collect();
    let mut spent = 0;
    for task in tasks {
        spent += task.await.unwrap();
    }
    let view = engine.settled_view().await.unwrap();
    let budget = view.budget(&"task".into()).unwrap();
    assert_eq!((budget.spent, budget.reserved), (spent, 0));
    engine.shutdown(PATIENCE).await.unwrap();
}

#[test]
fn who_reserved_is_who_settles() {
    let engine = inline(&SimulatedDisk::new(1));
    let reserve = Request::new(NewReservation::new("task", 10)).actor("ada").session("s-1");
    let hold = engine.reserve_with(reserve).unwrap();
    let mut feed = engine.engine().subscribe(Start::Now).unwrap();
    hold.settle(Spend::of(7)).unwrap();
    let spend = loop {
        match feed.try_next().unwrap() {
            Some(FeedItem::Event(item)) => break item.event.clone(),
            Some(_) => {}
            None => panic!("expected the spend"),
        }
    };
    assert_eq!((spend.actor.as_deref(), spend.session_id.as_deref()), (Some("ada"), Some("s-1")));
}

#[test]
fn a_retry_of_what_is_forgotten_says_so_and_holds_nothing() {
    let options = Options::new().inline().key_window(KeyWindow { max_age_ms: 60_000, max_count: 2 });
    let engine = options.open_storage(SimulatedDisk::new(1).process()).unwrap().blocking();
    engine.allocate(NewBudget::new("task").limit(100)).unwrap();
    let keyed = || Request::new(NewReservation::new("task", 10)).key("k");
    drop(engine.reserve_with(keyed()).unwrap());
    for _ in 0..2 {
        drop(engine.reserve("task", 10, TTL).unwrap());
    }
    let Err(CommandError::Rejected(rejection)) = engine.reserve_with(keyed()) else { panic!() };
    assert_eq!(rejection.kind, RejectionKind::Forgotten);
    assert!(rejection.message.contains("done before at seq"), "{}", rejection.message);
    assert_eq!(reserved(engine.engine()), 0);
}

/// Admission fails closed.
#[test]
fn an_engine_that_has_ended_allows_nothing() {
    let engine = inline(&SimulatedDisk::new(1));
    assert!(engine.check("task", 1).is_ok());
    engine.shutdown(PATIENCE).unwrap();
    assert!(
        matches!(engine.check("task", 1), Err(CommandError::Engine(error)) if *error.kind() == ErrorKind::Closed)
    );
}
