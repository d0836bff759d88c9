//! What the state remembers of spends and ended reservations, for how long, and what readers list of it.

use std::time::Duration;

use super::fold_ledger::*;
use super::harness::goal_budget;
use crate::clock::Timestamp;
use crate::domain::{
    BudgetQuery, BudgetStatus, BurnRate, KeyWindow, ReservationQuery, ReservationStatus, SpendQuery, State,
};
use crate::event::{KeyWindowSet, Payload, ReleaseReason};
use crate::ids::{ReservationId, SpendId};

const DAY_SECS: u64 = 24 * 60 * 60;

/// One that remembers so many for so long.
fn remembering(max_age_secs: u64, max_count: u64) -> Ledger {
    let mut ledger = Ledger::tree();
    ledger.fold(Payload::KeyWindowSet(KeyWindowSet { max_age_ms: max_age_secs * 1_000, max_count }));
    ledger
}

/// A UUID of version 7 made at that time.
fn dated(at: Timestamp) -> String {
    let millis = u64::try_from(at.as_millis()).unwrap();
    uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid().to_string()
}

fn spends(ledger: &Ledger) -> Vec<String> {
    ledger.state.list_spends(&SpendQuery::default()).iter().map(|spend| spend.spend_id.to_string()).collect()
}

fn reservations(ledger: &Ledger, query: &ReservationQuery) -> Vec<String> {
    ledger.state.list_reservations(query).iter().map(|reservation| reservation.id.to_string()).collect()
}

#[test]
fn a_spend_is_forgotten_by_age_when_an_event_passes_it_and_not_before() {
    let mut ledger = Ledger::tree();
    ledger.fold(spent("old", "task", 1));
    ledger.wait_secs(DAY_SECS);
    ledger.fold(spent("new", "task", 1));
    assert_eq!(spends(&ledger), ["new", "old"], "the window includes its last moment");
    ledger.wait_secs(1);
    assert_eq!(spends(&ledger), ["new", "old"], "time acts only through events");
    ledger.fold(spent("newest", "task", 1));
    assert_eq!(spends(&ledger), ["newest", "new"]);
    assert_eq!(ledger.figures("task").0, 3, "what was spent stays spent");
    ledger.check_replay();
}

#[test]
fn an_event_about_what_it_makes_too_old_still_finds_it() {
    let mut ledger = Ledger::tree();
    ledger.fold(spent("s", "task", 10));
    ledger.fold(reserved("r", "task", 10));
    ledger.fold(released("r", "task", 10, ReleaseReason::Requested));
    ledger.wait_secs(DAY_SECS + 1);
    let mut other = ledger.clone();
    ledger.fold(reversed("s", "task", 10));
    assert_eq!((ledger.figures("task").0, spends(&ledger).len()), (0, 0));
    let late = crate::event::SpendRecorded { late: true, ..settled("t", "task", 10, "r") };
    other.fold(Payload::SpendRecorded(late.into()));
    assert_eq!((other.figures("task").0, other.state.reservation(&"r".into())), (20, None));
    other.check_replay();
}

#[test]
fn the_oldest_spends_beyond_the_count_are_forgotten() {
    let mut ledger = remembering(DAY_SECS, 2);
    for id in ["a", "b", "c"] {
        ledger.fold(spent(id, "task", 1));
    }
    assert_eq!(spends(&ledger), ["c", "b"]);
    ledger.fold(reversed("c", "task", 1));
    assert_eq!(spends(&ledger), ["c", "b"], "a reversal is no spend");
    ledger.check_replay();
}

#[test]
fn a_narrower_window_forgets_at_once() {
    let mut ledger = Ledger::tree();
    for id in ["a", "b", "c"] {
        ledger.fold(spent(id, "task", 1));
    }
    ledger.fold(Payload::KeyWindowSet(KeyWindowSet { max_age_ms: 1_000, max_count: 1 }));
    assert_eq!((spends(&ledger), ledger.state.key_window().max_count), (vec!["c".to_owned()], 1));
}

