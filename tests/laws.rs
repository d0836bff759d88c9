//! One test for each law of the design that applies so far, by its name. They say in a few lines what the fault tests
//! (`faults_*.rs`) try at every operation. RETAIN comes with snapshots and pruning.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{
    Answer, DEADLINE, Shadow, Workload, answer_of, clock, copy, lines, must, newest_segment, open, options,
    segments,
};
use tallybook::storage::{Fault, SimulatedDisk, Survivors};
use tallybook::{
    AdjustBudget, Blocking, Charge, CommandError, ErrorKind, FeedItem, GoalStatus, JournalReader,
    ManualClock, NewBudget, NewGoal, RecordTurn, RefusalKind, RejectionKind, Request, ReservationStatus,
    SetGoalBudget, Spend, Start, StateAt, Ttl, Turn, Window,
};

/// A journal with a stream of commands in it, and what has to be there.
fn filled(commands: usize) -> (SimulatedDisk, ManualClock, Shadow, Blocking) {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(21), Shadow::default());
    let mut workload = Workload::new(22);
    let engine = open(&disk, options(1, &clock)).unwrap();
    for _ in 0..commands {
        let request = workload.next(shadow.projection(), &clock);
        must(&engine, &mut shadow, &clock, request);
    }
    (disk, clock, shadow, engine)
}

/// The kinds of the events of a journal.
fn kinds(disk: &SimulatedDisk) -> Vec<&'static str> {
    let all = lines(disk).unwrap();
    all.iter().map(|line| tallybook::event::decode_event(&line.bytes).unwrap().payload.kind()).collect()
}

#[test]
fn law_order_the_journal_the_feed_and_seq_agree_across_rotations_and_restarts() {
    let (disk, clock, mut shadow, engine) = filled(18);
    disk.kill();
    drop(engine);
    let engine = open(&disk, options(2, &clock)).unwrap();
    let request = Workload::new(5).next(shadow.projection(), &clock).key("after the restart");
    must(&engine, &mut shadow, &clock, request);
    assert!(segments(&disk).len() > 3, "it rotated");
    let journal = lines(&disk).unwrap();
    let mut feed = engine.engine().subscribe(Start::Beginning).unwrap();
    let mut fed = Vec::new();
    while let Some(item) = feed.try_next().unwrap() {
        if let FeedItem::Event(event) = item {
            let mut line = Vec::new();
            tallybook::event::encode_event(&event.event, &mut line);
            fed.push((event.event.seq, line));
        }
    }
    let journaled: Vec<_> = journal.into_iter().map(|line| (line.seq, line.bytes)).collect();
    assert_eq!(journaled, fed);
    assert_eq!(fed.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=shadow.seq()).collect::<Vec<_>>());
}

#[test]
fn law_atomic_a_goal_and_the_pause_of_the_one_it_supersedes_are_there_both_or_not_at_all() {
    let prepared = || {
        let (clock, disk) = (clock(), SimulatedDisk::new(1));
        let engine = open(&disk, options(1, &clock).segment_bytes(64 << 10)).unwrap();
        engine.create_goal(NewGoal::new("first")).unwrap();
        (disk, clock, engine)
    };
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let (disk, clock, engine) = prepared();
        disk.power_cut_at(disk.operations() + seed % 3);
        let _ = engine.create_goal(NewGoal::new("second"));
        let disk = disk.fork(seed);
        disk.restart(Survivors::Seeded);
        let engine = open(&disk, options(2, &clock)).unwrap();
        let active = engine.view().active_goal("").unwrap();
        match engine.view().seq() {
            1 => assert_eq!(active.text.as_ref(), "first"),
            3 => assert_eq!(active.text.as_ref(), "second"),
            other => panic!("law ATOMIC: {other} events"),
        }
        seen.insert(engine.view().seq());
    }
    assert_eq!(seen.len(), 2, "both came up");
}

#[test]
fn law_durable_what_is_answered_published_or_fed_is_on_the_disk() {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(21), Shadow::default());
    let mut workload = Workload::new(22);
    let engine = open(&disk, options(1, &clock)).unwrap();
    // Over several rotations: the first makes the spine, too, which syncs the directory by itself.
    for _ in 0..48 {
        let request = workload.next(shadow.projection(), &clock);
        must(&engine, &mut shadow, &clock, request);
        // The worst power cut there can be, right now.
        let cut = disk.fork(1);
        cut.restart(Survivors::Nothing);
        let recovered = open(&cut, options(2, &clock)).unwrap();
        shadow.clone().check(&recovered, &lines(&cut).unwrap());
        assert_eq!(recovered.view().seq(), engine.view().seq());
    }
}

