//! Refusals as events, bounded in a refusal loop (law HONEST).

use super::harness::{Book, child, goal, goal_budget, id};
use crate::clock::Timestamp;
use crate::domain::{REFUSALS_PER_MINUTE, RejectionKind, Request, TransitionGoal, minute_of};
use crate::event::{GoalStatus, RefusalKind, RefusalsSuppressed};

fn exhausted() -> Book {
    let mut book = Book::new();
    book.create(goal(1).token_budget(1));
    book.turn(1, 1);
    book
}

fn resume() -> Request {
    TransitionGoal::new(id(1), GoalStatus::Active).into()
}

#[test]
fn the_first_sixteen_of_a_minute_are_events_and_the_rest_is_answered_without_a_seq() {
    let mut book = exhausted();
    for _ in 0..REFUSALS_PER_MINUTE {
        let refusal = book.refused(resume());
        assert_eq!((refusal.seq, refusal.suppressed), (Some(book.seq), false));
    }
    let events = book.events.len();
    let refusal = book.refused(resume());
    assert_eq!((refusal.seq, refusal.suppressed), (None, true));
    assert_eq!((refusal.limit, refusal.spent), (Some(1), 1), "the figures are there all the same");
    assert_eq!(book.events.len(), events);
}

#[test]
fn the_next_minute_counts_anew() {
    let mut book = exhausted();
    for _ in 0..=REFUSALS_PER_MINUTE {
        book.refused(resume());
    }
    book.wait_secs(60);
    assert!(!book.refused(resume()).suppressed);
}

#[test]
fn budgets_are_counted_apart() {
    let mut book = exhausted();
    book.create(goal(2).token_budget(1));
    book.turn(2, 1);
    for _ in 0..=REFUSALS_PER_MINUTE {
        book.refused(resume());
    }
    assert!(!book.refused(child(3, 2)).suppressed);
    assert!(book.refused(child(3, 1)).suppressed, "another command, the same budget");
}

#[test]
fn a_suppressed_refusal_consumes_no_key() {
    let mut book = exhausted();
    for _ in 0..REFUSALS_PER_MINUTE {
        book.refused(resume());
    }
    assert!(book.refused(resume().key("k")).suppressed);
    book.set_budget(1, 10);
    assert_eq!(book.done(resume().key("k")), id(1));
}

#[test]
fn what_was_suppressed_is_reported_in_an_event_of_its_own() {
    let mut book = exhausted();
    let minute = minute_of(book.now);
    let report = RefusalsSuppressed {
        budget_id: goal_budget(1),
        refusal: RefusalKind::BudgetExceeded,
        count: 40,
        minute,
    };
    book.apply(report.clone());
    assert_eq!(book.last_frame(), ["40 refusals suppressed"]);
    let inside = RefusalsSuppressed { minute: book.now, ..report.clone() };
    assert_eq!(book.rejected(inside).kind, RejectionKind::Invalid);
    let forgotten = RefusalsSuppressed { budget_id: goal_budget(9), ..report };
    book.apply(forgotten);
    assert_eq!(book.last_frame(), ["40 refusals suppressed"], "they were refused all the same");
}

#[test]
fn minutes_start_on_the_minute_before_1970_too() {
    for (at, minute) in [
        ("2026-11-21T01:15:59.999999Z", "2026-11-21T01:15:00Z"),
        ("2026-11-21T01:15:00Z", "2026-11-21T01:15:00Z"),
        ("1969-12-31T23:59:01Z", "1969-12-31T23:59:00Z"),
    ] {
        let parse = |text| Timestamp::parse(text).unwrap();
        assert_eq!(minute_of(parse(at)), parse(minute));
    }
    assert_eq!(minute_of(Timestamp::MIN), Timestamp::MIN);
}