#[test]
fn ended_reservations_are_forgotten_and_held_ones_never() {
    let mut ledger = remembering(60, 2);
    ledger.fold(reserved("held", "task", 1));
    ledger.fold(reserved("unknown", "task", 1));
    ledger.fold(marked_unknown("unknown", "task", 1));
    for id in ["a", "b", "c"] {
        ledger.fold(reserved(id, "task", 1));
        ledger.fold(released(id, "task", 1, ReleaseReason::Requested));
    }
    assert_eq!(reservations(&ledger, &ReservationQuery::default()), ["c", "b", "unknown", "held"]);
    ledger.wait_secs(61);
    ledger.fold(spent("s", "task", 1));
    assert_eq!(reservations(&ledger, &ReservationQuery::default()), ["unknown", "held"]);
    assert_eq!(ledger.figures("task").2, 2);
    ledger.check_replay();
}

#[test]
fn an_id_from_before_what_is_remembered_says_so_itself() {
    let mut ledger = remembering(60, 1);
    ledger.wait_secs(10);
    ledger.fold(spent("a", "task", 1));
    ledger.fold(reserved("r", "task", 1));
    ledger.fold(released("r", "task", 1, ReleaseReason::Requested));
    let spend_expired =
        |ledger: &Ledger, id: &str| ledger.state.is_spend_id_expired(&SpendId::from(id), ledger.now);
    let reservation_expired = |ledger: &Ledger, id: &str| {
        ledger.state.is_reservation_id_expired(&ReservationId::from(id), ledger.now)
    };
    let before = dated(second(1_010));
    assert!(!spend_expired(&ledger, &before) && !reservation_expired(&ledger, &before));
    ledger.fold(spent("b", "task", 1));
    assert!(spend_expired(&ledger, &before) && !reservation_expired(&ledger, &before));
    assert!(!spend_expired(&ledger, &dated(second(1_011))), "younger than what was forgotten");
    assert!(!spend_expired(&ledger, "a"), "which says nothing of its age");
    ledger.fold(reserved("q", "task", 1));
    ledger.fold(released("q", "task", 1, ReleaseReason::Requested));
    assert!(reservation_expired(&ledger, &before));
    ledger.wait_secs(62);
    assert!(spend_expired(&ledger, &dated(second(1_011))), "older than the window");
}

#[test]
fn budgets_are_listed_newest_first_by_page_and_filter() {
    let mut ledger = Ledger::tree();
    ledger.fold(goal_created(1, None, &[]));
    ledger.fold(allocated("other", 1, Some("root")));
    ledger.fold(spent("s", "other", 1));
    let list = |query: BudgetQuery| -> Vec<String> {
        ledger.state.list_budgets(&query).iter().map(|budget| budget.id.to_string()).collect()
    };
    let all = BudgetQuery::default;
    assert_eq!(list(all()), ["other", &*goal_budget(1).to_string(), "task", "root"]);
    assert_eq!(list(BudgetQuery { limit: 1, before: Some("task".into()), ..all() }), ["root"]);
    assert_eq!(list(BudgetQuery { before: Some("nowhere".into()), ..all() }), [""; 0]);
    assert_eq!(list(BudgetQuery { parent: Some("root".into()), ..all() }), ["other", "task"]);
    assert_eq!(list(BudgetQuery { unit: Some("tokens".into()), ..all() }), [goal_budget(1).to_string()]);
    assert_eq!(list(BudgetQuery { status: Some(BudgetStatus::Exhausted), ..all() }), ["other"]);
    let view = &ledger.state.list_budgets(&BudgetQuery { limit: 1, ..all() })[0];
    assert_eq!((view.remaining(), view.available), (Some(0), Some(0)));
}

