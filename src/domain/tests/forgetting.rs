//! What ended long ago and nothing remembered needs leaves memory, from below, and nothing else does.

use std::time::Duration;

use super::harness::{Answer, Book, child, goal, goal_budget, id, replay};
use crate::clock::Timestamp;
use crate::domain::endings::Endings;
use crate::domain::{
    BudgetQuery, CheckError, CloseBudget, Forget, GoalQuery, KeyWindow, NewBudget, NewGoal, NewReservation,
    ObserveMeter, Outcome, RecordSpend, RecordTurn, RejectionKind, Request, SetGoalBudget, SetProgress,
    Settle, Spend, TransitionGoal, Turn, check,
};
use crate::event::{Charge, Fraction, GoalStatus, RefusalKind, RefusalsSuppressed};
use crate::ids::{BudgetId, GoalId};

const HOUR_SECS: u64 = 60 * 60;
const DAY_SECS: u64 = 24 * HOUR_SECS;

/// Forgets what has not changed for so many hours.
fn forget(hours: u64) -> Forget {
    Forget { age: Duration::from_secs(hours * HOUR_SECS), max_entities: 256 }
}

fn end(book: &mut Book, number: u128) {
    book.transition(number, GoalStatus::Completed);
}

fn settle(reservation: &str) -> Settle {
    Settle { reservation_id: reservation.into(), spend: Spend::of(9) }
}

/// A book that remembers keys for an hour.
fn book() -> Book {
    let mut book = Book::new();
    book.ok(KeyWindow { max_age_ms: HOUR_SECS * 1_000, ..KeyWindow::DEFAULT });
    book
}

/// What is in the state follows from its events, and so does what may be forgotten next.
#[track_caller]
fn check_replay(book: &Book) {
    let replayed = replay(&book.events);
    assert_eq!(replayed.state_hash(), book.state.state_hash());
    let through = book.state.endings.goals_forgotten_through();
    for state in [&replayed, &book.state] {
        assert_eq!(state.endings, Endings::anew(&book.state, through));
        assert_eq!(state.goals().count(), state.goal_count());
        assert_eq!(state.budgets.len(), state.budgets().count());
    }
}

/// The id of a goal that the engine makes at that time.
fn dated(at: Timestamp) -> GoalId {
    let millis = u64::try_from(at.as_millis()).unwrap();
    GoalId(uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid())
}

#[test]
fn a_goal_is_forgotten_when_it_ended_longer_ago_than_the_age() {
    let mut book = book();
    book.create(goal(1));
    book.create(goal(2));
    end(&mut book, 1);
    book.wait_secs(2 * HOUR_SECS);
    assert_eq!(book.apply(forget(2)), Answer::Unchanged(Outcome::Nothing), "not older than that");
    book.now = book.now.saturating_add(Duration::from_micros(1));
    book.ok(forget(2));
    assert_eq!(book.last_frame(), ["forgotten: 1"]);
    assert_eq!((book.state.goal(id(1)), book.state.budget(&goal_budget(1))), (None, None));
    assert_eq!(book.state.goal_count(), 1, "one that is active is not forgotten");
    assert_eq!(book.apply(forget(2)), Answer::Unchanged(Outcome::Nothing));
    check_replay(&book);
}

#[test]
fn nothing_is_forgotten_before_the_keys_of_its_commands() {
    let mut book = Book::new();
    book.create(goal(1));
    book.apply(Request::new(TransitionGoal::new(id(1), GoalStatus::Cleared)).key("k"));
    book.wait_secs(DAY_SECS);
    assert_eq!(book.apply(forget(0)), Answer::Unchanged(Outcome::Nothing));
    assert!(matches!(
        book.apply(Request::new(TransitionGoal::new(id(1), GoalStatus::Cleared)).key("k")),
        Answer::Retried(_)
    ));
    book.wait_secs(1);
    book.ok(forget(0));
    assert_eq!(book.state.remembered_key_count(), 0);
    check_replay(&book);
}

