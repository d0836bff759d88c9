//! Goals.

use crate::domain::goal::GoalRecord;
use crate::event::value::{
    put, put_amount, put_budget_id, put_given, put_goal_id, put_list, put_name, put_text, put_timestamp,
    put_u64,
};

use super::put_meta;

pub(super) fn put_goal(out: &mut Vec<u8>, goal: &GoalRecord) {
    let facts = &*goal.facts;
    put(out, br#"{"part":"goal","goal_id":"#);
    put_goal_id(out, facts.id);
    put(out, br#","ordinal":"#);
    put_u64(out, facts.ordinal);
    put(out, br#","scope":"#);
    put_text(out, &facts.scope);
    put(out, br#","text":"#);
    put_text(out, &facts.text);
    put_given(out, br#","parent_goal":"#, facts.parent_goal, put_goal_id);
    let budgets = Some(&*facts.budgets).filter(|budgets| !budgets.is_empty());
    put_given(out, br#","budgets":"#, budgets, |out, budgets| put_list(out, budgets, put_budget_id));
    put(out, br#","status":"#);
    put_name(out, goal.status.name());
    put_given(out, br#","pause_reason":"#, goal.pause_reason.map(|reason| reason.name()), put_name);
    put(out, br#","tokens_own":"#);
    put_amount(out, goal.tokens_own);
    put(out, br#","turns_used":"#);
    put_u64(out, goal.turns_used);
    put(out, br#","seconds_used":"#);
    put_u64(out, goal.seconds_used);
    put(out, br#","revision":"#);
    put_u64(out, goal.revision);
    put(out, br#","created_at":"#);
    put_timestamp(out, facts.created_at);
    put(out, br#","updated_at":"#);
    put_timestamp(out, goal.updated_at);
    put_given(out, br#","completed_at":"#, goal.completed_at, put_timestamp);
    put_meta(out, facts.meta.as_ref());
    put(out, b"}");
}