#[test]
fn reservations_are_listed_newest_first_by_page_and_filter() {
    let mut ledger = Ledger::tree();
    let owned = crate::event::ReservationMade { owner: Some("agent".into()), ..reserve("a", "task", 1) };
    ledger.fold(Payload::ReservationMade(owned));
    ledger.fold(reserved("b", "root", 1));
    ledger.fold(reserved("c", "task", 1));
    ledger.fold(released("c", "task", 1, ReleaseReason::Requested));
    let all = ReservationQuery::default;
    assert_eq!(reservations(&ledger, &all()), ["c", "b", "a"]);
    let list = |query| reservations(&ledger, &query);
    assert_eq!(list(ReservationQuery { limit: 1, before: Some("c".into()), ..all() }), ["b"]);
    assert_eq!(list(ReservationQuery { before: Some("nowhere".into()), ..all() }), [""; 0]);
    assert_eq!(list(ReservationQuery { budget_id: Some("task".into()), ..all() }), ["c", "a"]);
    assert_eq!(list(ReservationQuery { owner: Some("agent".into()), ..all() }), ["a"]);
    assert_eq!(list(ReservationQuery { status: Some(ReservationStatus::Released), ..all() }), ["c"]);
}

#[test]
fn spends_are_listed_newest_first_by_page_and_budget() {
    let mut ledger = Ledger::tree();
    for (id, budget) in [("a", "task"), ("b", "root"), ("c", "task"), ("d", "task")] {
        ledger.fold(spent(id, budget, 1));
    }
    ledger.fold(reversed("a", "task", 1));
    let list = |query: SpendQuery| -> Vec<String> {
        ledger.state.list_spends(&query).iter().map(|spend| spend.spend_id.to_string()).collect()
    };
    let all = SpendQuery::default;
    assert_eq!(list(all()), ["d", "c", "b", "a"]);
    assert_eq!(list(SpendQuery { limit: 2, before: Some("d".into()), ..all() }), ["c", "b"]);
    assert_eq!(list(SpendQuery { budget_id: Some("task".into()), ..all() }), ["d", "c", "a"]);
    assert_eq!(list(SpendQuery { before: Some("nowhere".into()), ..all() }), [""; 0]);
}

#[test]
fn the_rate_for_life_is_what_was_spent_since_the_making() {
    let mut ledger = Ledger::tree();
    ledger.fold(spent("s", "task", 30));
    let at = |number| ledger.state.burn(&"root".into(), None, second(number)).unwrap();
    assert_eq!(at(1_120), BurnRate { amount: 30, elapsed: Duration::from_secs(120) });
    assert_eq!((at(1_120).per_minute(), at(1_000).per_minute()), (15, 0));
    assert_eq!(ledger.state.burn(&"nowhere".into(), None, ledger.now), None);
}

#[test]
fn the_rate_of_late_counts_bookings_at_and_below_the_budget_without_what_was_taken_back() {
    let mut ledger = Ledger::tree();
    ledger.fold(spent("a", "task", 30));
    ledger.wait_secs(60);
    ledger.fold(spent("b", "task", 7));
    ledger.fold(spent("c", "root", 5));
    ledger.fold(reversed("b", "task", 3));
    let burn = |id: &str, since| ledger.state.burn(&id.into(), Some(second(since)), second(1_090)).unwrap();
    assert_eq!(burn("root", 1_030), BurnRate { amount: 9, elapsed: Duration::from_secs(60) });
    assert_eq!(burn("task", 1_060), BurnRate { amount: 4, elapsed: Duration::from_secs(30) });
    assert_eq!(burn("task", 0), BurnRate { amount: 34, elapsed: Duration::from_secs(90) });
    assert_eq!(burn("task", 1_061).amount, 0);
    ledger.fold(reversed("a", "task", 30));
    assert_eq!(ledger.state.burn(&"task".into(), Some(second(1_061)), second(1_090)).unwrap().amount, 0);
}