#[test]
fn usage_that_comes_late_puts_it_off() {
    let mut book = book();
    book.create(goal(1));
    book.create(child(2, 1));
    end(&mut book, 1);
    book.wait_secs(HOUR_SECS);
    book.turn(2, 5);
    book.wait_secs(HOUR_SECS);
    assert_eq!(
        book.apply(forget(1)),
        Answer::Unchanged(Outcome::Nothing),
        "neither, since it was booked at both"
    );
    book.wait_secs(1);
    book.ok(forget(1));
    assert_eq!(book.last_frame(), ["forgotten: 2, 1"]);
    check_replay(&book);
}

#[test]
fn a_tree_goes_from_below_in_as_many_frames_as_it_takes() {
    let mut book = book();
    book.create(goal(1));
    for (number, parent) in [(2, 1), (3, 2), (4, 2), (5, 1)] {
        book.create(child(number, parent));
    }
    end(&mut book, 1);
    book.wait_secs(2 * HOUR_SECS);
    let two = Forget { max_entities: 2, ..forget(1) };
    let frames: Vec<_> = std::iter::from_fn(|| match book.apply(two) {
        Answer::Done(_) => Some(book.last_frame().remove(0)),
        _ => None,
    })
    .collect();
    assert_eq!(frames, ["forgotten: 3, 4", "forgotten: 2, 5", "forgotten: 1"]);
    assert_eq!(book.state.oldest_ending(), None);
    check_replay(&book);
}

#[test]
fn a_child_goes_while_its_parent_is_still_open_and_the_parents_figures_stay() {
    let mut book = book();
    book.create(goal(1).token_budget(100));
    book.create(child(2, 1));
    book.turn(2, 30);
    end(&mut book, 2);
    book.wait_secs(2 * HOUR_SECS);
    book.ok(forget(1));
    assert_eq!(book.last_frame(), ["forgotten: 2"]);
    assert_eq!((book.goal(1).tokens_used, book.goal(1).tokens_own), (30, 0));
    book.turn(1, 70);
    assert_eq!(book.goal(1).status, GoalStatus::Paused, "what was spent by it still counts");
    check_replay(&book);
}

#[test]
fn a_closed_budget_stays_for_the_goals_that_name_it_and_goes_with_the_last() {
    let mut book = book();
    book.ok(NewBudget::new("team").limit(100));
    book.ok(NewBudget::new("task").limit(100).parent("team"));
    book.create(goal(1).budget("task").budget("task"));
    book.create(goal(2).budget("task"));
    book.ok(CloseBudget::new("team").with_children());
    end(&mut book, 1);
    book.wait_secs(2 * HOUR_SECS);
    book.ok(forget(1));
    assert_eq!(book.last_frame(), ["forgotten: 1"], "goal 2 names it");
    end(&mut book, 2);
    book.wait_secs(2 * HOUR_SECS);
    book.ok(forget(1));
    assert_eq!(book.last_frame(), ["forgotten: 2, budget task, budget team"]);
    assert_eq!(book.state.budgets().count(), 0);
    check_replay(&book);
}

#[test]
fn what_a_meter_is_bound_to_stays() {
    let mut book = book();
    book.ok(NewBudget::new("before").unlimited());
    book.ok(NewBudget::new("after").unlimited());
    book.create(goal(1));
    book.ok(ObserveMeter::delta("m", 5).budget("before"));
    book.ok(CloseBudget::new("before"));
    book.ok(CloseBudget::new("after"));
    end(&mut book, 1);
    book.ok(ObserveMeter::delta("n", 0).budget("after"));
    book.ok(ObserveMeter::delta("o", 0).budget(id(1)));
    book.wait_secs(2 * HOUR_SECS);
    assert_eq!(book.apply(forget(1)), Answer::Unchanged(Outcome::Nothing));
    book.ok(ObserveMeter::delta("m", 5));
    assert_eq!(book.named("before").spent, 10);
    check_replay(&book);
}

#[test]
fn nothing_remembered_is_about_what_was_forgotten() {
    let mut book = book();
    book.ok(NewBudget::new("task").limit(100));
    book.ok(RecordSpend::new("task", Spend::of(7).id("s")));
    book.ok(NewReservation::new("task", 9).id("r"));
    book.ok(NewReservation::new("task", 9).id("q"));
    book.ok(settle("r"));
    book.ok(Request::new(CloseBudget::new("task")).key("k"));
    book.wait_secs(HOUR_SECS + 1);
    assert!(book.state.spend(&"s".into()).is_some(), "no event said yet how late it is");
    book.ok(forget(1));
    assert_eq!(book.last_frame(), ["forgotten: budget task"]);
    let state = &book.state;
    assert_eq!((state.spends.len(), state.reservations.len(), state.remembered_key_count()), (0, 0, 0));
    assert_eq!(book.rejected(settle("q")).kind, RejectionKind::NotFound);
    check_replay(&book);
}

