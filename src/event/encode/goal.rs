//! What happens to goals.

use crate::event::{GoalBudgetSet, GoalCreated, GoalTransitioned, TurnRecorded, number, text};

use super::values::{
    put, put_actors, put_amount, put_boolean, put_budget_id, put_charge, put_goal_id, put_list, put_name,
    put_option,
};

pub(super) fn put_goal_created(out: &mut Vec<u8>, data: &GoalCreated) {
    put(out, br#""goal_created","v":2,"data":{"goal_id":"#);
    put_goal_id(out, data.goal_id);
    put(out, br#","scope":"#);
    text::put(out, &data.scope);
    put(out, br#","text":"#);
    text::put(out, &data.text);
    put(out, br#","token_budget":"#);
    put_option(out, data.token_budget, put_amount);
    put(out, br#","parent_goal":"#);
    put_option(out, data.parent_goal, put_goal_id);
    put(out, br#","budgets":"#);
    put_list(out, &data.budgets, put_budget_id);
    put(out, br#","widen_by":"#);
    put_option(out, data.widen_by.as_deref(), put_actors);
}

pub(super) fn put_goal_transitioned(out: &mut Vec<u8>, data: &GoalTransitioned) {
    put(out, br#""goal_transitioned","data":{"goal_id":"#);
    put_goal_id(out, data.goal_id);
    put(out, br#","from":"#);
    put_name(out, data.from.name());
    put(out, br#","to":"#);
    put_name(out, data.to.name());
    put(out, br#","reason":"#);
    put_name(out, data.reason.name());
    put(out, br#","revision":"#);
    number::put_u64(out, data.revision);
    put(out, br#","by_goal":"#);
    put_option(out, data.by_goal, put_goal_id);
    put(out, br#","budget_id":"#);
    put_option(out, data.budget_id.as_ref(), put_budget_id);
    put(out, br#","note":"#);
    put_option(out, data.note.as_deref(), text::put);
}

pub(super) fn put_goal_budget_set(out: &mut Vec<u8>, data: &GoalBudgetSet) {
    put(out, br#""goal_budget_set","data":{"goal_id":"#);
    put_goal_id(out, data.goal_id);
    put(out, br#","previous":"#);
    put_option(out, data.previous, put_amount);
    put(out, br#","token_budget":"#);
    put_option(out, data.token_budget, put_amount);
}

pub(super) fn put_turn_recorded(out: &mut Vec<u8>, data: &TurnRecorded) {
    put(out, br#""turn_recorded","v":2,"data":{"goal_id":"#);
    put_goal_id(out, data.goal_id);
    put(out, br#","tokens":"#);
    put_amount(out, data.tokens);
    put(out, br#","turns":"#);
    number::put_u64(out, data.turns);
    put(out, br#","seconds":"#);
    number::put_u64(out, data.seconds);
    put(out, br#","late":"#);
    put_boolean(out, data.late);
    put(out, br#","overage":"#);
    put_list(out, &data.overage, put_charge);
}
