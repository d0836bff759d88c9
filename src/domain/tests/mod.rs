//! The domain's tests: given some commands, when one more is decided and folded in, then this is what came of it.

mod authority;
mod budget_model;
mod budget_property;
mod budgets;
mod fold;
mod fold_budgets;
mod fold_ledger;
mod fold_memory;
mod fold_misfits;
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
