//! The domain's tests: given some commands, when one more is decided and folded in, then this is what came of it.

mod budgets;
mod fold;
mod harness;
mod keys;
mod lifecycle;
mod limits;
mod lists;
mod model;
mod parents;
mod property;
mod refusals;
mod turns;
