//! A few cases; and histories that were tampered with, which the checker has to find: one that finds nothing shows nothing.

use std::sync::OnceLock;

use tallybook::{RecordSpend, Release, Request, Settle, Spend};

use super::check::check;
use super::history::{Answer, Ask, Frame, History, Name, Op, Shown, SpendShown};
use super::{ROW, Run, case};
use crate::driver::Limits;
use crate::tally::Tally;

#[test]
fn concurrent_histories_are_those_of_a_sequential_engine() {
    let mut tally = Tally::default();
    for seed in 1..=10 {
        case(seed, &Limits::of_a_test(), &mut tally);
    }
    for covered in
        ["crashes", "done", "done unattended", "expiries", "reads", "refusals", "rejections", "retries"]
    {
        assert!(tally.get(covered) > 0, "{covered}: {tally:?}");
    }
    assert!(tally.get("concurrent operations") * 10 > tally.get("operations"), "{tally:?}");
    assert_eq!(ROW.name, "histories");
}

/// A history without a crash, with all that is tampered with below: how the threads run is not the seed's.
fn recorded() -> History {
    static RECORDED: OnceLock<History> = OnceLock::new();
    let record = || {
        let histories = (1..100).filter(|seed| seed % 3 != 0).map(|seed| Run::new(seed).history());
        let history = { histories }.find(has_all).expect("one of many has all");
        check(&history, &mut Tally::default()).unwrap();
        history
    };
    RECORDED.get_or_init(record).clone()
}

fn has_all(history: &History) -> bool {
    let ops = &history.sessions[1].ops;
    let mut facts = history.frames.iter().flat_map(|frame| &frame.facts);
    let is_suppressed = |op: &Op| matches!(&op.answer, Answer::Refused(refused) if refused.suppressed);
    let is_adjusted = |op: &Op| matches!(&op.answer, Answer::Done(Some(_), false, Shown::Budget(..)));
    let is_expiring = facts.any(|fact| fact.starts_with("expired"));
    let is_released = facts.any(|fact| fact.starts_with("released"));
    let is_counted = history.frames.last().is_some_and(|frame| frame.facts[0].starts_with("suppressed "));
    is_expiring
        && is_released
        && is_counted
        && ops.iter().any(is_suppressed)
        && ops.iter().any(is_adjusted)
        && ops.iter().any(|op| op.answer == Answer::Rejected("not_found"))
        && history.last.holds.values().any(|hold| hold.status == "open")
}

/// The clients' ops of a history without a crash.
fn ops(history: &mut History) -> &mut Vec<Op> {
    &mut history.sessions[1].ops
}

#[track_caller]
fn expect_found(history: &History, said: &str) {
    let why = check(history, &mut Tally::default()).expect_err("it was tampered with");
    assert!(why.contains(said), "expected {said:?} in: {why}");
}

/// Another event at the end of the clients' session, with the op that is said to have led to it.
fn append(history: &mut History, fact: String, made: &str, request: Request, shown: Shown) {
    let end = history.sessions[2].opened_at + 1;
    let at = history.frames.iter().position(|frame| frame.first_seq >= end).unwrap_or(history.frames.len());
    assert_eq!(at, history.frames.len(), "the last opening wrote nothing");
    let (ts, made) = (history.frames[at - 1].ts, Some(Name::from(made)));
    let (first_seq, last_seq) = (end, end);
    let key = request.key.clone();
    history.frames.push(Frame { first_seq, last_seq, ts, key, facts: vec![fact], made, changed: Vec::new() });
    history.sessions[2].opened_at = end;
    history.last.seq = end;
    let ops = ops(history);
    let over = ops.iter().map(|op| op.completed).max().unwrap();
    let (ask, answer) = (Ask::Command(request), Answer::Done(Some((end, end)), false, shown));
    ops.push(Op { ask, invoked: over + 1, completed: over + 2, clock: ts, answer });
}

fn spend_shown(id: &str, budget: &str, amount: u128, reservation: Option<&str>) -> Shown {
    let (id, budget, reservation) = (id.into(), budget.into(), reservation.map(Name::from));
    let (reversed, late, incurred, overage) = (0, false, false, Vec::new());
    Shown::Spend(SpendShown { id, budget, amount, reversed, late, incurred, overage, reservation })
}