#[test]
fn law_fold_a_replay_anywhere_at_any_time_gives_the_state_of_the_live_engine() {
    let (disk, clock, shadow, engine) = filled(25);
    let live = engine.view().head();
    assert_eq!(shadow.projection().state.state_hash(), live.state_hash);
    let reader = JournalReader::with_storage(disk.process()).unwrap();
    assert_eq!(reader.state(StateAt::End).unwrap().state.state_hash(), live.state_hash);
    assert_eq!(common::refold(&lines(&disk).unwrap()).state_hash(), live.state_hash);
    engine.shutdown(DEADLINE).unwrap();
    // Another clock, other limits, other randomness: evolving reads nothing but events.
    clock.set(tallybook::Timestamp::UNIX_EPOCH);
    let rules = tallybook::Rules { max_text_chars: 1, ..tallybook::Rules::default() };
    let engine = open(&disk, options(99, &clock).rules(rules)).unwrap();
    assert_eq!(engine.view().head().state_hash, live.state_hash);
}

#[test]
fn law_halt_after_a_failed_sync_nothing_goes_on_until_it_is_reopened() {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(21), Shadow::default());
    let engine = open(&disk, options(1, &clock).segment_bytes(64 << 10)).unwrap();
    let id = "0190b5a8-7b1c-7000-8000-000000000001".parse().unwrap();
    must(&engine, &mut shadow, &clock, Request::from(NewGoal::new("one").id(id)));
    let request = Request::from(RecordTurn::goal(id, Turn::tokens(1))).key("retried");
    let published = engine.view().seq();
    let predicted = shadow.predict(&request, &clock);
    disk.fail_at(disk.operations() + 1, Fault::SyncLost);
    let mut waiting = engine.engine().subscribe(Start::Now).unwrap();
    let outcome = engine.execute(request.clone()).unwrap_err();
    let CommandError::Engine(error) = outcome else { panic!("{outcome}") };
    assert_eq!(*error.kind(), ErrorKind::OutcomeUnknown);
    assert!(error.to_string().contains("retry with the same key"), "it says what to do: {error}");
    assert_eq!(answer_of(&engine.execute(NewGoal::new("later"))), Answer::Halted);
    assert_eq!(engine.view().seq(), published);
    while let Ok(item) = waiting.try_next() {
        assert!(!matches!(item, Some(FeedItem::Event(_))), "fed ahead of what is durable");
    }
    // The lock is free although the old engine is still there. The system shows bytes that the disk does not have.
    let engine = open(&disk, options(2, &clock)).unwrap();
    shadow.check(&engine, &lines(&disk).unwrap());
    shadow.expose();
    disk.restart(Survivors::Nothing);
    let engine = open(&disk, options(3, &clock)).unwrap();
    shadow.check(&engine, &lines(&disk).unwrap());
    must(&engine, &mut shadow, &clock, request);
    assert!(matches!(predicted, common::Predicted::Events(_, last) if last == shadow.seq()), "booked once");
}

#[test]
fn law_evidence_recovery_keeps_what_it_does_not_believe_and_edits_nothing() {
    let (disk, clock, shadow, engine) = filled(4);
    disk.kill();
    drop(engine);
    let (name, mut bytes) = newest_segment(&disk);
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    bytes.truncate(end.next_multiple_of(8));
    bytes.extend_from_slice(b"torn bytes that nobody acknowledged");
    disk.put(&name, &bytes);
    let before = segments(&disk);
    let engine = open(&disk, options(2, &clock)).unwrap();
    assert_eq!(engine.view().seq(), shadow.acknowledged());
    engine.shutdown(DEADLINE).unwrap();
    assert_eq!(segments(&disk)[..before.len()], before[..], "law EVIDENCE");

    // What was synced and is damaged refuses, and is left as it is.
    let damaged = copy(&disk);
    damaged.corrupt(&before[0].0, 4_096 + 100, 1).unwrap();
    let before = segments(&damaged);
    let error = open(&damaged, options(3, &clock)).unwrap_err();
    let damage = error.damage().unwrap();
    assert_eq!((damage.file.as_str(), damage.seq), (before[0].0.as_str(), Some(1)), "{error}");
    assert_eq!(segments(&damaged), before);
}

#[test]
fn law_exact_a_retry_is_never_booked_twice_and_overage_is_typed() {
    let (clock, disk) = (clock(), SimulatedDisk::new(1));
    let engine = open(&disk, options(1, &clock)).unwrap();
    let goal = engine.create_goal(NewGoal::new("spend").token_budget(1_000)).unwrap();
    let turn = |tokens| Request::from(RecordTurn::goal(goal.id, Turn::tokens(tokens))).key("turn-1");
    let first = engine.execute(turn(1_200)).unwrap();
    disk.kill();
    let engine = open(&disk, options(2, &clock)).unwrap();
    let again = engine.execute(turn(1_200)).unwrap();
    assert!(again.retried && !first.retried);
    assert_eq!((again.first_seq, again.last_seq), (first.first_seq, first.last_seq));
    let Err(CommandError::Rejected(rejection)) = engine.execute(turn(1)) else { panic!("another body") };
    assert_eq!(rejection.kind, RejectionKind::Conflict);
    let goal = engine.view().goal(goal.id).unwrap();
    assert_eq!((goal.tokens_used, goal.status), (1_200, GoalStatus::Paused));
    let line = String::from_utf8(lines(&disk).unwrap().swap_remove(1).bytes).unwrap();
    assert!(line.contains("\"turn_recorded\"") && line.contains("\"200\""), "overage of 200: {line}");
}

