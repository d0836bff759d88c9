//! The operations that change something. Bounds that the domain knows (lengths, statuses, amounts of 0) are left to it;
//! here it is about form.

mod budget;
mod event;
mod goal;
mod meter;
mod spend;

pub(super) use budget::{adjust_budget, allocate, close_budget, set_progress};
pub(super) use event::record_event;
pub(super) use goal::{create_goal, record_turn, set_goal_budget, status as goal_status, transition_goal};
pub(super) use meter::{observe_meter, reset_meter};
pub(super) use spend::{mark_unknown, record_spend, release, reserve, reverse_spend, settle};

use std::sync::Arc;

use super::fields::{Fields, Value};
use crate::domain::Rejection;

/// Those who may widen a budget; `None`: everyone.
fn widen_by(fields: &Fields<'_>) -> Result<Option<Vec<Arc<str>>>, Rejection> {
    let actors = fields.get("widen_by").map(|value| value.items()).transpose()?;
    actors.map(|actors| actors.into_iter().map(Value::shared_string).collect()).transpose()
}
