//! The hooks of a host: its risk assessor, who is asked before, and its alerts, who are told after. Neither may hold
//! up anybody else, whatever they do.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "common/threads.rs"]
mod threads;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use tallybook::storage::SimulatedDisk;
use tallybook::{
    Alert, AlertKind, Blocking, CommandError, Engine, ErrorKind, ManualClock, NewBudget, NewReservation,
    Options, RecordSpend, Refusal, RefusalKind, Request, RiskAssessor, RiskCase, Spend, Ttl, Turn, Verdict,
};
use tallybook::{JournalReader, KeyWindow, NewGoal, Window};
use threads::{Gate, PATIENCE, eventually, in_time};

const TTL: Ttl = Ttl::secs(60);

/// An assessor that does what a function says.
struct Assessor<F>(F);

impl<F: Fn(&RiskCase) -> Verdict + Send + Sync + 'static> RiskAssessor for Assessor<F> {
    fn assess(&self, case: &RiskCase) -> Verdict {
        (self.0)(case)
    }
}

fn open(timeout: Duration, assess: impl Fn(&RiskCase) -> Verdict + Send + Sync + 'static) -> Blocking {
    let engine = Options::new().risk_assessor(Assessor(assess), timeout).open_in_memory().unwrap();
    engine.allocate(NewBudget::new("task").limit(1_000_000)).unwrap();
    engine
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, CommandError>) -> Refusal {
    let Err(CommandError::Refused(refusal)) = answer else { panic!("not refused: {answer:?}") };
    assert_eq!(refusal.kind, RefusalKind::Risk);
    *refusal
}

fn reason(refusal: &Refusal) -> &str {
    refusal.reason.as_deref().unwrap()
}

/// Law HONEST: the veto is an event, with its reason.
#[test]
fn law_honest_a_veto_refuses_and_is_journaled() {
    let engine = open(PATIENCE, |case| match case.amount {
        0..100 => Verdict::Allow,
        _ => Verdict::veto(format!("{} of {} is too much", case.op, case.amount)),
    });
    engine.record_spend("task", Spend::of(99)).unwrap();
    let spend = refusal(engine.record_spend("task", Spend::of(100)));
    assert_eq!((reason(&spend), spend.spent), ("record_spend of 100 is too much", 99));
    assert_eq!(spend.seq, Some(engine.view().seq()));
    let hold = refusal(engine.reserve("task", 200, TTL));
    assert_eq!(reason(&hold), "reserve of 200 is too much");
    let check = refusal(engine.check("task", 300));
    assert_eq!((reason(&check), check.seq), ("check of 300 is too much", None));
    assert_eq!(engine.check("task", 1).unwrap().remaining, Some(999_901));
    assert_eq!(engine.view().seq(), hold.seq.unwrap());
    assert_eq!(engine.health().risk_failures, 0);
}

#[test]
fn what_has_happened_already_is_not_assessed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let engine = open(PATIENCE, move |case| {
        count.fetch_add(1, Ordering::SeqCst);
        if case.op == "reserve" { Verdict::Allow } else { Verdict::veto("never") }
    });
    engine.record_incurred("task", Spend::of(5)).unwrap();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    engine.record_turn(goal.id, Turn::tokens(5).charge("task", 5)).unwrap();
    let hold = engine.reserve("task", 5, TTL).unwrap();
    hold.settle(Spend::of(5)).unwrap();
    assert_eq!((asked.load(Ordering::SeqCst), engine.view().budget(&"task".into()).unwrap().spent), (1, 15));
}