#[test]
fn turns_burn_the_budgets_of_goals() {
    let mut ledger = Ledger::tree();
    ledger.fold(goal_created(1, None, &[]));
    ledger.fold(goal_created(2, Some(1), &[]));
    ledger.fold(Payload::TurnRecorded(turn(2, 40)));
    let rate = ledger.state.burn(&goal_budget(1), Some(second(0)), second(1_060)).unwrap();
    assert_eq!((rate.amount, rate.per_minute()), (40, 40));
}

#[test]
fn the_rate_goes_back_no_farther_than_what_is_remembered() {
    let mut ledger = remembering(DAY_SECS, 2);
    assert_eq!(ledger.state.remembered_since(), None);
    for id in ["a", "b", "c"] {
        ledger.wait_secs(10);
        ledger.fold(spent(id, "task", 1));
    }
    let made_at = ledger.state.budget(&"task".into()).unwrap().created_at;
    let since = made_at.saturating_add(Duration::from_secs(1));
    let rate = ledger.state.burn(&"task".into(), Some(since), ledger.now).unwrap();
    assert_eq!(rate, BurnRate { amount: 2, elapsed: Duration::from_secs(20) });
    assert!(ledger.state.remembered_since().unwrap() > second(1_010));
}

#[test]
fn no_rate_overflows() {
    let rate = |amount, micros| BurnRate { amount, elapsed: Duration::from_micros(micros) }.per_minute();
    assert_eq!(rate(u128::MAX, 60_000_000), u128::MAX);
    assert_eq!(rate(u128::MAX, 1_000), u128::MAX);
    assert_eq!(rate(u128::MAX, 120_000_000), u128::MAX / 2);
    assert_eq!((rate(1, 999), rate(1, 60_001_000), rate(100, 90_000_000)), (0, 0, 66));
    let longest = BurnRate { amount: u128::MAX, elapsed: Duration::MAX };
    assert!(longest.per_minute() > 0);
}

#[test]
fn a_copy_of_the_state_stays_as_it_was_and_shares_what_is_the_same() {
    let mut ledger = Ledger::tree();
    for number in 0..200 {
        ledger.fold(spent(&format!("s{number}"), "root", 1));
    }
    let copy: State = ledger.state.clone();
    let hash = copy.state_hash();
    ledger.fold(spent("more", "root", 1));
    ledger.fold(reserved("r", "root", 1));
    let (kept, changed) = (copy.spend(&"s0".into()).unwrap(), ledger.state.spend(&"s0".into()).unwrap());
    assert!(std::ptr::eq(kept, changed));
    assert_eq!(
        (copy.list_spends(&SpendQuery { limit: 500, ..SpendQuery::default() }).len(), copy.state_hash()),
        (200, hash)
    );
}

#[test]
fn the_memory_stays_bounded_however_much_passes_through_it() {
    let mut ledger = remembering(DAY_SECS, 100);
    ledger.fold(allocated("free", None, None));
    for number in 0..20_000 {
        ledger.fold(spent(&format!("s{number}"), "free", 1));
    }
    let list = ledger.state.list_spends(&SpendQuery { limit: usize::MAX, ..SpendQuery::default() });
    assert_eq!((list.len(), &*list[99].spend_id.0), (100, "s19900"));
    assert_eq!(ledger.state.spends.len(), 100);
    assert_eq!(ledger.state.key_window(), KeyWindow { max_count: 100, ..KeyWindow::DEFAULT });
    ledger.check_replay();
}

#[test]
fn whatever_is_remembered_is_in_the_hash() {
    let mut ledger = Ledger::tree();
    let mut seen = vec![ledger.state.state_hash()];
    let payloads = [
        reserved_until("r", "task", 5, 2_000),
        marked_unknown("r", "task", 5),
        Payload::SpendRecorded(settled("s", "task", 0, "r").into()),
        reversed("q", "task", 1),
    ];
    ledger.fold(spent("q", "task", 60));
    for payload in payloads {
        ledger.fold(payload);
        seen.push(ledger.state.state_hash());
    }
    ledger.fold(crossed("task", 500_000, 100, 59));
    seen.push(ledger.state.state_hash());
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len());
    ledger.check_replay();
}
