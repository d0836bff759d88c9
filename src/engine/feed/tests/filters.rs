//! What filters let pass, and that looking at bytes first changes nothing about it.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::engine::feed::{EventFilter, Knowledge, Matcher};
use crate::event::{
    BudgetClosed, ChangeEvent, Charge, EndedForgotten, Fraction, MeterObserved, MeterReset, Payload,
    ProgressSet, Reading, ReservationExpired, SpendDetails, SpendRecorded, ThresholdCrossed, decode_event,
};
use crate::ids::{BudgetId, GoalId, ReservationId};
use crate::journal::WalkSource;
use crate::storage::{SimulatedDisk, Storage};
use crate::{Options, Timestamp};

const PARENT: &str = "0190b5a8-7b1c-7000-8000-000000000001";
const CHILD: &str = "0190b5a8-7b1c-7000-8000-000000000002";
const OLDER: &str = "0190b5a8-7b1c-7000-8000-000000000003";

/// Some events, as journaled and in other forms of the same.
fn lines() -> Vec<String> {
    let lines = [
        r#"{"seq":1,"ts":"2026-01-01T00:00:00.000000Z","kind":"goal_created","data":{"goal_id":"PARENT","scope":"","text":"a","token_budget":"9","parent_goal":null,"budgets":["money"]},"session_id":"s"}"#,
        r#"{"seq":2,"ts":"2026-01-01T00:00:00.000000Z","kind":"goal_created","data":{"goal_id":"CHILD","scope":"c","text":"b","token_budget":null,"parent_goal":"PARENT","budgets":[]}}"#,
        r#"{"seq":3,"ts":"2026-01-01T00:00:00.000000Z","kind":"turn_recorded","v":2,"data":{"goal_id":"CHILD","tokens":"10","turns":1,"seconds":0,"late":false,"overage":[{"budget_id":"goal:PARENT","amount":"1"}]},"session_id":"s"}"#,
        r#"{"seq":4,"ts":"2026-01-01T00:00:00.000000Z","kind":"budget_exhausted","data":{"budget_id":"goal:PARENT","limit":"9","spent":"10","overage":"1"},"session_id":"t"}"#,
        r#"{"seq":5,"ts":"2026-01-01T00:00:00.000000Z","kind":"goal_transitioned","data":{"goal_id":"CHILD","from":"active","to":"paused","reason":"parent","revision":2,"by_goal":"PARENT","budget_id":"goal:PARENT","note":null}}"#,
        // No writer writes these, but they say the same as if one did.
        r#"{"kind":"key_window_set","seq":6,"data":{"max_age_ms":1,"max_count":1},"ts":"2026-01-01T00:00:00.000000Z","session_id":"\u0073"}"#,
        r#"{"seq":7,"ts":"2026-01-01T00:00:00.000000Z","kind":"key\u005fwindow_set","data":{"max_age_ms":1,"max_count":1},"session_id":"s"}"#,
        r#"{"seq":8,"ts":"2026-01-01T00:00:00.000000Z","kind":"turn_recorded","v":2,"data":{"goal_id":"OLDER","tokens":"1","turns":1,"seconds":0,"late":true,"overage":[]},"session_id":"t"}"#,
        r#"{"seq":9,"ts":"2026-01-01T00:00:00.000000Z","kind":"ended_forgotten","data":{"goals":["CHILD"],"budgets":["money"]}}"#,
        r#"{"seq":10,"ts":"2026-01-01T00:00:00.000000Z","kind":"event_recorded","data":{"name":"tool_finished","data":null},"session_id":"s"}"#,
        r#"{"seq":11,"ts":"2026-01-01T00:00:00.000000Z","kind":"event_recorded","data":{"name":"tool\u005fstarted","data":"tool_finished"}}"#,
    ];
    let filled = |line: &str| line.replace("PARENT", PARENT).replace("CHILD", CHILD).replace("OLDER", OLDER);
    lines.iter().map(|line| filled(line)).collect()
}

/// Shows a filter all events, by their bytes first where asked to; those that it lets pass.
fn passed(filter: EventFilter, storage: &Arc<dyn Storage>, bytes_first: bool) -> Vec<u64> {
    let Some(mut matcher) = Matcher::new(filter, 0) else { return (1..=11).collect() };
    let mut passed = Vec::new();
    for line in lines() {
        if bytes_first && !matcher.may_want(line.as_bytes()) {
            continue;
        }
        let event = decode_event(line.as_bytes()).unwrap();
        let source = WalkSource::outside();
        let knowledge = || Knowledge { now: None, storage, source: &source };
        if matcher.wants(&event, knowledge).unwrap() {
            passed.push(event.seq);
        }
    }
    passed
}

/// A journal in which nothing has happened yet.
fn empty_journal() -> Arc<dyn Storage> {
    let disk = SimulatedDisk::new(1);
    drop(Options::new().inline().open_storage(disk.process()).unwrap());
    disk.process()
}