#[test]
fn law_honest_every_refusal_and_every_threshold_is_an_event() {
    let (clock, disk) = (clock(), SimulatedDisk::new(1));
    let engine = open(&disk, options(1, &clock)).unwrap();
    let goal = engine.create_goal(NewGoal::new("spend").token_budget(100)).unwrap();
    engine.record_turn(goal.id, Turn::tokens(100)).unwrap();
    let alert = "threshold_crossed";
    let expected = ["turn_recorded", alert, alert, alert, "budget_exhausted", "goal_transitioned"];
    assert_eq!(kinds(&disk)[1..], expected);
    for refused in [
        Request::from(tallybook::TransitionGoal::new(goal.id, GoalStatus::Active)),
        Request::from(NewGoal::new("under it").parent(goal.id)),
        Request::from(SetGoalBudget::new(goal.id, Some(50)).resume()),
    ] {
        let before = engine.view().seq();
        let Err(CommandError::Refused(refusal)) = engine.execute(refused) else { panic!("not refused") };
        assert_eq!(refusal.seq, Some(before + 1));
        assert_eq!(kinds(&disk).last(), Some(&"command_refused"));
        assert_eq!((refusal.limit, refusal.spent), (refusal.limit.min(Some(100)), 100), "with its figures");
    }
    // Time alone changes nothing.
    let before = engine.view().head();
    clock.advance(std::time::Duration::from_secs(86_400 * 400));
    assert_eq!(engine.settled_view().unwrap().head(), before);
}

#[test]
fn law_honest_authority_expiry_and_rolls_are_events() {
    let (clock, disk) = (clock(), SimulatedDisk::new(1));
    let engine = open(&disk, options(1, &clock)).unwrap();
    let day = Window { every: "day".into(), anchor: None, tz: None };
    engine.allocate(NewBudget::new("cap").limit(100).window(day).widen_by(["owner"])).unwrap();
    let refused = engine.execute(Request::new(AdjustBudget::new("cap").limit(200)).actor("agent"));
    assert!(matches!(refused, Err(CommandError::Refused(refusal)) if refusal.kind == RefusalKind::Forbidden));
    let hold = engine.reserve("cap", 10, Ttl::secs(60)).unwrap().keep();
    clock.advance(std::time::Duration::from_secs(86_400));
    let view = engine.settled_view().unwrap();
    assert_eq!(view.reservation(&hold).unwrap().status, ReservationStatus::Expired);
    let expected =
        ["budget_allocated", "command_refused", "reservation_made", "reservation_expired", "window_rolled"];
    assert_eq!(kinds(&disk), expected);
}

#[test]
fn law_exact_a_hard_limit_is_never_passed_by_admission_and_what_was_incurred_is_always_booked() {
    let (clock, disk) = (clock(), SimulatedDisk::new(1));
    let engine = open(&disk, options(1, &clock)).unwrap();
    engine.allocate(NewBudget::new("team").limit(100)).unwrap();
    engine.allocate(NewBudget::new("task").limit(100).parent("team")).unwrap();
    let hold = engine.reserve("task", 60, Ttl::NEVER).unwrap();
    assert!(matches!(engine.record_spend("team", Spend::of(41)), Err(CommandError::Refused(_))));
    engine.record_spend("team", Spend::of(40)).unwrap();
    assert_eq!(
        hold.settle(Spend::of(75)).unwrap().overage,
        [Charge { budget_id: "team".into(), amount: 15 }]
    );
    engine.record_incurred("task", Spend::of(50)).unwrap();
    let view = engine.view();
    for (id, spent, overage) in [("team", 165, 65), ("task", 125, 25)] {
        let budget = view.budget(&id.into()).unwrap();
        assert_eq!((budget.spent, budget.reserved, budget.overage()), (spent, 0, overage), "{id}");
    }
}

#[test]
fn law_halt_who_waits_when_a_sync_fails_is_answered() {
    let disk = SimulatedDisk::new(1);
    let engine = tallybook::Options::new().clock(clock()).open_storage(disk.process()).unwrap().blocking();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    disk.fail_at(disk.operations() + 1, Fault::SyncLost);
    let (done, is_done) = std::sync::mpsc::channel();
    // On a thread of its own: a hang is a failure, not a test that never ends.
    std::thread::spawn(move || done.send(engine.record_turn(goal.id, Turn::tokens(1)).is_err()));
    let has_failed = is_done.recv_timeout(std::time::Duration::from_secs(10));
    assert_eq!(has_failed, Ok(true), "law HALT: it is told that the outcome is unknown");
}
