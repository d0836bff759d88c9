//! Idempotency keys (law EXACT: a retry within the key window is recognised, never booked twice).

use uuid::Uuid;

use super::harness::{Answer, Book, child, goal, id};
use crate::clock::Timestamp;
use crate::domain::{
    KeyWindow, Outcome, RecordTurn, RejectionKind, Remembered, RememberedOutcome, Request, SetGoalBudget,
    TransitionGoal, Turn, fingerprint,
};
use crate::event::GoalStatus;

fn turn(tokens: u128) -> Request {
    Request::new(RecordTurn::goal(id(1), Turn::tokens(tokens)))
}

/// A UUID of version 7 made at that time.
fn dated_key(at: Timestamp) -> String {
    let millis = u64::try_from(at.as_millis()).unwrap();
    uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid().to_string()
}

#[test]
fn the_same_key_and_body_is_a_retry_with_the_original_seqs_and_books_nothing() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.apply(turn(100).key("k"));
    let answer = book.apply(turn(100).key("k").actor("another").session("another"));
    let remembered =
        Remembered { first_seq: 2, last_seq: 7, outcome: RememberedOutcome::Done(Outcome::Goal(id(1))) };
    assert_eq!(answer, Answer::Retried(remembered));
    assert_eq!((book.goal(1).tokens_used, book.events.len()), (100, 7));
}

#[test]
fn the_same_key_with_another_body_is_a_conflict() {
    let mut book = Book::new();
    book.create(goal(1));
    book.apply(turn(1).key("k"));
    let conflict = book.rejected(turn(2).key("k"));
    assert_eq!(conflict.kind, RejectionKind::Conflict);
    assert!(conflict.message.contains("seq 2"), "{}", conflict.message);
}

#[test]
fn a_retried_creation_answers_the_goal_that_was_made_although_others_were_paused_first() {
    let mut book = Book::new();
    book.create(goal(1).scope("s"));
    book.create(child(2, 1));
    let new = Request::new(crate::domain::NewGoal::new("made here").scope("s")).key("k");
    let made = book.done(new.clone());
    let Answer::Retried(remembered) = book.apply(new) else { panic!("expected a retry") };
    assert_eq!(remembered.outcome, RememberedOutcome::Done(Outcome::Goal(made)));
    assert_eq!((remembered.first_seq, remembered.last_seq), (3, 5));
}

#[test]
fn every_command_remembers_the_goal_it_was_about() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(10));
    book.create(child(2, 1));
    let requests = [
        Request::new(TransitionGoal::new(id(1), GoalStatus::Paused).blocked()).key("pause"),
        Request::new(TransitionGoal::new(id(1), GoalStatus::Active)).key("resume"),
        turn(10).key("turn"),
        Request::new(SetGoalBudget::new(id(1), None).resume()).key("raise"),
        Request::new(TransitionGoal::new(id(1), GoalStatus::Cleared)).key("end"),
    ];
    for request in requests {
        assert_eq!(book.apply(request.clone()), Answer::Done(Outcome::Goal(id(1))));
        let Answer::Retried(remembered) = book.apply(request) else { panic!("expected a retry") };
        assert_eq!(remembered.outcome, RememberedOutcome::Done(Outcome::Goal(id(1))));
        assert_eq!(remembered.last_seq, book.seq);
    }
}

#[test]
fn a_refused_command_is_remembered_as_refused_even_after_the_limit_is_raised() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(10));
    book.turn(1, 10);
    let resume = Request::new(TransitionGoal::new(id(1), GoalStatus::Active)).key("k");
    let refusal = book.refused(resume.clone());
    book.set_budget(1, 100);
    let Answer::Retried(remembered) = book.apply(resume) else { panic!("expected a retry") };
    assert_eq!(remembered.outcome, RememberedOutcome::Refused(Box::new(refusal)));
}

#[test]
fn an_error_and_a_command_without_effect_are_not_remembered() {
    let mut book = Book::new();
    book.rejected(turn(1).key("k"));
    let in_scope = Request::new(RecordTurn::scope("scope 1", Turn::tokens(1))).key("k");
    assert_eq!(book.apply(in_scope.clone()), Answer::Unchanged(Outcome::Nothing));
    book.create(goal(1));
    assert_eq!(book.apply(in_scope), Answer::Done(Outcome::Goal(id(1))));
}

#[test]
fn a_key_is_forgotten_by_age_when_an_event_passes_it_and_not_before() {
    let mut book = Book::new();
    book.create(goal(1));
    book.apply(turn(1).key("k"));
    book.wait_secs(24 * 60 * 60);
    book.turn(1, 1);
    assert!(
        matches!(book.apply(turn(1).key("k")), Answer::Retried(_)),
        "the window includes its last moment"
    );
    book.wait_secs(1);
    assert!(matches!(book.apply(turn(1).key("k")), Answer::Retried(_)), "time acts only through events");
    book.turn(1, 1);
    assert!(matches!(book.apply(turn(1).key("k")), Answer::Done(_)));
}