fn spent_fact(id: &str, budget: &str, amount: u128, hold: Option<&str>) -> String {
    format!("spent {id} {amount} of {budget} incurred false late false over [] hold {hold:?}")
}

#[test]
fn an_answer_that_was_changed_is_found() {
    let history = recorded();
    let tampered = |change: &dyn Fn(&mut Answer) -> bool| {
        let mut history = history.clone();
        assert!(ops(&mut history).iter_mut().any(|op| change(&mut op.answer)), "there is one to change");
        history
    };
    let figures = tampered(&|answer| match answer {
        Answer::Done(_, false, Shown::Budget(figures, _)) => {
            figures.spent += 1;
            true
        }
        _ => false,
    });
    expect_found(&figures, "expected the answer");
    let amount = tampered(&|answer| match answer {
        Answer::Done(_, false, Shown::Spend(spend)) => {
            spend.reversed += 1;
            true
        }
        _ => false,
    });
    expect_found(&amount, "expected the answer");
    let refusal = tampered(&|answer| match answer {
        Answer::Refused(refused) if refused.seq.is_some() => {
            refused.reserved += 1;
            true
        }
        _ => false,
    });
    expect_found(&refusal, "");
    let silent = tampered(&|answer| match answer {
        Answer::Refused(refused) if refused.suppressed => {
            refused.spent += 1;
            true
        }
        _ => false,
    });
    expect_found(&silent, "place");
    let rejection = tampered(&|answer| match answer {
        Answer::Rejected(kind) if *kind == "not_found" => {
            *kind = "conflict";
            true
        }
        _ => false,
    });
    expect_found(&rejection, "place");
}

fn first_seq(op: &Op) -> Option<u64> {
    match op.answer {
        Answer::Done(Some((first, _)), false, _) => Some(first),
        _ => None,
    }
}

#[test]
fn two_operations_that_were_swapped_in_time_are_found() {
    let mut history = recorded();
    let ops = ops(&mut history);
    let in_turn = |&(one, two): &(usize, usize)| {
        let (one, two): (&Op, &Op) = (&ops[one], &ops[two]);
        first_seq(one).is_some() && first_seq(two).is_some() && one.completed < two.invoked
    };
    let pairs = (0..ops.len()).flat_map(|one| (0..ops.len()).map(move |two| (one, two)));
    let (one, two) = pairs.into_iter().find(in_turn).unwrap();
    let (early, late) = ((ops[one].invoked, ops[one].completed), (ops[two].invoked, ops[two].completed));
    (ops[one].invoked, ops[one].completed) = late;
    (ops[two].invoked, ops[two].completed) = early;
    expect_found(&history, "place");
}

#[test]
fn a_read_of_the_past_is_found() {
    let mut history = recorded();
    let ops = ops(&mut history);
    let seen = |op: &Op| match &op.answer {
        Answer::Read(Shown::Whole(whole)) => Some(whole.seq),
        _ => None,
    };
    let oldest = ops.iter().filter(|op| seen(op).is_some()).min_by_key(|op| seen(op)).unwrap().answer.clone();
    let newest = ops.iter_mut().filter(|op| seen(op).is_some()).max_by_key(|op| op.invoked).unwrap();
    assert_ne!(newest.answer, oldest);
    newest.answer = oldest;
    expect_found(&history, "place");
}

#[test]
fn a_grant_that_is_not_in_the_journal_is_found() {
    let mut history = recorded();
    let granted =
        |frame: &Frame| frame.facts[0].starts_with("spent") || frame.facts[0].starts_with("reserved");
    let at = history.frames.iter().rposition(granted).unwrap();
    history.frames.truncate(at);
    expect_found(&history, "has no place");
}

#[test]
fn an_event_that_nobody_asked_for_is_found() {
    let mut history = recorded();
    let ops = ops(&mut history);
    let at = ops.iter().rposition(|op| first_seq(op).is_some()).unwrap();
    ops.remove(at);
    expect_found(&history, "nobody asked for it");
}