#[test]
fn a_goal_that_was_forgotten_is_said_to_be_where_its_id_tells() {
    let mut book = book();
    let (early, gone) = (dated(book.now), dated(book.now.saturating_add(Duration::from_secs(5))));
    book.wait_secs(5);
    book.create(NewGoal::new("t").id(gone));
    book.done(TransitionGoal::new(gone, GoalStatus::Cleared));
    let never = dated(book.now.saturating_add(Duration::from_secs(1)));
    book.wait_secs(2 * HOUR_SECS);
    let kind = |book: &mut Book, request: Request| book.rejected(request).kind;
    let turn = |id| Request::new(RecordTurn::goal(id, Turn::tokens(1)));
    assert_eq!(kind(&mut book, turn(early)), RejectionKind::NotFound, "nothing is forgotten yet");
    book.ok(forget(1));
    assert!(book.state.is_goal_forgotten(gone) && !book.state.is_goal_forgotten(never));
    let commands = |of: GoalId| -> Vec<Request> {
        let budget = BudgetId::Goal(of);
        vec![
            TransitionGoal::new(of, GoalStatus::Active).into(),
            SetGoalBudget::new(of, Some(5)).into(),
            turn(of),
            NewGoal::new("t").parent(of).into(),
            RecordSpend::incurred(&budget, Spend::of(1)).into(),
            NewReservation::new(&budget, 1).into(),
            SetProgress { budget_id: budget, progress: Fraction::ONE }.into(),
        ]
    };
    for (of, expected) in [
        (gone, RejectionKind::Forgotten),
        (early, RejectionKind::Forgotten),
        (never, RejectionKind::NotFound),
        (id(9), RejectionKind::NotFound),
    ] {
        for command in commands(of) {
            assert_eq!(kind(&mut book, command.clone()), expected, "{command:?}");
        }
        let Err(CheckError::Rejected(rejection)) = check(&book.state, &of.into(), 1, None) else { panic!() };
        assert_eq!(rejection.kind, expected);
        assert_eq!(book.state.list_goals(&GoalQuery::new().before(of)), []);
        let before = BudgetQuery { before: Some(of.into()), ..BudgetQuery::default() };
        assert_eq!(book.state.list_budgets(&before), []);
        assert_eq!(book.state.burn(&of.into(), None, book.now), None);
    }
    for id in [gone, early] {
        assert_eq!(book.rejected(NewGoal::new("t").id(id)).kind, RejectionKind::Forgotten);
    }
    book.create(NewGoal::new("t").id(never));
    assert!(!book.state.is_goal_forgotten(never), "it is there");
    check_replay(&book);
}

/// The clock of whoever makes ids may be ahead; but no id that is still to be made counts as used.
#[test]
fn an_id_from_the_future_forgets_no_more_than_the_past() {
    let mut book = book();
    let ahead = dated(book.now.saturating_add(Duration::from_secs(DAY_SECS)));
    book.create(NewGoal::new("t").id(ahead));
    book.done(TransitionGoal::new(ahead, GoalStatus::Cleared));
    book.wait_secs(2 * HOUR_SECS);
    book.ok(forget(1));
    let through = book.state.endings.goals_forgotten_through();
    assert_eq!(through, Some(book.now));
    let now = dated(book.now);
    assert!(book.state.is_goal_forgotten(now) && !book.state.is_goal_forgotten(ahead));
    book.create(NewGoal::new("made by the engine"));
    check_replay(&book);
}

