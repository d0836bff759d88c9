//! Lines that are each in their form, but no state together, and why.

use super::page::{examples, part};
use super::refusal;
use super::refused::changed;

const GOAL_1: &str = "019a9f3c-5b1c-7000-8000-000000000001";
const GOAL_2: &str = "019a9f3c-5b1c-7000-8000-000000000002";

#[test]
fn what_refers_to_nothing_is_named() {
    for (find, replace, says) in [
        (r#""parent":"team""#, r#""parent":"crew""#, "budget: task-7: expected budget crew before it"),
        (
            r#""budget_id":"task-7","updated_at""#,
            r#""budget_id":"crew","updated_at""#,
            "meter: provider-a: expected budget crew before it",
        ),
        (
            r#""budgets":["team"]"#,
            r#""budgets":["team","crew"]"#,
            &format!("goal: {GOAL_1}: expected budget crew before it"),
        ),
        (
            &format!(r#""parent_goal":"{GOAL_1}""#),
            r#""parent_goal":"019a9f3c-5b1c-7000-8000-000000000009""#,
            &format!("goal: {GOAL_2}: expected its parent, goal 019a9f3c-5b1c-7000-8000-000000000009,"),
        ),
        (
            r#""budget_id":"team","amount":"250000","owner""#,
            r#""budget_id":"crew","amount":"250000","owner""#,
            "reservation: call-17: expected budget crew before it",
        ),
        (
            r#""budget_id":"task-7","amount":"300000","reversed""#,
            r#""budget_id":"crew","amount":"300000","reversed""#,
            "spend: invoice-9: expected budget crew before it",
        ),
        (
            r#""meter_id":"provider-a","body""#,
            r#""meter_id":"provider-b","body""#,
            "spend: invoice-9: expected meter provider-b before it",
        ),
        (
            &format!(r#""budget_id":"goal:{GOAL_2}","amount":"1100"}}"#),
            r#""budget_id":"crew","amount":"1100"}"#,
            "booking: seq 13: expected budget crew before it",
        ),
        (
            r#"{"part":"releasing","budget_id":"team""#,
            r#"{"part":"releasing","budget_id":"crew""#,
            "releasing: expected budget crew before it",
        ),
    ] {
        let message = refusal(&changed(find, replace));
        assert!(message.contains(says), "{replace}\n{message}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (find, replace, says) in [
        (
            r#""made_seq":2,"#,
            r#""made_seq":1,"#,
            "budget: task-7: expected it in the order of `made_seq`, found 1 after 1",
        ),
        (
            r#""unit":"usd-micro","parent""#,
            r#""unit":"wei","parent""#,
            r#"task-7: expected the unit "usd-micro" of budget team, found "wei""#,
        ),
        (r#""parent":"team""#, r#""parent":"task-7""#, "task-7: expected budget task-7 before it"),
        (
            &format!(r#""unit":"tokens","parent":"goal:{GOAL_1}""#),
            r#""unit":"tokens","parent":"team""#,
            "expected budgets of goals under those of goals",
        ),
        (
            &format!(r#""unit":"tokens","parent":"goal:{GOAL_1}","#),
            r#""unit":"tokens","#,
            "expected its budget under that of its parent",
        ),
        (
            r#""unit":"tokens","terms""#,
            r#""unit":"wei","terms""#,
            r#"expected the unit "tokens" for a budget of a goal, found "wei""#,
        ),
        (r#""crossed":2"#, r#""crossed":3"#, "expected at most 2 thresholds crossed, found 3"),
        (r#"[500000,950000]"#, r#"[950000,500000]"#, "expected thresholds above 0, ascending"),
        (
            r#""rolled_seq":9"#,
            r#""rolled_seq":0"#,
            "expected `spent` within `spent_total`, found 541500 of 741500",
        ),
        (r#""spent":"541500""#, r#""spent":"741501""#, "expected `spent` within `spent_total`"),
        (
            r#""span":{"start":"2026-11-20T06:00:00.000000Z","end":"2026-11-21T06:00:00.000000Z"},"#,
            "",
            "expected `span` where there are windows",
        ),
        (
            r#""spent":"741500","spent_total":"741500","reserved":"250000""#,
            r#""spent":"741500","spent_total":"741500","reserved":"340282366920938463463374607431768211455""#,
            "team: expected sums within bounds",
        ),
        (r#""ordinal":1"#, r#""ordinal":0"#, "expected it in the order of `ordinal`, found 0 after 0"),
        (
            r#""status":"paused","pause_reason":"blocked""#,
            r#""status":"paused""#,
            "expected `pause_reason` where it is paused",
        ),
        (
            r#""status":"paused","pause_reason""#,
            r#""status":"active","pause_reason""#,
            "expected `pause_reason` where it is paused",
        ),
        (
            r#","completed_at":"2026-11-21T01:15:21.500000Z""#,
            "",
            "expected `completed_at` where it has ended",
        ),
        (
            r#""completed_at":"2026-11-21T01:15:21.500000Z""#,
            r#""completed_at":"2026-11-21T01:15:21.000000Z""#,
            "expected its budget to have ended with it",
        ),
        (r#""status":"open""#, r#""status":"expired""#, "call-17: expected `ended_at` where it has ended"),
        (r#","ended_seq":14"#, "", "expected `ended_seq` where it has ended"),
        (r#""status":"settled""#, r#""status":"released""#, "expected `spend_id` where it is settled"),
        (
            r#""budget_id":"team","amount":"250000","owner""#,
            r#""budget_id":"task-7","amount":"250000","owner""#,
            "call-17: expected nothing set aside on budget task-7, which is closed",
        ),
        (
            r#""made_seq":12"#,
            r#""made_seq":16"#,
            "expected no other to be made by seq 16, found reservation call-17",
        ),
        (
            r#""reversed":"0""#,
            r#""reversed":"300001""#,
            "expected at most 300000 to be reversed, found 300001",
        ),
        (r#""last_seq":15,"at""#, r#""last_seq":13,"at""#, "expected `last_seq` from 14 on, found 13"),
        (
            r#""seq":17"#,
            r#""seq":14"#,
            "booking: seq 14: expected it in the order of events, found seq 14 after seq 14",
        ),
        (
            r#""bookings_from":13"#,
            r#""bookings_from":12"#,
            "in the state as a whole: expected the first booking with seq 12, as `bookings_from` says, found Some(13)",
        ),
        (
            r#""bookings_from":13"#,
            r#""bookings_from":15"#,
            "in the state as a whole: expected the first booking with seq 15, as `bookings_from` says, found Some(13)",
        ),
        (
            r#""bookings_from":13,"#,
            "",
            "in the state as a whole: expected a booking of spend invoice-9 with seq 14, found none",
        ),
        (
            r#"{"part":"releasing""#,
            r#"{"part":"event_id","event_id":"e","body":"9f86d081884c7d65","at":"2026-11-21T01:15:27.000000Z","seq":19}
{"part":"releasing""#,
            "event_id: e: expected it in the order of events, found seq 19 after seq 19",
        ),
        (
            r#""first_seq":18"#,
            r#""first_seq":13"#,
            "expected it in the order of events, found seq 13 after seq 14",
        ),
        (r#""last_seq":18"#, r#""last_seq":17"#, "expected `last_seq` from 18 on, found 17"),
        (r#""key":"réserve 2""#, r#""key":"bill-9""#, r#"key: "bill-9": expected it once"#),
        (
            r#""refusals_minute":"2026-11-21T01:15:00"#,
            r#""refusals_minute":"2026-11-21T01:15:01"#,
            "expected the start of a minute, found 2026-11-21T01:15:01.000000Z",
        ),
        (
            r#""max_count":65536"#,
            r#""max_count":1"#,
            "in the state as a whole: expected at most 1 remembered keys, found 2",
        ),
        (
            r#""spent":"741500","spent_total":"741500","reserved":"250000""#,
            r#""spent":"741499","spent_total":"741499","reserved":"250000""#,
            "in the state as a whole: expected budget team to have spent at least 741500, found 741499",
        ),
        (
            r#""tokens_own":"3000""#,
            r#""tokens_own":"3001""#,
            &format!("expected budget goal:{GOAL_1} to have spent at least 4101, found 4100"),
        ),
        (
            r#""amount":"250000","owner""#,
            r#""amount":"250001","owner""#,
            "expected budget team to have 250001 reserved, found 250000",
        ),
        (
            r#""entry_count":3"#,
            r#""entry_count":0"#,
            "expected budget task-7 to have at least 1 entries, found 0",
        ),
        (
            r#""tokens_own":"1100""#,
            r#""tokens_own":"340282366920938463463374607431768211455""#,
            "to have spent at least 340282366920938463463374607431768211455, found 1100",
        ),
    ] {
        let message = refusal(&changed(find, replace));
        assert!(message.contains(says), "{replace}\n{message}");
    }
}

#[test]
fn a_line_comes_once_and_in_its_order() {
    let examples = examples();
    for (index, line) in examples.iter().enumerate() {
        let mut doubled = examples.clone();
        doubled.insert(index + 1, line);
        let message = refusal(&doubled);
        assert!(
            message.starts_with(&format!("in line {} of the state: {}: ", index + 2, part(line))),
            "{message}"
        );
    }
    let without = |name: &str| examples.iter().copied().filter(|line| part(line) != name).collect::<Vec<_>>();
    let message = refusal(&without("memory"));
    assert_eq!(message, "in line 1 of the state: budget: expected the part `memory` first, and once");
    let message = refusal(&without("goal"));
    assert_eq!(
        message,
        format!("in the state as a whole: expected goal {GOAL_1}, whose budget there is, found none")
    );
    assert_eq!(refusal::<&str>(&[]), "expected the lines of a state, found none");
}

/// Two that are active in one scope; one that is doubled under another number.
#[test]
fn a_scope_has_one_active_goal() {
    let active = |line: &str| {
        line.replace(r#""status":"paused","pause_reason":"blocked""#, r#""status":"active""#)
            .replace(r#""status":"completed""#, r#""status":"active""#)
            .replace(r#","completed_at":"2026-11-21T01:15:21.500000Z""#, "")
            .replace(r#","closed":{"at":"2026-11-21T01:15:21.500000Z","released":[]}"#, "")
            .replace(&format!(r#""scope":"{GOAL_2}""#), r#""scope":"thread-7""#)
    };
    let lines: Vec<String> = examples().into_iter().map(active).collect();
    let message = refusal(&lines);
    let says =
        format!(r#"goal: {GOAL_2}: expected one active goal in scope "thread-7", found goal {GOAL_1}, too"#);
    assert!(message.contains(&says), "{message}");
}

/// A goal is made with its budget.
#[test]
fn goals_stand_in_the_order_of_their_budgets() {
    let apart = |line: &str| {
        line.replace(&format!(r#","parent_goal":"{GOAL_1}""#), "")
            .replace(&format!(r#","parent":"goal:{GOAL_1}""#), "")
    };
    let mut lines: Vec<String> = examples().into_iter().map(apart).collect();
    let first = lines.iter().position(|line| part(line) == "goal").unwrap();
    lines.swap(first, first + 1);
    lines[first] = lines[first].replace(r#""ordinal":1"#, r#""ordinal":0"#);
    lines[first + 1] = lines[first + 1].replace(r#""ordinal":0"#, r#""ordinal":1"#);
    let message = refusal(&lines);
    let says =
        format!("goal: {GOAL_1}: expected goals in the order of their budgets, found it after goal {GOAL_2}");
    assert!(message.contains(&says), "{message}");
}