#[test]
fn a_grant_that_the_last_state_lacks_is_found() {
    let mut history = recorded();
    let (_, account) = history.last.budgets.iter_mut().find(|(id, _)| &***id == "account").unwrap();
    account.spent -= 1;
    expect_found(&history, "after the last reopening");
    let mut history = recorded();
    assert!(history.last.holds.pop_last().is_some());
    expect_found(&history, "after the last reopening");
}

#[test]
fn figures_that_do_not_add_up_are_found() {
    let mut history = recorded();
    let with_account = |frame: &&mut Frame| frame.changed.iter().any(|(id, _)| &**id == "account");
    let frame = history.frames.iter_mut().rev().find(with_account).unwrap();
    frame.changed.iter_mut().for_each(|(_, figures)| figures.spent_total += 1);
    expect_found(&history, "of budget");
}

#[test]
fn an_overspend_is_found() {
    let mut history = recorded();
    let request = RecordSpend::new("account", Spend::of(1 << 40).id("too much")).into();
    let fact = spent_fact("too much", "account", 1 << 40, None);
    append(&mut history, fact, "too much", request, spend_shown("too much", "account", 1 << 40, None));
    expect_found(&history, "expected the events");
}

#[test]
fn a_hold_that_is_released_twice_is_found() {
    let mut history = recorded();
    let released = history.frames.iter().flat_map(|frame| &frame.facts);
    let mut released = released.filter_map(|fact| fact.strip_prefix("released ")?.split(' ').next());
    let id = released.next().unwrap().to_owned();
    let request = Release { reservation_id: id.as_str().into() }.into();
    append(&mut history, format!("released {id} requested"), &id, request, Shown::Nothing);
    expect_found(&history, "expected the events");
}

#[test]
fn a_retry_that_is_booked_twice_is_found() {
    let mut history = recorded();
    let booked = ops(&mut history).iter().find_map(|op| match (&op.ask, &op.answer) {
        (Ask::Command(request), Answer::Done(Some(_), false, Shown::Spend(spend))) => {
            let is_keyed = spend.id.starts_with('s') && spend.reservation.is_none() && !spend.incurred;
            is_keyed.then(|| (request.clone(), spend.clone()))
        }
        _ => None,
    });
    let (request, spend) = booked.unwrap();
    let (id, budget, amount) = (&spend.id, &spend.budget, spend.amount);
    let fact = spent_fact(id, budget, amount, None);
    append(&mut history, fact, id, request, spend_shown(id, budget, amount, None));
    expect_found(&history, "expected the events []");
}

#[test]
fn a_dropped_hold_that_stays_is_found() {
    let mut history = recorded();
    let hold = history.last.holds.values().find(|hold| hold.status == "open").unwrap().clone();
    let ops = ops(&mut history);
    let last = ops.last().unwrap().clone();
    ops.push(Op { ask: Ask::Drop(hold.id), answer: Answer::Nobody, ..last });
    expect_found(&history, "has no place");
}

#[test]
fn a_hold_that_should_have_expired_is_found() {
    let mut history = recorded();
    let day = std::time::Duration::from_secs(86_400);
    ops(&mut history).iter_mut().for_each(|op| op.clock = op.clock.saturating_add(day));
    expect_found(&history, "");
}

#[test]
fn refusals_that_no_event_counts_are_found() {
    let mut history = recorded();
    assert!(history.frames.last().unwrap().facts[0].starts_with("suppressed "));
    history.frames.pop();
    history.sessions[2].opened_at -= 1;
    history.last.seq -= 1;
    expect_found(&history, "expected an event for refusals without one");
}

#[test]
fn a_settlement_of_what_is_not_held_is_found() {
    let mut history = recorded();
    let request = Settle { reservation_id: "nobody's".into(), spend: Spend::of(1).id("once") }.into();
    let fact = spent_fact("once", "leaf-3", 1, Some("nobody's"));
    append(&mut history, fact, "once", request, spend_shown("once", "leaf-3", 1, Some("nobody's")));
    expect_found(&history, "expected the events []");
}