#[test]
fn the_id_of_a_forgotten_budget_is_free_and_so_is_one_of_a_goal_that_tells_no_age() {
    let mut book = book();
    book.ok(NewBudget::new("task").limit(5));
    book.ok(CloseBudget::new("task"));
    book.create(goal(1));
    end(&mut book, 1);
    book.wait_secs(2 * HOUR_SECS);
    for _ in 0..20 {
        book.refused(RecordSpend::new("task", Spend::of(1)));
    }
    book.ok(forget(1));
    assert_eq!(book.rejected(RecordSpend::new("task", Spend::of(1))).kind, RejectionKind::NotFound);
    book.ok(NewBudget::new("task").limit(7));
    assert_eq!(book.figures("task"), (0, 0, Some(7), 0));
    book.ok(CloseBudget::new("task"));
    let refusal = book.refused(RecordSpend::new("task", Spend::of(1)));
    assert!(!refusal.suppressed, "refusals of the one before are not counted: {refusal}");
    book.create(goal(1));
    check_replay(&book);
}

#[test]
fn refusals_that_were_suppressed_are_told_even_if_their_budget_is_gone() {
    let mut book = book();
    let minute = Timestamp::parse("2026-11-21T01:15:00Z").unwrap();
    let refusal = RefusalKind::BudgetClosed;
    book.ok(RefusalsSuppressed { budget_id: "gone".into(), refusal, count: 40, minute });
    assert_eq!(book.last_frame(), ["40 refusals suppressed"]);
}

#[test]
fn a_turn_with_a_charge_to_a_forgotten_budget_is_rejected_as_a_whole() {
    let mut book = book();
    book.ok(NewBudget::new("money").limit(5));
    book.ok(CloseBudget::new("money"));
    book.create(goal(1));
    book.wait_secs(2 * HOUR_SECS);
    book.ok(forget(1));
    let charges = vec![Charge { budget_id: "money".into(), amount: 1 }];
    let turn = Turn { charges, ..Turn::tokens(1) };
    assert_eq!(book.rejected(RecordTurn::goal(id(1), turn)).kind, RejectionKind::NotFound);
    assert_eq!(book.goal(1).tokens_used, 0);
}

#[test]
fn a_wider_window_of_keys_puts_it_off() {
    let mut book = book();
    book.create(goal(1));
    end(&mut book, 1);
    book.wait_secs(2 * HOUR_SECS);
    book.ok(KeyWindow::DEFAULT);
    assert_eq!(book.apply(forget(1)), Answer::Unchanged(Outcome::Nothing));
    book.wait_secs(DAY_SECS);
    book.ok(forget(1));
    check_replay(&book);
}

#[test]
fn a_list_is_in_the_order_of_creation_whatever_was_forgotten() {
    let mut book = book();
    for number in [5, 1, 4] {
        book.create(goal(number));
    }
    end(&mut book, 4);
    book.wait_secs(2 * HOUR_SECS);
    book.ok(forget(1));
    book.create(goal(3));
    book.create(goal(2));
    let listed = |query: &GoalQuery| -> Vec<u128> {
        book.state.list_goals(query).iter().map(|goal| goal.id.0.as_u128()).collect()
    };
    assert_eq!(listed(&GoalQuery::new()), [2, 3, 1, 5]);
    assert_eq!(listed(&GoalQuery::new().before(id(3))), [1, 5]);
    check_replay(&book);
}

#[test]
fn up_to_when_goals_were_forgotten_is_in_the_hash() {
    let mut empty = book();
    let mut other = book();
    other.create(goal(1));
    end(&mut other, 1);
    for book in [&mut empty, &mut other] {
        book.wait_secs(2 * HOUR_SECS);
        book.apply(forget(1));
    }
    assert_eq!((empty.state.goal_count(), other.state.goal_count()), (0, 0));
    assert_ne!(empty.state.state_hash(), other.state.state_hash());
}

/// What cannot be forgotten yet costs nothing: only what can is looked at.
#[test]
fn what_is_still_needed_is_not_among_what_is_looked_at() {
    let mut book = book();
    book.ok(NewBudget::new("named").limit(5));
    book.ok(NewBudget::new("metered").limit(5));
    book.ok(ObserveMeter::delta("m", 1).budget("metered"));
    book.create(goal(1).budget("named"));
    book.ok(CloseBudget::new("named"));
    book.ok(CloseBudget::new("metered"));
    book.create(child(2, 1));
    end(&mut book, 2);
    let idle: Vec<_> = book.state.endings.idle().map(|(_, id)| id.clone()).collect();
    assert_eq!(idle, [goal_budget(2)]);
    check_replay(&book);
}