#[test]
fn everything_that_is_asked_for_narrows_what_passes() {
    let storage = empty_journal();
    let [parent, child, older]: [GoalId; 3] = [PARENT, CHILD, OLDER].map(|id| id.parse().unwrap());
    let none = EventFilter::new;
    let kind = |filter: EventFilter, kind| filter.kind(kind).unwrap();
    for (filter, expected) in [
        (none(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11][..]),
        (kind(none(), "goal_created"), &[1, 2]),
        (kind(kind(none(), "goal_created"), "key_window_set"), &[1, 2, 6, 7]),
        (none().goal(parent), &[1, 4, 5]),
        (none().goal(child), &[2, 3, 5, 9]),
        (none().goal(child).goal(parent), &[1, 2, 3, 4, 5, 9]),
        (none().budget(parent), &[1, 3, 4, 5]),
        (none().budget(child), &[2, 3, 9]),
        (none().budget("money"), &[1, 9]),
        (none().session("s"), &[1, 3, 6, 7, 10]),
        (none().session("s").session("t"), &[1, 3, 4, 6, 7, 8, 10]),
        (none().event("tool_finished"), &[10]),
        (none().event("tool_started"), &[11]),
        (none().event("tool_finished").event("tool_started"), &[10, 11]),
        (none().event("tool_finished").session("t"), &[]),
        (kind(none().event("tool_finished"), "goal_created"), &[]),
        (none().event("tool_finished").scope(""), &[]),
        (kind(none().session("s"), "turn_recorded").goal(child), &[3]),
        (kind(none().session("s"), "budget_exhausted"), &[]),
        (none().scope("c"), &[2, 3, 5, 9]),
        (none().scope(""), &[1, 4, 5]),
        (none().scope("c").session("s"), &[3]),
        (kind(none().scope("c"), "goal_transitioned"), &[5]),
        (none().scope("").goal(older), &[]),
    ] {
        assert_eq!(passed(filter.clone(), &storage, false), expected, "{filter:?}");
        assert_eq!(passed(filter.clone(), &storage, true), expected, "by its bytes first: {filter:?}");
    }
    assert!(EventFilter::new().kind("goal").unwrap_err().to_string().contains("goal_created"));
}

proptest! {
    /// Whatever is asked for, what the bytes deny is nothing that is wanted.
    #[test]
    fn the_bytes_deny_nothing_that_is_wanted(
        kinds in subsequence(&Payload::KINDS[..], 0..4),
        sessions in subsequence(vec!["s", "t", "S", "x\"y", "", "goal"], 0..3),
        scopes in subsequence(vec!["", "c", "d"], 0..2),
        events in subsequence(vec!["tool_finished", "tool_started", ""], 0..3),
        goal in proptest::option::of(select(vec![PARENT, CHILD, OLDER])),
    ) {
        let filter = kinds.iter().fold(EventFilter::new(), |filter, kind| filter.kind(kind).unwrap());
        let filter = sessions.iter().fold(filter, |filter, session| filter.session(*session));
        let filter = scopes.iter().fold(filter, |filter, scope| filter.scope(*scope));
        let filter = events.iter().fold(filter, |filter, event| filter.event(*event));
        let filter = goal.into_iter().fold(filter, |filter, goal| filter.goal(goal.parse().unwrap()));
        let storage = empty_journal();
        prop_assert_eq!(passed(filter.clone(), &storage, true), passed(filter, &storage, false));
    }
}

/// What happens to the budgets `team` and, under it, `task`.
fn story() -> Vec<Payload> {
    let (team, task) = (BudgetId::from("team"), BudgetId::from("task"));
    let charge = Charge { budget_id: team.clone(), amount: 1 };
    let reservation_id = ReservationId::from("r");
    let spend = SpendRecorded {
        spend_id: "s".into(),
        budget_id: task.clone(),
        amount: 5,
        incurred: true,
        late: false,
        overage: vec![charge],
        reservation_id: Some(reservation_id.clone()),
        goal_id: PARENT.parse().ok(),
        meter_id: None,
        body: None,
        details: SpendDetails::default(),
    };
    vec![
        Payload::SpendRecorded(SpendRecorded { overage: Vec::new(), goal_id: None, ..spend.clone() }.into()),
        Payload::SpendRecorded(spend.into()),
        Payload::ReservationExpired(ReservationExpired {
            reservation_id: reservation_id.clone(),
            budget_id: task.clone(),
            amount: 5,
        }),
        Payload::ProgressSet(ProgressSet { budget_id: team.clone(), progress: Fraction::ONE }),
        Payload::ThresholdCrossed(ThresholdCrossed {
            budget_id: BudgetId::Goal(PARENT.parse().unwrap()),
            threshold: Fraction::ONE,
            limit: 1,
            spent: 1,
        }),
        Payload::BudgetClosed(BudgetClosed {
            budget_id: task.clone(),
            by_budget: Some(team),
            released: vec![reservation_id],
        }),
        Payload::MeterObserved(MeterObserved {
            meter_id: "m".into(),
            budget_id: Some(task.clone()),
            reading: Reading::Delta(0),
            increase: 0,
            total: 0,
        }),
        Payload::MeterReset(MeterReset { meter_id: "m".into(), previous: 0, baseline: 0 }),
        Payload::EndedForgotten(EndedForgotten { goals: vec![PARENT.parse().unwrap()], budgets: vec![task] }),
    ]
}

#[test]
fn a_budget_has_its_spends_its_reservations_and_what_passes_its_limit() {
    let storage = empty_journal();
    let passed = |filter: EventFilter| {
        let mut matcher = Matcher::new(filter, 0).unwrap();
        let mut passed = Vec::new();
        for (at, payload) in story().into_iter().enumerate() {
            let event = ChangeEvent {
                seq: 1,
                ts: Timestamp::UNIX_EPOCH,
                session_id: None,
                actor: None,
                key: None,
                meta: None,
                payload,
            };
            let source = WalkSource::outside();
            let knowledge = || Knowledge { now: None, storage: &storage, source: &source };
            if matcher.wants(&event, knowledge).unwrap() {
                passed.push(at);
            }
        }
        passed
    };
    let parent: GoalId = PARENT.parse().unwrap();
    assert_eq!(passed(EventFilter::new().budget("task")), [0, 1, 2, 5, 6, 8]);
    assert_eq!(passed(EventFilter::new().budget("team")), [1, 3, 5]);
    assert_eq!(passed(EventFilter::new().budget(parent)), [4, 8]);
    assert_eq!(passed(EventFilter::new().goal(parent)), [1, 4, 8]);
}
