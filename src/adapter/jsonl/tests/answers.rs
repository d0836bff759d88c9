//! Writing answers: byte by byte, since scripts depend on them.

use std::sync::Arc;

use super::super::*;
use super::{GOAL, written};
use crate::domain::Goal;
use crate::engine::{CommandResult, Head, Receipt};
use crate::error::{Error, ErrorKind};
use crate::event::{GoalStatus, TransitionReason};
use crate::ids::{BudgetId, Epoch, GoalId, JournalId};

const GOAL_JSON: &str = r#"{"goal_id":"0190b5a8-7b1c-7000-8000-000000000001","scope":"s","text":"a \"b\"","status":"paused","pause_reason":"blocked","token_budget":null,"tokens_used":"340282366920938463463374607431768211455","tokens_own":"7","turns_used":2,"seconds_used":3,"parent_goal":null,"budgets":["money"],"revision":4,"created_at":"1970-01-01T00:00:00.000000Z","updated_at":"1970-01-01T00:00:00.000000Z","completed_at":null,"meta":{"b":1.0,"a":[]}}"#;

fn goal() -> Goal {
    Goal {
        id: GOAL.parse().unwrap(),
        scope: "s".into(),
        text: "a \"b\"".into(),
        status: GoalStatus::Paused,
        pause_reason: Some(TransitionReason::Blocked),
        token_budget: None,
        tokens_used: u128::MAX,
        tokens_own: 7,
        turns_used: 2,
        seconds_used: 3,
        parent_goal: None,
        budgets: Arc::from([BudgetId::Named("money".into())]),
        revision: 4,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        completed_at: None,
        meta: Some(Meta::parse(r#"{"b":1.0,"a":[]}"#).unwrap()),
    }
}

#[test]
fn a_command_that_was_carried_out() {
    let result = CommandResult::Goal(Box::new(goal()));
    let receipt = Receipt { first_seq: Some(5), last_seq: Some(6), retried: false, result };
    assert_eq!(
        written(Ok(receipt.clone())),
        format!("{{\"line\":9,\"ok\":{{\"first_seq\":5,\"last_seq\":6,\"result\":{GOAL_JSON}}}}}\n")
    );
    assert_eq!(
        written(Ok(Receipt { retried: true, result: CommandResult::Nothing, ..receipt })),
        "{\"line\":9,\"ok\":{\"first_seq\":5,\"last_seq\":6,\"result\":null,\"retried\":true}}\n"
    );
}

#[test]
fn a_command_that_changed_nothing_has_no_seqs() {
    let receipt = Receipt { first_seq: None, last_seq: None, retried: false, result: CommandResult::Nothing };
    assert_eq!(written(Ok(receipt)), "{\"line\":9,\"ok\":{\"result\":null}}\n");
}

#[test]
fn what_queries_find() {
    assert_eq!(written(Answer::Found(QueryResult::Goal(None))), "{\"line\":9,\"ok\":{\"result\":null}}\n");
    assert_eq!(
        written(Answer::Found(QueryResult::Goals(Vec::new()))),
        "{\"line\":9,\"ok\":{\"result\":[]}}\n"
    );
    assert_eq!(
        written(Answer::Found(QueryResult::Goals(vec![goal()]))),
        format!("{{\"line\":9,\"ok\":{{\"result\":[{GOAL_JSON}]}}}}\n")
    );
    let head = Head {
        seq: 3,
        epoch: Epoch { counter: 2, tag: 0xab },
        journal_id: JournalId(GOAL.parse::<GoalId>().unwrap().0),
        state_hash: crate::domain::StateHash([0x0f; 32]),
        cursor: None,
    };
    assert_eq!(
        written(Answer::Found(QueryResult::Head(head))),
        format!(
            "{{\"line\":9,\"ok\":{{\"result\":{{\"seq\":3,\"epoch\":\"2-000000ab\",\"journal_id\":\"{GOAL}\",\
             \"state_hash\":\"{}-{}\"}}}}}}\n",
            crate::domain::FOLD_VERSION,
            "0f".repeat(32)
        )
    );
}

#[test]
fn a_rejection_with_what_it_carries() {
    let rejection = Rejection { max: Some(400), ..invalid("too \"long\"") };
    assert_eq!(
        written(rejection.clone()),
        "{\"line\":9,\"error\":{\"kind\":\"invalid\",\"message\":\"too \\\"long\\\"\",\"max\":400}}\n"
    );
    let stale =
        Rejection { kind: RejectionKind::Stale, goal: Some(Box::new(goal())), max: None, ..rejection };
    assert!(written(stale).ends_with(&format!(",\"goal\":{GOAL_JSON}}}}}\n")));
}

#[test]
fn infrastructure_errors_say_what_to_do_next() {
    for (kind, name) in [
        (ErrorKind::Busy, "busy"),
        (ErrorKind::NoSpace, "busy"),
        (ErrorKind::Halted, "halted"),
        (ErrorKind::OutcomeUnknown, "halted"),
        (ErrorKind::Closed, "halted"),
    ] {
        let answer = Answer::from(Error::new(kind, "why"));
        assert_eq!(
            written(answer),
            format!("{{\"line\":9,\"error\":{{\"kind\":\"{name}\",\"message\":\"why\"}}}}\n")
        );
    }
}