#[test]
fn the_oldest_keys_beyond_the_count_are_forgotten() {
    let mut book = Book::new();
    book.create(goal(1));
    book.apply(KeyWindow { max_count: 2, ..KeyWindow::DEFAULT });
    for key in ["a", "b", "c"] {
        book.apply(turn(1).key(key));
    }
    assert_eq!(book.state.remembered_key_count(), 2);
    assert!(matches!(book.apply(turn(1).key("b")), Answer::Retried(_)));
    assert!(matches!(book.apply(turn(1).key("a")), Answer::Done(_)));
}

#[test]
fn changing_the_window_is_an_event_once_and_forgets_at_once() {
    let mut book = Book::new();
    book.create(goal(1));
    book.apply(turn(1).key("a"));
    book.apply(turn(1).key("b"));
    let window = KeyWindow { max_age_ms: 1_000, max_count: 1 };
    assert_eq!(book.apply(window), Answer::Done(Outcome::Nothing));
    assert_eq!(book.apply(window), Answer::Unchanged(Outcome::Nothing));
    assert_eq!((book.state.key_window(), book.state.remembered_key_count()), (window, 1));
    for bad in [KeyWindow { max_age_ms: 0, max_count: 1 }, KeyWindow { max_age_ms: 1, max_count: 0 }] {
        assert_eq!(book.rejected(bad).kind, RejectionKind::Invalid);
    }
}

#[test]
fn a_dated_key_older_than_the_window_is_refused_unless_it_is_remembered() {
    let mut book = Book::new();
    book.create(goal(1));
    let key = dated_key(book.now);
    book.wait_secs(24 * 60 * 60);
    assert!(matches!(book.apply(turn(1).key(&*key)), Answer::Done(_)));
    book.wait_secs(1);
    assert!(matches!(book.apply(turn(1).key(&*key)), Answer::Retried(_)));
    let other = dated_key(Timestamp::parse("2026-11-20T00:00:00Z").unwrap());
    assert_eq!(book.rejected(turn(1).key(&*other)).kind, RejectionKind::KeyExpired);
    let random = Uuid::from_u128(0x0190_b5a8_7b1c_4000_8000_0000_0000_0001).to_string();
    assert!(matches!(book.apply(turn(1).key(&*random)), Answer::Done(_)), "only version 7 carries a time");
}

#[test]
fn a_dated_key_that_may_have_been_forgotten_by_count_is_expired_not_booked_twice() {
    let mut book = Book::new();
    book.create(goal(1));
    book.apply(KeyWindow { max_count: 1, ..KeyWindow::DEFAULT });
    let first = dated_key(book.now);
    book.apply(turn(1).key(&*first));
    book.wait_secs(1);
    let second = dated_key(book.now);
    book.apply(turn(1).key(&*second));
    assert_eq!(book.rejected(turn(1).key(&*first)).kind, RejectionKind::KeyExpired);
    assert_eq!(book.goal(1).tokens_used, 2);
    book.apply(KeyWindow { max_count: 100, ..KeyWindow::DEFAULT });
    assert_eq!(
        book.rejected(turn(1).key(&*first)).kind,
        RejectionKind::KeyExpired,
        "a wider window forgets no less"
    );
}

#[test]
fn only_the_first_event_of_a_command_carries_the_fingerprint() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(1));
    book.apply(turn(1).key("k"));
    let carried: Vec<_> =
        book.events[1..].iter().map(|event| event.key.as_ref().unwrap().fingerprint).collect();
    assert_eq!(carried[0], Some(fingerprint(&turn(1))));
    assert_eq!(carried[1..], [None; 5], "three alerts, the exhaustion, the pause");
}

#[test]
fn fingerprints_are_the_same_for_ever() {
    let new = goal(1).parent(id(2)).token_budget(5);
    let transition = TransitionGoal::new(id(1), GoalStatus::Paused).blocked().note("n").expected_revision(3);
    let set = SetGoalBudget::new(id(1), Some(7)).resume();
    let scope = RecordTurn::scope("s", Turn::tokens(9).seconds(2).turns(3));
    let found = [
        fingerprint(&new.into()),
        fingerprint(&transition.into()),
        fingerprint(&set.into()),
        fingerprint(&scope.into()),
        fingerprint(&turn(1)),
        fingerprint(&KeyWindow::DEFAULT.into()),
    ];
    assert_eq!(
        found.map(|found| format!("{found:016x}")),
        [
            "21702721454e5c79",
            "7d34cc5d569a2ab4",
            "23a4b7581e5aad20",
            "d5128542311a7cbc",
            "a8720c67c36412fc",
            "c07f95d34be1cb18",
        ]
    );
}

#[test]
fn fingerprints_tell_neighbouring_fields_apart() {
    let note = |note: &str| TransitionGoal::new(id(1), GoalStatus::Paused).note(note);
    assert_ne!(
        fingerprint(&note("x expected_revision=1:1").into()),
        fingerprint(&note("x").expected_revision(1).into())
    );
}