#[test]
fn the_assessor_sees_who_asks_for_what() {
    let (cases, seen) = channel();
    let cases = Mutex::new(cases);
    let engine = open(PATIENCE, move |case| {
        cases.lock().unwrap().send(case.clone()).unwrap();
        Verdict::Allow
    });
    let spend = RecordSpend::new("task", Spend::of(7).tool("web.search"));
    engine.execute(Request::new(spend).actor("agent").session("s-1")).unwrap();
    let case = seen.recv().unwrap();
    assert_eq!((case.op, case.amount, case.budget_id), ("record_spend", 7, "task".into()));
    assert_eq!((case.actor.as_deref(), case.session_id.as_deref()), (Some("agent"), Some("s-1")));
    assert_eq!(case.details.unwrap().tool.as_deref(), Some("web.search"));
    assert_eq!(case.view.budget(&"task".into()).unwrap().spent, 0);
    engine.reserve_with(NewReservation::new("task", 8).owner("tool")).unwrap().keep();
    assert_eq!(seen.recv().unwrap().owner.as_deref(), Some("tool"));
    let guard = tallybook::EngineGuard::new(engine.engine(), "task").actor("agent").session("s-2");
    block_on(tallybook::BudgetGuard::check(&guard, 9)).unwrap();
    let case = seen.recv().unwrap();
    assert_eq!(
        (case.op, case.actor.as_deref(), case.session_id.as_deref()),
        ("check", Some("agent"), Some("s-2"))
    );
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn an_assessor_that_panics_is_against_it_and_the_next_one_is_asked() {
    let engine = open(PATIENCE, |case| match case.amount {
        13 => panic!("unlucky"),
        _ => Verdict::Allow,
    });
    for failures in 1..=16 {
        assert_eq!(
            reason(&refusal(engine.record_spend("task", Spend::of(13)))),
            "the risk assessor panicked"
        );
        assert_eq!(engine.health().risk_failures, failures);
    }
    engine.record_spend("task", Spend::of(14)).unwrap();
}

#[test]
fn an_assessor_that_does_not_answer_is_against_it_and_delays_nobody_else() {
    let gate = Gate::default();
    let at = gate.clone();
    let engine = open(Duration::from_secs(2), move |case| {
        if case.amount == 13 {
            at.pass();
        }
        Verdict::Allow
    });
    gate.close();
    let slow = engine.clone();
    let vetoed = in_time("the veto", move || refusal(slow.record_spend("task", Spend::of(13))));
    assert_eq!(reason(&vetoed), "the risk assessor did not answer within 2s");
    engine.record_spend("task", Spend::of(1)).unwrap();
    assert_eq!(engine.health().risk_failures, 1);
    // With every thread stuck, all that is to be assessed is refused; the rest goes on.
    let stuck: Vec<_> = (0..32)
        .map(|_| {
            let engine = engine.clone();
            std::thread::spawn(move || refusal(engine.reserve("task", 13, TTL)))
        })
        .collect();
    for thread in stuck {
        thread.join().unwrap();
    }
    refusal(engine.record_spend("task", Spend::of(2)));
    engine.record_incurred("task", Spend::of(2)).unwrap();
    gate.open();
    eventually("the assessor is asked again", || engine.record_spend("task", Spend::of(3)).ok());
}

#[test]
fn too_many_cases_are_overload_and_that_is_a_veto() {
    let gate = Gate::default();
    gate.close();
    let at = gate.clone();
    let engine = open(PATIENCE, move |_| {
        at.pass();
        Verdict::Allow
    });
    let spend = || engine.engine().execute(RecordSpend::new("task", Spend::of(1)));
    let mut waiting: Vec<_> = (0..1_024).map(|_| Box::pin(spend())).collect();
    for one in &mut waiting {
        assert!(one.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(engine.health().risk_failures, 0);
    let refused = refusal(block_on(spend()));
    assert!(reason(&refused).contains("too much to do: 1024"), "{refused:?}");
    gate.open();
    block_on(async {
        for one in waiting {
            one.await.unwrap();
        }
    });
    assert_eq!(engine.view().budget(&"task".into()).unwrap().spent, 1_024);
}

/// Law EXACT: the key comes first, whatever the assessor has come to think.
#[test]
fn law_exact_a_retry_is_answered_as_the_first_time_whatever_the_assessor_says() {
    let mood = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&mood);
    let engine = open(PATIENCE, move |_| match now.load(Ordering::SeqCst) {
        0 => Verdict::Allow,
        _ => Verdict::veto("not any more"),
    });
    let request = |key: &str| Request::new(RecordSpend::new("task", Spend::of(5))).key(key);
    let with_id = || engine.record_spend("task", Spend::of(6).id("s-1"));
    let done = engine.execute(request("done")).unwrap();
    with_id().unwrap();
    mood.store(1, Ordering::SeqCst);
    let refused = refusal(engine.execute(request("refused")));
    let again = engine.execute(request("done")).unwrap();
    assert_eq!((again.retried, again.first_seq), (true, done.first_seq));
    with_id().unwrap();
    mood.store(0, Ordering::SeqCst);
    assert_eq!(refusal(engine.execute(request("refused"))), refused);
    assert_eq!(engine.view().budget(&"task".into()).unwrap().spent, 11);
}

#[test]
fn commands_that_are_handed_over_together_keep_their_order() {
    let engine = open(PATIENCE, |case| {
        // The first ones take the longest.
        std::thread::sleep(Duration::from_millis(u64::try_from(20 - case.amount).unwrap()));
        if case.amount % 3 == 0 { Verdict::veto("a multiple of three") } else { Verdict::Allow }
    });
    let requests = (1..=20).map(|n| Request::from(RecordSpend::new("task", Spend::of(n)))).collect();
    let answers = engine.submit_all(requests).unwrap();
    let mut seqs = Vec::new();
    for (n, answer) in (1_u128..).zip(answers) {
        match answer.wait() {
            Ok(receipt) => seqs.push(receipt.first_seq.unwrap()),
            Err(error) => {
                assert_eq!(n % 3, 0);
                seqs.push(refusal::<()>(Err(error)).seq.unwrap());
            }
        }
    }
    assert_eq!(seqs.len(), 20);
    assert!(seqs.is_sorted(), "{seqs:?}");
}

#[test]
fn a_command_to_be_assessed_cannot_be_handed_over_without_waiting() {
    let engine = open(PATIENCE, |_| Verdict::veto("never"));
    let seq = engine.view().seq();
    let error = engine.try_submit(RecordSpend::new("task", Spend::of(1))).unwrap_err();
    assert_eq!((error.kind(), engine.settled_view().unwrap().seq()), (&ErrorKind::InvalidArgument, seq));
    let incurred = engine.try_submit(RecordSpend::incurred("task", Spend::of(1))).unwrap();
    incurred.wait().unwrap();
}

// ---- alerts -------------------------------------------------------------------------------------------------------

fn alerting(options: Options) -> (Blocking, Receiver<Alert>) {
    let (alerts, received) = channel();
    let engine = options.on_alert(move |alert| drop(alerts.send(alert.clone()))).open_in_memory().unwrap();
    (engine, received)
}

fn next(received: &Receiver<Alert>) -> Alert {
    received.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn alerts_come_in_order_with_their_figures() {
    let clock = ManualClock::default();
    let (engine, received) = alerting(Options::new().clock(clock.clone()));
    let hourly = Window { every: "hour".into(), anchor: None, tz: None };
    engine.allocate(NewBudget::new("task").limit(100).window(hourly)).unwrap();
    engine.record_incurred("task", Spend::of(120)).unwrap();
    let ppm = |alert: &Alert| match &alert.kind {
        AlertKind::ThresholdCrossed { threshold, limit: 100, spent: 120 } => threshold.to_string(),
        other => panic!("{other:?}"),
    };
    let crossed: Vec<_> = (0..3).map(|_| next(&received)).collect();
    assert_eq!(crossed.iter().map(ppm).collect::<Vec<_>>(), ["0.5", "0.8", "0.95"]);
    assert_eq!(crossed.iter().map(|alert| alert.seq).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(crossed[0].budget_id, "task".into());
    let exhausted = next(&received);
    let expected = AlertKind::Exhausted { limit: 100, spent: 120, overage: 20, hard: true };
    assert_eq!((exhausted.seq, exhausted.kind), (6, expected));

    engine.allocate(NewBudget::new("other").limit(10)).unwrap();
    let id = engine.reserve("other", 5, Ttl::secs(7_200)).unwrap().keep();
    clock.advance(Duration::from_secs(3_600));
    engine.settled_view().unwrap();
    assert!(matches!(next(&received).kind, AlertKind::WindowRolled { spent: 120, .. }));
    clock.advance(Duration::from_secs(3_600));
    engine.settled_view().unwrap();
    let expired = next(&received);
    assert_eq!((expired.budget_id, expired.ts), ("other".into(), tallybook::Clock::now(&clock)));
    assert_eq!(expired.kind, AlertKind::ReservationExpired { reservation_id: id, amount: 5 });
}

#[test]
fn what_came_due_while_the_journal_was_closed_is_told_even_before_a_key_window_is_set() {
    let (disk, clock) = (SimulatedDisk::new(1), ManualClock::default());
    let options = || Options::new().clock(clock.clone());
    let engine = options().open_storage(disk.process()).unwrap().blocking();
    engine.allocate(NewBudget::new("task").limit(100)).unwrap();
    let id = engine.reserve("task", 5, TTL).unwrap().keep();
    engine.shutdown(PATIENCE).unwrap();
    clock.advance(Duration::from_secs(3_600));
    let (alerts, received) = channel();
    let window = KeyWindow { max_age_ms: 60_000, max_count: 10 };
    let options = options().key_window(window).on_alert(move |alert| drop(alerts.send(alert.clone())));
    let _engine = options.open_storage(disk.process()).unwrap();
    assert_eq!(next(&received).kind, AlertKind::ReservationExpired { reservation_id: id, amount: 5 });
}

#[test]
fn a_callback_that_panics_is_counted_and_called_again() {
    let (alerts, received) = channel();
    let engine = Options::new()
        .on_alert(move |alert| {
            alerts.send(alert.seq).unwrap();
            panic!("not again");
        })
        .open_in_memory()
        .unwrap();
    engine.allocate(NewBudget::new("task").limit(100)).unwrap();
    engine.record_spend("task", Spend::of(100)).unwrap();
    let seqs: Vec<u64> = (0..4).map(|_| received.recv_timeout(PATIENCE).unwrap()).collect();
    assert_eq!(seqs, [3, 4, 5, 6]);
    eventually("they are counted", || (engine.health().alert_failures == 4).then_some(()));
}

#[test]
fn alerts_are_of_what_comes_from_now_on_and_end_with_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Blocking::open(dir.path()).unwrap();
    engine.allocate(NewBudget::new("task").limit(100)).unwrap();
    engine.record_spend("task", Spend::of(60)).unwrap();
    drop(engine);
    let (alerts, received) = channel();
    let on_alert = move |alert: &Alert| drop(alerts.send(alert.clone()));
    let engine = Options::new().on_alert(on_alert).open_blocking(dir.path()).unwrap();
    engine.record_spend("task", Spend::of(20)).unwrap();
    drop(engine);
    assert!(matches!(next(&received).kind, AlertKind::ThresholdCrossed { spent: 80, .. }));
    assert!(
        received
            .recv_timeout(PATIENCE)
            .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Disconnected)
    );
}

#[test]
fn nothing_that_a_hook_does_keeps_the_engine_from_closing() {
    let gate = Gate::default();
    gate.close();
    let (at_risk, at_alert) = (gate.clone(), gate.clone());
    let dir = tempfile::tempdir().unwrap();
    let engine = Options::new()
        .risk_assessor(
            Assessor(move |case: &RiskCase| {
                if case.amount == 13 {
                    at_risk.pass();
                }
                Verdict::Allow
            }),
            PATIENCE * 100,
        )
        .on_alert(move |_| at_alert.pass())
        .open_blocking(dir.path())
        .unwrap();
    engine.allocate(NewBudget::new("task").limit(100)).unwrap();
    let hold = engine.reserve("task", 5, TTL).unwrap();
    engine.record_spend("task", Spend::of(60)).unwrap();
    engine.record_spend("task", Spend::of(20)).unwrap();
    let assessed = engine.clone();
    let under_way = std::thread::spawn(move || assessed.record_spend("task", Spend::of(13)));
    let last = engine.view().seq();
    let closing = engine.clone();
    in_time("the shutdown", move || closing.shutdown(PATIENCE)).unwrap();
    let Err(CommandError::Engine(error)) = in_time("the assessed", move || under_way.join().unwrap()) else {
        panic!("it was done")
    };
    assert_eq!(*error.kind(), ErrorKind::Closed);
    drop(hold);
    assert_eq!(engine.health().dropped_releases, 1);
    let Err(CommandError::Engine(error)) = engine.reserve("task", 1, TTL) else { panic!("it was done") };
    assert_eq!(*error.kind(), ErrorKind::Closed);
    let report = JournalReader::open(dir.path()).unwrap().verify().unwrap();
    assert_eq!((report.events, report.is_clean, report.findings.len()), (last, true, 0));
    gate.open();
}

#[tokio::test(flavor = "current_thread")]
async fn on_a_runtime_of_one_thread_the_assessor_holds_up_only_its_caller() {
    let gate = Gate::default();
    gate.close();
    let at = gate.clone();
    let assessor = Assessor(move |_: &RiskCase| {
        at.pass();
        Verdict::Allow
    });
    let dir = tempfile::tempdir().unwrap();
    let engine: Engine = Options::new().risk_assessor(assessor, PATIENCE).open(dir.path()).await.unwrap();
    engine.allocate(NewBudget::new("task").limit(100)).await.unwrap();
    let spend = tokio::spawn({
        let engine = engine.clone();
        async move { engine.record_spend("task", Spend::of(1)).await }
    });
    tokio::task::yield_now().await;
    engine.record_incurred("task", Spend::of(2)).await.unwrap();
    assert!(!spend.is_finished());
    gate.open();
    spend.await.unwrap().unwrap();
}
