//! The domain's tests: given some commands, when one more is decided and folded in, then this is what came of it.

mod authority;
mod budgets;
mod fold;
mod goals_and_budgets;
mod harness;
mod keys;
mod lifecycle;
mod limits;
mod lists;
mod meters;
mod model;
mod named_budgets;
mod parents;
mod property;
mod refusals;
mod reservations;
mod spend_keys;
mod thresholds;
mod turns;
mod windows;
